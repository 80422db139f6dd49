"""Inter-rater figures: 1 where both say the same, the same from either side, known values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fada.records.agreement import (
    Opinion,
    compare,
    labels,
    match,
    similarity,
    token_f1,
)
from napari_fada.records.annotation import Annotation
from record_samples import box, polygon

SIZE = (200, 100)

places = st.integers(0, 60).map(float)
structures = st.one_of(
    st.builds(box, st.sampled_from(["CSP", "LV"]), places, places),
    st.builds(polygon, st.sampled_from(["Brain", "LV"]), places, places),
)
texts = st.text("ab c.", max_size=12)
opinions = st.builds(
    Opinion,
    st.lists(structures, max_size=4).map(tuple),
    st.dictionaries(st.sampled_from(["image_quality", "imaging_plane"]), texts),
    st.sampled_from([None, "BPD_PLANE", "ABDOMEN"]),
)
states = st.sampled_from(["accepted", "corrected", "rejected"])


@given(st.lists(opinions, max_size=5), st.lists(states, max_size=5))
@settings(max_examples=60, deadline=None)
def test_one_agrees_with_oneself(frames, reviews):
    found = compare([(f, f) for f in frames], [(r, r) for r in reviews])
    for one in found.structures:
        assert (one.dice, one.iou) == (pytest.approx(1), pytest.approx(1))
    for one in found.fields:
        assert (one.exact, one.token_f1) == (1, 1)
    for one in (found.view, found.review):
        assert (one.equal, one.kappa) == ((1, 1) if one.cases else (None, None))


@given(
    st.lists(st.tuples(opinions, opinions), max_size=5),
    st.lists(st.tuples(states, states), max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_the_figures_are_the_same_from_either_side(frames, reviews):
    there = compare(frames, reviews).to_dict()
    back = compare([(b, a) for a, b in frames], [(b, a) for a, b in reviews]).to_dict()
    for key in ("structures", "fields"):
        for one, two in zip(there.pop(key), back.pop(key), strict=True):
            assert one == pytest.approx(two)
    for key in ("view", "review"):
        assert there.pop(key) == pytest.approx(back.pop(key))
    assert there == back


@given(st.lists(structures, max_size=5), st.lists(structures, max_size=5))
@settings(max_examples=60, deadline=None)
def test_everything_is_in_one_pair_or_alone(first, second):
    pairs = match(first, second, SIZE)
    assert sorted(a.uid for a, _, _ in pairs if a) == sorted(a.uid for a in first)
    assert sorted(b.uid for _, b, _ in pairs if b) == sorted(b.uid for b in second)
    for a, b, alike in pairs:
        if a and b:
            assert (a.category, a.kind) == (b.category, b.kind)
            assert 0 < alike <= 1 + 1e-9
        else:
            assert alike == 0


def test_pairs_are_those_with_the_highest_sum():
    mine = [box("CSP", 0), box("CSP", 20)]
    yours = [box("CSP", 18), box("CSP", 40)]
    # The nearest first (20 with 18) would leave 0 and 40 alone; so would any other rule here.
    assert [
        (a and a.points[0][0], b and b.points[0][0]) for a, b, _ in match(mine, yours, SIZE)
    ] in (
        [(0, None), (20, 18), (None, 40)],
        [(20, 18), (0, None), (None, 40)],
        [(0, 18), (20, 40)],
    )


@pytest.mark.parametrize(
    ("pairs", "kappa"),
    [
        ([("a", "a"), ("b", "b")], 1),
        ([("a", "a"), ("a", "a")], 1),
        ([("a", "b"), ("b", "a")], -1),
        ([("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")], 0),
        # 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: 0.7 observed, 0.5 by chance.
        ([("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15, 0.4),
        ([], None),
    ],
)
def test_kappa(pairs, kappa):
    found = labels(pairs).kappa
    assert found == (None if kappa is None else pytest.approx(kappa))


def test_overlap_of_known_boxes():
    mine, yours = box("CSP", 0, 0, 10), replace(box("CSP", 0, 0, 10), points=((5, 0), (15, 10)))
    (found,) = compare([(Opinion((mine,)), Opinion((yours,)))], []).structures
    assert (found.dice, found.iou) == (pytest.approx(0.5), pytest.approx(1 / 3))
    (missing,) = compare([(Opinion((mine,)), Opinion())], []).structures
    assert (missing.dice, missing.iou, missing.frames) == (0, 0, 1)


@pytest.mark.parametrize(
    ("a", "b", "f1"),
    [
        ("head down", "Head, down.", 1),
        ("head down", "head up", 0.5),
        ("a a b", "a b b", 2 / 3),
        ("", "", 1),
        ("", "head", 0),
    ],
)
def test_token_f1(a, b, f1):
    assert token_f1(a, b) == pytest.approx(f1)


def test_distance_of_keypoints_in_pixels_and_millimetres():
    mine = Annotation("CRL_KP", "keypoints", ((10, 10), (50, 10), (0, 0)), visibility=(2, 1, 0))
    yours = replace(mine, uid="2" * 32, points=((13, 14), (50, 10), (9, 9)), visibility=(2, 2, 2))
    far = replace(mine, uid="3" * 32, points=((90, 90), (95, 90), (0, 0)))
    scaled = (Opinion((mine,), spacing_mm=(0.5, 0.2)), Opinion((far, yours)))
    (found,) = compare([scaled], []).keypoints
    assert (found.category, found.points) == ("CRL_KP", 2)
    assert found.alone == 1 + 2  # a point that is absent here; a set of two that is not here
    assert found.distance_px == pytest.approx(5 / 2)
    assert found.distance_mm == pytest.approx(((3 * 0.2) ** 2 + (4 * 0.5) ** 2) ** 0.5 / 2)
    (found,) = compare([(Opinion((mine,)), Opinion((yours,)))], []).keypoints
    assert (found.distance_px, found.distance_mm) == (pytest.approx(5 / 2), None)
    (found,) = compare([(Opinion((mine,)), Opinion())], []).keypoints
    assert (found.points, found.alone, found.distance_px) == (0, 2, None)


def test_points_are_alike_when_they_are_near():
    points = Annotation("Femur", "keypoints", ((10, 10), (50, 10)), visibility=(2, 2))
    near = replace(points, points=((10, 11), (50, 11)))
    far = replace(points, points=((10, 30), (50, 30)))
    assert similarity(points, points, SIZE) == 1
    assert 0.5 < similarity(points, near, SIZE) < 1
    assert similarity(points, far, SIZE) == 0
    assert similarity(points, replace(points, points=((10, 10),), visibility=(2,)), SIZE) == 0
    assert similarity(points, box(), SIZE) == 0
