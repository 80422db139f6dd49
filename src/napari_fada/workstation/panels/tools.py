"""What the mouse does in our layers, and what is done to shapes: two rows of tools with keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_fada.workstation.keys import KeyTable

TOOLS = (
    ("box", "Box"),
    ("polygon", "Polygon"),
    ("keypoint", "Points"),
    ("paint", "Paint"),
    ("edit", "Select"),
    ("vertices", "Corners"),
    ("undo", "↶"),
    ("redo", "↷"),
)
SHAPING = (
    ("split", "Split"),
    ("merge", "Merge"),
    ("part", "Part"),
    ("erase_corners", "Erase"),
    ("smooth", "Smooth"),
    ("ellipse", "Ellipse"),
    ("snap", "Snap"),
)
MORE = ("simplify", "cut", "to_box", "to_polygon", "visibility", "earlier")
"""Used less often: in the menu at the end of the second row."""
EXPLAINED = {
    "split": "Press on one side of a structure, drag across it and let go: each piece becomes "
    "a structure.",
    "merge": "The selected structures of a class become one; what does not touch stays a part.",
    "part": "Draw a ring: inside the structure it is a hole, beside it another part.",
    "erase_corners": "Drag over corners to take them away. The key again puts the eraser down.",
    "smooth": "Round the outline; its area stays. Again: rounder.",
    "ellipse": "The ellipse that fits the corners best takes the place of the outline.",
    "snap": "The outline moves to the nearest clear edge of the scan. Again: further.",
    "simplify": "Leave out corners that are not needed. Again: coarser.",
    "cut": "Draw a ring around what is to be cut away.",
    "to_box": "Put the box around its outline, which it follows then, or add one.",
    "to_polygon": "Begin an outline from the box; of a head or abdomen an ellipse.",
    "visibility": "Visible → hidden → absent; Alt-click on the point does the same.",
    "earlier": "The keypoint changes places with the one before it.",
}


class ToolsPanel(QWidget):
    """Buttons for the actions that are used all day.

    Parameters
    ----------
    does : mapping of action name to callable
        The same that the keys do.
    """

    def __init__(self, does: Mapping[str, Callable[[], object]]) -> None:
        super().__init__()
        self.buttons: dict[str, QToolButton] = {}
        self.menu = QMenu(self)
        self.menu.setToolTipsVisible(True)
        self.entries: dict[str, Any] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self._rows = (QHBoxLayout(), QHBoxLayout())
        for row in self._rows:
            row.setSpacing(2)
            layout.addLayout(row)
        for name, text in (*TOOLS, *SHAPING):
            button = self._button(text)
            button.clicked.connect(lambda _=False, name=name: does[name]())
            self.buttons[name] = button
        self.more = self._button("More ▾")
        self.more.setToolTip("More shape tools")
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.more.setMenu(self.menu)
        for name in (*(name for name, _ in SHAPING), *MORE):
            entry: Any = self.menu.addAction(name)
            entry.triggered.connect(lambda _=False, name=name: does[name]())
            self.entries[name] = entry
        self.arrange(large=False)

    def arrange(self, *, large: bool) -> None:
        """Show two rows of tools; where texts are large, shape tools are in the menu instead."""
        names = [name for name, _ in TOOLS]
        shaping = [name for name, _ in SHAPING]
        first, second = (names[:4], names[4:]) if large else (names, shaping)
        for row, shown in zip(self._rows, (first, second), strict=True):
            for name in shown:
                row.addWidget(self.buttons[name], 1)
        self._rows[1].addWidget(self.more, 1)
        for name in shaping:
            self.buttons[name].setVisible(not large)
            self.entries[name].setVisible(large)

    @staticmethod
    def _button(text: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setObjectName("fada-tool")
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        return button

    def show_keys(self, table: KeyTable) -> None:
        """Say in each tooltip what the button does and which key does the same."""
        for action, key in table.items():
            said = f"{action.text} ({key or 'no key'})"
            tip = f"{said}\n{EXPLAINED[action.name]}" if action.name in EXPLAINED else said
            if action.name in self.buttons:
                self.buttons[action.name].setToolTip(tip)
            if action.name in self.entries:
                self.entries[action.name].setText(f"{action.text}\t{key}")
                self.entries[action.name].setToolTip(tip)
