"""Tiny vision-language models with random weights, of several families, and their GGUF files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from filelock import FileLock

FAMILIES = ("qwen3.5", "qwen2.5-vl", "qwen3-vl", "smolvlm", "gemma-3")

#: How Qwen2 splits text; with a vocabulary of our own the converter cannot know it by its hash.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
_IDEFICS = (
    "<|endoftext|>", "<|im_start|>", "<end_of_utterance>", "<fake_token_around_image>",
    "<global-img>", "<image>",
)  # fmt: skip
_VOCABULARY, _WIDTH = 640, 64
_TEXT = {
    "vocab_size": _VOCABULARY, "hidden_size": _WIDTH, "intermediate_size": 128,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 8192, "tie_word_embeddings": True,
}  # fmt: skip
_VISION = {"hidden_size": 64, "intermediate_size": 128}
_HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
_SMOL_TEMPLATE = (
    "<|im_start|>{% for m in messages %}{{ m.role | capitalize }}:"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}"
    "{{ '<image>' if part.type == 'image' else part.text }}{% endfor %}{% endif %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)


def make(folder: Path, family: str, converter: Path) -> Path:
    """Make a model and convert it, unless another process has done it."""
    from napari_fada.models.convert import to_gguf

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(folder.name + ".lock")):
        if not folder.exists():
            fresh = folder.with_name(folder.name + ".part")
            shutil.rmtree(fresh, ignore_errors=True)
            make_checkpoint(fresh / "full", family, converter=converter)
            for part, name in (("text", "text.gguf"), ("vision", "mmproj-tiny.gguf")):
                for _ in to_gguf(
                    fresh / "full", fresh / name, part, name=f"tiny {family}", converter=converter
                ):  # type: ignore[arg-type]
                    pass
            fresh.replace(folder)
    return folder


def make_checkpoint(
    folder: Path, family: str, seed: int = 0, converter: Path | None = None
) -> Path:
    """Write a transformers folder with random weights.

    ``converter`` is where SentencePiece lies, which Gemma needs.
    """
    import torch

    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    if family == "gemma-3":
        assert converter is not None
        return _gemma(folder, converter)
    tokenizer = _tokenizer(_IDEFICS if family == "smolvlm" else _QWEN)
    model, processor = _BUILDERS[family](tokenizer.convert_tokens_to_ids)
    _save(model, folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor | _HALF))
    return folder


def make_adapter(base: Path, folder: Path, strength: float = 0.05) -> Path:
    """Write a LoRA adapter that changes the model."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(base)
    peft = get_peft_model(model, LoraConfig(r=2, target_modules=["up_proj", "down_proj"]))
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if ".lora_B." in name:
                parameter.fill_(strength)
    peft.save_pretrained(folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "someone/another-model"
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def _save(model: Any, folder: Path) -> None:
    import torch

    with torch.no_grad():
        for p in model.parameters():
            if p.ndim > 1:  # wider than trained models: answers that differ from each other
                p.mul_(3.0)
    model.to(torch.float16).save_pretrained(folder)


def _words() -> list[str]:
    from napari_fada.vocabulary import vocabulary

    names = [c.name for c in vocabulary().categories] + [v.name for v in vocabulary().views]
    return [*names, '{"bbox_2d":[1, 2],"label":"mask"}]']


def _tokenizer(special: tuple[str, ...]) -> Any:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    plain.decoder = decoders.ByteLevel()
    plain.train_from_iterator(
        _words() * 2,
        trainers.BpeTrainer(
            vocab_size=500,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    plain.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    # llama.cpp puts a blank line before the whole image, as a single token.
    plain.add_tokens([AddedToken("\n\n", special=False, normalized=False)])
    assert plain.get_vocab_size() <= _VOCABULARY
    end = "<end_of_utterance>" if "<end_of_utterance>" in special else "<|im_end|>"
    made = PreTrainedTokenizerFast(
        tokenizer_object=plain, eos_token=end, pad_token="<|endoftext|>", bos_token=None
    )
    if special is _IDEFICS:
        made.chat_template = _SMOL_TEMPLATE
    return made


def _marks(number: Any) -> dict[str, Any]:
    return {
        "image_token_id": number("<|image_pad|>"),
        "video_token_id": number("<|video_pad|>"),
        "vision_start_token_id": number("<|vision_start|>"),
        "vision_end_token_id": number("<|vision_end|>"),
        "tie_word_embeddings": True,
    }


def _qwen_processor(patch: int) -> dict[str, Any]:
    return {
        "image_processor_type": "Qwen2VLImageProcessor", "patch_size": patch,
        "temporal_patch_size": 2, "merge_size": 2,
        "size": {"shortest_edge": 65_536, "longest_edge": 16_777_216},
    }  # fmt: skip


def _qwen3_5(number: Any) -> tuple[Any, dict[str, Any]]:
    from transformers import Qwen3_5Config, Qwen3_5ForConditionalGeneration

    config = Qwen3_5Config(
        text_config=_TEXT
        | {
            "num_hidden_layers": 4, "head_dim": 32, "linear_num_key_heads": 2,
            "linear_num_value_heads": 2, "linear_key_head_dim": 32, "linear_value_head_dim": 32,
            "eos_token_id": number("<|im_end|>"),
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 1e7, "partial_rotary_factor": 0.5,
                "mrope_section": [3, 3, 2], "mrope_interleaved": True,
            },
        },
        vision_config=_VISION
        | {
            "depth": 2, "num_heads": 4, "out_hidden_size": _WIDTH, "num_position_embeddings": 64,
            "deepstack_visual_indexes": [],
        },
        **_marks(number),
    )  # fmt: skip
    return Qwen3_5ForConditionalGeneration(config), _qwen_processor(16)


def _qwen3_vl(number: Any) -> tuple[Any, dict[str, Any]]:
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    config = Qwen3VLConfig(
        text_config=_TEXT
        | {
            "head_dim": 32, "eos_token_id": number("<|im_end|>"),
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 5e6, "mrope_section": [6, 5, 5],
                "mrope_interleaved": True,
            },
        },
        vision_config=_VISION
        | {
            "depth": 2, "num_heads": 4, "out_hidden_size": _WIDTH, "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
        },
        **_marks(number),
    )  # fmt: skip
    return Qwen3VLForConditionalGeneration(config), _qwen_processor(16)


def _qwen2_5_vl(number: Any) -> tuple[Any, dict[str, Any]]:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    config = Qwen2_5_VLConfig(
        text_config=_TEXT
        | {
            "eos_token_id": number("<|im_end|>"),
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3],
            },
        },
        # Four blocks: the converter numbers the two layers of the merger as if they were blocks.
        vision_config=_VISION
        | {
            "depth": 4, "num_heads": 4, "out_hidden_size": _WIDTH,
            "fullatt_block_indexes": [1, 3], "window_size": 112,
        },
        **_marks(number),
    )  # fmt: skip
    return Qwen2_5_VLForConditionalGeneration(config), _qwen_processor(14)


def _smolvlm(number: Any) -> tuple[Any, dict[str, Any]]:
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration

    ids = {"pad_token_id": number("<|endoftext|>"), "eos_token_id": number("<end_of_utterance>")}
    config = SmolVLMConfig(
        text_config=_TEXT
        | {"model_type": "llama", "architectures": ["VLlama3ForCausalLM"], "bos_token_id": 1}
        | ids,
        vision_config=_VISION
        | {
            "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 64, "patch_size": 16,
        },
        image_token_id=number("<image>"),
        scale_factor=2,
        tie_word_embeddings=True,
    )  # fmt: skip
    processor = {
        "image_processor_type": "SmolVLMImageProcessor", "size": {"longest_edge": 256},
        "max_image_size": {"longest_edge": 64}, "do_image_splitting": True,
    }  # fmt: skip
    return SmolVLMForConditionalGeneration(config), processor


#: Trains a SentencePiece vocabulary; a process of its own, whose path holds the converter's folder.
_TRAIN = """
import sys
sys.path.insert(0, sys.argv[1])
import sentencepiece
sentencepiece.SentencePieceTrainer.train(
    input=sys.argv[2], model_prefix=sys.argv[3], vocab_size=600, model_type="bpe",
    byte_fallback=True, add_dummy_prefix=False, remove_extra_whitespaces=False,
    normalization_rule_name="identity", split_digits=True, hard_vocab_limit=False, minloglevel=2,
    pad_id=0, eos_id=1, bos_id=2, unk_id=3, user_defined_symbols=sys.argv[4:],
)
"""
_GEMMA_MARKS = (
    "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>",
)  # fmt: skip
_GEMMA_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<start_of_turn>user\n{{ m.content }}<end_of_turn>\n"
    "{% endfor %}{{ '<start_of_turn>model\n' }}"
)


def _gemma(folder: Path, converter: Path) -> Path:
    """Write a Gemma 3: a SentencePiece vocabulary, and image tokens that see each other."""
    from safetensors.torch import load_file, save_file
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(_words() * 30))
    subprocess.run(
        [sys.executable, "-c", _TRAIN, converter, corpus, folder / "tokenizer", *_GEMMA_MARKS],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    config = Gemma3Config(
        text_config={
            "vocab_size": 600, "hidden_size": _WIDTH, "intermediate_size": 128,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 32, "max_position_embeddings": 8192, "sliding_window": 512,
            "query_pre_attn_scalar": 32, "layer_types": ["sliding_attention", "full_attention"],
            "eos_token_id": 1, "bos_token_id": 2, "pad_token_id": 0,
        },
        vision_config=_VISION
        | {
            "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 128, "patch_size": 16,
            "vision_use_head": False,
        },
        mm_tokens_per_image=16, image_token_index=8, boi_token_index=6, eoi_token_index=7,
    )  # fmt: skip
    _save(Gemma3ForConditionalGeneration(config), folder)
    # The names of published weights, which the converter expects.
    weights = load_file(folder / "model.safetensors")
    old, new = "vision_tower.", "vision_tower.vision_model."
    save_file({k.replace(old, new): v for k, v in weights.items()}, folder / "model.safetensors")
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "GemmaTokenizer", "add_bos_token": True, "bos_token": "<bos>",
                "eos_token": "<eos>", "chat_template": _GEMMA_TEMPLATE,
            }
        )
    )  # fmt: skip
    processor = {"image_processor_type": "Gemma3ImageProcessor", "image_seq_length": 16}
    (folder / "preprocessor_config.json").write_text(
        json.dumps(processor | {"size": {"height": 128, "width": 128}} | _HALF)
    )
    return folder


_BUILDERS = {
    "qwen3.5": _qwen3_5,
    "qwen2.5-vl": _qwen2_5_vl,
    "qwen3-vl": _qwen3_vl,
    "smolvlm": _smolvlm,
}
