"""The mouse, without a window: napari's own callbacks driven with made-up events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from napari.utils._proxies import ReadOnlyWrapper
from napari.utils.interactions import (
    mouse_double_click_callbacks,
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)


@dataclass
class Mouse:
    """A mouse event as napari gives it to a layer; positions are world coordinates."""

    type: str
    position: tuple[float, ...]
    is_dragging: bool = False
    modifiers: list[str] = field(default_factory=list)
    button: int = 1
    handled: bool = False
    inverted: bool = False
    native: Any = None
    camera_zoom: float = 1.0

    @property
    def pos(self) -> np.ndarray:
        return np.array(self.position[-2:])

    @property
    def view_direction(self) -> None:
        return None

    @property
    def up_direction(self) -> None:
        return None

    @property
    def dims_displayed(self) -> list[int]:
        n = len(self.position)
        return [n - 2, n - 1]

    @property
    def dims_point(self) -> tuple[float, ...]:
        return self.position


_CALLBACKS = {
    "mouse_press": mouse_press_callbacks,
    "mouse_move": mouse_move_callbacks,
    "mouse_release": mouse_release_callbacks,
    "mouse_double_click": mouse_double_click_callbacks,
}


def send(
    layer: Any,
    kind: str,
    at: Sequence[float],
    *,
    dragging: bool = False,
    modifiers: Sequence[str] = (),
) -> None:
    event = Mouse(kind, tuple(float(v) for v in at), dragging, list(modifiers))
    _CALLBACKS[kind](layer, ReadOnlyWrapper(event, exceptions=("handled",)))


def drag(layer: Any, *points: Sequence[float]) -> None:
    """Press at the first point, move over the others, release at the last."""
    send(layer, "mouse_press", points[0])
    for point in points[1:]:
        send(layer, "mouse_move", point, dragging=True)
    send(layer, "mouse_release", points[-1])


def click(layer: Any, at: Sequence[float], *, modifiers: Sequence[str] = ()) -> None:
    send(layer, "mouse_press", at, modifiers=modifiers)
    send(layer, "mouse_release", at, modifiers=modifiers)


def draw_polygon(layer: Any, *corners: Sequence[float]) -> None:
    """Click corner after corner and end with a double click."""
    layer.mode = "add_polygon"
    for corner in corners:
        send(layer, "mouse_move", corner)
        click(layer, corner)
    send(layer, "mouse_double_click", corners[-1])
