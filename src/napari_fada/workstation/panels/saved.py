"""One line that says whether everything is saved, and never says so before it is."""

from __future__ import annotations

from qtpy.QtCore import QSize, QTimer
from qtpy.QtGui import QFont, QFontMetrics

from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.session import Session
from napari_fada.workstation.theme import tone

LOOK_MS = 200
SAVED, PATIENCE = "Every edit is saved.", 2
"""An edit counts as being saved when it was so at two looks: most take a few milliseconds."""


class SavedLabel(Told):
    """Looks at the project a few times a second.

    Parameters
    ----------
    session : Session
        Whose project it is.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._waited = 0
        self.setToolTip(
            "“Saving” means that the drive has not confirmed an edit yet: it survives a crash of "
            "the program, but not yet a power cut."
        )
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()
        self.look()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Ask for the room of the usual text, always: the rest is cut."""
        bold = QFont(self.font())
        bold.setBold(True)
        return QSize(
            QFontMetrics(bold).horizontalAdvance(SAVED), super().minimumSizeHint().height()
        )

    def stop(self) -> None:
        """Look no more."""
        self._timer.stop()

    def look(self) -> None:
        """Show how it is now."""
        text, meaning = self._now()
        if text != self.text():
            self.setText(text)
            self.setStyleSheet("font-weight: bold;" if meaning else "")
            tone(self, meaning)

    def _now(self) -> tuple[str, str]:
        session = self._session
        waiting = len(session.safety.pending)
        if waiting:
            return f"{_edits(waiting)} NOT in the project yet.", "failed"
        project = session.open_now
        if project is None:
            return "", ""
        if project.saving_problem and project.unsaved:
            return f"{_edits(project.unsaved)} NOT saved: {project.saving_problem}.", "failed"
        self._waited = self._waited + 1 if project.unsaved else 0
        if self._waited >= PATIENCE:
            return f"Saving {_edits(project.unsaved)}… The drive is slow.", "notice"
        if project.unsaved and self.text():
            return self.text(), ""
        return SAVED, ""


def _edits(n: int) -> str:
    return "1 edit" if n == 1 else f"{n} edits"
