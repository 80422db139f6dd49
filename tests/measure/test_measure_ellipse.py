"""Ellipses in mm: found again whatever the pixels, from corners and masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from napari_fada.errors import MeasureError
from napari_fada.measure.calibration import Scale
from napari_fada.measure.ellipse import (
    bpd_outer_inner,
    bpd_outer_outer,
    circumference,
    is_painted,
    measured_ellipse,
)
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse
from napari_fada.records.geometry import mask_to_annotation, rasterise


def test_ramanujan() -> None:
    assert circumference(50, 40) == pytest.approx(283.617, abs=6e-4)
    assert circumference(55.4, 43.3) == pytest.approx(311.241, abs=6e-4)
    assert circumference(45, 45) == pytest.approx(282.743, abs=6e-4)


def test_bpd_conversion() -> None:
    assert bpd_outer_outer(50) == pytest.approx(51.92, abs=0.006)
    assert bpd_outer_inner(50) == pytest.approx(48.17, abs=0.006)


@settings(max_examples=60, deadline=None)
@given(
    a=st.floats(15, 60),
    ratio=st.floats(0.6, 0.95),
    angle=st.floats(0, math.pi),
    y=st.floats(0.05, 0.4),
    stretch=st.floats(0.7, 1.4),
    corners=st.integers(12, 400),
)
def test_corners_give_the_ellipse_whatever_the_pixels(
    a: float, ratio: float, angle: float, y: float, stretch: float, corners: int
) -> None:
    scale = Scale(y, y * stretch, "user")
    truth = Ellipse(70.0, 65.0, a, a * ratio, angle)
    drawn = Annotation("Brain", "polygon", scale.to_pixels(truth.polygon(corners)))
    found = measured_ellipse(drawn, scale)
    assert found.circumference == pytest.approx(circumference(truth.a, truth.b), rel=2e-3)
    assert found.long_axis == pytest.approx(2 * truth.a, rel=1e-2)
    assert found.short_axis == pytest.approx(2 * truth.b, rel=1e-2)
    # The calipers' ends are as far apart in mm as they say.
    for axis, value in (("long", found.long_axis), ("short", found.short_axis)):
        p, q = found.caliper(axis, "x").points
        assert scale.length(p, q) == pytest.approx(value, rel=1e-9)


def painted_error(a: float, ratio: float, angle: float, stretch: float) -> tuple[float, float]:
    """Paint a known ellipse and return what its moments miss: both axes, in columns of 0.2 mm."""
    scale = Scale(0.2, 0.2 * stretch, "user")
    # In the middle of 380 x 290: half of it is 171 pixels wide at most.
    truth = Ellipse(190 * scale.x, 145 * scale.y, 0.2 * a, 0.2 * a * ratio, angle)
    outline = Annotation("Brain", "polygon", scale.to_pixels(truth.polygon(400)))
    painted = mask_to_annotation(rasterise(outline, (290, 380)), "Brain")
    assert painted is not None
    assert is_painted(painted)
    assert not is_painted(outline)
    found = measured_ellipse(painted, scale, (380, 290))
    assert measured_ellipse(painted, scale).mm == found.mm  # nothing of it leaves the image
    return found.long_axis / 0.2 - 2 * a, found.short_axis / 0.2 - 2 * a * ratio


@settings(max_examples=15, deadline=None)
@given(
    a=st.floats(40, 120),
    ratio=st.floats(0.6, 0.95),
    angle=st.floats(0, math.pi),
    stretch=st.floats(0.7, 1.4),
)
# Found by search: which pixels an edge takes in is chance, and along an axis many go the same way.
@example(a=46.6875, ratio=0.68359375, angle=0.0, stretch=1.075684235902568)
def test_a_painted_mask_is_measured_to_a_fraction_of_a_pixel(
    a: float, ratio: float, angle: float, stretch: float
) -> None:
    assert painted_error(a, ratio, angle, stretch) == pytest.approx((0, 0), abs=0.7)


def test_a_painted_mask_is_measured_without_bias() -> None:
    # Half a pixel too much at either end, a usual fault of masks, would be 1.
    rng = np.random.default_rng(0)
    low, high = (40, 0.6, 0, 0.85), (115, 0.95, math.pi, 1.4)
    errors = np.array([painted_error(*rng.uniform(low, high)) for _ in range(150)])
    assert np.abs(errors.mean(axis=0)) == pytest.approx((0, 0), abs=0.03)


def test_moments_of_the_known_examples() -> None:
    for long, short in ((240, 180), (120, 94), (500, 380)):
        outline = Ellipse(300, 300, long / 2, short / 2, 0.4).polygon(720)
        painted = mask_to_annotation(
            rasterise(Annotation("Brain", "polygon", outline), (600, 600)), "Brain"
        )
        assert painted is not None
        found = measured_ellipse(painted, None)
        assert found.long_axis == pytest.approx(long, abs=0.12)
        assert found.short_axis == pytest.approx(short, abs=0.12)


def test_corners_of_a_coarse_polygon_give_the_whole_ellipse() -> None:
    truth = Ellipse(400, 270, 220, 170, 0.3)
    coarse = Annotation("Brain", "polygon", truth.polygon(13))
    scale = Scale(0.15, 0.15, "csv")
    found = measured_ellipse(coarse, scale)
    assert found.circumference == pytest.approx(0.15 * circumference(220, 170), abs=0.03)
    # Its pixels are those of the curve, not of the chords, which would be millimetres too short.
    pixels = rasterise(coarse, (540, 800))
    painted = mask_to_annotation(pixels, "Brain")
    assert painted is not None
    assert measured_ellipse(painted, scale).circumference == pytest.approx(
        found.circumference, abs=0.03
    )


@pytest.mark.parametrize(
    ("record", "word"),
    [
        (Annotation("head", "box", ((0, 0), (10, 10))), "needs an outline"),
        (Annotation("head", "polygon", ((0, 0), (10, 0), (5, 9))), "five corners"),
        (
            Annotation(
                "head",
                "polygon",
                ((0, 0), (50, 8), (100, 0), (92, 50), (100, 100), (50, 92), (0, 100), (50, 50)),
            ),
            "no ellipse",
        ),
    ],
)
def test_what_is_no_ellipse_gives_a_reason(record: Annotation, word: str) -> None:
    with pytest.raises(MeasureError, match=word):
        measured_ellipse(record, Scale(0.1, 0.1, "user"))


def test_a_mask_that_is_no_ellipse_gives_a_reason() -> None:
    mask = np.zeros((100, 100), bool)
    mask[10:90, 10:20] = mask[80:90, 10:90] = True
    painted = mask_to_annotation(mask, "head")
    assert painted is not None
    with pytest.raises(MeasureError, match="no ellipse"):
        measured_ellipse(painted, Scale(0.1, 0.1, "user"))
