"""Undo and redo in one viewer: one's own acts, over scans that were left, and with words.

No Qt in here. What a step is and whose it is, ``records.steps`` says. This tells what was taken
back and where, names others before their work is touched, and goes back to the scan that a key
has finished and left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from napari_fada.errors import FadaError

if TYPE_CHECKING:
    from napari_fada.records.steps import Doer, Step

_MANY = 200
_LONG = 24


@dataclass(frozen=True, slots=True)
class Left:
    """An act after which another scan or frame was shown by itself."""

    sha256: str
    frame: int
    name: str
    act: int
    label: str


class Undoing:
    """What one viewer's session knows and does about undo.

    Parameters
    ----------
    session : Session
        Whose acts are taken back.

    Attributes
    ----------
    stop_work : callable
        Ends work over frames that goes on and takes it back; False if there is none.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._left: list[Left] = []
        self._named = 0  # the act that was named last, and is taken back if it is asked for again
        self._awaits = self._followed = ""  # the scan that a left one made room for
        self.stop_work: Callable[[], bool] = lambda: False
        session.project_changed.connect(self._on_project)
        session.scan_changed.connect(self._on_scan)

    def _on_project(self) -> None:
        self._left.clear()
        self._named = 0

    def _on_scan(self) -> None:
        scan = self._session.scan
        if scan is not None:
            self._followed, self._awaits = (scan.sha256 if self._awaits else ""), ""

    # Leaving

    def leave(self, sha256: str, frame: int) -> bool:
        """Say that the act that was just done is followed by another scan or frame.

        The next undo then goes back to it. False if it waits to be written.
        """
        session = self._session
        if len(session.safety.pending):
            return False
        try:
            done = session.project.own_last(sha256, frame)
            row = session.project.scan(sha256)
        except FadaError as error:
            session.say_error(error)
            return False
        if done is None or row is None:
            return False
        self._left.append(Left(sha256, max(frame, 0), row.name, done.act, done.label))
        del self._left[:-_MANY]
        self._awaits = sha256
        return True

    def offer_back(self) -> None:
        """Say what was finished, with a button that goes back to it."""
        left = self._left[-1]
        name = left.name.rpartition(".")[0] or left.name
        name = name if len(name) <= _LONG else f"{name[: _LONG - 1]}…"
        way = (f"Back to {name}", "Show it again, as it was before this", lambda: self._back(left))
        self._session.offer(f"{left.name}: {_small(left.label)}.", (way,))

    def _back(self, left: Left) -> None:
        if left in self._left:
            self._left.remove(left)
        try:
            self._go_back(left)
        except FadaError as error:
            self._session.say_error(error)

    def _go_back(self, left: Left) -> None:
        """Undo what was done to a scan before it was left, and show it again."""
        session = self._session
        step = session.turned(
            lambda: session.project.undo(left.sha256, left.frame, act=left.act), left.sha256
        )
        self._awaits = left.sha256
        session.show_again(left.sha256, left.frame)
        if step is not None:
            session.say(f"Back to {left.name}. Undone: {step.label}.", lasting=True)
        else:
            session.say(
                f"Back to {left.name}. “{left.label}” stays: it was undone, or changed, since.",
                "warning",
                lasting=True,
            )

    def _newest_left(self) -> Left | None:
        """Return what was left last, unless it was undone or worked on again since."""
        while self._left and not self._is_last(self._left[-1]):
            self._left.pop()
        return self._left[-1] if self._left else None

    def _is_last(self, left: Left) -> bool:
        project = self._session.project
        if not project.is_standing(left.act):
            return False
        mine = project.own_last(left.sha256, None)
        return mine is None or mine.act <= left.act

    def _comes_first(self, left: Left) -> bool:
        """Tell whether what was left is later than one's own acts on the scan that is shown."""
        session = self._session
        if session.scan is None:
            return True
        same = left.sha256 == session.scan.sha256
        mine = session.project.own_last(session.scan.sha256, session.frame if same else None)
        return mine is None or mine.act < left.act

    # Undo, redo

    def undo(self) -> None:
        """Take back one's own last act, on this frame or the scan that was left by it."""
        session = self._session
        if not self._may_begin() or self.stop_work() or self._take_waiting_back():
            return
        named, self._named = self._named, 0
        try:
            left = self._newest_left()
            if left is not None and self._comes_first(left):
                self._undo_left(left, named)
            elif session.scan is not None:
                self._undo_here(named)
                if left is not None and not session.project.is_standing(left.act):
                    session.forget_opening()  # this scan was not left yet: it stays
        except FadaError as error:
            session.say_error(error)

    def redo(self) -> None:
        """Do again what was undone last on this frame."""
        session = self._session
        if not self._may_begin() or session.scan is None:
            return
        here = (session.scan.sha256, session.frame)
        try:
            step = session.turned(lambda: session.project.redo(*here), here[0])
        except FadaError as error:
            session.say_error(error)
            return
        if step is None:
            session.say("There is nothing of yours to do again here.")
        else:
            self._tell("Done again", step)

    def take_back(self, act: int, sha256: str) -> None:
        """Undo one act of a scan by its number."""
        session = self._session
        try:
            step = session.turned(lambda: session.project.undo(sha256, 0, act=act), sha256)
        except FadaError as error:
            session.say_error(error)
            return
        if step is not None:
            self._tell("Undone", step)

    def _may_begin(self) -> bool:
        session = self._session
        if session.looking.refuses() or not session.canvas.shows_scan():
            return False
        session.end_look_back()
        if session.layers is not None:
            session.layers.finish_drawing()
        return True

    def _take_waiting_back(self) -> bool:
        session = self._session
        waiting = session.safety.pending.waiting
        if not session.safety.take_back():
            return False
        if session.scan is None or waiting[-1].sha256 != session.scan.sha256:
            session.show_again(waiting[-1].sha256, waiting[-1].frame)
        return True

    def _undo_left(self, left: Left, named: int) -> None:
        session = self._session
        scan = session.scan
        elsewhere = scan is not None and scan.sha256 not in (self._followed, left.sha256)
        if elsewhere and named != left.act:
            self._named = left.act
            session.say(
                f"There is nothing of yours to undo here. The last you did is on {left.name} "
                f"({_small(left.label)}). Press once more to go back to it and undo that.",
                "warning",
            )
            return
        self._left.pop()
        self._go_back(left)

    def _undo_here(self, named: int) -> None:
        session = self._session
        project, here = session.project, (session.scan.sha256, session.frame)
        step = session.turned(lambda: project.undo(*here), here[0])
        if step is not None:
            self._tell("Undone", step)
            return
        others = project.others_last(*here)
        if others is None:
            session.say("There is nothing of yours to undo here.")
        elif others.act != named:
            self._named = others.act
            session.say(
                f"The last change here is {self._whose(others)} ({_small(others.label)}, "
                f"{_clock(others.at)}). Press once more to take it back.",
                "warning",
            )
        else:
            step = session.turned(lambda: project.undo(*here, act=others.act), here[0])
            if step is not None:
                self._tell(f"Undone, {self._whose(others)}", step)
            else:
                session.say(
                    f"What {others.rater or 'another window'} did cannot be taken back: it was "
                    "changed again since. The History tab can bring back an earlier state.",
                    "warning",
                )

    def _whose(self, others: Doer) -> str:
        if not others.rater:
            return "another window's, without a name"
        if others.rater == self._session.rater:
            return f"{others.rater}'s in another window"
        return f"{others.rater}'s"

    def _tell(self, done: str, step: Step) -> None:
        frames = step.frames
        where = ""
        if len(frames) > 1:
            where = f" on {len(frames)} frames ({frames[0] + 1}–{frames[-1] + 1})"
        elif frames and frames[0] != self._session.frame:
            where = f" on frame {frames[0] + 1}"
        self._session.say(f"{done}{where}: {step.label}")


def _small(label: str) -> str:
    """Return a label as it stands within a sentence; names of classes keep their letters."""
    first, _, rest = label.partition(" ")
    return f"{first.lower()} {rest}" if first in ("Scan", "Conflict", "Report:") else label


def _clock(at: str) -> str:
    when = datetime.fromisoformat(at).astimezone()
    today = when.date() == datetime.now().astimezone().date()
    return f"{when:%H:%M}" if today else f"{when:%d %b, %H:%M}"
