"""Ellipses: heads and abdomens are measured as such, so outlines are fitted and made of them.

A fitted ellipse is kept as a polygon whose corners lie on it exactly; its five parameters are
read back from the corners, so that nothing can contradict the outline.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_fada.errors import ShapeError
from napari_fada.records.annotation import Annotation, Ring

VERTICES = 64
"""Corners of the polygon that stands for an ellipse: its area is 0.16 % less."""
EXACT = 1e-3
"""Pixels within which corners must lie on an ellipse to be read back as one."""

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An ellipse in original-image pixels.

    Parameters
    ----------
    x, y : float
        Centre.
    a, b : float
        Half the long and half the short axis.
    angle : float
        From the x axis to the long axis in radians, 0 up to pi; y points down.
    """

    x: float
    y: float
    a: float
    b: float
    angle: float

    def polygon(self, n: int = VERTICES) -> Ring:
        """Return ``n`` points on the ellipse, beginning at an end of the long axis."""
        t = np.linspace(0, 2 * np.pi, n, endpoint=False)
        u, v = self.a * np.cos(t), self.b * np.sin(t)
        c, s = math.cos(self.angle), math.sin(self.angle)
        xs, ys = self.x + c * u - s * v, self.y + s * u + c * v
        return tuple((float(x), float(y)) for x, y in zip(xs, ys, strict=True))

    def distances(self, points: Sequence[tuple[float, float]] | Points) -> Points:
        """Return how far points lie from the ellipse, to first order; inside is negative."""
        return _distances((self.x, self.y, self.a, self.b, self.angle), np.asarray(points, float))


def fit_ellipse(
    points: Iterable[tuple[float, float]],
    weights: Sequence[float] | None = None,
    *,
    robust: float = 0.0,
) -> Ellipse:
    """Fit an ellipse to points by least squares of their distances.

    Fitting the corners of an outline, not its pixels, is what keeps the axes unbiased: the
    chords between the corners lie inside, and the pixels of a mask's border lie half a pixel
    inside.

    Parameters
    ----------
    points : iterable of (x, y)
        At least five; for an outline its corners.
    weights : sequence of float, optional
        One for each point.
    robust : float
        Distance in pixels from which on a point counts as an outlier; 0 for plain least squares.

    Raises
    ------
    ShapeError
        If there are fewer than five points, or they do not lie around an ellipse.
    """
    xy = np.asarray(list(points), float).reshape(-1, 2)
    if len(np.unique(xy, axis=0)) < 5:
        raise ShapeError("An ellipse needs at least five corners.", kept="Nothing was changed.")
    if not np.isfinite(xy).all():
        raise ShapeError(
            "A corner has a coordinate that is no number.", kept="Nothing was changed."
        )
    centre = xy.mean(axis=0)
    scale = float(np.sqrt(((xy - centre) ** 2).sum(axis=1).mean())) or 1.0
    unit = (xy - centre) / scale
    found = _refine(unit, _start(unit), weights, robust / scale)
    x, y, a, b, angle = found
    a, b = abs(a), abs(b)
    if b > a:
        a, b, angle = b, a, angle + math.pi / 2
    if not np.isfinite(found).all() or b < 0.02 * a or a > 10:
        raise ShapeError(
            "The corners do not lie around an ellipse.",
            kept="Nothing was changed.",
            todo="Correct the outline first.",
        )
    angle %= math.pi
    return Ellipse(
        float(centre[0] + scale * x),
        float(centre[1] + scale * y),
        float(scale * a),
        float(scale * b),
        float(0.0 if math.pi - angle < 1e-12 else angle),
    )


def ellipse_of(annotation: Annotation) -> Ellipse | None:
    """Return the ellipse that an outline was made of; None if it is no exact ellipse."""
    if annotation.kind != "polygon" or annotation.rings or len(annotation.points) < 8:
        return None
    try:
        found = fit_ellipse(annotation.points)
    except ShapeError:
        return None
    return found if np.abs(found.distances(annotation.points)).max() <= EXACT else None


def _start(xy: Points) -> Points:
    """Return the ellipse with the moments of points (of points around it: half of a, squared)."""
    values, vectors = np.linalg.eigh(np.cov(xy.T))
    a, b = np.sqrt(2 * np.maximum(values[::-1], 1e-6))
    return np.array([*xy.mean(axis=0), a, b, math.atan2(vectors[1, 1], vectors[0, 1])])


def _refine(xy: Points, start: Points, weights: Sequence[float] | None, robust: float) -> Points:
    from scipy.optimize import least_squares

    root = np.ones(len(xy)) if weights is None else np.sqrt(np.asarray(weights, float))
    found = least_squares(
        lambda p: root * _distances(p, xy),
        start,
        loss="soft_l1" if robust else "linear",
        f_scale=robust or 1.0,
        xtol=1e-12,
        ftol=1e-12,
        gtol=1e-12,
        max_nfev=200,
    )
    out: Points = found.x
    return out


def _distances(parameters: Sequence[float] | Points, xy: Points) -> Points:
    x, y, a, b, angle = parameters
    c, s = math.cos(angle), math.sin(angle)
    dx, dy = xy[:, 0] - x, xy[:, 1] - y
    u, v = c * dx + s * dy, c * dy - s * dx
    a, b = (max(abs(float(value)), 1e-6) for value in (a, b))
    k = np.hypot(u / a, v / b)
    slope = np.hypot(u / a**2, v / b**2)
    # (k - 1) is the distance on the unit circle; k / slope brings it back to pixels.
    out: Points = (k - 1) * k / np.maximum(slope, 1e-12)
    return out
