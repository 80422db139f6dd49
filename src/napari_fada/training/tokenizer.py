"""The tokenizer of the small model: BPE whose first thousand entries are the grid numbers.

Every integer 0–999 is one token, and its id is its value. Prompts are frozen and the JSON around
values is the same in every answer, so those strings are single entries too: a question costs a
handful of tokens, a polygon vertex four.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from napari_fada.training.labels import CLASSES, FIELDS, VIEWS
from napari_fada.training.prompts import prompts

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NUMBERS = 1000

#: The splitter that llama.cpp calls ``llama-bpe``.
SPLITTER = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip


def scaffolding() -> list[str]:
    """List the fixed strings of prompts and answers that are one token each."""
    fixed = ["<think>", "</think>"]
    for text in prompts().values():
        fixed += [part for part in text.split("{classes}") if part]
    fixed += ['{"bbox_2d":[', '],"label":"', '","mask":[[', '","keypoints":[[', '{"label":"']
    fixed += [f'{{"{FIELDS[0]}":"', f'{{"{FIELDS[4]}":"']
    fixed += [f'","{name}":"' for name in FIELDS[1:]]
    return list(dict.fromkeys(fixed))


def corpus() -> Iterator[str]:
    """Everything the vocabulary must know apart from numbers and scaffolding."""
    from napari_fada.training import reports

    words = [*CLASSES, *VIEWS]
    words += [" " + name for name in words]
    for texts in reports.SCENE_TEXTS.values():
        words += texts
    words += [reports.quality(v) for v in (None, 0.0, 1.0)]
    words += reports.write_report("no_plane", {}).values()
    words += [f"{noun} {axis} in the image" for _, noun in reports.LONG_AXIS.values()
              for axis in ("level", "oblique", "upright", "of no clear direction")]  # fmt: skip
    words += [f"Head to the image {side} of the symphysis" for side in ("left", "right")]
    words += ["Head up in the image", "Head down in the image"]
    words += ["user", "assistant", "\n", "\n\n", ", ", "[", "[]", "],[", "]", ",[", "]]}", "]]},",
              "]]}]", '"},', '"}]', '"}', '"', "}", ",", "]}", "},", "}]"]  # fmt: skip
    yield from words


def build() -> Tokenizer:
    """Train the tokenizer (deterministic, a fraction of a second)."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    splitter = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLITTER), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = splitter
    learner.train_from_iterator(
        [text for text in corpus() for _ in range(3)],
        trainers.BpeTrainer(
            vocab_size=4000, min_frequency=1, show_progress=False,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        ),
    )  # fmt: skip
    learnt = json.loads(learner.to_str())["model"]
    vocabulary = {str(n): n for n in range(NUMBERS)}
    for piece in sorted(learnt["vocab"], key=learnt["vocab"].__getitem__):
        vocabulary.setdefault(piece, len(vocabulary))
    merges = [tuple(m) for m in learnt["merges"]]
    result = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True))
    result.pre_tokenizer = splitter
    result.decoder = decoders.ByteLevel()
    result.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in SPECIAL])
    result.add_tokens([AddedToken(t, normalized=False) for t in scaffolding()])
    return result


@cache
def tokenizer() -> Tokenizer:
    """Return the tokenizer, built once a process."""
    return build()


def encode(text: str) -> list[int]:
    """Token ids of a text, special tokens read as such."""
    ids: list[int] = tokenizer().encode(text, add_special_tokens=False).ids
    return ids


def token_id(token: str) -> int:
    """Id of one token."""
    found = tokenizer().token_to_id(token)
    if found is None:
        raise KeyError(token)
    return int(found)


CHAT_TEMPLATE = (
    "{%- for message in messages %}<|im_start|>{{ message.role }}\n"
    "{%- if message.content is string %}{{ message.content }}{%- else %}"
    "{%- for part in message.content %}{%- if part.type == 'image' or 'image' in part %}"
    "<|vision_start|><|image_pad|><|vision_end|>{%- elif 'text' in part %}{{ part.text }}"
    "{%- endif %}{%- endfor %}{%- endif %}<|im_end|>\n{%- endfor %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n<think>\n\n</think>\n\n{%- endif %}"
)


def save_tokenizer(folder: Path, side: int) -> None:
    """Write tokenizer, chat template and image processor settings as transformers reads them."""
    tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "add_bos_token": False,
                "eos_token": "<|im_end|>",
                "pad_token": "<|endoftext|>",
                "clean_up_tokenization_spaces": False,
                "model_max_length": 4096,
                "image_token": "<|image_pad|>",
                "video_token": "<|video_pad|>",
                "vision_bos_token": "<|vision_start|>",
                "vision_eos_token": "<|vision_end|>",
            },
            indent=1,
        )
    )
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    processor = {
        "image_processor_type": "Qwen2VLImageProcessorFast",
        "processor_class": "Qwen3VLProcessor",
        "size": {"shortest_edge": side * side, "longest_edge": side * side},
        "patch_size": 16,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=1))
