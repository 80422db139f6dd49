"""The pixels of an Image layer: whether they are a file's, and whether they are still the same.

napari keeps the path of a layer whatever becomes of its pixels, and readers differ in what they
make of a file. So the path is only a hint: the pixels of each frame are compared, and their
checksums kept, to be asked again before anything is recorded.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from napari_fada.errors import ScanError
from napari_fada.scans import Scan
from napari_fada.scans.cache import FrameArray
from napari_fada.scans.scaling import Array, Limits, flatten_alpha, limits_of, orient, to_rgb

MOST = 256 * 2**20
"""Bytes of a clip of which every frame is compared with the file; of more, some are."""
SAMPLES = 12
Likeness = Literal["all", "some", "none"]
"""Whether all frames are a file's, or all of those that were compared."""


class LayerPixels:
    """The pixels of a layer as they were when it became the scan, frame by frame.

    It stands for the layer's array when a scan is made of it: what passes through is summed,
    and a frame that is no longer what it was can be told.

    Parameters
    ----------
    layer : napari Image layer
        Not a pyramid.
    """

    def __init__(self, layer: Any) -> None:
        self._data = layer.data
        self._form = _form(layer)
        self.shape, self.dtype = tuple(self._data.shape), np.dtype(self._data.dtype)
        self._moving, self._rgb = layer.ndim == 3, bool(layer.rgb)
        self._limits: Limits | None = None
        self._sums: dict[int, int] = {}

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.shape[0]) if self._moving else 1

    @property
    def of_file(self) -> Scan | None:
        """The scan whose frames the layer decodes as they are looked at, if it does that."""
        return self._data.cache.scan if isinstance(self._data, FrameArray) else None

    def __getitem__(self, frame: int) -> Array:
        pixels = _frame(self._data, frame if self._moving else None)
        if not isinstance(self._data, FrameArray):
            found = _sum(pixels)
            if self._sums.setdefault(frame, found) != found:
                raise ScanError(
                    "The pixels of the layer were changed.", todo="Choose the layer as scan again."
                )
        return pixels

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self[0] if dtype is None else self[0].astype(dtype)

    # Compared with a file

    def are_of(self, file: Scan) -> Likeness:
        """Compare with the frames of a file: all of them, or some of a large clip."""
        if self._size != (file.n_frames, file.height, file.width):
            return "none"
        few = np.linspace(0, self.n_frames - 1, min(SAMPLES, self.n_frames)).round().astype(int)
        chosen = dict.fromkeys(int(k) for k in few)
        large = math.prod(self.shape) * self.dtype.itemsize > MOST
        if not large or file.rgb != self._rgb:  # the few first: what differs is mostly seen at once
            chosen |= dict.fromkeys(range(self.n_frames))
        if not all(_same(self._as_scan(k), file.frame(k)) for k in chosen):
            return "none"
        return "all" if len(chosen) == self.n_frames else "some"

    def turned_by(self, file: Scan) -> int:
        """Return the orientation (2 to 8) that makes a file's frames of these; 0 if none does."""
        if self.n_frames != file.n_frames or {self._size[1:]} - {
            (file.height, file.width),
            (file.width, file.height),
        }:
            return 0
        ends = sorted({0, self.n_frames // 2, self.n_frames - 1})
        for orientation in range(2, 9):
            turned = ((orient(self._as_scan(k), orientation), file.frame(k)) for k in ends)
            if all(a.shape[:2] == b.shape[:2] and _same(a, b) for a, b in turned):
                return orientation
        return 0

    @property
    def _size(self) -> tuple[int, ...]:
        first = 1 if self._moving else 0
        return (self.n_frames, *self.shape[first : first + 2])

    def _as_scan(self, frame: int) -> Array:
        """Return a frame as a scan of the same values has it: 8 bits, nothing transparent."""
        pixels = self[frame]
        if pixels.dtype == bool:
            return pixels.astype(np.uint8) * np.uint8(255)
        if self._rgb:
            pixels = flatten_alpha(pixels)
        if pixels.dtype == np.uint8:
            return pixels
        if self._limits is None:  # the rule of a file is found from all its frames
            self._limits = limits_of(
                flatten_alpha(self[k]) if self._rgb else self[k] for k in range(self.n_frames)
            )
        return self._limits.apply(pixels)

    # Asked again

    def note(self) -> None:
        """Keep the checksums of all frames, before anything can change them."""
        if not isinstance(self._data, FrameArray):
            for frame in range(self.n_frames):
                self[frame]

    def are_shown(self, layer: Any, frames: Iterable[int]) -> bool:
        """Tell whether a layer shows these frames as they were.

        Parameters
        ----------
        layer : napari Image layer
            The same, later.
        frames : iterable of int
            Those that are looked at or written about. Where the array itself was exchanged,
            all frames are compared.
        """
        if _form(layer) != self._form:
            return False
        data = layer.data
        if isinstance(self._data, FrameArray) or isinstance(data, FrameArray):
            return data is self._data  # such frames cannot be written to
        chosen = self._sums if data is not self._data else self._sums.keys() & set(frames)
        at = (k if self._moving else None for k in chosen)
        if any(_sum(_frame(data, k)) != self._sums[k or 0] for k in at):
            return False
        self._data = data
        return True


def _same(a: Array, b: Array) -> bool:
    return bool(np.array_equal(a, b) if a.ndim == b.ndim else np.array_equal(to_rgb(a), to_rgb(b)))


def _form(layer: Any) -> tuple[object, ...]:
    data = layer.data
    if getattr(layer, "multiscale", False):
        return ("pyramid",)
    return tuple(data.shape), np.dtype(data.dtype), bool(layer.rgb)


def _frame(data: Any, frame: int | None) -> Array:
    return np.asarray(data if frame is None else data[frame])


def _sum(pixels: Array) -> int:
    return zlib.crc32(np.ascontiguousarray(pixels).view(np.uint8).reshape(-1).data)
