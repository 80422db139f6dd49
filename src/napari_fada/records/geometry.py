"""Geometry of annotations: the 0–1000 grid, boxes, polygons with holes, and masks.

Pure functions on original-image pixels in the corner convention: x then y, pixel i covers
[i, i+1], so its centre is i + 0.5 and a box from 0 to 10 holds exactly ten columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_fada.records.annotation import Annotation, Point, Ring
from napari_fada.records.curves import FLAT, curve, traced_sides
from napari_fada.records.staircase import thinned_ring
from napari_fada.vocabulary import vocabulary

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

Mask = npt.NDArray[np.bool_]
GridPoint = tuple[int, int]

#: The grid that models answer in: 0 is the left or upper edge of the image, 1000 the other.
GRID = 1000


def grid_to_pixels(points: Iterable[Sequence[float]], width: int, height: int) -> Ring:
    """Place points of the 0–1000 grid on an image.

    Parameters
    ----------
    points : iterable of (x, y)
        Values from 0 to 1000.
    width, height : int
        Size of the original image.
    """
    return tuple((p[0] * width / GRID, p[1] * height / GRID) for p in points)


def pixels_to_grid(
    points: Iterable[Sequence[float]], width: int, height: int
) -> tuple[GridPoint, ...]:
    """Write points on the 0–1000 grid: the nearest whole number from 0 to 999.

    What is read back differs by at most half a step of the grid (width / 2000), a full step
    at the right and lower edge, which has no number of its own.
    """
    return tuple((_to_grid(p[0], width), _to_grid(p[1], height)) for p in points)


def _to_grid(value: float, size: int) -> int:
    return min(max(math.floor(GRID * value / size + 0.5), 0), GRID - 1)


def ordered_box(points: Sequence[Sequence[float]]) -> tuple[Point, Point]:
    """Return the upper left and lower right corner of the box around points."""
    xs, ys = [float(p[0]) for p in points], [float(p[1]) for p in points]
    return (min(xs), min(ys)), (max(xs), max(ys))


def bounds(annotation: Annotation) -> tuple[Point, Point]:
    """Return the box around an annotation (around the points that are not absent).

    Around an outline it is the box around its curve.
    """
    if annotation.kind == "polygon":
        return ordered_box([p for ring in outlines(annotation) for p in ring])
    points = list(annotation.points)
    if annotation.kind == "keypoints" and any(annotation.visibility):
        points = [p for p, v in zip(annotation.points, annotation.visibility, strict=True) if v]
    return ordered_box(points)


def outlines(annotation: Annotation, flat: float = FLAT) -> tuple[Ring, ...]:
    """Return every ring of a box or polygon as it is drawn, none for keypoints.

    This is what is shown, painted, measured, compared and written. For the classes that are
    measured as ellipses it is the curve through the corners (see ``curves``).

    Parameters
    ----------
    annotation : Annotation
        Of any kind.
    flat : float
        Pixels by which the sides that a curve is drawn with may leave it.
    """
    rings = corner_rings(annotation)
    if annotation.kind == "polygon" and is_round(annotation.category):
        return tuple(curve(ring, flat) for ring in rings)
    return rings


def corner_rings(annotation: Annotation) -> tuple[Ring, ...]:
    """Return the corners of every ring of a box or polygon: what is edited and kept."""
    if annotation.kind == "keypoints":
        return ()
    if annotation.kind == "box":
        (x1, y1), (x2, y2) = ordered_box(annotation.points)
        return (((x1, y1), (x2, y1), (x2, y2), (x1, y2)),)
    return (annotation.points, *annotation.rings)


def is_round(category: str) -> bool:
    """Tell whether outlines of a class are curves through their corners."""
    found = vocabulary().by_name.get(category)
    return found is not None and found.round


def drawn(
    annotation: Annotation, size: tuple[int, int] | None = None, flat: float = FLAT
) -> Annotation:
    """Return an outline with every point that its curve is drawn with as a corner.

    For what can say polygons only. Others than curves come back as they are.

    Parameters
    ----------
    annotation : Annotation
        Of any kind.
    size : (width, height), optional
        Of the image: where the curve leaves it, but none of the corners does, it runs along the
        edge.
    flat : float
        As for :func:`outlines`.
    """
    rings = outlines(annotation, flat)
    if annotation.kind != "polygon" or rings == corner_rings(annotation):
        return annotation
    corners = [p for ring in corner_rings(annotation) for p in ring]
    if size is not None and all(p == _within(p, size) for p in corners):
        rings = tuple(tuple(_within(p, size) for p in ring) for ring in rings)
    return replace(annotation, points=rings[0], rings=rings[1:])


def _within(point: Point, size: tuple[int, int]) -> Point:
    return min(max(point[0], 0.0), float(size[0])), min(max(point[1], 0.0), float(size[1]))


def rasterise(annotation: Annotation, shape: tuple[int, int]) -> Mask:
    """Return the pixels whose centre lies inside, by the even-odd rule over all rings.

    A centre exactly on a left or upper edge counts as inside, on a right or lower edge as
    outside: shapes that share an edge share no pixel and leave none out. Keypoints give the
    pixels that hold them.

    Parameters
    ----------
    annotation : Annotation
        What to draw; parts outside the image are cut off.
    shape : (height, width)
        Of the image.
    """
    mask = np.zeros(shape, bool)
    top, left, cut = raster_window(annotation, shape)
    mask[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    return mask


def raster_window(annotation: Annotation, shape: tuple[int, int]) -> tuple[int, int, Mask]:
    """Return the part of :func:`rasterise` that holds all of its pixels.

    Parameters
    ----------
    annotation, shape
        As there.

    Returns
    -------
    top, left : int
        Where the part begins in the image.
    part : 2D bool array
        May be empty.
    """
    height, width = shape
    if annotation.kind == "keypoints":
        visibility = annotation.seen
        mask = np.zeros(shape, bool)
        for (x, y), v in zip(annotation.points, visibility, strict=True):
            if v and 0 <= x < width and 0 <= y < height:
                mask[int(y), int(x)] = True
        return 0, 0, mask
    rings = [np.asarray(ring, float).reshape(-1, 2) for ring in outlines(annotation)]
    edges = [np.hstack([ring, np.roll(ring, -1, axis=0)]) for ring in rings]
    x1, y1, x2, y2 = np.concatenate(edges).T
    # Rows whose centre an edge crosses: the lower end counts, the upper does not.
    first = np.clip(np.ceil(np.minimum(y1, y2) - 0.5), 0, height).astype(int)
    last = np.clip(np.ceil(np.maximum(y1, y2) - 0.5), 0, height).astype(int)
    count = last - first
    edge = np.repeat(np.arange(len(count)), count)
    if not len(edge):
        return 0, 0, np.zeros((0, 0), bool)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    slope = (x2 - x1)[edge] / (y2 - y1)[edge]
    cross = x1[edge] + (row + 0.5 - y1[edge]) * slope
    column = np.clip(np.ceil(cross - 0.5), 0, width).astype(int)
    top, left = int(row.min()), int(column.min())
    # Every crossing turns inside into outside for all pixels to its right. Only whether their
    # number is odd counts, and that survives the overflow of a byte.
    turns = np.zeros((int(row.max()) - top + 1, int(column.max()) - left + 1), np.uint8)
    np.add.at(turns, (row - top, column - left), 1)
    inside: Mask = (np.cumsum(turns, axis=1, dtype=np.uint8)[:, :-1] & 1).astype(bool)
    return top, left, inside


def mask_to_annotation(mask: npt.ArrayLike, category: str, **fields: Any) -> Annotation | None:
    """Trace a mask as a polygon that rasterises back to exactly the same pixels.

    Parameters
    ----------
    mask : 2D bool array
        One structure; it may have holes and several parts, which become ``rings``.
    category : str
        Class name.
    **fields
        Further fields of the annotation (``source``, ``parent``, ``status``, …).

    Returns
    -------
    Annotation or None
        None if the mask is empty. ``points`` is the largest ring.
    """
    from skimage.measure import find_contours

    pixels = np.asarray(mask, bool)
    if not pixels.any():
        return None
    rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
    cut = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # Contours run between pixel centres: half a pixel further is the corner convention, and
    # the border of zeros that closes them takes one away.
    contours = find_contours(np.pad(cut, 1).astype(float), 0.5)
    corner = np.array([columns[0], rows[0]]) - 0.5
    traced = [contour[:-1, ::-1] + corner for contour in contours]
    rings = sorted((_without_collinear(r) for r in traced), key=ring_area, reverse=True)
    return Annotation(category, "polygon", rings[0], rings=tuple(rings[1:]), **fields)


def _without_collinear(ring: npt.NDArray[np.float64]) -> Ring:
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turn = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]  # exact: halves of integers
    return tuple((float(x), float(y)) for x, y in ring[turn != 0])


def ring_area(ring: Sequence[Point]) -> float:
    """Return the area inside a ring in square pixels (one that crosses itself has less)."""
    points = np.asarray(ring, float)
    x, y = points.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def simplify(annotation: Annotation, tolerance: float) -> Annotation:
    """Leave out corners of a polygon that lie within ``tolerance`` pixels of the outline.

    Holes and parts stay, apart from each other and from the outline: where leaving out a corner
    would make rings cross, less is left out. Parts and holes smaller than the tolerance squared
    are dropped. Other kinds come back as they are.
    """
    if annotation.kind != "polygon":
        return annotation
    from shapely import Polygon, get_coordinates

    round_one = is_round(annotation.category)

    def reduced(ring: Ring, by: float) -> Ring:
        if round_one and traced_sides(np.asarray(ring, float)).any():
            return thinned_ring(ring, by / 2)  # where sides are curves, less is left out
        outline = Polygon(ring).simplify(by, preserve_topology=True)
        return tuple((float(x), float(y)) for x, y in get_coordinates(outline)[:-1])

    kept = tuple(r for r in annotation.rings if ring_area(r) > tolerance**2)
    whole = replace(annotation, rings=kept)
    kept_apart = bool(kept) and not rings_cross(whole)
    by = tolerance
    while by > tolerance / 100:
        points = reduced(annotation.points, by)
        found = replace(annotation, points=points, rings=tuple(reduced(r, by) for r in kept))
        if not kept_apart or not rings_cross(found):
            return found
        by /= 2
    return whole


def rings_cross(annotation: Annotation) -> bool:
    """Tell whether rings of an outline lie partly on each other (inside is no crossing)."""
    from shapely import Polygon

    areas = [Polygon(ring) for ring in outlines(annotation)]
    return any(
        a.is_valid and b.is_valid and (a.overlaps(b) or a.equals(b))
        for i, a in enumerate(areas)
        for b in areas[:i]
    )


def to_shapely(annotation: Annotation) -> BaseGeometry:
    """Return the region of a box or polygon, made valid, even-odd over all its rings."""
    return region_in(outlines(annotation))


def region_in(rings: Iterable[Ring]) -> BaseGeometry:
    """Return the region inside rings with straight sides, made valid, even-odd over all."""
    from shapely import Polygon, make_valid

    region: BaseGeometry = Polygon()
    for ring in rings:
        if len(ring) > 2:
            region = region.symmetric_difference(make_valid(Polygon(ring)))
    return region


def area(annotation: Annotation) -> float:
    """Return the area in square pixels (0 for keypoints)."""
    rings = outlines(annotation)
    if annotation.kind == "polygon" and (len(rings) > 1 or not is_simple(rings[0])):
        return float(to_shapely(annotation).area)
    return sum(map(ring_area, rings))


def iou(a: Annotation, b: Annotation) -> float:
    """Return intersection over union of two boxes or polygons (0 if both are empty)."""
    first, second = to_shapely(a), to_shapely(b)
    union = first.union(second).area
    return float(first.intersection(second).area / union) if union else 0.0


def is_simple(ring: Ring) -> bool:
    """Tell whether a ring neither crosses nor touches itself."""
    from shapely import LinearRing

    return len(ring) > 2 and bool(LinearRing(ring).is_simple)


def faults(
    annotation: Annotation, size: tuple[int, int] | None = None, *, smallest: float = 1.0
) -> tuple[str, ...]:
    """Say what is wrong with the shape of an annotation, in words for the user.

    Parameters
    ----------
    annotation : Annotation
        What to look at.
    size : (width, height), optional
        Of the image, to find what lies outside it.
    smallest : float
        Shapes narrower or lower than this many pixels count as slips of the hand.
    """
    found = []
    rings = outlines(annotation)
    values = [v for ring in (annotation.points, *annotation.rings) for p in ring for v in p]
    if not all(map(math.isfinite, values)):
        return ("has a coordinate that is no number",)
    if annotation.kind == "box" and len(annotation.points) != 2:
        found.append("is a box without two corners")
    elif annotation.kind == "polygon" and len(set(annotation.points)) < 3:
        found.append("has fewer than three corners")
    elif annotation.kind == "keypoints":
        if not annotation.points:
            found.append("has no points")
        elif len(annotation.visibility) not in (0, len(annotation.points)):
            found.append("does not say of every point whether it is visible")
    if not found and rings:
        (x1, y1), (x2, y2) = bounds(annotation)
        if min(x2 - x1, y2 - y1) < smallest:
            found.append(f"is less than {smallest:g} px wide or high")
        elif annotation.kind == "polygon" and area(annotation) <= 0:
            found.append("has no area")
        elif not all(map(is_simple, rings)):
            found.append("crosses itself")
    if not found and size is not None:
        (x1, y1), (x2, y2) = bounds(annotation)
        if x2 < 0 or y2 < 0 or x1 > size[0] or y1 > size[1]:
            found.append("lies outside the image")
    return tuple(found)


def is_degenerate(annotation: Annotation, *, smallest: float = 1.0) -> bool:
    """Tell whether an annotation has no usable shape (crossing itself is usable)."""
    return any(f != "crosses itself" for f in faults(annotation, smallest=smallest))
