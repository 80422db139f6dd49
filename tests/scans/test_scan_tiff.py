"""TIFF: pages are frames, one scaling for the whole file, millimetres only where stated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from napari_fada.errors import ScanError
from napari_fada.scans import open_scan


@pytest.fixture
def clip(grey: np.ndarray) -> np.ndarray:
    return np.stack([np.roll(grey, k, axis=1) for k in range(5)])


def write(path: Path, array: np.ndarray, **options) -> Path:
    options.setdefault("photometric", "minisblack")
    tifffile.imwrite(path, array, **options)
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib", "predictor": False}])
@pytest.mark.parametrize("big", [False, True])
def test_pages_are_frames(tmp_path: Path, clip, order: str, options: dict, big: bool) -> None:
    path = write(tmp_path / "a.tif", clip, byteorder=order, bigtiff=big, **options)
    scan = open_scan(path)
    assert (scan.n_frames, scan.width, scan.height, scan.rgb) == (5, 60, 40, False)
    for k in (3, 0, 4):
        np.testing.assert_array_equal(scan.frame(k), clip[k])


def test_one_page_is_decoded_at_a_time(
    tmp_path: Path, clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.tif", clip, compression="zlib")
    read: list[int] = []
    for kind in (tifffile.TiffPage, tifffile.TiffFrame):
        real = kind.asarray
        monkeypatch.setattr(
            kind, "asarray", lambda s, *a, r=real, **k: (read.append(s.index), r(s, *a, **k))[1]
        )
    scan = open_scan(path)
    assert read == []
    scan.frame(3)
    assert set(read) == {3}


def test_sixteen_bits_are_scaled_by_one_rule_for_the_file(tmp_path: Path) -> None:
    frames = np.stack([np.full((8, 9), v, np.uint16) for v in (0, 1000, 2000, 4095)])
    scan = open_scan(write(tmp_path / "a.tif", frames))
    assert [int(scan.frame(k)[0, 0]) for k in range(4)] == [0, 62, 125, 255]
    # Whichever frame is asked for first.
    again = open_scan(tmp_path / "a.tif")
    assert int(again.frame(1)[0, 0]) == 62


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0.0, 0.5, 1.0, np.nan], np.float32), [0, 128, 255, 0]),
        (np.array([0.0, 10.0, 200.0, 255.0], np.float32), [0, 10, 200, 255]),
        (np.array([-100, 0, 100, 100], np.int16), [0, 128, 255, 255]),
        (np.array([0, 10, 200, 255], np.uint16), [0, 10, 200, 255]),
        (np.array([0, 0, 0, 0], np.int16), [0, 0, 0, 0]),
    ],
)
def test_other_types(tmp_path: Path, values: np.ndarray, expected: list[int]) -> None:
    scan = open_scan(write(tmp_path / "a.tif", values.reshape(1, 4)))
    assert scan.frame(0)[0].tolist() == expected


def test_colour(tmp_path: Path, grey: np.ndarray) -> None:
    rgb = np.dstack([grey, grey // 2, 255 - grey])
    for planar in ("contig", "separate"):
        array = rgb if planar == "contig" else np.moveaxis(rgb, -1, 0)
        path = write(tmp_path / "a.tif", array, photometric="rgb", planarconfig=planar)
        scan = open_scan(path)
        assert scan.rgb
        np.testing.assert_array_equal(scan.frame(0), rgb)
    alpha = np.dstack([rgb, np.full_like(grey, 255)])
    path = write(tmp_path / "a.tif", alpha, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(open_scan(path).frame(0), rgb)


def test_palette_and_white_is_zero(tmp_path: Path, grey: np.ndarray) -> None:
    colours = np.random.default_rng(0).integers(0, 255, (3, 256)).astype(np.uint16) * 257
    path = write(tmp_path / "a.tif", grey, photometric="palette", colormap=colours)
    np.testing.assert_array_equal(
        open_scan(path).frame(0), np.moveaxis(colours[:, grey] >> 8, 0, -1)
    )
    path = write(tmp_path / "b.tif", grey, photometric="miniswhite")
    np.testing.assert_array_equal(open_scan(path).frame(0), 255 - grey)
    path = write(tmp_path / "c.tif", grey > 90)
    np.testing.assert_array_equal(open_scan(path).frame(0), np.where(grey > 90, 255, 0))


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "packbits"])
def test_compressions_that_tifffile_cannot_do_alone(tmp_path: Path, clip, compression: str) -> None:
    images = [Image.fromarray(frame) for frame in clip]
    path = tmp_path / "a.tif"
    images[0].save(path, save_all=True, append_images=images[1:], compression=compression)
    scan = open_scan(path)
    assert scan.n_frames == 5
    for k in (4, 1):
        difference = np.abs(scan.frame(k).astype(int) - clip[k])
        assert np.median(difference) <= (3 if compression == "jpeg" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path: Path, grey: np.ndarray, orientation: int) -> None:
    extra = [(274, "H", 1, orientation, True)]
    path = write(tmp_path / "a.tif", grey, extratags=extra, resolution=(40, 20), resolutionunit=3)
    exif = Image.Exif()
    exif[274] = orientation
    image = Image.fromarray(grey)
    image.info["exif"] = exif.tobytes()
    scan = open_scan(path)
    np.testing.assert_array_equal(scan.frame(0), np.asarray(ImageOps.exif_transpose(image)))
    assert scan.spacing is not None
    turned = orientation >= 5
    assert (scan.spacing.y, scan.spacing.x) == ((0.25, 0.5) if turned else (0.5, 0.25))


def test_large_imagej_stack_in_one_page(tmp_path: Path, clip) -> None:
    deep = clip.astype(np.uint16) * 16
    path = write(tmp_path / "a.tif", deep, imagej=True, byteorder=">", metadata={"finterval": 0.04})
    with tifffile.TiffFile(path) as tif:
        assert len(tif.pages) == 5
    # ImageJ leaves out all but the first page description in its large files.
    with tifffile.TiffFile(path, mode="r+") as tif:
        first = tif.pages[0]
        at = first.offset + 2 + 12 * len(first.tags)
        tif.filehandle.seek(at)
        tif.filehandle.write(b"\0\0\0\0")
    with tifffile.TiffFile(path) as tif:
        assert len(tif.pages) == 1
    scan = open_scan(path)
    assert (scan.n_frames, scan.frame_time) == (5, 0.04)
    for k in (0, 4):
        np.testing.assert_array_equal(scan.frame(k), np.floor(deep[k] * 255.0 / 4095 + 0.5))


def test_pages_of_another_size_are_left_out_and_said(tmp_path: Path, grey: np.ndarray) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for array in (grey, grey[:5], grey):
            tif.write(array, photometric="minisblack")
    scan = open_scan(tmp_path / "a.tif")
    assert scan.n_frames == 2
    assert "another size" in scan.problems[0]
    np.testing.assert_array_equal(scan.frame(1), grey)


def test_volumes_and_many_channels_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.zeros((8, 9, 6), np.uint8), planarconfig="contig")
    with pytest.raises(ScanError, match="no picture"):
        open_scan(path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"resolution": (100, 80), "resolutionunit": "CENTIMETER"}, (0.125, 0.1)),
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
        ({"resolution": (254, 254), "resolutionunit": "INCH"}, None),
        ({"resolution": (1, 1), "resolutionunit": "NONE"}, None),
        # 72 and 300 dots per inch, written in centimetres
        ({"resolution": (28.35, 28.35), "resolutionunit": "CENTIMETER"}, None),
        ({"resolution": (118.11, 118.11), "resolutionunit": "CENTIMETER"}, None),
        # 10 mm a pixel
        ({"resolution": (1, 1), "resolutionunit": "CENTIMETER"}, None),
        ({"imagej": True, "resolution": (8, 5), "metadata": {"unit": "mm"}}, (0.2, 0.125)),
        ({"imagej": True, "resolution": (8, 5), "metadata": {"unit": "pixel"}}, None),
        (
            {"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 110.0, "PhysicalSizeY": 0.2,
             "PhysicalSizeYUnit": "mm"}},
            (0.2, 0.11),
        ),
        ({"ome": True, "metadata": {"axes": "YX"}}, None),
    ],
)  # fmt: skip
def test_spacing(tmp_path: Path, grey, options: dict, expected: tuple | None) -> None:
    suffix = "ome.tif" if "ome" in options else "tif"
    scan = open_scan(write(tmp_path / f"a.{suffix}", grey, **options))
    if expected is None:
        assert scan.spacing is None
    else:
        assert scan.spacing is not None
        assert (scan.spacing.y, scan.spacing.x) == pytest.approx(expected)
        assert scan.spacing.origin == "tiff-resolution"
        assert scan.spacing_at(3, 3) == scan.spacing


def test_implausible_spacing_is_said(tmp_path: Path, grey) -> None:
    path = write(tmp_path / "a.tif", grey, resolution=(1, 1), resolutionunit="CENTIMETER")
    assert "10 × 10 mm" in open_scan(path).problems[0]
