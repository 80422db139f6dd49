"""Opening the files of a worklist in the background: hash, size, frames and a small picture.

A generator of events, as all long work is. It may be stopped at any moment and goes on where
it was; a file that is as it was is not read again; one that cannot be opened is told and does
not stop the others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_fada.engines.protocol import Cancel
from napari_fada.errors import ScanError
from napari_fada.records.listed import Placed, Stamp
from napari_fada.records.worklist import Item, Listed, Opened, Worklist
from napari_fada.scans import open_scan
from napari_fada.scans.thumbnails import made, make_thumbnail, trim

# What is opened goes into the project in batches: waiting for the disk after each file would
# take longer than opening it. What a kill takes from a batch is opened again.
_BATCH = 32
_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Indexed:
    """A file was opened; ``done`` of ``total`` files of the list are through.

    ``moved_from`` is where the scan lay before, if it has moved; the row ``gone`` was joined
    with the row of ``item`` then. ``item.copy_of`` tells of a file with the same bytes.
    """

    item: Item
    done: int
    total: int
    moved_from: Path | None = None
    gone: int | None = None


@dataclass(frozen=True, slots=True)
class IndexFailed:
    """A file cannot be opened; its row says why."""

    id: int
    path: Path
    error: ScanError
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class IndexFinished:
    """The end: how many files were opened, were as before, failed, had moved, are copies."""

    indexed: int
    unchanged: int
    failed: int
    moved: int
    copies: int
    cancelled: bool


IndexEvent = Indexed | IndexFailed | IndexFinished


def index_files(worklist: Worklist, *, cancel: Cancel | None = None) -> Iterator[IndexEvent]:
    """Open every file of a worklist that is new or has changed.

    Parameters
    ----------
    worklist : Worklist
        Of a project that can be written.
    cancel : Cancel, optional
        When set, the work ends after the file that is under way; what was opened is kept.

    Yields
    ------
    Indexed, IndexFailed
        One for each file that was read.
    IndexFinished
        Last.

    Raises
    ------
    ProjectError
        If the project cannot be written.
    """
    files = worklist.files()
    run = _Run(worklist, len(files))
    pictures = made()
    for file in files:
        if cancel is not None and cancel.is_set():
            break
        stamp = Stamp.of(file.path)
        known = file.sha256 is not None and not file.problem and file.sha256 in pictures
        if known and stamp is not None and stamp == file.stamp:
            run.unchanged += 1
        else:
            run.open(file, stamp)
        if run.is_due():
            yield from run.flush()
    yield from run.flush()
    trim()
    yield IndexFinished(
        *(run.indexed, run.unchanged, run.failed, run.moved, run.copies),
        cancelled=cancel is not None and cancel.is_set(),
    )


class _Run:
    """One run over the list: what was opened and is not in the project yet, and the counts."""

    def __init__(self, worklist: Worklist, total: int) -> None:
        self._worklist, self._total = worklist, total
        self._waiting: list[tuple[Listed, Opened | None, ScanError | None]] = []
        self._since = time.monotonic()
        self.indexed = self.unchanged = self.failed = self.moved = self.copies = 0

    def open(self, file: Listed, stamp: Stamp | None) -> None:
        """Open one file; whatever is wrong with it is kept for its row."""
        try:
            if file.sha256 is None and _is_no_file(file.path):
                # A folder that holds no scan or cannot be walked; a name that is no text.
                raise ScanError(file.problem or f"{file.path.name} is a folder.")
            scan = open_scan(file.path)
        except ScanError as error:
            self._waiting.append((file, None, error))
            return
        try:
            make_thumbnail(scan)
        except ScanError as error:
            self._waiting.append((file, Opened(scan, stamp, str(error)), error))
        else:
            self._waiting.append((file, Opened(scan, stamp), None))

    def is_due(self) -> bool:
        """Whether it is time to write what was opened."""
        late = time.monotonic() - self._since > _SECONDS
        return len(self._waiting) >= _BATCH or (late and bool(self._waiting))

    def flush(self) -> Iterator[IndexEvent]:
        """Write what was opened, then tell of it."""
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        placed, told = self._worklist.keep(
            [one for _, one, _ in batch if one is not None],
            [(file, str(error)) for file, one, error in batch if one is None],
        )
        self._since = time.monotonic()
        where, still = iter(placed), iter(told)
        for file, one, error in batch:
            place = next(where) if one is not None else None
            if place is not None and error is None:
                yield from self._tell(place)
            elif error is not None and (place is not None or next(still)):
                self.failed += 1
                yield IndexFailed(file.id, file.path, error, self._done(), self._total)
            else:  # the scan has moved, and was found in its new place
                self.unchanged += 1

    def _tell(self, place: Placed) -> Iterator[Indexed]:
        self.indexed += 1
        self.moved += place.moved_from is not None
        self.copies += place.copy_of is not None
        item = self._worklist.item(place.id)
        if item is not None:  # None: taken off the list in the meantime
            yield Indexed(item, self._done(), self._total, place.moved_from, place.gone)

    def _done(self) -> int:
        return self.indexed + self.unchanged + self.failed


def _is_no_file(path: Path) -> bool:
    return os.path.isdir(path) or "\ufffd" in str(path)  # noqa: PTH112 (Path.is_dir() may raise)
