"""Two points and the length between them: a line is dragged on the scan, the length is typed.

The line is no record: it is gone when the length was typed or the ruler was put down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from napari_fada.records.annotation import Point
from napari_fada.workstation.coordinates import from_layer
from napari_fada.workstation.measure_layer import COLOUR
from napari_fada.workstation.over_scan import put_over_scan, take_away, vertices_over_scan
from napari_fada.workstation.session import Session
from napari_fada.workstation.styles import line_unit

NAME = "FADA ruler"
HELP = (
    "Press on one end of a length that you know (a scale bar, two depth ticks), drag to the other "
    "end and let go. Escape: leave it."
)
_SHORTEST_PX = 2.0


class Ruler:
    """Takes one line from the mouse.

    Parameters
    ----------
    session : Session
        On whose scan it is drawn.
    on_drawn : callable
        Gets the two ends, in pixels; the line stays until ``put_down``.
    """

    def __init__(self, session: Session, on_drawn: Callable[[Point, Point], object]) -> None:
        self._session, self._on_drawn = session, on_drawn
        self._layer: Any = None
        self._before: Any = None
        session.scan_closing.connect(self.put_down)
        session.frame_changed.connect(self.put_down)
        session.viewer.layers.selection.events.active.connect(self._on_active)

    @property
    def active(self) -> bool:
        """Whether a line is waited for, or its length."""
        return self._layer is not None

    def take(self) -> None:
        """Take the ruler in the hand."""
        from napari.layers import Shapes

        session = self._session
        self.put_down()
        if session.layers is None:
            session.say("Choose a scan first.")
            return
        corner = vertices_over_scan(session, [(0.0, 0.0)])
        layer = Shapes(ndim=corner.shape[1], name=NAME)
        put_over_scan(session, layer)
        self._before = session.viewer.layers.selection.active
        session.viewer.layers.selection.active = layer
        layer.mouse_pan = False
        layer.cursor = "cross"
        layer.mouse_drag_callbacks.append(self._drag)
        layer.bind_key("Escape", lambda _layer: self.put_down(), overwrite=True)
        self._layer = layer
        session.say(HELP)

    def put_down(self, _: object = None) -> None:
        """Take the line away; the layer from before is chosen again."""
        layer, self._layer = self._layer, None
        if layer is None:
            return
        viewer = self._session.viewer
        back = viewer.layers.selection.active is layer and self._before in viewer.layers
        take_away(self._session, layer)
        if back:
            viewer.layers.selection.active = self._before

    def _on_active(self) -> None:
        if self.active and self._session.viewer.layers.selection.active is not self._layer:
            self.put_down()

    def _drag(self, layer: Any, event: Any) -> Iterator[None]:
        start = end = from_layer([layer.world_to_data(event.position)])[0]
        yield
        while event.type == "mouse_move":
            end = from_layer([layer.world_to_data(event.position)])[0]
            self._show(layer, start, end)
            yield
        if layer is not self._layer:
            return
        if math.dist(start, end) < _SHORTEST_PX:
            self._session.say(HELP)
            return
        self._on_drawn(start, end)

    def _show(self, layer: Any, start: Point, end: Point) -> None:
        width = 2.0 * line_unit(*self._session.frame_shape)
        layer.data = []
        layer.add(
            vertices_over_scan(self._session, [start, end]),
            shape_type="line",
            edge_color=COLOUR,
            edge_width=width,
        )
        layer.editable = False  # with new data napari makes it editable again
        layer.mouse_pan = False
