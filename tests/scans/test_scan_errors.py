"""Every file that cannot be a scan says what it is and what to do; nothing else escapes."""

from __future__ import annotations

import builtins
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_fada.errors import ScanError
from napari_fada.scans import Scan, ScanProblem, iter_scans, open_scan


def encoded(array: np.ndarray, form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, form)
    return buffer.getvalue()


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (64, 80)).astype(np.uint8)


def refused(path: Path, *words: str) -> ScanError:
    """See that opening raises, with all the words, the file's name and advice."""
    with pytest.raises(ScanError) as caught:
        open_scan(path)
    error = caught.value
    for word in (*words, path.name):
        assert word in str(error)
    assert error.todo
    return error


def test_missing(tmp_path: Path) -> None:
    refused(tmp_path / "no.png", "is not there")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes in folders are a Unix matter")
def test_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    refused(tmp_path / "pipe.png", "no ordinary file")


def test_empty(tmp_path: Path) -> None:
    for suffix in (".png", ".dcm", ".mp4", ".tif", ""):
        path = tmp_path / f"empty{suffix}"
        path.touch()
        refused(path, "empty")


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("keep", [0.2, 0.6, 0.95, "all but one byte"])
def test_truncated_still(tmp_path: Path, noise: np.ndarray, form: str, keep: float | str) -> None:
    data = encoded(noise, form)
    cut = len(data) - 1 if isinstance(keep, str) else int(keep * len(data))
    path = tmp_path / f"cut.{form.lower()}"
    path.write_bytes(data[:cut])
    refused(path, "cut short")


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("order", ["<", ">"])
def test_truncated_tiff(tmp_path: Path, noise: np.ndarray, frames: int, order: str) -> None:
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, np.stack([noise] * frames), byteorder=order, photometric="minisblack")
    data = path.read_bytes()
    for keep in (0.3, 0.7, 0.98):
        path.write_bytes(data[: int(len(data) * keep)])
        refused(path, "cut short")


def test_truncated_tiff_whose_page_list_is_lost(tmp_path: Path, noise: np.ndarray) -> None:
    path = tmp_path / "cut.tif"
    with tifffile.TiffWriter(path) as tif:
        for _ in range(4):
            tif.write(noise, contiguous=False)
    with tifffile.TiffFile(path) as tif:
        cut = tif.pages[2].offset
    path.write_bytes(path.read_bytes()[:cut])
    refused(path, "cut short")


def test_truncated_dicom(make_dicom) -> None:
    refused(make_dicom(cut=5), "cut short", "48 bytes", "43")
    clip = np.zeros((5, 6, 8), np.uint8)
    refused(make_dicom(clip, cut=60), "cut short", "240")


def test_truncated_dicom_of_pydicom(us_file) -> None:
    refused(us_file("MR_truncated.dcm"), "cut short")


def test_truncated_compressed_dicom(tmp_path: Path, us_file) -> None:
    data = us_file("examples_ybr_color.dcm").read_bytes()
    path = tmp_path / "cine.dcm"
    path.write_bytes(data[: len(data) // 2])
    refused(path, "cut short", "fragment")


def test_compressed_dicom_with_too_few_frames(make_dicom, noise: np.ndarray) -> None:
    path = make_dicom(
        np.stack([noise] * 3),
        syntax="1.2.840.10008.1.2.4.50",
        fragments=[encoded(noise, "JPEG")] * 2,
    )
    refused(path, "promises 3 frames and holds 2")


def test_dicom_cut_in_its_header(tmp_path: Path, make_dicom) -> None:
    data = make_dicom().read_bytes()
    path = tmp_path / "head.dcm"
    for cut in (132, 150, 300, 400):
        path.write_bytes(data[:cut])
        refused(path)


def test_non_image(tmp_path: Path) -> None:
    path = tmp_path / "noise.png"
    path.write_bytes(bytes(range(200, 256)) * 20)
    refused(path, "no scan")
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7 ...")
    refused(tmp_path / "report.pdf", "PDF")


def test_text_called_dicom(tmp_path: Path) -> None:
    path = tmp_path / "notes.dcm"
    path.write_text("Patient seen on Monday. " * 30)
    refused(path, "text file", ".dcm")


def test_dicom_without_frames(make_dicom) -> None:
    refused(make_dicom(NumberOfFrames="0"), "no frames")


def test_dicom_without_size(make_dicom) -> None:
    refused(make_dicom(Rows=0), "8 × 0")


@pytest.mark.parametrize(
    ("syntax", "words"),
    [
        ("1.2.840.10008.1.2.4.102", ("MPEG-4", "MP4")),
        ("1.2.840.10008.1.2.4.107", ("HEVC",)),
        ("1.2.840.10008.1.2.4.70", ("JPEG Lossless", "python-gdcm")),
        ("1.2.3.4.5", ("transfer syntax 1.2.3.4.5",)),
    ],
)
def test_unsupported_codec(make_dicom, syntax: str, words: tuple[str, ...]) -> None:
    refused(make_dicom(syntax=syntax, fragments=[b"\0" * 10]), "cannot be decoded", *words)


def test_unsupported_pixels(make_dicom) -> None:
    refused(make_dicom(PhotometricInterpretation="CMYK", SamplesPerPixel=4), "CMYK")
    refused(make_dicom(PixelData=None, FloatPixelData=b"\0" * 192), "no pixels of whole numbers")


def test_twelve_bit_jpeg_is_an_error_of_the_frame_with_advice(us_file) -> None:
    scan = open_scan(us_file("JPGExtended.dcm"))
    with pytest.raises(ScanError, match=r"12-bit.*python-gdcm"):
        scan.frame(0)


@pytest.mark.parametrize("name", ["rtplan.dcm", "test-SR.dcm", "waveform_ecg.dcm"])
def test_dicom_that_is_no_image(us_file, name: str) -> None:
    refused(us_file(name), "without an image")


def test_dicom_segmentation(us_file) -> None:
    refused(us_file("liver_1frame.dcm"), "segmentation")


def test_unreadable(tmp_path: Path, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "locked.png"
    path.write_bytes(encoded(noise, "PNG"))
    real = io.open

    def locked(file, *rest, **options):
        if Path(str(file)).name == path.name:
            raise PermissionError(13, "Permission denied", str(file))
        return real(file, *rest, **options)

    monkeypatch.setattr(io, "open", locked)
    monkeypatch.setattr(builtins, "open", locked)
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: locked(self, *a, **k))
    refused(path, "may not be read", "permissions")


def test_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()

    def locked(_self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", locked)
    refused(tmp_path / "locked", "may not be read")
    (problem,) = iter_scans(tmp_path / "locked")
    assert isinstance(problem, ScanProblem)


def test_empty_folder(tmp_path: Path) -> None:
    folder = tmp_path / "exam"
    folder.mkdir()
    (folder / ".hidden.png").touch()
    refused(folder, "holds no scan")
    (problem,) = iter_scans(folder)
    assert isinstance(problem, ScanProblem)
    assert problem.path == folder


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(9_000, 9_000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_giant_png(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_claiming(*size))
    refused(path, "claims", "million pixels")


def test_giant_dicom(make_dicom) -> None:
    refused(make_dicom(Rows=60_000, Columns=60_000), "60000 × 60000")
    refused(make_dicom(NumberOfFrames=2_000_000_000), "cut short")


def test_giant_tiff(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8))
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[0].tags["ImageWidth"].overwrite(60_000)
        tif.pages[0].tags["ImageLength"].overwrite(60_000)
    refused(path, "60000 × 60000")


def test_tiff_that_promises_a_million_strips(tmp_path: Path) -> None:
    path = tmp_path / "strips.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8))
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.pages[0].tags["RowsPerStrip"].overwrite(1)
        tif.pages[0].tags["ImageLength"].overwrite(60_000)
    refused(path, "60000 pieces and 1 are listed")


def test_damaged_pixels_are_an_error_of_the_frame(tmp_path: Path, noise: np.ndarray) -> None:
    data = bytearray(encoded(noise, "PNG"))
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    path = tmp_path / "flipped.png"
    path.write_bytes(data)
    scan = open_scan(path)
    with pytest.raises(ScanError, match=r"Frame 0 of flipped\.png"):
        scan.frame(0)


def test_file_that_goes_away_after_opening(tmp_path: Path, noise: np.ndarray) -> None:
    path = tmp_path / "here.png"
    path.write_bytes(encoded(noise, "PNG"))
    scan = open_scan(path)
    path.unlink()
    with pytest.raises(ScanError, match="is not there"):
        scan.frame(0)


@pytest.mark.parametrize(("module", "extra"), [("pydicom", "dicom"), ("av", "video")])
def test_missing_package_names_the_extra(
    module: str, extra: str, make_dicom, make_video, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_dicom() if module == "pydicom" else make_video()
    real = builtins.__import__

    def absent(name: str, *rest, **options):
        if name.split(".")[0] == module:
            raise ModuleNotFoundError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    refused(path, f"napari-fada[{extra}]")


def test_truncated_video(tmp_path: Path, make_video) -> None:
    data = make_video().read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) // 2])  # the index of an MP4 file comes last
    refused(path)


def test_a_run_over_a_folder_goes_on(tmp_path: Path, noise: np.ndarray, make_dicom) -> None:
    folder = tmp_path / "exam"
    folder.mkdir()
    good = encoded(noise, "PNG")
    (folder / "a1.png").write_bytes(good)
    (folder / "a2.png").write_bytes(good[:-30])
    (folder / "a3.png").touch()
    (folder / "a4.dcm").write_text("not DICOM at all, just a letter")
    make_dicom().rename(folder / "a5.dcm")
    make_dicom(NumberOfFrames="0").rename(folder / "a6.dcm")
    (folder / "a7.png").symlink_to(folder / "nowhere.png")
    (folder / "a8.jpg").write_bytes(encoded(noise, "JPEG"))
    results = list(iter_scans(folder))
    kinds = "".join("+" if isinstance(r, Scan) else "-" for r in results)
    assert kinds == "+---+--+"
    problems = [r for r in results if isinstance(r, ScanProblem)]
    assert [p.path.name for p in problems] == ["a2.png", "a3.png", "a4.dcm", "a6.dcm", "a7.png"]
    assert all(isinstance(p.error, ScanError) and p.error.todo for p in problems)
    with pytest.raises(ScanError, match=r"a2\.png"):
        open_scan(folder)
