"""Geometry: the grid, rasters against skimage, and polygons that come back as they were."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from skimage.draw import polygon2mask

from napari_fada.records import geometry as g
from napari_fada.records.annotation import Annotation

sizes = st.integers(1, 4000)
coordinate = st.floats(-5, 70, allow_nan=False).map(lambda v: round(v, 3) + 0.0001234)


def poly(*points, rings=()):
    return Annotation("CSP", "polygon", tuple(points), rings=tuple(rings))


@settings(deadline=None)
@given(st.integers(0, 999), st.integers(0, 999), sizes, sizes)
def test_grid_numbers_come_back_exactly(x, y, width, height):
    pixels = g.grid_to_pixels([(x, y)], width, height)
    assert g.pixels_to_grid(pixels, width, height) == ((x, y),)


@settings(deadline=None)
@given(st.floats(0, 1), sizes)
def test_writing_on_the_grid_costs_at_most_half_a_step(share, width):
    x = share * width
    back = g.grid_to_pixels(g.pixels_to_grid([(x, 0)], width, 1), width, 1)[0][0]
    limit = width / 2000 if x <= 0.9995 * width else width / 1000
    assert abs(back - x) <= limit * (1 + 1e-9)


def assert_equal_but_on_the_line(ours, theirs, *rings):
    """Compare masks; skimage counts every centre on the outline as inside, we half of them."""
    rows, columns = np.nonzero(ours != theirs)
    centres = shapely.points(columns + 0.5, rows + 0.5)
    lines = shapely.MultiLineString([[*ring, ring[0]] for ring in rings])
    assert (shapely.distance(centres, lines) < 1e-9).all()


def test_grid_is_clipped_to_0_and_999():
    assert g.pixels_to_grid([(-3, 50), (800, 540), (900, 600)], 800, 540) == (
        (0, 93),
        (999, 999),
        (999, 999),
    )


def test_a_box_of_ten_by_ten_holds_a_hundred_pixels():
    mask = g.rasterise(Annotation("CSP", "box", ((0, 0), (10, 10))), (20, 30))
    assert mask.sum() == 100
    assert mask[:10, :10].all()
    # Corners in any order, and the part outside the image is cut off.
    turned = Annotation("CSP", "box", ((10, -5), (-3, 10)))
    assert (g.rasterise(turned, (20, 30)) == mask).all()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=12))
def test_rasters_equal_those_of_skimage_half_a_pixel_apart(points):
    ours = g.rasterise(poly(*points), (50, 60))
    theirs = polygon2mask((50, 60), np.asarray(points)[:, ::-1] - 0.5)
    assert_equal_but_on_the_line(ours, theirs, points)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=8),
    st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=8),
)
def test_rings_are_even_odd(outer, inner):
    together = g.rasterise(poly(*outer, rings=[tuple(inner)]), (50, 60))
    apart = [polygon2mask((50, 60), np.asarray(r)[:, ::-1] - 0.5) for r in (outer, inner)]
    assert_equal_but_on_the_line(together, apart[0] ^ apart[1], outer, inner)


@settings(deadline=None)
@given(st.integers(1, 49), st.integers(1, 19))
def test_shapes_that_share_an_edge_share_no_pixel_and_leave_none_out(half_x, y):
    x = half_x / 2  # an edge straight through pixel centres
    left = g.rasterise(poly((0, 0), (x, 0), (x, y), (0, y)), (20, 25))
    right = g.rasterise(poly((x, 0), (25, 0), (25, y), (x, y)), (20, 25))
    assert not (left & right).any()
    assert (left | right)[:y].all()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.8), st.sampled_from([0, 1, 2.5]))
def test_any_mask_comes_back_from_its_polygon(seed, share, smoothing):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((31, 43)), smoothing)
    mask = noise > np.quantile(noise, share)
    found = g.mask_to_annotation(mask, "Brain", source="expert")
    assert (g.rasterise(found, mask.shape) == mask).all()
    assert found.source == "expert"


def test_mask_with_hole_and_two_parts_keeps_them_as_rings():
    mask = np.zeros((40, 60), bool)
    mask[5:35, 5:35] = True
    mask[15:20, 15:20] = False
    mask[10:15, 45:50] = True
    found = g.mask_to_annotation(mask, "Brain")
    assert len(found.rings) == 2
    assert g.ring_area(found.points) == max(map(g.ring_area, g.outlines(found)))
    assert g.mask_to_annotation(np.zeros((5, 5)), "Brain") is None
    single = np.zeros((5, 5), bool)
    single[0, 4] = True
    assert (g.rasterise(g.mask_to_annotation(single, "CSP"), (5, 5)) == single).all()


@pytest.mark.parametrize("folder", ["hc18/masks", "psfhs/labels"])
def test_real_masks_come_back_exactly_and_simplify_well(data_dir, folder):
    for path in sorted((data_dir / folder).glob("*.png"))[:12]:
        with Image.open(path) as im:
            label = np.asarray(im)
        for value in set(np.unique(label)) - {0}:
            mask = label == value
            found = g.mask_to_annotation(mask, "fetal_head")
            assert (g.rasterise(found, mask.shape) == mask).all()
            reduced = g.simplify(found, 1.0)
            again = g.rasterise(reduced, mask.shape)
            assert (again & mask).sum() / (again | mask).sum() > 0.96
            assert len(reduced.points) < 0.4 * len(found.points)


def test_simplify_keeps_within_the_tolerance_and_leaves_other_kinds():
    circle = [(50 + 30 * math.cos(t / 100), 50 + 30 * math.sin(t / 100)) for t in range(628)]
    small = ((50, 50), (50.4, 50), (50.4, 50.4))
    reduced = g.simplify(poly(*circle, rings=[small]), 0.5)
    assert len(reduced.points) < 40
    assert reduced.rings == ()
    assert g.area(reduced) == pytest.approx(math.pi * 900, rel=0.03)
    box = Annotation("CSP", "box", ((0, 0), (1, 1)))
    assert g.simplify(box, 5) is box


def test_area_counts_holes_and_crossings_even_odd():
    square = ((0, 0), (10, 0), (10, 10), (0, 10))
    hole = ((2, 2), (4, 2), (4, 4), (2, 4))
    assert g.area(poly(*square)) == 100
    assert g.area(poly(*square, rings=[hole])) == pytest.approx(96)
    assert g.area(poly((0, 0), (10, 10), (10, 0), (0, 10))) == pytest.approx(50)
    assert g.area(Annotation("CRL_KP", "keypoints", ((1, 1), (5, 5)), visibility=(2, 2))) == 0


def test_iou():
    a = Annotation("CSP", "box", ((0, 0), (10, 10)))
    b = Annotation("CSP", "box", ((5, 0), (15, 10)))
    assert g.iou(a, b) == pytest.approx(50 / 150)
    assert g.iou(a, a) == pytest.approx(1)
    assert g.iou(a, poly((0, 0), (10, 0), (10, 10), (0, 10))) == pytest.approx(1)


@pytest.mark.parametrize(
    ("annotation", "word"),
    [
        (poly((0, 0), (5, 5)), "three corners"),
        (poly((0, 0), (5, 5), (0, 0)), "three corners"),
        (poly((0, 0), (5, 5), (10, 10)), "no area"),
        (poly((0, 0), (10, 10), (10, 0), (0, 10)), "crosses"),
        (poly((0, 0), (10, 0), (float("nan"), 10)), "no number"),
        (Annotation("CSP", "box", ((3, 3), (3.5, 9))), "less than 1 px"),
        (Annotation("CSP", "box", ((3, 3),)), "two corners"),
        (Annotation("CRL_KP", "keypoints", ()), "no points"),
        (Annotation("CRL_KP", "keypoints", ((1, 1), (2, 2)), visibility=(2,)), "every point"),
        (Annotation("CSP", "box", ((300, 3), (320, 9))), "outside"),
    ],
)
def test_faults_are_named(annotation, word):
    assert word in " ".join(g.faults(annotation, (100, 80)))
    assert g.is_degenerate(annotation) == (word not in ("crosses", "outside"))


def test_sound_shapes_have_no_faults():
    sound = poly((0, 0), (10, 0), (10, 10))
    points = Annotation("CRL_KP", "keypoints", ((1, 1), (5, 5)), visibility=(2, 0))
    assert g.faults(sound, (100, 80)) == g.faults(points, (100, 80)) == ()
    assert g.bounds(points) == ((1, 1), (1, 1))
    assert g.bounds(dataclasses.replace(sound, rings=(((2, 2), (20, 2), (2, 3)),)))[1] == (20, 10)
