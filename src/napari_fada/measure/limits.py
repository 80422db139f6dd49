"""Sizes that no fetus has at any age, and scales at which no ultrasound image is that large.

The bounds with their sources stand in ``limits.toml``. What lies outside is nearly always a scale
with its decimal point at the wrong place, so the words ask for the scale first.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from napari_fada.measure.calibration import Scale
from napari_fada.measure.results import Measurement


@dataclass(frozen=True, slots=True)
class Limit:
    """Smallest and largest length in mm, how it is called, and where it comes from."""

    title: str
    low: float
    high: float
    source: str

    def off(self, value: float) -> float:
        """Return how many times too large, or too small, a value is; 0 if it lies within."""
        if self.low <= value <= self.high:
            return 0.0
        return self.low / value if 0 < value < self.low else max(value / self.high, 2.0)


@cache
def limits() -> Mapping[str, Limit]:
    """Return the limits by size; ``field`` is the longer side of the whole image."""
    table: dict[str, Any] = tomllib.loads(
        files(__package__).joinpath("limits.toml").read_text("utf-8")
    )
    rows = {**table["sizes"], "field": {"title": "image", **table["field"]}}
    return {
        name: Limit(row["title"], float(row["mm"][0]), float(row["mm"][1]), row["source"])
        for name, row in rows.items()
    }


def senseless(name: str, value: float) -> str:
    """Say that no fetus has a size; empty if one may have it, or it has no limits.

    Parameters
    ----------
    name : str
        Of the measurement, as ``hc``.
    value : float
        In mm.
    """
    limit = limits().get(name)
    if limit is None or name == "field" or not limit.off(value):
        return ""
    return (
        f"no fetus has {limit.title} {value:.1f} mm: at any age it is {limit.low:g} to "
        f"{limit.high:g} mm"
    )


def senseless_sizes(measured: Iterable[Measurement]) -> list[tuple[Measurement, float]]:
    """Return the measurements without sense, each with how many times it is off."""
    known = limits()
    return [
        (m, off)
        for m in measured
        if m.unit == "mm" and m.name in known and (off := known[m.name].off(m.value))
    ]


def senseless_scale(scale: Scale, size: tuple[int, int]) -> str:
    """Say that a scale makes an image that no probe gives; empty if it may be right.

    Parameters
    ----------
    scale : Scale
        Of the whole image.
    size : (width, height)
        In pixels.
    """
    width, height = size[0] * scale.x, size[1] * scale.y
    limit = limits()["field"]
    if not limit.off(max(width, height)):
        return ""
    return (
        f"With {scale.x:.4g} mm a pixel the whole image would be {width:.0f} × {height:.0f} mm; "
        f"images of ultrasound have {limit.low:g} to {limit.high:g} mm. Is the decimal point "
        "right, and the unit?"
    )
