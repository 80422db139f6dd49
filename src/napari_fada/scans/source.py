"""What the room's files share: the parts of an opened file, its hash, limits and errors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np

from napari_fada.errors import ScanError, explained
from napari_fada.scans.scaling import Array, Limits, limits_of
from napari_fada.scans.scan import Frame, Identity, Region, Scan, Spacing

MAX_PIXELS = 64_000_000
"""No ultrasound frame is larger; a file that claims more is damaged or an attack."""

MAX_SIDE = 65_535

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """What one kind of file tells at opening; ``raw`` decodes one frame as stored.

    ``raw`` gives (H, W) or (H, W, 3) of any real type; what is not uint8 is scaled by one
    rule for the whole file (:func:`napari_fada.scans.scaling.limits_of`).
    """

    width: int
    height: int
    n_frames: int
    rgb: bool
    raw: Callable[[int], Array]
    limits: Limits | None = None
    frame_time: float | None = None
    spacing: Spacing | None = None
    regions: tuple[Region, ...] = ()
    identity: Identity = field(default_factory=Identity)
    problems: tuple[str, ...] = ()
    orientation: int = 1


class Frames:
    """The decode function of a Scan: one frame of a source as uint8, checked."""

    def __init__(self, source: Source, name: str) -> None:
        self._source, self._name = source, name
        self._limits = source.limits
        self._lock = Lock()

    def __call__(self, index: int) -> Frame:
        """Decode one frame; ScanError if that fails."""
        source = self._source
        with explained(self._name, f"Frame {index} of {self._name} cannot be decoded"):
            array = source.raw(index)
            expected = (source.height, source.width, 3)[: 3 if source.rgb else 2]
            if array.shape != expected:
                raise ScanError(
                    f"Frame {index} of {self._name} has the shape {array.shape}, but the file "
                    f"promised {expected}.",
                    todo="Export the scan again; the file is damaged.",
                )
            if array.dtype != np.uint8:
                array = self._file_limits().apply(array)
            # A fresh array of our own: callers may draw on it.
            return np.array(array, dtype=np.uint8, order="C")

    def _file_limits(self) -> Limits:
        with self._lock:
            if self._limits is None:
                source = self._source
                self._limits = limits_of(source.raw(k) for k in range(source.n_frames))
            return self._limits


def make_scan(source: Source, name: str, sha256: str, path: Path | None) -> Scan:
    """Put a Scan together from its parts."""
    return Scan(
        name=name,
        sha256=sha256,
        width=source.width,
        height=source.height,
        n_frames=source.n_frames,
        decode=Frames(source, name),
        path=path,
        frame_time=source.frame_time,
        spacing=source.spacing,
        regions=source.regions,
        identity=source.identity,
        problems=source.problems,
        rgb=source.rgb,
        orientation=source.orientation,
    )


def check_size(name: str, width: int, height: int, n_frames: int = 1) -> None:
    """Refuse impossible sizes before anything is decoded."""
    if width < 1 or height < 1:
        raise ScanError(
            f"{name} claims a size of {width} × {height} pixels.",
            todo="Export the scan again; this file holds no picture.",
        )
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise ScanError(
            f"{name} claims {width} × {height} pixels; no scan is larger than "
            f"{MAX_PIXELS // 1_000_000} million pixels, or longer than {MAX_SIDE:,}.",
            todo="If the size is true, crop or shrink the image first.",
        )
    if n_frames < 1:
        raise ScanError(
            f"{name} has no frames.", todo="Export the scan again; the file holds no picture."
        )


def truncated(name: str, detail: str) -> ScanError:
    """Return the error for a file that ends too early."""
    return ScanError(
        f"{name} is cut short: {detail}.",
        todo="Copy or export the file again; the transfer was probably interrupted.",
    )


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
