"""Which structure of one frame is which of another: by what is known of them, then by place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from napari_fada.records import geometry
from napari_fada.records.annotation import Annotation, Point

Pair = tuple[Annotation, Annotation]
Box = tuple[Point, Point]
NONE: Mapping[str, str] = MappingProxyType({})

#: By how much less near, in sizes of the structures, another pairing may be and still be as likely.
CLOSE = 0.5


def pairs(
    first: Sequence[Annotation], second: Sequence[Annotation], same: Mapping[str, str] = NONE
) -> list[Pair]:
    """Pair the structures of two frames.

    Only structures of one class and one kind (box, polygon, keypoints) are paired. Those of which
    it is known that they are one structure go together, wherever they lie. Of the others, where
    there are several of a class, the pairing whose boxes lie nearest to one another on the whole
    is taken; whatever is left over on one side has no partner.

    Parameters
    ----------
    first, second : sequence of Annotation
        Of the two frames.
    same : mapping of uid to str
        Which structure a record is, where that is not its own ``identity``.

    Returns
    -------
    list of (Annotation, Annotation)
        In the order of ``first``.
    """
    found: list[Pair] = []
    for known, left, right in _by_class(first, second, same):
        found += known
        found += _nearest(left, right)
    order = {a.uid: i for i, a in enumerate(first)}
    return sorted(found, key=lambda pair: order[pair[0].uid])


def unsure(
    first: Sequence[Annotation], second: Sequence[Annotation], same: Mapping[str, str] = NONE
) -> list[str]:
    """Return the classes whose structures were paired by place, though it may well be otherwise.

    That is where another pairing lies nearly as near, or where an expert drew them in another
    order. See :func:`pairs`; both sequences are in the order in which they were drawn.
    """
    found: list[str] = []
    for _, left, right in _by_class(first, second, same):
        if len(left) > 1 or len(right) > 1:
            nearest = _nearest(left, right)
            if nearest and (
                _is_close_call(nearest, left, right) or _is_out_of_order(nearest, right)
            ):
                found.append(left[0].category)
    return list(dict.fromkeys(found))


def _by_class(
    first: Sequence[Annotation], second: Sequence[Annotation], same: Mapping[str, str]
) -> Iterator[tuple[list[Pair], list[Annotation], list[Annotation]]]:
    """Yield for each class and kind the pairs that are known, and the rest of either side."""
    for key in dict.fromkeys(map(_key, first)):
        left = [a for a in first if _key(a) == key]
        right = [b for b in second if _key(b) == key]
        there = {same.get(b.uid, b.identity): b for b in reversed(right)}
        known: dict[str, Pair] = {}
        for a in left:
            identity = same.get(a.uid, a.identity)
            if identity in there:
                known.setdefault(identity, (a, there[identity]))
        met = {record.uid for pair in known.values() for record in pair}
        yield (
            list(known.values()),
            [a for a in left if a.uid not in met],
            [b for b in right if b.uid not in met],
        )


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
    return _assigned(left, right, _costs(left, right))


def _costs(left: list[Annotation], right: list[Annotation]) -> npt.NDArray[np.float64]:
    return np.array([[_distance(a, b) for b in right] for a in left])


def _assigned(
    left: list[Annotation], right: list[Annotation], cost: npt.NDArray[np.float64]
) -> list[Pair]:
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(cost)
    return [(left[i], right[j]) for i, j in zip(rows, columns, strict=True)]


def _is_close_call(nearest: list[Pair], left: list[Annotation], right: list[Annotation]) -> bool:
    """Tell whether another pairing is nearly as near as the one that was taken."""
    cost = _costs(left, right)
    at = {a.uid: i for side in (left, right) for i, a in enumerate(side)}

    def total(found: list[Pair]) -> float:
        return float(sum(cost[at[a.uid], at[b.uid]] for a, b in found))

    best = total(nearest)
    for a, b in nearest:
        without = cost.copy()
        without[at[a.uid], at[b.uid]] = 1e6
        if total(_assigned(left, right, without)) - best < CLOSE:
            return True
    return False


def _is_out_of_order(nearest: list[Pair], right: list[Annotation]) -> bool:
    """Tell whether an expert drew the structures of both frames, and in another order."""
    drawn = all(a.source == "expert" and a.status == "accepted" for p in nearest for a in p)
    if not drawn:
        return False
    order = [right.index(b) for _, b in nearest]
    return order != sorted(order)


def _distance(a: Annotation, b: Annotation) -> float:
    """Return how far apart two structures are: in their own sizes, less where they overlap."""
    centre_a, size_a = _centre(a)
    centre_b, size_b = _centre(b)
    size = max(1.0, (size_a + size_b) / 2)
    return math.dist(centre_a, centre_b) / size + 1.0 - box_iou(a, b)


def _centre(a: Annotation) -> tuple[Point, float]:
    (x1, y1), (x2, y2) = geometry.bounds(a)
    return ((x1 + x2) / 2, (y1 + y2) / 2), math.hypot(x2 - x1, y2 - y1)
