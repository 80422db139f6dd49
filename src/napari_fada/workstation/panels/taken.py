"""What a merge took from the first rater without asking: each can be looked at and disputed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from psygnal import Signal
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLabel, QListView, QPushButton, QVBoxLayout, QWidget

from napari_fada.errors import FadaError
from napari_fada.records.merge import Conflict, dispute, taken_without_asking
from napari_fada.workstation.panels.conflict_list import ConflictModel
from napari_fada.workstation.session import Session


class TakenPanel(QWidget):
    """Lists structures of which the two raters' shapes were alike enough.

    Parameters
    ----------
    session : Session
        Its project is the merged one.
    name_of : callable
        Gives the name of a scan for its sha256.
    """

    looked_at: ClassVar[Signal] = Signal(Conflict)

    def __init__(self, session: Session, name_of: Callable[[str], str]) -> None:
        super().__init__()
        self._session = session
        self._found: list[Conflict] = []
        self._names_hidden = False
        self.head = QLabel()
        self.head.setWordWrap(True)
        self.model = ConflictModel(name_of, self)
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setUniformItemSizes(True)
        self.list.setToolTip("Click one to see what both raters have there")
        self.list.setAccessibleName("Taken without asking")
        self.list.clicked.connect(lambda index: self.look_at(index.row()))
        self.dispute = QPushButton("Make it a conflict")
        self.dispute.setToolTip("Neither stands until it is decided; undo takes this back")
        self.dispute.clicked.connect(self._dispute)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.addWidget(self.head)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.dispute)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.reload)
        self._show()

    @property
    def current(self) -> Conflict | None:
        """What is looked at."""
        return self.model.at(self.list.currentIndex().row())

    def reload_soon(self) -> None:
        """Read the list again when the event loop is next free."""
        self._soon.start(0)

    def reload(self) -> None:
        """Read from the project what was taken and still stands."""
        try:
            self._found = taken_without_asking(self._session.project)
        except FadaError as error:
            self._session.say_error(error)
        self._show()

    def hide_names(self, hidden: bool) -> None:
        """Say A and B for the raters, or their names."""
        self._names_hidden = hidden
        self._show()

    def look_at(self, row: int) -> None:
        """Show one on its scan."""
        self.list.setCurrentIndex(self.model.index(row))
        if 0 <= row < len(self._found):
            self.looked_at.emit(self._found[row])

    def _show(self) -> None:
        found = self._found
        if self._names_hidden:
            found = [replace(c, rater_a="", rater_b="") for c in found]
        row = self.list.currentIndex().row()
        if found != self.model.conflicts:
            self.model.put(found)
            self.list.setCurrentIndex(self.model.index(min(row, len(found) - 1)))
        first = found[0].rater_a if found else ""
        self.head.setText(f"Taken from {first or 'A'} without asking: {len(found)}")
        self.dispute.setEnabled(bool(found))

    def _dispute(self) -> None:
        row = self.list.currentIndex().row()
        if not 0 <= row < len(self._found):
            self._session.say("Choose one in the list first.")
            return
        try:
            dispute(self._session.project, self._found[row])
        except FadaError as error:
            self._session.say_error(error)
        self.reload()
