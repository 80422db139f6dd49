"""Many scans judged at one stroke, in a thread, with a question first and a word afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from psygnal import Signal

from napari_fada.errors import FadaError
from napari_fada.records.bulk import (
    BulkFinished,
    BulkProgress,
    Judgement,
    Unseen,
    count_unseen,
    judge_scans,
    take_back,
)
from napari_fada.records.project import Project
from napari_fada.records.worklist import Item
from napari_fada.workstation.background import Background, Broken
from napari_fada.workstation.canvas import Way
from napari_fada.workstation.desk import Level
from napari_fada.workstation.session import Session

DOING: dict[str, str] = {
    "accept": "Accepting",
    "reject": "Rejecting",
    "skip": "Skipping",
    "reopen": "Back into review",
}
_TELL = 0.1  # seconds between two words about how far it is


class BulkWork:
    """Judges the scans of rows; the project is opened once more for it, so that it is not held up.

    Parameters
    ----------
    session : Session
        Whose project is changed.
    changed : callable
        Called when the list has to be asked anew.
    """

    told: ClassVar[Signal] = Signal(str, int, int)
    """How far it is: words, scans that are done, all."""
    ended: ClassVar[Signal] = Signal()

    def __init__(self, session: Session, changed: Callable[[], None]) -> None:
        self._session, self._changed = session, changed
        self._work = Background(self._on_event, self._after)
        self._what, self._path = "", Path()
        self._then: Callable[[Unseen], None] | None = None
        self._unseen: Unseen | None = None
        self._asked: tuple[Way, ...] = ()
        self.last: BulkFinished | None = None
        """What was judged last and can be taken back."""
        session.project_changed.connect(self._forget)

    @property
    def running(self) -> bool:
        """Whether scans are being judged."""
        return self._work.running

    def judge(self, items: Sequence[Item], judgement: Judgement) -> None:
        """Judge the scans of rows; asks first before scans that nobody has looked at are signed."""
        if judgement == "accept" and not self._session.rater:
            self._session.say(
                "Type your name first (Rater, in the Project tab): what you accept is signed "
                "with it. Nothing is accepted yet.",
                "warning",
            )
            return
        if judgement != "accept":
            self._start(items, judgement)
            return
        scans = [i.sha256 for i in items]
        self._run(
            "Looking",
            lambda p, c: count_unseen(p, scans, cancel=c),
            lambda unseen: self._ask(items, unseen),
        )

    def _ask(self, items: Sequence[Item], unseen: Unseen) -> None:
        if not unseen.number:
            self._start(items, "accept")
            return
        number, of, seen = *unseen, unseen.of - unseen.number
        rater = self._session.rater

        def start(*, unseen: bool) -> None:
            if self._session.rater == rater:
                self._start(items, "accept", unseen=unseen)
            else:  # somebody else would sign than was said
                self.judge(items, "accept")

        ways: list[Way] = [
            ("Cancel", "Accept nothing", lambda: None),
            (
                f"Accept all {of}" if of > 1 else "Accept it",
                "Each that nobody had looked at here is marked so",
                lambda: start(unseen=True),
            ),
        ]
        if seen:
            ways.append(
                (
                    f"Only the {seen} looked at",
                    "Leave those that were never on the screen here",
                    lambda: start(unseen=False),
                )
            )
        whom = f"{number} of these {of} scans" if seen else f"these {of} scans"
        self._asked = tuple(ways)
        self._session.question.emit(
            f"Nobody has looked at {whom if of > 1 else 'this scan'} here. Accepted, all that "
            f"is proposed on them counts as reviewed, in the name of {rater}.",
            self._asked,
        )

    def take_back(self) -> None:
        """Undo what was judged last, on all scans that were not edited since."""
        last, self.last = self.last, None
        if last is not None:
            self._run("Taking back", lambda p, c: take_back(p, last.judged, cancel=c))

    def _start(self, items: Sequence[Item], judgement: Judgement, *, unseen: bool = True) -> None:
        scans = [i.sha256 for i in items]
        self._run(
            DOING[judgement],
            lambda p, c: judge_scans(p, scans, judgement, unseen=unseen, cancel=c),
        )

    def _run(
        self,
        what: str,
        judging: Callable[[Project, threading.Event], Iterator[Any]],
        then: Callable[[Unseen], None] | None = None,
    ) -> None:
        session = self._session
        if session.looking.refuses():
            return
        if self.running:
            session.say(f"{self._what}… goes on; wait for it, or stop it with ✕.", "warning")
            return
        if len(session.safety.pending):
            session.say("Edits wait for the project to be written: make them first.", "warning")
            return
        if session.layers is not None:
            session.layers.finish_drawing()
        session.frames_seen.keep()
        self._what, self._then, self._unseen = what, then, None
        self._path = session.project.path
        path, rater, window = session.project.path, session.rater, session.project.window

        def work(cancel: threading.Event) -> Iterator[Any]:
            with Project.open(path, rater=rater, create=False) as project:
                project.window = window  # undo takes it for what was done in this window
                yield from _seldom(judging(project, cancel))

        self.told.emit(f"{what}…", 0, 0)
        self._work.start(work)

    def _on_event(self, event: BulkProgress | BulkFinished | Unseen | Broken) -> None:
        session = self._session
        if isinstance(event, BulkProgress):
            self.told.emit(f"{self._what}: {event.done} of {event.total}", event.done, event.total)
        elif isinstance(event, Unseen):
            self._unseen = event
        elif isinstance(event, Broken):
            session.say(f"{event.text} What was done before stands.", "error", lasting=True)
        else:
            here = session.project.path == self._path
            # Of "as before" there is nothing to be taken back, and in another project nothing.
            again = event.judged and here and self._what != "Taking back"
            self.last = event if again else None
            lines = event.lines if here else [f"In {self._path.name}:", *event.lines]
            if self.last is not None and len(event.judged) > 1:
                lines.append("The menu of any row takes it back.")
            level: Level = "warning" if event.left else "info"
            session.say(" ".join(lines), level, lasting=True)

    def _after(self) -> None:
        self.ended.emit()
        then, unseen, self._then, self._unseen = self._then, self._unseen, None, None
        if then is not None:  # it was only counted so far
            if unseen is not None and self._session.project.path == self._path:
                then(unseen)
            return
        try:
            self._session.project.poll()  # what is shown follows
        except FadaError as error:
            self._session.say_error(error)
        self._changed()

    def _forget(self) -> None:
        """Take back what was offered and asked: it was about another project's scans."""
        self.last = None
        asked, self._asked = self._asked, ()
        self._session.question_over.emit(asked)

    def cancel(self) -> None:
        """Stop after the scan at work; what was judged stands."""
        self._work.cancel()

    def close(self) -> None:
        """Stop and wait for the thread."""
        self._session.project_changed.disconnect(self._forget, missing_ok=True)
        self._work.close()


def _seldom(events: Iterator[Any]) -> Iterator[Any]:
    """Pass events on, those of progress a few times a second."""
    told = 0.0
    for event in events:
        if not isinstance(event, BulkProgress) or time.monotonic() - told > _TELL:
            told = time.monotonic()
            yield event
