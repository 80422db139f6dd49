"""What a measurement is: a number with its unit, method, scale and the lines to draw it by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from napari_fada.records.annotation import Ring


@dataclass(frozen=True, slots=True)
class Shape:
    """A line to draw a measurement by, in original-image pixels (corner convention).

    Parameters
    ----------
    kind : {"caliper", "ellipse", "tangent", "outline"}
        A caliper has two end points and is what a hand may drag; an ellipse is a closed ring; a
        tangent goes from the vertex of an angle to the point that it touches.
    points : tuple of (x, y)
        Its points.
    role : str
        What it is of (``bpd``, ``ofd``, ``hc``…).
    uid : str
        The record that it lies on, which dragging changes; empty where it lies on several.
    """

    kind: Literal["caliper", "ellipse", "tangent", "outline"]
    points: Ring
    role: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number measured on a frame.

    Parameters
    ----------
    name : str
        ``hc``, ``bpd_oo``, ``bpd_oi``, ``ofd``, ``cephalic_index``, ``ac``, ``tad``, ``apad``,
        ``fl``, ``crl``, ``nt``, ``lv_width``, ``ctr_circumference``, ``ctr_area``, ``aop``,
        ``area``, ``perimeter`` or ``length``.
    value : float
        In ``unit``.
    unit : {"mm", "mm²", "deg", "%", "ratio"}
        Millimetres only where there is a scale.
    method : str
        How, in words.
    category : str
        Class that was measured.
    source : str
        Who drew it (``model``, ``expert``, ``import`` …), by the record.
    scale_origin : str
        Where the scale came from; ``none`` for what needs none.
    uids : tuple of str
        Records that it was measured on.
    shapes : tuple of Shape
        How to draw it.
    uncertainty : float or None
        In ``unit``, where it is known.
    note : str
        What to know about it.
    """

    name: str
    value: float
    unit: str
    method: str
    category: str
    source: str
    scale_origin: str
    uids: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()
    uncertainty: float | None = None
    note: str = ""

    @property
    def amount(self) -> str:
        """The value with its unit, for people: ``176.3 mm``."""
        unit = {"deg": "°", "ratio": "", "%": " %"}.get(self.unit, f" {self.unit}")
        digits = 2 if self.unit == "ratio" else 1
        return f"{self.value:.{digits}f}{unit}"

    def __str__(self) -> str:
        return f"{self.name} {self.amount} ({self.method})"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "name": self.name,
            "value": round(self.value, 4),
            "unit": self.unit,
            "method": self.method,
            "class": self.category,
            "source": self.source,
            "scale_origin": self.scale_origin,
            "uids": list(self.uids),
            "uncertainty": self.uncertainty,
            "note": self.note,
            "shapes": [
                {"kind": s.kind, "role": s.role, "points": [list(p) for p in s.points]}
                for s in self.shapes
            ],
        }


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """Something that was annotated and could not be measured, and why."""

    name: str
    category: str
    reason: str
    uids: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"
