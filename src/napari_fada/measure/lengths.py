"""Lengths and areas of single shapes, in millimetres: points are brought to mm first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_fada.errors import MeasureError
from napari_fada.measure.calibration import Scale
from napari_fada.records.annotation import Annotation, Point, Ring
from napari_fada.records.curves import traced_sides
from napari_fada.records.geometry import area, outlines
from napari_fada.records.smoothing import length, resample

_STEPS = 8
"""Corners from which on a ring can be the border of a mask."""


@dataclass(frozen=True, slots=True)
class Line:
    """A length in mm and its two ends in pixels."""

    length: float
    ends: tuple[Point, Point]


def longest(record: Annotation, scale: Scale) -> Line:
    """Return the largest distance of two points of an outline (its maximal Feret diameter).

    Of a painted mask the corners of its traced border are taken, which lie on the border.
    """
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import pdist, squareform

    points = np.asarray(scale.to_mm(outlines(record)[0]), float)
    try:
        hull = points[ConvexHull(points).vertices]
    except QhullError as error:
        raise MeasureError(f"{record.category} has no area") from error
    distances = squareform(pdist(hull))
    i, j = np.unravel_index(int(distances.argmax()), distances.shape)
    a, b = scale.to_pixels([tuple(hull[i]), tuple(hull[j])])
    return Line(float(distances[i, j]), (a, b))


def thickest(record: Annotation, scale: Scale) -> Line:
    """Return the largest thickness of an outline: the diameter of the largest circle inside it.

    The line is drawn across the circle, from where it touches the outline.
    """
    from shapely import Polygon
    from shapely.ops import nearest_points, polylabel

    shape = Polygon(scale.to_mm(outlines(record)[0]))
    if not shape.is_valid or shape.area <= 0:
        raise MeasureError(f"{record.category} crosses itself or has no area")
    centre = polylabel(shape, tolerance=1e-3)
    touch, _ = nearest_points(shape.exterior, centre)
    ends = [(2 * centre.x - touch.x, 2 * centre.y - touch.y), (touch.x, touch.y)]
    a, b = scale.to_pixels(ends)
    return Line(2 * float(centre.distance(touch)), (a, b))


def between(points: Sequence[Point], scale: Scale) -> Line:
    """Return the distance of two points."""
    a, b = points
    return Line(scale.length(a, b), (a, b))


def area_mm2(record: Annotation, scale: Scale) -> float:
    """Return the area of a box or polygon without its holes."""
    return area(record) * scale.x * scale.y


def perimeter_mm(record: Annotation, scale: Scale) -> float:
    """Return the length of all borders of a box or polygon.

    The steps of a painted mask would make it too long by up to 8 %: where the border follows
    pixels it is smoothed over nine of them first.
    """
    return sum(length(scale.to_mm(_without_steps(ring))) for ring in outlines(record))


def _without_steps(ring: Ring) -> Ring:
    corners = np.asarray(ring, float)
    steps = traced_sides(corners)
    if len(ring) < _STEPS or not steps.any():
        return ring
    n = max(int(length(ring)), _STEPS)
    points = resample(ring, n)
    smooth = np.mean([np.roll(points, k, axis=0) for k in range(-4, 5)], axis=0)
    if not steps.all():
        # Which side of the ring each point lies on.
        sides = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
        side = np.searchsorted(np.cumsum(sides), np.arange(n) / n * sides.sum(), side="right")
        on_steps = steps[np.minimum(side, len(steps) - 1)]
        smooth = np.where(on_steps[:, None], smooth, points)
    return tuple((float(x), float(y)) for x, y in smooth)
