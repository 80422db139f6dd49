"""Remembers how the window was laid out, and lays it out so at the next start, once.

Kept are the places and sizes of all docks (as Qt writes them), which of our docks were open, the
tab, and the folds. After the start nothing is moved: what a user then changes is only noted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qtpy.QtCore import QByteArray, QEvent, QObject, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabWidget

from napari_fada.workstation import napari_private as private
from napari_fada.workstation.memory import recall, remember

SETTLE_MS = 400
VERSION = 1


class WindowLayout(QObject):
    """Restores the layout when our dock is first shown, and notes each later change.

    Parameters
    ----------
    viewer : napari viewer
        Whose window.
    tabs : QTabWidget
        The tab that is shown is remembered by its name.
    reopened : mapping of str to callable
        Names of our other docks that are opened again if they were open, and what opens them.
    parent : QObject
        When it goes, the work ends.
    """

    def __init__(
        self,
        viewer: Any,
        tabs: QTabWidget,
        reopened: Mapping[str, Callable[[], object]],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._tabs, self._reopened = viewer, tabs, reopened
        self.restored = False
        self._noted = QTimer(self)
        self._noted.setSingleShot(True)
        self._noted.setInterval(SETTLE_MS)
        self._noted.timeout.connect(self.note)
        self._show_tab(recall("tab", ""))
        tabs.currentChanged.connect(lambda _: self._note_soon())

    def restore(self) -> None:
        """Lay the window out as it was left; only the first call does anything."""
        window = private.main_window(self._viewer)
        if self.restored or window is None:
            return
        self.restored = True
        kept = recall("layout")
        if isinstance(kept, dict):
            self._reopen(kept.get("open", ()))
            _set_state(window, str(kept.get("state", "")))
        for dock in window.findChildren(QDockWidget):
            self._watch(dock)

    def _reopen(self, names: Any) -> None:
        for name, opens in self._reopened.items():
            if name in names:
                opens()

    def _watch(self, dock: QDockWidget) -> None:
        dock.installEventFilter(self)
        dock.dockLocationChanged.connect(lambda _: self._note_soon())
        dock.topLevelChanged.connect(lambda _: self._note_soon())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Note that a dock was resized, shown or hidden."""
        seen = (QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)
        if event is not None and event.type() in seen:
            self._note_soon()
        return super().eventFilter(watched, event)

    def _note_soon(self) -> None:
        if self.restored:
            self._noted.start()

    def note(self) -> None:
        """Remember the layout of this moment, unless the window is being closed."""
        window = private.main_window(self._viewer)
        # A window that closes hides its docks: that is not how the user left them.
        if window is None or not window.isVisible() or window.isMinimized():
            return
        # Opened from napari's menu a dock has the plugin's name behind its own.
        here = self._viewer.window.dock_widgets.items()
        shown = [
            name
            for name in self._reopened
            if any(_is_open(widget) for full, widget in here if full.startswith(name))
        ]
        state = bytes(window.saveState(VERSION).toBase64().data()).decode("ascii")
        remember(
            layout={"state": state, "open": shown},
            tab=self._tabs.tabText(self._tabs.currentIndex()),
        )

    def _show_tab(self, name: str) -> None:
        names = [self._tabs.tabText(i) for i in range(self._tabs.count())]
        if name in names:
            self._tabs.setCurrentIndex(names.index(name))


def _is_open(widget: Any) -> bool:
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget is not None and not widget.isHidden()


def _set_state(window: QMainWindow, text: str) -> None:
    if text:
        window.restoreState(QByteArray.fromBase64(text.encode("ascii")), VERSION)
