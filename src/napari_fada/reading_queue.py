"""The scans that a model is still to read, how far it is, and what went wrong.

Only the book-keeping: :func:`napari_fada.batch.run_scans` reads, whoever has the engine calls it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

_RECENT = 20  # scans that the time left is judged by


@dataclass(frozen=True, slots=True)
class Wanted:
    """A scan to be read: its row in the worklist, its file, and a name to show."""

    id: int
    path: Path
    name: str


@dataclass(slots=True)
class ReadingQueue:
    """Scans in the order they are to be read. Used from one thread.

    Attributes
    ----------
    failures : dict of Wanted to str
        What could not be read, and why.
    done, skipped : int
        How many were read now, and how many had been before.
    paused : bool
        Nothing is taken while it is set.
    """

    paused: bool = False
    done: int = 0
    skipped: int = 0
    failures: dict[Wanted, str] = field(default_factory=dict)
    _waiting: list[Wanted] = field(default_factory=list)
    _seconds: list[float] = field(default_factory=list)
    current: Wanted | None = None

    def add(self, scans: Iterable[Wanted]) -> int:
        """Put scans at the end; those that wait already stay where they are.

        Returns
        -------
        int
            How many are new.
        """
        if not self.active:  # a new batch counts from the beginning
            self.done = self.skipped = 0
            self.failures.clear()
            self.paused = False
        known = {w.id for w in self._waiting} | ({self.current.id} if self.current else set())
        new = [w for w in dict.fromkeys(scans) if w.id not in known]
        self._waiting += new
        return len(new)

    @property
    def active(self) -> bool:
        """Whether anything is left to do."""
        return bool(self._waiting) or self.current is not None

    @property
    def total(self) -> int:
        """How many scans there are, those that are done included."""
        return self.finished + len(self._waiting) + (self.current is not None)

    @property
    def finished(self) -> int:
        """How many scans are through."""
        return self.done + self.skipped + len(self.failures)

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take, from the scans read last; None before the first."""
        if not self._seconds:
            return None
        return median(self._seconds[-_RECENT:]) * (self.total - self.finished)

    def take(self) -> Wanted | None:
        """Take the next scan; None if there is none, one is at work, or the queue is paused."""
        if self.paused or self.current is not None or not self._waiting:
            return None
        self.current = self._waiting.pop(0)
        return self.current

    def finish(self, seconds: float | None) -> None:
        """Count the present scan as read; ``None``: it had been read before."""
        self.current = None
        if seconds is None:
            self.skipped += 1
        else:
            self.done += 1
            self._seconds.append(seconds)

    def fail(self, reason: str) -> None:
        """Count the present scan as failed."""
        if self.current is not None:
            self.failures[self.current] = reason
        self.current = None

    def put_back(self) -> None:
        """Let the present scan be the next again: its reading was broken off."""
        if self.current is not None:
            self._waiting.insert(0, self.current)
        self.current = None

    def clear(self) -> None:
        """Drop what waits, and the present scan."""
        self._waiting.clear()
        self.current = None
        self.paused = False
