"""ms-swift: conversations with ``<image>`` in the text and a list of images.

Boxes stay in the answer as the model writes them (whole numbers of the 0–1000 grid), so no
``objects`` are given: swift would rescale those. Precision: as the FADA form.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_fada.exchange import chats
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.llama_factory import from_row, to_row
from napari_fada.exchange.pairs import Pair
from napari_fada.exchange.writers import Format, Problem, ReadOptions, WriteOptions


def to_pair(pair: Pair) -> dict[str, Any]:
    """Return a pair in the form: the conversation with the answer to prefer, and the other."""
    return {**to_row(pair.line), "rejected_response": pair.rejected}


class SwiftWriter(chats.ChatWriter):
    """Writes conversations for ms-swift."""

    def __init__(self, root: Path, options: WriteOptions) -> None:
        super().__init__(root, options, to_row, to_pair)


def read(root: Path, options: ReadOptions) -> Iterator[FrameRecords | Problem]:
    """Read conversations back."""
    yield from chats.read(root, options, from_row)


FORMAT = Format(
    name="swift",
    title="ms-swift conversations",
    image=lambda stem, _split: f"images/{stem}.png",
    writer=SwiftWriter,
    reader=read,
    wants=chats.wants,
    choices={"kind": ("sft", chats.PAIRS)},
)
