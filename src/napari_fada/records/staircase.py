"""Borders of painted pixels with few corners: the steps of the pixels are left out.

Simplifying the corners of a traced border keeps those that stick out. A curve through them would
be too wide, so for curves the middles of the steps are taken, which lie where the edge was meant,
and only a corner that is missed by a whole step stays.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_fada.records.annotation import Point, Ring
from napari_fada.records.curves import curve, traced_sides

INSET = 4.0
"""Pixels from the ends of a long step at which it is still where the edge was meant."""
REAL = 0.9
"""Pixels by which a corner must be missed to count as more than a step."""
_ROUNDS = 3

Points = npt.NDArray[np.float64]


def thinned_ring(ring: Ring, tolerance: float) -> Ring:
    """Return a closed traced border as few corners of a curve.

    Parameters
    ----------
    ring : ring
        The border, or a ring that follows it in part.
    tolerance : float
        Pixels by which leaving out a corner may move the sides.
    """
    real: set[Point] = set()
    for _ in range(_ROUNDS):
        found = _reduced_ring(_eased(ring, traced_sides(np.asarray(ring)), real), tolerance)
        missed = missed_corners(ring, found, max(REAL, 3 * tolerance)) - real
        if not missed:
            break
        real |= missed
    return found


def thinned_line(line: Ring, tolerance: float, real: set[Point]) -> Ring:
    """Return a piece of a traced border as few corners of a curve; its ends stay.

    Parameters
    ----------
    line : points
        The piece, from end to end.
    tolerance : float
        As above.
    real : set of points
        Corners that must stay.
    """
    steps = traced_sides(np.asarray(line))
    steps[-1] = False
    return reduced_line(_eased(line, steps, {*real, line[0], line[-1]}), tolerance)


def missed_corners(border: Ring, corners: Ring, limit: float = REAL) -> set[Point]:
    """Return the points of a border that lie further than a step from the curve of corners."""
    from shapely import LinearRing, distance, points

    off = distance(LinearRing(curve(corners)), points(np.asarray(border)))
    return {p for p, d in zip(border, np.asarray(off).tolist(), strict=True) if d > limit}


def reduced_line(line: Ring, tolerance: float) -> Ring:
    """Return a line without the points that lie within a tolerance of it; its ends stay."""
    from shapely import LineString

    if len(line) < 3:
        return line
    found = LineString(line).simplify(tolerance, preserve_topology=True)
    return tuple((float(x), float(y)) for x, y in found.coords)


def _reduced_ring(ring: Ring, tolerance: float) -> Ring:
    from shapely import Polygon, get_coordinates

    found = Polygon(ring).simplify(tolerance, preserve_topology=True)
    return tuple((float(x), float(y)) for x, y in get_coordinates(found)[:-1])


def _eased(ring: Ring, steps: npt.NDArray[np.bool_], real: set[Point]) -> Ring:
    """Return the middles of short steps, points near the ends of long ones, and what is no step."""
    points = np.asarray(ring, float)
    along = np.roll(points, -1, axis=0) - points
    length = np.hypot(*along.T)
    out: list[Point] = []
    for i, (x, y) in enumerate(points.tolist()):
        if ring[i] in real or not (steps[i] and steps[i - 1]):
            out.append((x, y))
        if steps[i]:
            dx, dy = along[i].tolist()
            inset = min(INSET / float(length[i]), 0.5)
            out += [(x + s * dx, y + s * dy) for s in dict.fromkeys((inset, 1 - inset))]
    return tuple(out)
