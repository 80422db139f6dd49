"""Putting the worklist into the window: on the left, in tabs with napari's own docks."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget

from napari_fada.workstation.worklist.widget import NAME, WorklistWidget

WIDTH = 310


def find_worklist(viewer: Any) -> WorklistWidget | None:
    """Return the worklist of a window, if it has one."""
    docked = viewer.window.dock_widgets.get(NAME)
    inner = getattr(docked, "inner_widget", lambda: docked)() if docked is not None else None
    return inner if isinstance(inner, WorklistWidget) else None


def show_worklist(viewer: Any) -> WorklistWidget:
    """Show the worklist, docking it first if it is not there yet."""
    found = find_worklist(viewer)
    if found is None:
        found = WorklistWidget(viewer)
        dock = viewer.window.add_dock_widget(found, name=NAME, area="left")
        _put_with_layers(dock)
    parent = found.parentWidget()
    if parent is not None:
        parent.show()
        parent.raise_()
    return found


def close_worklist(viewer: Any) -> None:
    """Stop what the worklist of a window does in the background, if there is one."""
    found = find_worklist(viewer) if hasattr(viewer, "window") else None
    if found is not None:
        found.close_list()


def _put_with_layers(dock: Any) -> None:
    """Make one place of ours and napari's two docks on the left, with tabs.

    Under napari's layer controls no more than three scans would be seen at once.
    """
    window = dock.parentWidget()
    docks = window.findChildren(QDockWidget) if window is not None else []
    named = {other.windowTitle() or other.objectName(): other for other in docks}
    layers, controls = named.get("layer list"), named.get("layer controls")
    if layers is not None and controls is not None and _on_the_left(window, layers, controls):
        window.tabifyDockWidget(controls, layers)
    if layers is not None:
        window.tabifyDockWidget(layers, dock)
        window.resizeDocks([dock], [WIDTH], Qt.Orientation.Horizontal)


def _on_the_left(window: Any, *docks: Any) -> bool:
    left = Qt.DockWidgetArea.LeftDockWidgetArea
    return all(window.dockWidgetArea(d) == left and not d.isFloating() for d in docks)
