"""Which classes are asked for: to be detected and to be segmented, in the vocabulary's groups."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from napari_fada.records.reading import Mapping
from napari_fada.vocabulary import vocabulary

NAME, DETECT, SEGMENT = range(3)
MANUAL = "manual"


class ClassTicks(QTreeWidget):
    """A tick for each class and task; each one is kept at once.

    Parameters
    ----------
    ticked : callable
        Gets the classes as the expert wants them.
    """

    def __init__(self, ticked: Callable[[Mapping], object]) -> None:
        super().__init__()
        self._ticked = ticked
        self.setColumnCount(3)
        self.setHeaderLabels(["Class", "Detect", "Segment"])
        self.setToolTip("Tick what the model is to look for, other classes than it chose, too")
        header = self.header()
        assert header is not None
        header.setStretchLastSection(False)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column in (DETECT, SEGMENT):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.setColumnWidth(column, 66)
        self.setMinimumHeight(150)
        self.itemChanged.connect(self._on_change)

    def put(self, mapping: Mapping | None) -> None:
        """Show which classes are asked for; groups with one of them are unfolded."""
        mapping = mapping or Mapping((), (), "")
        words = vocabulary()
        self.blockSignals(True)
        self.clear()
        seen: set[str] = set()
        for group in words.groups.values():
            names = [n for n in dict.fromkeys((*group.detect, *group.segment)) if n not in seen]
            seen.update(names)
            if not names:
                continue
            top = QTreeWidgetItem([group.long_name])
            self.addTopLevelItem(top)
            top.setFlags(Qt.ItemFlag.ItemIsEnabled)
            for name in names:
                top.addChild(self._row(name, mapping))
            top.setExpanded(bool({*mapping.detect, *mapping.segment} & set(names)))
        self.blockSignals(False)

    def _row(self, name: str, mapping: Mapping) -> QTreeWidgetItem:
        category = vocabulary().by_name[name]
        row = QTreeWidgetItem([name])
        row.setToolTip(NAME, category.long_name)
        pixmap = QPixmap(12, 12)
        pixmap.fill(QColor(category.colour))
        row.setIcon(NAME, QIcon(pixmap))
        row.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
        row.setCheckState(DETECT, _tick(name in mapping.detect))
        if "polygon" in category.kinds:
            row.setCheckState(SEGMENT, _tick(name in mapping.segment))
        return row

    def rows(self) -> dict[str, QTreeWidgetItem]:
        """Return the row of each class."""
        tops = [self.topLevelItem(i) for i in range(self.topLevelItemCount())]
        rows = [top.child(i) for top in tops if top for i in range(top.childCount())]
        return {row.text(NAME): row for row in rows if row is not None}

    def mapping(self) -> Mapping:
        """Return the classes that are ticked."""

        def ticked(column: int) -> tuple[str, ...]:
            on = Qt.CheckState.Checked
            return tuple(n for n, row in self.rows().items() if row.checkState(column) == on)

        return Mapping(ticked(DETECT), ticked(SEGMENT), MANUAL)

    def _on_change(self, _item: QTreeWidgetItem, column: int) -> None:
        if column in (DETECT, SEGMENT):
            self._ticked(self.mapping())


def _tick(on: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
