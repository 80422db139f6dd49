"""Traps of napari's layers, one regression test each (the mis-click first).

Each drives napari's own mouse callbacks, so that a release that changes them is noticed.
"""

from __future__ import annotations

import numpy as np
import pytest

from drawing import click, drag, draw_polygon, send
from napari_fada.records.annotation import Annotation
from napari_fada.workstation.styles import rgba_of

TRIANGLE = ((100.0, 100.0), (300.0, 100.0), (200.0, 300.0))


def in_step(layer) -> None:
    n = len(layer.data)
    assert len(layer.features) == n
    assert len(layer.edge_color) == n
    assert len(layer.face_color) == n
    assert len(layer.text.values) == n
    assert n == 0 or len(layer.text.color.array) == n


def test_misclick_leaves_no_row_behind(bench):
    """A polygon of one click is dropped by napari, but its feature and colour rows stay."""
    layer = bench.layer("polygons")
    bench.session.active_class = "Brain"
    draw_polygon(layer, (50, 50))
    in_step(layer)
    assert bench.kept() == []
    assert "three corners" in bench.texts()

    bench.session.active_class = "stomach"
    draw_polygon(layer, (100, 100), (100, 300), (300, 200))
    in_step(layer)
    assert bench.one().category == "stomach"
    assert layer.text.values.tolist() == ["stomach"]
    assert np.allclose(layer.edge_color[0], rgba_of("stomach"))


def test_misclick_beside_existing_shapes(bench):
    layer = bench.layer("polygons")
    bench.propose(Annotation("Brain", "polygon", TRIANGLE), Annotation("LV", "polygon", TRIANGLE))
    before = bench.kept()
    draw_polygon(layer, (400, 50), (410, 60))
    in_step(layer)
    assert bench.kept() == before
    draw_polygon(layer, (400, 50), (410, 60), (420, 40))
    in_step(layer)
    assert [r.category for r in bench.kept()] == ["Brain", "LV", bench.session.active_class]
    assert bench.kept()[:2] == before


def test_removing_a_corner_of_a_triangle(bench):
    """vertex_remove drops the shape and, again, not its feature row."""
    layer = bench.layer("polygons")
    other = ((500.0, 100.0), (600.0, 100.0), (550.0, 300.0), (520.0, 250.0))
    bench.propose(Annotation("Brain", "polygon", TRIANGLE), Annotation("LV", "polygon", other))
    layer.mode = "vertex_remove"
    layer.selected_data = {0}
    click(layer, layer.data[0][0])
    in_step(layer)
    assert [r.category for r in bench.kept()] == ["LV"]
    assert layer.features["class"].tolist() == ["LV"]


def test_vertex_drag_emits_only_changed(bench):
    """No `changing` comes before a vertex drag, so the old value must be our own copy."""
    layer = bench.layer("polygons")
    bench.propose(Annotation("Brain", "polygon", TRIANGLE, score=0.8))
    (before,) = bench.kept()
    actions = []
    layer.events.data.connect(lambda e: actions.append(str(e.action.value)))
    layer.mode = "direct"
    layer.selected_data = {0}
    start = layer.data[0][1]
    send(layer, "mouse_move", start)
    drag(layer, start, start + 5, start + 20)
    after = bench.one()
    assert "changing" not in actions
    assert after.parent == before.uid
    assert after.points[1] == pytest.approx((320.0, 120.0))
    assert after.points[0] == before.points[0]
    assert after.points[2] == before.points[2]
    assert (after.source, after.status, after.rater) == ("expert", "corrected", "ann")


def test_box_stays_a_box_when_one_corner_is_dragged(bench):
    """Napari makes a polygon of a rectangle whose vertex is dragged."""
    layer = bench.layer("boxes")
    bench.propose(Annotation("Brain", "box", ((100.0, 100.0), (300.0, 200.0))))
    layer.mode = "direct"
    layer.selected_data = {0}
    start = layer.data[0][2]
    send(layer, "mouse_move", start)
    drag(layer, start, start + 5, np.add(start, [-40, -60]))
    assert bench.one().points == ((100.0, 100.0), (240.0, 160.0))
    assert layer.shape_type == ["rectangle"]
    assert layer.selected_data == {0}
    in_step(layer)


def test_corner_dragged_across_the_box(bench):
    layer = bench.layer("boxes")
    bench.propose(Annotation("Brain", "box", ((100.0, 100.0), (300.0, 200.0))))
    layer.mode = "direct"
    layer.selected_data = {0}
    start = layer.data[0][2]
    send(layer, "mouse_move", start)
    drag(layer, start, start - 5, np.add(start, [-150, -250]))
    assert bench.one().points == ((50.0, 50.0), (100.0, 100.0))


def test_inserted_or_removed_vertex_keeps_the_box(bench):
    layer = bench.layer("boxes")
    bench.propose(Annotation("Brain", "box", ((100.0, 100.0), (300.0, 200.0))))
    layer.mode = "vertex_insert"
    layer.selected_data = {0}
    click(layer, (99.5, 200))
    assert layer.shape_type == ["rectangle"]
    assert len(layer.data[0]) == 4
    layer.mode = "vertex_remove"
    click(layer, layer.data[0][0])
    assert layer.shape_type == ["rectangle"]
    assert len(layer.data[0]) == 4
    (box,) = bench.kept()
    assert box.points == ((100.0, 100.0), (300.0, 200.0))


def test_single_click_in_rectangle_mode_is_dropped(bench):
    """It leaves a square of a few pixels."""
    layer = bench.layer("boxes")
    layer.mode = "add_rectangle"
    click(layer, (200, 200))
    assert bench.kept() == []
    assert len(layer.data) == 0
    assert "dropped" in bench.texts()
    drag(layer, (200, 200), (240, 260), (250, 300))
    assert bench.one().points == ((200.5, 200.5), (300.5, 250.5))
    in_step(layer)


def test_frame_change_in_the_middle_of_a_polygon(clip):
    """Napari orphans the shape (9207): it is finished on its own frame instead."""
    layer = clip.layer("polygons")
    layer.mode = "add_polygon"
    for corner in ((0, 100, 100), (0, 100, 300), (0, 300, 200)):
        send(layer, "mouse_move", corner)
        click(layer, corner)
    clip.viewer.dims.set_point(0, 3)
    assert clip.session.frame == 3
    assert not layer._is_creating
    assert str(layer.mode) == "pan_zoom"
    in_step(layer)
    assert clip.kept(3) == []
    assert len(clip.kept(0)) <= 1
    draw_polygon(layer, (3, 100, 100), (3, 100, 300), (3, 300, 200))
    assert len(clip.kept(3)) == 1


def test_frame_change_after_one_click(clip):
    layer = clip.layer("polygons")
    layer.mode = "add_polygon"
    click(layer, (0, 100, 100))
    clip.viewer.dims.set_point(0, 2)
    in_step(layer)
    assert clip.session.records == {}


def test_undo_in_the_middle_of_a_polygon(bench):
    """remove_selected or a rebuild in mid-draw strands the layer (9277)."""
    layer = bench.layer("polygons")
    bench.propose(Annotation("Brain", "polygon", TRIANGLE))
    layer.selected_data = {0}
    layer.remove_selected()
    layer.mode = "add_polygon"
    for corner in ((300, 100), (300, 300)):
        send(layer, "mouse_move", corner)
        click(layer, corner)
    bench.session.undo()
    in_step(layer)
    assert [r.category for r in bench.kept()] == ["Brain"]
    draw_polygon(layer, (300, 100), (300, 300), (400, 200))
    assert len(bench.kept()) == 2
    in_step(layer)


def test_records_that_arrive_in_mid_draw_wait(bench):
    """A run may add proposals while the expert draws: the drawing goes on."""
    layer = bench.layer("polygons")
    layer.mode = "add_polygon"
    corners = ((300, 100), (300, 300), (400, 200))
    for corner in corners[:2]:
        send(layer, "mouse_move", corner)
        click(layer, corner)
    bench.propose(Annotation("Brain", "polygon", TRIANGLE))
    assert layer._is_creating
    send(layer, "mouse_move", corners[2])
    click(layer, corners[2])
    send(layer, "mouse_double_click", corners[2])
    assert sorted(r.source for r in bench.kept()) == ["expert", "model"]
    assert len(layer.data) == 2
    in_step(layer)


def test_misclick_while_records_arrive(bench):
    layer = bench.layer("polygons")
    layer.mode = "add_polygon"
    click(layer, (300, 100))
    bench.propose(Annotation("Brain", "polygon", TRIANGLE))
    send(layer, "mouse_double_click", (300, 100))
    assert len(layer.data) == 1
    in_step(layer)


def test_colours_do_not_depend_on_what_else_is_there(bench):
    """Napari's colour cycle is mapped on the sorted classes present."""
    layer = bench.layer("polygons")
    bench.propose(Annotation("vein", "polygon", TRIANGLE))
    alone = layer.edge_color[0].copy()
    bench.propose(*(Annotation(c, "polygon", TRIANGLE) for c in ("Brain", "artery", "liver")))
    colours = dict(zip(layer.features["class"], layer.edge_color, strict=True))
    assert np.allclose(colours["vein"], alone)
    assert np.allclose(alone[:3], rgba_of("vein")[:3])


def test_pasted_copy_is_a_record_of_its_own(bench):
    """A pasted shape brings the uid of its original with its features."""
    layer = bench.layer("boxes")
    bench.propose(Annotation("LV", "box", ((100.0, 100.0), (300.0, 200.0))))
    (original,) = bench.kept()
    layer.selected_data = {0}
    layer._copy_data()
    layer._paste_data()
    first, second = bench.kept()
    assert first == original
    assert (second.category, second.source, second.parent) == ("LV", "expert", None)
    assert second.uid != first.uid
    in_step(layer)


def test_class_that_no_table_knows_is_put_back(bench):
    """With a categorical column an unknown class would silently become NaN."""
    layer = bench.layer("boxes")
    bench.propose(Annotation("LV", "box", ((100.0, 100.0), (300.0, 200.0))))
    assert not hasattr(layer.features["class"].dtype, "categories")
    features = layer.features.copy()
    features.loc[0, "class"] = "nonsense"
    layer.features = features
    assert layer.features["class"].tolist() == ["LV"]
    assert "nonsense" in bench.texts()
    features.loc[0, "class"] = "CSP"
    layer.features = features
    assert bench.one().category == "CSP"


def test_no_feedback_loop(bench):
    """Our own writing of a layer must not come back as an edit."""
    calls = []
    edit = bench.session.project.edit
    bench.session.project.edit = lambda *a, **k: (calls.append(a), edit(*a, **k))[1]
    layer = bench.layer("polygons")
    draw_polygon(layer, (100, 100), (100, 300), (300, 200))
    assert len(calls) == 1
    bench.session.refresh()
    bench.session.undo()
    bench.session.redo()
    assert len(calls) == 1


@pytest.mark.parametrize("begins", [0, 1])
def test_what_comes_in_the_3d_view_is_shown(bench, begins):
    """A still's shapes that come into an empty layer in 3D."""
    for _ in range(begins):
        bench.propose(Annotation("Brain", "polygon", TRIANGLE))
    bench.session.viewer.dims.ndisplay = 3
    bench.propose(Annotation("CSP", "polygon", TRIANGLE), Annotation("LV", "box", TRIANGLE[:2]))
    bench.session.viewer.dims.ndisplay = 2
    for role, count in (("polygons", 1 + begins), ("boxes", 1)):
        in_step(bench.layer(role))
        assert len(bench.layer(role).data) == count
