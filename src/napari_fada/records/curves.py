"""The curve that an outline of a round structure stands for: smooth, through all of its corners.

Heads, abdomens, hearts and the like are given by few corners that lie on their edge, a dozen from
a model. The chords between them cut 2 % off a head. So the outline of such a class runs through
its corners as a curve, and that is what is shown, painted, measured and written.

The rule is local: a side is bent by its own two corners and the next one on either side, and by
nothing else, so that a corner that is dragged, added or painted away changes the outline beside
it only. At a corner the curve has the direction of the circle through it and its two neighbours.
It stays straight where corners lie on a line, between real corners (rectangles and triangles stay
what they are), where the edge of the image cuts a structure off, and along the traced border of a
mask, whose pixels come out again exactly.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fada.records.annotation import Ring

SHARP = np.radians((30.0, 40.0))
"""Angle between a side and the curve at its end: up to the first the corner is round, from the
second on it is real, and between them it goes from one to the other."""
FLAT, FINE = 0.02, 0.0005
"""Pixels by which the sides that a curve is drawn with may leave it; and where it is measured."""
CUT = 1.5
"""Times its neighbours' length from which on a side along a row or column is a cut."""
_ON_LINE = 1e-5
_LEAST = 5
"""Corners that a curve needs: a triangle and a quadrilateral are what they are."""
_TRIES = 4
_WHOLE = 2e-3
"""By how much twice a coordinate may miss a whole number: files round."""

Points = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@lru_cache(maxsize=1024)
def curve(ring: Ring, flat: float = FLAT) -> Ring:
    """Return the points to draw the curve through the corners of a ring with.

    All corners are among them, exactly and in their order; a ring without round corners comes
    back as it is.

    Parameters
    ----------
    ring : ring
        The corners.
    flat : float
        Pixels by which the sides between the points may leave the curve.
    """
    corners = np.asarray(ring, float).reshape(-1, 2)
    if len(corners) < _LEAST or not np.isfinite(corners).all():
        return ring
    corners = corners[(corners != np.roll(corners, -1, axis=0)).any(axis=1)]
    if len(corners) < _LEAST:
        return ring
    straight = traced_sides(corners) | _run_sides(corners)
    if straight.all():
        return ring
    for _ in range(_TRIES):
        points, side = _drawn(corners, straight, flat)
        if len(points) == len(corners):
            return ring
        crossing = _crossing(points, side)
        if not crossing.any():
            return tuple((x, y) for x, y in points.tolist())
        straight = straight | crossing
    return ring


def traced_sides(corners: Points) -> Flags:
    """Tell which sides of a ring are the traced border of a mask of pixels.

    Such a border runs half-way between the centres of pixels: of each corner one coordinate is
    whole and the other a half, and sides run along rows, columns or diagonals. One such side
    alone is chance.
    """
    doubled = np.rint(2 * corners)
    near = (np.abs(2 * corners - doubled) < _WHOLE).all(axis=1)
    on_border = near & (doubled.sum(axis=1) % 2 == 1)
    along = np.abs(np.roll(doubled, -1, axis=0) - doubled)
    square = (along[:, 0] == 0) | (along[:, 1] == 0) | (along[:, 0] == along[:, 1])
    found = on_border & np.roll(on_border, -1) & square
    out: Flags = found & (np.roll(found, 1) | np.roll(found, -1))
    return out


def _run_sides(corners: Points) -> Flags:
    """Tell which sides are straight runs: where corners lie on a line, and cuts at an image's edge.

    Such a cut runs along a row or a column and is longer than the sides beside it.
    """
    along = np.roll(corners, -1, axis=0) - corners
    length = np.hypot(*along.T)
    before, last = np.roll(along, 1, axis=0), np.roll(length, 1)
    area = before[:, 0] * along[:, 1] - before[:, 1] * along[:, 0]
    onward = (before * along).sum(axis=1) > 0
    on_line = onward & (np.abs(area) < _ON_LINE * last * length)
    level = (np.abs(along) < _ON_LINE * length[:, None]).any(axis=1)
    cut = level & (length > CUT * last) & (length > CUT * np.roll(length, -1))
    out: Flags = on_line | np.roll(on_line, -1) | cut
    return out


def _drawn(corners: Points, straight: Flags, flat: float) -> tuple[Points, npt.NDArray[np.intp]]:
    """Return the points of the curve, and which side of the ring each begins a piece of."""
    to = np.roll(corners, -1, axis=0)
    along = to - corners
    length = np.hypot(*along.T)
    before = np.roll(length, 1)
    heading = np.arctan2(along[:, 1], along[:, 0])
    turn = (heading - np.roll(heading, 1) + np.pi) % (2 * np.pi) - np.pi
    # The angles between the circle through three corners and its chords on both sides.
    out = np.arctan2(length * np.sin(turn), before + length * np.cos(turn))
    into = turn - out
    low, high = SHARP
    share = np.clip((np.maximum(np.abs(out), np.abs(into)) - low) / (high - low), 0.0, 1.0)
    rounded = 1 - share * share * (3 - 2 * share)
    rounded[straight | np.roll(straight, 1)] = 0.0
    # A side that ends at a real corner is bent there as at its other end: an arc of a circle.
    first, last = rounded * out, np.roll(rounded * into, -1)
    start = first + (1 - rounded) * last
    end = last + (1 - np.roll(rounded, -1)) * first
    start[straight] = end[straight] = 0.0
    depth = length / 4 * np.tan(np.maximum(np.abs(start), np.abs(end)) / 2) * 2
    count = np.maximum(np.ceil(np.sqrt(depth / flat)), 1).astype(int)
    side = np.repeat(np.arange(len(corners)), count)
    step = np.arange(len(side)) - np.repeat(np.cumsum(count) - count, count)
    u = (step / count[side])[:, None]
    handles = (
        corners + _handle(heading - start, length, start, end),
        to - _handle(heading + end, length, end, start),
    )
    points = (
        (1 - u) ** 3 * corners[side]
        + 3 * u * (1 - u) ** 2 * handles[0][side]
        + 3 * u**2 * (1 - u) * handles[1][side]
        + u**3 * to[side]
    )
    return points, side


def _handle(heading: Points, length: Points, near: Points, far: Points) -> Points:
    """Return the handles of cubic Bézier curves by Hobby's rule, which draws circles as such.

    Parameters
    ----------
    heading : array
        Directions of the handles.
    length : array
        Of the sides.
    near, far : array
        Angles between curve and side at this end and at the other.
    """
    s, t = np.sin(near), np.sin(far)
    c, d = np.cos(near), np.cos(far)
    above = 2 + np.sqrt(2) * (s - t / 16) * (t - s / 16) * (c - d)
    below = 3 * (1 + (np.sqrt(5) - 1) / 2 * c + (3 - np.sqrt(5)) / 2 * d)
    reach = length * above / below
    out: Points = np.column_stack([reach * np.cos(heading), reach * np.sin(heading)])
    return out


def _crossing(points: Points, side: npt.NDArray[np.intp]) -> Flags:
    """Tell which sides are so bent that the curve crosses itself where the ring does not."""
    from shapely import LinearRing, STRtree, crosses, linestrings

    sides = int(side[-1]) + 1
    none = np.zeros(sides, bool)
    corners = points[np.flatnonzero(np.diff(side, prepend=-1))]
    if LinearRing(points).is_simple or not LinearRing(corners).is_simple:
        return none
    pieces: Any = linestrings(np.stack([points, np.roll(points, -1, axis=0)], axis=1))
    a, b = STRtree(pieces).query(pieces, predicate="intersects")
    apart = (np.abs(a - b) > 1) & (np.abs(a - b) < len(points) - 1)
    near = ~apart & (a != b) & crosses(pieces[a], pieces[b])
    found = none.copy()
    found[side[a[apart | near]]] = True
    return found
