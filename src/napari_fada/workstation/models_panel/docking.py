"""The panel of models of a window: found, shown."""

from __future__ import annotations

from typing import Any

from napari_fada.workstation.models_panel.widget import NAME, ModelsWidget

__all__ = ["NAME", "close_models", "find_models", "show_models"]


def find_models(viewer: Any) -> ModelsWidget | None:
    """Return the panel of a window, if it has one."""
    # One that was opened from the menu has the plugin in its name, too.
    docked = viewer.window.dock_widgets.values()
    return next((widget for widget in docked if isinstance(widget, ModelsWidget)), None)


def show_models(viewer: Any) -> ModelsWidget:
    """Show the panel, docking it first, with the others of the right side, if it is not there."""
    found = find_models(viewer)
    if found is None:
        found = ModelsWidget(viewer)
        viewer.window.add_dock_widget(found, name=NAME, area="right", tabify=True)
    parent = found.parentWidget()
    if parent is not None:
        parent.show()
        parent.raise_()
    return found


def close_models(viewer: Any) -> None:
    """Stop what the panel of a window does in the background, if there is one."""
    found = find_models(viewer) if hasattr(viewer, "window") else None
    if found is not None:
        found.stop()
