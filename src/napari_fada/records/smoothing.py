"""Resampling and smoothing of closed outlines; the area stays what it was."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_fada.records.annotation import Annotation, Ring
from napari_fada.records.geometry import area, outlines, simplify, to_shapely
from napari_fada.records.repair import repaired

SHARE = 1 / 60
"""Width of the smoothing as a share of a ring's length, if none is given."""
EVERY = 2.0
"""Pixels between the points in which a ring is smoothed."""
MOST = 720
THINNED = 0.15
"""Pixels by which the smoothed outline may be off so that it has few corners."""

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Smoothed:
    """A smoothed record, and by how much it differs: area as a share, distance in pixels."""

    record: Annotation
    area_change: float
    moved: float


def length(ring: Ring) -> float:
    """Return the length of a closed ring in pixels."""
    points = np.asarray(ring, float)
    return float(np.hypot(*(np.roll(points, -1, axis=0) - points).T).sum())


def resample(ring: Ring, n: int) -> Points:
    """Return ``n`` points at equal distances along a closed ring, beginning at its first.

    Parameters
    ----------
    ring : ring
        At least two different points.
    n : int
        How many points.
    """
    points = np.asarray([*ring, ring[0]], float)
    at = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    wanted = np.linspace(0, at[-1], n, endpoint=False)
    return np.column_stack([np.interp(wanted, at, points[:, i]) for i in (0, 1)])


def smooth(record: Annotation, width: float | None = None) -> Smoothed:
    """Smooth every ring of a polygon; each keeps its area and its centre.

    Parameters
    ----------
    record : Annotation
        Other kinds than polygons come back as they are.
    width : float, optional
        Standard deviation of the smoothing in pixels along the outline; by default a sixtieth
        of a ring's length.
    """
    if record.kind != "polygon":
        return Smoothed(record, 0.0, 0.0)
    rings = [_smooth_ring(ring, width) for ring in outlines(record)]
    found = replace(record, points=rings[0], rings=tuple(rings[1:]))
    found = repaired(simplify(found, THINNED)).record
    before, after = area(record), area(found)
    moved = to_shapely(record).boundary.hausdorff_distance(to_shapely(found).boundary)
    return Smoothed(found, after / before - 1 if before else 0.0, float(moved))


def _smooth_ring(ring: Ring, width: float | None) -> Ring:
    from scipy.ndimage import gaussian_filter1d
    from shapely import Polygon

    around = length(ring)
    n = int(np.clip(around / EVERY, 32, MOST))
    sigma = (around * SHARE if width is None else width) * n / around
    points = resample(ring, n)
    softer = gaussian_filter1d(points, min(sigma, n / 8), axis=0, mode="wrap")
    was, now = Polygon(points), Polygon(softer)
    if not (was.area and now.area):
        return ring
    # Smoothing shrinks: each ring is brought back to its own area about its own centre.
    size = np.sqrt(Polygon(ring).area / now.area)
    middle = np.array([was.centroid.x, was.centroid.y])
    back = middle + size * (softer - [now.centroid.x, now.centroid.y])
    return tuple((float(x), float(y)) for x, y in back)
