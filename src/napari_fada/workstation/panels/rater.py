"""Asks once who works here, when the first edit is made without a name."""

from __future__ import annotations

from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton

from napari_fada.workstation.session import Session
from napari_fada.workstation.settings import settings


class RaterStrip(QFrame):
    """A line that asks for a name and takes neither the keys nor the time of anybody.

    Parameters
    ----------
    session : Session
        Gets the name; it is remembered for the next start.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._asked = False
        self.setObjectName("fada-rater")
        self.name = QLineEdit()
        self.name.setPlaceholderText("your name or initials")
        self.name.setToolTip("Kept with every edit of this session, in the project and in exports")
        self.name.returnPressed.connect(self._take)
        self.take = QPushButton("Sign")
        self.take.setToolTip("Sign the edits of this session with this name")
        self.take.clicked.connect(self._take)
        self.later = QPushButton("Not now")
        self.later.setToolTip(
            "Work without a name; one that is given later (tab Project) counts for this, too"
        )
        self.later.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("Who edits?"))
        row.addWidget(self.name, 1)
        row.addWidget(self.take)
        row.addWidget(self.later)
        if not session.rater:
            session.rater = settings().rater
        session.records_changed.connect(self._look)
        self.hide()

    def _look(self) -> None:
        """Ask when the work of a person without a name is there, once a session."""
        if self._asked or self._session.rater:
            return
        records = (r for rs in self._session.records.values() for r in rs)
        drawn = any(r.status != "proposed" and not r.rater for r in records)
        if drawn or self._session.report().expert_fields:
            self._asked = True
            self.show()

    def _take(self) -> None:
        name = self.name.text().strip()
        if name:
            signed = self._session.give_name(name)
            count = "1 edit" if signed == 1 else f"{signed} edits"
            before = f"What you did before ({count}) is signed, too." if signed else ""
            self._session.say(f"Edits are signed “{name}” from now on. {before}".strip())
        self.hide()
