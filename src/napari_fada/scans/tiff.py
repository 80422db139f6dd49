"""TIFF: pages of one size are frames, 8 or 16 bits or more, decoded one at a time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np
import tifffile

from napari_fada.errors import ScanError
from napari_fada.scans.scaling import Array, flatten_alpha, is_turned, orient
from napari_fada.scans.scan import Identity, Spacing
from napari_fada.scans.source import Source, check_size, truncated
from napari_fada.scans.spacing import spacing_from_tiff
from napari_fada.scans.stills import open_image, pixels_of, target_mode

_WHITE_IS_ZERO, _PALETTE, _PLAIN = 0, 3, (0, 1, 2, 3)


def open_tiff(path: Path, name: str, form: str) -> Source:  # noqa: ARG001 (one signature for all)
    """Read the pages' tags; no pixels."""
    size = path.stat().st_size
    problems: list[str] = []
    with tifffile.TiffFile(path) as tif:
        try:
            pages = [page.aspage() for page in tif.pages]
        except tifffile.TiffFileError as error:
            raise ScanError(
                f"{name} is damaged or cut short: {error}.", todo="Copy or export it again."
            ) from error
        if not pages:
            raise truncated(name, "a TIFF file without a page")
        first = pages[0]
        check_size(name, first.imagewidth, first.imagelength)
        _check_chain(tif, pages[-1], size, name)
        keep = [k for k, page in enumerate(pages) if page.shape == first.shape]
        odd = sum(page.shape != first.shape and not page.is_reduced for page in pages)
        if odd:
            problems.append(f"pages of another size or kind are left out: {odd}")
        for k in keep:
            page = pages[k]
            ends = [a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=False)]
            promised = math.prod(page.chunked)
            if len(ends) < promised:
                raise truncated(name, f"page {k} has {promised} pieces and {len(ends)} are listed")
            if not ends or max(ends) > size:
                raise truncated(name, f"the pixels of page {k} reach beyond the end of the file")
        orientation = int(first.tags.valueof("Orientation", default=1))
        if orientation not in range(1, 9):
            orientation = 1
        if orientation > 1:
            problems.append("turned upright as its orientation tag says")
        spacing, problem = spacing_from_tiff(tif)
        if problem:
            problems.append(problem)
        inner = _inner_frames(tif, first)
        frame_time = _frame_time(tif)

    if not _decodable(first):
        mode = _pillow_mode(path, name, first)
        rgb, n_frames = mode in ("RGB", "RGBA"), len(keep)
    elif _channels(first) is None or first.imagedepth > 1:
        raise ScanError(
            f"{name} has pages of shape {first.shape} ({first.axes}), which is no picture.",
            todo="Export it as greyscale or RGB.",
        )
    else:
        mode = ""
        rgb = first.photometric == _PALETTE or (_channels(first) or 1) >= 3
        n_frames = inner or len(keep)
        if inner and first.dataoffsets[0] + inner * first.nbytes > size:
            raise truncated(name, f"it promises {inner} frames and holds fewer")

    def raw(index: int) -> Array:
        if mode:
            with open_image(path, name) as image:
                image.seek(keep[index])
                return orient(pixels_of(image, mode), orientation)
        if inner:
            start = first.dataoffsets[0] + index * first.nbytes
            stored = np.dtype(first.dtype).newbyteorder(first.parent.byteorder)
            array = np.fromfile(path, stored, first.size, offset=start).reshape(first.shape)
        else:
            with tifffile.TiffFile(path) as tif:
                array = tif.pages[keep[index]].asarray()
        return orient(_shown(array, first), orientation)

    width, height = first.imagewidth, first.imagelength
    if is_turned(orientation):
        width, height = height, width
        spacing = Spacing(spacing.x, spacing.y, spacing.origin) if spacing else None
    return Source(
        width=width,
        height=height,
        n_frames=n_frames,
        rgb=rgb,
        raw=raw,
        frame_time=frame_time if n_frames > 1 else None,
        spacing=spacing,
        identity=Identity(clip=path.stem),
        problems=tuple(problems),
        orientation=orientation,
    )


def _check_chain(tif: tifffile.TiffFile, last: tifffile.TiffPage, size: int, name: str) -> None:
    """See that the list of pages ends with 0, not with an address beyond the file."""
    handle, form = tif.filehandle, tif.tiff
    handle.seek(last.offset)
    count = int.from_bytes(handle.read(form.tagnosize), _order(tif))
    handle.seek(last.offset + form.tagnosize + count * form.tagsize)
    following = handle.read(form.offsetsize)
    if len(following) < form.offsetsize or int.from_bytes(following, _order(tif)) >= size:
        raise truncated(name, "its list of pages leads beyond the end of the file")


def _order(tif: tifffile.TiffFile) -> Literal["little", "big"]:
    return "little" if tif.byteorder == "<" else "big"


def _inner_frames(tif: tifffile.TiffFile, first: tifffile.TiffPage) -> int:
    """ImageJ writes large stacks as one page with all frames behind it; return how many."""
    images = int((tif.imagej_metadata or {}).get("images", 1))
    alone = len(tif.pages) == 1 and images > 1 and first.compression == 1
    return images if alone and len(first.dataoffsets) == 1 else 0


def _frame_time(tif: tifffile.TiffFile) -> float | None:
    interval = (tif.imagej_metadata or {}).get("finterval")
    return float(interval) if isinstance(interval, int | float) and interval > 0 else None


def _decodable(page: tifffile.TiffPage) -> bool:
    """Whether tifffile can do it alone; LZW and JPEG need a codec that we do not ask for."""
    if page.photometric not in _PLAIN:
        return False
    try:
        tifffile.TIFF.DECOMPRESSORS[page.compression]
    except (KeyError, ValueError, ImportError):
        return False
    return True


def _pillow_mode(path: Path, name: str, page: tifffile.TiffPage) -> str:
    try:
        with open_image(path, name) as image:
            return target_mode(image)
    except Exception as error:
        raise ScanError(
            f"{name} is compressed or coloured in a way that cannot be decoded "
            f"(compression {page.compression}, photometric {page.photometric}).",
            todo="Save it without compression, or install the package imagecodecs.",
        ) from error


def _channels(page: tifffile.TiffPage) -> int | None:
    """Return the samples of a pixel, None if the page is no grey, RGB or palette picture."""
    samples = int(page.samplesperpixel)
    if page.axes not in ("YX", "YXS", "SYX") or samples not in (1, 2, 3, 4):
        return None
    return samples


def _shown(array: Array, page: tifffile.TiffPage) -> Array:
    """Pixels as shown: channels last, palette applied, black is zero, no alpha."""
    if page.axes == "SYX":
        array = np.moveaxis(array, 0, -1)
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
        white = 255
    elif page.photometric == _PALETTE and page.colormap is not None:
        return (np.moveaxis(page.colormap[:, array], 0, -1) >> 8).astype(np.uint8)
    else:
        white = 2 ** int(page.bitspersample) - 1
        if white < 255 and array.dtype == np.uint8:
            array, white = (array.astype(np.uint16) * 255 // white).astype(np.uint8), 255
    if page.photometric == _WHITE_IS_ZERO and array.dtype.kind == "u":
        array = white - array
    return flatten_alpha(array)
