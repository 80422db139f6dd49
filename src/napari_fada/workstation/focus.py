"""Where keys go: to the canvas, unless somebody is writing.

After a button, a list or a choice was used the canvas has the keys again, so that the next
single-letter key works at once. A text field keeps them until it is left. Alt with a letter is
ours before it opens one of napari's menus, if the table of keys has it. What deletes never comes
from a dock to the canvas: whoever presses it there does not look at what is selected here.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QDockWidget,
    QLineEdit,
    QPlainTextEdit,
    QRadioButton,
    QTextEdit,
    QWidget,
)

from napari_fada.workstation import napari_private as private
from napari_fada.workstation.keys import KeyTable

STAYING = (QCheckBox, QRadioButton)
"""May be walked and ticked one after another; they take no letters from the canvas."""

WRITING = (QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox)
RETURNS = "fada-returns-focus"
DELETING = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)


class FocusKeeper(QObject):
    """Gives the keys back to the canvas.

    Parameters
    ----------
    viewer : napari viewer
        Whose canvas.
    table : KeyTable
        Keys that come before napari's menus.
    parent : QObject
        When it goes, the work ends.
    say : callable
        Tells the user.
    """

    def __init__(
        self, viewer: Any, table: KeyTable, parent: QObject, say: Callable[[str], object]
    ) -> None:
        super().__init__(parent)
        self._say = say
        self._viewer, self._table = viewer, table
        self._roots: list[weakref.ref[QWidget]] = []
        self._before: QWidget | None = None
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus)
        window = private.main_window(viewer)
        if window is not None:
            window.installEventFilter(self)

    def watch(self, root: QWidget) -> None:
        """Give the keys back after what is in this widget was used."""
        self._roots.append(weakref.ref(root))
        self._watch_parts(root)

    def _on_focus(self, _old: QWidget | None, new: QWidget | None) -> None:
        # A button that takes the keys does so before it is clicked; one that does not take
        # them can only be clicked while they are elsewhere in our docks.
        roots = [r for r in (ref() for ref in self._roots) if r is not None]
        if new is not None and any(_is_in(new, r) for r in roots):
            for root in roots:
                self._watch_parts(root)
        dock = _dock_of(new)
        if dock is not None:  # napari's own, too: it hands keys on to the canvas
            dock.installEventFilter(self)

    def _watch_parts(self, root: QWidget) -> None:
        for kind, signal in (
            (QAbstractButton, "clicked"),
            (QComboBox, "activated"),
            (QAbstractItemView, "clicked"),
        ):
            for part in root.findChildren(kind):
                if part.property(RETURNS) or isinstance(part, STAYING):
                    continue
                part.setProperty(RETURNS, True)
                getattr(part, signal).connect(self.give_back_soon)
                if isinstance(part, QAbstractButton | QAbstractItemView):
                    part.pressed.connect(self._note_focus)

    def _note_focus(self, _: object = None) -> None:
        self._before = QApplication.focusWidget()

    def give_back_soon(self, _: object = None) -> None:
        """Give the keys back when what was pressed has done its work."""
        QTimer.singleShot(0, self.give_back)

    def give_back(self) -> None:
        """Give the canvas the keys, unless a field was just opened, or a dialog or a menu."""
        now, before = QApplication.focusWidget(), self._before
        self._before = None
        asked_for = isinstance(now, WRITING) and now is not before  # a button that goes to a field
        busy = QApplication.activePopupWidget() or QApplication.activeModalWidget()
        if busy is None and not asked_for:
            private.focus_canvas(self._viewer)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Take the keys of our table before a menu does; keep what deletes in its dock."""
        if event is None:
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            pressed = QKeySequence(private.key_event(event).keyCombination()).toString()
            if pressed.startswith("Alt+") and pressed in {
                key.replace("-", "+") for _, key in self._table.items() if key.startswith("Alt-")
            }:
                event.accept()
                return True
        elif event.type() == QEvent.Type.KeyPress and isinstance(watched, QDockWidget):
            pressed = private.key_event(event)
            if pressed.key() in DELETING or private.deletes(self._viewer, pressed.text()):
                event.accept()
                self._say(
                    "The keys are in a list or field, not on the canvas: nothing was deleted. "
                    "Click on the canvas, then Delete removes what is selected there."
                )
                return True
        return super().eventFilter(watched, event)


def tab_in_order(parts: Iterable[QWidget]) -> None:
    """Let Tab walk through panels in this order, and in each as it was built."""
    last: QWidget | None = None
    for part in parts:
        for widget in (part, *part.findChildren(QWidget)):
            here = widget.window() is part.window()  # the list of a choice is a window of its own
            if here and widget.focusPolicy().value & 1 and widget.focusProxy() is None:
                if last is not None:
                    QWidget.setTabOrder(last, widget)
                last = widget


def _is_in(widget: QWidget, root: QWidget) -> bool:
    return widget is root or root.isAncestorOf(widget)


def _dock_of(widget: QWidget | None) -> QDockWidget | None:
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget
