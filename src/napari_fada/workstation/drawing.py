"""What the tools do: make one of our layers active, in the mode that a tool stands for."""

from __future__ import annotations

from typing import Any

from napari_fada.workstation.layers import LayerSet
from napari_fada.workstation.session import Session


def draw(session: Session, role: str, mode: str) -> None:
    """Make one of our layers active, in a mode."""
    if session.layers is None:
        session.say("Choose a scan first.")
        return
    if session.looking.refuses() or not session.canvas.shows_scan():
        return
    layer = session.layers.bindings[role].layer
    session.viewer.layers.selection.active = layer
    layer.visible = True
    layer.mode = mode


def paint(session: Session) -> None:
    """Take the brush, for what is chosen, else for the active class."""
    draw(session, "masks", "paint")
    session.painting.pick_up()


def paint_new(session: Session) -> None:
    """Take the brush, for another structure of the active class."""
    draw(session, "masks", "paint")
    session.painting.begin(session.active_class)


def set_mode(session: Session, mode: str) -> None:
    """Give the active layer of ours a mode, or what comes nearest to it there."""
    layers = session.layers
    binding = layers.active_binding() if layers else None
    if layers is None or binding is None or session.painting.in_hand:
        draw(session, "polygons", mode)
        return
    keypoints = binding is layers.bindings["keypoints"]
    binding.layer.mode = "select" if keypoints else mode


def toggle_layers(session: Session) -> None:
    """Hide our layers if any is shown, else show them."""
    if session.layers is not None:
        session.layers.set_visible(not any(layer.visible for layer in session.layers.layers))


def bind_paste(layers: LayerSet) -> None:
    """Let a pasted keypoint become a record; napari emits no event for it."""
    binding: Any = layers.bindings["keypoints"]
    binding.layer.bind_key("Control-V", lambda _layer: binding.paste(), overwrite=True)
