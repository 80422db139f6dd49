"""Corners for an outline that was changed in one place: elsewhere it keeps those that it has.

A changed region comes as rings of all the points that curves are drawn with. Where such a ring
follows an outline that was there before, its corners are enough again, exactly as they were.
Where it leaves that outline, points of the curve are kept as corners, so that the rest of it does
not move.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_fada.records.annotation import Annotation, Point, Ring
from napari_fada.records.curves import FINE, curve
from napari_fada.records.geometry import corner_rings, is_round
from napari_fada.records.staircase import REAL, reduced_line, thinned_line, thinned_ring

if TYPE_CHECKING:
    from shapely import LinearRing

KEPT_WITHIN = 0.05
"""Pixels by which an outline may move where it was not changed."""
BENT = 0.6
"""Pixels by which a new side may be bent away from the border of the painted pixels."""
STRAIGHT = 0.02
"""Pixels within which a side lies on what is to be drawn and must stay as straight as that."""
HOLD = 3.0
"""Pixels from the end of a side at which a point on it holds it straight."""
_EACH = 4
_ALONG = (0.25, 0.5, 0.75)
_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a point lies on an old outline: ring, place on its curve, and side of the ring."""

    ring: int
    at: int
    side: int
    corner: bool

    def lies_on(self, ring: int, side: int) -> bool:
        """Tell whether it lies on a side, between its corners."""
        return not self.corner and (self.ring, self.side) == (ring, side)


@dataclass(slots=True)
class OldOutlines:
    """The outlines that a region was made of, by the points that they are drawn with."""

    records: Sequence[Annotation]
    _places: dict[Point, _Place] = field(default_factory=dict)
    _lengths: list[int] = field(default_factory=list)
    _sides: list[int] = field(default_factory=list)
    _beside: dict[Point, tuple[Point, Point]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for record in self.records:
            for ring in corner_rings(record):
                self._add(ring, curve(ring) if is_round(record.category) else ring)

    def _add(self, ring: Ring, line: Ring) -> None:
        corners = set(ring)
        side = -1
        for at, point in enumerate(line):
            corner = point in corners
            side += corner
            self._places[point] = _Place(len(self._lengths), at, side, corner)
        self._lengths.append(len(line))
        self._sides.append(side + 1)
        fine = curve(ring, FINE) if len(line) > len(ring) else ring
        for at, point in enumerate(fine):
            if point in corners:
                self._beside[point] = fine[at - 1], fine[(at + 1) % len(fine)]

    def __contains__(self, point: object) -> bool:
        return point in self._places

    def place(self, point: Point) -> _Place | None:
        """Return where a point lies; None for a new one."""
        return self._places.get(point)

    def directed(self, kept: Ring) -> Ring:
        """Return kept points with one more beside each corner whose side was cut.

        It lies so near that the curve has the same direction at the corner as before; else the
        next side, which nobody touched, would be bent, and the one after it in turn.
        """
        out: list[Point] = []
        for i, point in enumerate(kept):
            place = self._places.get(point)
            if place is None or not place.corner:
                out.append(point)
                continue
            before, after = (self._places.get(q) for q in (kept[i - 1], kept[(i + 1) % len(kept)]))
            last, sides = place.side - 1, self._sides[place.ring]
            if before and before.lies_on(place.ring, last % sides):
                out.append(self._beside[point][0])
            out.append(point)
            if after and after.lies_on(place.ring, place.side):
                out.append(self._beside[point][1])
        return tuple(p for p, q in zip(out, out[1:] + out[:1], strict=True) if p != q)

    def step(self, a: Point, b: Point) -> int:
        """Return 1 or -1 where two points follow each other on an old outline, else 0."""
        p, q = self._places.get(a), self._places.get(b)
        if p is None or q is None or p.ring != q.ring:
            return 0
        n = self._lengths[p.ring]
        return 1 if (p.at + 1) % n == q.at else -1 if (q.at + 1) % n == p.at else 0


def corners_of(ring: Ring, old: OldOutlines, *, as_curve: bool, thin: float = 0.0) -> Ring:
    """Return the corners of a ring that partly follows old outlines.

    Parameters
    ----------
    ring : ring
        All the points that it is drawn with.
    old : OldOutlines
        What it was made of.
    as_curve : bool
        Whether it is drawn as a curve through its corners.
    thin : float
        Pixels by which what is new, the border of painted pixels, may be simplified.
    """
    ring = _turned(ring, old)
    if not any(p in old for p in ring):
        return _new_ring(ring, as_curve, thin)
    needed = _needed(ring, old) if as_curve else [True] * len(ring)
    real: set[Point] = set()
    for _ in range(_ROUNDS):
        kept = _with_thin_stretches(ring, needed, old, as_curve, thin, real)
        if not as_curve or len(set(kept)) < 3:
            break
        kept = held_straight(old.directed(kept), ring, old)
        off = _off(ring, kept)
        # What moved although nothing changed there keeps its points; what is new its corners.
        more = [
            n or (p in old and d > KEPT_WITHIN) for p, n, d in zip(ring, needed, off, strict=True)
        ]
        missed = {p for p, d in zip(ring, off, strict=True) if d > REAL and p not in old}
        if more == needed and missed <= real:
            break
        needed, real = more, real | missed
    return kept if len(set(kept)) > 2 else ring


def _new_ring(ring: Ring, as_curve: bool, thin: float) -> Ring:
    if not thin:
        return ring
    if not as_curve:
        found = reduced_line((*ring, ring[0]), thin)[:-1]
    else:
        found = held_straight(thinned_ring(ring, thin), ring)
    return found if len(set(found)) > 2 else ring


def held_straight(corners: Ring, ring: Ring, old: Container[Point] = ()) -> Ring:
    """Return corners with more of them where a side would be bent that is to be straight.

    A side beside a corner that came or went has another neighbour now. Two points on it, near
    its ends, take up the bend.

    Parameters
    ----------
    corners : ring
        Of a curve.
    ring : ring
        What is to be drawn.
    old : container of points
        What lies on outlines that were there before, where next to nothing may move.
    """
    from shapely import LinearRing, distance
    from shapely import points as as_points

    wanted = LinearRing(ring)
    for _ in range(_ROUNDS):
        line = curve(corners)
        off = np.asarray(distance(wanted, as_points(np.asarray(line)))).tolist()
        bent: list[float] = []
        for point, far in zip(line, off, strict=True):
            if len(bent) < len(corners) and point == corners[len(bent)]:
                bent.append(0.0)
            bent[-1] = max(bent[-1], far)
        out: list[Point] = []
        for i, p in enumerate(corners):
            out.append(p)
            q = corners[(i + 1) % len(corners)]
            length = math.dist(p, q)
            if bent[i] > KEPT_WITHIN and length > 1:
                off_side = _off_side(p, q, wanted)
                straight = off_side <= STRAIGHT and length > 2 * HOLD
                limit = KEPT_WITHIN if straight or (p in old and q in old) else BENT
                if bent[i] <= limit or off_side > limit:
                    continue
                share = min(HOLD / length, 1 / 3)
                out += [
                    (p[0] + s * (q[0] - p[0]), p[1] + s * (q[1] - p[1])) for s in (share, 1 - share)
                ]
        if len(out) == len(corners):
            break
        corners = tuple(out)
    return corners


def _off_side(p: Point, q: Point, line: LinearRing) -> float:
    """Return how far the straight side between two points leaves a line."""
    from shapely import LineString, distance, line_interpolate_point

    side = LineString([p, q])
    return float(np.max(distance(line, line_interpolate_point(side, _ALONG, normalized=True))))


def _with_thin_stretches(
    ring: Ring,
    needed: Sequence[bool],
    old: OldOutlines,
    as_curve: bool,
    thin: float,
    real: set[Point],
) -> Ring:
    """Return the points that are needed, the stretches that are new simplified."""
    n = len(ring)
    if not thin or all(p in old for p in ring):
        return tuple(p for p, keep in zip(ring, needed, strict=True) if keep)
    start = next(i for i in range(n) if ring[i] in old)
    out: list[Point] = []
    stretch: list[Point] = []
    for i in range(start, start + n + 1):
        point = ring[i % n]
        if point not in old:
            stretch.append(point)
            continue
        if stretch:
            # Its ends lie on the old outline: without them a long side there would be tilted.
            line = tuple(stretch)
            out += thinned_line(line, thin, real) if as_curve else reduced_line(line, thin)
            stretch = []
        if needed[i % n] and i < start + n:
            out.append(point)
    return tuple(out)


def _turned(ring: Ring, old: OldOutlines) -> Ring:
    """Return a ring in the direction of the outline that it follows, from its first corner on."""
    n = len(ring)
    if sum(old.step(ring[i], ring[(i + 1) % n]) for i in range(n)) < 0:
        ring = ring[::-1]
    known = [(p.ring, p.at, i) for i, q in enumerate(ring) if (p := old.place(q)) and p.corner]
    first = min(known)[2] if known else 0
    return ring[first:] + ring[:first]


def _needed(ring: Ring, old: OldOutlines) -> list[bool]:
    """Tell which points of a ring must be corners: those that were, and the new ones.

    Of a side that was cut a few points stay, those first that tell the direction at its ends.
    """
    n = len(ring)
    steps = [old.step(ring[i], ring[(i + 1) % n]) for i in range(n)]
    whole = _whole_sides(ring, steps, old)
    places = [old.place(p) for p in ring]
    ends = [p is None or p.corner for p in places]
    needed = []
    for i, place in enumerate(places):
        if place is None or place.corner:
            needed.append(True)
        elif (place.ring, place.side) in whole:
            needed.append(False)
        else:
            needed.append(ends[i - 1] or ends[(i + 1) % n] or place.at % _EACH == 0)
    return needed


def _whole_sides(ring: Ring, steps: Sequence[int], old: OldOutlines) -> set[tuple[int, int]]:
    """Return the sides of old outlines that a ring follows from corner to corner, and beyond.

    Beyond, because the next point tells the direction of the curve at the corner.
    """
    n = len(ring)
    places = [old.place(p) for p in ring]
    corners = [i for i, p in enumerate(places) if p is not None and p.corner]
    whole = set()
    for a, b in zip(corners, [*corners[1:], *(c + n for c in corners[:1])], strict=True):
        run = [steps[i % n] for i in range(a - 1, b + 1)]
        if all(run) and len(set(run)) == 1:
            one, other = places[a], places[b % n]
            assert one is not None
            assert other is not None
            side = one if run[0] > 0 else other
            whole.add((side.ring, side.side))
    return whole


def _off(points: Ring, corners: Ring) -> list[float]:
    """Return how far points lie from the curve through corners."""
    from shapely import LinearRing, distance
    from shapely import points as as_points

    found: list[float] = np.asarray(
        distance(LinearRing(curve(corners)), as_points(np.asarray(points)))
    ).tolist()
    return found
