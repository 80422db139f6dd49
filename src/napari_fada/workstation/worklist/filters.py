"""The rows of filters above the table: text, state, view, class, rater, score, and the order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from psygnal import Signal
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QComboBox, QGridLayout, QLineEdit, QWidget

from napari_fada.records.worklist import STATES, UNREVIEWED, Filter, Order, States
from napari_fada.workstation.worklist.table_model import WORDS

ORDERS: tuple[tuple[Order, str, str], ...] = (
    ("uncertainty", "Worst first", "Lowest score of an open proposal first"),
    ("added", "As listed", "In the order in which files were listed"),
    ("name", "By name", "Names in natural order"),
    ("plausibility", "Odd first", "What fits least comes first: size, age and report"),
    ("state", "By state", "New first, reviewed last"),
    ("changed", "Last changed", "What was edited last comes first"),
)
SCORES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
IDLE_MS = 200


class Filters(QWidget):
    """Says which rows are wanted, and in what order."""

    changed: ClassVar[Signal] = Signal()
    left: ClassVar[Signal] = Signal()
    """Enter, or the arrow down: on to the table."""
    escaped: ClassVar[Signal] = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.text = QLineEdit()
        self.text.setPlaceholderText("Search name, folder, comment")
        self.text.setClearButtonEnabled(True)
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(IDLE_MS)
        self._idle.timeout.connect(lambda: self.changed.emit())
        self.text.textChanged.connect(lambda _text: self._idle.start())
        self.text.returnPressed.connect(self._on_enter)
        self.text.installEventFilter(self)
        self.state = _combo("Which states are shown")
        self.view = _combo("Only scans of this view")
        self.category = _combo("Only scans with a structure of this class")
        self.rater = _combo("Only scans this person has worked on")
        self.score = _combo("Only scans whose lowest open score is not higher")
        self.order = _combo("Order of the rows; it stays until you look for something else")
        for order, name, tip in ORDERS:
            self.order.addItem(name, order)
            self.order.setItemData(self.order.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.score.addItem("Any score", None)
        for score in SCORES:
            self.score.addItem(f"Score ≤ {score:.1f}", score)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        grid.addWidget(self.text, 0, 0, 1, 3)
        combos = (self.state, self.view, self.category, self.rater, self.score, self.order)
        for i, combo in enumerate(combos):
            grid.addWidget(combo, 1 + i // 3, i % 3)
            combo.activated.connect(lambda _index: self.changed.emit())
        self.offer({}, (), (), ())

    def offer(
        self,
        counts: Mapping[States, int],
        views: Sequence[str],
        categories: Sequence[str],
        raters: Sequence[str],
    ) -> None:
        """Offer what occurs in the list; what is chosen stays."""
        waiting = sum(counts.get(state, 0) for state in UNREVIEWED)
        states: list[tuple[str, Any]] = [
            ("Any state", None),
            (f"Unreviewed ({waiting})", tuple(s for s in STATES if s in UNREVIEWED)),
        ]
        states += [(f"{WORDS[s]} ({counts.get(s, 0)})", (s,)) for s in STATES]
        _fill(self.state, states)
        _fill(self.view, [("Any view", None), *((v, v) for v in views)])
        _fill(self.category, [("Any class", None), *((c, c) for c in categories)])
        _fill(self.rater, [("Any rater", None), *((r, r) for r in raters)])

    @property
    def where(self) -> Filter:
        """The filter that is set."""
        states = self.state.currentData()
        return Filter(
            text=self.text.text().strip(),
            states=frozenset(states or STATES),
            view=self.view.currentData(),
            category=self.category.currentData(),
            rater=self.rater.currentData(),
            max_score=self.score.currentData(),
        )

    def show_filter(self, where: Filter, order: Order) -> None:
        """Show a filter that was set elsewhere or is remembered."""
        if self.text.text().strip() != where.text:
            self.text.blockSignals(True)
            self.text.setText(where.text)
            self.text.blockSignals(False)
        states = tuple(s for s in STATES if s in where.states)
        _choose(self.state, None if len(states) == len(STATES) else states)
        for combo, value in (
            (self.view, where.view),
            (self.category, where.category),
            (self.rater, where.rater),
            (self.score, where.max_score),
            (self.order, order),
        ):
            _choose(combo, value)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Walk from the search to the table with the arrow, leave it with Escape."""
        if event is not None and event.type() == QEvent.Type.KeyPress:
            key = event.key()  # type: ignore[attr-defined]
            if key == Qt.Key.Key_Down:
                self._on_enter()
                return True
            if key == Qt.Key.Key_Escape:
                self.text.clear()
                self.escaped.emit()
                return True
        return super().eventFilter(watched, event)

    def _on_enter(self) -> None:
        if self._idle.isActive():
            self._idle.stop()
            self.changed.emit()
        self.left.emit()


def _combo(tip: str) -> QComboBox:
    combo = QComboBox()
    combo.setToolTip(tip)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(6)
    return combo


def _fill(combo: QComboBox, entries: Sequence[tuple[str, Any]]) -> None:
    now = [(combo.itemText(i), combo.itemData(i)) for i in range(combo.count())]
    if now == list(entries):
        return
    chosen = combo.currentData()
    combo.blockSignals(True)
    combo.clear()
    for text, value in entries:
        combo.addItem(text, value)
    _choose(combo, chosen)
    combo.blockSignals(False)


def _choose(combo: QComboBox, value: Any) -> None:
    """Choose an entry; one that the list does not have (any more) is added, so that it shows."""
    found = next((i for i in range(combo.count()) if combo.itemData(i) == value), -1)
    if found < 0:
        words = value if isinstance(value, str) else ", ".join(WORDS.get(v, v) for v in value)
        combo.addItem(words, value)
        found = combo.count() - 1
    combo.setCurrentIndex(found)
