"""Marks words that are not known, and offers what may be meant."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtGui import QSyntaxHighlighter, QTextCharFormat, QTextCursor
from qtpy.QtWidgets import QMenu, QPlainTextEdit

from napari_fada.records.spelling import Unknown
from napari_fada.workstation.writing_aids import WritingAids


def units(text: str) -> int:
    """Return the length of a text as Qt counts it (UTF-16)."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def upto(text: str, position: int) -> str:
    """Return what stands before a position of Qt's in a text."""
    return text.encode("utf-16-le", "surrogatepass")[: 2 * position].decode("utf-16-le", "ignore")


class SpellingMarks(QSyntaxHighlighter):
    """Underlines unknown words; the text itself is not touched.

    The word that is being written is left alone until the cursor leaves it.

    Parameters
    ----------
    field : QPlainTextEdit
        Where.
    aids : WritingAids
        Knows the words.
    """

    def __init__(self, field: QPlainTextEdit, aids: WritingAids) -> None:
        document = field.document()
        assert document is not None
        super().__init__(document)
        self._document = document
        self._field, self._aids = field, aids
        self._format = QTextCharFormat()
        self._format.setUnderlineStyle(QTextCharFormat.UnderlineStyle.SpellCheckUnderline)
        self._format.setUnderlineColor(Qt.GlobalColor.red)
        self._at = (-1, -1)
        field.cursorPositionChanged.connect(self._on_cursor)
        aids.changed.connect(self._mark_again)

    def _mark_again(self) -> None:
        self.rehighlight()

    def highlightBlock(self, text: str | None) -> None:  # noqa: N802
        """Mark the unknown words of a line."""
        if not text or not self._aids.spelling_on:
            return
        cursor = self._field.textCursor()
        here = cursor.positionInBlock() if cursor.block() == self.currentBlock() else -1
        for start, end, _ in self._aids.speller.unknown(text):
            begin, finish = units(text[:start]), units(text[:end])
            if not (self._field.hasFocus() and begin < here <= finish and self._typing):
                self.setFormat(begin, finish - begin, self._format)

    @property
    def _typing(self) -> bool:
        return self._document.isModified()

    def _on_cursor(self) -> None:
        block = self._field.textCursor().block()
        if text := block.text():
            word = self.unknown_at(self._field.textCursor())
            at = (block.blockNumber(), word.start if word else -1)
            if at != self._at and text:
                self._at = at
                self.rehighlightBlock(block)

    def unknown_at(self, cursor: QTextCursor) -> Unknown | None:
        """Return the unknown word at a cursor, with its place in the line."""
        if not self._aids.spelling_on:
            return None
        text = cursor.block().text()
        here = len(upto(text, cursor.positionInBlock()))
        found = self._aids.speller.unknown(text)
        return next((u for u in found if u.start <= here <= u.end), None)

    def select_next(self) -> bool:
        """Select the next unknown word after the cursor, from the top if there is none below."""
        if not self._aids.spelling_on:
            return False
        cursor = self._field.textCursor()
        places = self._places()
        later = [place for place in places if place[0] >= cursor.selectionEnd()]
        for begin, end in (later or places)[:1]:
            cursor.setPosition(begin)
            cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
            self._field.setTextCursor(cursor)
        return bool(places)

    def _places(self) -> list[tuple[int, int]]:
        places = []
        block = self._document.begin()
        while block.isValid():
            text = block.text()
            for start, end, _ in self._aids.speller.unknown(text):
                at = block.position()
                places.append((at + units(text[:start]), at + units(text[:end])))
            block = block.next()
        return places

    def fill_menu(self, menu: QMenu, cursor: QTextCursor) -> None:
        """Put suggestions for the word at a cursor on top of a menu."""
        found = self.unknown_at(cursor)
        if found is None:
            return
        first = next(iter(menu.actions()), None)

        def add(text: str, does: Callable[[], object], enabled: bool = True) -> None:
            action = menu.addAction(text)
            assert action is not None
            action.setEnabled(enabled)
            action.triggered.connect(lambda _=False: does())
            menu.insertAction(first, action)

        suggestions = self._aids.speller.suggestions(found.word)
        for word in suggestions:
            add(word, lambda word=word: self._replace(cursor, found, word))  # type: ignore[misc]
        if not suggestions:
            add("no suggestion", lambda: None, enabled=False)
        add(f"Add “{found.word}” to the project's words", lambda: self._aids.add_word(found.word))
        menu.insertSeparator(first)

    def _replace(self, cursor: QTextCursor, found: Unknown, word: str) -> None:
        block = cursor.block()
        text, at = block.text(), block.position()
        cursor.setPosition(at + units(text[: found.start]))
        cursor.setPosition(at + units(text[: found.end]), QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText(word)
