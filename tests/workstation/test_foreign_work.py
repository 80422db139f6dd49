"""Work in layers that nothing keeps is told once, and can be taken into the scan."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import _layer_actions

from drawing import click, drag, draw_polygon
from napari_fada.records.annotation import Annotation
from napari_fada.workstation.layers import role_of

SQUARE = ((100.0, 100.0), (300.0, 100.0), (300.0, 300.0), (100.0, 300.0))


@pytest.fixture
def asked(bench):
    found = []
    bench.session.question.connect(lambda _text, ways: found.append(ways))
    bench.session.active_class = "liver"
    return found


def copy_of(bench, layer):
    bench.viewer.layers.selection = {layer}
    _layer_actions._duplicate_layer(bench.viewer.layers)
    return next(x for x in bench.viewer.layers if x.name == f"{layer.name} copy")


def take(asked):
    asked[-1][0][2]()


def rectangle(layer, a, b):
    layer.mode = "add_rectangle"
    drag(layer, a, b)


def stroke(layer, *points, label=1, size=21):
    layer.selected_label, layer.brush_size, layer.mode = label, size, "paint"
    drag(layer, *points)


def test_shapes_are_told_once_and_taken_as_boxes_and_outlines(bench, asked):
    layer = bench.viewer.add_shapes(name="mine")
    assert not asked
    rectangle(layer, (20, 30), (60, 90))
    assert "What is drawn in “mine” is not kept" in bench.texts()
    draw_polygon(layer, (200, 200), (200, 300), (300, 300))
    assert len(asked) == 1
    assert bench.kept() == []
    take(asked)
    box, outline = bench.kept()
    assert (box.kind, box.points) == ("box", ((30.5, 20.5), (90.5, 60.5)))
    assert outline.points == ((200.5, 200.5), (300.5, 200.5), (300.5, 300.5))
    assert {(r.category, r.source, r.status, r.rater) for r in (box, outline)} == {
        ("liver", "expert", "accepted", "ann")
    }
    assert len(layer.data) == 0
    bench.session.undo()
    assert bench.kept() == []
    rectangle(layer, (20, 30), (60, 90))
    assert len(asked) == 2


def test_an_ellipse_is_an_outline_and_a_line_stays(bench, asked):
    layer = bench.viewer.add_shapes(name="mine")
    layer.mode = "add_ellipse"
    drag(layer, (100, 100), (200, 300))
    layer.mode = "add_line"
    drag(layer, (10, 10), (10, 60))
    take(asked)
    xs = [x for x, _ in bench.one().points]
    assert bench.one().kind == "polygon"
    assert (min(xs), max(xs)) == pytest.approx((100.5, 300.5))
    assert layer.shape_type == ["line"]
    assert "1 line left where it is" in bench.texts()


def test_a_layer_that_lies_elsewhere_is_taken_where_it_is_seen(bench, asked):
    layer = bench.viewer.add_shapes(name="mine", scale=(2, 2), translate=(10, 20))
    rectangle(layer, (20, 30), (60, 90))  # positions in the world
    take(asked)
    assert bench.one().points == ((30.5, 20.5), (90.5, 60.5))


def test_labels_are_taken_as_outlines(bench, asked):
    layer = bench.viewer.add_labels(np.zeros((540, 800), np.uint8), name="mine")
    stroke(layer, (100, 100), (100, 200))
    stroke(layer, (300, 300), (300, 400), label=7)
    assert len(asked) == 1
    take(asked)
    first, second = sorted(bench.kept(), key=lambda r: min(r.points))
    for record, x, y in ((first, 100, 100), (second, 300, 300)):
        xs, ys = zip(*record.points, strict=True)
        assert (min(xs), max(xs)) == pytest.approx((x - 10, x + 111), abs=1)
        assert (min(ys), max(ys)) == pytest.approx((y - 10, y + 11), abs=1)
    assert not layer.data.any()


def test_points_are_taken_as_keypoints_of_a_class_that_has_as_many(bench, asked):
    layer = bench.viewer.add_points(name="mine")
    layer.mode = "add"
    for at in ((10, 20), (30, 40)):
        click(layer, at)
    take(asked)
    assert bench.kept() == []
    assert "liver has no keypoints" in bench.texts()
    bench.session.active_class = "CRL_KP"
    take(asked)
    assert bench.one().points == ((20.5, 10.5), (40.5, 30.5))
    assert len(layer.data) == 0


def test_what_was_there_before_is_no_work(bench, asked):
    layer = bench.viewer.add_shapes([np.array(SQUARE)[:, ::-1]], shape_type="polygon", name="mine")
    assert not asked
    rectangle(layer, (20, 30), (60, 90))
    take(asked)
    assert bench.one().kind == "box"
    assert len(layer.data) == 1


def test_left_where_it_is_it_is_not_asked_again(bench, asked):
    layer = bench.viewer.add_shapes(name="mine")
    rectangle(layer, (20, 30), (60, 90))
    asked[-1][1][2]()
    rectangle(layer, (120, 130), (160, 190))
    assert len(asked) == 1
    assert bench.kept() == []


# Copies of our layers


@pytest.mark.parametrize("role", ["masks", "boxes", "polygons", "keypoints", "marks"])
def test_a_copy_of_our_layer_is_not_ours(bench, role):
    layer = bench.session.layers.layer(role)
    copy = copy_of(bench, layer)
    assert role_of(copy) is None
    assert role_of(layer) == role
    assert bench.session.layers.is_whole()


def test_what_is_drawn_on_a_copy_is_told_and_taken(bench, asked):
    bench.propose(Annotation("head", "polygon", SQUARE))
    copy = copy_of(bench, bench.layer("polygons"))
    assert "is a copy" in bench.texts()
    draw_polygon(copy, (400, 400), (400, 500), (500, 500))
    assert len(asked) == 1
    take(asked)
    assert [r.category for r in bench.kept()] == ["head", "liver"]
    assert len(copy.data) == 1


def test_what_is_changed_on_a_copy_is_a_correction(bench, asked):
    bench.propose(Annotation("head", "polygon", SQUARE))
    before = bench.one()
    copy = copy_of(bench, bench.layer("polygons"))
    copy.data = [np.add(copy.data[0], [0, 50])]
    take(asked)
    after = bench.one()
    assert (after.category, after.parent, after.status) == ("head", before.uid, "corrected")
    assert after.points[0] == (150.0, 100.0)


def test_a_stroke_on_a_copy_of_the_masks_is_taken_without_what_was_there(bench, asked):
    bench.propose(Annotation("head", "polygon", SQUARE))
    copy = copy_of(bench, bench.layer("masks"))
    stroke(copy, (400, 600), (400, 700), label=int(copy.data[200, 200]))
    take(asked)
    head, new = bench.kept()
    assert head.points == SQUARE
    assert min(x for x, _ in new.points) == pytest.approx(590, abs=1)


def test_outlines_that_napari_converted_are_not_ours(bench):
    bench.propose(Annotation("head", "polygon", SQUARE))
    bench.viewer.layers.selection = {bench.layer("polygons")}
    _layer_actions._convert(bench.viewer.layers, "labels")
    converted = next(x for x in bench.viewer.layers if x.name == "FADA polygons [1]")
    assert role_of(converted) is None
    assert len(bench.kept()) == 1


def test_drawn_on_the_frame_that_was_shown(clip):
    ways = []
    clip.session.question.connect(lambda _text, found: ways.append(found))
    clip.session.active_class = "liver"
    flat = clip.viewer.add_shapes(name="flat")
    clip.session.go_to_frame(2)
    rectangle(flat, (2, 20, 30), (2, 60, 90))
    clip.session.go_to_frame(4)
    rectangle(flat, (4, 120, 130), (4, 160, 190))
    ways[-1][0][2]()
    assert [len(clip.kept(f)) for f in range(5)] == [0, 0, 1, 0, 1]
    clip.session.undo()
    assert [len(clip.kept(f)) for f in range(5)] == [0] * 5
    deep = clip.viewer.add_labels(np.zeros((5, 540, 800), np.uint8), name="deep")
    stroke(deep, (4, 100, 100), (4, 100, 200))
    ways[-1][0][2]()
    assert [len(clip.kept(f)) for f in range(5)] == [0, 0, 0, 0, 1]


def test_a_copy_of_the_masks_of_a_clip(clip):
    clip.propose(Annotation("head", "polygon", SQUARE), frame=1)
    copy = copy_of(clip, clip.layer("masks"))
    assert copy.data is not clip.layer("masks").data
    stroke(copy, (0, 400, 600), (0, 400, 700))
    assert clip.session.project.frames(clip.session.scan.sha256) == [1]
    assert not clip.layer("masks").data[0].any()
