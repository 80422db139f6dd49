"""The brush paints what is chosen and stays with it; the eraser spares what it is not about."""

from __future__ import annotations

import numpy as np
import pytest

from drawing import click, drag
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import rasterise
from napari_fada.records.project import Project
from napari_fada.workstation import drawing, raster

SHAPE = (540, 800)
LEFT, RIGHT = (100.0, 100.0), (500.0, 300.0)


def square(x, y, side):
    return ((x, y), (x + side, y), (x + side, y + side), (x, y + side))


def outline(name, x, y, side, **more):
    return Annotation(name, "polygon", square(x, y, side), source="expert", **more)


def put(bench, *records, frame=0):
    bench.session.project.edit(bench.session.scan.sha256, frame, add=list(records), label="drawn")


def reach(record) -> tuple[float, float]:
    """Least and greatest x of a structure."""
    xs = [x for x, _ in record.points]
    return min(xs), max(xs)


def stroke(bench, *points, size=11, mode="paint"):
    """Drag with the mouse over (x, y), on the frame that is shown."""
    layer, frame = bench.layer("masks"), bench.session.frame
    layer.mode, layer.brush_size = mode, size
    before = (frame,) * (layer.ndim - 2)
    if len(points) == 1:
        click(layer, (*before, points[0][1], points[0][0]))
    else:
        drag(layer, *((*before, y, x) for x, y in points))


@pytest.fixture
def two(bench):
    """Draw two structures of one class; another class is active."""
    put(bench, outline("LV", *LEFT, 40.0), outline("LV", *RIGHT, 40.0))
    bench.session.active_class = "Brain"
    return bench


def by_place(bench, frame=0):
    left, right = sorted((r for r in bench.kept(frame) if r.category == "LV"), key=reach)
    return left, right


def test_what_is_chosen_is_painted_whatever_the_active_class(bench):
    put(bench, outline("head", 100.0, 100.0, 200.0))
    bench.session.active_class = "CSP"
    bench.session.reviewing.choose([bench.one().uid])
    drawing.paint(bench.session)
    stroke(bench, (295, 200), (320, 200))
    assert bench.one().category == "head"
    assert reach(bench.one()) == pytest.approx((100.0, 326.0), abs=1.0)
    assert "The brush paints head." in bench.texts()


def test_a_box_that_is_chosen_stands_for_its_outline(two):
    box = Annotation("LV", "box", (LEFT, (140.0, 140.0)), source="expert")
    put(two, box)
    two.session.reviewing.choose([box.uid])
    drawing.paint(two.session)
    stroke(two, (135, 120), (160, 120))
    left = min((r for r in two.kept() if r.kind == "polygon"), key=reach)
    assert reach(left)[1] == pytest.approx(166.0, abs=1.0)


def test_a_box_without_outline_gets_one(bench):
    box = Annotation("head", "box", ((100.0, 100.0), (300.0, 300.0)), source="expert")
    put(bench, box, outline("head", 500.0, 100.0, 50.0))
    bench.session.active_class = "CSP"
    bench.session.reviewing.choose([box.uid])
    drawing.paint(bench.session)
    stroke(bench, (150, 200), (250, 200), size=41)
    outlines = [r for r in bench.kept() if r.kind == "polygon"]
    assert sorted(reach(r)[0] for r in outlines) == pytest.approx([129.0, 500.0], abs=1.0)
    assert {r.category for r in outlines} == {"head"}


def test_choosing_in_the_list_leaves_the_brush_in_the_hand(two):
    drawing.paint(two.session)
    left, right = two.kept()
    for record, x, y in ((left, 138, 120), (right, 538, 320), (left, 103, 120)):
        now = next(r for r in two.kept() if reach(r)[0] // 100 == reach(record)[0] // 100)
        two.session.reviewing.choose([now.uid])
        assert two.viewer.layers.selection.active is two.layer("masks")
        stroke(two, (x, y))
    left, right = by_place(two)
    assert reach(left) == pytest.approx((98.0, 144.0), abs=1.0)
    assert reach(right) == pytest.approx((500.0, 544.0), abs=1.0)
    assert left.rings == right.rings == ()


def test_the_brush_stays_with_one_of_two(two):
    left, right = two.kept()
    two.session.reviewing.choose([left.uid])
    drawing.paint(two.session)
    for x in (140, 150, 160):
        stroke(two, (x, 120), (x + 10, 120))
    assert by_place(two)[1] == right
    assert reach(by_place(two)[0])[1] == pytest.approx(176.0, abs=1.0)
    two.session.undo()
    two.session.undo()
    two.session.reviewing.choose(())
    stroke(two, (140, 120), (155, 120))
    assert by_place(two)[1] == right
    assert reach(by_place(two)[0])[1] == pytest.approx(161.0, abs=1.0)


def test_undo_of_all_strokes_leaves_the_brush_where_it_was(two):
    left, right = two.kept()
    two.session.reviewing.choose([left.uid])
    drawing.paint(two.session)
    stroke(two, (140, 120), (150, 120))
    two.session.undo()
    assert two.kept() == [left, right]
    two.session.reviewing.choose(())
    stroke(two, (103, 120), (93, 120))
    assert by_place(two)[1] == right
    assert reach(by_place(two)[0])[0] == pytest.approx(87.0, abs=1.0)


def test_what_another_window_did_to_it_is_followed(two):
    left, right = two.kept()
    two.session.reviewing.choose([left.uid])
    drawing.paint(two.session)
    with Project.open(two.session.project.path, rater="ben") as other:
        moved = outline("LV", 90.0, 100.0, 40.0)
        done = other.edit(two.session.scan.sha256, 0, replace={left.uid: moved})
    two.session.project.poll()
    stroke(two, (125, 120), (140, 120))
    assert by_place(two)[1] == right
    assert by_place(two)[0].parent == done.replaced[left.uid].uid
    assert reach(by_place(two)[0]) == pytest.approx((90.0, 146.0), abs=1.0)


def test_a_structure_that_is_gone_is_begun_anew_beside_the_other(two):
    left, right = two.kept()
    two.session.reviewing.choose([left.uid])
    drawing.paint(two.session)
    two.session.project.edit(two.session.scan.sha256, 0, remove=[left.uid], label="removed")
    assert two.session.painting.words() == "The brush paints a new LV."
    stroke(two, (500, 120), (520, 120))
    assert right in two.kept()
    assert len(two.kept()) == 2


def test_painting_over_frames_of_a_clip(clip):
    for frame in (1, 2):
        put(clip, outline("LV", *LEFT, 40.0), outline("LV", *RIGHT, 40.0), frame=frame)
    clip.session.go_to_frame(1)
    clip.session.reviewing.choose([by_place(clip, 1)[0].uid])
    drawing.paint(clip.session)
    stroke(clip, (140, 120), (150, 120))
    clip.session.go_to_frame(2)
    clip.session.go_to_frame(1)
    stroke(clip, (150, 120), (160, 120))
    left, right = by_place(clip, 1)
    assert reach(left)[1] == pytest.approx(166.0, abs=1.0)
    assert (reach(right), right.rings) == ((500.0, 540.0), ())
    assert len(clip.kept(2)) == 2


def test_the_picker_takes_what_was_clicked_and_chooses_it(two):
    layer = two.layer("masks")
    drawing.paint(two.session)
    for there in (LEFT, RIGHT):
        stroke(two, (there[0] + 20, there[1] + 20), mode="pick")
        assert layer.selected_label == layer.data[int(there[1]) + 20, int(there[0]) + 20]
        (record,) = [r for r in two.kept() if r.points[0] == there]
        assert two.session.reviewing.selected == (record.uid,)
    assert two.session.active_class == "LV"


def test_the_picker_on_nothing_changes_nothing(two):
    drawing.paint(two.session)
    two.session.reviewing.choose([two.kept()[0].uid])
    label = two.layer("masks").selected_label
    stroke(two, (700, 500), mode="pick")
    assert two.layer("masks").selected_label == label
    assert "Nothing lies there. The brush paints LV (1 of 2)." in two.texts()


def test_napari_s_keys_for_labels_are_about_structures(two):
    drawing.paint(two.session)
    layer = two.layer("masks")
    key = {str(k): f for k, f in layer.keymap.items()}
    two.session.active_class = "LV"
    key["="](layer)
    assert two.session.chosen == (two.kept()[0].uid,)
    key["="](layer)
    assert two.session.chosen == (two.kept()[1].uid,)
    key["-"](layer)
    assert two.session.chosen == (two.kept()[0].uid,)
    key["X"](layer)
    assert layer.selected_label == 0
    key["X"](layer)
    assert layer.selected_label == layer.data[120, 120]
    key["M"](layer)
    assert two.session.chosen == ()
    stroke(two, (300, 450), (320, 450))
    assert [r.category for r in two.kept()] == ["LV"] * 3


@pytest.mark.parametrize("typed", [5, 105])
def test_a_label_that_is_typed(two, typed):
    """One that a structure has, or one of a class: never another class without a word."""
    name = raster.class_of(5)
    two.layer("masks").selected_label = typed
    assert two.session.active_class == name
    stroke(two, (300, 450), (320, 450))
    assert [r.category for r in two.kept()] == ["LV", "LV", name]


def test_a_label_that_no_class_has_is_put_back(two):
    drawing.paint(two.session)
    two.session.reviewing.choose([two.kept()[0].uid])
    layer = two.layer("masks")
    before = layer.selected_label
    layer.selected_label = 88
    assert layer.selected_label == before
    assert "No class has the label 88. The brush paints LV (1 of 2)." in two.texts()


def test_what_is_locked_is_not_painted(bench):
    put(bench, outline("head", 100.0, 100.0, 200.0))
    before = bench.one()
    bench.session.reviewing.choose([before.uid])
    bench.session.reviewing.toggle_lock()
    drawing.paint(bench.session)
    assert "head is locked" in bench.texts()
    stroke(bench, (290, 200), (320, 200))
    assert bench.kept() == [before]
    assert not bench.layer("masks").data[200, 315]


# The eraser


@pytest.fixture
def nested(bench):
    """Draw a small structure on a large one."""
    put(bench, outline("head", 100.0, 100.0, 300.0), outline("CSP", 200.0, 200.0, 20.0))
    return bench


def areas(bench):
    return {r.category: int(rasterise(r, SHAPE).sum()) for r in bench.kept()}


@pytest.mark.parametrize(
    "path", [((210, 210),), ((190, 210), (230, 210)), ((230, 230), (205, 205))]
)
def test_erasing_what_lies_on_top_leaves_what_lies_below(nested, path):
    stroke(nested, *path, size=31, mode="erase")
    assert areas(nested)["head"] == 300 * 300
    assert areas(nested).get("CSP", 0) < 400
    assert nested.layer("masks").data[210, 210] == raster.class_id("head")
    assert "Only CSP was erased; head stays whole." in nested.texts()


def test_erasing_beside_a_small_structure_is_about_the_large_one(nested):
    stroke(nested, (185, 120), (185, 280), size=41, mode="erase")
    assert areas(nested)["CSP"] == 400
    assert areas(nested)["head"] < 300 * 300
    assert "Only head was erased; CSP stays whole." in nested.texts()


def test_the_eraser_takes_from_what_is_chosen_only(nested):
    head = next(r for r in nested.kept() if r.category == "head")
    nested.session.reviewing.choose([head.uid])
    drawing.paint(nested.session)
    stroke(nested, (210, 210), size=11, mode="erase")
    assert areas(nested) == {"head": 300 * 300, "CSP": 400}
    assert "Nothing of head, which is chosen, lies there: nothing was erased." in nested.texts()
    stroke(nested, (180, 210), (240, 210), size=31, mode="erase")
    assert areas(nested)["CSP"] == 400
    assert areas(nested)["head"] < 300 * 300


def test_painting_over_what_lies_on_top_is_told(nested):
    head = next(r for r in nested.kept() if r.category == "head")
    nested.session.reviewing.choose([head.uid])
    drawing.paint(nested.session)
    stroke(nested, (195, 210), size=21)
    assert areas(nested)["head"] == 300 * 300
    assert 0 < areas(nested)["CSP"] < 400
    assert "CSP lost pixels: head was painted over it." in nested.texts()


def test_erasing_with_label_0_is_the_same(nested):
    drawing.paint(nested.session)
    nested.session.painting.erase()
    stroke(nested, (210, 210), size=31)
    assert areas(nested) == {"head": 300 * 300}
    assert nested.layer("masks").selected_label == 0
    assert np.all(nested.layer("masks").data[200:220, 200:220] == raster.class_id("head"))
