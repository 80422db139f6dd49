"""One piece of work in a thread: started, cancelled, waited for.

superqt's workers stand behind it, which are napari's as well; napari's own would ask for a
confirmation when the window is closed, and what runs here loses nothing when it is stopped.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QThreadPool
from superqt.utils import create_worker

from napari_fada.errors import FadaError

_THREADS = 8
_WAIT = 3.0


@dataclass(frozen=True, slots=True)
class Broken:
    """The work could not go on; ``text`` is for the user."""

    text: str


def guarded(events: Iterator[Any]) -> Iterator[Any]:
    """Pass events on; an error becomes the last of them (in a thread it would be lost)."""
    try:
        yield from events
    except FadaError as error:
        yield Broken(str(error))
    except Exception as error:
        logging.getLogger(__name__).exception("A run ended with an unexpected error")
        yield Broken(
            f"The work ended with an unexpected error ({type(error).__name__}: {error}). "
            "All edits are kept. Please report this."
        )


class Background:
    """Runs one generator at a time in a thread and hands its events to the GUI thread.

    Parameters
    ----------
    on_event : callable
        Gets each event, in the GUI thread; an error is the event ``Broken``.
    on_end : callable, optional
        Called in the GUI thread when the work has ended, however it did.
    """

    def __init__(
        self, on_event: Callable[[Any], None], on_end: Callable[[], None] | None = None
    ) -> None:
        self._on_event, self._on_end = on_event, on_end
        self._worker: Any = None
        self.cancelled = threading.Event()
        self._left = threading.Event()

    @property
    def running(self) -> bool:
        """Whether work is under way (until its last event was handed over)."""
        return self._worker is not None

    def start(self, work: Callable[[threading.Event], Iterator[Any]]) -> None:
        """Start work; it gets the event that tells it to stop.

        Raises
        ------
        RuntimeError
            If earlier work has not ended yet.
        """
        if self.running:
            raise RuntimeError("the work before has not ended")
        pool = QThreadPool.globalInstance()
        if pool is not None and pool.maxThreadCount() < _THREADS:
            # Qt allows one thread for each core. Ours wait for a child process or the disk most
            # of the time, and a run of the user's must never wait for one of them.
            pool.setMaxThreadCount(_THREADS)
        self.cancelled, self._left = threading.Event(), threading.Event()
        self._worker = create_worker(_until_end, work, self.cancelled, self._left)
        self._worker.yielded.connect(self._take)
        self._worker.finished.connect(self._end)
        self._worker.start()

    def cancel(self) -> None:
        """Ask the work to stop."""
        self.cancelled.set()

    def close(self) -> None:
        """Stop, and wait until the thread has left what it worked on."""
        self.cancel()
        if self._worker is not None:
            self._on_event, self._on_end = _nothing, None
            self._left.wait(_WAIT)

    def _take(self, event: Any) -> None:
        self._on_event(event)

    def _end(self) -> None:
        self._worker = None
        if self._on_end is not None:
            self._on_end()


def _until_end(
    work: Callable[[threading.Event], Iterator[Any]],
    cancelled: threading.Event,
    left: threading.Event,
) -> Iterator[Any]:
    try:
        yield from guarded(work(cancelled))
    finally:
        left.set()


def _nothing(_event: Any) -> None:
    pass
