"""A coloured band across the window while a project can only be looked at, with the way back."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QToolBar, QWidget

from napari_fada.workstation import napari_private as private
from napari_fada.workstation.keys import KeyTable
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.session import Session
from napari_fada.workstation.theme import MESSAGES

NAME = "fada-looking"
STYLE = f"""
#{NAME} {{ background: {MESSAGES["question"]}; border: none; spacing: 0; }}
#{NAME} QWidget {{ background: {MESSAGES["question"]}; }}
#{NAME} QLabel {{ color: white; font-weight: bold; padding: 5px 10px; }}
#{NAME} QPushButton {{
    color: white; background: rgba(0, 0, 0, 90); border: 1px solid rgba(255, 255, 255, 150);
    border-radius: 4px; padding: 4px 12px; margin: 3px 10px;
}}
#{NAME} QPushButton:hover, #{NAME} QPushButton:focus {{ background: rgba(0, 0, 0, 150); }}
"""


class LookingBand:
    """Puts the band above all docks of the window, and takes it away.

    Parameters
    ----------
    session : Session
        Whose project is shown.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.bar: QToolBar | None = None
        self.label = Told()
        self.back = QPushButton()
        self.back.setToolTip("Go on in the project that was open before, where you were")
        self.back.clicked.connect(lambda: session.looking.back())
        self.copy = QPushButton("Save a copy…")
        self.copy.setToolTip("Go on in a copy of this project, in a folder you may write to")
        self.copy.clicked.connect(lambda: session.safety.save_copy())
        session.project_changed.connect(self.show)

    def show_keys(self, table: KeyTable) -> None:
        """Say which key leads back."""
        self._session.looking.key = table["back"]
        self.show()

    def show(self) -> None:
        """Show what there is to be said of the project that is open, or nothing."""
        looking, window = self._session.looking, private.main_window(self._session.viewer)
        text = looking.text
        if window is None or not (text or self.bar):
            return
        if self.bar is None:
            self.bar = self._made(window)
        self.label.setText(text)
        key = f"  ({looking.key})" if looking.key else ""
        self.back.setText(f"Back to my project{key}")
        self.back.setVisible(bool(looking.back_to))
        self.copy.setVisible(not looking.on)
        self.bar.setVisible(bool(text))

    def _made(self, window: Any) -> QToolBar:
        bar = QToolBar("FADA: only to look at", window)
        bar.setObjectName(NAME)
        bar.setMovable(False)
        bar.setFloatable(False)
        bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        bar.setStyleSheet(STYLE)
        inside = QWidget()
        row = QHBoxLayout(inside)
        row.setContentsMargins(0, 0, 0, 0)
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row.addWidget(self.label, 1)
        row.addWidget(self.copy)
        row.addWidget(self.back)
        inside.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        bar.addWidget(inside)
        window.addToolBar(Qt.ToolBarArea.TopToolBarArea, bar)
        return bar

    def remove(self) -> None:
        """Take the band away for good: the session ends."""
        self._session.project_changed.disconnect(self.show, missing_ok=True)
        if self.bar is not None:
            self.bar.hide()
            self.bar.deleteLater()
            self.bar = None
