"""The worklist of a window: found, shown, ended."""

from __future__ import annotations

from typing import Any

from napari_fada.workstation.worklist.placing import put_with_layers
from napari_fada.workstation.worklist.widget import NAME, WorklistWidget

__all__ = ["NAME", "close_worklist", "find_worklist", "show_worklist"]


def find_worklist(viewer: Any) -> WorklistWidget | None:
    """Return the worklist of a window, if it has one."""
    # One that was opened from the menu has the plugin in its name, too.
    docked = viewer.window.dock_widgets.values()
    return next((widget for widget in docked if isinstance(widget, WorklistWidget)), None)


def show_worklist(viewer: Any) -> WorklistWidget:
    """Show the worklist, docking it first if it is not there yet."""
    found = find_worklist(viewer)
    if found is None:
        found = WorklistWidget(viewer)
        dock = viewer.window.add_dock_widget(found, name=NAME, area="left")
        put_with_layers(dock)
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
