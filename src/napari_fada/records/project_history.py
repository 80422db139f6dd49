"""The part of a project that walks its history: undo, redo, looking back, bringing back."""

from __future__ import annotations

from dataclasses import replace

from napari_fada.records import history, steps
from napari_fada.records.base import ProjectFile
from napari_fada.records.history import Entry


class ProjectHistory(ProjectFile):
    """What :class:`~napari_fada.records.project.Project` can do with its log of edits."""

    def undo(self, sha256: str, frame: int) -> Entry | None:
        """Undo the last act that can be seen on a frame; None if there is none.

        That is the latest one on the frame or on the scan as a whole, whichever came later; an
        act on several frames goes back in one piece. Works after reopening. The label of the
        entry says what was undone.
        """
        return self._turn("undo", sha256, frame)

    def redo(self, sha256: str, frame: int) -> Entry | None:
        """Redo what was undone last; None if there is nothing."""
        return self._turn("redo", sha256, frame)

    def _turn(self, kind: steps.Turn, sha256: str, frame: int) -> Entry | None:
        with self._store.write() as c:
            step = steps.turn(c, kind, sha256, frame, rater=self.rater)
        self._tell(*(step.entries if step else ()))
        return replace(step.entries[0], label=step.label) if step else None

    def restore(self, sha256: str, frame: int, edit: int) -> Entry | None:
        """Bring a frame to its state just after an edit (0: before the first) as a new edit."""
        with self._store.write() as c:
            entry = history.restore(c, sha256, frame, edit, rater=self.rater)
        self._tell(entry)
        return entry

    def steps(self, sha256: str, frame: int) -> tuple[int, int]:
        """Return how many edits of a frame and of the scan as a whole can be un- and redone."""
        with self._store.read() as c:
            found = steps.stacks(c, sha256, frame)
        return len(found.undo), len(found.redo)

    def history(self, sha256: str | None = None, frame: int | None = None) -> list[Entry]:
        """Return who did what when, oldest first, undo and redo included."""
        with self._store.read() as c:
            return history.entries(c, sha256, frame)
