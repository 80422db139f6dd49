"""Keypoints: order shown as numbers, visible, hidden or absent by key or Alt-click, reordered."""

from __future__ import annotations

import pytest
from test_shape_tools import press

from drawing import click
from napari_fada.records.annotation import Annotation
from napari_fada.workstation.desk import Edit


@pytest.fixture
def points(desk):
    record = Annotation(
        *("CRL_KP", "keypoints", ((100.0, 50.0), (300.0, 80.0))),
        visibility=(2, 2),
        source="expert",
        status="accepted",
    )
    desk.session.commit(Edit(0, "placed", add=[record]))
    layer = desk.layer("keypoints")
    desk.viewer.layers.selection.active = layer
    layer.mode = "select"
    return layer


def seen(desk):
    return [r.visibility for r in desk.kept()]


def test_numbers_show_the_order(points):
    assert [text.split()[0] for text in points.text.values] == ["1", "2"]


def test_the_key_goes_through_visible_hidden_absent(desk, points):
    points.selected_data = {1}
    press(desk, "Alt-T")
    assert seen(desk) == [(2, 1)]
    assert points.face_color[1][3] < 0.5
    assert "hidden" in desk.widget.message.text
    points.selected_data = {1}
    press(desk, "Alt-T")
    assert seen(desk) == [(2, 0)]
    assert len(points.data) == 1
    press(desk, "Control-Z")
    press(desk, "Control-Z")
    assert seen(desk) == [(2, 2)]


def test_alt_click_does_the_same(desk, points):
    click(points, points.data[0], modifiers=["Alt"])
    assert seen(desk) == [(1, 2)]
    click(points, points.data[0])
    assert seen(desk) == [(1, 2)]


def test_a_point_moves_up_in_the_order_and_stays_selected(desk, points):
    points.selected_data = {1}
    press(desk, "Alt-Shift-T")
    (record,) = desk.kept()
    assert record.points == ((300.0, 80.0), (100.0, 50.0))
    assert "changed places" in desk.widget.message.text
    (chosen,) = points.selected_data
    assert points.data[chosen].tolist() == [79.5, 299.5]
    assert points.features["number"][chosen] == 1
    press(desk, "Control-Z")
    assert desk.kept()[0].points == ((100.0, 50.0), (300.0, 80.0))


def test_without_a_point_there_is_a_word(desk, points):
    points.selected_data = set()
    desk.viewer.cursor.position = (5.0, 5.0)
    press(desk, "Alt-T")
    assert "Select a keypoint" in desk.widget.message.text
