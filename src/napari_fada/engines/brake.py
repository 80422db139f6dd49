"""The brake: lets an engine stop in the middle of a computation when the caller cancels."""

from __future__ import annotations

import time

from napari_fada.engines.protocol import Cancel

#: Asking a multiprocessing event costs microseconds, a graph has thousands of nodes.
_INTERVAL = 0.01
#: The vision tower is looked at after this many nodes of its graph.
_NODES = 2


class Aborted(Exception):  # noqa: N818 - not an error: the caller asked for it
    """A computation was stopped by the brake; what it had begun is undefined."""


class Brake:
    """Holds the caller's cancel while a question runs, and is asked from inside the computation."""

    def __init__(self) -> None:
        self._cancel: Cancel | None = None
        self._asked = 0.0
        self._nodes = 0
        self.pulled = False

    def hold(self, cancel: Cancel | None) -> None:
        """Begin a question."""
        self._cancel = cancel
        self._asked = 0.0
        self.pulled = False

    def check(self) -> bool:
        """Whether the caller has cancelled, asked now."""
        if not self.pulled and self._cancel is not None:
            self.pulled = bool(self._cancel.is_set())
        return self.pulled

    def sometimes(self) -> bool:
        """Whether the caller has cancelled, asked at most every hundredth of a second."""
        now = time.perf_counter()
        if now - self._asked >= _INTERVAL:
            self._asked = now
            self.check()
        return self.pulled

    def abort(self, _data: object) -> bool:
        """Answer llama.cpp's abort callback: True stops a decode."""
        return self.sometimes()

    def look(self, _node: object, ask: bool, _data: object) -> bool:
        """Answer the vision graph: whether to pause at this node, then whether to go on."""
        if ask:
            self._nodes += 1
            return self.pulled or self._nodes % _NODES == 0
        return not self.sometimes()
