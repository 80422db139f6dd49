"""Paints the rows of the worklist: picture, name over view and classes, state as a chip."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QModelIndex, QRect, QSize, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPalette
from qtpy.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from napari_fada.records.worklist import Item
from napari_fada.workstation.theme import CHIPS, MESSAGES, palette_on
from napari_fada.workstation.worklist.table_model import ITEM, PRESENT, SCAN, SIDE, STATE
from napari_fada.workstation.worklist.table_model import second_line as second_line_of

HEIGHT = SIDE + 6
PROBLEM = CHIPS["rejected"]
EDGE = QColor(255, 255, 255, 90)  # or the chip of a new scan would not be seen in a chosen row


class RowPainter(QStyledItemDelegate):
    """Draws one cell; nothing is kept for a row."""

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex) -> QSize:  # noqa: N802
        """Return the height of all rows."""
        return QSize(10, HEIGHT)

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw a cell."""
        if painter is None or index.column() not in (SCAN, STATE):
            super().paint(painter, option, index)
            return
        self.initStyleOption(option, index)
        item: Item = index.data(ITEM)
        option.text = ""
        option.icon = type(option.icon)()
        option.features &= ~QStyleOptionViewItem.ViewItemFeature.HasDecoration
        style = option.widget.style() if option.widget else QApplication.style()
        assert style is not None
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if index.column() == SCAN:
            self._scan(painter, option, index, item)
        else:
            chip = PROBLEM if item.problem else CHIPS[item.state]
            self._chip(painter, option.rect, str(index.data()), chip)
        painter.restore()

    def _scan(self, painter: QPainter, option: Any, index: QModelIndex, item: Item) -> None:
        rect: QRect = option.rect
        palette = palette_on(option.widget)
        present = bool(index.data(PRESENT))
        if present:
            painter.fillRect(
                QRect(rect.left(), rect.top(), 4, rect.height()), QColor(palette.focus)
            )
        picture = index.data(Qt.ItemDataRole.DecorationRole)
        frame = QRect(rect.left() + 6, rect.top() + 3, SIDE, SIDE)
        if picture is not None:
            ratio = picture.devicePixelRatio()
            width, height = round(picture.width() / ratio), round(picture.height() / ratio)
            at = QRect(0, 0, width, height)
            at.moveCenter(frame.center())
            painter.drawPixmap(at, picture)
        else:
            painter.fillRect(frame, QColor(128, 128, 128, 50))
        colour = option.palette.color(QPalette.ColorRole.Text)
        left = frame.right() + 7
        half = rect.height() // 2
        told = second_line_of(item)
        upper = QRect(left, rect.top() + 4, rect.right() - left - 2, half - 4)
        if not told:
            upper.setBottom(rect.bottom() - 4)
        lower = QRect(left, rect.top() + half, rect.right() - left - 2, half - 5)
        if item.odd:
            upper.setRight(upper.right() - self._odd(painter, upper))
        font = QFont(option.font)
        font.setBold(present)
        painter.setFont(font)
        painter.setPen(colour)
        _line(painter, upper, item.name, Qt.TextElideMode.ElideMiddle)
        font = QFont(option.font)
        font.setPointSizeF(font.pointSizeF() * 0.9)
        painter.setFont(font)
        faint = QColor(colour)
        faint.setAlpha(185)
        painter.setPen(QColor(palette.failed) if item.problem else faint)
        _line(painter, lower, told, Qt.TextElideMode.ElideRight)

    def _odd(self, painter: QPainter, line: QRect) -> int:
        """Draw the badge of a scan on which something does not fit; return its width."""
        side = painter.fontMetrics().height()
        badge = QRect(line.right() - side, 0, side, side)
        badge.moveTop(line.center().y() - side // 2)
        painter.setPen(EDGE)
        painter.setBrush(QColor(MESSAGES["warning"]))
        painter.drawEllipse(badge)
        font = QFont(painter.font())
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor("white"))
        painter.drawText(badge, int(Qt.AlignmentFlag.AlignCenter), "!")
        return side + 4

    def _chip(self, painter: QPainter, rect: QRect, text: str, colour: str) -> None:
        height = painter.fontMetrics().height() + 4
        chip = QRect(rect.left() + 2, 0, rect.width() - 4, height)
        chip.moveTop(rect.center().y() - height // 2)
        painter.setPen(EDGE)
        painter.setBrush(QColor(colour))
        painter.drawRoundedRect(chip, height / 2, height / 2)
        painter.setPen(QColor("white"))
        painter.drawText(chip, int(Qt.AlignmentFlag.AlignCenter), text)


def _line(painter: QPainter, rect: QRect, text: str, mode: Qt.TextElideMode) -> None:
    shown = painter.fontMetrics().elidedText(text, mode, rect.width())
    painter.drawText(rect, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), shown)
