"""The masks of a clip as an array that draws a frame when it is looked at.

A label image for each of hundreds of frames would take hundreds of megabytes and, each time
structures change on many frames, seconds. Here only the frames last looked at have pixels; all
others are drawn from the records when their turn comes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_fada.workstation.raster import Raster

MOST = 24
"""Frames that are kept drawn."""


class MaskFrames:
    """Label images (frame, row, column), drawn on demand, that can be painted.

    Parameters
    ----------
    shape : (frames, rows, columns)
        Of the clip.
    most : int
        Frames kept; those that were painted stay until they are forgotten.

    Attributes
    ----------
    draw : callable
        Gives the label image of a frame as the records have it.
    painted : set of int
        Frames that were written to since they were drawn.
    """

    dtype = np.dtype(np.uint16)
    ndim = 3

    def __init__(self, shape: tuple[int, int, int], most: int = MOST) -> None:
        self.shape, self._most = shape, most
        self.size = int(np.prod(shape))
        self.draw: Callable[[int], Raster] = lambda _frame: np.zeros(shape[1:], self.dtype)
        self.painted: set[int] = set()
        self._planes: OrderedDict[int, Raster] = OrderedDict()

    def plane(self, frame: int) -> Raster:
        """Return the label image of a frame; writing to it is seen in the array."""
        if frame not in self._planes:
            self._planes[frame] = self.draw(frame)
            spare = (f for f in list(self._planes) if f != frame and f not in self.painted)
            while len(self._planes) > self._most and (far := next(spare, None)) is not None:
                del self._planes[far]
        self._planes.move_to_end(frame)
        return self._planes[frame]

    def forget(self, frame: int) -> None:
        """Let a frame be drawn anew when it is next looked at."""
        self._planes.pop(frame, None)
        self.painted.discard(frame)

    @property
    def nbytes(self) -> int:
        """Bytes of the frames that are drawn."""
        return sum(p.nbytes for p in self._planes.values())

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        first, rest = _parts(key)
        if isinstance(first, slice):
            planes = [self.plane(f)[rest] for f in range(*first.indices(len(self)))]
            empty = np.empty((0, *self.shape[1:]), self.dtype)
            return np.stack(planes) if planes else empty[(slice(None), *rest)]
        if np.ndim(first) == 0:
            return self.plane(self._index(first))[rest]
        frames = np.asarray(first)
        out = np.zeros(np.broadcast_shapes(frames.shape, *(np.shape(r) for r in rest)), self.dtype)
        for frame, at, inner in self._spread(frames, rest, out.shape):
            out[at] = self.plane(frame)[inner]
        return out

    def __setitem__(self, key: Any, value: Any) -> None:
        first, rest = _parts(key)
        if isinstance(first, slice):
            frames = range(*first.indices(len(self)))
            if not frames:
                return
            inner = self.plane(frames[0])[rest].shape
            values = np.broadcast_to(value, (len(frames), *inner))
            for frame, of_frame in zip(frames, values, strict=True):
                self.painted.add(frame)
                self.plane(frame)[rest] = of_frame
            return
        if np.ndim(first) == 0:
            frame = self._index(first)
            self.painted.add(frame)
            self.plane(frame)[rest] = value
            return
        where = np.asarray(first)
        shape = np.broadcast_shapes(where.shape, *(np.shape(r) for r in rest))
        values = np.broadcast_to(value, shape)
        for frame, at, inner in self._spread(where, rest, shape):
            self.painted.add(frame)
            self.plane(frame)[inner] = values[at]

    def __deepcopy__(self, memo: dict[int, Any]) -> MaskFrames:
        """Return the frames as they are for napari's copy of the layer; the records stay one."""
        copy = MaskFrames(self.shape, self._most)
        copy.draw, copy.painted = self.draw, set(self.painted)
        copy._planes = OrderedDict((frame, plane.copy()) for frame, plane in self._planes.items())
        memo[id(self)] = copy
        return copy

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)

    def _index(self, first: Any) -> int:
        index = int(first)
        if not -len(self) <= index < len(self):
            raise IndexError(f"there is no frame {index}; there are {len(self)}")
        return index % len(self)

    def _spread(self, frames: Any, rest: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
        """Split index arrays by frame: (frame, where in the result, where in the plane)."""
        frames = np.broadcast_to(frames, shape)
        inner = [np.broadcast_to(r, shape) for r in rest]
        for frame in np.unique(frames):
            at = frames == frame
            yield self._index(frame), at, tuple(r[at] for r in inner)


def _parts(key: Any) -> tuple[Any, tuple[Any, ...]]:
    """Split a key into what chooses frames and what chooses pixels."""
    if isinstance(key, np.ndarray) and key.dtype == bool:
        key = np.nonzero(key)
    keys = key if isinstance(key, tuple) else (key,)
    if not keys or keys[0] is Ellipsis:
        return slice(None), keys[1:]
    return keys[0], keys[1:]
