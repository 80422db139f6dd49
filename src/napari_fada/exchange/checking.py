"""Whether a shape read from a file may enter a project, and what has to be changed for it."""

from __future__ import annotations

import math
from dataclasses import replace

from napari_fada.records.annotation import Annotation, Point, Ring
from napari_fada.records.geometry import bounds, faults, ordered_box

#: An outline by hand has hundreds of vertices, one of a mask a few thousand; more is a fault.
MAX_VERTICES = 100_000
#: What files round away may lie this far over the edge and is moved in without a word.
ROUNDING = 1.0


def checked(annotation: Annotation, size: tuple[int, int]) -> tuple[Annotation | None, str | None]:
    """Return a shape as it may be kept, and what was wrong with it.

    Parameters
    ----------
    annotation : Annotation
        In pixels of the image, corner convention.
    size : (width, height)
        Of the image.

    Returns
    -------
    Annotation or None
        The shape, its points moved into the image; None if nothing usable is left.
    str or None
        What was changed or why it is refused, None if it is as it was read.
    """
    vertices = len(annotation.points) + sum(map(len, annotation.rings))
    if vertices > MAX_VERTICES:
        return None, f"has {vertices:,} vertices; {MAX_VERTICES:,} are the limit"
    if annotation.kind == "box" and len(annotation.points) == 2:
        annotation = replace(annotation, points=ordered_box(annotation.points))
    wrong = [f for f in faults(annotation, smallest=0.0) if f != "crosses itself"]
    if not wrong and annotation.kind != "keypoints":
        (x1, y1), (x2, y2) = bounds(annotation)
        if x2 <= x1 or y2 <= y1:
            wrong.append("has no area")
        elif x2 <= 0 or y2 <= 0 or x1 >= size[0] or y1 >= size[1]:
            wrong.append("lies outside the image")
    if wrong:
        return None, " and ".join(wrong)
    over = _reach(annotation, size)
    if over <= 0:
        return annotation, None
    if annotation.kind == "keypoints" and over > ROUNDING:
        return None, f"has a point {over:.1f} px outside the image"
    moved = replace(
        annotation,
        points=_moved(annotation.points, size),
        rings=tuple(_moved(ring, size) for ring in annotation.rings),
    )
    if over <= ROUNDING:
        return moved, None
    return moved, f"reaches {over:.1f} px over the edge of the image; that part was cut off"


def _reach(annotation: Annotation, size: tuple[int, int]) -> float:
    """Return how far the farthest point lies outside (0: none does)."""
    hidden = annotation.seen
    points = [p for p, v in zip(annotation.points, hidden, strict=True) if v]
    points += [p for ring in annotation.rings for p in ring]
    return max(
        (max(-x, x - size[0], -y, y - size[1], 0.0) for x, y in points if math.isfinite(x + y)),
        default=0.0,
    )


def _moved(ring: Ring, size: tuple[int, int]) -> Ring:
    def inside(p: Point) -> Point:
        return min(max(p[0], 0.0), float(size[0])), min(max(p[1], 0.0), float(size[1]))

    return tuple(map(inside, ring))
