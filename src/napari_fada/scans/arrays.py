"""A Scan from pixels in memory: the data of a napari layer, or a simulated image."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from napari_fada.errors import ScanError
from napari_fada.scans.scaling import Array, Limits, flatten_alpha
from napari_fada.scans.scan import Identity, Scan, Spacing
from napari_fada.scans.source import Source, check_size, make_scan


def scan_from_array(
    array: Any,
    name: str = "array",
    spacing: Spacing | None = None,
    *,
    rgb: bool | None = None,
    contrast_limits: tuple[float, float] | None = None,
    frame_time: float | None = None,
    path: Path | None = None,
    identity: Identity | None = None,
) -> Scan:
    """Make a Scan of pixels.

    Parameters
    ----------
    array : array-like
        2D, RGB or RGBA, t-y-x, or t-y-x with colour; anything with ``shape`` and ``dtype``
        whose slices become NumPy arrays (NumPy, dask, zarr). Frames are sliced on demand.
    name : str
        For showing.
    spacing : Spacing, optional
        See :func:`napari_fada.scans.spacing.spacing_from_scale` for a layer's.
    rgb : bool, optional
        Whether the last axis is colour. By default it is if it has 3 or 4 entries, the values
        are 8-bit or fractions, and two longer axes come before it.
    contrast_limits : (float, float), optional
        The values that become 0 and 255, for pixels that are not 8-bit. By default the rule
        for files (:func:`napari_fada.scans.scaling.limits_of`).
    frame_time : float, optional
        Seconds between frames.
    path : Path, optional
        The file the pixels came from, if it is known.
    identity : Identity, optional
        By default the name.

    Returns
    -------
    Scan
        Its sha256 is of type, shape and pixels; contrast limits do not change it.

    Raises
    ------
    ScanError
        If this cannot be a scan: no pixels, other axes, complex numbers or objects.
    """
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        array = np.asarray(array)
    shape, dtype = tuple(int(n) for n in array.shape), np.dtype(array.dtype)
    if dtype.kind not in "buif":
        raise ScanError(f"{name} holds values of type {dtype}, which are no pixels.")
    if rgb is None:
        rgb = (
            len(shape) in (3, 4)
            and shape[-1] in (3, 4)
            and min(shape[-3:-1]) > 4
            and (dtype == np.uint8 or dtype.kind == "f")
        )
    plane = 3 if rgb else 2
    if len(shape) not in (plane, plane + 1) or (rgb and shape[-1] not in (3, 4)):
        raise ScanError(
            f"{name} has the shape {shape}, which is neither an image nor a clip.",
            todo="Choose one plane of it, or one clip (time, rows, columns).",
        )
    moving = len(shape) == plane + 1
    n_frames = shape[0] if moving else 1
    height, width = shape[moving : moving + 2]
    check_size(name, width, height, n_frames)

    def stored(index: int) -> Array:
        return np.asarray(array[index] if moving else array)

    def raw(index: int) -> Array:
        frame = stored(index)
        if frame.dtype == bool:
            return frame.astype(np.uint8) * np.uint8(255)
        return flatten_alpha(frame) if rgb else frame

    digest = hashlib.sha256(f"{dtype.newbyteorder('<').str}{shape}".encode())
    for k in range(n_frames):
        little = stored(k).astype(dtype.newbyteorder("<"), copy=False)
        digest.update(np.ascontiguousarray(little).data)
    limits = Limits(*map(float, contrast_limits)) if contrast_limits is not None else None
    source = Source(
        width=width,
        height=height,
        n_frames=n_frames,
        rgb=rgb,
        raw=raw,
        limits=limits,
        frame_time=frame_time if moving else None,
        spacing=spacing,
        identity=identity or Identity(clip=path.stem if path else name),
    )
    return make_scan(source, name, digest.hexdigest(), path)
