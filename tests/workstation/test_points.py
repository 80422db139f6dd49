"""Keypoints: order, names, absent points, and edits."""

from __future__ import annotations

import numpy as np
import pytest

from napari_fada.records.annotation import Annotation
from napari_fada.vocabulary import vocabulary

CRL = "CRL_KP"
NAMES = vocabulary().by_name[CRL].points


def crl(*, visibility=(2, 2)):
    return Annotation(CRL, "keypoints", ((100.0, 50.0), (300.0, 80.0)), visibility=visibility)


def test_points_are_shown_with_their_names(bench):
    bench.propose(crl())
    layer = bench.layer("keypoints")
    assert layer.data.tolist() == [[49.5, 99.5], [79.5, 299.5]]
    assert layer.features["point"].tolist() == list(NAMES)
    assert layer.text.values.tolist() == [f"{i} {CRL} {n}" for i, n in enumerate(NAMES, start=1)]


def test_moving_a_point_is_a_correction(bench):
    bench.propose(crl())
    (before,) = bench.kept()
    layer = bench.layer("keypoints")
    layer.selected_data = {1}
    layer._set_drag_start({1}, (79.5, 299.5))
    layer._move([1], (89.5, 309.5))
    after = bench.one()
    assert after.points == (before.points[0], pytest.approx((310.0, 90.0)))
    assert (after.parent, after.source) == (before.uid, "expert")


def test_clicks_fill_one_record_in_order(bench):
    bench.session.active_class = CRL
    layer = bench.layer("keypoints")
    layer.add([10.0, 20.0])
    assert bench.one().visibility == (2, 0)
    layer.add([30.0, 40.0])
    assert bench.one().visibility == (2, 2)
    assert bench.one().points == ((20.5, 10.5), (40.5, 30.5))
    layer.add([50.0, 60.0])
    assert len(bench.kept()) == 2


def test_a_deleted_point_is_absent_and_the_last_one_takes_the_record(bench):
    bench.propose(crl())
    layer = bench.layer("keypoints")
    layer.selected_data = {0}
    layer.remove_selected()
    assert bench.one().visibility == (0, 2)
    assert layer.features["point"].tolist() == [NAMES[1]]
    layer.selected_data = {0}
    layer.remove_selected()
    assert bench.kept() == []
    bench.session.undo()
    assert bench.one().visibility == (0, 2)


def test_a_class_without_keypoints_takes_none(bench):
    bench.session.active_class = "Brain"
    layer = bench.layer("keypoints")
    layer.add([10.0, 20.0])
    assert len(layer.data) == 0
    assert bench.kept() == []
    assert "no keypoints" in bench.texts()


def test_paste_emits_no_event_in_napari(bench):
    """Our Ctrl+V takes a pasted point as a new record."""
    bench.propose(crl())
    layer = bench.layer("keypoints")
    layer.selected_data = {0}
    layer._copy_data()
    bench.session.layers.bindings["keypoints"].paste()
    assert len(bench.kept()) == 2
    assert len(layer.data) == len(layer.features) == 3


def test_points_of_a_clip_lie_on_their_frame(clip):
    clip.propose(crl(), frame=2)
    layer = clip.layer("keypoints")
    assert np.unique(layer.data[:, 0]).tolist() == [2]
