"""Files that scanners write, and files that they should not have written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

MakeDicom = Callable[..., Path]


@pytest.fixture
def grey() -> np.ndarray:
    """Return a picture whose every corner is different."""
    y, x = np.mgrid[0:40, 0:60]
    return (y * 3 + x * 2).astype(np.uint8)


@pytest.fixture
def us_file() -> Callable[[str], Path]:
    """One of the DICOM files inside the pydicom package."""
    from pydicom.data import get_testdata_file

    def find(name: str) -> Path:
        path = get_testdata_file(name, download=False)
        assert path, f"pydicom no longer ships {name}"
        return Path(str(path))

    return find


@pytest.fixture
def make_dicom(tmp_path: Path) -> MakeDicom:
    """Write a DICOM ultrasound file; keywords are attributes (None deletes one)."""
    import pydicom
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

    def make(
        pixels: np.ndarray | None = None,
        *,
        name: str = "scan.dcm",
        syntax: str = ExplicitVRLittleEndian,
        fragments: list[bytes] | None = None,
        cut: int = 0,
        preamble: bool = True,
        **attributes: Any,
    ) -> Path:
        if pixels is None:
            pixels = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8)
        colour = attributes.pop("colour", False)
        rows, columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
        data = Dataset()
        data.SOPClassUID = UltrasoundMultiFrameImageStorage
        data.SOPInstanceUID = "1.2.3"
        data.Modality = "US"
        data.PatientID = "P1"
        data.StudyInstanceUID = "1.2.3.4"
        data.SamplesPerPixel = 3 if colour else 1
        data.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
        if colour:
            data.PlanarConfiguration = 0
        data.Rows, data.Columns = rows, columns
        if pixels.ndim == 3 + colour:
            data.NumberOfFrames = len(pixels)
        data.BitsAllocated = data.BitsStored = pixels.dtype.itemsize * 8
        data.HighBit = data.BitsStored - 1
        data.PixelRepresentation = int(pixels.dtype.kind == "i")
        body = encapsulate(fragments) if fragments else pixels.tobytes()
        data.PixelData = body + b"\0" * (len(body) % 2)
        data["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 or fragments else "OW"
        data["PixelData"].is_undefined_length = bool(fragments)
        for keyword, value in attributes.items():
            if value is None:
                del data[keyword]
            else:
                setattr(data, keyword, value)
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = syntax
        path = tmp_path / name
        if preamble:
            pydicom.dcmwrite(
                path,
                data,
                enforce_file_format=True,
                implicit_vr=not UID(syntax).is_private and UID(syntax).is_implicit_VR,
                little_endian=UID(syntax).is_private or UID(syntax).is_little_endian,
            )
        else:
            del data.file_meta
            data.save_as(path, implicit_vr=True, little_endian=True)
        if cut:
            path.write_bytes(path.read_bytes()[:-cut])
        return path

    return make


@pytest.fixture
def make_region() -> Callable[..., Any]:
    """Return an item of the sequence of ultrasound regions."""
    from pydicom import Dataset

    def make(corners: tuple[int, int, int, int], *, units: int = 3, form: int = 1, data: int = 1,
             delta: tuple[float, float] = (0.02, 0.03), flags: int = 0) -> Any:  # fmt: skip
        item = Dataset()
        item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = form, data, flags
        item.RegionLocationMinX0, item.RegionLocationMinY0 = corners[:2]
        item.RegionLocationMaxX1, item.RegionLocationMaxY1 = corners[2:]
        item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = units
        item.PhysicalDeltaX, item.PhysicalDeltaY = delta
        return item

    return make


@pytest.fixture
def make_video(tmp_path: Path) -> Callable[..., Path]:
    """Write a clip whose frame k is a flat grey of 8·k."""
    av = pytest.importorskip("av")

    def make(
        name: str = "clip.mp4", n: int = 20, codec: str = "mpeg4", size: tuple[int, int] = (64, 48)
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.gop_size = 6
            for k in range(n):
                array = np.full((size[1], size[0], 3), 8 * k, np.uint8)
                for packet in stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
        return path

    return make
