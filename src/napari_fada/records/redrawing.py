"""Corners for an outline that was changed in one place: elsewhere it keeps those that it has.

A changed region comes as rings of all the points that curves are drawn with. Where such a ring
follows an outline that was there before, its corners are enough again, exactly as they were.
Where it leaves that outline, points of the curve are kept as corners, so that the rest of it does
not move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_fada.records.annotation import Annotation, Point, Ring
from napari_fada.records.curves import curve
from napari_fada.records.geometry import corner_rings, is_round
from napari_fada.records.staircase import REAL, reduced_line, thinned_line, thinned_ring

KEPT_WITHIN = 0.05
"""Pixels by which an outline may move where it was not changed."""
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a point lies on an old outline: ring, place on its curve, and side of the ring."""

    ring: int
    at: int
    side: int
    corner: bool


@dataclass(slots=True)
class OldOutlines:
    """The outlines that a region was made of, by the points that they are drawn with."""

    records: Sequence[Annotation]
    _places: dict[Point, _Place] = field(default_factory=dict)
    _lengths: list[int] = field(default_factory=list)

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

    def __contains__(self, point: Point) -> bool:
        return point in self._places

    def place(self, point: Point) -> _Place | None:
        """Return where a point lies; None for a new one."""
        return self._places.get(point)

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
    found = thinned_ring(ring, thin) if as_curve else reduced_line((*ring, ring[0]), thin)[:-1]
    return found if len(set(found)) > 2 else ring


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
            line = (ring[(i - len(stretch) - 1) % n], *stretch, point)
            done = thinned_line(line, thin, real) if as_curve else reduced_line(line, thin)
            out += done[1:-1]
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
    """Tell which points of a ring must be corners: all but those between corners that stayed."""
    n = len(ring)
    needed = []
    steps = [old.step(ring[i], ring[(i + 1) % n]) for i in range(n)]
    whole = _whole_sides(ring, steps, old)
    for point in ring:
        place = old.place(point)
        needed.append(place is None or place.corner or (place.ring, place.side) not in whole)
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
