"""Painting: strokes become records, records become masks, and neither loses the other."""

from __future__ import annotations

import numpy as np
import pytest

from drawing import drag
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import rasterise
from napari_fada.vocabulary import vocabulary
from napari_fada.workstation import raster

SHAPE = (540, 800)


def square(x, y, side):
    return ((x, y), (x + side, y), (x + side, y + side), (x, y + side))


def ids(layer) -> set[str]:
    return {raster.class_of(v) for v in np.unique(layer.data) if v}


def stroke(layer, at, label, *, size):
    """One dab of the brush, grouped as napari groups a stroke of the mouse."""
    layer.brush_size = size
    with layer.block_history():
        layer.paint(at, label)


@pytest.fixture
def nested(bench):
    """Propose a stomach inside an abdomen."""
    bench.propose(
        Annotation("stomach", "polygon", square(200.0, 200.0, 40.0)),
        Annotation("abdomen", "polygon", square(100.0, 100.0, 300.0)),
    )
    return bench


def test_a_contained_organ_stays_visible(nested):
    """Napari's own to_labels draws the first shape on top; the organ inside vanished."""
    layer = nested.layer("masks")
    assert ids(layer) == {"abdomen", "stomach"}
    assert (layer.data % raster.STRIDE == vocabulary().by_name["stomach"].id).sum() == 1600


def test_colour_and_name_of_every_class(bench):
    layer = bench.layer("masks")
    index = dict(zip(layer.features["index"], layer.features["class"], strict=True))
    for category in vocabulary().categories:
        assert index[category.id] == category.name
        assert layer.get_color(category.id)[:3] == pytest.approx(
            [int(category.colour[i : i + 2], 16) / 255 for i in (1, 3, 5)], abs=0.01
        )


def test_a_stroke_makes_a_record(bench):
    layer = bench.layer("masks")
    bench.session.active_class = "stomach"
    stroke(layer, (100, 150), layer.selected_label, size=20)
    record = bench.one()
    assert (record.category, record.kind, record.source) == ("stomach", "polygon", "expert")
    assert (layer.data > 0).sum() == rasterise(record, SHAPE).sum()
    assert len(bench.layer("polygons").data) == 1


def test_a_stroke_extends_the_record_and_keeps_the_proposal(nested):
    layer = nested.layer("masks")
    stomach, abdomen = nested.kept()
    nested.session.active_class = "stomach"
    stroke(layer, (220, 245), layer.selected_label, size=30)
    by_class = {r.category: r for r in nested.kept()}
    assert by_class["abdomen"] == abdomen
    assert by_class["stomach"].parent == stomach.uid
    assert rasterise(by_class["stomach"], SHAPE).sum() > 1600
    assert nested.session.project.record(stomach.uid) == stomach


def test_erasing_an_inner_organ_shows_the_outer_one(nested):
    layer = nested.layer("masks")
    abdomen = nested.kept()[1]
    with layer.block_history():
        layer.fill((220, 220), 0)  # all of the stomach, as the fill tool does
    assert nested.one() == abdomen
    assert ids(layer) == {"abdomen"}
    assert (layer.data > 0).sum() == 300 * 300


def test_painting_the_outer_over_the_inner_shrinks_it(nested):
    layer = nested.layer("masks")
    nested.session.active_class = "abdomen"
    stroke(layer, (220, 200), layer.selected_label, size=20)
    by_class = {r.category: r for r in nested.kept()}
    assert rasterise(by_class["stomach"], SHAPE).sum() < 1600
    assert rasterise(by_class["abdomen"], SHAPE).sum() == 300 * 300


def test_painting_a_new_inner_structure_leaves_no_hole(nested):
    layer = nested.layer("masks")
    nested.session.active_class = "liver"
    stroke(layer, (330, 330), layer.selected_label, size=40)
    by_class = {r.category: r for r in nested.kept()}
    assert rasterise(by_class["abdomen"], SHAPE).sum() == 300 * 300
    assert ids(layer) == {"abdomen", "stomach", "liver"}


def test_two_structures_of_one_class_stay_apart(bench):
    layer = bench.layer("masks")
    bench.session.active_class = "LV"
    stroke(layer, (100, 100), layer.selected_label, size=30)
    first = bench.one()
    bench.session.painting.begin("LV")
    stroke(layer, (100, 300), layer.selected_label, size=30)
    assert [r.category for r in bench.kept()] == ["LV", "LV"]
    assert bench.kept()[0] == first
    assert len(np.unique(layer.data)) == 3


def test_a_hole_survives(bench):
    layer = bench.layer("masks")
    bench.session.active_class = "thorax"
    stroke(layer, (200, 200), layer.selected_label, size=100)
    stroke(layer, (200, 200), 0, size=20)
    record = bench.one()
    assert len(record.rings) == 1
    assert layer.data[200, 200] == 0
    assert len(bench.layer("polygons").data) == 2
    assert sorted(bench.layer("polygons").text.values) == ["", "thorax"]  # named once


def test_parts_stay_and_one_can_be_erased_with_a_fill(bench):
    layer = bench.layer("masks")
    bench.session.active_class = "liver"
    stroke(layer, (200, 200), layer.selected_label, size=60)
    stroke(layer, (200, 400), layer.selected_label, size=40)
    record = bench.one()
    assert len(record.rings) == 1
    with layer.block_history():
        layer.fill((200, 400), 0)
    left = bench.one()
    assert left.rings == ()
    assert left.parent == record.uid
    assert layer.data[200, 400] == 0
    assert layer.data[200, 200] > 0


def test_a_hole_is_filled_with_a_fill(bench):
    layer = bench.layer("masks")
    bench.session.active_class = "thorax"
    value = layer.selected_label
    stroke(layer, (200, 200), value, size=100)
    stroke(layer, (200, 200), 0, size=20)
    assert len(bench.one().rings) == 1
    with layer.block_history():
        layer.fill((200, 200), value)
    assert bench.one().rings == ()
    assert layer.data[200, 200] == value


def test_a_speck_is_dropped_with_a_word(bench):
    layer = bench.layer("masks")
    bench.session.active_class = "liver"
    stroke(layer, (100, 100), layer.selected_label, size=1)
    assert bench.kept() == []
    assert not layer.data.any()
    assert "1 speck of less than 3 px²" in bench.texts()
    stroke(layer, (200, 200), layer.selected_label, size=40)
    stroke(layer, (100, 100), layer.selected_label, size=1)
    assert bench.one().rings == ()
    assert not layer.data[:150].any()


def test_a_polygon_with_hole_and_part_is_the_same_after_a_stroke_elsewhere(bench):
    hole, part = square(140.0, 140.0, 30.0), square(500.0, 100.0, 60.0)
    bench.propose(
        Annotation("liver", "polygon", square(100.0, 100.0, 200.0), rings=(hole, part)),
        Annotation("stomach", "polygon", square(350.0, 300.0, 40.0)),
    )
    before = next(r for r in bench.kept() if r.category == "liver")
    layer = bench.layer("masks")
    value = raster.class_id("liver")
    assert layer.data[150, 150] == 0
    assert layer.data[120, 520] == value
    stroke(layer, (290, 290), value, size=30)  # at the corner: the liver grows
    after = next(r for r in bench.kept() if r.category == "liver")
    assert len(after.rings) == 2
    there, now = rasterise(before, SHAPE), rasterise(after, SHAPE)
    assert not (there & ~now).any()
    assert (now & ~there)[:270].sum() == 0


def test_undo_after_a_stroke_is_the_projects(nested):
    """Napari's own history wrote old values into new pixels after `data` was replaced."""
    layer = nested.layer("masks")
    before = layer.data.copy()
    nested.session.active_class = "stomach"
    stroke(layer, (220, 245), layer.selected_label, size=30)
    layer.undo()  # napari's: knows nothing, so it cannot write stale pixels
    painted = layer.data.copy()
    assert not np.array_equal(painted, before)
    nested.session.undo()
    assert np.array_equal(layer.data, before)
    layer.undo()
    assert np.array_equal(layer.data, before)
    nested.session.redo()
    assert np.array_equal(layer.data, painted)


def test_moving_a_polygon_moves_its_mask(nested):
    polygons, masks = nested.layer("polygons"), nested.layer("masks")
    data = [np.array(v) for v in polygons.data]
    data[0] += [0, 100]
    polygons.data = data
    moved = next(r for r in nested.kept() if r.category == "stomach")
    assert moved.points[0] == pytest.approx((300.0, 200.0))
    where = np.argwhere(masks.data % raster.STRIDE == raster.class_id("stomach"))
    assert where.min(axis=0).tolist() == [200, 300]


def test_the_mouse_paints_a_record(bench):
    layer = bench.layer("masks")
    bench.session.active_class = "liver"
    layer.brush_size = 20
    layer.mode = "paint"
    drag(layer, (100, 100), (100, 120), (100, 150))
    assert bench.one().category == "liver"
    assert layer.data[100, 150] == raster.class_id("liver")


def test_a_fill_without_a_stroke(bench, qtbot):
    """Napari tells of such a change before it has made it."""
    layer = bench.layer("masks")
    bench.session.active_class = "liver"
    layer.brush_size = 20
    layer.paint((100, 100), layer.selected_label)
    qtbot.waitUntil(lambda: len(bench.kept()) == 1)


def test_a_stroke_on_a_frame_of_a_clip(clip):
    layer = clip.layer("masks")
    clip.viewer.dims.set_point(0, 3)
    clip.session.active_class = "Brain"
    stroke(layer, (3, 200, 200), layer.selected_label, size=40)
    assert [f for f in range(5) if clip.kept(f)] == [3]
    assert clip.layer("polygons").data[0][0][0] == 3
    assert [f for f in range(5) if layer.data[f].any()] == [3]
