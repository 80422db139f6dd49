"""Make a model of the Qwen3.5 architecture with random weights, as the two GGUF files of a pack.

Speed does not depend on what the weights are, so a model of the published dimensions shows
what a real one would cost, without a download. ``--size 0.8b`` is quantised to Q4_K_M with a
float16 vision tower, like the published mobile files (524 MB and 205 MB); ``--size tiny``
is made in seconds.

llama.cpp's converter is needed: ``napari-fada models get-converter``, or ``--converter``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import string
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from canned import CORPUS

from napari_fada.errors import FadaError
from napari_fada.models.convert import to_gguf
from napari_fada.models.convert.gguf import quantise

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache"
Q4_K_M = 15
#: Tokens of the published vocabulary, padding included, and those that are text.
VOCABULARY, WORDS = 248_320, 248_000
SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
THINK = ("<think>", "</think>")
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|"
    r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

SIZES: dict[str, dict[str, Any]] = {
    "0.8b": {
        "words": WORDS, "vocabulary": VOCABULARY, "quantise": True,
        "text": {
            "hidden_size": 1024, "intermediate_size": 3584, "num_hidden_layers": 24,
            "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 256,
            "linear_num_key_heads": 16, "linear_num_value_heads": 16,
        },
        "vision": {
            "depth": 12, "hidden_size": 768, "intermediate_size": 3072, "num_heads": 12,
            "out_hidden_size": 1024, "num_position_embeddings": 2304,
        },
    },
    "tiny": {
        "words": 1500, "vocabulary": 1536, "quantise": False,
        "text": {
            "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 4,
            "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64,
            "linear_num_key_heads": 4, "linear_num_value_heads": 4,
            "linear_key_head_dim": 32, "linear_value_head_dim": 32,
        },
        "vision": {
            "depth": 2, "hidden_size": 96, "intermediate_size": 192, "num_heads": 4,
            "out_hidden_size": 128, "num_position_embeddings": 64,
        },
    },
}  # fmt: skip


def letter_words() -> Any:
    """Give (left, right) merges for all short letter strings, with and without a space."""
    letters = string.ascii_lowercase
    for letter in letters:
        yield "Ġ", letter
    for length in (2, 3, 4):
        for start in ("", "Ġ"):
            for rest in itertools.product(letters, repeat=length):
                yield start + "".join(rest[:-1]), rest[-1]


def make_tokenizer(words: int, vocabulary: int) -> Any:
    """Train a small byte-level BPE on fetal-scan answers and fill it up with letter strings."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trained.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    # Pieces of at most seven letters: about what a large vocabulary does to medical words.
    trained.train_from_iterator(
        CORPUS * 2,
        trainers.BpeTrainer(
            vocab_size=min(words, 1200), initial_alphabet=sorted(alphabet), max_token_length=7,
            show_progress=False,
        ),
    )  # fmt: skip
    data = json.loads(trained.to_str())
    vocab, merges = data["model"]["vocab"], data["model"]["merges"]
    for left, right in letter_words():
        if len(vocab) >= words:
            break
        if left in vocab and right in vocab and left + right not in vocab:
            vocab[left + right] = len(vocab)
            merges.append([left, right])
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in THINK])
    assert tokenizer.get_vocab_size() <= vocabulary
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )


def make_checkpoint(size: dict[str, Any], folder: Path, seed: int) -> None:
    """Write configuration, random weights and tokenizer as a Hugging Face checkpoint."""
    import torch
    from transformers import Qwen3_5Config, Qwen3_5ForConditionalGeneration

    tokenizer = make_tokenizer(size["words"], size["vocabulary"])
    number = tokenizer.convert_tokens_to_ids
    config = Qwen3_5Config(
        text_config={
            **size["text"], "vocab_size": size["vocabulary"], "tie_word_embeddings": True,
            "max_position_embeddings": 32768,
            "eos_token_id": number("<|im_end|>"),
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 1e7, "partial_rotary_factor": 0.25,
                "mrope_interleaved": True,
                # 11, 11, 10 at the published head size.
                "mrope_section": (
                    [11, 11, 10] if size["text"]["head_dim"] == 256 else [3, 3, 2]
                ),
            },
        },
        vision_config=size["vision"],
        image_token_id=number("<|image_pad|>"), video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"),
        vision_end_token_id=number("<|vision_end|>"),
        tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = Qwen3_5ForConditionalGeneration(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_processor_type": "Qwen2VLImageProcessorFast", "patch_size": 16,
                "temporal_patch_size": 2, "merge_size": 2,
                "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
                "size": {"shortest_edge": 65_536, "longest_edge": 16_777_216},
            }
        )
    )  # fmt: skip


def run(events: Iterable[object]) -> None:
    """Run something that tells how it goes, and do not listen."""
    for _ in events:
        pass


def make(
    size_name: str,
    out: Path,
    converter: Path | None,
    *,
    seed: int = 0,
    threads: int = 2,
    keep: bool = False,
) -> None:
    """Write ``text.gguf`` and ``vision.gguf`` of a random model into a folder.

    With ``keep`` also what they are made of: the folder ``checkpoint``, for the engine of full
    precision, and ``text-f16.gguf`` with its ``mmproj-f16.gguf`` in the folder ``f16``.
    """
    size = SIZES[size_name]
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        checkpoint = (out if keep else Path(scratch)) / "checkpoint"
        make_checkpoint(size, checkpoint, seed)
        text, vision = Path(scratch) / "text.gguf", Path(scratch) / "mmproj-vision.gguf"
        run(to_gguf(checkpoint, text, "text", converter=converter))
        run(to_gguf(checkpoint, vision, "vision", converter=converter))
        if size["quantise"]:
            run(quantise(text, out / "text.gguf", Q4_K_M, threads=threads))
        else:
            shutil.copy(text, out / "text.gguf")
        shutil.copy(vision, out / "vision.gguf")
        if keep:
            (out / "f16").mkdir(exist_ok=True)
            shutil.move(text, out / "f16" / "text-f16.gguf")
            shutil.move(vision, out / "f16" / "mmproj-f16.gguf")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", choices=SIZES, default="0.8b")
    parser.add_argument("--out", type=Path, help="folder (default: .cache/random-SIZE)")
    parser.add_argument("--converter", type=Path, help="llama.cpp checkout")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="keep checkpoint and float16 files")
    args = parser.parse_args()
    out = args.out or CACHE / f"random-{args.size}"
    try:
        make(
            args.size, out, args.converter,
            seed=args.seed, threads=args.threads, keep=args.keep,
        )  # fmt: skip
    except FadaError as error:
        raise SystemExit(str(error)) from error
    for name in ("text.gguf", "vision.gguf"):
        print(f"{out / name}: {(out / name).stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
