"""Looks for depth ticks in a thread, once for each scan that has no scale."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from napari_fada.errors import MeasureError
from napari_fada.measure import Comb, Scale, find_ticks, proposed_length, scale_from_ticks
from napari_fada.scans import Scan
from napari_fada.workstation.background import Background, Broken


class TickSearch:
    """The search, and what it found on the scan it was last made for.

    Parameters
    ----------
    on_found : callable
        Called in the GUI thread when a search has ended.
    """

    def __init__(self, on_found: Callable[[], None]) -> None:
        self._on_found = on_found
        self._work = Background(self._take, self._end)
        self._next: tuple[Scan, int] | None = None
        self._sha256 = self._looked_at = ""
        self._combs: tuple[Comb, ...] = ()

    def found(self, scan: Scan) -> tuple[Comb, ...] | None:
        """Return the ticks of a scan; None if they were not looked for."""
        return self._combs if scan.sha256 == self._sha256 else None

    def start(self, scan: Scan, frame: int) -> None:
        """Look for ticks; a later scan takes the place of one that waits."""
        self._next = (scan, frame)
        if not self._work.running:
            self._go_on()

    def close(self) -> None:
        """Stop and wait for the thread."""
        self._next = None
        self._work.close()

    def _go_on(self) -> None:
        assert self._next is not None
        (scan, frame), self._next = self._next, None
        self._looked_at = scan.sha256

        def work(_cancel: threading.Event) -> Iterator[tuple[Comb, ...]]:
            yield find_ticks(scan.frame(frame))

        self._work.start(work)

    def _take(self, event: tuple[Comb, ...] | Broken) -> None:
        # A frame that cannot be read is told by the window itself: there are no ticks then.
        self._sha256 = self._looked_at
        self._combs = () if isinstance(event, Broken) else event

    def _end(self) -> None:
        if self._next is not None and self.found(self._next[0]) is None:
            self._go_on()
            return
        self._next = None
        self._on_found()


def default_ticks(combs: tuple[Comb, ...]) -> list[tuple[Comb, float]]:
    """Return the ticks that are proposed: those of the edge with most, with a length each.

    Ticks across to them are taken too if they are as far apart, which square pixels make them.
    """
    if not combs:
        return []
    first, *others = combs
    length = proposed_length(first)
    alike = [
        c
        for c in others
        if c.vertical != first.vertical and abs(c.spacing / first.spacing - 1) < 0.02
    ]
    return [(c, length) for c in (first, *alike[:1])]


def proposal(combs: tuple[Comb, ...] | None) -> Scale | None:
    """Return the scale that ticks propose; None where there are none that give one."""
    try:
        return scale_from_ticks(default_ticks(combs), proposed=True) if combs else None
    except MeasureError:
        return None
