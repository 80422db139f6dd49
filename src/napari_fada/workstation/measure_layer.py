"""Measurements drawn on the scan: calipers, ellipses and tangents, each once, with its number.

They are no records. What is measured follows the structures; the caliper tool
(:mod:`napari_fada.workstation.caliper_tool`) lets a hand drag a line, and the record follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from psygnal import Signal

from napari_fada.measure import Measurement
from napari_fada.measure.results import Shape
from napari_fada.records.annotation import Ring
from napari_fada.workstation import napari_private as private
from napari_fada.workstation.over_scan import (
    fit_to_scan,
    put_over_scan,
    take_away,
    vertices_over_scan,
)
from napari_fada.workstation.session import Session
from napari_fada.workstation.styles import line_unit

NAME = "FADA measurements"
COLOUR = "#ffe14d"
_WIDTH = 2.0
_BAR = 6.0  # half the bar at the end of a caliper
_TEXT = {
    "string": "{label}",
    "color": COLOUR,
    "size": 9,
    "anchor": "upper_left",
}
_ABOVE = (-5.0, 0.0)  # of the line: rows, columns
#: Whose number stands at a line, and what it is called there.
LABELS = {
    "hc": ("hc", "HC"),
    "bpd": ("bpd_oo", "BPD"),
    "ofd": ("ofd", "OFD"),
    "ac": ("ac", "AC"),
    "tad": ("tad", "TAD"),
    "apad": ("apad", "APAD"),
    "fl": ("fl", "FL"),
    "crl": ("crl", "CRL"),
    "nt": ("nt", "NT"),
    "lv_width": ("lv_width", "LV"),
    "cardiac": ("ctr_circumference", "CTR"),
    "aop": ("aop", "AoP"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is drawn, with what stands at it."""

    shape: Shape
    label: str


def lines_of(measured: Sequence[Measurement]) -> list[Line]:
    """Return the lines of measurements, each once; outlines are there to be seen already."""
    values = {m.name: m.amount for m in reversed(measured)}
    found: dict[tuple[str, Ring], Line] = {}
    for shape in (shape for m in measured for shape in m.shapes):
        if shape.kind == "outline" or len(shape.points) < 2:
            continue
        name, title = LABELS.get(shape.role, ("", ""))
        label = f"{title} {values[name]}" if name in values else ""
        if shape.kind == "ellipse" and label:
            label += "\n "  # a line higher than what stands at the end of an axis
        found.setdefault((shape.kind, shape.points), Line(shape, label))
    return list(found.values())


class MeasureLayer:
    """One layer, made when there is something to draw and taken away when not.

    Parameters
    ----------
    session : Session
        Whose scan is measured.
    """

    made: ClassVar[Signal] = Signal(object)
    """A layer came into the viewer."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.layer: Any = None
        self.lines: list[Line] = []

    def show(self, measured: Sequence[Measurement]) -> None:
        """Draw the lines of measurements; nothing where there are none."""
        session = self._session
        self.lines = lines_of(measured)
        if not self.lines or session.layers is None:
            self.hide()
            return
        unit = line_unit(*session.frame_shape)
        data = [vertices_over_scan(session, _path(line.shape, _BAR * unit)) for line in self.lines]
        if self.layer is not None and (
            self.layer.ndim != data[0].shape[1] or self.layer not in session.viewer.layers
        ):
            self.hide()
        if self.layer is None:
            self._make(data, _WIDTH * unit)
        else:
            self._write(data, _WIDTH * unit)
            fit_to_scan(session, self.layer)

    def hide(self) -> None:
        """Take the layer away."""
        layer, self.layer = self.layer, None
        take_away(self._session, layer)

    def _features(self) -> dict[str, list[str]]:
        return {"label": [line.label for line in self.lines]}

    def _make(self, data: list[Any], width: float) -> None:
        from napari.layers import Shapes

        self.layer = Shapes(
            data,
            shape_type="path",
            edge_color=COLOUR,
            edge_width=width,
            face_color="transparent",
            features=self._features(),
            text={**_TEXT, "translation": np.array([0.0, *_ABOVE])[-data[0].shape[1] :]},
            opacity=1.0,
            name=NAME,
        )
        put_over_scan(self._session, self.layer)
        self.made.emit(self.layer)

    def _write(self, data: list[Any], width: float) -> None:
        """Change the lines where they are: while one is dragged that happens at every move."""
        layer = self.layer
        with private.one_refresh(layer):
            layer.data = data
            layer.shape_type = "path"
            layer.features = self._features()
            layer.edge_color = COLOUR
            layer.edge_width = width
        layer.editable = False  # with new data napari makes it editable again


def _path(shape: Shape, bar: float) -> list[tuple[float, float]]:
    """Return the corners of a line: an ellipse closed, a caliper with a bar at each end."""
    points = list(shape.points)
    if shape.kind == "ellipse":
        return [*points, points[0]]
    if shape.kind == "tangent":
        return points
    a, b = np.asarray(points, float)
    along = b - a
    across = bar * np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-9)
    ends = (a + across, a - across, a, b, b + across, b - across)
    return [(float(x), float(y)) for x, y in ends]
