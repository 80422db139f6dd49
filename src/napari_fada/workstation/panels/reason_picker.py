"""Asks why something is rejected, without standing in the way: a digit, or some words."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QFrame, QGridLayout, QLineEdit, QPushButton, QVBoxLayout

from napari_fada.vocabulary import vocabulary
from napari_fada.workstation.panels.told import Told


class ReasonPicker(QFrame):
    """Six reasons with the keys 1 to 6, and a line for others; the window stays usable.

    Parameters
    ----------
    leave : callable
        Called when it closes: gives the keyboard back to the canvas.
    """

    def __init__(self, leave: Callable[[], object]) -> None:
        super().__init__()
        self.setObjectName("fada-reason")
        self._leave = leave
        self._done: Callable[[str], object] | None = None
        self.title = Told()
        self.title.setWordWrap(True)
        self.buttons: list[QPushButton] = []
        grid = QGridLayout()
        grid.setSpacing(2)
        for i, reason in enumerate(vocabulary().reasons):
            button = QPushButton(f"{i + 1}  {reason.long_name}")
            button.setToolTip(f"Reject because: {reason.long_name} ({i + 1})")
            button.setStyleSheet("text-align: left; padding: 2px 6px;")
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.clicked.connect(lambda _=False, name=reason.name: self._finish(name))
            self.buttons.append(button)
            grid.addWidget(button, i // 2, i % 2)
        self.words = QLineEdit()
        self.words.setPlaceholderText("1–6, or why in your own words; Enter")
        self.words.setToolTip("A number chooses a reason above; anything else is the reason itself")
        self.words.installEventFilter(self)
        self.words.returnPressed.connect(lambda: self._finish(self.words.text()))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(3)
        layout.addWidget(self.title)
        layout.addLayout(grid)
        layout.addWidget(self.words)
        self.hide()

    def ask(self, title: str, done: Callable[[str], object], *, listed: bool = True) -> None:
        """Ask for a reason; Enter gives none, Escape leaves everything as it is.

        Parameters
        ----------
        title : str
            What is about to be rejected.
        done : callable
            Gets the reason.
        listed : bool
            Whether the reasons for structures are offered.
        """
        self._done = done
        self.title.setText(title)
        self.words.clear()
        for button in self.buttons:
            button.setVisible(listed)
        hint = "1–6, or why in your own words; Enter" if listed else "Why, if you like; Enter"
        self.words.setPlaceholderText(hint)
        self.show()
        self.words.setFocus()

    def close_quietly(self) -> None:
        """Reject nothing."""
        self._done = None
        if not self.isHidden():
            self.hide()
            self._leave()

    def _finish(self, reason: str) -> None:
        done, self._done = self._done, None
        self.hide()
        self._leave()
        if done is not None:
            done(reason.strip())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Take a digit as a reason, Escape as a change of mind."""
        if event is not None and event.type() == QEvent.Type.KeyPress:
            if event.key() == Qt.Key.Key_Escape:  # type: ignore[attr-defined]
                self.close_quietly()
                return True
            text = event.text()  # type: ignore[attr-defined]
            listed = self.buttons[0].isVisibleTo(self)
            if listed and not self.words.text() and text.isdigit():
                if 1 <= int(text) <= len(self.buttons):
                    self.buttons[int(text) - 1].click()
                return True
        return super().eventFilter(watched, event)
