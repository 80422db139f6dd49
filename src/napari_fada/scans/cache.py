"""Frames of a clip for whoever scrolls through it: decoded once, kept within a bound, read ahead.

A frame that is asked for and not there is decoded at once, in the caller's thread: what is shown
is always the frame that was asked for. Its neighbours, in the direction of the last steps, are
decoded in a thread that ends when it has nothing to do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fada.errors import ScanError
from napari_fada.scans.scan import Frame, Scan

MAX_BYTES = 256 * 2**20
"""Decoded frames of one clip that are kept: 300 grey ones of 800 × 540, half as many in colour."""

AHEAD = 16
"""Frames read ahead."""


class FrameCache:
    """Decoded frames of one scan, up to a number of bytes.

    What lies farthest from the frame last asked for goes first. May be used from any thread.

    Parameters
    ----------
    scan : Scan
        Whose frames they are.
    max_bytes : int
        Bound for what is kept; one frame is kept in any case.
    ahead : int
        Neighbours read ahead; 0: none.

    Attributes
    ----------
    decodes : int
        How many frames were decoded so far.
    """

    def __init__(self, scan: Scan, *, max_bytes: int = MAX_BYTES, ahead: int = AHEAD) -> None:
        self.scan, self.max_bytes = scan, max_bytes
        self.decodes = 0
        fits = max_bytes // (scan.width * scan.height * (3 if scan.rgb else 1))
        self._ahead = min(ahead, fits // 2)
        self._frames: dict[int, Frame] = {}
        self._failed: set[int] = set()
        self._coming: set[int] = set()
        self._plan: list[int] = []
        self._at, self._forward = 0, True
        self._worker: threading.Thread | None = None
        self._changed = threading.Condition()

    @property
    def nbytes(self) -> int:
        """Bytes that are kept now."""
        with self._changed:
            return sum(f.nbytes for f in self._frames.values())

    @property
    def at_rest(self) -> bool:
        """Whether nothing is being read ahead."""
        with self._changed:
            return self._worker is None

    def __contains__(self, index: object) -> bool:
        with self._changed:
            return index in self._frames

    def frame(self, index: int) -> Frame:
        """Return a frame (read-only), decoded now if it is not at hand.

        Raises
        ------
        IndexError, ScanError
            See :meth:`napari_fada.scans.scan.Scan.frame`.
        """
        with self._changed:
            while index in self._coming:
                self._changed.wait()
            found = self._frames.get(index)
            if found is None:
                self._coming.add(index)
            self._aim(index)
        try:
            return self._decoded(index) if found is None else found
        finally:
            self._read_ahead()

    def _decoded(self, index: int) -> Frame:
        with self._taken(index):  # until the frame can be found, or another thread decodes it too
            frame = self.scan.frame(index)
            frame.setflags(write=False)
            with self._changed:
                self.decodes += 1
                self._frames[index] = frame
                held = sum(f.nbytes for f in self._frames.values())
                for far in sorted(self._frames, key=lambda k: -abs(k - self._at)):
                    if held <= self.max_bytes or len(self._frames) == 1:
                        break
                    held -= self._frames.pop(far).nbytes
        return frame

    @contextmanager
    def _taken(self, index: int) -> Iterator[None]:
        """Keep others from decoding the same frame meanwhile; they wait for this one."""
        try:
            yield
        finally:
            with self._changed:
                self._coming.discard(index)
                self._changed.notify_all()

    def _aim(self, index: int) -> None:
        """Plan which frames to read next."""
        last, n = self.scan.n_frames - 1, self._ahead
        if index != self._at:
            self._forward = not 0 < self._at - index <= n  # a leap back goes on forwards
        self._at = index
        if self._forward:
            self._plan = [*range(index + 1, index + 1 + n), *range(index - 1, index - n // 4, -1)]
        else:
            # The nearest at once; the rest upwards, as films can only be decoded forwards.
            self._plan = [*range(index - 1, index - 4, -1), *range(index - n, index)]
        self._plan = [k for k in self._plan if 0 <= k <= last and k not in self._failed]

    def _read_ahead(self) -> None:
        with self._changed:
            if self._worker is None and any(k not in self._frames for k in self._plan):
                self._worker = threading.Thread(target=self._work, name="frames", daemon=True)
                self._worker.start()

    def _work(self) -> None:
        while True:
            with self._changed:
                wanted = (k for k in self._plan if k not in self._frames and k not in self._coming)
                index = next((k for k in wanted if k not in self._failed), None)
                if index is None:
                    self._worker = None
                    return
                self._coming.add(index)
            try:
                self._decoded(index)
            except Exception:  # whoever asks for this frame is told
                with self._changed:
                    self._failed.add(index)


class FrameArray:
    """The frames of a clip as an array (t, y, x[, 3]) that decodes what is looked at.

    Parameters
    ----------
    cache : FrameCache
        Gives the frames.
    on_error : callable, optional
        Told once for each frame that cannot be decoded, which is then black. Without it
        looking at such a frame raises the error.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self, cache: FrameCache, on_error: Callable[[ScanError], object] | None = None
    ) -> None:
        self.cache = cache
        scan = cache.scan
        frame = (scan.height, scan.width, 3)[: 3 if scan.rgb else 2]
        self.shape: tuple[int, ...] = (scan.n_frames, *frame)
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape))
        self._on_error = on_error
        self._told: set[int] = set()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> npt.NDArray[np.uint8]:
        keys = key if isinstance(key, tuple) else (key,)
        first, rest = (
            (keys[0], keys[1:]) if keys and keys[0] is not Ellipsis else (slice(None), keys)
        )
        if isinstance(first, slice):
            chosen = range(*first.indices(len(self)))
            empty = np.empty((0, *self.shape[1:]), self.dtype)[(slice(None), *rest)]
            inner = [self._frame(k)[rest] for k in chosen]
            return np.stack(inner) if inner else empty
        where = np.asarray(first)
        if where.ndim:
            stacked: npt.NDArray[np.uint8] = np.asarray(self)[key]
            return stacked
        index = int(where)
        if not -len(self) <= index < len(self):
            raise IndexError(f"there is no frame {index}; there are {len(self)}")
        return self._frame(index % len(self))[rest]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("the frames are decoded into a new array")
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)

    def _frame(self, index: int) -> Frame:
        try:
            return self.cache.frame(index)
        except ScanError as error:
            if self._on_error is None:
                raise
            if index not in self._told:
                self._told.add(index)
                self._on_error(error)
            return np.zeros(self.shape[1:], self.dtype)
