"""One text field of the report: typed into, kept at once, helped with phrases and spelling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from psygnal import Signal
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QInputMethodEvent,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPalette,
    QTextCursor,
)
from qtpy.QtWidgets import QMenu, QPlainTextEdit

from napari_fada.records.phrases import Offer, clause_before
from napari_fada.workstation.panels.report_spelling import SpellingMarks, units, upto
from napari_fada.workstation.writing_aids import WritingAids

IDLE_MS = 250
LONGEST_MS = 1000
_SHIFT = Qt.KeyboardModifier.ShiftModifier

TIP = (
    "Tab and Shift-Tab walk through the fields; Ctrl-Enter keeps and goes back to the scan; "
    "Escape takes the typing back. Down offers phrases, Tab takes the one that is shown in grey. "
    "F7 next unknown word, F3 what changed, Alt-Backspace back to the model's words."
)


class ReportField(QPlainTextEdit):
    """A text of two lines.

    What is typed is handed over after a quarter of a second without a key, after a second of
    typing on, and when the field is left. What is handed over is what was typed: no letter is
    changed, whatever language or input method it comes from.

    Parameters
    ----------
    key : str
        Of the report.
    aids : WritingAids
        Phrases and spelling.
    """

    edited: ClassVar[Signal] = Signal()
    left: ClassVar[Signal] = Signal()
    done: ClassVar[Signal] = Signal()
    offered: ClassVar[Signal] = Signal()
    undo_asked: ClassVar[Signal] = Signal()
    back_asked: ClassVar[Signal] = Signal()
    diff_asked: ClassVar[Signal] = Signal()
    diffs_asked: ClassVar[Signal] = Signal()

    def __init__(self, key: str, aids: WritingAids) -> None:
        super().__init__()
        self.key, self._aids = key, aids
        document, canvas = self.document(), self.viewport()
        assert document is not None
        assert canvas is not None
        self._document, self._canvas = document, canvas
        self.offers: Sequence[Offer] = ()
        self.chosen = -1
        self.dirty = False
        self._composing = False
        self._putting = False
        self._last = self._before = ""
        self.setTabChangesFocus(True)
        self.setMinimumHeight(26)
        self.setToolTip(TIP)
        self.marks = SpellingMarks(self, aids)
        self._idle, self._longest = QTimer(self), QTimer(self)
        for timer, milliseconds in ((self._idle, IDLE_MS), (self._longest, LONGEST_MS)):
            timer.setSingleShot(True)
            timer.setInterval(milliseconds)
            timer.timeout.connect(self.flush)
        self.textChanged.connect(self._on_text)
        self.cursorPositionChanged.connect(self._on_cursor)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Ask for two lines: Qt's own wish is for a page."""
        return QSize(super().sizeHint().width(), self.minimumHeight())

    # Text

    def text(self) -> str:
        """Return the text to the letter; toPlainText() makes blanks of no-break spaces."""
        raw: str = self._document.toRawText()
        return raw.replace("\u2029", "\n").replace("\u2028", "\n")

    def put(self, text: str) -> None:
        """Show a text without taking it for an edit; what is being typed is left alone."""
        if self.dirty or self._composing or self.text() == text:
            return
        self._putting = True
        self.setPlainText(text)
        self._putting = False
        self._last = self._before = self.text()
        self.hide_offers()

    def flush(self) -> None:
        """Hand over what was typed, if it was not yet."""
        self._idle.stop()
        self._longest.stop()
        if self.dirty:
            self.edited.emit()

    def _on_text(self) -> None:
        text = self.text()
        if text == self._last or self._putting:  # underlining a word is told as a change, too
            return
        self._last = text
        self.dirty = True
        self._idle.start()
        if not self._longest.isActive():
            self._longest.start()
        self._offer()

    def _type(self, cursor: QTextCursor, text: str) -> None:
        cursor.insertText(text)
        self.setTextCursor(cursor)

    def take_back_typing(self) -> None:
        """Put back what was here when the field was entered; undo brings the typing back."""
        cursor = self.textCursor()
        cursor.select(QTextCursor.SelectionType.Document)
        self._type(cursor, self._before)
        self.hide_offers()
        self.flush()

    # Phrases

    def typed(self) -> str:
        """Return what was typed of the clause before the cursor."""
        cursor = self.textCursor()
        text = upto(cursor.block().text(), cursor.positionInBlock())
        return clause_before(text, len(text))

    def _offer(self, always: bool = False) -> None:
        cursor = self.textCursor()
        typed = self.typed()
        free = cursor.atBlockEnd() and not cursor.hasSelection() and not self._composing
        wanted = free and self.hasFocus() and (always or bool(typed))
        self.offers = self._aids.offers(self.key, typed) if wanted else ()
        self.chosen = -1
        self._show_offers()

    def _show_offers(self) -> None:
        self.offered.emit()
        self._canvas.update()

    def hide_offers(self) -> None:
        """Offer nothing until more is typed."""
        if self.offers:
            self.offers, self.chosen = (), -1
            self._show_offers()

    def _on_cursor(self) -> None:
        if self.offers and not self.textCursor().atBlockEnd():
            self.hide_offers()

    @property
    def ghost(self) -> str:
        """What Tab would add, shown in grey behind the cursor."""
        if not self.offers or (self.chosen < 0 and not self.typed()):
            return ""
        return self.offers[max(0, self.chosen)].text[len(self.typed()) :]

    def take(self, number: int) -> None:
        """Put a phrase that is offered in place of what was typed of its clause."""
        if number >= len(self.offers):
            return
        phrase = self.offers[number].text
        cursor = self.textCursor()
        begin = cursor.position() - units(self.typed())
        cursor.setPosition(begin, QTextCursor.MoveMode.KeepAnchor)
        self._type(cursor, phrase)
        self.hide_offers()

    # Keys

    def focusNextPrevChild(self, forward: bool) -> bool:  # noqa: N802
        """Let Tab take the phrase in grey; without one it goes to the next field."""
        if forward and self.ghost:
            self.take(max(0, self.chosen))
            return True
        return super().focusNextPrevChild(forward)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Do what a key means here; all others type."""
        if event is not None and not self._own_key(event):
            super().keyPressEvent(event)
            if event.key() in (Qt.Key.Key_Backspace, Qt.Key.Key_Delete):
                self.hide_offers()  # who takes away wants no more

    def _own_key(self, event: QKeyEvent) -> bool:
        key, modifiers = Qt.Key(event.key()), event.modifiers()
        control = bool(modifiers & Qt.KeyboardModifier.ControlModifier)
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if control:
                self.flush()
                self.done.emit()
            elif self.chosen >= 0:
                self.take(self.chosen)
            else:
                return False
        elif key == Qt.Key.Key_Escape:
            self._escape()
        elif key == Qt.Key.Key_Down and not modifiers & ~Qt.KeyboardModifier.KeypadModifier:
            return self._down()
        elif key == Qt.Key.Key_Up and self.chosen >= 0:
            self.chosen -= 1
            self._show_offers()
        elif key == Qt.Key.Key_F7:
            self.show_suggestions()
        elif key == Qt.Key.Key_F3:
            (self.diffs_asked if modifiers & _SHIFT else self.diff_asked).emit()
        elif key == Qt.Key.Key_Backspace and modifiers & Qt.KeyboardModifier.AltModifier:
            self.back_asked.emit()
        elif event.matches(QKeySequence.StandardKey.Undo) and not self._document.isUndoAvailable():
            self.undo_asked.emit()  # nothing typed since: the project's own undo
        else:
            return False
        return True

    def _escape(self) -> None:
        if self.offers:
            self.hide_offers()
        elif self.text() != self._before:
            self.take_back_typing()
        else:
            self.done.emit()

    def _down(self) -> bool:
        if not self.offers:
            if self.textCursor().block().next().isValid():
                return False
            self._offer(always=True)
            if not self.offers:
                return False
        self.chosen = min(self.chosen + 1, len(self.offers) - 1)
        self._show_offers()
        return True

    def show_suggestions(self) -> None:
        """Go to the next unknown word and open the menu of what may be meant."""
        if self.marks.select_next():
            self.word_menu().popup(self._canvas.mapToGlobal(self.cursorRect().bottomLeft()))

    def word_menu(self, cursor: QTextCursor | None = None) -> QMenu:
        """Return the menu of a place in the text, suggestions on top."""
        menu = self.createStandardContextMenu()
        assert menu is not None
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.marks.fill_menu(menu, cursor or self.textCursor())
        return menu

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:  # noqa: N802
        """Open the menu with suggestions for the word that was clicked."""
        if event is not None:
            by_mouse = event.reason() == QContextMenuEvent.Reason.Mouse
            cursor = self.cursorForPosition(event.pos()) if by_mouse else self.textCursor()
            self.word_menu(cursor).popup(event.globalPos())

    def inputMethodEvent(self, event: QInputMethodEvent | None) -> None:  # noqa: N802
        """Let an input method compose undisturbed."""
        if event is not None:
            self._composing = bool(event.preeditString())
            if self._composing:
                self.hide_offers()
            super().inputMethodEvent(event)

    # Coming and going

    def focusInEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Remember what was here."""
        super().focusInEvent(event)
        if event is None or event.reason() != Qt.FocusReason.PopupFocusReason:
            self._before = self.text()
            self._document.setModified(False)

    def focusOutEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Hand over what was typed."""
        super().focusOutEvent(event)
        if event is not None and event.reason() == Qt.FocusReason.PopupFocusReason:
            return
        self.hide_offers()
        self.flush()
        self._document.clearUndoRedoStacks()
        self.marks.rehighlight()
        self.left.emit()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the text, and in grey what Tab would add."""
        super().paintEvent(event)
        ghost = self.ghost
        if not ghost:
            return
        rect = self.cursorRect()
        rect.setLeft(rect.left() + 1)
        rect.setRight(self._canvas.width() - 2)
        painter = QPainter(self._canvas)
        painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
        shown = self.fontMetrics().elidedText(ghost, Qt.TextElideMode.ElideRight, rect.width())
        painter.drawText(rect, int(Qt.AlignmentFlag.AlignVCenter), shown)
        painter.end()
