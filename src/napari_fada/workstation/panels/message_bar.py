"""A line in the widget for messages and questions; it never blocks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
)

from napari_fada.workstation.desk import Level
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.theme import MESSAGES

_SECONDS = {"info": 6, "warning": 20}
_STAYING = ("error", "question")
_MARGIN = 8
LINES = 7
"""What is longer is scrolled."""


class MessageBar(QFrame):
    """Shows one message at a time; errors and questions stay until they are answered.

    An error that comes on top of another does not push it away: the earlier one is shown
    again when the later was dismissed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("fada-message")
        self.level = ""
        self.unread: list[str] = []
        self._text = Told()
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setWidget(self._text)
        self._more = QLabel()
        self.copy = QToolButton()
        self.copy.setText("Copy")
        self.copy.setToolTip("Copy the whole message to the clipboard")
        self.copy.clicked.connect(self._copy)
        self._close = QToolButton()
        self._close.setText("✕")
        self._close.setToolTip("Dismiss this message")
        self._close.clicked.connect(self.dismiss)
        side = QVBoxLayout()
        side.addWidget(self._close, 0, Qt.AlignmentFlag.AlignRight)
        side.addWidget(self.copy, 0, Qt.AlignmentFlag.AlignRight)
        side.addWidget(self._more, 0, Qt.AlignmentFlag.AlignRight)
        side.addStretch(1)
        top = QHBoxLayout()
        top.addWidget(self._area, 1)
        top.addLayout(side)
        self._choices = QHBoxLayout()
        self._buttons: list[QPushButton] = []
        self._asked: list[tuple[str, str, Callable[[], object]]] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(_MARGIN, 5, 5, 5)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addLayout(self._choices)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.dismiss)
        self.hide()

    def hear(self, session: Any) -> None:
        """Show what a session says, as long as this is there: a dock may be taken away."""
        heard = ((session.message, self.say), (session.messages_over, self.forget))
        for signal, does in heard:
            signal.connect(does)
        self.destroyed.connect(partial(_unhear, heard))

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
        if level == "info" and self.level in _STAYING:
            return
        self._keep_unread(text)
        self._put(text, level)
        if level in _SECONDS:
            self._timer.start(_SECONDS[level] * 1000)

    def ask(self, text: str, choices: Sequence[tuple[str, str, Callable[[], object]]]) -> None:
        """Ask with buttons of (label, tooltip, what it does); the window stays usable.

        Asked with the choices that are shown already, only the text changes: the keyboard's
        focus stays where it is.
        """
        if choices and self._buttons and list(choices) == self._asked:
            self._text.setText(text)
            self._fit()
            return
        self._keep_unread(text)
        self._put(text, "question")
        self._put_choices(choices)
        self._buttons[0].setFocus()

    def offer(self, text: str, choices: Sequence[tuple[str, str, Callable[[], object]]]) -> None:
        """Say something in passing, with buttons; the keys stay where they are."""
        if self.level in _STAYING:
            return
        self._put(text, "info")
        self._put_choices(choices)
        self._timer.start(_SECONDS["warning"] * 1000)  # time enough to reach the button

    def _put_choices(self, choices: Sequence[tuple[str, str, Callable[[], object]]]) -> None:
        room, asked = self.width() - 2 * _MARGIN, 0
        for label, tip, does in choices:
            button = QPushButton(label)
            button.setToolTip(tip)
            asked += button.sizeHint().width() + self._choices.spacing()
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _=False, does=does: self._choose(does))
            self._choices.addWidget(button)
            self._buttons.append(button)
        way = QBoxLayout.Direction
        self._choices.setDirection(way.TopToBottom if asked > room else way.LeftToRight)
        self._asked = list(choices)

    def withdraw(self, choices: Sequence[tuple[str, str, Callable[[], object]]]) -> None:
        """Put a question away, if it is the one that is shown."""
        if self._buttons and list(choices) == self._asked:
            self.dismiss()

    def _choose(self, does: Callable[[], object]) -> None:
        self.dismiss()
        does()

    def dismiss(self) -> None:
        """Put this message away; an error from before it is shown again."""
        self._clear()
        if self.unread:
            self._put(self.unread.pop(), "error")

    def forget(self, texts: Collection[str]) -> None:
        """Put messages away that no longer hold; a question is put away by who asked it."""
        self.unread = [text for text in self.unread if text not in texts]
        if self.text in texts and not self._buttons:
            self.dismiss()

    def clear(self) -> None:
        """Show nothing, and forget what was not read."""
        self.unread.clear()
        self._clear()

    def _keep_unread(self, coming: str) -> None:
        if self.level == "error" and self.text != coming and self.text not in self.unread:
            self.unread.append(self.text)
        if coming in self.unread:
            self.unread.remove(coming)

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.text)

    def _clear(self) -> None:
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
        self._clear()
        self.level = level
        self._text.setText(text)
        self.copy.setVisible(level in ("error", "warning"))
        self._more.setText(f"+{len(self.unread)}" if self.unread else "")
        self._more.setToolTip("Errors that wait behind this one" if self.unread else "")
        self.setStyleSheet(
            f"#fada-message {{ background: {MESSAGES[level]}; border-radius: 4px; }}"
            "#fada-message QLabel, #fada-message QToolButton, #fada-message QScrollArea,"
            "#fada-message QScrollArea > QWidget > QWidget"
            "{ color: white; background: transparent; }"
            "#fada-message QToolButton:focus, #fada-message QPushButton:focus"
            "{ border: 1px solid white; }"
        )
        self.show()
        self._fit()

    def _fit(self) -> None:
        """Be as high as the text, up to a few lines; the rest is scrolled."""
        width = max(120, self.width() - 70)
        line = self._text.fontMetrics().lineSpacing()
        height = self._text.heightForWidth(width)
        self._area.setFixedHeight(min(max(height, line), LINES * line) + 4)
        # A bar that comes while the text finds its place takes the room that the text needs.
        policy, fits = Qt.ScrollBarPolicy, height <= LINES * line + 4
        self._area.setVerticalScrollBarPolicy(
            policy.ScrollBarAlwaysOff if fits else policy.ScrollBarAsNeeded
        )

    def resizeEvent(self, event: object) -> None:  # noqa: N802
        """Fit the text to the new width."""
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._fit()


def _unhear(heard: Iterable[tuple[Any, Callable[..., object]]], *_: object) -> None:
    for signal, does in heard:
        signal.disconnect(does, missing_ok=True)
