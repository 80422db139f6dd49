"""The FADA training form: conversations (JSONL) and their images.

Images stand in ``images/``, conversations in ``fada.jsonl``, or in one file for each side of a
split (``train.jsonl`` …). Precision: coordinates are whole numbers of a 0–1000 grid, so a point
read back is at most half a step off (width / 2000), a full step at the right and lower edge.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from napari_fada.errors import ExchangeError
from napari_fada.exchange.checking import checked
from napari_fada.exchange.conversations import Prompts, dump_lines, read_lines, to_lines
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.writers import Format, Problem, ReadOptions, WriteOptions
from napari_fada.records.annotation import Annotation

FILE = "fada.jsonl"
CONVERSATIONS = "conversations"


class FadaWriter:
    """Writes conversations line by line (see ``writers.Writer``)."""

    def __init__(self, root: Path, options: WriteOptions) -> None:
        self._root, self._prompts = root, needed(options.prompts)
        self._files: dict[str, BinaryIO] = {}
        self._stack = ExitStack()
        self._count = 0

    def add(self, frame: FrameRecords, tally: Tally) -> None:
        """Write the conversations about a frame."""
        lines, counted = to_lines(frame, self._prompts)
        tally += counted
        self._count += len(lines)
        self._file(frame.split).write(dump_lines(lines))

    def finish(self, tally: Tally) -> None:
        """Close the files; a data set without conversations has an empty one."""
        if not self._files:
            self._file("")
        self._stack.close()
        tally.written[CONVERSATIONS] += self._count

    def _file(self, split: str) -> BinaryIO:
        if split not in self._files:
            path = self._root / (f"{split}.jsonl" if split else FILE)
            self._files[split] = self._stack.enter_context(path.open("wb"))
        return self._files[split]


def needed(prompts: Prompts | None) -> Prompts:
    """Return the wording of questions.

    Raises
    ------
    ExchangeError
        If there is none.
    """
    if prompts is None:
        raise ExchangeError("Conversations need a prompt set.", todo="Name one: --prompt-set")
    return prompts


def wants(frame: FrameRecords, options: WriteOptions) -> bool:
    """Tell whether there is any question about a frame."""
    return bool(to_lines(frame, needed(options.prompts))[0])


def read(root: Path, options: ReadOptions) -> Iterator[FrameRecords | Problem]:
    """Read conversations, ours or without our ``meta``, from a file or the folder of a data set.

    Raises
    ------
    ExchangeError
        If there is no such file.
    """
    for path in _files_of(root):
        try:
            if path.stat().st_size > options.max_bytes:
                raise ExchangeError(f"{path} is larger than {options.max_bytes:,} bytes.")
            data = path.read_bytes()
        except OSError as error:
            raise ExchangeError(f"{path} cannot be read: {error.strerror or error}.") from error
        frames, problems = read_lines(data, options.size_of)
        for frame in frames:
            yield from name_records(frame, path.name, options)
        for text in problems:
            where, _, what = text.partition(": ")
            yield Problem(path.name, where, what)


def _files_of(root: Path) -> list[Path]:
    if not root.is_dir():
        return [root]
    whole = root / FILE
    found = [whole] if whole.exists() else sorted(root.glob("*.jsonl"))
    return found or [whole]


def name_records(
    frame: FrameRecords, file: str, options: ReadOptions
) -> Iterator[FrameRecords | Problem]:
    """Give a frame with classes and a view of the vocabulary, and what had to stay behind."""
    kept: list[Annotation] = []
    for number, record in enumerate(frame.annotations, 1):
        where = f"{frame.image}, structure {number}"
        name = options.names.category(record.category)
        if name is None:
            if not options.names.left_out(record.category):
                yield Problem(file, where, f"unknown class {record.category!r}")
            continue
        found, what = checked(replace(record, category=name), (frame.width, frame.height))
        if what:
            yield Problem(file, where, what)
        if found:
            kept.append(found)
    yield replace(frame, annotations=tuple(kept))


FORMAT = Format(
    name="fada",
    title="FADA conversations",
    image=lambda stem, _split: f"images/{stem}.png",
    writer=FadaWriter,
    reader=read,
    wants=wants,
)
