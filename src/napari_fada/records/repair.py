"""Outlines stay sound: corners erased, rings moved or taken away, crossings put right.

The invariants of an outline: its rings neither cross themselves nor each other, which way round
they run has no meaning, and a shape without an area is none. Where a hand broke one, the shape is
put right and a word says how.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_fada.errors import ShapeError
from napari_fada.records.annotation import Annotation, Point, Ring
from napari_fada.records.geometry import corner_rings, is_simple, outlines, rings_cross
from napari_fada.records.shaping import (
    SAME,
    SPECK,
    Shaped,
    as_polygon,
    count,
    polygons_of,
    union,
    with_region,
)

if TYPE_CHECKING:
    from shapely import Polygon
    from shapely.geometry.base import BaseGeometry

LOOP = 0.005
"""Share of an outline's area below which a loop in it is a slip of the hand."""


def erase_corners(record: Annotation, path: Sequence[Point], radius: float) -> Shaped:
    """Leave out the corners that lie within ``radius`` pixels of a path.

    A ring that has fewer than three corners left is dropped with a word.

    Raises
    ------
    ShapeError
        If no corner lies there, or too few would be left of the whole.
    """
    from shapely import LineString, Point, distance, points

    trace = LineString(path) if len(path) > 1 else Point(path[0])
    rings, gone, dropped = [], 0, 0
    for ring in corner_rings(record) if record.kind == "polygon" else ():
        near = np.asarray(distance(points(np.asarray(ring)), trace)) <= radius
        left = tuple(p for p, n in zip(ring, near, strict=True) if not n)
        gone += int(near.sum())
        if len(set(left)) > 2:
            rings.append(left)
        else:
            dropped += 1
    if not gone:
        raise ShapeError("There was no corner under the eraser.", kept=SAME)
    if not rings:
        raise ShapeError(
            f"{record.category} needs three corners.",
            kept=SAME,
            todo="To remove the whole structure, select it and press Delete.",
        )
    found = repaired(as_polygon(record, rings))
    words = [f"{count(dropped, 'ring')} without corners left out."] if dropped else []
    return Shaped(found.record, " ".join([*words, found.word]).strip())


def repaired(record: Annotation) -> Shaped:
    """Return a record whose rings neither cross themselves nor each other.

    Which way round a ring runs has no meaning. Small loops, as a hand leaves them where an
    outline closes, are left out; larger ones become parts.

    Raises
    ------
    ShapeError
        If it has no area.
    """
    if record.kind != "polygon":
        return Shaped(record)
    from shapely import Polygon, make_valid

    rings = outlines(record)
    crooked = [not is_simple(ring) for ring in rings]
    if not any(crooked) and not rings_cross(record):
        if Polygon(record.points).area < 1:
            raise ShapeError(f"{record.category}: the outline has no area.", kept=SAME)
        return Shaped(record)
    region: BaseGeometry = Polygon()
    for ring, bad in zip(rings, crooked, strict=True):
        parts: list[Polygon] = polygons_of(make_valid(Polygon(ring))) if len(ring) > 2 else []
        whole = sum(p.area for p in parts)
        if bad:
            parts = [p for p in parts if p.area >= max(SPECK, LOOP * whole)]
        region = region.symmetric_difference(union(parts))
    found = with_region(record, region)
    return Shaped(found.record, f"{record.category}: the outline crossed itself and was put right.")


def change_rings(record: Annotation, changed: Mapping[int, Ring | None]) -> Shaped:
    """Return a record with some of its rings moved or (None) taken away; 0 is ``points``.

    A hole stays a hole and a part a part, also where a ring now crosses another.

    Raises
    ------
    ShapeError
        If nothing is left.
    """
    from shapely import Polygon, make_valid

    rings = corner_rings(record)
    new = [changed.get(i, ring) for i, ring in enumerate(rings)]
    left = [ring for ring in new if ring is not None]
    if not left:
        raise ShapeError(f"Nothing would be left of {record.category}.", kept=SAME)
    found = as_polygon(record, left)
    if len(left) == len(rings) and not rings_cross(found):
        return repaired(found)
    areas = [make_valid(Polygon(ring)) for ring in outlines(record)]
    curves = iter(outlines(found))
    lines = [None if ring is None else next(curves) for ring in new]
    # How many rings a ring lies in tells what it is: in none a part, in one a hole, …
    depths = [sum(b.covers(a) for b in areas if b is not a) for a in areas]
    region: BaseGeometry = Polygon()
    for depth in sorted(set(depths)):
        level = [r for r, d in zip(lines, depths, strict=True) if d == depth and r is not None]
        drawn = union([make_valid(Polygon(ring)) for ring in level])
        region = region.difference(drawn) if depth % 2 else region.union(drawn)
    done = with_region(record, region, of=[found])
    word = f"{record.category}: its rings crossed and were joined." if rings_cross(found) else ""
    return Shaped(done.record, f"{word} {done.word}".strip())
