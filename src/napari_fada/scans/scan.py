"""A scan: pixels, spacing and identity of one ultrasound file, frames decoded on demand."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_fada.records.reading import ScanRef

Frame = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Spacing:
    """Size of a pixel in mm, and where the figure came from (never guessed).

    ``origin`` is one of ``dicom-region``, ``dicom-pixel-spacing``, ``dicom-imager``,
    ``layer-scale``, ``user``, or ``tiff-resolution``.
    """

    y: float
    x: float
    origin: str


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of a DICOM ultrasound image that has a meaning and units of its own.

    x0, y0, x1, y1 are pixels of the image (corner convention, x1 and y1 exclusive);
    ``kind`` is the spatial format (``2d``, ``m-mode``, ``spectral``, ``waveform``,
    ``graphics``, ``none``) and ``data`` what is drawn (``tissue``, ``colour flow``…);
    ``spacing`` is None unless both axes are centimetres of a 2D image; where regions
    overlap, one of high priority lies on top.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    kind: str
    spacing: Spacing | None = None
    data: str = ""
    high_priority: bool = True

    def contains(self, x: float, y: float) -> bool:
        """Whether a point (pixels, corner convention) lies in the rectangle."""
        return self.x0 <= x < self.x1 and self.y0 <= y < self.y1

    @property
    def area(self) -> int:
        """Pixels in the rectangle."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)


@dataclass(frozen=True, slots=True)
class Identity:
    """What groups scans of one person or examination. Raw values stay on this computer.

    They are left out of the printed form as well. ``hashed`` is what may leave: the same
    value and salt give the same hash, another project's salt gives another.
    """

    patient: str = field(default="", repr=False)
    study: str = field(default="", repr=False)
    clip: str = field(default="", repr=False)

    def hashed(self, salt: bytes) -> str:
        """Return 16 hexadecimal digits of a keyed hash of the best key there is.

        The patient, else the study, else the clip's name; an empty string if none is known.

        Parameters
        ----------
        salt : bytes
            The project's secret salt, of any length but not empty.

        Raises
        ------
        ValueError
            If the salt is empty: the hash could be undone by trying names.
        """
        if not salt:
            raise ValueError("an identity is hashed with a project's salt; the salt is empty")
        for kind in ("patient", "study", "clip"):
            if value := getattr(self, kind):
                # HMAC pads short keys with zeros (b"a" would equal b"a\0"); digesting first
                # makes every bit of a salt of any length count.
                key = hashlib.sha256(salt).digest()
                return hmac.digest(key, f"{kind}:{value}".encode(), "sha256").hex()[:16]
        return ""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One opened scan. Make it with ``open_scan`` or ``scan_from_array``.

    Parameters
    ----------
    name : str
        File name, for showing.
    sha256 : str
        Of the file's bytes (of the pixels, for an array).
    width, height, n_frames : int
        Size of a frame in pixels; number of frames.
    frame_time : float or None
        Seconds between frames.
    spacing : Spacing or None
        Of the main region; None means that there are no millimetres.
    problems : tuple of str
        What was odd about the file and has been dealt with.
    rgb : bool
        Whether a frame is (H, W, 3) rather than (H, W).
    orientation : int
        The file's tag (1 to 8) that its frames were turned upright by.
    """

    name: str
    sha256: str
    width: int
    height: int
    n_frames: int
    decode: Callable[[int], Frame] = field(repr=False)
    path: Path | None = None
    frame_time: float | None = None
    spacing: Spacing | None = None
    regions: tuple[Region, ...] = ()
    identity: Identity = Identity()
    problems: tuple[str, ...] = ()
    rgb: bool = False
    orientation: int = 1

    def frame(self, index: int = 0) -> Frame:
        """Decode one frame.

        Returns
        -------
        uint8 array, (H, W) or (H, W, 3) RGB

        Raises
        ------
        IndexError
            If there is no such frame.
        ScanError
            If it cannot be decoded.
        """
        if not 0 <= index < self.n_frames:
            raise IndexError(f"{self.name} has {self.n_frames} frames; there is no frame {index}")
        return self.decode(index)

    def spacing_at(self, x: float, y: float) -> Spacing | None:
        """Return the size of a pixel at a point, from the region that holds it.

        A region that is not a 2D image in centimetres (M-mode, a spectrum, a trace) has no
        millimetres, and neither has a point outside all regions of an image whose scale
        comes from its regions.

        Parameters
        ----------
        x, y : float
            Pixels of the image, corner convention.
        """
        holders = [r for r in self.regions if r.contains(x, y)]
        if holders:
            return min(holders, key=lambda r: (not r.high_priority, r.area)).spacing
        if self.spacing and self.spacing.origin == "dicom-region":
            return None
        return self.spacing

    def ref(self, frame: int = 0) -> ScanRef:
        """Return the provenance entry for one frame."""
        return ScanRef(
            file=self.name,
            sha256=self.sha256,
            width=self.width,
            height=self.height,
            frame=frame,
            spacing_mm=(self.spacing.y, self.spacing.x) if self.spacing else None,
            spacing_origin=self.spacing.origin if self.spacing else None,
        )
