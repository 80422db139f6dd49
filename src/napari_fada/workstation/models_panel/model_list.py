"""The list of models: two lines for each and its state as a chip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from psygnal import Signal
from qtpy.QtCore import QAbstractListModel, QModelIndex, QRect, QSize, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPalette
from qtpy.QtWidgets import QApplication, QListView, QStyle, QStyledItemDelegate

from napari_fada.workstation.models_panel.rows import STATES, Row
from napari_fada.workstation.theme import CHIPS, palette_on

ROW = Qt.ItemDataRole.UserRole + 1
USED = Qt.ItemDataRole.UserRole + 2
_CHIP_EDGE = QColor(255, 255, 255, 90)
_GAP = 5


class ModelRows(QAbstractListModel):
    """Has the rows; ``used`` is the name of the model that reads scans now."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.rows: tuple[Row, ...] = ()
        self.used = ""

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        """Return the number of models."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what is shown, or the row itself."""
        row = self.rows[index.row()]
        if role == ROW:
            return row
        if role == USED:
            return self._is_used(row)
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title
        if role == Qt.ItemDataRole.AccessibleTextRole:
            used = ", reads scans now" if self._is_used(row) else ""
            return f"{row.title}, {STATES[row.state][0]}{used}, {row.second_line}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.problem or (str(row.entry.home) if row.entry else row.second_line)
        return None

    def put(self, rows: Sequence[Row]) -> None:
        """Show other rows."""
        self.beginResetModel()
        self.rows = tuple(rows)
        self.endResetModel()

    def use(self, name: str) -> None:
        """Mark another model as the one that reads scans."""
        if name != self.used:
            self.used = name
            self.dataChanged.emit(self.index(0), self.index(max(0, len(self.rows) - 1)))

    def _is_used(self, row: Row) -> bool:
        return row.entry is not None and row.state != "shadowed" and row.name == self.used


class ModelPainter(QStyledItemDelegate):
    """Draws a row."""

    def sizeHint(self, option: Any, _index: QModelIndex) -> QSize:  # noqa: N802
        """Return two lines and some air."""
        return QSize(10, 2 * option.fontMetrics.height() + 12)

    def paint(self, painter: QPainter | None, option: Any, index: QModelIndex) -> None:
        """Draw name, second line, chip, and a bar beside the model that is used."""
        if painter is None:
            return
        self.initStyleOption(option, index)
        option.text = ""
        style = option.widget.style() if option.widget else QApplication.style()
        assert style is not None
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        row: Row = index.data(ROW)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect, line = option.rect, option.fontMetrics.height()
        if index.data(USED):
            focus = QColor(palette_on(option.widget).focus)
            painter.fillRect(QRect(rect.left(), rect.top(), 4, rect.height()), focus)
        small = QFont(option.font)
        small.setPointSizeF(small.pointSizeF() * 0.9)
        words, chip = STATES[row.state]
        painter.setFont(small)
        width = painter.fontMetrics().horizontalAdvance(words) + 16
        at = QRect(rect.right() - width - _GAP, 0, width, painter.fontMetrics().height() + 4)
        at.moveTop(rect.center().y() - at.height() // 2)
        self._chip(painter, at, words, CHIPS[chip])
        colour = option.palette.color(QPalette.ColorRole.Text)
        left = rect.left() + 10
        room = at.left() - _GAP - left
        bold = QFont(option.font)
        bold.setBold(bool(index.data(USED)))
        painter.setFont(bold)
        painter.setPen(colour)
        title = row.title
        if row.entry is not None and row.entry.pinned:
            title += "  (pinned)"
        _text(painter, QRect(left, rect.top() + 5, room, line), title)
        faint = QColor(colour)
        faint.setAlpha(190)
        painter.setFont(small)
        painter.setPen(faint)
        _text(painter, QRect(left, rect.top() + 6 + line, room, line), row.second_line)
        painter.restore()

    def _chip(self, painter: QPainter, at: QRect, words: str, colour: str) -> None:
        painter.setPen(_CHIP_EDGE)
        painter.setBrush(QColor(colour))
        painter.drawRoundedRect(at, at.height() / 2, at.height() / 2)
        painter.setPen(QColor("white"))
        painter.drawText(at, int(Qt.AlignmentFlag.AlignCenter), words)


class ModelList(QListView):
    """Shows the rows; Enter does the first thing for one, Delete removes, Escape leaves."""

    opened: ClassVar[Signal] = Signal()
    removed: ClassVar[Signal] = Signal()
    left: ClassVar[Signal] = Signal()
    chosen: ClassVar[Signal] = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.rows = ModelRows(self)
        self.setModel(self.rows)
        self.setItemDelegate(ModelPainter(self))
        self.setUniformItemSizes(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.doubleClicked.connect(lambda _index: self.opened.emit())

    @property
    def row(self) -> Row | None:
        """The row that is chosen."""
        index = self.currentIndex()
        return self.rows.rows[index.row()] if index.isValid() else None

    def put(self, rows: Sequence[Row]) -> None:
        """Show other rows; the one that was chosen stays so, or else the first is."""
        before = self.row
        self.rows.put(rows)
        keys = [row.key for row in rows]
        at = keys.index(before.key) if before and before.key in keys else None
        if at is None and before is not None:  # downloaded, or taken away: the same name
            at = next((i for i, row in enumerate(rows) if row.name == before.name), None)
        if rows:
            self.setCurrentIndex(self.rows.index(at or 0))
        self.chosen.emit()

    def choose(self, name: str) -> None:
        """Choose the model of a name."""
        at = next((i for i, row in enumerate(self.rows.rows) if row.name == name), None)
        if at is not None:
            self.setCurrentIndex(self.rows.index(at))

    def currentChanged(self, current: QModelIndex, previous: QModelIndex) -> None:  # noqa: N802
        """Tell that another row was chosen."""
        super().currentChanged(current, previous)
        self.chosen.emit()

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802
        """Enter, Delete and Escape; what else has Alt is not ours."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit()
        elif event.key() == Qt.Key.Key_Delete:
            self.removed.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif event.modifiers() & Qt.KeyboardModifier.AltModifier:
            event.ignore()
        else:
            super().keyPressEvent(event)


def _text(painter: QPainter, at: QRect, text: str) -> None:
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, at.width())
    painter.drawText(at, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), shown)
