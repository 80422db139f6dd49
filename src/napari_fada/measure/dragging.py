"""What becomes of a structure when a line that measures it is dragged.

A caliper between two points moves the points. A caliper of an outline turns and stretches the
outline along itself, so that the part across it stays as wide as it was; an ellipse grows about
its centre. All of it happens in millimetres where there is a scale: oblong pixels do no harm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from napari_fada.errors import MeasureError
from napari_fada.measure.calibration import Scale
from napari_fada.measure.ellipse import is_painted, measured_ellipse
from napari_fada.measure.results import Shape
from napari_fada.records.annotation import Annotation, Point, Ring

AXES = frozenset({"bpd", "ofd", "tad", "apad", "symphysis"})
"""Roles of calipers that are an axis of the ellipse of an outline."""
SHORTEST_PX = 2.0
"""A caliper shorter than this was not meant."""

_ROUNDS = 8
_CLOSE_PX = 0.02

Points = npt.NDArray[np.float64]


def caliper_dragged(
    record: Annotation,
    shape: Shape,
    ends: tuple[Point, Point],
    scale: Scale | None,
    size: tuple[int, int],
) -> Annotation:
    """Return the record as it is when the ends of its caliper lie elsewhere.

    Parameters
    ----------
    record : Annotation
        Keypoints, or an outline.
    shape : Shape
        The caliper as it was measured on the record.
    ends : two (x, y)
        Where they are now, in pixels, in the same order.
    scale : Scale or None
        None: pixels are taken as square.
    size : (width, height)
        Of the image.

    Raises
    ------
    MeasureError
        If the caliper has no length any more, or the outline none that can be measured.
    """
    if math.dist(*ends) < SHORTEST_PX:
        raise MeasureError(
            "The two ends of a caliper cannot be the same.",
            kept="The structure is as it was.",
            todo="Drag the end further away; to remove a structure, select it and press Delete.",
        )
    if record.kind == "keypoints":
        return replace(record, points=_with_visible(record, ends))
    axis = shape.role in AXES
    record = _drawn(record, scale, size) if axis else record
    before = (shape.points[0], shape.points[1])
    out = _mapped(record, _along(before, ends, scale), scale)
    if axis and before != ends:
        # The best ellipse of an outline with bumps is not just the old one stretched: what is
        # still missing is added, until the caliper is where it was let go.
        for _ in range(_ROUNDS):
            now = _axis_near(out, ends, scale, size)
            if max(math.dist(a, b) for a, b in zip(now, ends, strict=True)) < _CLOSE_PX:
                break
            out = _mapped(out, _along(now, ends, scale), scale)
    return out


def ellipse_dragged(
    record: Annotation,
    shape: Shape,
    grabbed: Point,
    to: Point,
    scale: Scale | None,
    size: tuple[int, int],
) -> Annotation:
    """Return the record grown or shrunk about the centre of its ellipse.

    Parameters
    ----------
    grabbed, to : (x, y)
        A point of the ellipse, and where it is now; only how far from the centre counts.

    Raises
    ------
    MeasureError
        If nothing is left of it.
    """
    middle = np.mean(_mm(shape.points, scale), axis=0)
    before, now = (_mm([p], scale)[0] - middle for p in (grabbed, to))
    factor = float(now @ before) / max(float(before @ before), 1e-12)
    if factor * np.ptp(np.asarray(shape.points), axis=0).min() < SHORTEST_PX:
        raise MeasureError(
            "An ellipse cannot be turned inside out.", kept="The structure is as it was."
        )
    drawn = _drawn(record, scale, size)
    return _mapped(drawn, lambda points: middle + factor * (points - middle), scale)


def moved(record: Annotation, by: Point) -> Annotation:
    """Return the record moved by so many pixels."""
    dx, dy = by

    def shift(ring: Ring) -> Ring:
        return tuple((x + dx, y + dy) for x, y in ring)

    return replace(record, points=shift(record.points), rings=tuple(map(shift, record.rings)))


def _along(
    before: tuple[Point, Point], now: tuple[Point, Point], scale: Scale | None
) -> Callable[[Points], Points]:
    """Return the map in mm that lays one caliper on another and stretches along it only."""
    (a, b), (c, d) = _mm(before, scale), _mm(now, scale)
    old, new = b - a, d - c
    u, v = old / np.linalg.norm(old), new / np.linalg.norm(new)
    stretch = np.linalg.norm(new) / np.linalg.norm(old)
    across = np.array([-u[1], u[0]]), np.array([-v[1], v[0]])
    matrix = stretch * np.outer(v, u) + np.outer(across[1], across[0])
    return lambda points: c + (points - a) @ matrix.T


def _mapped(
    record: Annotation, change: Callable[[Points], Points], scale: Scale | None
) -> Annotation:
    def ring(points: Ring) -> Ring:
        out: list[Point] = [(x, y) for x, y in change(_mm(points, scale)).tolist()]
        return scale.to_pixels(out) if scale else tuple(out)

    return replace(record, points=ring(record.points), rings=tuple(map(ring, record.rings)))


def _drawn(record: Annotation, scale: Scale | None, size: tuple[int, int]) -> Annotation:
    """Return the record with its ellipse in place of a painted mask.

    A mask is measured by its moments; the border of its pixels, once it is no longer on the
    grid, would be measured by its corners and come out a pixel smaller.
    """
    if not is_painted(replace(record, rings=())):
        return record
    return replace(
        record, points=measured_ellipse(record, scale, size).outline("").points, rings=()
    )


def _axis_near(
    record: Annotation, ends: tuple[Point, Point], scale: Scale | None, size: tuple[int, int]
) -> tuple[Point, Point]:
    """Return the axis of a record's ellipse that a caliper stands for, in its direction."""
    found = measured_ellipse(record, scale, size)
    c, d = np.asarray(ends)
    wanted = d - c

    def alike(line: Points) -> float:
        return abs(float((line[1] - line[0]) @ wanted)) / float(np.linalg.norm(line[1] - line[0]))

    lines = [np.asarray(found.caliper(axis, "").points) for axis in ("long", "short")]
    line = max(lines, key=alike)
    if float((line[1] - line[0]) @ wanted) < 0:
        line = line[::-1]
    (x1, y1), (x2, y2) = line.tolist()
    return (x1, y1), (x2, y2)


def _with_visible(record: Annotation, ends: tuple[Point, Point]) -> Ring:
    """Return keypoints with the two that can be seen elsewhere."""
    seen = record.seen
    left = iter(ends)
    return tuple(next(left) if v else p for p, v in zip(record.points, seen, strict=True))


def _mm(points: Ring | list[Point] | tuple[Point, Point], scale: Scale | None) -> Points:
    return np.asarray(scale.to_mm(points) if scale else points, float)
