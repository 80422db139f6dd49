"""Curves through few corners: they give the ellipse, are local, and leave straight what is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fada.measure.ellipse import circumference, measured_ellipse
from napari_fada.records import geometry as g
from napari_fada.records.annotation import Annotation
from napari_fada.records.curves import curve
from napari_fada.records.ellipse import Ellipse

HEAD = Ellipse(400, 270, 280, 218, 0.3)
SHAPE = (540, 800)


def on_ellipse(angles, e=HEAD):
    c, s = math.cos(e.angle), math.sin(e.angle)
    u, v = e.a * np.cos(angles), e.b * np.sin(angles)
    return tuple(
        (float(e.x + c * p - s * q), float(e.y + s * p + c * q)) for p, q in zip(u, v, strict=True)
    )


def head(points, name="Brain"):
    return Annotation(name, "polygon", tuple(points))


def hc(record):
    return measured_ellipse(record, None).circumference


@pytest.mark.parametrize("corners", [12, 16, 48, 400])
def test_corners_of_an_ellipse_give_its_circumference(corners):
    assert hc(head(HEAD.polygon(corners))) == pytest.approx(circumference(280, 218), rel=5e-4)


def test_more_corners_on_one_side_weigh_nothing():
    few = np.arange(12) * np.pi / 6
    more = np.unique(np.concatenate([few, np.linspace(0.01, 1.2, 80)]))
    assert hc(head(on_ellipse(more))) == pytest.approx(hc(head(on_ellipse(few))), rel=3e-4)


def test_pixels_ruler_box_and_area_are_of_one_curve():
    record = head(HEAD.polygon(12))
    mask = g.rasterise(record, SHAPE)
    whole = math.pi * HEAD.a * HEAD.b
    assert mask.sum() == pytest.approx(whole, rel=1e-3)
    assert g.area(record) == pytest.approx(whole, rel=1e-3)
    rows, columns = np.nonzero(mask)
    (x1, y1), (x2, y2) = g.bounds(record)
    assert (x1, y1, x2, y2) == pytest.approx(
        (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), abs=1
    )
    traced = g.mask_to_annotation(mask, "Brain")
    assert hc(traced) == pytest.approx(hc(record), rel=2e-4)
    # The chords would be 2 % shorter: other classes are what their corners say.
    assert g.area(head(record.points, "liver")) == pytest.approx(whole * 0.955, rel=2e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(8, 40), st.integers(0, 39))
def test_a_corner_that_moves_bends_the_two_sides_on_either_hand_only(seed, n, which):
    rng = np.random.default_rng(seed)
    angles = np.sort((np.arange(n) + rng.uniform(0, 0.5, n)) * 2 * np.pi / n)
    corners = on_ellipse(angles)
    i = which % n
    x, y = corners[i]
    moved = (*corners[:i], (x + rng.uniform(-30, 30), y + rng.uniform(-30, 30)), *corners[i + 1 :])
    near = {corners[(i + k) % n] for k in (-1, 0, 1)}
    before, after = curve(corners), set(curve(moved))
    side = -1
    for point in before:
        side += point in corners
        beside = {corners[side % n], corners[(side + 1) % n]}
        if not beside & near:
            assert point in after


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 60))
def test_every_corner_lies_on_its_curve_in_order(seed, n):
    rng = np.random.default_rng(seed)
    corners = tuple(map(tuple, rng.uniform(0, 300, (n, 2)).tolist()))
    line = curve(corners)
    assert [p for p in line if p in set(corners)] == list(corners)


@pytest.mark.parametrize(
    "ring",
    [
        ((0, 0), (90, 0), (40, 70)),
        ((0, 0), (50, 0), (50, 50), (0, 50)),
        ((0, 0), (25, 0), (90, 0), (90, 10), (90, 40), (50, 40), (0, 40), (0, 20)),
        ((0, 0), (100, 0), (100, 20), (20, 20), (20, 100), (0, 100)),
        ((8, 0), (92, 0), (100, 8), (100, 92), (92, 100), (8, 100), (0, 92), (0, 8)),
    ],
)
def test_real_corners_and_straight_runs_stay(ring):
    ring = tuple((float(x), float(y)) for x, y in ring)
    assert curve(ring) == ring


def test_a_head_cut_off_by_the_edge_of_the_image_keeps_its_straight_side():
    arc = on_ellipse(np.linspace(-2.6, 2.6, 24), Ellipse(100, 100, 80, 60, 0.0))
    line = curve(arc)
    assert {p for p in line if p[0] < arc[0][0] - 1e-6} == set()
    assert len(line) > len(arc)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_traced_mask_keeps_its_pixels_also_where_a_file_rounded(seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:60, :80]
    mask = ((x - 40) / rng.uniform(5, 35)) ** 2 + ((y - 30) / rng.uniform(5, 25)) ** 2 < 1
    mask |= rng.random(mask.shape) > 0.98
    traced = g.mask_to_annotation(mask, "head")
    assert (g.rasterise(traced, mask.shape) == mask).all()
    rounded = tuple((round(px / 80, 6) * 80, round(py / 60, 6) * 60) for px, py in traced.points)
    assert len(curve(rounded)) == len(rounded)


def test_a_curve_crosses_itself_only_where_its_corners_do():
    # A thin crescent whose hollow side would be bent into its back.
    t = np.linspace(0.4, 2.7, 9)
    outer = [(50 + 40 * math.cos(a), 50 + 40 * math.sin(a)) for a in t]
    inner = [(50 + 39.6 * math.cos(a), 50 + 39.6 * math.sin(a)) for a in t[3:6]]
    ring = (*outer, *inner[::-1])
    assert g.is_simple(ring)
    assert g.is_simple(curve(ring))


def test_a_curve_is_written_within_the_image():
    record = head(on_ellipse(np.arange(12) * np.pi / 6 + 0.2, Ellipse(40, 50, 40.5, 30, 0.0)))
    inside = Annotation("Brain", "polygon", tuple((max(x, 0.0), y) for x, y in record.points))
    assert min(x for x, _ in g.drawn(inside, (100, 100)).points) == 0
    assert g.drawn(head(record.points, "liver"), (100, 100)).points == record.points


def test_what_is_no_number_stays_as_it_is():
    ring = ((0.0, 0.0), (math.nan, 1.0), (5.0, 5.0), (3.0, 9.0), (0.0, 7.0), (-2.0, 3.0))
    assert curve(ring) is ring
