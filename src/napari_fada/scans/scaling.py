"""From what a file stores to what a frame is: upright, 8 bits a channel, grey or RGB."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fada.scans.scan import Frame

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """The values that become 0 and 255."""

    low: float
    high: float

    def apply(self, array: Array) -> Frame:
        """Map values linearly to 0–255; what lies outside is clipped, NaN becomes 0."""
        if not self.high > self.low:
            return np.zeros(array.shape, np.uint8)
        values = array.astype(np.float64)
        values -= self.low
        values *= 255.0
        values /= self.high - self.low
        values = np.nan_to_num(values, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
        return (np.clip(values, 0.0, 255.0) + 0.5).astype(np.uint8)


def limits_of(frames: Iterable[Array]) -> Limits:
    """Find one rule for all frames of a file that are not 8-bit already.

    Whole numbers without negatives: 0 to the largest number of as many bits as the greatest
    value needs, at least 8 (a 12-bit image in 16-bit pixels is divided by 4095/255). Fractions
    between 0 and 1: 0 to 1; between 0 and 255: 0 to 255. Anything else: least to greatest.
    """
    low, high, whole = math.inf, -math.inf, True
    for frame in frames:
        if frame.dtype == np.uint8 or not frame.size:
            continue
        if frame.dtype.kind == "f":
            whole = False
            frame = frame[np.isfinite(frame)]
            if not frame.size:
                continue
        low, high = min(low, float(frame.min())), max(high, float(frame.max()))
    if low > high:
        return Limits(0.0, 0.0)
    if low < 0:
        return Limits(low, high)
    if whole:
        return Limits(0.0, float(2 ** max(8, int(high).bit_length()) - 1))
    if high <= 1:
        return Limits(0.0, 1.0)
    return Limits(0.0, 255.0) if high <= 255 else Limits(low, high)


def orient(array: Array, orientation: int) -> Array:
    """Turn stored pixels upright, as tag 274 (EXIF and TIFF) asks; see :func:`is_turned`."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


def is_turned(orientation: int) -> bool:
    """Whether an orientation swaps width and height."""
    return orientation in (5, 6, 7, 8)


def flatten_alpha(array: Array) -> Array:
    """Lay grey+alpha or RGB+alpha (8 or 16 bits) over black, the ground of a scan."""
    if array.ndim != 3 or array.shape[2] not in (2, 4):
        return array
    full = 1.0 if array.dtype.kind == "f" else float(np.iinfo(array.dtype).max)
    colour, alpha = array[..., :-1], array[..., -1:]
    if (alpha != full).any():
        mixed = colour.astype(np.float64) * (alpha.astype(np.float64) / full)
        colour = (mixed if array.dtype.kind == "f" else np.rint(mixed)).astype(array.dtype)
    return colour[..., 0] if colour.shape[2] == 1 else colour


def to_rgb(frame: Frame) -> Frame:
    """Repeat a grey frame in three channels; leave a colour frame alone."""
    return frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2)
