"""A scan: pixels, spacing and identity of one ultrasound file, frames decoded on demand."""

from __future__ import annotations

import hashlib
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
    """A calibrated rectangle of a DICOM ultrasound image.

    x0, y0, x1, y1 are pixels of the image (corner convention, x1 and y1 exclusive);
    ``spacing`` is None unless both axes are centimetres of a 2D image.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    kind: str
    spacing: Spacing | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """What groups scans of one person or examination. Raw values stay on this computer.

    ``hashed`` is what may leave: the same value and salt give the same hash, another
    project's salt gives another.
    """

    patient: str = ""
    study: str = ""
    clip: str = ""

    def hashed(self, salt: bytes) -> str:
        """Return 16 hexadecimal digits of a salted SHA-256 of the best key there is.

        Parameters
        ----------
        salt : bytes
            The project's secret salt.
        """
        key = self.patient or self.study or self.clip
        return hashlib.blake2b(key.encode(), key=salt[:64], digest_size=8).hexdigest()


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
