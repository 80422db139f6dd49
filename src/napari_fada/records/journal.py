"""A file of the edits that wait for a project, in the user's own data folder.

While a project's drive is full or gone an edit cannot be in the project; it is in here instead,
on the disk before anything says that it waits. After a crash, a kill or a power cut the next
window that opens the project finds it. Every edit has a key, and the project keeps the key of the
last one it was given, so that none is made twice.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
import psutil

from napari_fada.records.annotation import now
from napari_fada.records.waiting import Waiting, from_dict

SCHEMA = "napari-fada-waiting/1"
Kept = tuple[str, Waiting]
_open: set[Path] = set()


@dataclass(frozen=True, slots=True)
class Header:
    """Whose edits a file holds."""

    project: str
    path: Path
    made: str
    name: str


def folder() -> Path:
    """Return where the files lie."""
    return Path(platformdirs.user_data_dir("napari-fada", appauthor=False)) / "waiting"


class Journal:
    """The file of one window's waiting edits. Nothing is written before the first of them.

    Parameters
    ----------
    project : str
        Identifier of the project.
    path : Path
        Where the project lies.
    name : str, optional
        Of a file that is there already.
    """

    def __init__(self, project: str, path: Path, *, name: str = "") -> None:
        self.name = name or uuid.uuid4().hex
        self.problem = ""
        """Why the last edit could not be written here either; empty if it was."""
        self._project, self._path = project, path.absolute()
        self._file = folder() / f"{self.name}.jsonl"
        self._written = 0

    def write(self, waiting: list[Kept]) -> None:
        """Bring the file in line with what waits; an empty list takes it away."""
        try:
            if not waiting:
                self._file.unlink(missing_ok=True)
                self.let_go()
            elif self._written and len(waiting) > self._written:
                self._append(waiting[self._written :])
            else:
                self._rewrite(waiting)
        except OSError as error:
            self.problem, self._written = error.strerror or str(error), 0
        else:
            self.problem, self._written = "", len(waiting)

    def let_go(self) -> None:
        """Leave the file to whoever opens the project next."""
        _open.discard(self._file)

    def _append(self, waiting: Iterable[Kept]) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.writelines(_lines(waiting))
            file.flush()
            os.fsync(file.fileno())

    def _rewrite(self, waiting: Iterable[Kept]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".new")
        me = psutil.Process()
        head = {
            "schema": SCHEMA,
            "project": self._project,
            "path": str(self._path),
            "made": now(),
            "pid": me.pid,
            "started": me.create_time(),
        }
        with draft.open("w", encoding="utf-8") as file:
            file.write(json.dumps(head) + "\n")
            file.writelines(_lines(waiting))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._file)
        _open.add(self._file)


def left_behind() -> Iterator[tuple[Header, list[Kept]]]:
    """Yield what windows left that are no more, the oldest first."""
    found = []
    for file in folder().glob("*.jsonl"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            if file in _open:
                continue
            head, *rest = file.read_text(encoding="utf-8").splitlines()
            data = json.loads(head)
            if data["schema"] == SCHEMA and not _lives(data):
                header = Header(data["project"], Path(data["path"]), data["made"], file.stem)
                found.append((header, list(_read(rest))))
    yield from sorted(found, key=lambda pair: pair[0].made)


def _lines(waiting: Iterable[Kept]) -> Iterator[str]:
    for key, one in waiting:
        yield json.dumps({"key": key, **one.to_dict()}, ensure_ascii=False) + "\n"


def _read(lines: Iterable[str]) -> Iterator[Kept]:
    """Yield the edits that are whole: the last line may have been cut off by a kill."""
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):
            data: dict[str, Any] = json.loads(line)
            yield data["key"], from_dict(data)


def _lives(data: dict[str, Any]) -> bool:
    if data["pid"] == os.getpid():
        return False  # a file of this process that is in use is known by its name
    try:
        return bool(abs(psutil.Process(data["pid"]).create_time() - data["started"]) < 1)
    except psutil.Error:
        return False
