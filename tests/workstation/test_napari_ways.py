"""napari's own controls and views do what an annotator means, or nothing, with a word."""

from __future__ import annotations

import numpy as np
import pytest

from drawing import click, drag, draw_polygon
from napari_fada.records.annotation import Annotation
from napari_fada.workstation import drawing, raster

RING = ((100.0, 100.0), (400.0, 100.0), (400.0, 400.0), (100.0, 400.0))
HOLE = ((200.0, 200.0), (300.0, 200.0), (300.0, 300.0), (200.0, 300.0))
INNER = ((230.0, 230.0), (260.0, 230.0), (260.0, 260.0), (230.0, 260.0))


def put(bench, *records, frame=0):
    bench.session.project.edit(bench.session.scan.sha256, frame, add=list(records), label="drawn")


def drawn(name, points, **more):
    return Annotation(name, "polygon", points, source="expert", **more)


def fill(bench, x, y, **settings):
    layer = bench.layer("masks")
    bench.viewer.layers.selection.active = layer
    layer.mode = "fill"
    for name, value in settings.items():
        setattr(layer, name, value)
    click(layer, (y, x))


@pytest.fixture
def ring(bench):
    """Draw a structure with a hole; the brush is to paint it."""
    put(bench, drawn("head", RING, rings=(HOLE,)))
    bench.session.reviewing.choose([bench.one().uid])
    drawing.paint(bench.session)
    return bench


@pytest.mark.parametrize("contiguous", [True, False])
def test_a_fill_does_not_run_out_over_the_background(ring, contiguous):
    before = ring.kept()
    fill(ring, 20, 20, contiguous=contiguous)
    assert ring.kept() == before
    assert "would have run out over the background: nothing was filled" in ring.texts()
    assert ring.layer("masks").data[20, 20] == 0


def test_a_fill_closes_a_hole(ring):
    fill(ring, 250, 250)
    assert ring.one().rings == ()


def test_a_fill_without_contiguous_does_not_take_the_background_for_a_hole(ring):
    before = ring.kept()
    fill(ring, 250, 250, contiguous=False)
    assert ring.kept() == before


def test_a_fill_does_not_replace_another_structure(ring):
    put(ring, drawn("CSP", INNER))
    before = ring.kept()
    fill(ring, 245, 245)
    assert ring.kept() == before
    assert "in the place of CSP: nothing was filled" in ring.texts()


def test_a_fill_over_what_lies_below_closes_a_hole_above(bench):
    put(bench, drawn("head", RING), drawn("CSP", HOLE, rings=(INNER,)))
    csp = next(r for r in bench.kept() if r.category == "CSP")
    bench.session.reviewing.choose([csp.uid])
    drawing.paint(bench.session)
    fill(bench, 245, 245)
    found = {r.category: r for r in bench.kept()}
    assert found["CSP"].rings == ()
    assert found["head"].points == RING


def test_more_axes_for_the_brush_are_set_back(clip):
    layer = clip.layer("masks")
    layer.n_edit_dimensions = 3
    assert layer.n_edit_dimensions == 2
    assert "“n edit dim” was set back to 2" in clip.texts()
    layer.mode, layer.brush_size = "paint", 21
    drag(layer, (0, 100, 100), (0, 100, 160))
    assert [f for f in range(5) if clip.kept(f)] == [0]


def test_masks_whose_array_was_exchanged_are_put_back(bench):
    put(bench, drawn("head", RING))
    layer, before = bench.layer("masks"), bench.kept()
    pixels = layer.data.copy()
    layer.data = np.zeros((540, 800), np.int64)
    assert np.array_equal(layer.data, pixels)
    assert "The masks are drawn from the outlines and were put back" in bench.texts()
    layer.mode, layer.brush_size = "paint", 21
    bench.session.active_class = "head"
    drag(layer, (250, 395), (250, 420))
    assert bench.one().parent == before[0].uid


def test_masks_of_a_clip_whose_array_was_exchanged_are_put_back(clip):
    put(clip, drawn("head", RING))
    layer = clip.layer("masks")
    layer.data = np.zeros((5, 540, 800), np.uint8)
    assert layer.data[0, 150, 150] == raster.class_id("head")
    clip.session.go_to_frame(2)
    layer.mode, layer.brush_size = "paint", 21
    drag(layer, (2, 100, 100), (2, 100, 160))
    assert [len(clip.kept(f)) for f in range(5)] == [1, 0, 1, 0, 0]


@pytest.mark.parametrize("view", ["3D", "rolled"])
def test_nothing_is_recorded_where_no_frame_is_shown(clip, view):
    put(clip, drawn("head", RING), frame=2)
    clip.session.go_to_frame(2)
    asked = []
    clip.session.question.connect(lambda _text, ways: asked.append(ways))
    if view == "3D":
        clip.viewer.dims.ndisplay = 3
    else:
        clip.viewer.dims.roll()
    layer, before = clip.layer("masks"), clip.kept(2)
    layer.mode, layer.brush_size = "paint", 9
    with layer.block_history():
        for frame in (1, 2, 3):
            layer.paint((frame, 300, 300), layer.selected_label)
    assert clip.session.project.frames(clip.session.scan.sha256) == [2]
    assert clip.kept(2) == before
    assert "Nothing was recorded" in clip.texts()
    assert not layer.data[1].any()
    asked[-1][0][2]()
    assert (clip.viewer.dims.ndisplay, clip.viewer.dims.order) == (2, (0, 1, 2))
    draw_polygon(clip.layer("polygons"), (2, 10, 10), (2, 10, 90), (2, 90, 90))
    assert len(clip.kept(2)) == 2


def test_rows_and_columns_may_change_places(bench):
    bench.viewer.dims.transpose()
    draw_polygon(bench.layer("polygons"), (10, 10), (10, 90), (90, 90))
    assert bench.one().points[1] == (90.5, 10.5)


def test_the_layer_of_the_scan_deleted(bench, qtbot):
    """As with Delete in napari's layer list: ours go with it, none stays that keeps nothing."""
    put(bench, drawn("head", RING))
    sha256 = bench.session.scan.sha256
    bench.viewer.layers.selection = {bench.session.image}
    bench.viewer.layers.remove_selected()
    qtbot.waitUntil(lambda: len(bench.viewer.layers) == 0)
    assert bench.session.scan is None
    assert len(bench.session.project.annotations(sha256, 0)) == 1
    assert "annotations are kept" in bench.texts()


def test_all_layers_deleted_at_once(bench, qtbot):
    """As with Delete in napari's layer list after Ctrl+A there: nothing goes but what is shown."""
    put(bench, drawn("head", RING))
    sha256 = bench.session.scan.sha256
    bench.viewer.layers.selection = set(bench.viewer.layers)
    bench.viewer.layers.remove_selected()
    qtbot.waitUntil(lambda: len(bench.viewer.layers) == 0)
    assert bench.session.scan is None
    assert len(bench.session.project.annotations(sha256, 0)) == 1
