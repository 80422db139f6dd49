"""LLaMA-Factory: conversations in its "sharegpt" form, with ``dataset_info.json``.

Point ``dataset_dir`` and ``media_dir`` of a training at the data set's folder. Pairs are written in
its ranking form. Precision: as the FADA form.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_fada.exchange import chats
from napari_fada.exchange.conversations import Line
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.pairs import Pair, answer_of, question_of
from napari_fada.exchange.writers import Format, Problem, ReadOptions, WriteOptions

INFO = "dataset_info.json"
IMAGE = "<image>"


def to_row(line: Line) -> dict[str, Any]:
    """Return a conversation in the form."""
    return {
        "messages": [
            {"role": "user", "content": IMAGE + question_of(line)},
            {"role": "assistant", "content": answer_of(line)},
        ],
        "images": [line["messages"][0]["content"][0]["image"]],
    }


def to_pair(pair: Pair) -> dict[str, Any]:
    """Return a pair in the form."""
    return {
        "conversations": [{"from": "human", "value": IMAGE + question_of(pair.line)}],
        "chosen": {"from": "gpt", "value": pair.chosen},
        "rejected": {"from": "gpt", "value": pair.rejected},
        "images": [pair.line["messages"][0]["content"][0]["image"]],
    }


def from_row(row: dict[str, Any]) -> tuple[str, str, str]:
    """Return image, question and answer."""
    user, assistant = row["messages"][:2]
    return chats.one_image(row), user["content"].removeprefix(IMAGE), assistant["content"]


class LlamaFactoryWriter(chats.ChatWriter):
    """Writes conversations and what tells LLaMA-Factory about them."""

    def __init__(self, root: Path, options: WriteOptions) -> None:
        super().__init__(root, options, to_row, to_pair)

    def finish(self, tally: Tally) -> None:
        """Write ``dataset_info.json``."""
        super().finish(tally)
        columns = {"messages": "conversations" if self.pairs else "messages", "images": "images"}
        entry: dict[str, Any] = {"formatting": "sharegpt", "columns": columns}
        if self.pairs:
            entry["ranking"] = True
            columns |= {"chosen": "chosen", "rejected": "rejected"}
        else:
            entry["tags"] = {
                "role_tag": "role",
                "content_tag": "content",
                "user_tag": "user",
                "assistant_tag": "assistant",
            }
        info = {
            f"fada_{split or 'all'}": {"file_name": name, **entry}
            for split, name in self.files.items()
        }
        (self.root / INFO).write_text(json.dumps(info, indent=1), "utf-8")


def read(root: Path, options: ReadOptions) -> Iterator[FrameRecords | Problem]:
    """Read conversations back (pairs are not read)."""
    yield from chats.read(root, options, from_row)


FORMAT = Format(
    name="llama-factory",
    title="LLaMA-Factory conversations",
    image=lambda stem, _split: f"images/{stem}.png",
    writer=LlamaFactoryWriter,
    reader=read,
    wants=chats.wants,
    choices={"kind": ("sft", chats.PAIRS)},
)
