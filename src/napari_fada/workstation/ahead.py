"""Work done ahead of the expert: the next scan is opened, and read by the model if it is new.

One engine, one queue. A run that the user starts comes first: what is being read ahead is
broken off at once and begun again afterwards. Then comes the next scan, then the batch.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from psygnal import Signal

from napari_fada.errors import FadaError
from napari_fada.reading_queue import ReadingQueue, Wanted
from napari_fada.records.walk import Walk
from napari_fada.records.worklist import Item
from napari_fada.workstation import napari_private as private
from napari_fada.workstation.background import Background, Broken
from napari_fada.workstation.prepared import Prepared, PreparedScans, draw_masks, prepare
from napari_fada.workstation.runner import Runner
from napari_fada.workstation.session import Session
from napari_fada.workstation.settings import settings

_GIVE_UP = 3  # scans in a row on which every question failed: something is wrong with the model
_of_sessions: weakref.WeakKeyDictionary[Session, Ahead] = weakref.WeakKeyDictionary()


def ahead_of(session: Session) -> Ahead:
    """Return what works ahead for a session, made when it is first asked for."""
    if session not in _of_sessions:
        _of_sessions[session] = Ahead(session)
    return _of_sessions[session]


class Ahead:
    """Opens and reads scans before they are asked for.

    Parameters
    ----------
    session : Session
        Whose worklist is walked through.
    """

    changed: ClassVar[Signal] = Signal()
    """Something about the queue or the scan that is prepared."""
    saved: ClassVar[Signal] = Signal(str)
    """A reading of this scan came into the project."""

    def __init__(self, session: Session) -> None:
        self._session_ref = weakref.ref(session)
        self.queue = ReadingQueue()
        self.note = ""
        self._runner: Runner | None = None
        self._model: Callable[[], str] = lambda: ""
        self._looking = Background(self._on_opened, self._after_looking)
        self._reading = Background(self._on_read, self._after_reading)
        self._opening = Background(self._on_asked_for, self._after_opening)
        self._look_again = self._waits = self._closed = False
        self._asked: tuple[Item, int] | None = None
        self._opened_now: tuple[Item, int] | None = None
        self.coming: Item | None = None
        self._own: Wanted | None = None  # the next scan, while it is being read
        self._tried: set[int] = set()
        self._outcome: Any = None
        self._bad = 0
        session.opener = self.open
        session.forget_opening = self.forget
        session.scan_changed.connect(self.look)
        session.list_changed.connect(self.look)
        session.project_changed.connect(self._on_project)
        settings().events.prepare_next.connect(self._on_prepare_next)

    @property
    def _session(self) -> Session:
        session = self._session_ref()
        assert session is not None
        return session

    def serve(self, runner: Runner, model: Callable[[], str]) -> None:
        """Use the engine of a runner, which comes first.

        Parameters
        ----------
        runner : Runner
            Of the same session.
        model : callable
            Says which model is chosen now.
        """
        self._runner, self._model = runner, model
        runner.started.connect(self._give_way)
        runner.ended.connect(self._soon)
        self.look()

    def retire(self) -> None:
        """Read no more: the window that had the engine is gone. Opening goes on."""
        self._runner = None
        self._reading.cancel()
        self.saved.disconnect()
        self.changed.emit()

    @property
    def has_model(self) -> bool:
        """Whether there is someone to read scans."""
        return self._runner is not None and bool(self._model())

    @property
    def busy(self) -> bool:
        """Whether the user waits for scans that are read."""
        return self.queue.active or (self._runner is not None and self._runner.running)

    @property
    def at_rest(self) -> bool:
        """Whether nothing is opened, looked for or read now, nor about to be."""
        busy = (self._looking, self._reading, self._opening)
        return not (self._waits or self._look_again or any(b.running for b in busy))

    # Opening what was asked for

    def open(self, item: Item, step: int) -> None:
        """Open a scan in a thread and show it; a later wish takes the place of an earlier one."""
        self._asked = (item, step)
        if not self._opening.running:
            self._open_asked()

    def forget(self) -> None:
        """Show nothing of what was asked for so far."""
        self._asked = self._opened_now = None

    def _open_asked(self) -> None:
        asked, self._asked = self._asked, None
        if asked is None or self._closed:
            return
        self._opened_now, project = asked, self._session.project
        item = asked[0]
        self._opening.start(lambda _cancel: _opened(project, item))

    def _on_asked_for(self, event: Prepared | FadaError | Broken) -> None:
        if self._asked is not None or self._opened_now is None:
            return  # another scan was asked for in the meantime
        item, step = self._opened_now
        if isinstance(event, Prepared):
            self._session.prepared.put(item.id, event)
            self._session.show_prepared(item, event)
        elif isinstance(event, Broken):
            self._session.say(event.text, "error")
        else:
            self._session.pass_over(item, event, step)

    def _after_opening(self) -> None:
        self._opened_now = None
        self._open_asked()

    # The next scan

    def _on_prepare_next(self, wanted: bool) -> None:
        if not wanted and self._own is not None:
            self._reading.cancel()
        self._soon()

    def look(self) -> None:
        """Find the next scan and open it, as soon as the event loop is free."""
        self._look_again = True
        self._soon()

    def _on_project(self) -> None:
        self.queue.clear()
        self._reading.cancel()
        self._tried.clear()
        self.coming = None
        self.look()

    def _look_now(self) -> None:
        session = self._session
        if self._looking.running:
            return
        if session.scan is None:
            self._look_again = False
            return
        try:
            walk = session.walk
        except FadaError:  # told already
            return
        self._look_again = False
        prepared = session.prepared
        self._looking.start(lambda cancel: _looked(walk, prepared, cancel))

    def _on_opened(self, event: Any) -> None:
        if isinstance(event, Broken):
            self.note = event.text
        elif isinstance(event, _Unusable):
            self._session.item_failed.emit(event.row)
        else:
            self.coming, ready = event
            if self.coming is not None and ready is not None:
                self._session.prepared.put(self.coming.id, ready)

    def _after_looking(self) -> None:
        self._soon()
        self.changed.emit()

    # Reading

    def run_on(self, items: Iterable[Item]) -> int:
        """Let the model read scans in the background; return how many are new in the queue."""
        if self._session.looking.refuses():
            return 0
        if not self._session.project.writable:
            self._session.say("The project is read-only: readings could not be kept.", "warning")
            return 0
        wanted = (Wanted(i.id, i.path, i.name) for i in items if i.path is not None)
        number = self.queue.add(wanted)
        self._bad = 0
        self._soon()
        self.changed.emit()
        return number

    def pause(self, paused: bool) -> None:
        """Pause the batch (the scan at work is begun again later), or go on."""
        self.queue.paused = paused
        self._bad = 0
        if paused and self.queue.current is not None:
            self._reading.cancel()
        self._soon()
        self.changed.emit()

    def stop(self) -> None:
        """End the batch; what was read stays."""
        if self.queue.current is not None:
            self._reading.cancel()
        self.queue.clear()
        self.changed.emit()

    def _give_way(self, _job: Any) -> None:
        self._reading.cancel()

    def _soon(self) -> None:
        if not (self._waits or self._closed):
            self._waits = True
            private.later(self._go_on)

    def _go_on(self) -> None:
        self._waits = False
        if self._closed or self._session_ref() is None:
            return
        if self._look_again:
            self._look_now()
        runner = self._runner
        if runner is None or runner.running or self._reading.running or self._looking.running:
            return
        wanted = self._next_own() or self.queue.take()
        if wanted is None:
            return
        self.note, self._outcome = "", None
        engines, model, project = runner.engines, self._model(), self._session.project

        def work(cancel: threading.Event) -> Iterator[Any]:
            from napari_fada.batch import run_scans

            with engines.turn:
                if not cancel.is_set():
                    engine = engines.get(model)
                    yield from run_scans(
                        *(engine, [wanted.path], None),
                        project=project,
                        show="replace",
                        cancel=cancel,
                    )

        self._reading.start(work)
        self.changed.emit()

    def _next_own(self) -> Wanted | None:
        item = self.coming
        usable = settings().prepare_next and self.has_model and self._session.project.writable
        if not usable or item is None or item.state != "new" or item.path is None:
            return None
        if item.id in self._tried:
            return None
        self._tried.add(item.id)
        self._own = Wanted(item.id, item.path, item.name)
        return self._own

    def _on_read(self, event: Any) -> None:
        from napari_fada.batch import BatchFinished, ScanDone

        if not isinstance(event, BatchFinished):
            self._outcome = event
        if isinstance(event, ScanDone):
            session, sha256 = self._session, event.reading.scan.sha256
            if session.scan is not None and session.scan.sha256 == sha256:
                session.refresh(soon=True)
            self.saved.emit(sha256)

    def _after_reading(self) -> None:
        own, self._own = self._own, None
        outcome, self._outcome = self._outcome, None
        if own is not None:
            self._count_own(own, outcome)
        else:
            self._count(outcome)
        self.look()
        self.changed.emit()

    def _count_own(self, own: Wanted, outcome: Any) -> None:
        from napari_fada.batch import ScanFailed

        if outcome is None:
            self._tried.discard(own.id)  # broken off: later again
        elif isinstance(outcome, Broken | ScanFailed):
            why = outcome.text if isinstance(outcome, Broken) else str(outcome.error)
            self.note = f"{own.name} was not prepared: {why}"

    def _count(self, outcome: Any) -> None:
        from napari_fada.batch import ScanDone, ScanFailed

        queue = self.queue
        if outcome is None:
            queue.put_back()
        elif isinstance(outcome, Broken):
            queue.put_back()
            queue.paused = True
            self._session.say(f"The batch is paused. {outcome.text}", "error", lasting=True)
        elif isinstance(outcome, ScanFailed):
            queue.fail(str(outcome.error))
        elif isinstance(outcome, ScanDone) and outcome.failed_phases:
            failed = [r for r in outcome.reading.phases.values() if r.state == "failed"]
            why = f"{', '.join(outcome.failed_phases)} failed: {'; '.join(failed[0].problems[:1])}"
            queue.fail(why)
            asked = {"interpret", "classify", "detect"}  # outlines are asked for if boxes came
            self._bad = self._bad + 1 if asked <= set(outcome.failed_phases) else 0
            if self._bad >= _GIVE_UP and queue.active:
                queue.paused = True
                self._session.say(
                    f"The batch is paused: {self._bad} scans in a row gave no answer at all. {why}",
                    "error",
                    lasting=True,
                )
        else:
            self._bad = 0
            queue.finish(outcome.seconds if isinstance(outcome, ScanDone) else None)
        if not queue.active and queue.total:
            self._tell_end()

    def _tell_end(self) -> None:
        queue = self.queue
        failed = len(queue.failures)
        parts = [f"{queue.done} scans were read"]
        if queue.skipped:
            parts.append(f"{queue.skipped} had been read before")
        if failed:
            parts.append(f"{failed} failed (the worklist says why)")
        self._session.say(", ".join(parts) + ".", "warning" if failed else "info", lasting=True)

    def close(self) -> None:
        """Stop everything; what was read is in the project."""
        self._closed = True
        session = self._session_ref()
        if session is not None:
            session.opener = None  # from now on without a thread
        for work in (self._looking, self._reading, self._opening):
            work.cancel()
        for work in (self._looking, self._reading, self._opening):
            work.close()


class _Unusable:
    """A row whose file turned out not to open."""

    def __init__(self, row: int) -> None:
        self.row = row


def _opened(project: Any, item: Item) -> Iterator[Any]:
    try:
        yield prepare(project, item)
    except FadaError as error:
        yield error


def _looked(walk: Walk, prepared: PreparedScans, cancel: threading.Event) -> Iterator[Any]:
    """Find the next scan that can be opened, and open it unless it is at hand."""
    project = walk.worklist.project
    while not cancel.is_set():
        item = walk.foresee()
        if item is None:
            yield None, None
            return
        known = prepared.get(item.id)
        if known is not None and known.scan.sha256 == item.sha256:
            draw_masks(project, known.scan)
            yield item, None
            return
        try:
            ready = prepare(project, item)
        except FadaError as error:
            if not project.writable:
                raise
            walk.note_problem(item, str(error))
            yield _Unusable(item.id)
            continue
        # Opening a file tells its hash, and that may join its row with another.
        fresh = walk.worklist.item(item.id) or walk.worklist.of_scan(ready.scan.sha256) or item
        if fresh.id != item.id:
            walk.foresee()
        yield fresh, ready
        return
