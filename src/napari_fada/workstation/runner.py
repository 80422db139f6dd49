"""Runs the pipeline for a session: in a worker thread, on an engine in a child process.

The GUI thread only receives events. Streamed text is gathered and handed over at most
twenty times a second. One run at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from psygnal import Signal

from napari_fada.errors import FadaError
from napari_fada.records.project import Project, Show
from napari_fada.records.reading import PHASES, Phase, Reading
from napari_fada.scans import Scan
from napari_fada.workstation import gating, raster
from napari_fada.workstation.activity import Activity
from napari_fada.workstation.background import Broken, guarded
from napari_fada.workstation.engines import EngineLoader, Engines, load_engine
from napari_fada.workstation.gating import Gate
from napari_fada.workstation.session import Session

BATCH_SECONDS = 0.05
Instead = Literal["replace", "add"]


@dataclass(frozen=True, slots=True)
class Loading:
    """The engine is being loaded."""

    model: str


@dataclass(frozen=True, slots=True)
class Text:
    """Pieces of answers since the last of these, by phase."""

    pieces: dict[Phase, str]


@dataclass(frozen=True, slots=True)
class Saved:
    """The reading is in the project."""

    reading: Reading
    cancelled: bool


@dataclass(slots=True)
class Job:
    """What one run is about; made on the GUI thread, read in the worker."""

    project: Project
    scan: Scan
    frame: int
    model: str
    phases: tuple[Phase, ...] = PHASES
    previous: Reading | None = None
    show: Instead = "replace"
    again: bool = False  # the frame showed a reading before
    cancel: threading.Event = field(default_factory=threading.Event)
    gated: bool = False
    gate: Gate = field(default_factory=Gate)
    ran: set[Phase] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)  # annotations that were put there at a gate


def work(job: Job, engines: Engines) -> Iterator[Any]:
    """Read one frame and keep the reading; yields pipeline events and those of this module.

    Runs in the worker thread; nothing in here touches the viewer.
    """
    yield from guarded(_work(job, engines))


def _work(job: Job, engines: Engines) -> Iterator[Any]:
    import napari_fada.pipeline  # noqa: F401 - here, or the GUI thread would at the first event

    with engines.turn:
        if not engines.has(job.model):
            yield Loading(job.model)
        engine = engines.get(job.model)
        if job.cancel.is_set():
            return
        run = gating.with_gates if job.gated else gating.autonomous
        yield from _batched(run(job, engine), job)


def _batched(events: Iterator[Any], job: Job) -> Generator[Any, None, None]:
    from napari_fada.pipeline.events import PhaseFinished, PhaseToken, ReadingFinished

    pieces: dict[Phase, str] = {}
    sent = time.monotonic()
    for event in events:
        if isinstance(event, PhaseToken):
            pieces[event.phase] = pieces.get(event.phase, "") + event.text
            if time.monotonic() - sent < BATCH_SECONDS:
                continue
        if pieces:
            yield Text(pieces)
            pieces, sent = {}, time.monotonic()
        if isinstance(event, PhaseFinished):
            raster.prepare(event.reading.annotations, (job.scan.height, job.scan.width))
        if isinstance(event, ReadingFinished):
            job.project.save_reading(
                event.reading, show=_show(job, event), ran=job.ran, again=job.again
            )
            yield Saved(event.reading, event.cancelled)
        elif not isinstance(event, PhaseToken):
            yield event


def _show(job: Job, end: Any) -> Show:
    """Say what becomes of a reading's proposals.

    One that was cancelled or failed to find structures never takes the place of an earlier
    one; on a frame without a reading it is shown for what it is.
    """
    phases = end.reading.phases
    failed = any(p in phases and phases[p].state == "failed" for p in ("detect", "segment"))
    return "first" if end.cancelled or failed else job.show


class Runner:
    """Starts and cancels runs of one session and tells panels about them.

    Parameters
    ----------
    session : Session
        Whose scan is read.
    loader : callable, optional
        See :class:`Engines`.
    """

    started: ClassVar[Signal] = Signal(object)
    event: ClassVar[Signal] = Signal(object)
    ended: ClassVar[Signal] = Signal()

    def __init__(self, session: Session, loader: EngineLoader = load_engine) -> None:
        self._session = session
        self.engines = Engines(loader)
        self.job: Job | None = None
        self.waiting: Phase | None = None  # the phase at whose gate the run waits
        self._worker: Any = None
        self._activity = Activity()
        session.reviewing.signing.reading_now = self.reading_now

    def reading_now(self) -> tuple[str, int] | None:
        """Return the scan and the frame that are read now; None if no run is under way."""
        return None if self.job is None else (self.job.scan.sha256, self.job.frame)

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self.job is not None

    def needs_answer(self) -> bool:
        """Tell whether the frame holds records, so that the user must say what becomes of them."""
        return bool(self._session.records.get(self._session.frame))

    def start(
        self,
        model: str,
        phases: tuple[Phase, ...] = PHASES,
        show: Instead = "replace",
        *,
        gated: bool = False,
    ) -> bool:
        """Start a run on the frame that is shown; False if that is not possible now."""
        from napari.qt.threading import create_worker

        session = self._session
        if self.running or session.scan is None:
            session.say(
                "Open or choose a scan first." if not self.running else "A run is going on."
            )
            return False
        if not session.canvas.shows_scan():
            return False
        try:
            job = Job(session.project, session.scan, session.frame, model, phases, show=show)
            job.gated = gated
            at = (session.scan.sha256, session.frame)
            shown = session.project.shown_reading(*at)
            job.again = shown is not None
            if phases != PHASES:
                readings = session.project.readings(*at)
                job.previous = shown or (readings[-1] if readings else None)
        except FadaError as error:
            session.say_error(error)
            return False
        if session.looking.refuses():
            return False
        if not session.project.writable:
            session.say("The project is read-only: a reading could not be kept.", "warning")
            return False
        self.job = job
        self._worker = create_worker(work, job, self.engines, _start_thread=False)
        self._worker.yielded.connect(self._on_event)
        self._worker.finished.connect(self._on_finished)
        self._activity.begin(f"Reading {session.scan.name}")
        self.started.emit(job)
        self._worker.start()
        return True

    def cancel(self) -> None:
        """Ask the run to stop; it does within a fraction of a second."""
        if self.job is not None:
            self.job.cancel.set()

    def go_on(self, step: int = 1) -> bool:
        """Let a run that waits at a gate go on (1), or back (-1); False if none waits."""
        if self.job is None or self.waiting is None:
            return False
        self.waiting = None
        self.job.gate.go(step)
        return True

    def close(self) -> None:
        """Stop the run, if there is one, and end the engine's child process."""
        self.cancel()
        self.engines.close()

    def _on_event(self, event: Any) -> None:
        from napari_fada.pipeline.events import GateOpen, PhaseFailed, PhaseFinished

        job = self.job
        if job is None:
            return
        scan = self._session.scan
        here = scan is not None and scan.sha256 == job.scan.sha256
        if isinstance(event, PhaseFinished | PhaseFailed) and here:
            coming = [a for a in event.reading.annotations if a.uid not in job.kept]
            if coming:
                instead = job.show == "replace" and not job.kept
                self._session.preview(job.frame, coming, instead=instead)
        if isinstance(event, GateOpen):
            self.waiting = event.phase
            if here:
                self._session.end_preview()
        if isinstance(event, Saved):
            self._session.end_preview()
        if isinstance(event, Broken):
            self._session.say(event.text, "error")
        self.event.emit(event)

    def _on_finished(self) -> None:
        self.job = self._worker = self.waiting = None
        self._activity.end()
        if self._session.has_preview:
            self._session.end_preview()
        self.ended.emit()
