"""Where the worklist stands: on the left, in tabs with napari's own docks."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget

WIDTH = 310


def put_with_layers(dock: Any) -> None:
    """Make one place of ours and napari's two docks on the left, with tabs.

    Under napari's layer controls no more than three scans would be seen at once.
    """
    window = dock.parentWidget()
    docks = window.findChildren(QDockWidget) if window is not None else []
    named = {other.windowTitle() or other.objectName(): other for other in docks}
    layers, controls = named.get("layer list"), named.get("layer controls")
    if layers is not None and controls is not None and _on_the_left(window, layers, controls):
        window.tabifyDockWidget(controls, layers)
        # Qt forgets a tab bar only when it lays the window out. Where a dock with tabs was closed
        # before, the next line would reach for a tab bar that is no more, and crash.
        window.layout().activate()
    if layers is not None:
        window.tabifyDockWidget(layers, dock)
        window.resizeDocks([dock], [WIDTH], Qt.Orientation.Horizontal)


def _on_the_left(window: Any, *docks: Any) -> bool:
    left = Qt.DockWidgetArea.LeftDockWidgetArea
    return all(window.dockWidgetArea(d) == left and not d.isFloating() for d in docks)
