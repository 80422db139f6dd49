"""From scan to scan: previous, next, and the worklist."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qtpy.QtWidgets import QHBoxLayout, QToolButton, QWidget

from napari_fada.workstation.keys import KeyTable

STEPS = (
    ("previous", "◀", "The scan before this one that waits for review"),
    ("search_scan", "List", "The worklist: find, sort, open folders, run on many"),
    ("next", "▶", "The next scan that waits for review, by filter and order"),
)


class StepsBar(QWidget):
    """Three buttons that do what their keys do.

    Parameters
    ----------
    does : mapping of action name to callable
        The same that the keys do.
    """

    def __init__(self, does: Mapping[str, Callable[[], object]]) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        self.buttons: dict[str, QToolButton] = {}
        for name, text, tip in STEPS:
            button = QToolButton()
            button.setObjectName("fada-tool")
            button.setText(text)
            button.setAccessibleName(tip)
            button.clicked.connect(lambda _=False, name=name: does[name]())
            row.addWidget(button)
            self.buttons[name] = button

    def show_keys(self, table: KeyTable) -> None:
        """Name in the tooltips the keys that do the same, as they are now."""
        for name, _, tip in STEPS:
            key = table[name]
            self.buttons[name].setToolTip(f"{tip} ({key})" if key else tip)
