"""Between two key frames: exact at the ends, steady in between, ellipses as ellipses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LinearRing, Polygon, hausdorff_distance

from napari_fada.records.annotation import Annotation
from napari_fada.records.cine.interpolate import between, ring_between
from napari_fada.records.cine.matching import pairs

number = st.floats(5, 400, allow_nan=False)
size = st.floats(4, 150)


@st.composite
def boxes(draw):
    x, y = draw(number), draw(number)
    return Annotation("CSP", "box", ((x, y), (x + draw(size), y + draw(size))))


def ellipse(cx, cy, a, b, angle=0.0, n=64, start=0.0):
    t = start + np.linspace(0, 2 * np.pi, n, endpoint=False)
    x, y = a * np.cos(t), b * np.sin(t)
    c, s = np.cos(angle), np.sin(angle)
    return tuple(zip((cx + c * x - s * y).tolist(), (cy + s * x + c * y).tolist(), strict=True))


@st.composite
def blobs(draw):
    """Draw a star-shaped ring, anything between an ellipse and a crooked thing."""
    n = draw(st.integers(4, 30))
    radii = np.array(draw(st.lists(st.floats(0.6, 1.4), min_size=n, max_size=n)))
    turns = np.linspace(0, 2 * np.pi, n, endpoint=False) + draw(st.floats(0, 6))
    a, b = draw(st.floats(10, 90)), draw(st.floats(10, 90))
    cx, cy = draw(number), draw(number)
    points = np.column_stack([cx + a * radii * np.cos(turns), cy + b * radii * np.sin(turns)])
    if draw(st.booleans()):
        points = points[::-1]
    return tuple(map(tuple, points.tolist()))


@given(boxes(), boxes(), st.floats(0, 1), st.floats(0, 1))
def test_boxes_go_straight(a, b, t, u):
    t, u = sorted((t, u))
    assert between(a, b, 0.0).points == a.points
    assert between(a, b, 1.0).points == b.points
    ends = zip(np.ravel(a.points), np.ravel(b.points), strict=True)
    both = zip(np.ravel(between(a, b, t).points), np.ravel(between(a, b, u).points), strict=True)
    for (first, last), (early, late) in zip(ends, both, strict=True):
        assert min(first, last) - 1e-9 <= early <= max(first, last) + 1e-9
        assert (late - early) * (last - first) >= -1e-9


def test_the_middle_of_two_boxes():
    a, b = (Annotation("CSP", "box", p) for p in (((0, 0), (10, 20)), ((20, 10), (50, 60))))
    assert between(a, b, 0.5).points == ((10, 5), (30, 40))


@settings(max_examples=60, deadline=None)
@given(blobs(), blobs())
def test_rings_begin_and_end_at_the_key_frames(a, b):
    for t, ring in ((1e-7, a), (1 - 1e-7, b)):
        near = ring_between(a, b, t)
        assert hausdorff_distance(LinearRing(near), LinearRing(ring), 0.1) < 1e-3
    first, second = Annotation("Brain", "polygon", a), Annotation("Brain", "polygon", b)
    assert between(first, second, 0.0) == first
    assert between(first, second, 1.0).points == b


@settings(max_examples=60, deadline=None)
@given(blobs(), st.floats(-80, 80), st.floats(-80, 80), st.floats(0.05, 0.95), st.data())
def test_a_ring_that_only_moves_keeps_its_shape(a, dx, dy, t, data):
    """Also if the other frame's ring begins elsewhere or goes round the other way."""
    start = data.draw(st.integers(0, len(a) - 1))
    b = [(x + dx, y + dy) for x, y in (*a[start:], *a[:start])]
    if data.draw(st.booleans()):
        b = b[::-1]
    there = LinearRing([(x + t * dx, y + t * dy) for x, y in a])
    got = LinearRing(ring_between(a, tuple(b), t))
    # The start is found on a grid of 128 places.
    assert hausdorff_distance(got, there, 0.1) < 0.02 * there.length


@pytest.mark.parametrize("n", [12, 48, 64])
def test_the_middle_of_concentric_ellipses(n):
    a, b = ellipse(200, 150, 60, 40, n=64), ellipse(200, 150, 100, 80, n=n, start=0.7)
    middle = Polygon(ring_between(a, b, 0.5))
    wanted = Polygon(ellipse(200, 150, 80, 60, n=256))
    assert middle.intersection(wanted).area / middle.union(wanted).area > (0.97 if n < 20 else 0.99)
    assert middle.centroid.distance(wanted.centroid) < 0.1


@pytest.mark.parametrize(
    ("first", "second", "middle"), [(80, -80, 90), (10, 50, 30), (-85, 85, 90)]
)
def test_ellipses_turn_the_short_way_and_keep_their_size(first, second, middle):
    a, b = (ellipse(100, 100, 80, 40, np.deg2rad(d)) for d in (first, second))
    got = Polygon(ring_between(a, b, 0.5))
    wanted = Polygon(ellipse(100, 100, 80, 40, np.deg2rad(middle), n=256))
    assert got.intersection(wanted).area / got.union(wanted).area > 0.99


def test_a_circle_becomes_an_ellipse_without_turning():
    circle, long = ellipse(100, 100, 50, 50), ellipse(100, 100, 80, 40, np.deg2rad(60))
    got = Polygon(ring_between(circle, long, 0.5))
    wanted = Polygon(ellipse(100, 100, 65, 45, np.deg2rad(60), n=256))
    assert got.intersection(wanted).area / got.union(wanted).area > 0.985


def test_corners_that_were_moved_stay_the_same_corners():
    a = ((0, 0), (100, 0), (100, 60), (40, 90), (0, 60))
    b = tuple((x + 20, y + 5) for x, y in a)
    assert ring_between(a, b, 0.5) == tuple((x + 10, y + 2.5) for x, y in a)


@settings(max_examples=60, deadline=None)
@given(blobs(), blobs(), st.floats(0.01, 0.99))
def test_what_lies_between_has_an_area_and_does_not_cross_itself(a, b, t):
    got = between(Annotation("Brain", "polygon", a), Annotation("Brain", "polygon", b), t)
    assert LinearRing(got.points).is_simple
    assert Polygon(got.points).area > 1


def test_holes_go_along():
    outer, hole = ellipse(100, 100, 60, 60), ellipse(110, 100, 10, 10)
    a = Annotation("Brain", "polygon", outer, rings=(hole,))
    move = lambda ring: tuple((x + 40, y) for x, y in ring)  # noqa: E731
    b = replace(a, points=move(outer), rings=(move(hole),))
    assert Polygon(between(a, b, 0.5).rings[0]).centroid.x == pytest.approx(130, abs=0.1)
    lost = between(a, replace(b, rings=()), 0.25)
    assert Polygon(lost.rings[0]).centroid.x == pytest.approx(120, abs=0.1)
    assert between(a, replace(b, rings=()), 0.75).rings == ()


def test_keypoints_and_their_visibility():
    a = Annotation("Femur", "keypoints", ((0, 0), (10, 0)), visibility=(2, 0))
    b = Annotation("Femur", "keypoints", ((10, 20), (30, 0)), visibility=(1, 2))
    early, late = between(a, b, 0.25), between(a, b, 0.75)
    assert early.points[0] == (2.5, 5)
    assert early.visibility == (2, 0)
    assert late.visibility == (1, 2)
    assert late.points[1] == (30, 0)


def test_structures_are_matched_by_class_and_place():
    def box(name, x, kind="box"):
        points = ((x, 0), (x + 10, 10)) if kind == "box" else ((x, 0), (x + 10, 0), (x, 10))
        return Annotation(name, kind, points)

    first = [box("CSP", 0), box("LV", 50), box("CSP", 100), box("Brain", 0, "polygon")]
    second = [box("CSP", 104), box("Brain", 3, "polygon"), box("CSP", 4), box("Brain", 0)]
    found = [(first.index(a), second.index(b)) for a, b in pairs(first, second)]
    assert found == [(0, 2), (2, 0), (3, 1)]
    assert pairs(first, []) == []


@given(st.permutations(range(5)), st.integers(1, 5))
def test_the_nearest_of_a_class_whatever_their_order(order, kept):
    first = [Annotation("CSP", "box", ((50.0 * k, 0), (50.0 * k + 20, 20))) for k in range(5)]
    moved = [Annotation("CSP", "box", ((50.0 * k + 6, 3), (50.0 * k + 26, 23))) for k in order]
    found = pairs(first, moved[:kept])
    assert len(found) == kept
    assert all(first.index(a) == order[moved.index(b)] for a, b in found)
