"""The worklist's work in threads: listing files, opening them one after another, and querying."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_fada.errors import FadaError
from napari_fada.indexing import IndexFinished, index_files
from napari_fada.records.walk import Walk
from napari_fada.records.worklist import STATES, Filter, Item, States, Worklist
from napari_fada.workstation.background import Background, Broken

TO_READ = Filter(states=frozenset(STATES) - {"rejected", "skipped"}, problems=False, unread=True)
"""What a batch reads: scans that no model has read, can be opened, and were not put aside."""

_SLICE = 0.15  # seconds of opened files that are shown at one stroke


@dataclass(frozen=True, slots=True)
class Found:
    """What a query found: the rows (None: only the rest was asked for) and what there is."""

    items: list[Item] | None
    counts: Mapping[States, int]
    to_read: int
    views: tuple[str, ...]
    categories: tuple[str, ...]
    raters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """Files were listed; they are not opened yet."""

    new: int


@dataclass(frozen=True, slots=True)
class Opened:
    """Files were opened: rows as they are now, and rows that were joined with another."""

    items: list[Item]
    gone: int
    done: int
    total: int


class Files:
    """Lists files and opens them in a thread; one after another, cancellable, resumable.

    Parameters
    ----------
    on_event : callable
        Gets Listed, Opened, IndexFinished, FadaError and Broken in the GUI thread.
    """

    def __init__(self, on_event: Callable[[Any], None]) -> None:
        self._on_event = on_event
        self._work = Background(on_event, self._after)
        self._waiting: tuple[Worklist, list[Path]] | None = None

    @property
    def running(self) -> bool:
        """Whether files are listed or opened now."""
        return self._work.running

    def add(self, worklist: Worklist, paths: list[Path]) -> None:
        """List files, then open what is new; with no paths only the latter."""
        if self._work.running:
            earlier = self._waiting[1] if self._waiting else []
            self._waiting = (worklist, [*earlier, *paths])
            self._work.cancel()
            return
        self._work.start(lambda cancel: _add_and_open(worklist, paths, cancel))

    def cancel(self) -> None:
        """Stop after the file at work; what was opened stays, the rest can be opened later."""
        self._waiting = None
        self._work.cancel()

    def close(self) -> None:
        """Stop and wait for the thread."""
        self._waiting = None
        self._work.close()

    def _after(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self.add(*waiting)
        else:
            self._on_event(None)


class Queries:
    """Asks for the rows in a thread; a newer question takes the place of one that waits."""

    def __init__(self, on_event: Callable[[Any], None]) -> None:
        self._on_event = on_event
        self._work = Background(self._answer, self._after)
        self._asked: Worklist | None = None
        self._next: tuple[Walk, bool] | None = None

    @property
    def running(self) -> bool:
        """Whether an answer is still to come."""
        return self._work.running

    def ask(self, walk: Walk, *, rows: bool = True) -> None:
        """Ask for what there is, and for the rows unless told otherwise."""
        if self._work.running:
            waits_for_rows = self._next is not None and self._next[1]
            self._next = (walk, rows or waits_for_rows)
            return
        where, order = walk.where, walk.order
        worklist = self._asked = walk.worklist

        def work(_cancel: threading.Event) -> Iterator[Any]:
            items = worklist.items(where, order) if rows else None
            yield Found(
                *(items, worklist.counts(), worklist.count(TO_READ), worklist.views()),
                *(worklist.categories(), worklist.raters()),
            )

        self._work.start(work)

    def close(self) -> None:
        """Stop and wait for the thread."""
        self._next = None
        self._work.close()

    def _answer(self, found: Any) -> None:
        """Hand an answer on, but for the rows of a project that is open no more."""
        if self._next is None or self._next[0].worklist is self._asked:
            self._on_event(found)

    def _after(self) -> None:
        waiting, self._next = self._next, None
        if waiting is not None:
            self.ask(waiting[0], rows=waiting[1])


def _add_and_open(
    worklist: Worklist, paths: list[Path], cancel: threading.Event
) -> Iterator[Listed | Opened | IndexFinished | FadaError | Broken]:
    for path in paths:
        try:
            yield Listed(worklist.add([path]))
        except FadaError as error:
            yield error
    rows: list[Item] = []
    gone = done = total = 0
    since = time.monotonic()
    for event in index_files(worklist, cancel=cancel):
        if isinstance(event, IndexFinished):
            if rows or gone:
                yield Opened(rows, gone, done, total)
            yield event
            return
        item = worklist.item(event.id) if hasattr(event, "id") else event.item
        rows += [item] if item is not None else []
        gone += getattr(event, "gone", None) is not None
        done, total = event.done, event.total
        if time.monotonic() - since > _SLICE:
            yield Opened(rows, gone, done, total)
            rows, gone, since = [], 0, time.monotonic()
