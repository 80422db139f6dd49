"""How far two raters agree: Dice and IoU by class, Cohen's kappa, agreement of report fields.

Pure functions on what each of the two has said of the same frames. All figures are symmetric,
and 1 where the two say the same.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from napari_fada.records.annotation import Annotation, Kind
from napari_fada.records.geometry import iou, to_shapely

#: Two sets of keypoints that lie this share of the image's diagonal apart are as unlike as can be.
REACH = 0.04

Pair = tuple[Annotation | None, Annotation | None, float]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one rater says of one frame. ``spacing_mm`` is (y, x), None without a scale."""

    annotations: tuple[Annotation, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    view: str | None = None
    spacing_mm: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class ClassAgreement:
    """Overlap of all structures of a class and kind; the mean over frames where either has one."""

    category: str
    kind: Kind
    frames: int
    dice: float
    iou: float


@dataclass(frozen=True, slots=True)
class KeypointAgreement:
    """How far the points of a class lie apart, where both raters have put them.

    ``distance_px`` is the mean distance of a point to the same point of the other, in pixels of
    the scan, over ``points`` of them; ``distance_mm`` the same in millimetres over those on scans
    with a scale, None if there is none. ``alone`` counts points that only one of the two has.
    """

    category: str
    points: int
    alone: int
    distance_px: float | None
    distance_mm: float | None


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """Agreement on one label of each case: the share that is equal, and Cohen's kappa."""

    cases: int
    equal: float | None
    kappa: float | None


@dataclass(frozen=True, slots=True)
class FieldAgreement:
    """Agreement on a field of the report: the share of equal texts, and the mean token F1."""

    field: str
    cases: int
    exact: float
    token_f1: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """The figures of two raters. None stands where there is no case to compare."""

    frames: int
    structures: tuple[ClassAgreement, ...]
    view: LabelAgreement
    review: LabelAgreement
    fields: tuple[FieldAgreement, ...]
    keypoints: tuple[KeypointAgreement, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return asdict(self)


def compare(
    frames: Sequence[tuple[Opinion, Opinion]], reviews: Sequence[tuple[str, str]]
) -> Agreement:
    """Work out the figures.

    Parameters
    ----------
    frames : sequence of (Opinion, Opinion)
        Frames that both have judged.
    reviews : sequence of (str, str)
        Review states of the scans that both have reviewed.
    """
    return Agreement(
        frames=len(frames),
        structures=_structures(frames),
        view=labels((a.view, b.view) for a, b in frames if a.view and b.view),
        review=labels(reviews),
        fields=_fields(frames),
        keypoints=_keypoints(frames),
    )


def labels(pairs: Iterable[tuple[str | None, str | None]]) -> LabelAgreement:
    """Return share and kappa of equal labels (kappa is 1 where both only ever say the same)."""
    pairs = list(pairs)
    if not pairs:
        return LabelAgreement(0, None, None)
    equal = sum(a == b for a, b in pairs) / len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(first[label] * second[label] for label in first) / len(pairs) ** 2
    kappa = 1.0 if chance == 1 else (equal - chance) / (1 - chance)
    return LabelAgreement(len(pairs), equal, kappa)


def token_f1(a: str, b: str) -> float:
    """Return how many words two texts share: the harmonic mean of both shares."""
    first, second = (Counter(re.findall(r"\w+", text.casefold())) for text in (a, b))
    if not first and not second:
        return 1.0
    shared = (first & second).total()
    return 2 * shared / (first.total() + second.total())


def similarity(a: Annotation, b: Annotation, size: tuple[int, int]) -> float:
    """Return 0 to 1: IoU; of keypoints how near they are, by the diagonal of the image.

    Parameters
    ----------
    a, b : Annotation
        Two kinds are never alike.
    size : (width, height)
        Of the image.
    """
    if a.kind != b.kind:
        return 0.0
    if a.kind != "keypoints":
        return iou(a, b)
    if len(a.points) != len(b.points):
        return 0.0
    reach = REACH * math.hypot(*size)
    distances = np.hypot(*(np.asarray(a.points) - np.asarray(b.points)).T)
    return max(0.0, 1 - float(np.mean(distances)) / reach)


def match(
    first: Sequence[Annotation], second: Sequence[Annotation], size: tuple[int, int]
) -> list[Pair]:
    """Pair the structures of two raters: of one class and kind, so that the sum is highest.

    Returns
    -------
    list of (Annotation or None, Annotation or None, float)
        Pairs with their similarity, which is more than 0, then what is left alone.
    """
    groups = dict.fromkeys((a.category, a.kind) for a in (*first, *second))
    pairs: list[Pair] = []
    for group in groups:
        ours = [a for a in first if (a.category, a.kind) == group]
        theirs = [b for b in second if (b.category, b.kind) == group]
        pairs += assign(ours, theirs, size)
    return pairs


def assign(
    first: Sequence[Annotation], second: Sequence[Annotation], size: tuple[int, int]
) -> list[Pair]:
    """Pair structures by shape alone, whatever their class."""
    from scipy.optimize import linear_sum_assignment

    alike = np.array([[similarity(a, b, size) for b in second] for a in first])
    pairs: list[Pair] = []
    left, right = set(range(len(first))), set(range(len(second)))
    if first and second:
        for i, j in zip(*linear_sum_assignment(alike, maximize=True), strict=True):
            if alike[i, j] > 0:
                pairs.append((first[i], second[j], float(alike[i, j])))
                left.discard(int(i))
                right.discard(int(j))
    pairs += [(first[i], None, 0.0) for i in sorted(left)]
    pairs += [(None, second[j], 0.0) for j in sorted(right)]
    return pairs


def _structures(frames: Sequence[tuple[Opinion, Opinion]]) -> tuple[ClassAgreement, ...]:
    from shapely import unary_union

    found: dict[tuple[str, Kind], list[tuple[float, float]]] = {}
    for a, b in frames:
        groups = {(s.category, s.kind) for s in (*a.annotations, *b.annotations)}
        for group in groups:
            if group[1] == "keypoints":  # points cover no area
                continue
            one, two = (
                unary_union(
                    [to_shapely(s) for s in side.annotations if (s.category, s.kind) == group]
                )
                for side in (a, b)
            )
            shared, total = one.intersection(two).area, one.area + two.area
            dice = 2 * shared / total if total else 1.0
            found.setdefault(group, []).append((dice, dice / (2 - dice)))
    return tuple(
        ClassAgreement(*group, len(v), *(sum(x) / len(v) for x in zip(*v, strict=True)))
        for group, v in sorted(found.items())
    )


def _keypoints(frames: Sequence[tuple[Opinion, Opinion]]) -> tuple[KeypointAgreement, ...]:
    pixels: dict[str, list[float]] = {}
    millimetres: dict[str, list[float]] = {}
    alone: Counter[str] = Counter()
    for a, b in frames:
        mine, yours = ([s for s in side.annotations if s.kind == "keypoints"] for side in (a, b))
        spacing = a.spacing_mm or b.spacing_mm
        for category in {s.category for s in (*mine, *yours)}:
            first, second = ([s for s in side if s.category == category] for side in (mine, yours))
            for one, two in pair_keypoints(first, second):
                apart = pixels.setdefault(category, [])
                seen = [seen_points(s) if s is not None else {} for s in (one, two)]
                alone[category] += len(seen[0].keys() ^ seen[1].keys())
                for part in sorted(seen[0].keys() & seen[1].keys()):
                    x, y = np.subtract(seen[0][part], seen[1][part])
                    apart.append(math.hypot(x, y))
                    if spacing is not None:
                        apart_mm = math.hypot(x * spacing[1], y * spacing[0])
                        millimetres.setdefault(category, []).append(apart_mm)
    return tuple(
        KeypointAgreement(
            category, len(found), alone[category], _mean(found), _mean(millimetres.get(category))
        )
        for category, found in sorted(pixels.items())
    )


def pair_keypoints(
    first: Sequence[Annotation], second: Sequence[Annotation]
) -> list[tuple[Annotation | None, Annotation | None]]:
    """Pair sets of keypoints so that the sum of their distances is least; the rest is alone."""
    from scipy.optimize import linear_sum_assignment

    far = np.array([[_apart(one, two) for two in second] for one in first])
    pairs: list[tuple[Annotation | None, Annotation | None]] = []
    rows, columns = linear_sum_assignment(far) if first and second else ((), ())
    pairs += [(first[i], second[j]) for i, j in zip(rows, columns, strict=True)]
    pairs += [(one, None) for i, one in enumerate(first) if i not in set(rows)]
    pairs += [(None, two) for j, two in enumerate(second) if j not in set(columns)]
    return pairs


def _apart(one: Annotation, two: Annotation) -> float:
    mine, yours = seen_points(one), seen_points(two)
    both = mine.keys() & yours.keys()
    return sum(math.dist(mine[p], yours[p]) for p in both) / len(both) if both else 1e9


def seen_points(record: Annotation) -> dict[int, tuple[float, float]]:
    """Return the points that are there, by their number."""
    seen = record.seen
    return {i: p for i, (p, v) in enumerate(zip(record.points, seen, strict=True)) if v}


def _mean(values: Sequence[float] | None) -> float | None:
    return sum(values) / len(values) if values else None


def _fields(frames: Sequence[tuple[Opinion, Opinion]]) -> tuple[FieldAgreement, ...]:
    found: dict[str, list[tuple[float, float]]] = {}
    for a, b in frames:
        mine, yours = dict(a.fields), dict(b.fields)
        for key in dict.fromkeys((*mine, *yours)):
            one, two = (" ".join(side.get(key, "").split()) for side in (mine, yours))
            if one or two:
                found.setdefault(key, []).append((float(one == two), token_f1(one, two)))
    return tuple(
        FieldAgreement(key, len(v), *(sum(x) / len(v) for x in zip(*v, strict=True)))
        for key, v in sorted(found.items())
    )
