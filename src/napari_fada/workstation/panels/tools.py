"""What the mouse does in our layers: a row of tools, each with its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QWidget

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
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        for name, text in TOOLS:
            button = QToolButton()
            button.setText(text)
            button.setObjectName("fada-tool")
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _=False, name=name: does[name]())
            self.buttons[name] = button
            row.addWidget(button, 1)

    def show_keys(self, table: KeyTable) -> None:
        """Say in each tooltip what the button does and which key does the same."""
        for action, key in table.items():
            if action.name in self.buttons:
                self.buttons[action.name].setToolTip(f"{action.text} ({key})")
