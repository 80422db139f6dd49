"""The class palette: what is drawn next, with search, counts and keys.

Three ways without the mouse: a number for the first ten of the view, a key of one's own for a
class that is used all day (none at first), and a search whose letters are shown with each class.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_fada.vocabulary import Category, vocabulary
from napari_fada.workstation.keys import KeyTable
from napari_fada.workstation.layers import count_by_class
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.session import Session

NO_FIT = 5
NAME = Qt.ItemDataRole.UserRole
KEYED = 10


class ClassesPanel(QWidget):
    """Lists the classes, those of this view first; the first ten have keys.

    Parameters
    ----------
    session : Session
        Has the active class.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._keys: list[str] = []
        self._own: dict[str, str] = {}
        self._opens = ""
        self._asked: tuple[str, ...] = ()
        self._listed: object = None
        self.search = QLineEdit()
        self.search.setClearButtonEnabled(True)
        self.search.setPlaceholderText("Search for a class; Enter chooses it")
        self.search.setToolTip("Show the classes whose name has these letters")
        self.search.textChanged.connect(self.list_classes)
        self.search.returnPressed.connect(self._choose_first)
        self.search.installEventFilter(self)
        self.list = QListWidget()
        self.list.setUniformItemSizes(True)
        self.list.setToolTip(
            "Click: what is drawn next has this class.\n"
            "The button below gives it to the shapes that are selected."
        )
        self.list.itemClicked.connect(lambda item: self.choose(item.data(NAME)))
        self.list.itemActivated.connect(self._take)
        self.active = Told()
        self.reclass = QPushButton("Set class of selection")
        self.reclass.setToolTip("Give the selected structures the active class")
        self.reclass.clicked.connect(self.reclass_selection)
        row = QHBoxLayout()
        row.addWidget(self.active, 1)
        row.addWidget(self.reclass)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(self.search)
        layout.addWidget(self.list, 1)
        layout.addLayout(row)
        session.class_changed.connect(self._show_active)
        session.records_changed.connect(self.list_classes)
        session.frame_changed.connect(self.list_classes)
        self.list_classes()

    def set_keys(self, table: KeyTable) -> None:
        """Say which keys choose classes: the first ten of the view, one by name, the search."""
        self._keys = [table[f"class_{i}"] for i in range(1, KEYED + 1)]
        self._own = {c.name: table[f"class:{c.name}"] for c in vocabulary().categories}
        self._opens = table["class"]
        self.list_classes()

    def set_asked(self, names: Iterable[str]) -> None:
        """Say which classes the model was asked for on this frame; they come first."""
        self._asked = tuple(dict.fromkeys(names))
        self.list_classes()

    def in_order(self) -> list[Category]:
        """Return the classes: those of this view first, then its groups, then all others."""
        words = vocabulary()
        here = [n for n in (*self._asked, *self._counts()) if n in words.by_name]
        groups = {g.name for name in here for g in words.groups_of(name)}
        first = [words.by_name[n] for n in dict.fromkeys(here)]
        near = [c for c in words.categories if set(c.group) & groups]
        return list(dict.fromkeys([*first, *near, *words.categories]))

    def choose(self, name: str) -> None:
        """Make a class the active one."""
        self._session.active_class = name
        self._show_active()

    def search_from_start(self) -> None:
        """Let a class be typed, best match first."""
        self.search.setFocus()
        self.search.selectAll()

    def choose_number(self, number: int) -> None:
        """Make the class with this key (from 1) the active one."""
        found = self.in_order()
        if number <= len(found):
            self.choose(found[number - 1].name)

    def reclass_selection(self) -> None:
        """Give the selected structures the active class."""
        layers = self._session.layers
        if layers is None or not (self._session.chosen or layers.selected_uids()):
            self._session.say("Select a structure first (its layer and the select tool).")
            return
        self._session.reclass_selection(self._session.active_class)

    def list_classes(self, _: object = None) -> None:
        """Show the classes that fit the search."""
        wanted = self.search.text().strip().casefold()
        counts = self._counts()
        order = self.in_order()
        now = (wanted, counts, order, self._keys, self._own, self._opens)
        if now == self._listed:
            return
        self._listed = now
        self.list.blockSignals(True)
        self.list.clear()
        numbered = dict(zip((c.name for c in order), self._keys, strict=False))
        for category in found_by(wanted) if wanted else order:
            name = category.name
            typed = f"{self._opens} {letters_of(name)} ⏎" if self._opens else ""
            ways = (numbered.get(name, ""), self._own.get(name, ""), typed)
            key = " · ".join(way for way in ways if way)
            count = f"  ×{counts[category.name]}" if category.name in counts else ""
            text = f"{category.name}{count}   {category.long_name}"
            item = QListWidgetItem(_swatch(category.colour), f"{text}   [{key}]" if key else text)
            item.setData(NAME, category.name)
            item.setToolTip(f"{category.long_name}. Drawn as: {', '.join(sorted(category.kinds))}.")
            self.list.addItem(item)
        self.list.blockSignals(False)
        self._show_active()

    def _show_active(self, _: object = None) -> None:
        name = self._session.active_class
        category = vocabulary().by_name[name]
        self.active.setText(f'<span style="color:{category.colour}">■</span> next: <b>{name}</b>')
        self.active.setToolTip(f"What is drawn next is a {name}: {category.long_name}")
        for i in range(self.list.count()):
            item = self.list.item(i)
            if item is not None and item.data(NAME) == name:
                self.list.setCurrentItem(item)

    def _counts(self) -> dict[str, int]:
        return count_by_class(self._session.records.get(self._session.frame, []))

    def _choose_first(self) -> None:
        item = self.list.item(0)
        if item is not None:
            self._take(item)

    def _take(self, item: QListWidgetItem) -> None:
        """Choose by keyboard: the next key belongs to the canvas again."""
        self.choose(item.data(NAME))
        self.search.clear()
        self._back_to_canvas()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Leave the search with Escape, walk down the list with the arrow."""
        if event is not None and event.type() == QEvent.Type.KeyPress:
            if event.key() == Qt.Key.Key_Escape:  # type: ignore[attr-defined]
                self.search.clear()
                self._back_to_canvas()
                return True
            if event.key() == Qt.Key.Key_Down:  # type: ignore[attr-defined]
                self.list.setFocus()
                return True
        return super().eventFilter(watched, event)

    def _back_to_canvas(self) -> None:
        window = self.window()
        if window is not None:
            window.setFocus()


def _swatch(colour: str) -> QIcon:
    pixmap = QPixmap(14, 14)
    pixmap.fill(QColor(colour))
    return QIcon(pixmap)


@cache
def letters_of(name: str) -> str:
    """Return the fewest letters that find a class before all others.

    They are the same on every scan, so that fingers can learn them.
    """
    category = vocabulary().by_name[name]
    name_first = (_parts(category)[:1], (*_parts(category), *_words(category)))
    for words, longest in zip(name_first, (3, None), strict=True):
        tries = [word[:n] for word in words for n in range(1, len(word) + 1)]
        for letters in sorted(tries, key=len):
            if len(letters) <= (longest or len(letters)) and found_by(letters)[0].name == name:
                return letters
    return name.casefold()


def found_by(wanted: str) -> list[Category]:
    """Return the classes that fit what was typed, the best first.

    The name itself comes first, then names that begin so, their parts, words of the long name,
    and what has the letters anywhere; among equals the shorter name.
    """
    fits = [(_fit(c, wanted), len(c.name), i) for i, c in enumerate(vocabulary().categories)]
    return [vocabulary().categories[i] for fit, _, i in sorted(fits) if fit < NO_FIT]


def _fit(category: Category, wanted: str) -> int:
    name = category.name.casefold()
    for rank, fits in enumerate(
        (
            name == wanted,
            name.startswith(wanted),
            any(word.startswith(wanted) for word in _parts(category)),
            any(word.startswith(wanted) for word in _words(category)),
            wanted in f"{name} {category.long_name}".casefold(),
        )
    ):
        if fits:
            return rank
    return NO_FIT


def _parts(category: Category) -> tuple[str, ...]:
    name = category.name.casefold()
    return (name, *name.split("_"))


def _words(category: Category) -> tuple[str, ...]:
    return tuple(w.strip("(),") for w in category.long_name.casefold().split())
