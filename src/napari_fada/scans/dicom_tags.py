"""What a DICOM header says besides pixels: regions, spacing, time, identity.

Only the attributes listed in :data:`WANTED` are ever read from a file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from napari_fada.scans.scan import Identity, Region, Spacing
from napari_fada.scans.spacing import PLAUSIBLE_MM

WANTED: tuple[str, ...] = (
    "SOPClassUID",
    "Modality",
    "PatientID",
    "StudyInstanceUID",
    # time
    "FrameTime",
    "FrameTimeVector",
    "FrameIncrementPointer",
    "CineRate",
    "RecommendedDisplayFrameRate",
    # scale
    "SequenceOfUltrasoundRegions",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    # pixels
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "WindowCenter",
    "WindowWidth",
    "RescaleSlope",
    "RescaleIntercept",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)

_FORMATS = {0: "none", 1: "2d", 2: "m-mode", 3: "spectral", 4: "waveform", 5: "graphics"}
_DATA = {
    0: "none",
    1: "tissue",
    2: "colour flow",
    3: "pulsed-wave Doppler",
    4: "continuous-wave Doppler",
    5: "Doppler mean trace",
    6: "Doppler mode trace",
    7: "Doppler maximum trace",
    8: "volume trace",
    0xA: "ECG",
    0xB: "pulse",
    0xC: "phonocardiogram",
    0xD: "grey bar",
    0xE: "colour bar",
}
_CENTIMETRES = 3
_TIME_VECTOR, _TIME = 0x00181065, 0x00181063


def number(value: Any, default: float | None = None) -> float | None:
    """Return a finite number from whatever an attribute holds, else the default."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        value = value[0] if value else None
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        return default
    return result if math.isfinite(result) else default


def text(value: Any) -> str:
    """Return an attribute as text without its padding; empty if there is none."""
    return "" if value is None else str(value).strip().strip("\0")


def regions_of(dataset: Any, width: int, height: int) -> tuple[list[Region], list[str]]:
    """Return the ultrasound regions inside the image, and what was wrong with them."""
    regions: list[Region] = []
    problems: list[str] = []
    for k, item in enumerate(dataset.get("SequenceOfUltrasoundRegions") or (), start=1):
        names = ("MinX0", "MinY0", "MaxX1", "MaxY1")
        corners = [number(item.get(f"RegionLocation{name}")) for name in names]
        if None in corners:
            problems.append(f"ultrasound region {k} has no complete rectangle: left out")
            continue
        # The stored corners are pixels that belong to the region; ours is the corner convention.
        x0, y0, x1, y1 = (int(c or 0) + (n >= 2) for n, c in enumerate(corners))
        inside = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
            problems.append(f"ultrasound region {k} lies outside the image: left out")
            continue
        # Many scanners store width and height as the last pixel; one too many is no news.
        if x0 < 0 or y0 < 0 or x1 > width + 1 or y1 > height + 1:
            problems.append(
                f"ultrasound region {k} reaches beyond the image (to {x1}, {y1} of {width}, "
                f"{height}; was the image cropped?): clipped"
            )
        spacing, problem = _region_spacing(item)
        if problem:
            problems.append(f"ultrasound region {k} {problem}")
        flags = int(number(item.get("RegionFlags"), 0) or 0)
        regions.append(
            Region(
                *inside,
                kind=_FORMATS.get(int(number(item.get("RegionSpatialFormat"), 0) or 0), "unknown"),
                data=_DATA.get(int(number(item.get("RegionDataType"), 0) or 0), "other"),
                spacing=spacing,
                high_priority=not flags & 1,
            )
        )
    return regions, problems


def _region_spacing(item: Any) -> tuple[Spacing | None, str]:
    flat = number(item.get("RegionSpatialFormat")) == 1
    units = [number(item.get(f"PhysicalUnits{axis}Direction")) for axis in "YX"]
    if not flat or units != [_CENTIMETRES, _CENTIMETRES]:
        return None, ""
    y, x = (abs(number(item.get(f"PhysicalDelta{axis}"), 0.0) or 0.0) * 10 for axis in "YX")
    if not (y > 0 and x > 0):
        return None, "is in centimetres but gives no step: no millimetres there"
    return Spacing(y, x, "dicom-region"), ""


def spacing_of(dataset: Any, regions: Sequence[Region]) -> tuple[Spacing | None, list[str]]:
    """Return the spacing of the main region, or the next best that the header states.

    The main region is the largest with millimetres, tissue before anything else.
    """
    scaled = [r for r in regions if r.spacing]
    if scaled:
        main = max(scaled, key=lambda r: (r.data == "tissue", r.area))
        others = {(r.spacing.y, r.spacing.x) for r in scaled if r.spacing}
        if len(others) > 1:
            return main.spacing, ["the regions of this image have different scales"]
        return main.spacing, []
    for keyword, origin in (
        ("PixelSpacing", "dicom-pixel-spacing"),
        ("ImagerPixelSpacing", "dicom-imager"),
        ("NominalScannedPixelSpacing", "dicom-imager"),
    ):
        value = dataset.get(keyword)
        if value is None or value == "":
            continue
        pair = list(value) if not isinstance(value, str | float) else []
        sizes = [number(v, 0.0) or 0.0 for v in pair]
        if len(sizes) == 2 and min(sizes) > 0:
            odd = min(sizes) < PLAUSIBLE_MM[0] or max(sizes) > PLAUSIBLE_MM[1]
            note = f"{keyword} says {sizes[0]:g} × {sizes[1]:g} mm a pixel, which is unlikely"
            return Spacing(sizes[0], sizes[1], origin), [note] if odd else []
        return None, [f"{keyword} is {text(value)!r}, which is no size: no millimetres"]
    return None, []


def frame_time_of(dataset: Any) -> tuple[float | None, list[str]]:
    """Return seconds between frames: the attribute pointed to, else the best there is."""
    vector = dataset.get("FrameTimeVector")
    if isinstance(vector, str | float | int):
        vector = [vector]
    steps = [number(v, 0.0) or 0.0 for v in list(vector or ())[1:]]  # the first is a start, 0
    pointer = dataset.get("FrameIncrementPointer")
    pointed = _TIME_VECTOR if pointer == _TIME_VECTOR else _TIME
    single = number(dataset.get("FrameTime"), 0.0) or 0.0
    if steps and (pointed == _TIME_VECTOR or single <= 0):
        step = median(steps)
        if step > 0:
            uneven = max(steps) - min(steps) > 0.05 * step
            return step / 1000, ["frames are unevenly spaced in time: median"] if uneven else []
    if single > 0:
        return single / 1000, []
    for keyword in ("CineRate", "RecommendedDisplayFrameRate"):
        rate = number(dataset.get(keyword), 0.0) or 0.0
        if rate > 0:
            return 1 / rate, []
    return None, []


def identity_of(dataset: Any, stem: str) -> Identity:
    """Return who and which examination this is; it stays on this computer."""
    return Identity(
        patient=text(dataset.get("PatientID")),
        study=text(dataset.get("StudyInstanceUID")),
        clip=stem,
    )
