"""TRL (Hugging Face): ``prompt`` and ``completion`` (or ``chosen``, ``rejected``), and ``images``.

Content is a list of parts in every row, as tables want it. Load a file with ``datasets`` and cast
``images`` to images; set ``max_length=None`` in the trainer, so that no image is cut off.
Precision: as the FADA form.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_fada.exchange import chats
from napari_fada.exchange.conversations import Line
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.pairs import Pair, answer_of, question_of
from napari_fada.exchange.writers import Format, Problem, ReadOptions, WriteOptions


def to_row(line: Line) -> dict[str, Any]:
    """Return a conversation in the form."""
    return {
        "prompt": _prompt(line),
        "completion": [_turn("assistant", answer_of(line))],
        "images": [line["messages"][0]["content"][0]["image"]],
    }


def to_pair(pair: Pair) -> dict[str, Any]:
    """Return a pair in the form."""
    return {
        "prompt": _prompt(pair.line),
        "chosen": [_turn("assistant", pair.chosen)],
        "rejected": [_turn("assistant", pair.rejected)],
        "images": [pair.line["messages"][0]["content"][0]["image"]],
    }


def from_row(row: dict[str, Any]) -> tuple[str, str, str]:
    """Return image, question and answer."""
    question = next(p["text"] for p in row["prompt"][0]["content"] if p["type"] == "text")
    return chats.one_image(row), question, row["completion"][0]["content"][0]["text"]


def _prompt(line: Line) -> list[dict[str, Any]]:
    turn = _turn("user", question_of(line))
    # Every part has the same keys, or a table could not hold both.
    turn["content"].insert(0, {"type": "image", "text": None})
    return [turn]


def _turn(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}]}


class TrlWriter(chats.ChatWriter):
    """Writes conversations for TRL."""

    def __init__(self, root: Path, options: WriteOptions) -> None:
        super().__init__(root, options, to_row, to_pair)


def read(root: Path, options: ReadOptions) -> Iterator[FrameRecords | Problem]:
    """Read conversations back."""
    yield from chats.read(root, options, from_row)


FORMAT = Format(
    name="trl",
    title="TRL conversations",
    image=lambda stem, _split: f"images/{stem}.png",
    writer=TrlWriter,
    reader=read,
    wants=chats.wants,
    choices={"kind": ("sft", chats.PAIRS)},
)
