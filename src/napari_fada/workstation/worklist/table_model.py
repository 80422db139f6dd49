"""The worklist as a table model: the rows are plain values, nothing is made until it is seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

from napari_fada.notice import NOTICE
from napari_fada.records.worklist import Item
from napari_fada.workstation.worklist.pictures import Pictures

HEADERS = ("Scan", "State", "Score")
SCAN, STATE, SCORE = range(3)
ITEM = Qt.ItemDataRole.UserRole
PRESENT = Qt.ItemDataRole.UserRole + 1
SIDE = 40

WORDS: dict[str, str] = {
    "new": "new",
    "proposed": "proposed",
    "imported": "imported",
    "in_review": "in review",
    "accepted": "accepted",
    "corrected": "corrected",
    "rejected": "rejected",
    "skipped": "skipped",
}
MEANS: dict[str, str] = {
    "new": "no model has read it and no one has worked on it",
    "proposed": "a model has read it; no one has looked at that",
    "imported": "labels came in from elsewhere; no one has reviewed them here",
    "in_review": "someone has begun to work on it",
    "accepted": "reviewed: nothing had to be changed",
    "corrected": "reviewed: something was changed, drawn or rejected",
    "rejected": "the scan cannot be used",
    "skipped": "left for another time or another person",
}


class WorklistModel(QAbstractTableModel):
    """Rows of the worklist, in the order in which they came.

    Parameters
    ----------
    pictures : Pictures
        Gives the small pictures.
    """

    def __init__(self, pictures: Pictures) -> None:
        super().__init__()
        self.pictures = pictures
        self._items: list[Item] = []
        self._rows: dict[int, int] = {}
        self._by_hash: dict[str, list[int]] = {}
        self._present: int | None = None
        pictures.arrived.connect(self._on_picture)

    # What Qt asks

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        """Return how many rows there are."""
        return 0 if parent is not None and parent.isValid() else len(self._items)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        """Return how many columns there are."""
        return 0 if parent is not None and parent.isValid() else len(HEADERS)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:  # noqa: N802
        """Return the title of a column."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return HEADERS[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid():
            return None
        item = self._items[index.row()]
        if role == ITEM:
            return item
        if role == PRESENT:
            return item.id == self._present
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(item, index.column())
        if role == Qt.ItemDataRole.AccessibleTextRole:
            told = f"; does not fit: {item.odd}" if item.odd and index.column() == SCAN else ""
            return _text(item, index.column()) + told
        if role == Qt.ItemDataRole.DecorationRole and index.column() == SCAN and item.sha256:
            return self.pictures.get(item.sha256)
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tooltip(item)
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() == SCORE:
            return int(Qt.AlignmentFlag.AlignCenter)
        return None

    # What the panel does

    @property
    def items(self) -> list[Item]:
        """The rows."""
        return self._items

    def put(self, items: list[Item]) -> None:
        """Show these rows."""
        self.beginResetModel()
        self._items = items
        self._rows = {item.id: row for row, item in enumerate(items)}
        self._by_hash = {}
        for row, item in enumerate(items):
            if item.sha256:
                self._by_hash.setdefault(item.sha256, []).append(row)
        self.endResetModel()

    def update(self, items: Iterable[Item]) -> None:
        """Show rows as they are now, where they are; one that is not shown stays out."""
        for item in items:
            row = self._rows.get(item.id)
            if row is None or self._items[row] == item:
                continue
            old, self._items[row] = self._items[row], item
            if item.sha256 and item.sha256 != old.sha256:
                self._by_hash.setdefault(item.sha256, []).append(row)
                self.pictures.forget(item.sha256)
            self._tell(row)

    def row_of(self, identifier: int | None) -> int | None:
        """Return where a row of the list stands, None if it is not shown."""
        return None if identifier is None else self._rows.get(identifier)

    def ids_of(self, sha256: str) -> list[int]:
        """Return the rows of the list that hold a scan."""
        return [self._items[row].id for row in self._by_hash.get(sha256, ())]

    def set_present(self, identifier: int | None) -> None:
        """Say which row's scan is in the viewer."""
        before, self._present = self._present, identifier
        for row in (self.row_of(before), self.row_of(identifier)):
            if row is not None:
                self._tell(row)

    def _on_picture(self, sha256: str) -> None:
        for row in self._by_hash.get(sha256, ()):
            at = self.index(row, SCAN)
            self.dataChanged.emit(at, at, [Qt.ItemDataRole.DecorationRole])

    def _tell(self, row: int) -> None:
        self.dataChanged.emit(self.index(row, SCAN), self.index(row, SCORE))


def second_line(item: Item) -> str:
    """Return what stands below the name: what is wrong, or view and classes."""
    if item.problem:
        return item.problem
    if item.sha256 is None:
        return "not opened yet"
    told = [item.view or "", ", ".join(item.classes)]
    if item.n_frames > 1:
        told.insert(0, f"{item.n_frames} frames")
    return " · ".join(part for part in told if part) or item.comment


def _text(item: Item, column: int) -> str:
    if column == SCAN:
        return item.name
    if column == STATE:
        return "unreadable" if item.problem else WORDS[item.state]
    return "" if item.score is None else f"{item.score:.2f}"


def _tooltip(item: Item) -> str:
    lines = [str(item.path or item.name)]
    if item.problem:
        lines.append(f"Cannot be opened: {item.problem}")
    lines.append(f"{WORDS[item.state]}: {MEANS[item.state]}")
    if item.view:
        lines.append(f"View: {item.view}")
    if item.classes:
        lines.append(f"Classes: {', '.join(item.classes)}")
    if item.score is not None:
        lines.append(f"Lowest score of its {item.open} open proposals: {item.score:.2f}")
    if item.odd:
        lines.append(f"Does not fit:\n{item.odd}")
        lines.append(NOTICE)
    if item.rater:
        lines.append(f"Last worked on by {item.rater}")
    if item.comment:
        lines.append(f"Comment: {item.comment}")
    if item.copy_of is not None:
        lines.append("Another file with the same bytes is listed; they share all records.")
    return "\n".join(lines)
