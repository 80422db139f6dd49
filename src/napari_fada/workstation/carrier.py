"""Takes structures from frame to frame for a session: in a worker where it takes long.

What is copied to one frame is one transaction, as any edit, and done at once. All else runs in a
worker thread with progress and can be cancelled. One at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from psygnal import Signal

from napari_fada.errors import FadaError
from napari_fada.records.cine import carry
from napari_fada.records.cine.identity import swapped
from napari_fada.records.project import Project
from napari_fada.scans import Scan
from napari_fada.workstation.background import Broken, guarded
from napari_fada.workstation.desk import Edit
from napari_fada.workstation.frame_marks import next_of
from napari_fada.workstation.keys import KeyTable
from napari_fada.workstation.session import Session

NO_GAP = (
    "Interpolation needs two key frames, one before and one after this frame, with frames "
    "between them. A key frame is one on which you drew, corrected or accepted something."
)


EVERY = 0.2
"""Seconds between two reports of the worker."""


@dataclass(slots=True)
class Task:
    """What is under way; made on the GUI thread, read in the worker."""

    project: Project
    scan: Scan
    what: str
    total: int
    go_to: int | None = None
    unwanted: bool = False  # undo was pressed while it went on
    act: int = 0
    done: int = 0
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Steps:
    """Frames that were done since the last of these."""

    steps: tuple[carry.Step, ...]


def _gathered(events: Iterator[Any]) -> Iterator[Any]:
    """Hand over what was done a few times a second, however fast it goes."""
    steps: list[carry.Step] = []
    sent = time.monotonic()
    for event in events:
        if isinstance(event, carry.Step):
            steps.append(event)
            if time.monotonic() - sent < EVERY:
                continue
        if steps:
            yield Steps(tuple(steps))
            steps, sent = [], time.monotonic()
        if not isinstance(event, carry.Step):
            yield event


class Carrier:
    """Copies, interpolates and follows structures over the frames of a session's scan.

    Parameters
    ----------
    session : Session
        Whose scan it is.
    """

    started: ClassVar[Signal] = Signal(object)
    progressed: ClassVar[Signal] = Signal(object)
    ended: ClassVar[Signal] = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self.task: Task | None = None
        self._worker: Any = None
        session.undoing.stop_work = self.take_back

    @property
    def running(self) -> bool:
        """Whether work is under way."""
        return self.task is not None

    def copy(self, count: int = 1) -> bool:
        """Copy what is selected, else all that is on the frame, to the next frames.

        Parameters
        ----------
        count : int
            How many frames; with a minus sign the ones before.
        """
        made = self._onwards("copied", count)
        if made is None:
            return False
        task, targets, uids = made
        here = self._session.frame
        events = carry.copy(
            task.project, task.scan.sha256, here, targets, uids=uids, cancel=task.cancel
        )
        return self._start(task, events, at_once=len(targets) == 1)

    def follow(self, count: int = 1) -> bool:
        """Let what is selected, else all that is on the frame, go along by optical flow."""
        made = self._onwards("followed", count)
        if made is None:
            return False
        task, targets, uids = made
        events = carry.follow(
            *(task.project, task.scan.sha256, self._session.frame, targets, task.scan.frame),
            uids=uids,
            cancel=task.cancel,
        )
        return self._start(task, events)

    def interpolate(self) -> bool:
        """Fill the frames between the key frames around this one."""
        session = self._session
        if not self._may_begin() or session.scan is None:
            return False
        keys = carry.key_frames(session.records)
        gaps = carry.gaps_around(keys, session.frame)
        if not gaps:
            session.say(NO_GAP, "warning")
            return False
        total = sum(b - a - 1 for a, b in gaps)
        task = Task(session.project, session.scan, "interpolated", total)
        events = carry.interpolate(task.project, task.scan.sha256, gaps, cancel=task.cancel)
        return self._start(task, events)

    def go(self, step: int) -> bool:
        """Show the next frame with structures, or the one before."""
        session = self._session
        annotated = [f for f, records in session.records.items() if records]
        there = next_of(annotated, session.frame, step)
        if there is None:
            session.say(f"No frame {'after' if step > 0 else 'before'} this one is annotated.")
            return False
        session.go_to_frame(there)
        return True

    def swap(self) -> bool:
        """Say that two structures of a class are each other, not what they are taken for."""
        session = self._session
        if session.scan is None or session.scan.n_frames < 2:
            session.say("This needs a scan of several frames.")
            return False
        frame = session.frame
        here = session.records.get(frame, [])
        keys = carry.key_frames(session.records)
        near = sorted((f for f in keys if f != frame), key=lambda f: (f > frame, abs(f - frame)))
        found = swapped(
            *(here, session.reviewing.selected, [keys[f] for f in near]),
            session.reviewing.frame_review().unlinked,
        )
        if not found:
            session.say("Choose two structures of one class on this frame first.")
            return False
        name = next(iter(found.values())).category
        if not session.commit(Edit(frame, f"{name}: the two swapped", replace=found)):
            return False
        session.say(f"The two {name} are each other now. Interpolate again to bring it to frames.")
        return True

    def cancel(self) -> None:
        """Stop before the next frame; what is done stays."""
        if self.task is not None:
            self.task.cancel.set()

    def take_back(self) -> bool:
        """Stop, and take back what was done; False if no work on this scan is under way."""
        task, scan = self.task, self._session.scan
        if task is None or scan is None or scan.sha256 != task.scan.sha256:
            return False
        task.unwanted = True
        task.cancel.set()
        self._session.say("The work over frames is stopped and taken back.")
        return True

    def close(self) -> None:
        """Stop, and listen no more: the project is about to be closed."""
        self.cancel()
        self.task = None

    def _may_begin(self) -> bool:
        session = self._session
        if session.scan is None or session.scan.n_frames < 2:
            session.say("This needs a scan of several frames.")
        elif self.running:
            session.say("Work over frames is going on; cancel it first, or wait.")
        elif session.has_preview:
            session.say("A run is going on; wait for its end, or cancel it.")
        else:
            if session.layers is not None:
                session.layers.finish_drawing()
            return session.canvas.shows_scan()
        return False

    def _onwards(
        self, what: str, count: int
    ) -> tuple[Task, Sequence[int], list[str] | None] | None:
        session = self._session
        if not self._may_begin() or session.scan is None:
            return None
        if not session.records.get(session.frame):
            session.say(f"There is nothing on this frame that could be {what}.")
            return None
        step = 1 if count > 0 else -1
        reach = (session.frame + step * k for k in range(1, abs(count) + 1))
        targets = [f for f in reach if 0 <= f < session.scan.n_frames]
        if not targets:
            session.say(f"There is no frame {'after' if step > 0 else 'before'} this one.")
            return None
        task = Task(session.project, session.scan, what, len(targets))
        task.go_to = targets[0] if len(targets) == 1 else None
        return task, targets, self._selected()

    def _selected(self) -> list[str] | None:
        """Return the selected structures of this frame; None if none is."""
        layers = self._session.layers
        binding = layers.active_binding() if layers else None
        if layers is None or binding is None or binding is layers.bindings["masks"]:
            return None  # the brush always has a structure; that is no selection
        here = {r.uid for r in self._session.records.get(self._session.frame, ())}
        return [uid for uid in binding.selected_uids() if uid in here] or None

    def _start(self, task: Task, events: Iterator[Any], *, at_once: bool = False) -> bool:
        self.task = task
        self.started.emit(task)
        if at_once:
            for event in guarded(events):
                self._on_event(event)
            self._on_finished()
            return True
        from napari.qt.threading import create_worker

        # napari's progress bar turns the event loop at each step; behind a worker that is faster
        # than the window that ends in a stack overflow. The bar of frames shows the progress.
        self._worker = create_worker(guarded, _gathered(events), _start_thread=False)
        self._worker.yielded.connect(self._on_event)
        self._worker.finished.connect(self._on_finished)
        self._worker.start()
        return True

    def _on_event(self, event: Any) -> None:
        task, session = self.task, self._session
        if task is None:
            return
        here = session.scan is not None and session.scan.sha256 == task.scan.sha256
        if isinstance(event, Broken):
            session.say(event.text, "error")
        elif isinstance(event, carry.Step):
            task.done = event.number  # the project's own signal has shown it
        elif isinstance(event, Steps):
            task.done = event.steps[-1].number
            frames = [s.outcome.frame for s in event.steps if s.outcome.entry is not None]
            if here and frames:
                session.refresh(soon=True, frame=frames)
            self.progressed.emit(task)
        elif isinstance(event, carry.Finished):
            made = [o.entry.id for o in event.outcomes if o.entry is not None]
            task.act = made[0] if made else 0
            well = not event.problem and event.added and not event.unsure
            if not task.unwanted:
                text = event.text(KeyTable()["swap"])
                session.say(text, "info" if well else "warning")
            if here and task.go_to is not None and event.added:
                session.go_to_frame(task.go_to)

    def _on_finished(self) -> None:
        task, self.task, self._worker = self.task, None, None
        self.ended.emit()
        if task is not None and task.unwanted and task.act:
            self._session.undoing.take_back(task.act, task.scan.sha256)


def mark_reviewed(session: Session) -> None:
    """Accept what is open on the frame and mark it as reviewed; or take that mark away."""
    from napari_fada.records import review
    from napari_fada.records.edits import FINISHED
    from napari_fada.records.rows import Act

    if session.scan is None:
        return
    sha256, frame = session.scan.sha256, session.frame
    try:
        closed = review.frame_review(session.project, sha256, frame).state in FINISHED
        if closed:
            again = Act(
                frame,
                states={"review": "in_review"},
                scan_states={"review": "in_review"},  # a scan is as far as its last frame
                label="review the frame again",
            )
            session.project.act(sha256, again)
    except FadaError as error:
        session.say_error(error)
        return
    if not closed:
        session.reviewing.accept_rest()
