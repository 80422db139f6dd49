"""Ellipses: fitted without bias, kept as polygons, read back exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from shapely import Polygon

from napari_fada.errors import ShapeError
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import VERTICES, Ellipse, ellipse_of, fit_ellipse
from napari_fada.records.geometry import mask_to_annotation, simplify

ellipses = st.builds(
    lambda x, y, a, share, angle: Ellipse(x, y, a, a * share, angle),
    st.floats(-100, 900),
    st.floats(-100, 900),
    st.floats(5, 400),
    st.floats(0.35, 0.97),
    st.floats(0, math.pi - 1e-3),
)


@settings(max_examples=60, deadline=None)
@given(ellipses, st.integers(8, 90))
def test_corners_on_an_ellipse_give_it_back(ellipse, n):
    found = fit_ellipse(ellipse.polygon(n))
    assert [found.x, found.y, found.a, found.b] == pytest.approx(
        [ellipse.x, ellipse.y, ellipse.a, ellipse.b], rel=1e-4, abs=1e-3
    )
    turn = (found.angle - ellipse.angle + math.pi / 2) % math.pi - math.pi / 2
    assert abs(turn) < 1e-3
    record = Annotation("Brain", "polygon", ellipse.polygon(n))
    assert ellipse_of(record) == found


def test_a_polygon_is_read_back_as_an_ellipse_only_if_it_is_one():
    ring = list(Ellipse(400, 270, 200, 150, 0.3).polygon())
    ring[5] = (ring[5][0] + 0.5, ring[5][1])
    assert ellipse_of(Annotation("Brain", "polygon", tuple(ring))) is None
    assert ellipse_of(Annotation("Brain", "box", ((0, 0), (10, 10)))) is None


def test_the_polygon_of_an_ellipse_has_nearly_its_area():
    ellipse = Ellipse(0, 0, 200, 150, 1.0)
    share = Polygon(ellipse.polygon()).area / (math.pi * 200 * 150)
    assert 0.998 < share < 1
    assert len(ellipse.polygon()) == VERTICES


@pytest.mark.parametrize(("long", "short"), [(120, 90), (60, 47), (250, 190)])
def test_axes_fitted_to_a_painted_mask_are_not_too_short(long, short):
    """The border pixels' centres lie inside the mask: fitting them loses a pixel of each axis."""
    yy, xx = np.mgrid[:540, :800] + 0.5
    mask = ((xx - 400.3) / long) ** 2 + ((yy - 269.6) / short) ** 2 < 1
    traced = mask_to_annotation(mask, "Brain")
    for outline in (traced, simplify(traced, 0.5)):
        found = fit_ellipse(outline.points)
        assert found.a == pytest.approx(long, abs=0.25)
        assert found.b == pytest.approx(short, abs=0.25)


def test_few_corners_of_a_real_head_are_enough(data_dir):
    """Outlines as models write them (1 % of the perimeter): the chords lie inside the head."""
    bias = []
    for path in sorted((data_dir / "hc18/masks").glob("*.png"))[:10]:
        with Image.open(path) as im:
            mask = np.asarray(im, bool)
        traced = mask_to_annotation(mask, "Brain")
        perimeter = Polygon(traced.points).length
        sparse = simplify(traced, 0.008 * perimeter)
        full, few = fit_ellipse(traced.points), fit_ellipse(sparse.points)
        bias.append(((few.a + few.b) / (full.a + full.b)) - 1)
        chords = math.sqrt(Polygon(sparse.points).area / (math.pi * full.a * full.b)) - 1
        assert abs(bias[-1]) < abs(chords)
    assert abs(np.mean(bias)) < 0.004


@pytest.mark.parametrize(
    "points",
    [
        ((0, 0), (1, 0), (1, 1), (0, 1)),
        tuple((float(i), 0.0) for i in range(10)),
        ((0, 0),) * 9,
        ((0, 0), (1, 0), (2, math.nan), (0, 5), (4, 4), (3, 9)),
    ],
)
def test_what_is_no_ellipse_is_refused(points):
    with pytest.raises(ShapeError):
        fit_ellipse(points)
