"""A line in the widget for messages and questions; it never blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout

from napari_fada.workstation.desk import Level

_COLOURS = {"info": "#3a6ea5", "warning": "#a8741a", "error": "#b3392f", "question": "#5b4a9c"}
_SECONDS = {"info": 6, "warning": 20}


class MessageBar(QFrame):
    """Shows one message at a time; errors and questions stay until they are answered."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("fada-message")
        self.level = ""
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._close = QToolButton()
        self._close.setText("✕")
        self._close.setToolTip("Dismiss this message")
        self._close.setAutoRaise(True)
        self._close.clicked.connect(self.clear)
        top = QHBoxLayout()
        top.addWidget(self._text, 1)
        top.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        self._choices = QHBoxLayout()
        self._buttons: list[QPushButton] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 5, 5, 5)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addLayout(self._choices)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.clear)
        self.hide()

    @property
    def text(self) -> str:
        """What is shown now."""
        return self._text.text()

    @property
    def buttons(self) -> list[QPushButton]:
        """The choices of the question that is shown."""
        return list(self._buttons)

    def say(self, text: str, level: Level = "info") -> None:
        """Show a message. A passing remark does not push away an error or a question."""
        if level == "info" and self.level in ("error", "question"):
            return
        self._put(text, level)
        if level in _SECONDS:
            self._timer.start(_SECONDS[level] * 1000)

    def ask(self, text: str, choices: Sequence[tuple[str, str, Callable[[], object]]]) -> None:
        """Ask with buttons of (label, tooltip, what it does); the window stays usable."""
        self._put(text, "question")
        for label, tip, does in choices:
            button = QPushButton(label)
            button.setToolTip(tip)
            button.clicked.connect(lambda _=False, does=does: self._choose(does))
            self._choices.addWidget(button)
            self._buttons.append(button)
        self._buttons[0].setFocus()

    def _choose(self, does: Callable[[], object]) -> None:
        self.clear()
        does()

    def clear(self) -> None:
        """Show nothing."""
        self._timer.stop()
        self.level = ""
        buttons, self._buttons = self._buttons, []
        for button in buttons:
            self._choices.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._text.clear()
        self.hide()

    def _put(self, text: str, level: str) -> None:
        self.clear()
        self.level = level
        self._text.setText(text)
        self.setStyleSheet(
            f"#fada-message {{ background: {_COLOURS[level]}; border-radius: 4px; }}"
            "#fada-message QLabel, #fada-message QToolButton "
            "{ color: white; background: transparent; }"
        )
        self.show()
