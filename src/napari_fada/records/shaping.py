"""Shape tools: split and merge outlines, add to them and take away.

Pure functions on records. They return records with the same uid and another outline; what
becomes of them in the project is the caller's matter. Where something had to be left out or put
right they say so in words for the user; where nothing sensible can be done they raise
:class:`~napari_fada.errors.ShapeError` and nothing has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_fada.errors import ShapeError
from napari_fada.records.annotation import Annotation, Point, Ring
from napari_fada.records.geometry import bounds, is_round, outlines, to_shapely
from napari_fada.records.redrawing import OldOutlines, corners_of

if TYPE_CHECKING:
    from shapely import Polygon
    from shapely.geometry.base import BaseGeometry

SPECK = 3.0
"""Square pixels below which a part or a hole is a slip of the hand."""
SAME = "The outline is as it was."
"""What an error says was kept."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """A record with its new outline, and what the user should know about it."""

    record: Annotation
    word: str = ""


def with_region(
    record: Annotation,
    region: BaseGeometry,
    *,
    of: Sequence[Annotation] = (),
    smallest: float = SPECK,
) -> Shaped:
    """Return a record with another region; parts and holes smaller than ``smallest`` are left out.

    Parameters
    ----------
    record : Annotation
        Of whose class it is.
    region : geometry
        As it is to be drawn.
    of : sequence of Annotation
        The outlines that it was made of, whose corners it keeps; by default the record's.
    smallest : float
        In square pixels.

    Raises
    ------
    ShapeError
        If nothing is left.
    """
    from shapely import Polygon

    old, as_curve = OldOutlines(of or [record]), is_round(record.category)
    rings: list[Ring] = []
    dropped = 0
    for part in sorted(polygons_of(region), key=lambda p: -Polygon(p.exterior).area):
        if Polygon(part.exterior).area < smallest:
            dropped += 1
            continue
        holes = [hole for hole in part.interiors if Polygon(hole).area >= smallest]
        dropped += len(part.interiors) - len(holes)
        rings += [
            corners_of(_ring(line.coords), old, as_curve=as_curve)
            for line in (part.exterior, *holes)
        ]
    if not rings:
        raise ShapeError(f"Nothing would be left of {record.category}.", kept=SAME)
    word = f"{count(dropped, 'speck')} of less than {smallest:g} px² left out." if dropped else ""
    return Shaped(as_polygon(record, rings), word)


def polygons_of(region: BaseGeometry) -> list[Polygon]:
    """Return the polygons that a region is made of; lines and points in it are passed over."""
    from shapely import Polygon, get_parts

    out: list[Polygon] = []
    for part in get_parts(region).tolist():
        if isinstance(part, Polygon):
            if part.area > 0:
                out.append(part)
        elif hasattr(part, "geoms"):
            out += polygons_of(part)
    return out


def split(record: Annotation, line: Sequence[Point]) -> list[Annotation]:
    """Cut an outline along a line; each piece becomes a structure, the largest first.

    A line that ends inside is prolonged. One that runs between separate parts sorts them by
    side. Parts that the line does not meet stay with the nearest piece.

    Raises
    ------
    ShapeError
        If the line leaves the structure whole.
    """
    region = to_shapely(record)
    (x1, y1), (x2, y2) = line[0], line[-1]
    pieces, rest = _cut(region, line)
    if not pieces and (x1, y1) != (x2, y2):
        reach = 2 * max(region.length, 1.0) / float(np.hypot(x2 - x1, y2 - y1))
        far = ((x2 - x1) * reach, (y2 - y1) * reach)
        longer = ((x1 - far[0], y1 - far[1]), *line, (x2 + far[0], y2 + far[1]))
        pieces, rest = _cut(region, longer)
    if not pieces:
        sides: dict[bool, list[BaseGeometry]] = {}
        for part in rest:
            middle = part.representative_point()
            left = (x2 - x1) * (middle.y - y1) > (y2 - y1) * (middle.x - x1)
            sides.setdefault(left, []).append(part)
        if len(sides) == 2:
            pieces, rest = [union(parts) for parts in sides.values()], []
    for part in rest if pieces else ():
        near = min(range(len(pieces)), key=lambda i: pieces[i].distance(part))
        pieces[near] = union([pieces[near], part])
    pieces = [piece for piece in pieces if piece.area >= SPECK]
    if len(pieces) < 2:
        raise ShapeError(
            f"The line does not divide {record.category}.",
            kept=SAME,
            todo="Draw it from one side of the outline to the other.",
        )
    pieces.sort(key=lambda piece: -piece.area)
    return [with_region(record, piece).record for piece in pieces]


def _cut(
    region: BaseGeometry, line: Sequence[Point]
) -> tuple[list[BaseGeometry], list[BaseGeometry]]:
    """Return the pieces of parts that a line divides, and the parts that it leaves whole."""
    from shapely import LineString
    from shapely.ops import split as divide

    pieces: list[BaseGeometry] = []
    rest: list[BaseGeometry] = []
    for part in polygons_of(region):
        found = polygons_of(divide(part, LineString(line)))
        if len([piece for piece in found if piece.area >= SPECK]) > 1:
            pieces += found
        else:
            rest.append(part)
    return pieces, rest


def merge(records: Sequence[Annotation]) -> Shaped:
    """Make one of several structures of a class: the first record gets all of their regions.

    What does not touch stays a part of its own.

    Raises
    ------
    ShapeError
        If there are fewer than two, or they are not polygons or boxes of one class.
    """
    if len(records) < 2:
        raise ShapeError("There is nothing to merge with.", todo="Select two structures or more.")
    names = sorted({r.category for r in records})
    if len(names) > 1:
        raise ShapeError(
            f"Structures of different classes are not merged ({', '.join(names)}).",
            kept="Nothing was changed.",
            todo="Give them one class first.",
        )
    if any(r.kind == "keypoints" for r in records):
        raise ShapeError("Keypoints cannot be merged.", kept="Nothing was changed.")
    return with_region(records[0], union([to_shapely(r) for r in records]), of=records)


Added = Literal["hole", "part", "more"]


def add_ring(record: Annotation, ring: Ring) -> tuple[Shaped, Added]:
    """Add a ring: drawn inside it is a hole, apart from it a part, across the edge it joins on.

    Raises
    ------
    ShapeError
        If the ring has no area or covers nothing new.
    """
    region, drawn = to_shapely(record), _drawn(record, ring)
    of = [record, _with_ring(record, ring)]
    if region.covers(drawn):
        return with_region(record, region.difference(drawn), of=of), "hole"
    what: Added = "more" if region.intersects(drawn) else "part"
    return with_region(record, region.union(drawn), of=of), what


def cut_away(record: Annotation, ring: Ring) -> Shaped:
    """Take what lies inside a ring away from a structure.

    Raises
    ------
    ShapeError
        If the ring does not meet the structure, or nothing would be left.
    """
    region, drawn = to_shapely(record), _drawn(record, ring)
    if not region.intersection(drawn).area:
        raise ShapeError(f"That does not meet {record.category}.", kept=SAME)
    return with_region(record, region.difference(drawn), of=[record, _with_ring(record, ring)])


def _with_ring(record: Annotation, ring: Ring) -> Annotation:
    """Return a ring as an outline of the class of a record: it is drawn as that class is."""
    return replace(record, kind="polygon", points=tuple(ring), rings=())


def _drawn(record: Annotation, ring: Ring) -> BaseGeometry:
    region = to_shapely(_with_ring(record, ring)) if len(set(ring)) > 2 else None
    if region is None or region.area < SPECK:
        raise ShapeError("What was drawn has no area.", kept=SAME)
    return region


def box_of(record: Annotation) -> Annotation:
    """Return a box record around a polygon."""
    if not outlines(record):
        raise ShapeError(f"{record.category} has no outline to put a box around.", kept=SAME)
    return replace(record, kind="box", points=bounds(record), rings=(), visibility=())


def polygon_of(record: Annotation) -> Annotation:
    """Return a polygon record with the four corners of a box."""
    if record.kind != "box":
        raise ShapeError(f"{record.category} is no box.", kept=SAME)
    return replace(record, kind="polygon", points=outlines(record)[0])


def as_polygon(record: Annotation, rings: Sequence[Ring]) -> Annotation:
    """Return a record with these rings."""
    return replace(record, kind="polygon", points=rings[0], rings=tuple(rings[1:]))


def union(regions: Iterable[BaseGeometry]) -> BaseGeometry:
    """Return the region that several make up together."""
    from shapely import union_all

    return union_all(list(regions))


def _ring(coordinates: Iterable[Sequence[float]]) -> Ring:
    points = [(float(p[0]), float(p[1])) for p in coordinates]
    return tuple(points[:-1] if len(points) > 1 and points[0] == points[-1] else points)


def count(n: int, thing: str) -> str:
    """Return a number with its noun."""
    return f"{n} {thing}{'s' * (n != 1)}"
