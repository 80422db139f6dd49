"""The corner eraser: drag over corners of an outline, and they are gone when the mouse is up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from shapely import LineString, distance
from shapely import Point as ShapelyPoint
from shapely import points as as_points

from napari_fada.errors import ShapeError
from napari_fada.records.annotation import Annotation, Point
from napari_fada.records.geometry import corner_rings
from napari_fada.records.repair import erase_corners
from napari_fada.records.shaping import count
from napari_fada.workstation import napari_private as private
from napari_fada.workstation import shape_targets as targets
from napari_fada.workstation.coordinates import from_layer
from napari_fada.workstation.desk import Edit, corrected
from napari_fada.workstation.over_scan import screen_pixel
from napari_fada.workstation.session import Session

RADIUS = 9.0
"""Of the eraser in pixels of the screen."""
MODE = "vertex_remove"


class Eraser:
    """Takes corners away on the polygons layer until it is put down.

    One drag is one step of undo. It works on the selection; without one on the structure whose
    corner it meets first.

    Parameters
    ----------
    session : Session
        Whose polygons layer is edited.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._layer: Any = None
        self._before: tuple[Any, str] = (None, "")
        self._chosen: list[str] = []
        session.scan_closing.connect(self.put_down)
        session.frame_changed.connect(self.put_down)

    @property
    def active(self) -> bool:
        """Whether the eraser is in the hand."""
        return self._layer is not None

    def toggle(self) -> None:
        """Take the eraser, or put it down."""
        session = self._session
        if self.active:
            self.put_down()
            session.say("The eraser is put down.")
            return
        if session.layers is None:
            session.say("Choose a scan first.")
            return
        self._chosen = [r.uid for r in targets.selected(session, "polygon")]
        layer = session.layers.bindings["polygons"].layer
        self._before = (session.viewer.layers.selection.active, str(layer.mode))
        session.viewer.layers.selection.active = layer
        layer.visible = True
        # This mode shows the corners; what the mouse does in it is ours.
        layer.mode = "pan_zoom"
        layer.mode = MODE
        private.without_native_drag(layer)
        layer.cursor = "circle"
        layer.cursor_size = max(2 * self._radius(layer), 1)
        if not self._chosen and len(layer.data) == 1:
            layer.selected_data = {0}  # its corners are seen at once, not only under the mouse
        layer.mouse_drag_callbacks.append(self._drag)
        layer.events.mode.connect(self._on_mode)
        layer.bind_key("Escape", lambda _layer: self.put_down(), overwrite=True)
        self._layer = layer
        session.say("Drag over the corners that are to go. Escape puts the eraser down.")

    def put_down(self, _: object = None, *, back: bool = True) -> None:
        """Put the eraser down; the layer and mode from before come back."""
        layer, self._layer = self._layer, None
        if layer is None:
            return
        layer.events.mode.disconnect(self._on_mode)
        layer.mouse_drag_callbacks.remove(self._drag)
        layer.bind_key("Escape", None, overwrite=True)
        if back:
            active, mode = self._before
            layer.mode = "pan_zoom"
            layer.mode = mode
            if active in self._session.viewer.layers:
                self._session.viewer.layers.selection.active = active

    def _on_mode(self) -> None:
        self.put_down(back=False)

    def _radius(self, layer: Any) -> float:
        """Return the radius in pixels of the scan."""
        return RADIUS * screen_pixel(self._session, layer)

    def _drag(self, layer: Any, event: Any) -> Iterator[None]:
        radius = self._radius(layer)
        layer.cursor_size = max(2 * radius, 1)
        path: list[Point] = []
        record: Annotation | None = None
        left: Annotation | None = None
        while True:
            path.append(from_layer([layer.world_to_data(event.position)])[0])
            if record is None:
                record = self._met(path, radius)
            if record is not None:
                with suppress(ShapeError):  # said when the drag ends
                    now = erase_corners(record, path, radius).record
                    if now != left:
                        left = now
                        self._session.show_for_now(now)
            yield
            if event.type != "mouse_move":
                break
        if record is not None:
            self._commit(record, path, radius)

    def _met(self, path: list[Point], radius: float) -> Annotation | None:
        """Return the structure with the corner nearest to the path, if the eraser reaches it."""
        trace = LineString(path) if len(path) > 1 else ShapelyPoint(path[0])
        nearest, found = radius, None
        for record in targets.here(self._session, "polygon"):
            if self._chosen and record.uid not in self._chosen:
                continue
            corners = [p for ring in corner_rings(record) for p in ring]
            off = float(np.min(distance(as_points(np.array(corners)), trace)))
            if off <= nearest:
                nearest, found = off, record
        return found

    def _commit(self, record: Annotation, path: list[Point], radius: float) -> None:
        session = self._session
        try:
            if not targets.unlocked(session, [record]):
                session.refresh(frame=session.frame)
                return
            shaped = erase_corners(record, path, radius)
        except ShapeError as error:
            session.say(str(error), "warning")
            session.refresh(frame=session.frame)
            return
        new = corrected(
            record, session.rater, points=shaped.record.points, rings=shaped.record.rings
        )
        gone = sum(map(len, corner_rings(record))) - sum(map(len, corner_rings(new)))
        edit = Edit(session.frame, f"{record.category}: corners erased", replace={record.uid: new})
        if session.commit(edit):
            if record.uid in self._chosen:
                self._chosen = [
                    r.uid
                    for r in targets.here(session, "polygon")
                    if r.parent in self._chosen or r.uid in self._chosen
                ]
            session.say(f"{record.category}: {count(gone, 'corner')} erased. {shaped.word}".strip())
