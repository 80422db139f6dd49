"""Where millimetres come from: every scale that is known for a scan, in the order they are taken.

A scale is stated or measured, never guessed: without one there are no millimetres. What a person
or a table says is compared with what the file says, and a difference is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from napari_fada.errors import MeasureError
from napari_fada.records.annotation import Annotation, Point, Ring
from napari_fada.records.geometry import bounds
from napari_fada.scans import Scan, Spacing

ORIGINS = {
    "dicom-region": "DICOM ultrasound region",
    "dicom-pixel-spacing": "DICOM pixel spacing",
    "dicom-imager": "DICOM imager spacing",
    "tiff-resolution": "TIFF resolution",
    "layer-scale": "scale of the layer",
    "csv": "table of the project",
    "scale-bar": "scale bar in the image",
    "two-points": "two points and a typed length",
    "depth-ticks": "depth ticks at the edge",
    "user": "typed in",
}
"""What a scale may come from, for people, in the order in which it is taken."""

APART = 0.02
"""Share by which two scales may differ before a word is said."""
LIMITS_MM = (0.005, 2.0)
"""A pixel of an ultrasound image is about 0.02 to 0.5 mm; outside of this it is none."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Size of a pixel in mm.

    Parameters
    ----------
    y, x : float
        Height and width of a pixel.
    origin : str
        A key of ``ORIGINS``.
    note : str
        For people: the file and line, the bar's length, what another origin says.
    proposed : bool
        True for what was detected and must be confirmed first: nothing is measured with it.

    Raises
    ------
    MeasureError
        If no pixel of a scan has that size.
    """

    y: float
    x: float
    origin: str
    note: str = ""
    proposed: bool = False

    def __post_init__(self) -> None:
        if self.origin not in ORIGINS:
            raise ValueError(f"{self.origin!r} is no origin of a scale")
        low, high = LIMITS_MM
        if not (low <= self.y <= high and low <= self.x <= high):
            raise MeasureError(
                f"{self.y:.4g} × {self.x:.4g} mm is no size of a pixel of an ultrasound image.",
                todo=f"It should be between {low} and {high} mm: is it in cm, or of another file?",
            )

    @property
    def square(self) -> bool:
        """Whether pixels are as high as they are wide (to 0.1 %)."""
        return abs(self.y - self.x) <= 1e-3 * self.x

    def to_mm(self, points: Iterable[Point]) -> Ring:
        """Return points in mm, from the image's upper left corner."""
        return tuple((px * self.x, py * self.y) for px, py in points)

    def to_pixels(self, points: Iterable[Point]) -> Ring:
        """Return points in pixels."""
        return tuple((float(mx) / self.x, float(my) / self.y) for mx, my in points)

    def length(self, a: Point, b: Point) -> float:
        """Return the distance of two points in mm."""
        return math.hypot((a[0] - b[0]) * self.x, (a[1] - b[1]) * self.y)

    def __str__(self) -> str:
        size = f"{self.x:.4f}" if self.square else f"{self.y:.4f} × {self.x:.4f}"
        word = " (proposed, to be confirmed)" if self.proposed else ""
        return f"{size} mm a pixel, {ORIGINS[self.origin]}{word}"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "spacing_mm": [self.y, self.x],
            "origin": self.origin,
            "note": self.note,
            "proposed": self.proposed,
        }


def scale_of(spacing: Spacing | None) -> Scale | None:
    """Return the scale that a file states; None if it states none that a scan can have."""
    return None if spacing is None else scale_of_size((spacing.y, spacing.x), spacing.origin)


def scale_of_size(size: tuple[float, float] | None, origin: str) -> Scale | None:
    """Return the scale of a size of a pixel (y, x) in mm; None if no scan can have it.

    An origin that is not known here, as of a newer version, counts as a person's word.
    """
    if size is None:
        return None
    try:
        return Scale(*size, origin if origin in ORIGINS else "user")
    except MeasureError:
        return None


def scale_from_points(a: Point, b: Point, length_mm: float, *, origin: str = "two-points") -> Scale:
    """Return the scale from two points and the length between them; pixels are taken as square.

    Parameters
    ----------
    a, b : (x, y)
        Pixels of the image.
    length_mm : float
        Between them.

    Raises
    ------
    MeasureError
        If the points are the same, or the length gives no size of a pixel.
    """
    pixels = math.hypot(a[0] - b[0], a[1] - b[1])
    if pixels < 2:
        raise MeasureError("The two points are the same.", todo="Set them further apart.")
    if not (math.isfinite(length_mm) and length_mm > 0):
        raise MeasureError(f"{length_mm} mm is no length.", todo="Type a length in millimetres.")
    size = length_mm / pixels
    # A click is right to about a pixel at either end.
    note = f"{length_mm:g} mm over {pixels:.1f} px, ± {100 * math.sqrt(2) / pixels:.1f} %; square"
    return Scale(size, size, origin, f"{note} pixels")


def scale_from_bar(annotations: Iterable[Annotation], length_mm: float | None) -> Scale | None:
    """Return the scale from the ends of a scale bar; None if none is annotated.

    Parameters
    ----------
    annotations : iterable of Annotation
        Records of the frame; rejected ones do not count.
    length_mm : float or None
        What the bar stands for. It is not known from the picture: without it there is no scale.

    Raises
    ------
    MeasureError
        If the bar and the length give no size of a pixel.
    """
    if length_mm is None:
        return None
    for record in annotations:
        if record.category != "ScaleBarKpoints" or record.status == "rejected":
            continue
        ends = visible_points(record)
        if len(ends) == 2:
            return scale_from_points(ends[0], ends[1], length_mm, origin="scale-bar")
    return None


def visible_points(record: Annotation) -> list[Point]:
    """Return the keypoints of a record that are not absent."""
    seen = record.seen
    return [p for p, v in zip(record.points, seen, strict=True) if v]


def scale_for(record: Annotation, scale: Scale | Scales | None) -> Scale | None:
    """Return the scale of a record: that of the region which holds its middle."""
    if not isinstance(scale, Scales):
        return scale
    (x1, y1), (x2, y2) = bounds(record)
    return scale.at((x1 + x2) / 2, (y1 + y2) / 2)


class Scales:
    """All scales of one frame; the first by the order of ``ORIGINS`` is taken.

    Parameters
    ----------
    known : iterable of Scale
        From wherever; those that are only proposed are kept aside.
    scan : Scan, optional
        Gives the scale at a point from its regions. Where it states one elsewhere but not at the
        point (a trace, a spectrum, outside all regions), there is none from any other origin.
    first : str
        An origin that goes before all others, because a person says so.
    """

    def __init__(
        self, known: Iterable[Scale | None] = (), *, scan: Scan | None = None, first: str = ""
    ) -> None:
        self._scan, self._first = scan, first
        found = self._ordered(s for s in known if s is not None)
        self._known = [s for s in found if not s.proposed]
        self.proposed = tuple(s for s in found if s.proposed)

    def at(self, x: float, y: float) -> Scale | None:
        """Return the scale at a point in pixels, with a note where two origins differ."""
        candidates = self._known
        if self._scan is not None:
            if _is_no_tissue(self._scan, x, y):
                return None
            if stated := scale_of(self._scan.spacing_at(x, y)):
                candidates = self._ordered([*candidates, stated])
        if not candidates:
            return None
        return _with_difference(candidates)

    def _ordered(self, scales: Iterable[Scale]) -> list[Scale]:
        order = list(ORIGINS)
        return sorted(scales, key=lambda s: (s.origin != self._first, order.index(s.origin)))

    @property
    def main(self) -> Scale | None:
        """The scale of the image as a whole: of its main region, or else the first known."""
        if self._scan is None or not self._scan.regions:
            return self.at(0.0, 0.0)
        main = max((r for r in self._scan.regions if r.spacing), key=lambda r: r.area, default=None)
        return self.at((main.x0 + main.x1) / 2, (main.y0 + main.y1) / 2) if main else None


def _is_no_tissue(scan: Scan, x: float, y: float) -> bool:
    """Tell whether a point lies in a region that has axes other than lengths."""
    holders = [r for r in scan.regions if r.contains(x, y)]
    if not holders:
        return False
    on_top = min(holders, key=lambda r: (not r.high_priority, r.area))
    return on_top.spacing is None and on_top.kind != "2d"


def _with_difference(candidates: Sequence[Scale]) -> Scale:
    taken = candidates[0]
    words = [taken.note] if taken.note else []
    for other in candidates[1:]:
        if max(abs(other.x / taken.x - 1), abs(other.y / taken.y - 1)) > APART:
            words.append(f"the {ORIGINS[other.origin]} says {other.x:.4f} mm instead")
    return Scale(taken.y, taken.x, taken.origin, "; ".join(words))
