"""What the conversation forms of trainers have in common: a line a question, and our notes beside.

Trainers read files into tables and want every row alike, so what we say beyond a conversation
stands in a file of its own (``notes``), line by line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from napari_fada.errors import ExchangeError
from napari_fada.exchange.conversations import Line, compact, read_lines, to_lines
from napari_fada.exchange.fada import CONVERSATIONS, name_records, needed
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.pairs import Pair, pairs
from napari_fada.exchange.writers import Problem, ReadOptions, WriteOptions, told

NOTES = "notes"
PAIRS = "pairs"

Row = dict[str, Any]


class ChatWriter:
    """Writes rows of a form (see ``writers.Writer``).

    Parameters
    ----------
    root, options
        As for every writer; ``options.choices["kind"]`` is ``sft`` or ``pairs``.
    row : callable
        A conversation as the form has it.
    pair : callable
        A pair as the form has it.
    """

    def __init__(
        self,
        root: Path,
        options: WriteOptions,
        row: Callable[[Line], Row],
        pair: Callable[[Pair], Row],
    ) -> None:
        self.root, self._prompts = root, needed(options.prompts)
        self._row, self._pair = row, pair
        self.pairs = options.choices.get("kind") == PAIRS
        self.files: dict[str, str] = {}
        self._open: dict[str, tuple[IO[str], IO[str]]] = {}
        self._stack = ExitStack()

    def add(self, frame: FrameRecords, tally: Tally) -> None:
        """Write the rows of a frame."""
        if self.pairs:
            found = list(pairs(frame, self._prompts, tally))
            rows = [(self._pair(pair), pair.line) for pair in found]
        else:
            lines, counted = to_lines(frame, self._prompts)
            tally += counted
            rows = [(self._row(line), line) for line in lines]
        out, notes = self._files(frame.split)
        for row, line in rows:
            out.write(compact(row) + "\n")
            notes.write(compact({"image": frame.image, **line["meta"]}) + "\n")
        tally.written[PAIRS if self.pairs else CONVERSATIONS] += len(rows)

    def finish(self, tally: Tally) -> None:
        """Close the files; a data set without rows has an empty one."""
        if not self._open:
            self._files("")
        self._stack.close()
        tally.written["files"] += len(self._open)

    def _files(self, split: str) -> tuple[IO[str], IO[str]]:
        if split not in self._open:
            name = f"{split or 'all'}.jsonl"
            self.files[split] = name
            (self.root / NOTES).mkdir(exist_ok=True)
            out, notes = (
                self._stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
                for path in (self.root / name, self.root / NOTES / name)
            )
            self._open[split] = out, notes
        return self._open[split]


def wants(frame: FrameRecords, options: WriteOptions) -> bool:
    """Tell whether there is any row about a frame."""
    prompts = needed(options.prompts)
    if options.choices.get("kind") == PAIRS:
        return next(pairs(frame, prompts, Tally()), None) is not None
    return bool(to_lines(frame, prompts)[0])


def read(
    root: Path, options: ReadOptions, line_of: Callable[[Row], tuple[str, str, str]]
) -> Iterator[FrameRecords | Problem]:
    """Read rows back into records.

    Parameters
    ----------
    root : Path
        A file, or the folder of a data set.
    options : ReadOptions
        As for every reader.
    line_of : callable
        Gives image, question and answer of a row; raises what a row that is none raises.

    Raises
    ------
    ExchangeError
        If there is no such file.
    """
    files = [root] if root.is_file() else sorted(root.glob("*.jsonl"))
    if not files:
        raise ExchangeError(f"There are no conversations (.jsonl) in {root}.")
    for path in files:
        if path.stat().st_size > options.max_bytes:
            raise ExchangeError(f"{path.name} is larger than {options.max_bytes:,} bytes.")
        try:
            rows = path.read_text("utf-8").split("\n")
            beside = path.parent / NOTES / path.name
            notes = beside.read_text("utf-8").split("\n") if beside.exists() else []
        except (OSError, UnicodeDecodeError) as error:
            raise ExchangeError(f"{path} cannot be read: {error}.") from error
        lines: list[str] = []
        for number, text in enumerate(rows, 1):
            # A row that cannot be read stays as it is: the reader of lines names it then.
            line = text
            if text.strip():
                try:
                    image, question, answer = line_of(json.loads(text))
                except (ValueError, KeyError, TypeError, IndexError) as error:
                    yield Problem(path.name, f"line {number}", told(error))
                    line = ""
                else:
                    note = notes[number - 1] if len(notes) == len(rows) else "{}"
                    line = compact(_line(image, question, answer, json.loads(note)))
            lines.append(line)
        frames, problems = read_lines("\n".join(lines).encode(), options.size_of)
        for frame in frames:
            yield from name_records(frame, path.name, options)
        for text in problems:
            where, _, what = text.partition(": ")
            yield Problem(path.name, where, what)


def _line(image: str, question: str, answer: str, meta: Row) -> Line:
    return {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image", "image": image}, {"type": "text", "text": question}],
            },
            {"role": "assistant", "content": [{"type": "text", "text": answer}]},
        ],
        "meta": meta,
    }


def one_image(row: Row) -> str:
    """Return the only image of a row.

    Raises
    ------
    ValueError
        If there is none or there are several.
    """
    images = row["images"]
    if not isinstance(images, list) or len(images) != 1 or not isinstance(images[0], str):
        raise ValueError("not one image")
    return images[0]
