"""Ellipses in millimetres, from the second moments of what an outline encloses.

Points are brought to millimetres first, so that pixels that are not square do no harm. An outline
of few corners counts as the curve that is shown, a painted mask by its traced border, which gives
the moments of its pixels: one way for all, so that it does not matter how an outline was touched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_fada.errors import MeasureError, ShapeError
from napari_fada.measure.calibration import Scale
from napari_fada.measure.results import Shape
from napari_fada.records.annotation import Annotation, Point, Ring
from napari_fada.records.curves import FINE
from napari_fada.records.ellipse import Ellipse, ellipse_around
from napari_fada.records.geometry import drawn

ROUND_ENOUGH = 0.80
"""Overlap of an outline and its ellipse below which it is not measured as one."""
NEARLY = 0.93
"""Overlap below which a word is said."""


def circumference(a: float, b: float) -> float:
    """Return the perimeter of an ellipse of half axes a and b (Ramanujan's second formula).

    Its error is below 1e-6 of the perimeter for axes as unlike as 3 to 1.
    """
    h = ((a - b) / (a + b)) ** 2
    return math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))


def bpd_outer_inner(outer_outer: float) -> float:
    """Return the outer-to-inner BPD in mm from the outer-to-outer one (Wong 2018, n = 543)."""
    return -0.403458 + 0.9714153 * outer_outer


def bpd_outer_outer(outer_inner: float) -> float:
    """Return the outer-to-outer BPD in mm from the outer-to-inner one (Wong 2018, n = 543)."""
    return 0.555934 + 1.027318 * outer_inner


@dataclass(frozen=True, slots=True)
class MeasuredEllipse:
    """An ellipse in millimetres with its way back to the image.

    Parameters
    ----------
    mm : Ellipse
        In millimetres from the image's upper left corner.
    scale : Scale or None
        None: pixels stand for millimetres and are taken as square (angles and ratios only).
    method : str
        How it was found, in words.
    overlap : float
        Intersection over union with the outline it was made of, 0 to 1.
    uid : str
        The record that it was made of.
    """

    mm: Ellipse
    scale: Scale | None
    method: str
    overlap: float
    uid: str = ""

    @property
    def circumference(self) -> float:
        """Perimeter in mm."""
        return circumference(self.mm.a, self.mm.b)

    @property
    def area(self) -> float:
        """Area in mm²."""
        return math.pi * self.mm.a * self.mm.b

    @property
    def long_axis(self) -> float:
        """Whole long axis in mm."""
        return 2 * self.mm.a

    @property
    def short_axis(self) -> float:
        """Whole short axis in mm."""
        return 2 * self.mm.b

    def outline(self, role: str) -> Shape:
        """Return the ellipse to be drawn."""
        return Shape("ellipse", self._pixels(self.mm.polygon()), role, self.uid)

    def caliper(self, axis: str, role: str) -> Shape:
        """Return the ends of an axis, ``long`` or ``short``, to be drawn."""
        e = self.mm
        angle, half = (e.angle, e.a) if axis == "long" else (e.angle + math.pi / 2, e.b)
        dx, dy = half * math.cos(angle), half * math.sin(angle)
        ends = self._pixels([(e.x - dx, e.y - dy), (e.x + dx, e.y + dy)])
        return Shape("caliper", ends, role, self.uid)

    def _pixels(self, points: Ring | list[Point]) -> Ring:
        return self.scale.to_pixels(points) if self.scale else tuple(points)


METHOD = "second moments of the outline"


def measured_ellipse(
    record: Annotation, scale: Scale | None, size: tuple[int, int] | None = None
) -> MeasuredEllipse:
    """Return the ellipse with the moments of what an outline encloses.

    Parameters
    ----------
    record : Annotation
        A polygon; its largest ring counts, holes and further parts do not.
    scale : Scale or None
        None: in pixels, taken as square.
    size : (width, height), optional
        Of the image, which ends a curve that leaves it.

    Raises
    ------
    MeasureError
        If it is no outline, or lies around no ellipse.
    """
    if record.kind != "polygon":
        raise MeasureError(f"{record.category} is a {record.kind}: an ellipse needs an outline")
    if len(set(record.points)) < 5:
        raise MeasureError(f"{record.category}: An ellipse needs at least five corners")
    ring = drawn(record, size, FINE).points
    points = scale.to_mm(ring) if scale else ring
    try:
        found = ellipse_around(points)
    except ShapeError as error:
        raise MeasureError(f"{record.category}: {_said(error)}") from error
    overlap = _overlap(points, found)
    if overlap < ROUND_ENOUGH:
        raise MeasureError(
            f"{record.category} is no ellipse: it covers {100 * overlap:.0f} % of the one that "
            "fits it best"
        )
    return MeasuredEllipse(found, scale, METHOD, overlap, record.uid)


def is_painted(record: Annotation) -> bool:
    """Tell whether an outline is the traced border of a mask of pixels.

    Such outlines run half-way between the centres of pixels: of each corner one coordinate is whole
    and the other a half, and all sides run along the rows, the columns or the diagonals.
    """
    if record.kind != "polygon" or len(record.points) < 8:
        return False
    doubled = 2 * np.asarray(record.points, float)
    if not (doubled == np.rint(doubled)).all() or not (doubled.sum(axis=1) % 2 == 1).all():
        return False
    sides = np.abs(np.roll(doubled, -1, axis=0) - doubled)
    straight = (sides[:, 0] == 0) | (sides[:, 1] == 0) | (sides[:, 0] == sides[:, 1])
    return bool(straight.all())


def _overlap(ring: Ring, ellipse: Ellipse) -> float:
    from shapely import Polygon, make_valid

    outline, fitted = make_valid(Polygon(ring)), Polygon(ellipse.polygon(128))
    return float(outline.intersection(fitted).area / outline.union(fitted).area)


def _said(error: ShapeError) -> str:
    return error.what.rstrip(".")
