"""DICOM: each file inside pydicom, and each rule of pixels, scale, time and identity."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pydicom = pytest.importorskip("pydicom")

from napari_fada.scans import Spacing, open_scan  # noqa: E402
from napari_fada.scans.source import hash_file  # noqa: E402


@pytest.mark.parametrize(
    ("name", "size", "frames"),
    [
        ("examples_rgb_color.dcm", (240, 320), 1),
        ("examples_palette.dcm", (350, 800), 1),
        ("examples_ybr_color.dcm", (240, 320), 30),
        ("examples_jpeg2k.dcm", (480, 640), 1),
        ("ExplVR_BigEnd.dcm", (60, 80), 1),
        ("SC_rgb_rle_2frame.dcm", (100, 100), 2),
        ("SC_ybr_full_422_uncompressed.dcm", (100, 100), 1),
        ("SC_rgb_small_odd_big_endian.dcm", (3, 3), 1),
        ("SC_rgb_gdcm_KY.dcm", (100, 100), 1),
        ("SC_rgb_dcmtk_+eb+cy+np.dcm", (100, 100), 1),
    ],
)
def test_colour_files_of_pydicom(us_file, name: str, size: tuple[int, int], frames: int) -> None:
    path = us_file(name)
    scan = open_scan(path)
    assert (scan.height, scan.width, scan.n_frames, scan.rgb) == (*size, frames, True)
    assert scan.sha256 == hash_file(path)
    for k in {0, frames - 1}:
        frame = scan.frame(k)
        assert frame.shape == (*size, 3)
        assert frame.dtype == np.uint8
        expected = pydicom.pixels.pixel_array(path, index=k)
        if expected.ndim == 2:
            lut = pydicom.pixels.apply_color_lut(expected, pydicom.dcmread(path))
            expected = lut // 256
        np.testing.assert_array_equal(frame, expected)


def test_known_colours(us_file) -> None:
    """Against wrong planes and colour spaces: bands of pure colour in pydicom's samples."""
    for name in (
        "SC_rgb_rle.dcm",
        "SC_ybr_full_422_uncompressed.dcm",
        "SC_rgb_dcmtk_+eb+cy+np.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
    ):
        frame = open_scan(us_file(name)).frame(0).astype(int)
        for row, colour in ((5, (255, 0, 0)), (25, (0, 255, 0)), (45, (0, 0, 255))):
            assert np.abs(frame[row, 50] - colour).max() <= 6, name


def test_regions_of_the_cropped_sample(us_file) -> None:
    scan = open_scan(us_file("examples_palette.dcm"))
    (region,) = scan.regions
    assert (region.x0, region.y0, region.x1, region.y1) == (120, 60, 800, 350)
    assert (region.kind, region.data) == ("2d", "tissue")
    assert scan.spacing == region.spacing
    assert scan.spacing is not None
    assert scan.spacing.x == pytest.approx(0.26228787661969977)
    assert scan.spacing.origin == "dicom-region"
    assert any("beyond the image" in p for p in scan.problems)
    assert any("outside the image" in p for p in scan.problems)
    assert scan.spacing_at(130, 70) == scan.spacing
    assert scan.spacing_at(10, 10) is None


def test_cine_time_and_spacing(us_file) -> None:
    scan = open_scan(us_file("examples_ybr_color.dcm"))
    assert scan.frame_time == pytest.approx(0.033333)
    assert scan.spacing is not None
    assert scan.spacing.y == pytest.approx(0.510497)
    assert not np.array_equal(scan.frame(0), scan.frame(20))


def test_cine_decodes_one_frame_and_nothing_else(us_file, monkeypatch) -> None:
    """Only the fragment of the frame reaches the decoder; the rest is not even read."""
    from pydicom.pixels.decoders.base import DecodeRunner

    decoded: list[int] = []
    real = DecodeRunner._decode_frame

    def counting(self, source, *rest):
        decoded.append(len(source))
        return real(self, source, *rest)

    monkeypatch.setattr(DecodeRunner, "_decode_frame", counting)
    path = us_file("examples_ybr_color.dcm")
    scan = open_scan(path)
    assert decoded == []
    scan.frame(17)
    assert len(decoded) == 1
    assert decoded[0] < path.stat().st_size / 10
    scan.frame(17)
    scan.frame(3)
    assert len(decoded) == 3


def test_cine_survives_damage_in_the_frames_not_asked_for(tmp_path: Path, us_file) -> None:
    path = us_file("examples_ybr_color.dcm")
    data = bytearray(path.read_bytes())
    starts = [k for k in range(len(data) - 3) if data[k : k + 3] == b"\xff\xd8\xff"]
    assert len(starts) == 30
    for start in starts[:10] + starts[11:]:
        data[start : start + 200] = bytes(200)
    (tmp_path / "damaged.dcm").write_bytes(data)
    np.testing.assert_array_equal(
        open_scan(tmp_path / "damaged.dcm").frame(10), open_scan(path).frame(10)
    )


def test_uncompressed_cine_reads_the_bytes_of_one_frame(make_dicom, monkeypatch) -> None:
    import builtins

    clip = np.random.default_rng(0).integers(0, 255, (200, 64, 64)).astype(np.uint8)
    path = make_dicom(clip)
    scan = open_scan(path)
    read: list[int] = []
    real = io.open

    class Counting:
        def __init__(self, file):
            self._file = file

        def read(self, *size):
            data = self._file.read(*size)
            read.append(len(data))
            return data

        def __getattr__(self, name):
            return getattr(self._file, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._file.close()

    monkeypatch.setattr(builtins, "open", lambda *a, **k: Counting(real(*a, **k)))
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: Counting(real(self, *a, **k)))
    np.testing.assert_array_equal(scan.frame(150), clip[150])
    assert 64 * 64 <= sum(read) < 3 * 64 * 64


@pytest.mark.parametrize("planar", [0, 1])
def test_rgb_planes(make_dicom, planar: int) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (6, 8, 3)).astype(np.uint8)
    body = (rgb if planar == 0 else np.moveaxis(rgb, -1, 0)).tobytes()
    path = make_dicom(rgb, colour=True, PlanarConfiguration=planar, PixelData=body)
    np.testing.assert_array_equal(open_scan(path).frame(0), rgb)


def test_monochrome1_is_inverted(make_dicom) -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    path = make_dicom(pixels, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(open_scan(path).frame(0), 255 - pixels)
    deep = pixels.astype(np.uint16) * 80
    plain = open_scan(make_dicom(deep, WindowCenter=2000, WindowWidth=3000)).frame(0)
    path = make_dicom(
        deep, PhotometricInterpretation="MONOCHROME1", WindowCenter=2000, WindowWidth=3000
    )
    turned = open_scan(path).frame(0)
    assert np.abs(plain.astype(int) + turned - 255).max() <= 1


def test_sixteen_bits_take_the_files_window(make_dicom) -> None:
    pixels = np.array([[0, 999, 1000, 1500, 2000, 2001, 4000, 65535]] * 2, np.uint16)
    path = make_dicom(pixels, WindowCenter=1500.5, WindowWidth=1001)
    assert open_scan(path).frame(0)[0].tolist() == [0, 0, 0, 128, 255, 255, 255, 255]
    # The window is in rescaled values.
    path = make_dicom(
        pixels, WindowCenter=[3001.0, 9.0], WindowWidth=[2001.0, 9.0], RescaleSlope=2,
        RescaleIntercept=0,
    )  # fmt: skip
    assert open_scan(path).frame(0)[0].tolist() == [0, 0, 0, 127, 255, 255, 255, 255]


def test_sixteen_bit_cine_without_window_has_one_scale(make_dicom) -> None:
    clip = np.stack([np.full((6, 8), v, np.uint16) for v in (0, 1000, 4000)])
    scan = open_scan(make_dicom(clip, BitsStored=12, HighBit=11))
    assert [int(scan.frame(k)[0, 0]) for k in (1, 0, 2)] == [62, 0, 249]


def test_deflated(us_file) -> None:
    path = us_file("image_dfl.dcm")
    expected = pydicom.dcmread(path).pixel_array
    np.testing.assert_array_equal(open_scan(path).frame(0), expected)


def test_without_preamble(make_dicom) -> None:
    scan = open_scan(make_dicom(preamble=False))
    np.testing.assert_array_equal(scan.frame(0), np.arange(48).reshape(6, 8))
    assert "it has no DICOM preamble" in scan.problems


def test_a_tiff_header_in_the_preamble_is_still_dicom(us_file) -> None:
    path = us_file("examples_rgb_color.dcm")
    assert path.read_bytes()[:2] == b"II"
    assert open_scan(path).n_frames == 1


def test_name_says_nothing(tmp_path: Path, make_dicom) -> None:
    path = make_dicom().rename(tmp_path / "IM_0001")
    assert open_scan(path).problems == ()
    path = path.rename(tmp_path / "IM_0001.png")
    assert open_scan(path).problems == ("called .png, but its content is DICOM",)


class TestSpacing:
    def test_two_panes(self, make_dicom, make_region) -> None:
        left = make_region((0, 0, 19, 29), delta=(0.02, -0.03))
        right = make_region((20, 0, 39, 29), delta=(0.04, 0.04), data=2)
        pixels = np.zeros((30, 40), np.uint8)
        scan = open_scan(make_dicom(pixels, SequenceOfUltrasoundRegions=[right, left]))
        assert scan.spacing is not None
        assert (scan.spacing.y, scan.spacing.x) == pytest.approx((0.3, 0.2))  # tissue first
        assert scan.spacing_at(19.9, 5).x == pytest.approx(0.2)
        assert scan.spacing_at(20.0, 5).x == pytest.approx(0.4)
        assert any("different scales" in p for p in scan.problems)

    @pytest.mark.parametrize(
        "change", [{"units": 4}, {"units": 0}, {"form": 2}, {"form": 3}, {"form": 0}]
    )
    def test_what_has_no_millimetres(self, make_dicom, make_region, change: dict) -> None:
        region = make_region((0, 0, 19, 29), **change)
        scan = open_scan(
            make_dicom(np.zeros((30, 40), np.uint8), SequenceOfUltrasoundRegions=[region])
        )
        assert scan.spacing is None
        assert scan.spacing_at(3, 3) is None

    def test_step_of_zero_is_said(self, make_dicom, make_region) -> None:
        region = make_region((0, 0, 19, 29), delta=(0.0, 0.02))
        scan = open_scan(
            make_dicom(np.zeros((30, 40), np.uint8), SequenceOfUltrasoundRegions=[region])
        )
        assert scan.spacing is None
        assert "no step" in scan.problems[0]

    def test_region_on_top(self, make_dicom, make_region) -> None:
        image = make_region((0, 0, 39, 29))
        trace = make_region((10, 20, 30, 29), form=4, units=4)
        behind = make_region((2, 2, 5, 5), form=5, flags=1)
        scan = open_scan(
            make_dicom(
                np.zeros((30, 40), np.uint8), SequenceOfUltrasoundRegions=[image, trace, behind]
            )
        )
        assert scan.spacing_at(15, 25) is None
        assert scan.spacing_at(15, 10) is not None
        assert scan.spacing_at(3, 3) is not None  # the low-priority region lies below

    @pytest.mark.parametrize(
        ("attributes", "expected"),
        [
            ({"PixelSpacing": [0.2, 0.1]}, Spacing(0.2, 0.1, "dicom-pixel-spacing")),
            ({"ImagerPixelSpacing": [0.2, 0.1]}, Spacing(0.2, 0.1, "dicom-imager")),
            ({"NominalScannedPixelSpacing": [0.2, 0.1]}, Spacing(0.2, 0.1, "dicom-imager")),
            (
                {"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.3, 0.3]},
                Spacing(0.2, 0.1, "dicom-pixel-spacing"),
            ),
            ({"PixelSpacing": [0, 0]}, None),
            ({}, None),
        ],
    )
    def test_fallbacks(self, make_dicom, attributes: dict, expected: Spacing | None) -> None:
        scan = open_scan(make_dicom(**attributes))
        assert scan.spacing == expected
        assert scan.spacing_at(1, 1) == expected
        if expected is None and attributes:
            assert "no millimetres" in scan.problems[0]

    def test_region_wins_over_pixel_spacing(self, make_dicom, make_region) -> None:
        pixels = np.zeros((30, 40), np.uint8)
        options = {"PixelSpacing": [0.5, 0.5]}
        region = make_region((0, 0, 19, 29))
        scan = open_scan(make_dicom(pixels, SequenceOfUltrasoundRegions=[region], **options))
        assert scan.spacing is not None
        assert scan.spacing.origin == "dicom-region"
        # A region without millimetres does not get them from elsewhere; the rest does.
        region = make_region((0, 0, 19, 29), units=4)
        scan = open_scan(make_dicom(pixels, SequenceOfUltrasoundRegions=[region], **options))
        assert scan.spacing_at(3, 3) is None
        assert scan.spacing_at(30, 3) == Spacing(0.5, 0.5, "dicom-pixel-spacing")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"FrameTime": 40}, 0.04),
        ({"FrameTimeVector": [0, 20, 20]}, 0.02),
        ({"FrameTimeVector": [0, 20, 20], "FrameTime": 40}, 0.04),
        (
            {"FrameTimeVector": [0, 20, 20], "FrameTime": 40, "FrameIncrementPointer": 0x00181065},
            0.02,
        ),
        ({"CineRate": 50}, 0.02),
        ({"RecommendedDisplayFrameRate": 10}, 0.1),
        ({"FrameTime": 0, "CineRate": 50}, 0.02),
        ({}, None),
    ],
)
def test_frame_time(make_dicom, attributes: dict, expected: float | None) -> None:
    scan = open_scan(make_dicom(np.zeros((3, 6, 8), np.uint8), **attributes))
    assert scan.frame_time == (pytest.approx(expected) if expected else None)


def test_uneven_frame_times_are_said(make_dicom) -> None:
    path = make_dicom(np.zeros((4, 6, 8), np.uint8), FrameTimeVector=[0, 20, 20, 90])
    scan = open_scan(path)
    assert scan.frame_time == pytest.approx(0.02)
    assert "unevenly" in scan.problems[0]


def test_other_modalities_are_said(us_file) -> None:
    assert "its modality is MR, not ultrasound" in open_scan(us_file("MR_small.dcm")).problems


def test_identity(make_dicom) -> None:
    identity = open_scan(make_dicom(PatientID=" P7 ")).identity
    assert (identity.patient, identity.study, identity.clip) == ("P7", "1.2.3.4", "scan")
    assert "P7" not in repr(open_scan(make_dicom(PatientID="P7")))


def test_names_are_never_read(make_dicom) -> None:
    from napari_fada.scans.dicom_tags import WANTED

    scan = open_scan(make_dicom(PatientName="Doe^Jane", PatientBirthDate="19900101"))
    kept = scan.decode._source.raw._dataset  # type: ignore[attr-defined]
    assert {e.keyword for e in kept} <= set(WANTED)


def test_jpeg_cine(make_dicom) -> None:
    clip = np.stack([np.full((16, 16), 20 * k, np.uint8) for k in range(6)])
    fragments = []
    for frame in clip:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=95)
        fragments.append(buffer.getvalue())
    scan = open_scan(make_dicom(clip, syntax="1.2.840.10008.1.2.4.50", fragments=fragments))
    for k in (5, 0, 3):
        assert abs(float(scan.frame(k).mean()) - 20 * k) <= 1


def test_jpeg_ls_opens_with_the_extra(make_dicom, tmp_path: Path) -> None:
    from pydicom import dcmread
    from pydicom.uid import JPEGLSLossless

    path = make_dicom(np.arange(48, dtype=np.uint8).reshape(1, 6, 8))
    before = open_scan(path).frame(0)
    data = dcmread(path)
    data.compress(JPEGLSLossless)
    data.save_as(tmp_path / "ls.dcm")
    assert (open_scan(tmp_path / "ls.dcm").frame(0) == before).all()
