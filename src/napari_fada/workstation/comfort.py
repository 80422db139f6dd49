"""What makes the window easy to sit at: keys, sizes, colours, and that it stays as it was left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QSizePolicy, QTabWidget

from napari_fada.workstation import napari_private as private
from napari_fada.workstation.focus import FocusKeeper, tab_in_order
from napari_fada.workstation.memory import recall, remember
from napari_fada.workstation.models_panel.docking import NAME as MODELS
from napari_fada.workstation.models_panel.docking import show_models
from napari_fada.workstation.panels.cheat_sheet import CheatSheet
from napari_fada.workstation.settings import settings
from napari_fada.workstation.theme import Dress
from napari_fada.workstation.window_layout import WindowLayout
from napari_fada.workstation.worklist.docking import NAME, show_worklist

if TYPE_CHECKING:
    from napari_fada.workstation.widget import AnnotateWidget

TIP = "fada-tip"
LARGE = 120
"""From this size of texts on, in percent, panels are arranged to need less room."""


class Comfort(QObject):
    """Everything of that for one annotate widget.

    Parameters
    ----------
    widget : AnnotateWidget
        Built, with all its panels.
    """

    def __init__(self, widget: AnnotateWidget) -> None:
        super().__init__(widget)
        self._widget = widget
        viewer = widget.session.viewer
        self._dresses = [Dress(widget, viewer)]
        self.focus = FocusKeeper(viewer, widget.keys.table, self, widget.session.say)
        self.focus.watch(widget)
        opened = {NAME: lambda: show_worklist(viewer), MODELS: lambda: show_models(viewer)}
        self.layout = WindowLayout(viewer, widget.tabs, opened, self)
        self._sheet: CheatSheet | None = None
        private.dark_canvas(viewer)
        settings().events.text_percent.connect(self._scale)
        widget.session.scan_changed.connect(self._scale)
        self._scale()
        widget.phases.fold(bool(recall("folded", False)))
        widget.phases.fold_changed.connect(lambda folded: remember(folded=folded))
        tab_in_order((widget.source, widget.phases, widget.message, widget.tools, widget.tabs))
        widget.tabs.currentChanged.connect(lambda _: _fit_to_page(widget.tabs))
        _fit_to_page(widget.tabs)
        # napari docks the widget after it was made.
        QTimer.singleShot(0, self._docked)

    def actions(self) -> dict[str, Callable[[], object]]:
        """Return what the keys of this part do."""
        return {
            "cheat_sheet": self.show_keys,
            "help": self.show_keys,
            "fold": lambda: self._widget.phases.fold(not self._widget.phases.folded),
        }

    @property
    def sheet(self) -> CheatSheet:
        """The cheat sheet, made when it is first asked for."""
        if self._sheet is None:
            window = private.main_window(self._widget.session.viewer) or self._widget.window()
            assert window is not None
            self._sheet = CheatSheet(self._widget.keys.table, window, self.focus.give_back)
            self._sheet.destroyed.connect(self._forget_sheet)
            self._dresses.append(Dress(self._sheet, self._widget.session.viewer, SHEET))
            self._scale()
        return self._sheet

    def show_keys_in_tips(self) -> None:
        """Name in the tooltips the key that does the same, as it is now."""
        widget, table = self._widget, self._widget.keys.table
        for action, part in (
            ("run", widget.phases.run_button),
            ("cancel", widget.phases.cancel_button),
            ("fold", widget.phases.fold_button),
            ("reclass", widget.classes.reclass),
            ("class", widget.classes.search),
        ):
            plain = part.property(TIP) or part.toolTip()
            part.setProperty(TIP, plain)
            part.setToolTip(f"{plain} ({table[action]})" if table[action] else plain)

    def show_keys(self) -> None:
        """Open the cheat sheet, or close it."""
        self.sheet.toggle()

    def _scale(self, _percent: int = 0) -> None:
        """Show our texts, those on the canvas too, at the size that is set."""
        percent = settings().text_percent
        for dress in self._dresses:
            dress.scale(percent)
        large = percent >= LARGE
        self._widget.tools.arrange(large=large)
        self._widget.phases.arrange(large=large)
        self._widget.column.space(2 if large else 6)
        layers = self._widget.session.layers
        if layers is not None:
            layers.scale_texts(percent / 100)

    def _forget_sheet(self) -> None:
        self._sheet = None
        del self._dresses[1:]

    def _docked(self) -> None:
        if self._widget.isVisible():
            self.layout.restore()


def _fit_to_page(tabs: QTabWidget) -> None:
    """Let only the page that is shown say how high the tabs must be.

    Otherwise the highest of them would bring a scroll bar to all.
    """
    for i in range(tabs.count()):
        page = tabs.widget(i)
        if page is not None:
            policy = page.sizePolicy()
            here = page is tabs.currentWidget()
            kind = QSizePolicy.Policy.Preferred if here else QSizePolicy.Policy.Ignored
            policy.setVerticalPolicy(kind)
            page.setSizePolicy(policy)
    tabs.updateGeometry()


SHEET = "#fada-cheat-sheet { border: 2px solid rgba(128, 128, 128, 160); border-radius: 6px; }"
