"""Texts that come from data (names of files, counts, messages): they never ask for room.

A dock is as wide as what stands in it asks for. A text that grows, because a name is long or a
drive is slow, would take the room from the scan, and would not give it back.
"""

from __future__ import annotations

import re

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPalette
from qtpy.QtWidgets import QLabel, QStyle, QToolTip, QWidget

#: No more than so many letters' room is asked for, however long the text is.
LETTERS = 6
#: A word that is longer than so many letters may be broken, where it is wrapped.
_LONG = re.compile(r"[^\s\u200b]{21,}")
_MARKUP = re.compile(r"</?(?:b|i|p|br|span|a)\b[^<>]*>")
_EVERY = re.compile(r"(.{20})")


class Told(QLabel):
    """A label that takes the room there is: one line ends in "…", wrapped words are broken.

    The whole text stands in the tip where it is cut.

    Parameters
    ----------
    text : str
        At first.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self.setText(text)

    def text(self) -> str:
        """Return the text as it was set."""
        return self._text

    def setText(self, text: str | None) -> None:  # noqa: N802
        """Show a text."""
        self._text = text or ""
        plain = not self._is_rich()
        super().setText(_breakable(self._text) if plain and self.wordWrap() else self._text)

    def clear(self) -> None:
        """Show no text."""
        self.setText("")

    def setWordWrap(self, on: bool) -> None:  # noqa: N802
        """Wrap the text, or show one line of it."""
        super().setWordWrap(on)
        self.setText(self._text)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Ask for a few letters' width at most."""
        hint = super().minimumSizeHint()
        return QSize(
            min(hint.width(), LETTERS * self.fontMetrics().averageCharWidth()), hint.height()
        )

    @property
    def cut(self) -> bool:
        """Whether a part of the text is not seen."""
        return not self.wordWrap() and self.sizeHint().width() > self.width()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the text, with "…" where it does not fit."""
        if not self.cut or self._is_rich():
            super().paintEvent(event)
            return
        room = self.contentsRect().adjusted(self.margin(), 0, -self.margin(), 0)
        shown = self.fontMetrics().elidedText(
            self._text.replace("\n", " "), Qt.TextElideMode.ElideRight, room.width()
        )
        painter, style = QPainter(self), self.style()
        assert isinstance(style, QStyle)
        style.drawItemText(
            *(painter, room, int(self.alignment()), self.palette(), self.isEnabled(), shown),
            QPalette.ColorRole.WindowText,
        )
        painter.end()

    def event(self, event: QEvent | None) -> bool:
        """Show the whole text in the tip where it is cut."""
        if event is not None and event.type() == QEvent.Type.ToolTip and self.cut:
            tip = "\n".join(part for part in (self._text, self.toolTip()) if part)
            QToolTip.showText(event.globalPos(), tip, self)  # type: ignore[attr-defined]
            return True
        return bool(super().event(event))

    def _is_rich(self) -> bool:
        form = self.textFormat()
        if form == Qt.TextFormat.AutoText:
            return _MARKUP.search(self._text) is not None
        return form == Qt.TextFormat.RichText


def _breakable(text: str) -> str:
    """Return a text whose long words may be broken anywhere (a space of no width says so)."""
    return _LONG.sub(lambda word: _EVERY.sub("\\1\u200b", word.group()), text)
