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
"""Corners of the polygon that stands for an ellipse."""
EXACT = 1e-3
"""Pixels within which corners must lie on an ellipse to be read back as one."""
FLATTEST = 0.025
"""Ratio of the axes below which nothing is an ellipse."""

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

    For points found one by one, each with its own weight. An outline is measured by
    :func:`ellipse_around`.

    Parameters
    ----------
    points : iterable of (x, y)
        At least five.
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
    if not np.isfinite(found).all() or b < FLATTEST * a or a > 10:
        raise _not_round()
    angle %= math.pi
    return Ellipse(
        float(centre[0] + scale * x),
        float(centre[1] + scale * y),
        float(scale * a),
        float(scale * b),
        float(0.0 if math.pi - angle < 1e-12 else angle),
    )


def ellipse_around(ring: Ring) -> Ellipse:
    """Return the ellipse with the area's centre and second moments that a ring encloses.

    It weighs what is enclosed, not corners: more of them on one side change nothing, and a dab
    changes as much as its share of the area. An ellipse gives itself.

    Parameters
    ----------
    ring : ring
        As it is drawn: the points of a curve, not its corners.

    Raises
    ------
    ShapeError
        If there are fewer than five corners, or they enclose next to nothing.
    """
    points = np.asarray(ring, float).reshape(-1, 2)
    if len(set(ring)) < 5:
        raise ShapeError("An ellipse needs at least five corners.", kept="Nothing was changed.")
    if not np.isfinite(points).all():
        raise ShapeError(
            "A corner has a coordinate that is no number.", kept="Nothing was changed."
        )
    middle = points.mean(axis=0)
    size = float(np.abs(points - middle).max()) or 1.0
    p = (points - middle) / size
    q = np.roll(p, -1, axis=0)
    cross = p[:, 0] * q[:, 1] - q[:, 0] * p[:, 1]
    area = float(cross.sum()) / 2
    if abs(area) < 1e-6:
        raise _not_round()
    centre = ((p + q) * cross[:, None]).sum(axis=0) / (6 * area)
    both = p[:, :, None] * q[:, None, :]
    squares = p[:, :, None] * p[:, None, :] + q[:, :, None] * q[:, None, :]
    mixed = (both + both.transpose(0, 2, 1)) / 2
    spread = ((squares + mixed) * cross[:, None, None]).sum(axis=0) / (12 * area)
    values, vectors = np.linalg.eigh(spread - np.outer(centre, centre))
    b, a = (2 * size * math.sqrt(max(float(v), 1e-12)) for v in values)
    if b < FLATTEST * a:
        raise _not_round()
    angle = math.atan2(vectors[1, 1], vectors[0, 1]) % math.pi
    x, y = middle + size * centre
    return Ellipse(float(x), float(y), a, b, 0.0 if math.pi - angle < 1e-12 else angle)


def ellipse_of(annotation: Annotation) -> Ellipse | None:
    """Return the ellipse that an outline was made of; None if it is no exact ellipse."""
    if annotation.kind != "polygon" or annotation.rings or len(annotation.points) < 8:
        return None
    try:
        found = fit_ellipse(annotation.points)
    except ShapeError:
        return None
    return found if np.abs(found.distances(annotation.points)).max() <= EXACT else None


def _not_round() -> ShapeError:
    return ShapeError(
        "The corners do not lie around an ellipse.",
        kept="Nothing was changed.",
        todo="Correct the outline first.",
    )


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
