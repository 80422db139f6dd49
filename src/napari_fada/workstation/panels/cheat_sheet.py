"""All keys on one sheet over the window, from the one table; with search."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_fada.workstation.keys import GROUPS, Action, KeyTable, group_of
from napari_fada.workstation.theme import tone

COLUMNS = 3
MARGIN = 40


class CheatSheet(QFrame):
    """Lies over the window until Escape; nothing beneath it changes.

    Parameters
    ----------
    table : KeyTable
        Read anew each time the sheet is opened.
    window : QWidget
        Lies beneath.
    closed : callable
        Called when the sheet was closed; gives the keys back to the canvas.
    """

    def __init__(self, table: KeyTable, window: QWidget, closed: Callable[[], object]) -> None:
        super().__init__(window)
        self._table, self._closed = table, closed
        self.setObjectName("fada-cheat-sheet")
        self.setAutoFillBackground(True)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search: what it does, or the key")
        self.search.setToolTip("Show only the keys whose key or text has these words")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._list)
        self.search.installEventFilter(self)
        close = QToolButton()
        close.setText("✕")
        close.setToolTip("Close this sheet (Escape)")
        close.clicked.connect(self.close_sheet)
        title = QLabel("<b>Keys</b>")
        self.note = QLabel()
        tone(self.note, "notice")
        top = QHBoxLayout()
        top.addWidget(title)
        top.addWidget(self.search, 1)
        top.addWidget(self.note)
        top.addWidget(close)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.shown: list[Action] = []
        hint = QLabel("Keys are changed in the tab Project of FADA annotate.")
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self._area, 1)
        layout.addWidget(hint)
        window.installEventFilter(self)
        self.hide()

    def toggle(self) -> None:
        """Open the sheet, or close it."""
        if self.isVisible():
            self.close_sheet()
            return
        self.search.clear()
        self._list()
        self._place()
        self.show()
        self.raise_()
        self.search.setFocus()

    def close_sheet(self) -> None:
        """Take the sheet away; the keys belong to the canvas again."""
        if self.isVisible():
            self.hide()
            self._closed()

    def _list(self, _text: str = "") -> None:
        words = self.search.text().casefold().split()
        found = [
            (a, key)
            for a, key in self._table.items()
            if (key or not a.name.startswith("class:") or words)
            and all(w in f"{a.text} {group_of(a.name)} {key}".casefold() for w in words)
        ]
        self.shown = [a for a, _ in found]
        changed = sum(key != a.default for a, key in self._table.items())
        self.note.setText(f"{changed} changed" if changed else "")
        self._area.setWidget(_columns(found))

    def _place(self) -> None:
        window = self.parentWidget()
        if window is not None:
            self.setGeometry(window.rect().adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN))

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Follow the window's size; close with Escape or F1, scroll with the arrows."""
        if event is None:
            return False
        if event.type() == QEvent.Type.Resize and watched is self.parentWidget():
            self._place()
        elif event.type() == QEvent.Type.KeyPress and watched is self.search:
            key = event.key()  # type: ignore[attr-defined]
            if key in (Qt.Key.Key_Escape, Qt.Key.Key_F1):
                self.close_sheet()
                return True
            bar = self._area.verticalScrollBar()
            steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}
            steps |= {Qt.Key.Key_PageDown: 8, Qt.Key.Key_PageUp: -8}
            if bar is not None and key in steps:
                bar.setValue(bar.value() + steps[key] * 3 * self.fontMetrics().height())
                return True
        return super().eventFilter(watched, event)


def _columns(found: list[tuple[Action, str]]) -> QWidget:
    """Return the keys in groups, the groups in columns of about the same height."""
    named = (
        (g, [pair for pair in found if group_of(pair[0].name) == g]) for g in (*GROUPS, "More")
    )
    groups = [(g, pairs) for g, pairs in named if pairs]
    content = QWidget()
    row = QHBoxLayout(content)
    if not groups:
        row.addWidget(QLabel("No key has these words."), 0, Qt.AlignmentFlag.AlignTop)
        return content
    goal = (len(found) + 2 * len(groups)) / COLUMNS
    grids: list[QGridLayout] = []
    filled = goal
    for name, pairs in groups:
        if filled + len(pairs) / 2 >= goal and len(grids) < COLUMNS:
            filled = 0
            column = QVBoxLayout()
            grids.append(QGridLayout())
            grids[-1].setHorizontalSpacing(10)
            grids[-1].setVerticalSpacing(1)
            grids[-1].setColumnStretch(1, 1)
            column.addLayout(grids[-1])
            column.addStretch(1)
            row.addLayout(column, 1)
        grid = grids[-1]
        title = QLabel(f"<b>{name}</b>")
        tone(title, "running")
        grid.addWidget(title, grid.rowCount(), 0, 1, 2)
        for action, key in pairs:
            _add_row(grid, action, key)
        filled += len(pairs) + 2
    return content


def _add_row(grid: QGridLayout, action: Action, key: str) -> None:
    at = grid.rowCount()
    shown = QLabel(key.replace("Control", "Ctrl") or "no key")
    font = shown.font()
    font.setBold(True)
    shown.setFont(font)
    text = QLabel(action.text)
    text.setWordWrap(True)
    if key != action.default:
        was = f"changed; was {action.default.replace('Control', 'Ctrl')}"
        text.setText(f"{action.text} ({was})")
        tone(text, "notice")
        tone(shown, "notice")
    grid.addWidget(shown, at, 0, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight)
    grid.addWidget(text, at, 1)
