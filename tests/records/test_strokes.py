"""Strokes on an outline: it changes near them and stays itself elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from shapely import LinearRing, distance
from shapely import points as as_points

from napari_fada.measure.ellipse import measured_ellipse
from napari_fada.records import geometry as g
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse
from napari_fada.records.strokes import drawn_outline, stroked_outline

SHAPE = (200, 260)
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
CLASSES = ("Brain", "liver")


def ellipse(corners, name="Brain", rings=()):
    ring = Ellipse(130, 100, 90, 70, 0.2).polygon(corners)
    return Annotation(name, "polygon", ring, rings=rings)


def dab(x, y, r):
    return (X - x) ** 2 + (Y - y) ** 2 < r * r


def painted(record, where, *, on=True):
    mask = g.rasterise(record, SHAPE)
    mask[where] = on
    found, word = stroked_outline(record, mask)
    return found, word, mask


def corners_of(record):
    return {p for ring in g.corner_rings(record) for p in ring}


def moved_beyond(before, after, where, reach):
    """Return by how much the outline moved farther than ``reach`` from a stroke."""
    line = np.array([p for ring in g.outlines(after) for p in ring])
    column, row = np.clip(line.astype(int), 0, [SHAPE[1] - 1, SHAPE[0] - 1]).T
    far = distance_transform_edt(~where)[row, column] > reach
    old = [LinearRing(ring) for ring in g.outlines(before)]
    return float(np.min([distance(r, as_points(line[far])) for r in old], axis=0).max())


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("corners", [12, 16, 48, 300])
def test_ten_strokes_at_one_side_leave_the_other_as_it_is(name, corners):
    first = record = ellipse(corners, name)
    all_strokes = np.zeros(SHAPE, bool)
    for k in range(10):
        where = dab(218 + k % 3, 100 + 3 * k, 3)
        all_strokes |= where
        record, word, mask = painted(record, where, on=bool(k % 2))
        assert word == ""
        assert (g.rasterise(record, SHAPE) ^ mask).sum() <= 12
    far = {p for p in first.points if p[0] < 170}
    assert len(far) >= 6
    assert far <= corners_of(record)
    assert {p for p in corners_of(record) if p[0] < 120} <= far
    assert moved_beyond(first, record, all_strokes, 12) < 0.06


@pytest.mark.parametrize("corners", [12, 16, 48])
def test_a_dab_changes_what_is_measured_by_its_own_size_only(corners):
    before = ellipse(corners)
    after, _, _ = painted(before, dab(219, 118, 2.5), on=False)
    hc = [measured_ellipse(r, None).circumference for r in (before, after)]
    assert hc[1] == pytest.approx(hc[0], rel=5e-4)


@pytest.mark.parametrize(
    ("axes", "corners", "most"),
    [((230, 140, 0.4), 12, 40), ((280, 200, 1.1), 12, 40), ((200, 130, 0.3), 8, 60)],
)
def test_sides_of_a_large_head_beside_a_dab_are_not_bent_one_after_another(axes, corners, most):
    a, b, turn = axes
    ring = Ellipse(400, 270, a, b, turn).polygon(corners)
    before = Annotation("Brain", "polygon", ring, source="expert", status="accepted")
    line = np.array(g.outlines(before)[0])
    x, y = line[len(line) // 8]
    rows, columns = np.mgrid[:540, :800]
    where = np.hypot(columns + 0.5 - x, rows + 0.5 - y) < 5
    after, _ = stroked_outline(before, g.rasterise(before, (540, 800)) & ~where)
    away = as_points(line[np.hypot(*(line - (x, y)).T) > 20])
    assert distance(LinearRing(g.outlines(after)[0]), away).max() < 0.04
    assert len(after.points) <= most


def test_a_stroke_costs_few_corners():
    after, _, _ = painted(ellipse(48), dab(219, 118, 2.5), on=False)
    assert len(after.points) < 48 + 20


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(CLASSES),
    st.sampled_from([12, 16, 30, 64, 300]),
    st.booleans(),
)
def test_what_is_painted_is_what_comes_out(seed, name, corners, traced):
    rng = np.random.default_rng(seed)
    record = ellipse(corners, name)
    if traced:
        record = g.mask_to_annotation(g.rasterise(record, SHAPE), name)
    for _ in range(4):
        r = rng.choice([1.0, 3.0, 8.0, 25.0])
        where = dab(rng.uniform(0, 260), rng.uniform(0, 200), r)
        found, _, mask = painted(record, where, on=bool(rng.integers(2)))
        if found is None:
            assert mask.sum() < 12
            return
        off = g.rasterise(found, SHAPE) ^ mask
        to_edge = distance_transform_edt(mask) + distance_transform_edt(~mask)
        assert (off & (to_edge > 2.5)).sum() <= 3  # a speck at most
        assert all(map(g.is_simple, g.outlines(found)))
        assert not g.rings_cross(found)
        record = found


def test_a_hole_and_a_part_come_and_go_and_the_outline_keeps_its_corners():
    record = ellipse(12)
    holed, _, _ = painted(record, dab(130, 100, 10), on=False)
    assert holed.points == record.points
    assert len(holed.rings) == 1
    assert g.area(record) - g.area(holed) == pytest.approx(np.pi * 100, rel=0.02)
    apart, _, _ = painted(holed, dab(20, 20, 8))
    assert apart.points == record.points
    assert len(apart.rings) == 2
    filled, _, _ = painted(apart, dab(130, 100, 13))
    assert (filled.points, len(filled.rings)) == (record.points, 1)
    assert filled.rings[0] == apart.rings[1] or filled.rings[0] == apart.rings[0]
    gone, _, _ = painted(filled, dab(20, 20, 12), on=False)
    assert (gone.points, gone.rings) == (record.points, ())


def test_specks_of_a_stroke_are_left_out_and_told_and_old_ones_stay():
    speck = ((10.0, 10.0), (11.0, 10.0), (11.0, 11.0), (10.0, 11.0))
    record = ellipse(12, rings=(speck,))
    found, word, _ = painted(record, (X == 240.5) & (Y == 20.5))
    assert word == "Brain: 1 speck of less than 3 px² left out."
    assert (found.points, found.rings) == (record.points, (speck,))
    assert painted(record, np.ones(SHAPE, bool), on=False)[0] is None


def test_an_outline_that_leaves_the_image_is_cut_off_only_where_it_is_erased():
    ring = Ellipse(230, 100, 90, 70, 0.0).polygon(24)
    record = Annotation("Brain", "polygon", ring)
    found, _, _ = painted(record, dab(170, 60, 5))
    assert max(x for x, _ in found.points) == max(x for x, _ in ring)
    found, _, mask = painted(record, dab(258, 60, 5), on=False)
    assert max(x for x, _ in g.outlines(found)[0]) <= 260
    assert (g.rasterise(found, SHAPE) ^ mask).sum() < 12


@pytest.mark.parametrize("radius", [8, 20, 60])
def test_a_structure_that_is_painted_is_neither_too_large_nor_too_small(radius):
    mask = dab(130.3, 99.6, radius)
    found, word = drawn_outline(mask, "head")
    assert word == ""
    assert len(found.points) < 30 + radius / 2
    # By less than an eighth of a pixel all round.
    assert abs(g.area(found) - mask.sum()) < 0.125 * 2 * np.pi * radius
    assert (g.rasterise(found, SHAPE) ^ mask).sum() < 0.2 * 2 * np.pi * radius


def test_the_corners_of_what_was_painted_square_stay():
    mask = (abs(X - 130) < 60) & (abs(Y - 100) < 40)
    for name in CLASSES:
        found, _ = drawn_outline(mask, name)
        assert (g.rasterise(found, SHAPE) ^ mask).sum() <= 4
