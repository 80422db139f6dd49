"""The list of a frame's structures: class, shapes, score, state and lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from qtpy.QtCore import QEvent, QModelIndex, QRect, Qt
from qtpy.QtGui import QColor, QIcon, QKeyEvent, QPainter, QPalette, QPen, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from napari_fada.records.annotation import Annotation
from napari_fada.records.cine.identity import numbers
from napari_fada.records.linking import APART, distance
from napari_fada.records.review import FrameReview
from napari_fada.records.structures import Structure, structures
from napari_fada.vocabulary import vocabulary
from napari_fada.workstation.styles import colour_of
from napari_fada.workstation.theme import palette_on

UIDS = Qt.ItemDataRole.UserRole
SCORE = Qt.ItemDataRole.UserRole + 1
TONE = Qt.ItemDataRole.UserRole + 2
NUMBER = Qt.ItemDataRole.UserRole + 3
CLASS, SHAPES, SCORED, STATE, LOCKED = range(5)
GLYPHS = {"polygon": "⬠", "box": "▭", "keypoints": "⁘"}
APART_GLYPH = "≠"
SHAPE_NAMES = {"polygon": "outline", "box": "box", "keypoints": "keypoints"}
LOOKS = {
    "proposed": ("proposed", "running"),
    "accepted": ("✓ accepted", "done"),
    "corrected": ("✎ corrected", "notice"),
    "rejected": ("✕ rejected", "failed"),
}
_WALKING = frozenset(
    {
        *(Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End),
        *(Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Return, Qt.Key.Key_Enter),
    }
)

WIDTHS = {SHAPES: (44, "⬠ ▭"), SCORED: (58, "0.00"), STATE: (86, "proposed"), LOCKED: (20, "")}
"""Of each column the least width in pixels, and a text that has to fit."""


class StructureList(QTreeWidget):
    """One row for each structure; a box and an outline of the same thing are one.

    Parameters
    ----------
    choose : callable
        Gets the uids of the rows that the user selects.
    reclass : callable
        Gets uids and the name of their new class.
    unfold : callable
        Told whether the rejected structures are unfolded.
    """

    def __init__(
        self,
        choose: Callable[[tuple[str, ...]], object],
        reclass: Callable[[tuple[str, ...], str], object],
        unfold: Callable[[bool], object],
    ) -> None:
        super().__init__()
        self._choose, self._unfold = choose, unfold
        self._now: object = None
        self._numbers: dict[str, int] = {}
        self.setColumnCount(5)
        self.setHeaderLabels(["Structure", "", "Score", "State", ""])
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setIndentation(10)
        self.setUniformRowHeights(True)
        self.setMinimumHeight(64)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.header()
        assert header is not None
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(16)
        header.setSectionResizeMode(CLASS, QHeaderView.ResizeMode.Stretch)
        for column in WIDTHS:
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
        self._fit_columns()
        self.setItemDelegateForColumn(SCORED, _ScoreBar(self))
        self.setItemDelegateForColumn(STATE, _Toned(self))
        self.setItemDelegateForColumn(CLASS, _ClassChooser(self, reclass))
        self.itemSelectionChanged.connect(self._on_selection)
        self.itemDoubleClicked.connect(self._on_double_click)
        self.itemExpanded.connect(lambda _: self._unfold(True))
        self.itemCollapsed.connect(lambda _: self._unfold(False))

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Follow the size of the texts."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:
            self._fit_columns()

    def _fit_columns(self) -> None:
        for column, (width, text) in WIDTHS.items():
            needed = self.fontMetrics().horizontalAdvance(text) + 12
            self.setColumnWidth(column, max(width, needed))

    def put(
        self,
        found: FrameReview,
        selected: Iterable[str],
        clip: Mapping[int, Iterable[Annotation]] | None = None,
    ) -> None:
        """Show the structures of a frame, and which are chosen.

        Those of a clip are numbered where there are several of a class.
        """
        groups = structures(found.records, found.unlinked)
        self._numbers = numbers(clip, groups) if clip else {}
        now = (
            *(found.records, found.locked),
            *(tuple(found.reasons.items()), tuple(found.unlinked.items())),
            tuple(self._numbers.items()),
        )
        if now != self._now:
            self._now = now
            self._fill(found)
        self.mark(selected)

    def _fill(self, found: FrameReview) -> None:
        unfolded = self._fold is not None and self._fold.isExpanded()
        at = self.verticalScrollBar().value()  # type: ignore[union-attr]
        self.blockSignals(True)
        self.clear()
        groups = structures(found.records, found.unlinked)
        for structure in groups:
            if not structure.rejected:
                self.addTopLevelItem(self._row(structure, found))
        rejected = [s for s in groups if s.rejected]
        if rejected:
            fold = QTreeWidgetItem([f"▸ {len(rejected)} rejected"])
            fold.setFlags(Qt.ItemFlag.ItemIsEnabled)
            fold.setData(CLASS, TONE, "skipped")
            fold.setToolTip(
                CLASS, "Click to see what was rejected; “Bring back” takes a rejection back"
            )
            fold.addChildren([self._row(s, found) for s in rejected])
            self.addTopLevelItem(fold)
            fold.setFirstColumnSpanned(True)
            fold.setExpanded(unfolded)
            self._name_fold()
        self.verticalScrollBar().setValue(at)  # type: ignore[union-attr]
        self.blockSignals(False)

    @property
    def _fold(self) -> QTreeWidgetItem | None:
        last = self.topLevelItem(self.topLevelItemCount() - 1)
        return last if last is not None and last.data(CLASS, UIDS) is None else None

    def _name_fold(self) -> None:
        fold = self._fold
        if fold is not None:
            text = fold.text(CLASS)
            fold.setText(CLASS, ("▾" if fold.isExpanded() else "▸") + text[1:])

    def toggle_rejected(self) -> None:
        """Unfold the rejected structures, or fold them away."""
        if self._fold is not None:
            self._fold.setExpanded(not self._fold.isExpanded())
            self._name_fold()

    def _row(self, structure: Structure, found: FrameReview) -> QTreeWidgetItem:
        state, meaning = LOOKS[structure.state]
        reasons = [found.reasons.get(uid, "") for uid in structure.uids]
        reason = ", ".join(
            vocabulary().reason_text(r) for r in dict.fromkeys(filter(None, reasons))
        )
        locked = found.locked & set(structure.uids)
        off = _box_words(structure, found)
        row = QTreeWidgetItem(
            [
                structure.category,
                (APART_GLYPH if off else " ").join(GLYPHS[k] for k in structure.kinds),
                "",
                f"✕ {reason}" if reason else state,
                "",
            ]
        )
        row.setData(CLASS, UIDS, structure.uids)
        row.setData(SCORED, SCORE, structure.score)
        number = self._numbers.get(structure.uids[0])
        row.setData(CLASS, NUMBER, number)
        row.setIcon(CLASS, _swatch(colour_of(structure.category)))
        if locked:
            row.setIcon(LOCKED, _padlock(self.palette().text().color()))
        row.setData(STATE, TONE, meaning)
        category = vocabulary().by_name.get(structure.category)
        shapes = " and ".join(SHAPE_NAMES[k] for k in structure.kinds)
        name = category.long_name if category else "not in the vocabulary"
        same = f" Number {number} is this one on other frames." if number else ""
        row.setToolTip(CLASS, f"{name}: {shapes}. Double-click to change the class.{same}")
        row.setToolTip(SHAPES, shapes + off)
        score = structure.score
        row.setToolTip(
            SCORED, "drawn by a person" if score is None else f"The model's score: {score:.2f}"
        )
        raters = ", ".join(dict.fromkeys(r.rater for r in structure.records if r.rater))
        row.setToolTip(STATE, f"{reason or state}" + (f" ({raters})" if raters else ""))
        row.setToolTip(LOCKED, "Locked: nothing changes it" if locked else "")
        return row

    def rows(self) -> list[QTreeWidgetItem]:
        """Return the rows of structures, the rejected ones last."""
        tops = (self.topLevelItem(i) for i in range(self.topLevelItemCount()))
        out: list[QTreeWidgetItem] = []
        for item in tops:
            assert item is not None
            if item.data(CLASS, UIDS) is None:
                out += [item.child(i) for i in range(item.childCount())]  # type: ignore[misc]
            else:
                out.append(item)
        return out

    def mark(self, uids: Iterable[str]) -> None:
        """Select the rows of these records."""
        chosen = set(uids)
        self.blockSignals(True)
        first = None
        for row in self.rows():
            mine = bool(chosen & set(row.data(CLASS, UIDS)))
            row.setSelected(mine)
            first = first or (row if mine else None)
        fold = self._fold
        if first is not None and (first.parent() is None or (fold and fold.isExpanded())):
            self.scrollToItem(first)  # it would unfold what is folded
        self.blockSignals(False)

    def selected_uids(self) -> tuple[str, ...]:
        """Return the records of the selected rows."""
        rows = [row for row in self.rows() if row.isSelected()]
        return tuple(uid for row in rows for uid in row.data(CLASS, UIDS))

    def _on_selection(self) -> None:
        self._choose(self.selected_uids())

    def _on_double_click(self, item: QTreeWidgetItem, _column: int) -> None:
        if item.data(CLASS, UIDS) is not None:
            self.choose_class(item)

    def choose_class(self, item: QTreeWidgetItem | None = None) -> None:
        """Open the choice of classes in a row (the first that is selected)."""
        rows = [item] if item else [r for r in self.rows() if r.isSelected()]
        if rows:
            item = rows[0]
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
            self.editItem(item, CLASS)

    def mousePressEvent(self, event) -> None:  # type: ignore[no-untyped-def]  # noqa: N802
        """Fold and unfold with one click."""
        item = self.itemAt(event.pos())
        if item is not None and item is self._fold:
            self.toggle_rejected()
            return
        super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Walk with the arrows; every other key does what it does on the canvas."""
        if event is not None and event.key() not in _WALKING:
            event.ignore()
            return
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.choose_class()
            return
        super().keyPressEvent(event)


def _box_words(structure: Structure, found: FrameReview) -> str:
    """Say that the box lies off its outline, if it does."""
    if structure.kinds[:2] != ("polygon", "box"):
        return ""
    outline, box = structure.records[:2]
    if box.uid in found.unlinked:
        return ": the box was set apart. “Box from the outline” lets it follow again."
    if (off := distance(outline, box)) > APART:
        return f": the box lies {off:.0f} px off. “Box from the outline” lets it follow."
    return ""


class _Toned(QStyledItemDelegate):
    """Text in the colour of what it means, in the theme of the moment."""

    def __init__(self, of: QWidget) -> None:
        super().__init__(of)
        self._list = of

    def initStyleOption(  # noqa: N802
        self, option: QStyleOptionViewItem | None, index: QModelIndex
    ) -> None:
        super().initStyleOption(option, index)
        meaning = index.data(TONE)
        if option is not None and meaning:
            colour = QColor(getattr(palette_on(self._list), meaning))
            option.palette.setColor(QPalette.ColorRole.Text, colour)


def bar_colour(score: float, *, dark: bool) -> QColor:
    """Return the colour of a score's bar, red to green; its number stands out on it."""
    return QColor.fromHsv(int(120 * score), *((120, 110) if dark else (70, 225)))


class _ScoreBar(QStyledItemDelegate):
    """A bar with the number in it."""

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        super().paint(painter, option, index)
        score = index.data(SCORE)
        if score is None or painter is None:
            return
        room = option.rect.adjusted(2, 3, -6, -3)
        painter.save()
        painter.fillRect(room, QColor(128, 128, 128, 60))
        text = option.palette.color(QPalette.ColorRole.Text)
        hue = bar_colour(score, dark=text.lightness() > 128)
        painter.fillRect(QRect(room.x(), room.y(), int(room.width() * score), room.height()), hue)
        painter.setPen(text)
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, f"{score:.2f}")
        painter.restore()


class _ClassChooser(_Toned):
    """A list of classes with search, in the row."""

    def __init__(self, parent: QWidget, reclass: Callable[[tuple[str, ...], str], object]) -> None:
        super().__init__(parent)
        self._reclass = reclass

    def initStyleOption(  # noqa: N802
        self, option: QStyleOptionViewItem | None, index: QModelIndex
    ) -> None:
        super().initStyleOption(option, index)
        number = index.data(NUMBER)
        if option is not None and number:
            option.text = f"{option.text} {number}"

    def createEditor(  # noqa: N802
        self,
        parent: QWidget | None,
        option: QStyleOptionViewItem,  # noqa: ARG002
        index: QModelIndex,  # noqa: ARG002
    ) -> QWidget:
        box = QComboBox(parent)
        box.setEditable(True)
        box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        for category in vocabulary().categories:
            box.addItem(_swatch(category.colour), category.name)
        completer = box.completer()
        if completer is not None:
            completer.setFilterMode(Qt.MatchFlag.MatchContains)
            completer.setCompletionMode(completer.CompletionMode.PopupCompletion)

        def done(_index: int) -> None:
            self.commitData.emit(box)
            self.closeEditor.emit(box)

        box.activated.connect(done)
        return box

    def setEditorData(self, editor: QWidget | None, index: QModelIndex) -> None:  # noqa: N802
        assert isinstance(editor, QComboBox)
        editor.setCurrentText(str(index.data()))
        line = editor.lineEdit()
        if line is not None:
            line.selectAll()

    def setModelData(self, editor, _model, index: QModelIndex) -> None:  # type: ignore[no-untyped-def]  # noqa: N802
        name = editor.currentText().strip()
        found = vocabulary().resolve(name)
        if found is not None and found.name != index.data():
            self._reclass(tuple(index.siblingAtColumn(CLASS).data(UIDS)), found.name)


def _padlock(colour: QColor) -> QIcon:
    """Return a padlock, drawn here: not every font has the character."""
    pixmap = QPixmap(14, 14)
    pixmap.fill(QColor(0, 0, 0, 0))
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(colour, 1.6))
    painter.drawArc(4, 1, 6, 9, 0, 180 * 16)
    painter.fillRect(2, 6, 10, 7, colour)
    painter.end()
    return QIcon(pixmap)


def _swatch(colour: str) -> QIcon:
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor(colour))
    return QIcon(pixmap)
