"""Scans of pixels in memory, as napari layers hold them; spacing of layers; identity."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fada.errors import ScanError
from napari_fada.scans import (
    Identity,
    Region,
    Scan,
    Spacing,
    scan_from_array,
    spacing_from_scale,
)


@pytest.mark.parametrize(
    ("shape", "options", "frames", "size", "rgb"),
    [
        ((40, 60), {}, 1, (40, 60), False),
        ((40, 60, 3), {}, 1, (40, 60), True),
        ((40, 60, 4), {}, 1, (40, 60), True),
        ((5, 40, 60), {}, 5, (40, 60), False),
        ((5, 40, 60, 3), {}, 5, (40, 60), True),
        ((5, 40, 3), {"rgb": False}, 5, (40, 3), False),
        ((3, 40, 3), {}, 3, (40, 3), False),
    ],
)
def test_shapes(shape, options: dict, frames: int, size: tuple[int, int], rgb: bool) -> None:
    array = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    if shape[-1] == 4:
        array[..., 3] = 255
    scan = scan_from_array(array, "layer", **options)
    assert (scan.n_frames, (scan.height, scan.width), scan.rgb) == (frames, size, rgb)
    last = array if frames == 1 else array[-1]
    np.testing.assert_array_equal(scan.frame(frames - 1), last[..., :3] if rgb else last)
    assert scan.identity.clip == "layer"


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (np.zeros(5), {}),
        (np.zeros((2, 3, 4, 5, 6)), {}),
        (np.zeros((2, 9, 9, 5), np.uint8), {}),
        (np.zeros((9, 9), complex), {}),
        (np.zeros((0, 9), np.uint8), {}),
        (np.zeros((0, 9, 9), np.uint8), {}),
        (np.zeros((9, 9), np.uint8), {"rgb": True}),
        (np.array([["a", "b"]]), {}),
    ],
)
def test_what_is_no_scan(array: np.ndarray, options: dict) -> None:
    with pytest.raises(ScanError):
        scan_from_array(array, "layer", **options)


def test_scaling() -> None:
    deep = np.array([[0, 1000, 4095, 2000]] * 2, np.uint16)
    assert scan_from_array(deep).frame(0)[0].tolist() == [0, 62, 255, 125]
    limited = scan_from_array(deep, contrast_limits=(1000, 2000))
    assert limited.frame(0)[0].tolist() == [0, 0, 255, 255]
    assert limited.sha256 == scan_from_array(deep).sha256
    unit = np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3)
    assert scan_from_array(unit).frame(0).ravel().tolist() == [0, 51, 102, 153, 204, 255]
    assert scan_from_array(unit > 0.5).frame(0).max() == 255
    colour = np.dstack([np.full((6, 6), v, np.float32) for v in (0, 0.5, 1)])
    assert scan_from_array(colour).frame(0)[0, 0].tolist() == [0, 128, 255]


def test_scale_is_the_same_whatever_frame_comes_first() -> None:
    clip = np.stack([np.full((8, 8), v, np.uint16) for v in (10, 1000)])
    assert int(scan_from_array(clip).frame(0)[0, 0]) == 2
    assert int(scan_from_array(clip).frame(1)[0, 0]) == 249


def test_hash_is_of_the_pixels() -> None:
    array = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    digest = scan_from_array(array).sha256
    assert digest == scan_from_array(array.astype(">u2"), "other name").sha256
    assert digest == scan_from_array(np.asfortranarray(array)).sha256
    assert digest != scan_from_array(array.reshape(2, 4, 3)).sha256
    assert digest != scan_from_array(array.astype(np.uint32)).sha256
    array[1, 2, 3] += 1
    assert digest != scan_from_array(array).sha256
    plain = np.zeros((2, 2), np.uint8)
    assert scan_from_array(plain).sha256 == hashlib.sha256(b"|u1(2, 2)" + bytes(4)).hexdigest()


def test_lazy_arrays_are_sliced_frame_by_frame() -> None:
    taken: list[int] = []

    class Lazy:
        shape, dtype = (4, 8, 9), np.dtype(np.uint8)

        def __getitem__(self, index: int) -> np.ndarray:
            taken.append(index)
            return np.full((8, 9), index, np.uint8)

    scan = scan_from_array(Lazy(), "lazy")
    taken.clear()
    assert int(scan.frame(2)[0, 0]) == 2
    assert taken == [2]


@pytest.mark.parametrize(
    ("scale", "units", "expected"),
    [
        ((1.0, 0.2, 0.1), ("second", "millimeter", "millimeter"), (0.2, 0.1)),
        ((0.02, 0.01), "cm", (0.2, 0.1)),
        ((-200.0, 100.0), ("micrometer", "µm"), (0.2, 0.1)),
        ((0.2, 0.1), ("pixel", "pixel"), None),
        ((1.0, 1.0), None, None),
        ((0.2, 0.1), ("millimeter", "pixel"), None),
        ((0.0, 0.1), "mm", None),
        ((0.1,), "mm", None),
    ],
)
def test_spacing_of_layers(scale, units, expected) -> None:
    spacing = spacing_from_scale(scale, units)
    if expected is None:
        assert spacing is None
    else:
        assert (spacing.y, spacing.x) == pytest.approx(expected)
        assert spacing.origin == "layer-scale"
    scan = scan_from_array(np.zeros((9, 9), np.uint8), spacing=spacing)
    assert scan.spacing_at(1, 1) == spacing
    assert scan.ref().spacing_origin == (spacing.origin if spacing else None)


class TestIdentity:
    def test_patient_then_study_then_clip(self) -> None:
        salt = b"s" * 16
        full = Identity("P1", "1.2", "a")
        assert full.hashed(salt) == Identity("P1", "9.9", "b").hashed(salt)
        assert Identity("", "1.2", "a").hashed(salt) == Identity("", "1.2", "b").hashed(salt)
        assert Identity("", "", "a").hashed(salt) != Identity("", "", "b").hashed(salt)
        # The same text in another place is somebody else.
        assert Identity("a").hashed(salt) != Identity("", "a").hashed(salt)
        assert Identity().hashed(salt) == ""

    @given(st.binary(min_size=1, max_size=200), st.binary(min_size=1, max_size=200))
    def test_every_byte_of_a_salt_counts(self, one: bytes, other: bytes) -> None:
        identity = Identity("P1")
        assert len(identity.hashed(one)) == 16
        assert (identity.hashed(one) == identity.hashed(other)) == (one == other)

    @pytest.mark.parametrize(("one", "other"), [(b"a", b"a\0"), (b"x" * 64, b"x" * 65)])
    def test_padding_and_length_count(self, one: bytes, other: bytes) -> None:
        assert Identity("P1").hashed(one) != Identity("P1").hashed(other)

    def test_no_salt_no_hash(self) -> None:
        with pytest.raises(ValueError, match="salt"):
            Identity("P1").hashed(b"")

    def test_raw_values_are_not_printed(self) -> None:
        assert "P1" not in repr(Identity("P1", "1.2", "clip"))


def test_region_edges() -> None:
    region = Region(2, 3, 5, 7, "2d", Spacing(0.1, 0.1, "dicom-region"))
    scan = Scan("a", "0", 9, 9, 1, decode=lambda _: np.zeros((9, 9), np.uint8), regions=(region,))
    assert region.area == 12
    assert scan.spacing_at(2, 3) == region.spacing
    assert scan.spacing_at(4.99, 6.99) == region.spacing
    assert scan.spacing_at(5, 3) is None
    assert scan.spacing_at(2, 7) is None
