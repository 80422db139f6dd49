"""Holds the present child of an engine: starts it, ends it, and lets it go when it is idle.

It is apart from the engine, and knows nothing of it, so that a finaliser may own it and a
thread may watch it without keeping the engine alive.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable

from napari_fada.engines.host.process import Child, Ended
from napari_fada.engines.host.spec import Rest, Spec
from napari_fada.errors import EngineError

_PING_SECONDS = 2.0


class Slot:
    """One child at a time.

    Parameters
    ----------
    idle_seconds : float
        After so long without a question the child is ended, which frees its memory; 0: never.
    clock : callable
        Seconds that only go forward.
    """

    def __init__(
        self, *, idle_seconds: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.child: Child | None = None
        self.closed = False
        self.rest: Rest | None = None
        self.on_rest: Callable[[Rest], object] | None = None
        self._idle, self._clock = idle_seconds, clock
        self._used = clock()
        self._busy = False
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._watcher: threading.Thread | None = None

    @property
    def idle_seconds(self) -> float:
        """After how long without a question the child is ended; 0: never."""
        return self._idle

    @idle_seconds.setter
    def idle_seconds(self, seconds: float) -> None:
        with self._changed:
            self._idle = seconds
            self._watch()
            self._changed.notify_all()

    def begin(self) -> None:
        """Note that a question begins: from now on the child is not idle."""
        with self._changed:
            self._busy = True

    def end(self) -> None:
        """Note that it is answered: from now on the child is idle."""
        with self._changed:
            self._busy = False
            self._used = self._clock()
            self._watch()
            self._changed.notify_all()

    def take(self, spec: Spec, admit: Callable[[], object] | None) -> Child:
        """Return the child, a new one if there is none.

        Parameters
        ----------
        spec : Spec
            How it builds its engine.
        admit : callable, optional
            Called before a child is started; raises what speaks against it.
        """
        with self._lock:
            if self.closed:
                raise EngineError("The engine was closed.", todo="Load the model again.")
            if self.child is not None and self.child.ready and not self.child.alive:
                self.child.kill()  # it died while idle: nothing was lost, nothing to report
                self.child = None
            if self.child is None:
                if admit is not None:
                    admit()
                try:
                    self.child = Child(spec)
                except OSError as error:
                    raise EngineError(
                        f"The engine process cannot be started: {error.strerror or error}.",
                        todo="Close other programs and ask again.",
                    ) from error
                self.rest = None
            return self.child

    def drop(self, child: Child) -> None:
        """End a child."""
        with self._lock:
            child.kill()
            if self.child is child:
                self.child = None

    def close(self) -> None:
        """End the child, for good."""
        with self._changed:
            self.closed = True
            self.rest = None
            if self.child is not None:
                self.child.kill()
                self.child = None
            self._changed.notify_all()

    def unload_if_idle(self) -> Rest | None:
        """End the child if nothing was asked for long enough; say what that freed."""
        with self._changed:
            left = self._left()
            if left is None or left > 0:
                return None
            child = self.child
            assert child is not None  # else nothing is left to wait for
            freed = 0
            with contextlib.suppress(Ended, queue.Empty):
                freed = child.ping(_PING_SECONDS).rss_bytes
            child.kill()
            self.child = None
            self.rest = rest = Rest(freed)
        if self.on_rest is not None:
            self.on_rest(rest)
        return rest

    def _left(self) -> float | None:
        """Seconds until the child is let go; None while that is not to be expected."""
        if self.closed or self._busy or self.child is None or self._idle <= 0:
            return None
        return self._used + self._idle - self._clock()

    def _watch(self) -> None:
        """Have a thread look, once there is a time to look at."""
        if self._idle <= 0 or self.closed or self._watcher is not None:
            return
        self._watcher = threading.Thread(
            target=_watch, args=(weakref.ref(self), self._changed), name="fada-engine-idle",
            daemon=True,
        )  # fmt: skip
        self._watcher.start()


def _watch(reference: weakref.ref[Slot], changed: threading.Condition) -> None:
    """Wait until a child is idle for long enough, and end it; ends with the slot."""
    owner = os.getpid()
    while True:
        with changed:
            slot = reference()
            if slot is None or os.getpid() != owner:
                return
            if slot.closed or slot.idle_seconds <= 0:
                slot._watcher = None
                return
            left = slot._left()
            if left is None or left > 0:
                del slot
                changed.wait(left)
                continue
        slot.unload_if_idle()
        del slot
