"""The part of a project that walks its history: undo, redo, looking back, bringing back."""

from __future__ import annotations

from napari_fada.records import history, steps, timeline
from napari_fada.records.base import ProjectFile
from napari_fada.records.history import WHOLE, Entry
from napari_fada.records.steps import Doer, Hand, Step
from napari_fada.records.timeline import Line, Past


class ProjectHistory(ProjectFile):
    """What :class:`~napari_fada.records.project.Project` can do with its log of edits."""

    def undo(self, sha256: str, frame: int, *, act: int | None = None) -> Step | None:
        """Undo one's own last act that can be seen on a frame; None if there is none.

        That is the latest one on the frame, on the scan as a whole or on several frames; an act
        on several frames goes back in one piece. Works after reopening. The label of the step
        says what was undone. None also where somebody else changed the same since:
        :meth:`others_last` says who.

        Parameters
        ----------
        act : int, optional
            The number of an act of this scan: that one is undone, whoever did it.
        """
        return self._turn("undo", sha256, frame, act)

    def redo(self, sha256: str, frame: int) -> Step | None:
        """Redo what this window or rater undid last; None if there is nothing."""
        return self._turn("redo", sha256, frame, None)

    def _turn(self, kind: steps.Turn, sha256: str, frame: int, act: int | None) -> Step | None:
        with self._store.write() as c:
            step = steps.turn(c, kind, sha256, frame, self._hand, act=act)
        self._tell(*(step.entries if step else ()))
        return step

    @property
    def _hand(self) -> Hand:
        return Hand(self.rater, self.window, self._opened_at)

    def others_last(self, sha256: str, frame: int) -> Doer | None:
        """Return the latest act that is seen on a frame and is not one's own."""
        with self._store.read() as c:
            return steps.latest(c, sha256, frame, self._hand, own=False)

    def own_last(self, sha256: str, frame: int | None = None) -> Doer | None:
        """Return one's own latest act on a frame, or on any of a scan."""
        with self._store.read() as c:
            return steps.latest(c, sha256, frame, self._hand, own=True)

    def is_standing(self, act: int) -> bool:
        """Tell whether an act has not been undone."""
        with self._store.read() as c:
            return steps.is_standing(c, act)

    def restore(self, sha256: str, frame: int, edit: int) -> Entry | None:
        """Bring a frame to its state just after an edit (0: before the first) as a new edit.

        Raises
        ------
        LockedError
            If a structure is locked that would be changed by that.
        """
        with self._store.write() as c:
            entry = steps.restore(c, sha256, frame, edit, rater=self.rater)
        self._tell(entry)
        return entry

    def restore_line(self, sha256: str, line: Line) -> bool:
        """Bring back what stood just after an act, on the frames that it changed.

        What is said about the scan as a whole is brought back if the act was about it. One
        transaction, one step of undo; False if all of it stands already.
        """
        with self._store.read() as c:
            whole = timeline.is_about_scan(c, line.first)
        frames = [*(f for f in line.frames if f != WHOLE), *([WHOLE] if whole else [])]
        with self.together(f"Restored: as after “{line.text}”"):
            done = [self.restore(sha256, frame, line.last) for frame in frames]
        return any(done)

    def lines(
        self,
        sha256: str,
        *,
        frame: int | None = None,
        rater: str | None = None,
        before: int | None = None,
        limit: int = timeline.PAGE,
    ) -> list[Line]:
        """Return who did what when on a scan, the newest first, in pages.

        See :func:`napari_fada.records.timeline.lines`.
        """
        with self._store.read() as c:
            return timeline.lines(c, sha256, frame=frame, rater=rater, before=before, limit=limit)

    def raters(self, sha256: str) -> list[str]:
        """Return who edited a scan."""
        with self._store.read() as c:
            return timeline.raters(c, sha256)

    def at(self, sha256: str, frame: int, edit: int) -> Past:
        """Return a frame as it was just after an edit: its records and its report."""
        with self._store.read() as c:
            return timeline.at(c, sha256, frame, edit)

    def steps(self, sha256: str, frame: int) -> tuple[int, int]:
        """Return how many edits of a frame and of the scan as a whole can be un- and redone."""
        with self._store.read() as c:
            found = steps.stacks(c, sha256, frame)
        return len(found.undo), len(found.redo)

    def history(self, sha256: str | None = None, frame: int | None = None) -> list[Entry]:
        """Return who did what when, oldest first, undo and redo included."""
        with self._store.read() as c:
            return history.entries(c, sha256, frame)
