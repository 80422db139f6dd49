"""Records to the rows of a Shapes layer and back: pure functions, no layer in sight.

A polygon with holes or separate parts takes one row for each ring; all carry its uid, and
``part`` counts the rings from 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_fada.records.annotation import Annotation, Point, Ring
from napari_fada.records.curves import curve
from napari_fada.records.geometry import area
from napari_fada.workstation.coordinates import Vertices, from_layer, to_layer

ELLIPSE_VERTICES = 64
SEEN = 0.1
"""Pixels by which what is drawn on the canvas may leave a curve."""
FEATURES = ("uid", "part", "class", "source", "status", "score", "label")


@dataclass(frozen=True, slots=True)
class Row:
    """One shape of a layer: ring ``part`` of a record on a frame."""

    frame: int
    record: Annotation
    part: int = 0

    @property
    def key(self) -> tuple[str, int]:
        """What a row is recognised by."""
        return self.record.uid, self.part


def rows_of(frame: int, record: Annotation) -> list[Row]:
    """Return the rows that show a record."""
    return [Row(frame, record, part) for part in range(1 + len(record.rings))]


def ring_of(record: Annotation, part: int) -> Ring:
    """Return one ring of a record; part 0 is ``points``."""
    return record.points if part == 0 else record.rings[part - 1]


def vertices_of(row: Row, *, with_frame: bool) -> Vertices:
    """Return the napari vertices of a row; a box gives its four corners, clockwise."""
    ring = ring_of(row.record, row.part)
    if row.record.kind == "box":
        (x1, y1), (x2, y2) = ring
        ring = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    return to_layer(ring, row.frame if with_frame else None)


def curve_of(vertices: Vertices) -> Vertices:
    """Return the vertices to draw the curve of a round structure through."""
    return to_layer(curve(from_layer(vertices), SEEN)).astype(np.float32)


def features_of(rows: Sequence[Row]) -> dict[str, npt.NDArray[np.object_]]:
    """Return the feature columns of rows, plain objects (a categorical would lose names)."""
    values = [
        (
            *(r.record.uid, r.part, r.record.category, r.record.source, r.record.status),
            r.record.score,
            "" if r.part else r.record.category,  # a structure is named once, not in each ring
        )
        for r in rows
    ]
    columns = list(zip(*values, strict=True)) if values else [()] * len(FEATURES)
    out = {}
    for name, column in zip(FEATURES, columns, strict=True):
        array = np.empty(len(column), dtype=object)
        array[:] = column
        out[name] = array
    return out


def box_from_shape(vertices: Vertices, before: Vertices | None = None) -> Ring:
    """Return the box that a drawn or dragged shape stands for.

    Dragging one corner moves that corner and keeps the opposite one; napari makes a polygon
    of it, whose bounding box would not shrink. Anything else gives the bounding box.

    Parameters
    ----------
    vertices : array, (N, 2) or (N, 3)
        The shape as it is in the layer.
    before : array, optional
        The four corners as they were.
    """
    if before is not None and before.shape == vertices.shape == (4, vertices.shape[1]):
        moved = np.flatnonzero(~np.isclose(vertices, before, atol=1e-3).all(axis=1))
        if len(moved) == 1:
            vertices = vertices[[moved[0], (moved[0] + 2) % 4]]
    xy = np.array(from_layer(vertices))
    (x1, y1), (x2, y2) = xy.min(axis=0).tolist(), xy.max(axis=0).tolist()
    return (x1, y1), (x2, y2)


def ring_from_shape(
    vertices: Vertices, shape_type: str, before: Vertices | None = None, ring: Ring = ()
) -> Ring:
    """Return the ring that a drawn or dragged shape stands for.

    A vertex that was not moved keeps the exact numbers of its record (a layer holds only
    single precision). An ellipse becomes a polygon of 64 vertices.
    """
    if shape_type == "ellipse":
        return from_layer(_ellipse(vertices))
    fresh = from_layer(vertices)
    if before is None or not ring:
        return fresh
    kept = {tuple(v): point for v, point in zip(before.tolist(), ring, strict=True)}
    return tuple(kept.get(tuple(v), p) for v, p in zip(vertices.tolist(), fresh, strict=True))


def _ellipse(corners: Vertices) -> Vertices:
    """Return vertices on the ellipse inside four corners (which may be rotated)."""
    centre = corners.mean(axis=0)
    across, down = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, ELLIPSE_VERTICES, endpoint=False)[:, None]
    around: Vertices = centre + np.cos(angle) * across + np.sin(angle) * down
    return around


def clamp(ring: Iterable[Point], shape: tuple[int, int]) -> Ring:
    """Return a ring moved into a frame of (height, width)."""
    height, width = shape
    return tuple((min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))) for x, y in ring)


def is_degenerate_box(ring: Ring, smallest: float) -> bool:
    """Tell whether a box is too thin to mean anything (a click without a drag)."""
    (x1, y1), (x2, y2) = ring
    return min(x2 - x1, y2 - y1) < 1.0 or max(x2 - x1, y2 - y1) <= smallest


def is_degenerate_ring(ring: Ring) -> bool:
    """Tell whether a ring has fewer than three vertices or next to no area."""
    return len(set(ring)) < 3 or area(Annotation("", "polygon", ring)) < 1.0
