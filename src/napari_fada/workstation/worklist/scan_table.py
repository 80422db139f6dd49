"""The table of the worklist: looks, keys, selection."""

from __future__ import annotations

from typing import Any, ClassVar

from psygnal import Signal
from qtpy.QtCore import QEvent, QItemSelectionModel, QSize, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_fada.records.worklist import Item
from napari_fada.workstation.worklist.row_painter import HEIGHT, RowPainter
from napari_fada.workstation.worklist.table_model import (
    SCAN,
    SCORE,
    SIDE,
    STATE,
    WORDS,
    WorklistModel,
)

_AT_TOP = QAbstractItemView.ScrollHint.PositionAtTop
_FLAGS = QItemSelectionModel.SelectionFlag


class ScanTable(QTableView):
    """Shows the rows; Enter and a double click open one, Escape leaves.

    Parameters
    ----------
    model : WorklistModel
        Has the rows.
    """

    opened: ClassVar[Signal] = Signal(object)
    left: ClassVar[Signal] = Signal()

    def __init__(self, model: WorklistModel) -> None:
        super().__init__()
        self.rows = model
        self.setModel(model)
        self.setItemDelegate(RowPainter(self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setIconSize(QSize(SIDE, SIDE))
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        assert rows is not None
        assert columns is not None
        rows.hide()
        rows.setDefaultSectionSize(HEIGHT)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        columns.setSectionResizeMode(SCAN, QHeaderView.ResizeMode.Stretch)
        for column in (STATE, SCORE):
            columns.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
        self._measure()
        self.doubleClicked.connect(lambda index: self.open_row(index.row()))

    def _measure(self) -> None:
        """Make room for the texts at their size."""
        rows, columns, letters = self.verticalHeader(), self.horizontalHeader(), self.fontMetrics()
        if rows is None or columns is None:
            return
        rows.setDefaultSectionSize(max(HEIGHT, 2 * letters.lineSpacing() + 8))
        widest = max(letters.horizontalAdvance(word) for word in WORDS.values())
        columns.resizeSection(STATE, max(84, widest + 26))
        columns.resizeSection(SCORE, max(44, letters.horizontalAdvance("Score") + 14))

    def changeEvent(self, event: Any) -> None:  # noqa: N802
        """Follow the text size."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._measure()

    def selected(self) -> list[Item]:
        """Return the selected rows, from the top."""
        selection = self.selectionModel()
        assert selection is not None
        return [self.rows.items[row] for row in sorted(i.row() for i in selection.selectedRows())]

    def put(self, items: list[Item], present: int | None) -> None:
        """Show other rows; what was selected stays so, and the view stays where it was."""
        ids, top = [item.id for item in self.selected()], self.rowAt(0)
        self.rows.put(items)
        selection = self.selectionModel()
        assert selection is not None
        rows = [row for row in map(self.rows.row_of, ids) if row is not None]
        if rows:
            selection.setCurrentIndex(self.rows.index(rows[0], SCAN), _FLAGS.NoUpdate)
        for row in rows:
            selection.select(self.rows.index(row, SCAN), _FLAGS.Select | _FLAGS.Rows)
        at = self.rows.row_of(present)
        if at is not None and at in rows:
            self.scrollTo(self.rows.index(at, SCAN))
        elif 0 <= top < self.rows.rowCount():
            self.scrollTo(self.rows.index(top, SCAN), _AT_TOP)

    def go_to(self, identifier: int | None) -> None:
        """Select a row and bring it into sight."""
        row = self.rows.row_of(identifier)
        if row is not None:
            self.setCurrentIndex(self.rows.index(row, SCAN))
            self.scrollTo(self.rows.index(row, SCAN))

    def enter(self) -> None:
        """Take the keys; the first row is chosen if none is."""
        self.setFocus()
        if not self.currentIndex().isValid() and self.rows.rowCount():
            self.setCurrentIndex(self.rows.index(0, SCAN))

    def open_row(self, row: int) -> None:
        """Ask for the scan of a row."""
        self.opened.emit(self.rows.items[row])

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802
        """Open with Enter, leave with Escape; letters are the canvas's."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self.currentIndex().isValid():
                self.open_row(self.currentIndex().row())
        elif event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif event.modifiers() & Qt.KeyboardModifier.AltModifier or event.text().isalpha():
            event.ignore()
        else:
            super().keyPressEvent(event)
