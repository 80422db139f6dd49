"""DICOM files and folders of them as napari layers (npe2 reader).

Still images and TIFF stay with napari's own readers; the workstation takes any Image layer
as a scan. Frames of a clip are decoded when the slider reaches them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from napari_fada.errors import ScanError
from napari_fada.scans import Scan, ScanProblem, iter_files, iter_scans, open_scan
from napari_fada.scans.cache import FrameArray, FrameCache
from napari_fada.scans.sniff import HEAD, sniff

LayerData = tuple[Any, dict[str, Any], Literal["image"]]
Paths = str | Path | Sequence[str | Path]

_SUFFIXES = (".dcm", ".dicom", ".dic")
# A folder is claimed if these many of its first files are all DICOM, whatever they are called.
_LOOK_AT = 5


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return the reader if every path is a DICOM file (by name) or a folder of them.

    A file that only calls itself DICOM is claimed too, so that reading it says what it is.

    Parameters
    ----------
    path : str or sequence of str
        What napari was asked to open.
    """
    paths = _listed(path)
    if paths and all(_is_ours(p) for p in paths):
        return read
    return None


def read(path: Paths) -> list[LayerData]:
    """Read files and folders as Image layers.

    A folder whose files are frames of one size is one layer, any other one layer a file;
    files in a folder that cannot be opened are said in a warning.

    Raises
    ------
    ScanError
        If nothing can be opened.
    """
    layers: list[LayerData] = []
    problems: list[ScanError] = []
    for item in _listed(path):
        for scan in _scans_of(item):
            if isinstance(scan, ScanProblem):
                problems.append(scan.error)
                continue
            try:
                layers.append(to_layer_data(scan))
            except ScanError as error:
                problems.append(error)
    if not layers and problems:
        raise problems[0]
    for problem in problems:
        warnings.warn(str(problem), stacklevel=2)
    return layers


def to_layer_data(scan: Scan) -> LayerData:
    """Return a scan as an Image layer: time first, y and x in millimetres where they are known.

    Parameters
    ----------
    scan : Scan
        Its first frame is decoded here, the others of a clip when they are shown.
    """
    moving = scan.n_frames > 1
    unit = "mm" if scan.spacing else "pixel"
    size = (scan.spacing.y, scan.spacing.x) if scan.spacing else (1.0, 1.0)
    attributes: dict[str, Any] = {
        "name": Path(scan.name).stem,
        "rgb": scan.rgb,
        # Time counts frames, so that positions on it are frame numbers.
        "scale": (1.0, *size) if moving else size,
        "units": ("pixel", unit, unit) if moving else (unit, unit),
        "axis_labels": ("t", "y", "x") if moving else ("y", "x"),
        "metadata": {
            "napari_fada": {
                "token": "scan",
                "path": str(scan.path) if scan.path else None,
                "sha256": scan.sha256,
                "spacing_origin": scan.spacing.origin if scan.spacing else None,
            }
        },
    }
    if not scan.rgb:
        attributes |= {"colormap": "gray", "contrast_limits": (0, 255)}
    return (_frames(scan) if moving else scan.frame(0)), attributes, "image"


def _frames(scan: Scan) -> FrameArray:
    """Return (t, y, x[, 3]) that decodes a frame when it is looked at, and its neighbours."""
    cache = FrameCache(scan)
    cache.frame(0)  # an unreadable clip is an error now, not a black canvas later
    return FrameArray(cache, on_error=lambda error: warnings.warn(str(error), stacklevel=2))


def _scans_of(path: Path) -> list[Scan | ScanProblem]:
    if path.is_dir():
        try:
            return [open_scan(path)]
        except ScanError:
            return list(iter_scans(path, recursive=False))
    return list(iter_scans(path))


def _listed(path: Paths) -> list[Path]:
    return [Path(path)] if isinstance(path, str | Path) else [Path(p) for p in path]


def _is_ours(path: Path) -> bool:
    if not path.is_dir():
        return path.suffix.lower() in _SUFFIXES
    first = list(islice(iter_files(path, recursive=False), _LOOK_AT))
    return all(isinstance(p, Path) and _is_dicom(p) for p in first)


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            found = sniff(file.read(HEAD))
    except OSError:
        return False
    return found is not None and found[0] == "dicom"
