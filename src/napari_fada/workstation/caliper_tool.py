"""Drags the lines of measurements: the structure that is measured follows, as one edit.

An end of a caliper turns and stretches, its middle moves the structure, the line of an ellipse
makes it larger or smaller. What it measures is shown at every move; nothing is written before
the mouse is let go.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from shapely import LineString
from shapely import Point as ShapelyPoint

from napari_fada.errors import MeasureError
from napari_fada.measure import Scale
from napari_fada.measure.dragging import caliper_dragged, ellipse_dragged, moved
from napari_fada.measure.results import Shape
from napari_fada.records.annotation import Annotation, Point
from napari_fada.workstation import shape_targets as targets
from napari_fada.workstation.coordinates import from_layer
from napari_fada.workstation.desk import Edit, corrected
from napari_fada.workstation.measure_layer import LABELS, MeasureLayer
from napari_fada.workstation.over_scan import screen_pixel
from napari_fada.workstation.session import Session

END, LINE = 10.0, 7.0
"""How far from an end and from a line the mouse may be, in pixels of the screen."""
HELP = (
    "Drag an end of a caliper to turn and stretch it, its middle to move the structure, an ellipse "
    "to make it larger or smaller. Escape, or the key again: put it down."
)

Part = Literal["first", "second", "middle", "ellipse", "tangent"]


@dataclass(frozen=True, slots=True)
class Grip:
    """What the mouse has hold of."""

    shape: Shape
    part: Part


class CaliperTool:
    """Makes the drawn measurements draggable until it is put down.

    Parameters
    ----------
    session : Session
        Whose structures are changed.
    drawn : MeasureLayer
        The lines.
    scale_of : callable
        Gives the scale of a record.
    live : callable
        Gets a record as it would be, to measure and draw it; None: as the records are.
    on_change : callable
        Called when the tool was taken or put down.
    """

    def __init__(
        self,
        session: Session,
        drawn: MeasureLayer,
        scale_of: Callable[[Annotation], Scale | None],
        live: Callable[[Annotation | None], None],
        on_change: Callable[[bool], None],
    ) -> None:
        self._session, self._drawn = session, drawn
        self._scale_of, self._live, self._on_change = scale_of, live, on_change
        self._layer: Any = None
        self._before: Any = None
        self._let_go = True  # no line is in the hand
        session.scan_closing.connect(self.put_down)
        session.viewer.layers.selection.events.active.connect(self._on_active)

    @property
    def active(self) -> bool:
        """Whether lines can be dragged now."""
        return self._layer is not None

    def toggle(self) -> None:
        """Take the tool, or put it down."""
        if self.active:
            self.put_down()
            return
        layer, session = self._drawn.layer, self._session
        if layer is None:
            session.say("Nothing that is drawn can be dragged: nothing is measured here.")
            self._on_change(False)
            return
        self._before = session.viewer.layers.selection.active
        session.viewer.layers.selection.active = layer
        layer.visible = True
        layer.mouse_pan = False
        layer.mouse_drag_callbacks.append(self._drag)
        layer.mouse_move_callbacks.append(self._hover)
        layer.bind_key("Escape", lambda _layer: self.put_down(), overwrite=True)
        self._layer = layer
        session.say(HELP)
        self._on_change(True)

    def put_down(self, _: object = None) -> None:
        """Put the tool down; a line that is being dragged goes back, and so does the layer."""
        layer, self._layer = self._layer, None
        if layer is None:
            return
        dragging, self._let_go = not self._let_go, True
        layer.mouse_drag_callbacks.remove(self._drag)
        layer.mouse_move_callbacks.remove(self._hover)
        layer.bind_key("Escape", None, overwrite=True)
        layer.mouse_pan = True
        layer.cursor = "standard"
        session = self._session
        viewer = session.viewer
        if viewer.layers.selection.active is layer and self._before in viewer.layers:
            viewer.layers.selection.active = self._before
        if dragging and session.scan is not None:
            self._go_back()
        self._on_change(False)

    def _on_active(self) -> None:
        """Put the tool down when another layer is chosen, or its own is taken away."""
        if self.active and self._session.viewer.layers.selection.active is not self._layer:
            self.put_down()

    # What lies under the mouse

    def grip(self, at: Point, unit: float) -> Grip | None:
        """Return what a point has hold of: an end before a line, the nearest of each.

        Parameters
        ----------
        at : (x, y)
            In pixels of the scan.
        unit : float
            Pixels of the scan in one of the screen.
        """
        shapes = [line.shape for line in self._drawn.lines]
        ends = [
            (math.dist(point, at), Grip(shape, "second" if k else "first"))
            for shape in shapes
            if shape.kind == "caliper"
            for k, point in enumerate(shape.points)
        ]
        spot = ShapelyPoint(at)
        lines: list[tuple[float, Grip]] = []
        for shape in shapes:
            closed = shape.kind == "ellipse"
            path = LineString([*shape.points, shape.points[0]] if closed else shape.points)
            part: Part = "ellipse" if closed else "tangent" if shape.kind == "tangent" else "middle"
            lines.append((path.distance(spot), Grip(shape, part)))
        for found, reach in ((ends, END), (lines, LINE)):
            near = [pair for pair in found if pair[0] <= reach * unit]
            if near:
                return min(near, key=lambda pair: pair[0])[1]
        return None

    def _hover(self, layer: Any, event: Any) -> None:
        found = self.grip(_point(layer, event), screen_pixel(self._session, layer))
        layer.cursor = "standard" if found is None else "pointing"

    # Dragging

    def _drag(self, layer: Any, event: Any) -> Iterator[None]:
        start = _point(layer, event)
        found = self.grip(start, screen_pixel(self._session, layer))
        record = self._taken(found)
        if found is None or record is None:
            return
        self._let_go = False
        frame, scale = self._session.frame, self._scale_of(record)
        new: Annotation | None = None
        problem = ""
        yield
        while event.type == "mouse_move":
            if not self._let_go:
                try:
                    now = _point(layer, event)
                    new, problem = self._changed(record, found, start, now, scale), ""
                    self._show(new)
                except MeasureError as error:  # said when it is let go
                    problem = str(error)
            yield
        put_down, self._let_go = self._let_go, True
        if put_down:
            return
        if frame != self._session.frame:  # scrolled away meanwhile
            self._session.refresh(frame=frame)
            return
        if problem:
            self._session.say(problem, "warning")
        if new is None or problem or not self._commit(record, found, new):
            self._go_back()

    def _show(self, new: Annotation) -> None:
        if new.kind == "polygon":
            self._session.show_for_now(new)
        self._live(new)

    def _go_back(self) -> None:
        """Show structures and lines as they are in the project."""
        self._session.refresh(frame=self._session.frame)
        self._live(None)

    def _taken(self, found: Grip | None) -> Annotation | None:
        """Return the record of what the mouse has hold of; say why there is none."""
        session = self._session
        if found is None:
            return None
        if found.part == "tangent":
            session.say("The tangent follows the head and the symphysis: drag one of them.")
            return None
        here = session.records.get(session.frame, [])
        record = next((r for r in here if r.uid == found.shape.uid), None)
        if record is None or not targets.unlocked(session, [record]):
            return None
        return record

    def _changed(
        self, record: Annotation, grip: Grip, start: Point, now: Point, scale: Scale | None
    ) -> Annotation:
        shape = grip.shape
        height, width = self._session.frame_shape
        size = (width, height)
        by = (now[0] - start[0], now[1] - start[1])
        if grip.part == "middle":
            return moved(record, by)
        if grip.part == "ellipse":
            return ellipse_dragged(record, shape, start, now, scale, size)
        ends = [shape.points[0], shape.points[1]]
        k = 0 if grip.part == "first" else 1
        # The end keeps its distance to the mouse. It stays on the scan, unless it was beside it.
        x, y = ends[k]
        left, right, top, bottom = min(0.0, x), max(width, x), min(0.0, y), max(height, y)
        ends[k] = (min(max(x + by[0], left), right), min(max(y + by[1], top), bottom))
        return caliper_dragged(record, shape, (ends[0], ends[1]), scale, size)

    def _commit(self, record: Annotation, grip: Grip, new: Annotation) -> bool:
        session = self._session
        title = LABELS.get(grip.shape.role, ("", ""))[1] or "line"
        label = f"{record.category}: {title} dragged"
        change = corrected(record, session.rater, points=new.points, rings=new.rings)
        return session.commit(Edit(session.frame, label, replace={record.uid: change}))


def _point(layer: Any, event: Any) -> Point:
    return from_layer([layer.world_to_data(event.position)])[0]
