"""The lines of the history as a list of Qt: read page by page, drawn with time and rater."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from qtpy.QtCore import QAbstractListModel, QModelIndex, QRect, QSize, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPalette
from qtpy.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from napari_fada.records.history import WHOLE
from napari_fada.records.timeline import Line
from napari_fada.workstation.theme import PAST

NO_INDEX = QModelIndex()
ROW = 24
TIME_WIDTH = 44


def local(at: str) -> datetime:
    """Return a moment of the log in the time zone of this computer."""
    return datetime.fromisoformat(at).astimezone()


def clock(at: str) -> str:
    """Return hour and minute; with the day, if that is not today."""
    when = local(at)
    day = "" if when.date() == datetime.now().astimezone().date() else f"{when:%d %b} "
    return f"{day}{when:%H:%M}"


def heading(at: str) -> str:
    """Return day and hour that a line stands under."""
    when, today = local(at), datetime.now().astimezone().date()
    day = {today: "Today", today - timedelta(days=1): "Yesterday"}.get(when.date())
    return f"{day or f'{when:%A, %d %B %Y}'}, {when:%H}:00"


class LinesModel(QAbstractListModel):
    """Lines under headings of day and hour, the newest first.

    Parameters
    ----------
    read : callable
        Returns the lines before an edit (None: the newest); at most a page.
    """

    def __init__(self, read: Callable[[int | None], list[Line]]) -> None:
        super().__init__()
        self._read = read
        self._rows: list[Line | str] = []
        self._last: Line | None = None
        self._more = False
        self._many_frames = False

    def begin(self, many_frames: bool) -> None:
        """Forget all lines and read the newest."""
        self.beginResetModel()
        self._many_frames = many_frames
        self._rows, self._last = [], None
        self._rows = self._next()
        self.endResetModel()

    def _next(self) -> list[Line | str]:
        found = self._read(self._last.first if self._last else None)
        self._more = bool(found)
        rows: list[Line | str] = []
        under = heading(self._last.at) if self._last else ""
        for line in found:
            if heading(line.at) != under:
                under = heading(line.at)
                rows.append(under)
            rows.append(line)
            self._last = line
        return rows

    def line(self, row: int) -> Line | None:
        """Return the line in a row; None for a heading."""
        found = self._rows[row] if 0 <= row < len(self._rows) else None
        return found if isinstance(found, Line) else None

    def rowCount(self, parent: QModelIndex = NO_INDEX) -> int:  # noqa: N802
        """Return how many rows were read so far."""
        return 0 if parent.isValid() else len(self._rows)

    def canFetchMore(self, parent: QModelIndex = NO_INDEX) -> bool:  # noqa: N802
        """Tell whether there are older lines."""
        return not parent.isValid() and self._more

    def fetchMore(self, parent: QModelIndex = NO_INDEX) -> None:  # noqa: N802
        """Read the next page (the list asks for it when it is scrolled to the end)."""
        rows = self._next()
        if rows:
            at = len(self._rows)
            self.beginInsertRows(parent, at, at + len(rows) - 1)
            self._rows += rows
            self.endInsertRows()

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Headings cannot be chosen."""
        if self.line(index.row()) is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text of a row, or what its tooltip says."""
        if not 0 <= index.row() < len(self._rows):
            return None
        row = self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row if isinstance(row, str) else self.text(row)
        if role == Qt.ItemDataRole.ToolTipRole and isinstance(row, Line):
            who = row.rater or "nobody named"
            undone = " It does not count now: it was undone." if row.undone else ""
            return f"{local(row.at):%d %b %Y, %H:%M:%S}, {who}: {self.text(row)}.{undone}"
        return None

    def text(self, line: Line) -> str:
        """Return what was done and, on a clip, where."""
        if not self._many_frames or line.frames == (WHOLE,):
            return line.text
        frames = [str(f + 1) for f in line.frames if f != WHOLE]
        where = f"frame {frames[0]}" if len(frames) == 1 else f"{len(frames)} frames"
        return f"{line.text} · {where}"


class LineDelegate(QStyledItemDelegate):
    """Draws time, text and rater in one row; what was undone is grey and struck out."""

    def __init__(self, view: QListView) -> None:
        super().__init__(view)
        self._view = view

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex) -> QSize:  # noqa: N802
        """Return one height for all rows."""
        return QSize(100, max(ROW, self._view.fontMetrics().height() + 8))

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw a row."""
        assert painter is not None
        model = index.model()
        assert isinstance(model, LinesModel)
        line = model.line(index.row())
        text = str(model.data(index) or "")
        painter.save()
        box = option.rect.adjusted(4, 0, -4, 0)
        colour = option.palette.color(QPalette.ColorRole.Text)
        dim = QColor(colour)
        dim.setAlpha(150)
        centre = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        if line is None:
            font = QFont(option.font)
            font.setBold(True)
            painter.setFont(font)
            painter.setPen(dim)
            painter.drawText(box, centre, text)
            painter.restore()
            return
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, QColor(PAST))
            colour, dim = QColor("white"), QColor("white")
        metrics = option.fontMetrics
        painter.setPen(dim)
        painter.drawText(box, centre, f"{local(line.at):%H:%M}")
        who = metrics.elidedText(line.rater, Qt.TextElideMode.ElideRight, 70)
        width = metrics.horizontalAdvance(who)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, who)
        if line.undone:
            font = QFont(option.font)
            font.setStrikeOut(True)
            painter.setFont(font)
            dim.setAlpha(110)
        painter.setPen(dim if line.undone else colour)
        time = max(TIME_WIDTH, metrics.horizontalAdvance("00:00 "))
        middle = QRect(box.left() + time, box.top(), 0, box.height())
        middle.setRight(box.right() - width - 8)
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, middle.width())
        painter.drawText(middle, centre, shown)
        painter.restore()
