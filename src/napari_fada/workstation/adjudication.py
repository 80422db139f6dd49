"""What two raters disagree on, one after another: which is looked at, and how it is decided.

No Qt in here. The project is the merged one; each decision is an edit of its own in it, so
undo and the history cover it, and after an undo the conflict is open again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Literal

from psygnal import Signal

from napari_fada.errors import FadaError
from napari_fada.records.annotation import Annotation
from napari_fada.records.merge import (
    DECIDED,
    Conflict,
    decided_conflicts,
    open_conflicts,
    resolve,
)
from napari_fada.records.rows import ScanRow
from napari_fada.workstation.desk import corrected
from napari_fada.workstation.session import Session

Side = Literal["a", "b"]


class Adjudication:
    """The open conflicts of the session's project, and the one that is looked at.

    Parameters
    ----------
    session : Session
        Its project is the merged one.
    """

    changed: ClassVar[Signal] = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self.open: list[Conflict] = []
        self.decided = 0
        self._at = 0

    def begin(self) -> None:
        """Read what is open and what was decided; the first open one is looked at."""
        self._at = 0
        try:
            self.open = open_conflicts(self._session.project)
            self.decided = len(decided_conflicts(self._session.project))
        except FadaError as error:
            self._session.say_error(error)
        self.changed.emit()

    def reload(self) -> bool:
        """Read the open conflicts again; tell whether they are others than before."""
        try:
            found = open_conflicts(self._session.project)
            if found == self.open:
                return False
            back = [c for c in found if c not in self.open]
            self.open = found
            self.decided = len(decided_conflicts(self._session.project))
        except FadaError as error:
            self._session.say_error(error)
            return False
        # After an undo the conflict that is open again is the one to look at.
        self._at = found.index(back[0]) if back else min(self._at, max(0, len(found) - 1))
        self.changed.emit()
        return True

    @property
    def current(self) -> Conflict | None:
        """The conflict that is looked at."""
        return self.open[self._at] if self.open else None

    @property
    def position(self) -> int:
        """Where it stands among the open ones."""
        return self._at

    def look_at(self, position: int) -> None:
        """Look at another of the open conflicts; beyond the last comes the first."""
        if self.open and position % len(self.open) != self._at:
            self._at = position % len(self.open)
            self.changed.emit()

    def scan(self, conflict: Conflict) -> ScanRow | None:
        """Return the scan that a conflict is about."""
        return self._session.project.scan(conflict.scan)

    def structure(self, conflict: Conflict, side: Side) -> Annotation | None:
        """Return the structure that a rater put there, None where there is none."""
        uid = conflict.a if side == "a" else conflict.b
        if conflict.what != "structure" or uid is None:
            return None
        return self._session.project.record(uid)

    # Decisions

    def choose(self, side: Side) -> bool:
        """Let one rater's word count."""
        return self._resolve(side)

    def both(self) -> bool:
        """Let both structures stand, or both texts, one after the other."""
        conflict = self.current
        if conflict is None:
            return False
        if conflict.what == "field":
            return self.write(" ".join(t for t in (conflict.a, conflict.b) if t))
        first, second = self.structure(conflict, "a"), self.structure(conflict, "b")
        if first is None or second is None or "rejected" in (first.status, second.status):
            self._session.say("Both cannot stand here: one of the two has nothing to keep.")
            return False
        label = f"{DECIDED}both {conflict.name} stand"
        project = self._session.project
        box = project.record(conflict.box_b) if conflict.box_b else None
        copies = [
            replace(corrected(r, self._session.rater), status="accepted")
            for r in (second, box)
            if r is not None
        ]

        def stand() -> None:
            with project.together(label):
                resolve(project, conflict, "a")
                project.edit(conflict.scan, conflict.frame, add=copies, label=label)

        return self._decide(conflict, stand)

    def draw(self, annotation: Annotation) -> bool:
        """Let a structure that was drawn anew stand in the place of both."""
        return self._resolve(annotation)

    def write(self, text: str) -> bool:
        """Let another text stand: of a field, a view, a state, a score."""
        return self._resolve(None, text)

    def draft(self) -> Annotation | None:
        """Return the structure that a new drawing begins with: the first rater's, if any."""
        conflict = self.current
        if conflict is None:
            return None
        found = self.structure(conflict, "a") or self.structure(conflict, "b")
        return corrected(found, self._session.rater) if found else None

    def _resolve(self, choose: Side | Annotation | None, value: str | None = None) -> bool:
        conflict = self.current
        if conflict is None:
            self._session.say("No conflict is open.")
            return False
        project = self._session.project
        return self._decide(conflict, lambda: resolve(project, conflict, choose, value=value))

    def _decide(self, conflict: Conflict, does: Callable[[], object]) -> bool:
        try:
            does()
        except FadaError as error:
            self._session.say_error(error)
            self.reload()
            return False
        # The next conflict may be elsewhere: undo comes back to this one.
        self._session.undoing.leave(conflict.scan, conflict.frame)
        return True
