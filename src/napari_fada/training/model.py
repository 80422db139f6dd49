"""The whole small model: image tokens, language model, and the first thousand ids as a ruler."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from napari_fada.training.prompts import AFTER_IMAGE, BEFORE_IMAGE
from napari_fada.training.text import State, TextModel, TextSize
from napari_fada.training.tokenizer import NUMBERS, encode, token_id, tokenizer
from napari_fada.training.vision import VisionSize, VisionTower


@dataclass(frozen=True)
class ModelSize:
    """Dimensions of both halves."""

    vision: VisionSize = field(default_factory=VisionSize)
    text: TextSize = field(default_factory=lambda: TextSize(tokenizer().get_vocab_size()))


def waves() -> Tensor:
    """Slow and middling waves of each number 0…999, ``(1000, 2 × waves)``, rows of length one."""
    cycles = torch.tensor(
        [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 26], dtype=torch.float64
    )
    amplitude = torch.exp(-0.5 * (cycles / 10.0) ** 2) * torch.where(cycles < 1.0, 1.3, 1.0)
    angles = 2 * math.pi * torch.arange(NUMBERS)[:, None] / NUMBERS * cycles
    made = torch.cat([angles.cos() * amplitude, angles.sin() * amplitude], dim=1)
    unit: Tensor = made / made.norm(dim=1, keepdim=True)
    return unit.float()


class Vocabulary(nn.Module):
    """Token embeddings, tied to the head, in which numbers can only be learned as a ruler.

    A number's embedding is a learned linear map of fixed waves of its value: neighbours look
    alike, the scores of all numbers are one smooth curve with a peak, and what is learned about
    340 holds for 341. Words have a row each.
    """

    def __init__(self, count: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.waves: Tensor
        self.register_buffer("waves", waves(), persistent=False)
        basis = torch.linalg.qr(torch.randn(width, width, generator=generator))[0]
        if self.waves.shape[1] > width:
            basis = torch.randn(self.waves.shape[1], width, generator=generator) * width**-0.5
        self.embed_basis = nn.Parameter(basis[: self.waves.shape[1]].clone())
        words = torch.randn(count - NUMBERS, width, generator=generator) * width**-0.5
        self.embed_words = nn.Parameter(words)

    def table(self) -> Tensor:
        """Embeddings of all tokens, as the published architecture stores them."""
        return torch.cat([self.waves @ self.embed_basis, self.embed_words])


class FadaMini(nn.Module):
    """Vision tower and language model with the parameter names of Qwen3.5."""

    def __init__(self, size: ModelSize, seed: int = 0) -> None:
        super().__init__()
        self.size = size
        generator = torch.Generator().manual_seed(seed)
        self.visual = VisionTower(size.vision)
        self.language_model = TextModel(size.text)
        self.vocabulary = Vocabulary(size.text.vocabulary, size.text.hidden, generator)
        self.reset(generator)
        side = size.vision.grid // size.vision.merge
        start = len(encode(BEFORE_IMAGE))
        rows, cols = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
        image = torch.stack([torch.zeros_like(rows), rows, cols]).flatten(1) + start
        before = torch.arange(start).expand(3, -1)
        #: First position after the image.
        self.after_image = start + side
        after = torch.arange(len(encode(AFTER_IMAGE))).expand(3, -1) + self.after_image
        self.prefix_end = self.after_image + after.shape[1]
        self.positions: Tensor
        self.register_buffer("positions", torch.cat([before, image, after], 1), persistent=False)

    def reset(self, generator: torch.Generator) -> None:
        """Initialise the matrices of the language model."""
        outward = ("o_proj.weight", "out_proj.weight", "down_proj.weight")
        for name, p in self.language_model.named_parameters():
            if p.ndim == 2:
                scale = 0.5 if name.endswith(outward) else 1.0
                nn.init.normal_(p, 0.0, scale * p.shape[1] ** -0.5, generator)

    def table(self) -> Tensor:
        """Token embeddings; compute them once a step and hand them on."""
        return self.vocabulary.table()

    def read_image(self, tokens: Tensor, table: Tensor) -> list[State]:
        """State after the prefix, from image tokens of shape ``(b, tokens, hidden)``."""
        b = tokens.shape[0]
        before = table[torch.tensor(encode(BEFORE_IMAGE))].expand(b, -1, -1)
        after = table[torch.tensor(encode(AFTER_IMAGE))].expand(b, -1, -1)
        x = torch.cat([before, tokens, after], dim=1)
        states: list[State] = self.language_model(x, self.positions)[1]
        return states

    def go_on(
        self, ids: Tensor, states: list[State], table: Tensor, done: int = 0
    ) -> tuple[Tensor, list[State]]:
        """Hidden vectors of ``(b, t)`` ids that follow the prefix and ``done`` more tokens."""
        positions = (torch.arange(ids.shape[1]) + self.prefix_end + done).expand(3, -1)
        embedded = torch.nn.functional.embedding(ids, table)
        hidden, after = self.language_model(embedded, positions, states)
        return hidden, after


def pick_states(states: list[State], rows: Tensor) -> list[State]:
    """States of the given batch rows: one image's state for each of its questions."""
    return [(a[rows], b[rows]) for a, b in states]


def transformers_config(size: ModelSize) -> Any:
    """``Qwen3_5Config`` of these dimensions."""
    from transformers import Qwen3_5Config

    v, t = size.vision, size.text
    names = {"linear": "linear_attention", "full": "full_attention"}
    text = {
        "vocab_size": t.vocabulary,
        "hidden_size": t.hidden,
        "intermediate_size": t.ffn,
        "num_hidden_layers": len(t.layers),
        "num_attention_heads": t.heads,
        "num_key_value_heads": t.kv_heads,
        "head_dim": t.head,
        "layer_types": [names[kind] for kind in t.layers],
        "full_attention_interval": 2,
        "linear_conv_kernel_dim": t.kernel,
        "linear_key_head_dim": t.linear_head,
        "linear_value_head_dim": t.linear_head,
        "linear_num_key_heads": t.linear_heads,
        "linear_num_value_heads": t.linear_heads,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": True,
        "rms_norm_eps": 1e-6,
        "eos_token_id": token_id("<|im_end|>"),
        "pad_token_id": token_id("<|endoftext|>"),
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": t.theta,
            "partial_rotary_factor": t.rotary / t.head,
            "mrope_section": list(t.sections),
            "mrope_interleaved": True,
        },
    }
    vision = {
        "depth": v.depth,
        "hidden_size": v.hidden,
        "intermediate_size": v.ffn,
        "num_heads": v.heads,
        "patch_size": v.patch,
        "spatial_merge_size": v.merge,
        "temporal_patch_size": 2,
        "out_hidden_size": v.out,
        "num_position_embeddings": v.grid**2,
        "deepstack_visual_indexes": [],
    }
    return Qwen3_5Config(
        text_config=text,
        vision_config=vision,
        tie_word_embeddings=True,
        image_token_id=token_id("<|image_pad|>"),
        video_token_id=token_id("<|video_pad|>"),
        vision_start_token_id=token_id("<|vision_start|>"),
        vision_end_token_id=token_id("<|vision_end|>"),
    )


def to_transformers(model: FadaMini) -> Any:
    """Put the same weights into ``Qwen3_5ForConditionalGeneration``."""
    from transformers import Qwen3_5ForConditionalGeneration

    other = Qwen3_5ForConditionalGeneration(transformers_config(model.size))
    weights = {k: v for k, v in model.state_dict().items() if not k.startswith("vocabulary.")}
    weights["language_model.embed_tokens.weight"] = model.table().detach()
    missing, unexpected = other.model.load_state_dict(weights, strict=False)
    if missing or unexpected:
        raise RuntimeError(f"Weights do not fit: missing {missing}, unexpected {unexpected}")
    other.tie_weights()
    return other.eval()
