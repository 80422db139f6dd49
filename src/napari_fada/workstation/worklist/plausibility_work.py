"""Looks at what fits on the scans of the list, in a thread, whenever some were edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_fada.checking import check_scans
from napari_fada.records.worklist import Worklist
from napari_fada.workstation.background import Background, Broken


class PlausibilityWork:
    """The work; asked for again while it is under way, it goes on with what is new after it.

    Parameters
    ----------
    on_event : callable
        Gets Looked, CheckingFinished and Broken in the GUI thread.
    """

    def __init__(self, on_event: Callable[[Any], None]) -> None:
        self._on_event = on_event
        self._work = Background(self._take, self._after)
        self._next: Worklist | None = None
        self._broken = False

    @property
    def running(self) -> bool:
        """Whether scans are looked at now."""
        return self._work.running

    def start(self, worklist: Worklist) -> None:
        """Look at the scans that were edited; nothing is done where a project cannot be written."""
        if not worklist.project.writable or self._broken:
            return
        if self._work.running:
            self._next = worklist
            return
        self._work.start(lambda cancel: check_scans(worklist, cancel=cancel))

    def turn_to(self, worklist: Worklist) -> None:
        """Leave the project before and look at this one."""
        self._broken = False
        self._work.cancel()
        self.start(worklist)

    def cancel(self) -> None:
        """Stop after the scan at work; what was found is kept."""
        self._next = None
        self._work.cancel()

    def close(self) -> None:
        """Stop and wait for the thread."""
        self._next = None
        self._work.close()

    def _take(self, event: Any) -> None:
        if isinstance(event, Broken):
            if self._work.cancelled.is_set():
                return  # the project was closed under it: what is missing is found next time
            self._broken = True  # a full disk is told once, not after each edit
        self._on_event(event)

    def _after(self) -> None:
        waiting, self._next = self._next, None
        if waiting is not None:
            self.start(waiting)
