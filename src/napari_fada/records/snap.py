"""Snapping an outline to the edge in the scan: an active contour on demand.

The outline is sampled along its normals; the closed path of strongest edges that does not jump
is found by dynamic programming. What is nearly an ellipse (heads, abdomens) stays one: an
ellipse is fitted to the path, so that gaps and shadows in the skull do not pull it away. The
search narrows in a few rounds. Where no edge is stronger than what was there, or the result
leaves the neighbourhood of the outline, the outline stays and a word says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_fada.errors import ShapeError
from napari_fada.records.annotation import Annotation, Ring
from napari_fada.records.ellipse import Ellipse, ellipse_around, fit_ellipse
from napari_fada.records.geometry import iou, outlines, simplify
from napari_fada.records.repair import repaired
from napari_fada.records.smoothing import length, resample

RIMS = frozenset({"Brain", "head", "fetal_head", "H", "abdomen", "AB", "thorax", "pubic_symphysis"})
"""Classes that end at the outer side of a bright rim: bright inside, dark outside."""
REACH = 0.16
"""How far the first round looks, as a share of the outline's mean radius."""
ROUNDS = (1.0, 0.6, 0.35)
"""Reach of each round as a share of the first."""
NORMALS = 160
HALF = 30
"""Steps along a normal to each side."""
ELLIPTIC, NEARLY = 0.07, 0.015
"""Mean distance from an ellipse, as a share of the radius, up to which an outline becomes one:
of a class in ``RIMS``, which a scan shows as ellipses, and of any other."""
STEP = 0.25
"""Price of moving one step inwards or outwards between neighbouring normals."""
FAR = 0.3
"""Price of lying as far from the outline as the search reaches (a usual edge gives 1)."""
PRIOR = 0.1
"""Weight of the outline that was there beside the edges that were found (a usual edge has 1)."""
LEAST_OVERLAP = 0.55
"""IoU with what was there before, below which a result counts as wild."""

Points = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SnapStep:
    """The outline after a round, to be shown while the search goes on."""

    record: Annotation
    round: int
    rounds: int


@dataclass(frozen=True, slots=True)
class SnapDone:
    """The end: the record with its new outline, and what happened in words.

    ``moved`` is the mean distance from the old outline in pixels; 0 and the old record if the
    outline stays.
    """

    record: Annotation
    word: str
    moved: float = 0.0


def snap(record: Annotation, pixels: npt.ArrayLike) -> Iterator[SnapStep | SnapDone]:
    """Move an outline to the edge that lies nearby; yields after each round, then the end.

    Parameters
    ----------
    record : Annotation
        A polygon. Holes and parts stay where they are; only the largest ring is moved.
    pixels : array, (height, width) or (height, width, channels)
        The frame. Where it is dark outside the scan's sector nothing is found.

    Raises
    ------
    ShapeError
        If the record has no outline that could be moved.
    """
    image = _grey(pixels)
    if record.kind != "polygon":
        raise ShapeError(f"{record.category} is no polygon: there is no outline to snap.")
    outline = outlines(record)[0]
    radius = length(outline) / (2 * np.pi)
    if radius < 3:
        raise ShapeError(f"{record.category} is too small to be snapped to an edge.")
    ellipse = _as_ellipse(record, radius)
    ring = resample(outline, NORMALS)
    before = _strength(image, record, ring, radius)
    was = ring
    for i, share in enumerate(ROUNDS):
        path, weights = _path(image, record, ring, share * REACH * radius)
        if ellipse is not None:
            try:
                found = fit_ellipse(
                    np.concatenate([path, was]).tolist(),
                    [*weights, *(PRIOR,) * len(was)],
                    robust=0.02 * radius,
                )
            except ShapeError:
                break
            ring, ellipse = np.array(found.polygon(NORMALS)), found
        else:
            ring = path
        yield SnapStep(_with_ring(record, ring, ellipse), i + 1, len(ROUNDS))
    yield _judged(record, _with_ring(record, ring, ellipse), image, before, ring, radius)


def _judged(
    old: Annotation, new: Annotation, image: Pixels, before: float, ring: Points, radius: float
) -> SnapDone:
    """Return the end of a search: the new outline, or the old one and the reason."""
    name = old.category
    height, width = image.shape
    new = _inside(new, width, height)
    try:
        new = _inside(repaired(new).record, width, height)  # a curve may bulge over the edge
    except ShapeError:
        return SnapDone(old, f"{name}: no closed edge was found; the outline stays.")
    after = _strength(image, old, ring, radius)
    if after <= max(before, 0.0) * 1.02:
        return SnapDone(old, f"{name}: no clearer edge lies nearby; the outline stays.")
    if iou(old, new) < LEAST_OVERLAP or len(new.rings) != len(old.rings):
        return SnapDone(old, f"{name}: the edge that was found lies too far off; it stays.")
    moved = float(np.mean(_distances(outlines(new)[0], resample(outlines(old)[0], NORMALS))))
    return SnapDone(new, f"{name}: snapped to the edge, {moved:.1f} px on average.", moved)


def _distances(ring: Ring, points: Points) -> Points:
    from shapely import LinearRing, distance
    from shapely import points as as_points

    out: Points = np.asarray(distance(LinearRing(ring), as_points(points)))
    return out


def _grey(pixels: npt.ArrayLike) -> Pixels:
    image = np.asarray(pixels, float)
    image = image[..., :3].mean(axis=2) if image.ndim == 3 else image
    top = float(np.percentile(image, 99.5)) or 1.0
    out: Pixels = np.clip(image / top, 0, 1)
    return out


def _as_ellipse(record: Annotation, radius: float) -> Ellipse | None:
    ring = outlines(record)[0]
    try:
        found = ellipse_around(ring)
    except ShapeError:
        return None
    off = float(np.abs(found.distances(resample(ring, NORMALS))).mean())
    return found if off <= (ELLIPTIC if record.category in RIMS else NEARLY) * radius else None


def _normals(ring: Points) -> Points:
    """Return unit normals of a closed ring that point outwards."""
    along = np.roll(ring, -2, axis=0) - np.roll(ring, 2, axis=0)
    normals = np.column_stack([along[:, 1], -along[:, 0]])
    normals /= np.maximum(np.hypot(*normals.T), 1e-9)[:, None]
    x, y = ring.T
    turn = np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))
    return normals if turn > 0 else -normals


def _profiles(image: Pixels, ring: Points, reach: float) -> tuple[Points, Points, Points]:
    """Return steps along the normals, their points, and how much darker it gets outwards."""
    from scipy.ndimage import gaussian_filter1d, map_coordinates

    steps = np.linspace(-reach, reach, 2 * HALF + 1)
    at = ring[:, None] + _normals(ring)[:, None] * steps[None, :, None]
    # The pixel i covers [i, i + 1]: its value belongs to i + 0.5.
    values = map_coordinates(image, [at[..., 1] - 0.5, at[..., 0] - 0.5], order=1, mode="nearest")
    values = gaussian_filter1d(values, 1.5, axis=0, mode="wrap")
    falling = -gaussian_filter1d(values, HALF / 6, axis=1, order=1, mode="nearest")
    return steps, at, falling


def _polarity(record: Annotation, falling: Points) -> float:
    """Return 1 where it gets darker outwards at the edge, -1 where it gets brighter."""
    if record.category in RIMS:
        return 1.0
    strong = [float(np.sort(sign * falling, axis=1)[:, -3:].mean()) for sign in (1.0, -1.0)]
    return 1.0 if strong[0] >= strong[1] else -1.0


def _path(image: Pixels, record: Annotation, ring: Points, reach: float) -> tuple[Points, Points]:
    """Return the closed path of strongest edges around a ring, and how strong each is."""
    _, at, falling = _profiles(image, ring, reach)
    edge = np.maximum(_polarity(record, falling) * falling, 0)
    top = float(np.percentile(edge.max(axis=1), 75)) or 1.0
    gain = np.minimum(edge / top, 1.5)
    chosen = _closed_path(gain - FAR * np.linspace(-1, 1, gain.shape[1]) ** 2)
    rows = np.arange(len(ring))
    return at[rows, chosen], np.maximum(gain[rows, chosen], 1e-3)


def _closed_path(gain: Points) -> npt.NDArray[np.intp]:
    """Return the column in each row of the best path that moves one column a row at most.

    The rows are gone through twice, so that the end fits the beginning.
    """
    n, m = gain.shape
    rows = np.concatenate([gain, gain])
    best = rows[0].copy()
    came = np.zeros((2 * n, m), np.intp)
    columns = np.arange(m)
    for i in range(1, 2 * n):
        options = np.stack(
            [
                np.concatenate([[-np.inf], best[:-1] - STEP]),
                best,
                np.concatenate([best[1:] - STEP, [-np.inf]]),
            ]
        )
        pick = options.argmax(axis=0)
        came[i] = columns + pick - 1
        best = options[pick, columns] + rows[i]
    at = int(best.argmax())
    chosen = np.zeros(2 * n, np.intp)
    for i in range(2 * n - 1, -1, -1):
        chosen[i] = at
        at = int(came[i, at])
    half = n // 2
    return np.roll(chosen[half : half + n], half)


def _strength(image: Pixels, record: Annotation, ring: Points, radius: float) -> float:
    """Return the mean strength of the edge under a ring, at the fine scale of the last round."""
    _, _, falling = _profiles(image, ring, ROUNDS[-1] * REACH * radius)
    polarity = _polarity(record, falling)
    return float(polarity * falling[:, HALF - 1 : HALF + 2].mean())


def _with_ring(record: Annotation, ring: Points, ellipse: Ellipse | None) -> Annotation:
    if ellipse is not None:
        return replace(record, points=ellipse.polygon())
    points = tuple((float(x), float(y)) for x, y in ring)
    return simplify(replace(record, points=points), 0.4)


def _inside(record: Annotation, width: int, height: int) -> Annotation:
    xy = np.clip(np.array(record.points), 0, [width, height])
    return replace(record, points=tuple((float(x), float(y)) for x, y in xy))
