"""From scan to scan: previous, next, and the worklist."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

STEPS = (
    ("previous", "◀ Previous", "The scan before this one that waits for review"),
    ("search_scan", "Worklist", "All scans of the project: find, sort, open folders, run on many"),
    (
        "next",
        "Next ▶",
        "The next scan that waits for review, by filter and order",
    ),
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
        self.buttons: dict[str, QPushButton] = {}
        for name, text, tip in STEPS:
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(lambda _=False, name=name: does[name]())
            row.addWidget(button, 1)
            self.buttons[name] = button
