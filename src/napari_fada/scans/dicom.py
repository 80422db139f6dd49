"""DICOM ultrasound through pydicom: single images and clips, one frame decoded at a time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from napari_fada.errors import ScanError
from napari_fada.scans.dicom_tags import (
    WANTED,
    frame_time_of,
    identity_of,
    number,
    regions_of,
    spacing_of,
    text,
)
from napari_fada.scans.scaling import Array, Limits
from napari_fada.scans.source import Source, check_size, truncated

_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
_GREYS = ("MONOCHROME1", "MONOCHROME2")
_SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_DEFLATED = "1.2.840.10008.1.2.1.99"
_UNDEFINED = 0xFFFFFFFF

# What decodes a transfer syntax that pydicom's usual companions do not. None of it is GPL.
_ADVICE = {
    "1.2.840.10008.1.2.4.51": "python-gdcm",
    "1.2.840.10008.1.2.4.57": "python-gdcm",
    "1.2.840.10008.1.2.4.70": "python-gdcm",
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
}


def open_dicom(path: Path, name: str, form: str) -> Source:  # noqa: ARG001 (one signature for all)
    """Read the header and find the pixels; nothing is decoded."""
    try:
        import pydicom
        from pydicom.pixels.decoders.base import get_decoder
    except ImportError as error:
        raise ScanError(
            f"{name} is a DICOM file, and pydicom is not installed.",
            todo="Install it with: pip install 'napari-fada[dicom]'",
        ) from error

    with path.open("rb") as file:
        dataset = pydicom.dcmread(
            file, force=True, stop_before_pixels=True, specific_tags=list(WANTED)
        )
        syntax = _syntax(dataset)
        problems = [] if dataset.preamble else ["it has no DICOM preamble"]
        _check_image(dataset, name)
        shape = _Shape(dataset, name)
        dataset.NumberOfFrames = shape.n_frames  # cleaned: the decoder reads it again
        try:
            decoder = get_decoder(syntax)
        except NotImplementedError as error:
            raise _no_codec(name, syntax) from error
        if not decoder.is_available:
            raise _no_codec(name, syntax)
        start = None
        if syntax != _DEFLATED:
            start = _find_pixels(file, syntax, shape, name, problems)

    width, height = shape.width, shape.height
    regions, wrong = regions_of(dataset, width, height)
    spacing, unclear = spacing_of(dataset, regions)
    frame_time, uneven = frame_time_of(dataset) if shape.n_frames > 1 else (None, [])
    modality = text(dataset.get("Modality"))
    if modality not in ("US", "IVUS", "OT", ""):
        problems.append(f"its modality is {modality}, not ultrasound")
    return Source(
        width=width,
        height=height,
        n_frames=shape.n_frames,
        rgb=shape.rgb,
        raw=_Pixels(path, dataset, decoder, start, shape),
        limits=_window(dataset, shape),
        frame_time=frame_time,
        spacing=spacing,
        regions=tuple(regions),
        identity=identity_of(dataset, path.stem),
        problems=(*problems, *wrong, *unclear, *uneven),
    )


class _Shape:
    """The size and kind of the pixels, checked."""

    def __init__(self, dataset: Any, name: str) -> None:
        def whole(keyword: str, default: int) -> int:
            value = number(dataset.get(keyword))
            return default if value is None else int(value)

        self.width, self.height = whole("Columns", 0), whole("Rows", 0)
        self.n_frames = whole("NumberOfFrames", 1)
        check_size(name, self.width, self.height, self.n_frames)
        self.samples = whole("SamplesPerPixel", 1)
        self.bits = whole("BitsAllocated", 8)
        self.stored = min(whole("BitsStored", self.bits), self.bits)
        self.signed = whole("PixelRepresentation", 0) == 1
        self.photometric = text(dataset.get("PhotometricInterpretation")) or "MONOCHROME2"
        expected = 3 if self.photometric in _COLOURS else 1
        if (
            self.photometric not in (*_COLOURS, *_GREYS, "PALETTE COLOR")
            or self.samples != expected
            or self.bits not in (1, 8, 16, 32)
            or self.stored < 1
        ):
            raise ScanError(
                f"{name} holds pixels of a kind that is not supported ({self.photometric}, "
                f"{self.samples} samples of {self.bits} bits).",
                todo="Export it from the scanner as greyscale or RGB.",
            )
        self.rgb = self.photometric not in _GREYS

    def byte_length(self) -> int:
        """Bytes of all frames, uncompressed."""
        pixels = self.width * self.height * self.samples * self.n_frames
        length = math.ceil(pixels * self.bits / 8)
        return length // 3 * 2 if self.photometric == "YBR_FULL_422" else length


class _Pixels:
    """Decodes one frame: opens the file, goes to the pixels, reads what the frame needs."""

    def __init__(
        self, path: Path, dataset: Any, decoder: Any, start: tuple[int, str] | None, shape: _Shape
    ) -> None:
        self._path, self._dataset, self._decoder = path, dataset, decoder
        self._start, self._shape = start, shape

    def __call__(self, index: int) -> Array:
        from pydicom.pixels.utils import as_pixel_options, pixel_array

        if self._start is None:  # deflated as a whole: there is no way into the middle
            import pydicom

            array = pixel_array(pydicom.dcmread(self._path, force=True), index=index)
        else:
            offset, vr = self._start
            options = as_pixel_options(self._dataset, pixel_keyword="PixelData", pixel_vr=vr)
            with self._path.open("rb") as file:
                file.seek(offset)
                try:
                    array, _ = self._decoder.as_array(file, index=index, **options)
                except RuntimeError as error:
                    raise self._undecoded(index, str(error)) from error
        return self._shown(array)

    def _undecoded(self, index: int, reasons: str) -> ScanError:
        """Say what each decoder had to say; pydicom lists them on lines of their own."""
        first, *others = (line.strip() for line in reasons.splitlines())
        package = _ADVICE.get(str(self._decoder.UID))
        return ScanError(
            f"Frame {index} of {self._path.name} ({self._decoder.UID.name}) cannot be decoded: "
            f"{('; '.join(others) or first).rstrip('.')}.",
            todo="Export the scan again, uncompressed if possible"
            + (f", or install a decoder with: pip install {package}." if package else "."),
        )

    def _shown(self, array: Array) -> Array:
        """Palette applied, black is zero, window values in the units of the window."""
        shape = self._shape
        if shape.photometric == "PALETTE COLOR":
            from pydicom.pixels.processing import apply_color_lut

            colour: Array = apply_color_lut(array, self._dataset)[..., :3]
            return (colour >> 8).astype(np.uint8) if colour.dtype == np.uint16 else colour
        if shape.bits == 1:
            array = array.astype(np.uint8) * 255
        elif shape.stored < 8 and not shape.signed:
            top = 2**shape.stored - 1
            array = (np.minimum(array, top).astype(np.uint16) * 255 // top).astype(np.uint8)
        elif _has_window(self._dataset, shape):
            slope = number(self._dataset.get("RescaleSlope"), 1.0) or 1.0
            array = array * slope + (number(self._dataset.get("RescaleIntercept"), 0.0) or 0.0)
            if shape.photometric == "MONOCHROME1":
                # Mirror about the window's middle: what was white becomes black.
                limits = _window(self._dataset, shape)
                return limits.low + limits.high - array if limits else array
            return array
        if shape.photometric == "MONOCHROME1":
            if array.dtype == np.uint8:
                return 255 - array
            top = 2 ** (shape.stored - 1) - 1 if shape.signed else 2**shape.stored - 1
            low = -top - 1 if shape.signed else 0
            array = (top + low - array.astype(np.int64)).astype(array.dtype)
        return array


def _has_window(dataset: Any, shape: _Shape) -> bool:
    """Deep grey images are windowed; 8-bit ones are shown as the scanner stored them."""
    width = number(dataset.get("WindowWidth"))
    centre = number(dataset.get("WindowCenter"))
    return (
        shape.stored > 8
        and not shape.rgb
        and centre is not None
        and width is not None
        and width >= 1
    )


def _window(dataset: Any, shape: _Shape) -> Limits | None:
    """Return the first window as limits (PS3.3 C.11.2.1.2: c − 0.5 ± (w − 1) / 2)."""
    if not _has_window(dataset, shape):
        return None
    centre = number(dataset.get("WindowCenter")) or 0.0
    width = max(number(dataset.get("WindowWidth")) or 1.0, 1.001)
    half = (width - 1) / 2
    return Limits(centre - 0.5 - half, centre - 0.5 + half)


def _syntax(dataset: Any) -> Any:
    """Return the transfer syntax that is stated, or the one the header was readable in."""
    from pydicom import uid

    stated = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if stated:
        return uid.UID(stated)
    implicit, little = dataset.original_encoding
    if not little:
        return uid.ExplicitVRBigEndian
    return uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian


def _check_image(dataset: Any, name: str) -> None:
    if not len(dataset) and not dataset.preamble:
        raise ScanError(
            f"{name} starts like DICOM but holds nothing that can be read as such.",
            todo="Open the original file from the scanner or the archive.",
        )
    if text(dataset.get("SOPClassUID")) in _SEGMENTATIONS:
        raise ScanError(
            f"{name} is a DICOM segmentation, not a scan.",
            todo="Open the image it belongs to.",
        )
    if dataset.get("Rows") is None or dataset.get("Columns") is None:
        raise ScanError(
            f"{name} is a DICOM file without an image (a report, an index, a plan or a waveform).",
            todo="Choose an image or a clip of the same examination.",
        )


def _no_codec(name: str, syntax: Any) -> ScanError:
    package = _ADVICE.get(str(syntax))
    known = str(syntax).startswith("1.2.840.10008.")
    called = syntax.name if known else f"transfer syntax {syntax}"
    advice = f"Install a decoder with: pip install {package}, or export" if package else "Export"
    return ScanError(
        f"{name} is compressed as {called}, which cannot be decoded here.",
        todo=f"{advice} the scan uncompressed, as JPEG or as JPEG 2000 (a clip also as MP4).",
    )


def _find_pixels(
    file: BinaryIO, syntax: Any, shape: _Shape, name: str, problems: list[str]
) -> tuple[int, str]:
    """Return where the pixels start and their VR; see that all of them are there."""
    at = file.tell()
    end = file.seek(0, 2)
    file.seek(at)
    order = "little" if syntax.is_little_endian else "big"

    def whole(count: int) -> int:
        return int.from_bytes(file.read(count), order)  # type: ignore[arg-type]

    if end - at < 8:
        raise truncated(name, "a DICOM file that ends before its pixels")
    group, element = whole(2), whole(2)
    if (group, element) != (0x7FE0, 0x0010):
        raise ScanError(
            f"{name} holds no pixels of whole numbers.",
            todo="Export it from the scanner as greyscale or RGB.",
        )
    vr = "OW"
    if not syntax.is_implicit_VR:
        vr = file.read(2).decode("latin-1")
        file.seek(2, 1)
    length = whole(4)
    start = file.tell()
    if syntax.is_encapsulated:
        if length != _UNDEFINED:
            raise ScanError(
                f"{name} says that its pixels are compressed, but they are not packed as such.",
                todo="Export the scan again; the file is damaged.",
            )
        _check_items(file, end, shape.n_frames, name, problems)
        return start, vr
    expected = shape.byte_length()
    there = min(length, end - start)
    if there < expected:
        raise truncated(name, f"it promises {expected:,} bytes of pixels and holds {there:,}")
    return start, vr


def _check_items(file: BinaryIO, end: int, n_frames: int, name: str, problems: list[str]) -> None:
    """Walk the fragments of compressed pixels, reading only their lengths."""
    fragments = -1  # the first item is the offset table
    while True:
        head = file.read(8)
        tag, length = head[:4], int.from_bytes(head[4:], "little")
        if tag == b"\xfe\xff\xdd\xe0":
            break
        if len(head) < 8:
            problems.append("its pixels end without their closing mark")
            break
        if tag != b"\xfe\xff\x00\xe0" or file.tell() + length > end:
            raise truncated(name, f"fragment {fragments + 1} of its pixels is not complete")
        file.seek(length, 1)
        fragments += 1
    if fragments < n_frames:
        raise truncated(name, f"it promises {n_frames} frames and holds {max(fragments, 0)}")
