"""Which structure of one frame is which of another: by class and kind, then by place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_fada.records import geometry
from napari_fada.records.annotation import Annotation, Point

Pair = tuple[Annotation, Annotation]
Box = tuple[Point, Point]


def pairs(first: Sequence[Annotation], second: Sequence[Annotation]) -> list[Pair]:
    """Pair the structures of two frames.

    Only structures of one class and one kind (box, polygon, keypoints) are paired. Where there
    are several of a class, the pairing whose boxes lie nearest to one another on the whole is
    taken; whatever is left over on one side has no partner.

    Parameters
    ----------
    first, second : sequence of Annotation
        Of the two frames.

    Returns
    -------
    list of (Annotation, Annotation)
        In the order of ``first``.
    """
    found: list[Pair] = []
    for key in dict.fromkeys(map(_key, first)):
        left = [a for a in first if _key(a) == key]
        right = [b for b in second if _key(b) == key]
        found += _nearest(left, right)
    order = {a.uid: i for i, a in enumerate(first)}
    return sorted(found, key=lambda pair: order[pair[0].uid])


def box_iou(a: Annotation, b: Annotation) -> float:
    """Return intersection over union of the boxes around two annotations of any kind."""
    return overlap(geometry.bounds(a), geometry.bounds(b))


def overlap(a: Box, b: Box) -> float:
    """Return intersection over union of two boxes, each given by two corners."""
    (ax1, ay1), (ax2, ay2) = a
    (bx1, by1), (bx2, by2) = b
    wide = max(0.0, min(ax2, bx2) - max(ax1, bx1))
    high = max(0.0, min(ay2, by2) - max(ay1, by1))
    both = wide * high
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - both
    return both / union if union > 0 else 0.0


def _key(a: Annotation) -> tuple[str, str]:
    return a.category, a.kind


def _nearest(left: list[Annotation], right: list[Annotation]) -> list[Pair]:
    if len(left) == len(right) == 1:
        return [(left[0], right[0])]
    if not left or not right:
        return []
    from scipy.optimize import linear_sum_assignment

    cost = np.array([[_distance(a, b) for b in right] for a in left])
    rows, columns = linear_sum_assignment(cost)
    return [(left[i], right[j]) for i, j in zip(rows, columns, strict=True)]


def _distance(a: Annotation, b: Annotation) -> float:
    """Return how far apart two structures are: in their own sizes, less where they overlap."""
    centre_a, size_a = _centre(a)
    centre_b, size_b = _centre(b)
    size = max(1.0, (size_a + size_b) / 2)
    return math.dist(centre_a, centre_b) / size + 1.0 - box_iou(a, b)


def _centre(a: Annotation) -> tuple[Point, float]:
    (x1, y1), (x2, y2) = geometry.bounds(a)
    return ((x1 + x2) / 2, (y1 + y2) / 2), math.hypot(x2 - x1, y2 - y1)
