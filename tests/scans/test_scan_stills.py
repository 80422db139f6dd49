"""Still images: every way of storing grey and colour, upright, nothing decoded at opening."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from napari_fada.scans import open_scan
from napari_fada.scans.stills import ORIENTATION


def test_grey_png_is_stored_as_is(tmp_path: Path, grey: np.ndarray) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(grey).save(path, dpi=(300, 300))
    scan = open_scan(path)
    assert (scan.width, scan.height, scan.n_frames, scan.rgb) == (60, 40, 1, False)
    assert scan.name == "a.png"
    assert scan.path == path
    assert scan.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert scan.spacing is None  # a printing resolution is no size
    assert scan.problems == ()
    np.testing.assert_array_equal(scan.frame(0), grey)
    with pytest.raises(IndexError, match="no frame 1"):
        scan.frame(1)


@pytest.mark.parametrize(
    ("form", "mode"),
    [(f, "L") for f in ("PNG", "JPEG", "BMP", "WEBP", "GIF")] + [("PNG", "P"), ("BMP", "P")],
)
def test_nothing_is_decoded_at_opening(
    tmp_path: Path, grey: np.ndarray, form: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"a.{form.lower()}"
    image = Image.fromarray(grey)
    (image if mode == "L" else image.convert(mode)).save(path)
    expected = np.asarray(Image.open(path).convert("L")).astype(int)

    def decoded(_self):
        raise AssertionError("pixels were decoded at opening")

    with monkeypatch.context() as patch:
        patch.setattr(ImageFile.ImageFile, "load", decoded)
        scan = open_scan(path)
    frame = scan.frame(0).astype(int)
    assert np.abs((frame.mean(axis=2) if scan.rgb else frame) - expected).max() <= 2


def test_frames_are_the_callers_to_draw_on(tmp_path: Path, grey: np.ndarray) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(grey).save(path)
    scan = open_scan(path)
    scan.frame(0)[:] = 0
    np.testing.assert_array_equal(scan.frame(0), grey)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_exif_orientation(tmp_path: Path, grey: np.ndarray, form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / f"a.{form.lower()}"
    Image.fromarray(grey).save(path, exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    scan = open_scan(path)
    assert (scan.height, scan.width) == upright.shape
    np.testing.assert_array_equal(scan.frame(0), upright)
    assert bool(scan.problems) == (orientation > 1)


def test_palettes(tmp_path: Path) -> None:
    index = np.arange(16, dtype=np.uint8).reshape(4, 4)
    image = Image.frombytes("P", (4, 4), index.tobytes())
    colours = np.random.default_rng(0).integers(0, 255, (256, 3)).astype(np.uint8)
    image.putpalette(colours.tobytes())
    image.save(tmp_path / "colour.png")
    scan = open_scan(tmp_path / "colour.png")
    assert scan.rgb
    np.testing.assert_array_equal(scan.frame(0), colours[index])
    image.putpalette(np.repeat(colours[:, :1], 3, axis=1).tobytes())
    image.save(tmp_path / "grey.png")
    scan = open_scan(tmp_path / "grey.png")
    assert not scan.rgb
    np.testing.assert_array_equal(scan.frame(0), colours[index, 0])


def test_alpha_is_laid_over_black(tmp_path: Path, grey: np.ndarray) -> None:
    alpha = np.full_like(grey, 255)
    alpha[:, :30] = 0
    shown = np.where(alpha > 0, grey, 0)
    Image.merge("LA", (Image.fromarray(grey), Image.fromarray(alpha))).save(tmp_path / "la.png")
    np.testing.assert_array_equal(open_scan(tmp_path / "la.png").frame(0), shown)
    rgba = np.dstack([grey, grey // 2, grey // 3, alpha])
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    scan = open_scan(tmp_path / "rgba.png")
    assert scan.rgb
    np.testing.assert_array_equal(scan.frame(0), rgba[..., :3] * (alpha > 0)[..., None])


def test_one_bit(tmp_path: Path, grey: np.ndarray) -> None:
    Image.fromarray(grey > 100).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(
        open_scan(tmp_path / "mask.png").frame(0), np.where(grey > 100, 255, 0)
    )


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_sixteen_bits(tmp_path: Path, grey: np.ndarray, bits: int) -> None:
    top = 2**bits - 1
    deep = np.rint(grey.astype(float) / grey.max() * top).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    scan = open_scan(tmp_path / "deep.png")
    np.testing.assert_array_equal(scan.frame(0), np.floor(deep * 255.0 / top + 0.5))


def test_cmyk_jpeg_is_colour(tmp_path: Path, grey: np.ndarray) -> None:
    Image.fromarray(grey).convert("RGB").convert("CMYK").save(tmp_path / "a.jpg")
    assert open_scan(tmp_path / "a.jpg").frame(0).shape == (40, 60, 3)


def test_animation(tmp_path: Path) -> None:
    frames = [Image.new("L", (9, 7), 40 * k) for k in range(5)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=40)
    scan = open_scan(tmp_path / "a.gif")
    assert (scan.n_frames, scan.frame_time) == (5, 0.04)
    assert [int(scan.frame(k).mean()) for k in (4, 0, 2)] == [160, 0, 80]


def test_extension_that_lies_is_noted(tmp_path: Path, grey: np.ndarray) -> None:
    Image.fromarray(grey).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    scan = open_scan(tmp_path / "a.jpg")
    assert scan.problems == ("called .jpg, but its content is PNG",)
    (tmp_path / "a.jpg").rename(tmp_path / "a")
    assert open_scan(tmp_path / "a").problems == ()


def test_trailing_bytes_after_a_jpeg_do_not_matter(tmp_path: Path, grey: np.ndarray) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(grey).save(path)
    path.write_bytes(path.read_bytes() + b"camera notes" * 1000)
    assert open_scan(path).frame(0).shape == grey.shape


@pytest.mark.parametrize("part", ["hc18/images", "psfhs/images", "brain/images", "planes/images"])
def test_real_scans(data_dir: Path, part: str) -> None:
    for path in sorted((data_dir / part).glob("*.png"))[:3]:
        scan = open_scan(path)
        with Image.open(path) as image:
            assert (scan.width, scan.height) == image.size
            np.testing.assert_array_equal(scan.frame(0), np.asarray(image))
        assert scan.spacing is None
        assert scan.problems == ()
