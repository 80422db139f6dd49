"""A structure goes while a hand holds it, or another does: no error, and nothing else is hit."""

from __future__ import annotations

import pytest

from drawing import send
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project

HEAD = ((100.0, 100.0), (300.0, 100.0), (300.0, 300.0), (100.0, 300.0))
OTHER = ((500.0, 100.0), (600.0, 100.0), (600.0, 200.0), (500.0, 200.0))


@pytest.fixture
def held(bench):
    """Draw structures of each kind, two of each; begins a drag of the first of one kind."""

    def by_expert(name, kind, points, **more):
        return Annotation(name, kind, points, source="expert", status="accepted", **more)

    bench.session.project.edit(
        bench.session.scan.sha256,
        0,
        add=[
            by_expert("head", "polygon", HEAD),
            by_expert("CSP", "polygon", OTHER),
            by_expert("LV", "box", (HEAD[0], HEAD[2])),
            by_expert("thorax", "box", (OTHER[0], OTHER[2])),
            by_expert("femur", "keypoints", (HEAD[0], HEAD[2]), visibility=(2, 2)),
        ],
        label="drawn",
    )

    def hold(role, mode, start, to):
        layer = bench.layer(role)
        bench.viewer.layers.selection.active = layer
        layer.mode = mode
        if role == "masks":
            layer.brush_size = 11
            bench.session.painting.take(bench.kept()[0])
        else:
            layer.selected_data = {0}
        send(layer, "mouse_move", start)
        send(layer, "mouse_press", start)
        send(
            layer,
            "mouse_move",
            [(a + b) / 2 for a, b in zip(start, to, strict=True)],
            dragging=True,
        )
        return layer

    bench.hold = hold
    return bench


DRAGS = {
    "outline": ("polygons", "select", (200, 200), (220, 230), "head"),
    "corner": ("polygons", "direct", (99.5, 99.5), (120, 120), "head"),
    "box": ("boxes", "select", (200, 200), (220, 230), "LV"),
    "keypoint": ("keypoints", "select", (99.5, 99.5), (120, 120), "femur"),
    "stroke": ("masks", "paint", (200, 298), (200, 320), "head"),
}


def release(bench, layer, to):
    send(layer, "mouse_move", to, dragging=True)
    send(layer, "mouse_release", to)
    bench.session.refresh()  # as the next look at the project does


@pytest.mark.parametrize("drag", DRAGS)
@pytest.mark.parametrize("gone", ["it", "all"])
def test_removed_by_another_window(held, drag, gone):
    role, mode, start, to, name = DRAGS[drag]
    layer = held.hold(role, mode, start, to)
    with Project.open(held.session.project.path, rater="ben") as other:
        uids = [r.uid for r in held.kept() if gone == "all" or r.category == name]
        other.edit(held.session.scan.sha256, 0, remove=uids)
    held.session.project.poll()
    left = held.kept()
    release(held, layer, to)
    assert held.kept() == left
    assert "no longer there" in held.texts()
    if role != "masks":
        assert len(layer.data) == sum(r.kind == held_kind(role) for r in left)
        assert not layer.selected_data


def held_kind(role):
    return {"polygons": "polygon", "boxes": "box", "keypoints": "keypoints"}[role]


@pytest.mark.parametrize("drag", DRAGS)
def test_undo_takes_back_what_was_dragged_and_no_more(held, drag):
    role, mode, start, to, _ = DRAGS[drag]
    before = held.kept()
    layer = held.hold(role, mode, start, to)
    held.session.undo()
    release(held, layer, to)
    assert held.kept() == before


def test_another_one_is_not_selected_in_the_place_of_what_went(held):
    layer = held.layer("polygons")
    held.viewer.layers.selection.active = layer
    layer.mode = "select"
    layer.selected_data = {0}
    held.session.project.edit(held.session.scan.sha256, 0, remove=[held.kept()[0].uid])
    assert not layer.selected_data
    layer.remove_selected()
    assert [r.category for r in held.kept() if r.kind == "polygon"] == ["CSP"]


def test_pressed_and_not_moved(held):
    """A click during which the structure goes selects no other one."""
    layer = held.layer("polygons")
    held.viewer.layers.selection.active = layer
    layer.mode = "select"
    send(layer, "mouse_move", (200, 200))
    send(layer, "mouse_press", (200, 200))
    held.session.project.edit(held.session.scan.sha256, 0, remove=[held.kept()[0].uid])
    send(layer, "mouse_release", (200, 200))
    assert not layer.selected_data


def test_keypoints_that_were_pressed_and_not_moved_are_shown_as_they_are(held, qtbot):
    layer = held.layer("keypoints")
    held.viewer.layers.selection.active = layer
    layer.mode = "select"
    send(layer, "mouse_move", (99.5, 99.5))
    send(layer, "mouse_press", (99.5, 99.5))
    held.session.project.edit(held.session.scan.sha256, 0, remove=[r.uid for r in held.kept()])
    send(layer, "mouse_release", (99.5, 99.5))
    qtbot.waitUntil(lambda: len(layer.data) == 0)
