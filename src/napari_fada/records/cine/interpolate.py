"""A structure between two key frames.

Boxes go straight from corner to corner. Rings are laid on one another by arc length, from the
start that fits best. Two rings that are nearly ellipses (heads, abdomens) go in the ellipse's own
terms, centre, axes and angle the short way round, and what each ring differs from its ellipse by
goes along; so a head that turns stays as large as it is. Both ends are the key frames' own shapes.
"""

from __future__ import annotations

from dataclasses import astuple, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fada.errors import ShapeError
from napari_fada.records import geometry
from napari_fada.records.annotation import Annotation, Ring
from napari_fada.records.ellipse import Ellipse, fit_ellipse

Array = npt.NDArray[np.float64]

ROUND = 0.9
"""Ratio of axes above which an ellipse has no direction of its own."""

ELLIPTIC = 0.15
"""By how much of its radius a ring may differ from its ellipse and still count as one."""

SAME_PLACE = 0.04
"""Share of the way round by which vertices may differ and still be the same ones."""

SIMPLIFY = 0.25
"""Pixels by which an outline may change to have fewer corners."""

_SAMPLES = 128


def between(a: Annotation, b: Annotation, t: float) -> Annotation:
    """Return the structure at a share of the way from one key frame to the other.

    Parameters
    ----------
    a, b : Annotation
        Of one class and kind. The result is ``a`` with other points (and its other fields).
    t : float
        0 gives the shape of ``a``, 1 that of ``b``.

    Raises
    ------
    ValueError
        If the kinds differ.
    """
    if a.kind != b.kind:
        raise ValueError(f"cannot go from a {a.kind} to a {b.kind}")
    if t <= 0.0:
        return a
    if t >= 1.0:
        return replace(a, points=b.points, rings=b.rings, visibility=b.visibility)
    if a.kind == "box":
        first, second = geometry.ordered_box(a.points), geometry.ordered_box(b.points)
        return replace(a, points=_ring(_mix(np.array(first), np.array(second), t)))
    if a.kind == "keypoints":
        return _keypoints(a, b, t)
    points = _mended(_ring_between(a, b, (0, 0), t))
    between_keys = replace(a, points=points, rings=_rings(a, b, t, points))
    return geometry.simplify(between_keys, SIMPLIFY)


def _ring_between(a: Annotation, b: Annotation, places: tuple[int, int], t: float) -> Ring:
    """Return the ring between one of each: its corners, or the curves if those do not pair."""
    one, other = (geometry.corner_rings(r)[i] for r, i in zip((a, b), places, strict=True))
    found = ring_between(one, other, t)
    if not geometry.is_round(a.category) or len(one) == len(other) == len(found):
        return found
    one, other = (geometry.outlines(r)[i] for r, i in zip((a, b), places, strict=True))
    return ring_between(one, other, t)


def ring_between(a: Ring, b: Ring, t: float) -> Ring:
    """Return the ring at a share ``t`` of the way from one ring to another."""
    first, second = _anticlockwise(np.array(a, float)), _anticlockwise(np.array(b, float))
    one, other = _ellipse(a), _ellipse(b)
    if one is not None and other is not None:
        one, other = _same_direction(one, other)
        p, q = _by_angle(_flatten(one, first)), _by_angle(_flatten(other, second))
        if p is not None and q is not None:
            u, v = _matched(*p, *q)
            return _ring(_unflatten(_ellipse_between(one, other, t), _mix(u, v, t)))
    s, r = _by_length(first), _by_length(second)
    shift = _best_start(first, second)
    return _ring(_mix(*_matched(first, s, *_from(second, r, shift)), t))


def _likeness(ring: Ring) -> Ellipse | None:
    """Return the ellipse that a ring is nearly; None if it is none."""
    try:
        found = fit_ellipse(ring)
    except ShapeError:
        return None
    points = np.array(ring, float)
    dense = _along(points, _by_length(points), np.arange(_SAMPLES) / _SAMPLES)
    radii = np.hypot(*_flatten(found, np.vstack([dense, points])).T)
    return found if np.all(np.abs(radii - 1) < ELLIPTIC) else None


_ellipse = lru_cache(maxsize=256)(_likeness)  # a key frame's rings are asked for at every frame


def _flatten(e: Ellipse, points: Array) -> Array:
    """Map points so that an ellipse becomes the unit circle."""
    flat: Array = (points - (e.x, e.y)) @ _turn(e) / (e.a, e.b)
    return flat


def _unflatten(e: Ellipse, points: Array) -> Array:
    """Map points of the unit circle to an ellipse."""
    placed: Array = (points * (e.a, e.b)) @ _turn(e).T + (e.x, e.y)
    return placed


def _turn(e: Ellipse) -> Array:
    c, s = np.cos(e.angle), np.sin(e.angle)
    return np.array([[c, -s], [s, c]])


def _ellipse_between(a: Ellipse, b: Ellipse, t: float) -> Ellipse:
    pairs = zip(astuple(a), astuple(b), strict=True)
    return Ellipse(*((1 - t) * p + t * q for p, q in pairs))


def _same_direction(a: Ellipse, b: Ellipse) -> tuple[Ellipse, Ellipse]:
    """Turn the second ellipse's angle so that it is the short way from the first's."""
    round_a, round_b = (e.b > ROUND * e.a for e in (a, b))
    if round_a and round_b:
        return replace(a, angle=0.0), replace(b, angle=0.0)
    if round_a:
        return replace(a, angle=b.angle), b
    if round_b:
        return a, replace(b, angle=a.angle)
    half_turn = np.pi  # an ellipse turned by half is the same
    short = (b.angle - a.angle + half_turn / 2) % half_turn - half_turn / 2
    return a, replace(b, angle=a.angle + short)


def _centroid(ring: Ring) -> Array:
    from shapely import Polygon

    return np.array(Polygon(ring).centroid.coords[0])


def _anticlockwise(ring: Array) -> Array:
    """Return a ring with positive area, its first vertex still the first."""
    x, y = ring.T
    negative = np.dot(x, np.roll(y, -1)) < np.dot(y, np.roll(x, -1))
    return np.roll(ring[::-1], 1, axis=0) if negative else ring


def _by_length(ring: Array) -> Array:
    """Return where each vertex lies, as a share of the way round from the first."""
    steps = np.hypot(*(np.roll(ring, -1, axis=0) - ring).T)
    total = steps.sum()
    if total <= 0:
        return np.arange(len(ring)) / len(ring)
    share: Array = (np.cumsum(steps) - steps) / total
    return share


def _by_angle(flat: Array) -> tuple[Array, Array] | None:
    """Return a flattened ring from its lowest angle on and the angles as shares of a turn.

    None if the ring does not go round in one sense.
    """
    turn = np.arctan2(flat[:, 1], flat[:, 0]) / (2 * np.pi) % 1.0
    start = int(turn.argmin())
    turn, flat = np.roll(turn, -start), np.roll(flat, -start, axis=0)
    return (flat, turn) if np.all(np.diff(turn) > 0) else None


def _along(ring: Array, places: Array, wanted: Array) -> Array:
    """Return the points of a ring at places, given as shares of the way round."""
    x = np.concatenate([places, [places[0] + 1.0]])
    closed = np.vstack([ring, ring[:1]])
    at = (wanted - places[0]) % 1.0 + places[0]
    return np.column_stack([np.interp(at, x, closed[:, k]) for k in (0, 1)])


def _best_start(a: Array, b: Array) -> float:
    """Return by how much of the way round ``b`` begins later than fits ``a`` best."""
    even = np.arange(_SAMPLES) / _SAMPLES
    first, second = (_along(r, _by_length(r), even) for r in (a, b))
    p, q = (r[:, 0] + 1j * r[:, 1] for r in (first - first.mean(0), second - second.mean(0)))
    # The shift that makes the sum of squared distances least makes this sum greatest.
    fit = np.fft.ifft(np.fft.fft(p).conj() * np.fft.fft(q)).real
    return float(fit.argmax()) / _SAMPLES


def _from(ring: Array, places: Array, shift: float) -> tuple[Array, Array]:
    """Return a ring counted from another start, in order of its places."""
    moved = (places - shift) % 1.0
    order = np.argsort(moved, kind="stable")
    return ring[order], moved[order]


def _matched(a: Array, s: Array, b: Array, r: Array) -> tuple[Array, Array]:
    """Return two rings with vertices in pairs: each other's own, or all of both."""
    n = len(a)
    if n == len(b):
        gaps = [np.abs((s - np.roll(r, -k) + 0.5) % 1.0 - 0.5).max() for k in range(n)]
        k = int(np.argmin(gaps))
        if gaps[k] < SAME_PLACE:
            return a, np.roll(b, -k, axis=0)
    places = np.unique(np.concatenate([s % 1.0, r % 1.0]).round(9))
    return _along(a, s, places), _along(b, r, places)


def _mix(a: Array, b: Array, t: float) -> Array:
    mixed: Array = (1 - t) * a + t * b
    return mixed


def _ring(points: Array) -> Ring:
    return tuple((float(x), float(y)) for x, y in points)


def _mended(ring: Ring) -> Ring:
    """Return a ring that does not cross itself: its largest part if it did."""
    if geometry.is_simple(ring):
        return ring
    from shapely import Polygon, get_coordinates, get_parts, make_valid

    parts = [p for p in get_parts(make_valid(Polygon(ring))) if p.geom_type == "Polygon"]
    if not parts:
        return ring
    largest: Any = max(parts, key=lambda p: p.area)
    return _ring(get_coordinates(largest.exterior)[:-1])


def _rings(a: Annotation, b: Annotation, t: float, points: Ring) -> tuple[Ring, ...]:
    """Holes and parts: paired by place where both have as many, else those of the nearer."""
    if not a.rings and not b.rings:
        return ()
    if len(a.rings) == len(b.rings):
        from scipy.optimize import linear_sum_assignment

        one = np.array([np.mean(r, axis=0) - np.mean(a.points, axis=0) for r in a.rings])
        other = np.array([np.mean(r, axis=0) - np.mean(b.points, axis=0) for r in b.rings])
        apart = np.hypot(*(one[:, None] - other[None]).transpose(2, 0, 1))
        rows, columns = linear_sum_assignment(apart)
        pairs = zip(rows, columns, strict=True)
        return tuple(_mended(_ring_between(a, b, (i + 1, j + 1), t)) for i, j in pairs)
    near = a if t < 0.5 else b
    moved = _centroid(points) - _centroid(near.points)
    return tuple(_ring(np.array(ring) + moved) for ring in near.rings)


def _keypoints(a: Annotation, b: Annotation, t: float) -> Annotation:
    """Each point goes straight; what one of the two frames lacks is taken from the nearer."""
    near = a if t < 0.5 else b
    if len(a.points) != len(b.points):
        return replace(a, points=near.points, visibility=near.visibility)
    seen_a, seen_b = (k.seen for k in (a, b))
    seen = near.seen
    mixed = _ring(_mix(np.array(a.points, float), np.array(b.points, float), t))
    points = tuple(
        m if va and vb else p
        for m, p, va, vb in zip(mixed, near.points, seen_a, seen_b, strict=True)
    )
    return replace(a, points=points, visibility=seen)
