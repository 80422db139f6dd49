"""Depth ticks: found where they were drawn, not where there is only tissue; never taken unasked."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_fada.errors import MeasureError
from napari_fada.measure import Scales, find_ticks, proposed_length, scale_from_ticks
from napari_fada.measure.ticks import Comb


def speckle(height: int, width: int, seed: int = 0, level: float = 60.0) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed).rayleigh(1.0, (height, width)), 1.2)
    return np.clip(noise / noise.mean() * level, 0, 255).astype(np.uint8)


def ruler(
    spacing: float, *, height: int = 600, width: int = 800, start: float = 20, x: int = 24
) -> np.ndarray:
    """Draw a scan with ticks at the left: each second is longer, each tenth longer still."""
    image = speckle(height, width)
    image[:, :60] = 0
    for k in range(int((height - 10 - start) / spacing) + 1):
        y = round(start + k * spacing)
        length = 12 if k % 10 == 0 else 6 if k % 2 == 0 else 3
        image[y : y + 2, x : x + length] = 230
    return image


@given(st.floats(9, 80), st.floats(5, 40))
@settings(max_examples=25, deadline=None)
def test_the_spacing_is_right_to_a_fraction_of_a_pixel(spacing: float, start: float) -> None:
    (comb,) = find_ticks(ruler(spacing, start=start))
    assert comb.edge == "left"
    # Each tick is drawn on whole pixels: over n of them the spacing is right to about 1/n.
    assert comb.spacing == pytest.approx(spacing, abs=1.0 / len(comb.places))
    assert 24 <= comb.across <= 27
    assert len(comb.places) >= int((600 - 10 - start) / spacing)


def test_every_edge_is_looked_at_and_the_corner_is_the_origin() -> None:
    image = ruler(30.0)
    for edge, turned in (
        ("left", image),
        ("right", image[:, ::-1]),
        ("top", image.T),
        ("bottom", image.T[::-1]),
    ):
        (comb,) = find_ticks(turned)
        assert comb.edge == edge
        assert comb.vertical == (edge in ("left", "right"))
        assert comb.size == (turned.shape[1], turned.shape[0])
        x, y = comb.points[0]
        along = y if comb.vertical else x
        assert along == pytest.approx(21.0, abs=0.6)  # rows 20 and 21: their middle is at 21.0


def test_longer_ticks_are_told_and_give_the_proposal() -> None:
    (comb,) = find_ticks(ruler(28.0))
    assert comb.every == (2, 10)
    assert proposed_length(comb) == 5.0
    scale = scale_from_ticks([(comb, 5.0)], proposed=True)
    assert scale.x == scale.y == pytest.approx(5 / 28, rel=2e-3)
    assert "ticks 28.0" in scale.note
    assert "taken as 5 mm each; square pixels" in scale.note
    assert "(proposed, to be confirmed)" in str(scale)
    # Nothing is measured with what nobody has confirmed.
    scales = Scales([scale])
    assert scales.main is None
    assert scales.proposed == (scale,)


@pytest.mark.parametrize("level", [30.0, 60.0, 110.0])
def test_speckle_is_no_ruler(level: float) -> None:
    for seed in range(6):
        assert find_ticks(speckle(500, 700, seed, level)) == ()


def test_dark_ticks_on_light_and_colour_images() -> None:
    dark = 255 - ruler(40.0)
    dark[:, 60:] = speckle(600, 740)
    (comb,) = find_ticks(np.repeat(dark[..., None], 3, axis=2))
    assert comb.spacing == pytest.approx(40.0, abs=0.1)


def test_twelve_bits_are_looked_at_as_eight() -> None:
    deep = ruler(40.0).astype(np.uint16) * 16
    (comb,) = find_ticks(deep)
    assert comb.spacing == pytest.approx(40.0, abs=0.1)
    assert find_ticks(speckle(500, 700).astype(np.uint16) * 16) == ()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((5, 5), np.uint8),
        np.zeros((600, 800), np.uint8),
        np.full((600, 800), 255, np.uint8),
    ],
)
def test_nothing_to_see_is_no_error(image: np.ndarray) -> None:
    assert find_ticks(image) == ()


def comb_of(edge: str, spacing: float, every: tuple[int, ...] = ()) -> Comb:
    places = tuple(10 + spacing * k for k in range(8))
    return Comb(edge, spacing, places, 25.0, every, (800, 600), 0.2)  # type: ignore[arg-type]


def test_both_directions_give_oblong_pixels() -> None:
    scale = scale_from_ticks([(comb_of("left", 40), 10.0), (comb_of("bottom", 50), 10.0)])
    assert (scale.y, scale.x) == pytest.approx((0.25, 0.2))
    assert "square" not in scale.note
    assert not scale.proposed


def test_a_proposal_has_a_depth_that_a_scan_can_have() -> None:
    assert proposed_length(comb_of("left", 60, (10,))) == 10.0  # 100 mm deep
    assert proposed_length(comb_of("left", 15, (10,))) == 5.0  # 10 mm each would be 400 mm
    assert proposed_length(comb_of("left", 8, (2, 10))) == 1.0  # 75 mm


@pytest.mark.parametrize("length", [0.0, -3.0, float("nan"), float("inf"), 1000.0])
def test_a_length_that_is_none_is_refused(length: float) -> None:
    with pytest.raises(MeasureError):
        scale_from_ticks([(comb_of("left", 40), length)])
    with pytest.raises(MeasureError, match="No ticks"):
        scale_from_ticks([])


def grey(path: Path) -> np.ndarray:
    return np.array(Image.open(path).convert("L"))


def test_rulers_of_real_machines_are_found(data_dir: Path) -> None:
    planes = sorted((data_dir / "planes" / "images").glob("*.png"))
    found = {p.name: find_ticks(grey(p)) for p in planes}
    assert len(planes) == 41
    assert sum(bool(combs) for combs in found.values()) >= 28
    # Read off by eye, over all ticks that can be seen.
    for name, edge, spacing in (
        ("Patient01678_Plane1_1_of_1.png", "left", 25.95),
        ("Patient01691_Plane3_3_of_3.png", "left", 30.13),
        ("Patient01694_Plane3_1_of_3.png", "bottom", 33.54),
    ):
        comb = found[name][0]
        assert comb.edge == edge
        assert comb.spacing == pytest.approx(spacing, abs=0.05)


def test_scans_without_a_ruler_give_none(data_dir: Path) -> None:
    with (data_dir / "hc18" / "measurements.csv").open() as file:
        names = [row[next(k for k in row if "file" in k.lower())] for row in csv.DictReader(file)]
    assert len(names) >= 690
    for name in names[:: len(names) // 40]:
        assert find_ticks(grey(data_dir / "hc18" / "images" / Path(name).name)) == (), name
