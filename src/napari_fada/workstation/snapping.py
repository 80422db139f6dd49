"""Snap to edge in a worker: the outline is seen moving, and can be let go of meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from napari_fada.errors import FadaError
from napari_fada.records.annotation import Annotation
from napari_fada.records.snap import SnapDone, SnapStep, snap
from napari_fada.scans import Scan
from napari_fada.workstation.desk import Edit, corrected
from napari_fada.workstation.session import Session


@dataclass(slots=True)
class SnapJob:
    """What is snapped; made on the GUI thread, read in the worker."""

    scan: Scan
    frame: int
    records: Sequence[Annotation]
    cancel: threading.Event = field(default_factory=threading.Event)


def work(job: SnapJob) -> Iterator[SnapStep | SnapDone | FadaError]:
    """Snap records one after another; nothing in here touches the viewer."""
    try:
        pixels = job.scan.frame(job.frame)
        for record in job.records:
            for event in snap(record, pixels):
                if job.cancel.is_set():
                    return
                yield event
    except FadaError as error:
        yield error


class Snapping:
    """Runs snapping for a session and makes one edit of its outcome.

    Parameters
    ----------
    session : Session
        Whose structures are snapped.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._job: SnapJob | None = None
        self._worker: Any = None
        self._done: list[SnapDone] = []
        self._old: list[Annotation] = []
        session.scan_closing.connect(self.cancel)
        session.frame_changed.connect(self.cancel)

    @property
    def running(self) -> bool:
        """Whether outlines are being snapped."""
        return self._job is not None

    def start(self, records: Sequence[Annotation]) -> None:
        """Snap records; one edit when all are done."""
        from napari.qt.threading import create_worker

        session = self._session
        if self.running or session.scan is None or not records:
            return
        self._job = SnapJob(session.scan, session.frame, tuple(records))
        self._done, self._old = [], list(records)
        self._worker = create_worker(work, self._job, _start_thread=False)
        self._worker.yielded.connect(self._on_event)
        self._worker.finished.connect(self._on_finished)
        session.say("Looking for the edge… Escape or the key again: leave it as it is.")
        for target in self._targets():
            target.bind_key("Escape", lambda _target: self.cancel(), overwrite=True)
        self._worker.start()

    def cancel(self, _: object = None) -> None:
        """Let go: the outlines are as they were."""
        if self._job is not None and not self._job.cancel.is_set():
            self._job.cancel.set()
            self._session.say("Snapping was left: the outline is as it was.")

    def _targets(self) -> list[Any]:
        layers = self._session.layers
        return list(layers.layers) if layers else []

    def _on_event(self, event: SnapStep | SnapDone | FadaError) -> None:
        if self._job is None or self._job.cancel.is_set():
            return
        if isinstance(event, SnapStep):
            self._session.show_for_now(event.record)
        elif isinstance(event, SnapDone):
            self._done.append(event)
        else:
            self._session.say(str(event), "warning")

    def _on_finished(self) -> None:
        job, self._job, self._worker = self._job, None, None
        for target in self._targets():
            target.bind_key("Escape", None, overwrite=True)
        session = self._session
        if job is None or session.scan is not job.scan:
            return
        if job.cancel.is_set() or not self._commit(job):
            session.refresh(frame=job.frame)

    def _commit(self, job: SnapJob) -> bool:
        """Write what was found; False if there is nothing to write."""
        session = self._session
        edit = Edit(job.frame)
        words = []
        for old, end in zip(self._old, self._done, strict=False):
            words.append(end.word)
            if session.find(old.uid) is None:
                words[-1] = f"{old.category} was changed meanwhile and stays as it is."
            elif end.record is not old:
                edit.replace[old.uid] = corrected(
                    old, session.rater, points=end.record.points, rings=end.record.rings
                )
        names = ", ".join(dict.fromkeys(self._old[i].category for i in range(len(self._done))))
        edit.label = f"{names} snapped to the edge"
        done = bool(edit) and session.commit(edit)
        if words and (done or not edit):
            session.say(" ".join(words))
        return done
