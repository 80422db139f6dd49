"""The whole small model: image tokens, language model, and the first thousand ids as a ruler."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
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


def ruler(width: int, generator: torch.Generator) -> Tensor:
    """Embeddings of 0…999 that make the logits of a tied head smooth in the number.

    Each is a sum of slow and middling waves of the value, turned into the embedding space by a
    random rotation: neighbours look alike, and the best match of any vector is one clear peak.
    """
    cycles = torch.tensor([0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 11, 15, 20])
    amplitude = torch.exp(-0.5 * (cycles / 9.0) ** 2) * torch.where(cycles < 1.0, 1.3, 1.0)
    angles = 2 * math.pi * torch.arange(NUMBERS)[:, None] / NUMBERS * cycles
    waves = torch.cat([angles.cos() * amplitude, angles.sin() * amplitude], dim=1)
    waves = waves / waves.norm(dim=1, keepdim=True)
    basis = torch.linalg.qr(torch.randn(width, width, generator=generator))[0]
    return waves @ basis[: waves.shape[1]]


class FadaMini(nn.Module):
    """Vision tower and language model with the parameter names of Qwen3.5."""

    def __init__(self, size: ModelSize, seed: int = 0) -> None:
        super().__init__()
        self.size = size
        self.visual = VisionTower(size.vision)
        self.language_model = TextModel(size.text)
        self.reset(seed)
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

    def reset(self, seed: int) -> None:
        """Initialise the language model."""
        generator = torch.Generator().manual_seed(seed)
        for name, p in self.language_model.named_parameters():
            if p.ndim == 2 and "embed" not in name:
                scale = 0.5 if name.endswith(("o_proj.weight", "out_proj.weight", "down_proj.weight")) else 1.0
                with torch.no_grad():
                    p.normal_(0, scale * p.shape[1] ** -0.5, generator=generator)
        table = self.language_model.embed_tokens.weight
        with torch.no_grad():
            table.normal_(0, table.shape[1] ** -0.5, generator=generator)
            table[:NUMBERS] = ruler(table.shape[1], generator)

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings of token ids."""
        out: Tensor = self.language_model.embed_tokens(ids)
        return out

    def read_image(self, tokens: Tensor) -> list[State]:
        """State after the prefix, from image tokens of shape ``(b, tokens, hidden)``."""
        b = tokens.shape[0]
        before = self.embed(torch.tensor(encode(BEFORE_IMAGE))).expand(b, -1, -1)
        after = self.embed(torch.tensor(encode(AFTER_IMAGE))).expand(b, -1, -1)
        x = torch.cat([before, tokens, after], dim=1)
        states: list[State] = self.language_model(x, self.positions)[1]
        return states

    def go_on(self, ids: Tensor, states: list[State], done: int = 0) -> tuple[Tensor, list[State]]:
        """Hidden vectors of ``(b, t)`` ids that follow the prefix and ``done`` more tokens."""
        positions = (torch.arange(ids.shape[1]) + self.prefix_end + done).expand(3, -1)
        hidden, after = self.language_model(self.embed(ids), positions, states)
        return hidden, after

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of all tokens through the tied embedding."""
        return F.linear(hidden, self.language_model.embed_tokens.weight)


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
    """The same weights as ``Qwen3_5ForConditionalGeneration``."""
    from transformers import Qwen3_5ForConditionalGeneration

    other = Qwen3_5ForConditionalGeneration(transformers_config(model.size))
    missing, unexpected = other.model.load_state_dict(model.state_dict(), strict=False)
    if missing or unexpected:
        raise RuntimeError(f"Weights do not fit: missing {missing}, unexpected {unexpected}")
    other.tie_weights()
    return other.eval()
