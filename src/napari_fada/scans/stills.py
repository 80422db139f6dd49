"""Still images (PNG, JPEG, BMP, GIF, WebP) through Pillow, upright and without alpha."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from napari_fada.errors import ScanError
from napari_fada.scans.scaling import Array, flatten_alpha, is_turned, orient
from napari_fada.scans.scan import Identity
from napari_fada.scans.source import CHUNK, MAX_PIXELS, Source, check_size, truncated

ORIENTATION = 274
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
_DEEP = {"I;16", "I;16L", "I;16B", "I;16N", "I", "F"}


def open_still(path: Path, name: str, form: str) -> Source:
    """Read the header of a still image; its pixels are decoded by ``raw``.

    Parameters
    ----------
    path, name : Path, str
        The file, and what to call it in messages.
    form : str
        The format found by its first bytes.
    """
    with path.open("rb") as file:
        if form == "PNG":
            _check_png(file, name)
        elif form == "JPEG":
            _check_jpeg(file, name)
    with open_image(path, name) as image:
        width, height = image.size
        n_frames = int(getattr(image, "n_frames", 1)) if form in ("PNG", "GIF", "WebP") else 1
        check_size(name, width, height, n_frames)
        orientation = _orientation(image)
        # Later frames of an animation change mode as they like; colour holds them all.
        mode = "RGBA" if n_frames > 1 else target_mode(image)
        rgb = mode in ("RGB", "RGBA")
        duration = float(image.info.get("duration") or 0)

    def raw(index: int) -> Array:
        with open_image(path, name) as image:
            if index:
                image.seek(index)
            return orient(pixels_of(image, mode), orientation)

    if is_turned(orientation):
        width, height = height, width
    return Source(
        width=width,
        height=height,
        n_frames=n_frames,
        rgb=rgb,
        raw=raw,
        frame_time=duration / 1000 if n_frames > 1 and duration > 0 else None,
        identity=Identity(clip=path.stem),
        problems=("turned upright as its orientation tag says",) if orientation > 1 else (),
        orientation=orientation,
    )


def open_image(path: Path, name: str) -> Image.Image:
    """Open an image with Pillow without decoding it; size errors are ours."""
    try:
        return Image.open(path, formats=(*_FORMATS, "TIFF"))
    except Image.DecompressionBombError as error:
        raise ScanError(
            f"{name} claims more than {MAX_PIXELS // 1_000_000} million pixels; no scan is so "
            "large.",
            todo="If the size is true, crop or shrink the image first.",
        ) from error
    except UnidentifiedImageError as error:
        raise ScanError(
            f"{name} starts like an image but its header is damaged.",
            todo="Copy or export the file again.",
        ) from error


def target_mode(image: Image.Image) -> str:
    """Return the mode that keeps what the image shows: L, LA, RGB, RGBA, or its deep one."""
    mode = image.mode
    if mode in _DEEP:
        return mode
    if mode in ("1", "L", "LA", "La"):
        return "LA" if mode in ("LA", "La") or "transparency" in image.info else "L"
    if mode in ("P", "PA"):
        seen = mode == "PA" or "transparency" in image.info
        if _grey_palette(image):
            return "LA" if seen else "L"
        return "RGBA" if seen else "RGB"
    if mode in ("RGBA", "RGBa") or "transparency" in image.info:
        return "RGBA"
    return "RGB"


def pixels_of(image: Image.Image, mode: str) -> Array:
    """Decode the image's current frame in a mode, alpha laid over black."""
    if image.mode != mode:
        if mode == "LA" and image.mode == "P":
            image = image.convert("RGBA")
        image = image.convert(mode)
    return flatten_alpha(np.asarray(image))


def _grey_palette(image: Image.Image) -> bool:
    # image.getpalette() would decode the picture first; the header has it already.
    palette = image.palette
    if palette is None:
        return False
    step = len(palette.rawmode or palette.mode)
    data = bytes(palette.palette)
    return data[0::step] == data[1::step] == data[2::step]


def _orientation(image: Image.Image) -> int:
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # Pillow would decode the whole picture to look for a late chunk
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # a damaged EXIF block does not damage the picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _check_png(file: BinaryIO, name: str) -> None:
    """Walk the chunks, without decoding, to see that the file reaches its end mark."""
    size = file.seek(0, 2)
    at = 8
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            raise truncated(name, "a PNG file without its end")
        at += 12 + int.from_bytes(head[:4], "big")
        if at > size:
            raise truncated(name, f"{at - size:,} bytes or more are missing from a PNG file")
        if head[4:] == b"IEND":
            return


def _check_jpeg(file: BinaryIO, name: str) -> None:
    """See that picture data is followed by an end mark (a camera may append more)."""
    file.seek(2)
    while True:
        marker = file.read(2)
        while marker[:1] == b"\xff" == marker[1:]:  # fill bytes
            marker = marker[1:] + file.read(1)
        if len(marker) < 2:
            raise truncated(name, "a JPEG file that ends in its header")
        if marker[0] != 0xFF or marker[1] == 0xD9:
            return  # not for us to judge: Pillow names what is wrong
        if marker[1] == 0xDA:
            break
        if marker[1] in range(0xD0, 0xD9) or marker[1] == 0x01:
            continue
        length = file.read(2)
        file.seek(max(2, int.from_bytes(length, "big")) - 2, 1)
    # In picture data FF is followed by 00 or a restart number, so FF D9 can only be the end.
    last = b""
    while chunk := file.read(CHUNK):
        if b"\xff\xd9" in last + chunk:
            return
        last = chunk[-1:]
    raise truncated(name, "a JPEG file without its end mark")
