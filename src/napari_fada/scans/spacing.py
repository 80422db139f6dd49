"""Millimetres from what layers and TIFF files state; None where nothing is stated for sure."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari_fada.scans.scan import Spacing

if TYPE_CHECKING:
    import tifffile

PLAUSIBLE_MM = (0.005, 2.0)
"""A pixel of an ultrasound image is about 0.02 to 0.5 mm; outside of this it is none."""

# Printing and screen resolutions that programs write when they know nothing.
_DPI = (36, 72, 75, 90, 96, 100, 120, 144, 150, 180, 200, 240, 250, 300, 360, 400, 600, 720, 1200)

_MM = {
    "m": 1000.0,
    "meter": 1000.0,
    "metre": 1000.0,
    "cm": 10.0,
    "centimeter": 10.0,
    "centimetre": 10.0,
    "mm": 1.0,
    "millimeter": 1.0,
    "millimetre": 1.0,
    "um": 1e-3,
    "µm": 1e-3,
    "μm": 1e-3,
    "\\u00b5m": 1e-3,
    "micron": 1e-3,
    "microns": 1e-3,
    "micrometer": 1e-3,
    "micrometre": 1e-3,
    "nm": 1e-6,
    "nanometer": 1e-6,
}


def spacing_from_scale(
    scale: Sequence[float], units: str | Sequence[object] | None
) -> Spacing | None:
    """Return the spacing that a layer states, origin ``layer-scale``.

    Parameters
    ----------
    scale : sequence of float
        Per axis; the last two are y and x.
    units : str or sequence
        One unit, or one per axis; anything that prints as ``mm``, ``millimeter``, ``cm``,
        ``micrometer``… Pixels, unknown units or none give no millimetres.
    """
    if units is None or len(scale) < 2:
        return None
    names = [units, units] if isinstance(units, str) else list(units)[-2:]
    factors = [_MM.get(str(name).strip().lower()) for name in names]
    if len(factors) < 2 or factors[0] is None or factors[1] is None:
        return None
    y, x = abs(float(scale[-2])) * factors[0], abs(float(scale[-1])) * factors[1]
    if not (0 < y < math.inf and 0 < x < math.inf):
        return None
    return Spacing(y, x, "layer-scale")


def spacing_from_tiff(tif: tifffile.TiffFile) -> tuple[Spacing | None, str]:
    """Return the spacing that a TIFF file states, and a problem to show (may be empty).

    Believed: OME physical sizes, ImageJ's unit, and resolutions per centimetre that are not
    a common printing or screen resolution. Never believed: resolutions per inch.
    """
    found = _ome(tif.ome_metadata) or _imagej(tif) or _centimetre(tif)
    if found is None:
        return None, ""
    y, x = found
    if not all(PLAUSIBLE_MM[0] <= v <= PLAUSIBLE_MM[1] for v in found):
        return None, f"its tags say {y:.4g} × {x:.4g} mm a pixel, which no scan has: left out"
    return Spacing(y, x, "tiff-resolution"), ""


def _ome(text: str | None) -> tuple[float, float] | None:
    if not text:
        return None
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    pixels = next((e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None:
        return None
    sizes = []
    for axis in "YX":
        factor = _MM.get(pixels.get(f"PhysicalSize{axis}Unit", "µm").strip().lower())
        try:
            value = float(pixels.get(f"PhysicalSize{axis}", ""))
        except ValueError:
            return None
        if factor is None or not 0 < value < math.inf:
            return None
        sizes.append(value * factor)
    return sizes[0], sizes[1]


def _imagej(tif: tifffile.TiffFile) -> tuple[float, float] | None:
    metadata: Mapping[str, Any] = tif.imagej_metadata or {}
    factor = _MM.get(str(metadata.get("unit", "")).strip().lower())
    per_unit = _resolution(tif)
    if factor is None or per_unit is None:
        return None
    return factor / per_unit[0], factor / per_unit[1]


def _centimetre(tif: tifffile.TiffFile) -> tuple[float, float] | None:
    page = tif.pages.first
    unit = page.tags.get("ResolutionUnit")
    per_cm = _resolution(tif)
    if unit is None or int(unit.value) != 3 or per_cm is None:
        return None
    if any(abs(value * 2.54 - dpi) <= 0.005 * dpi for value in per_cm for dpi in _DPI):
        return None
    return 10.0 / per_cm[0], 10.0 / per_cm[1]


def _resolution(tif: tifffile.TiffFile) -> tuple[float, float] | None:
    """Pixels per unit, (y, x), if both are stated."""
    values = []
    for tag in ("YResolution", "XResolution"):
        entry = tif.pages.first.tags.get(tag)
        try:
            top, bottom = entry.value  # type: ignore[union-attr]  # None is caught below
            values.append(top / bottom)
        except (AttributeError, TypeError, ValueError, ZeroDivisionError):
            return None
    return (values[0], values[1]) if min(values) > 0 else None
