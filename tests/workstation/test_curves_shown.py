"""Heads on the canvas: their curve is drawn, painted and measured, their corners are dragged."""

from __future__ import annotations

import numpy as np
import pytest
from shapely import LinearRing, distance
from shapely import points as as_points

from drawing import drag
from napari_fada.measure import Scale, measure_frame
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse
from napari_fada.records.geometry import outlines, rasterise
from napari_fada.workstation.coordinates import from_layer

SHAPE = (540, 800)
HEAD = Ellipse(400, 270, 280, 218, 0.2)


def put(bench, corners=12, name="Brain"):
    record = Annotation(name, "polygon", HEAD.polygon(corners), source="expert", status="accepted")
    session = bench.session
    session.project.edit(session.scan.sha256, 0, add=[record], label="drawn")
    session.refresh()
    return record


def drawn_line(bench, index=0):
    """Return the points that the edge of a shape is drawn through."""
    shape = bench.layer("polygons")._data_view.shapes[index]
    return np.array(from_layer(shape._edge_vertices))


def off(record, line):
    return distance(LinearRing(outlines(record)[0]), as_points(line)).max()


def hc(bench):
    return measure_frame(bench.kept(), Scale(0.14, 0.14, "user"), SHAPE[::-1]).get("hc").value


def outline_of(bench):
    return next(r for r in bench.kept() if r.kind == "polygon")


def test_the_curve_is_drawn_and_the_corners_are_the_vertices(bench):
    record = put(bench)
    layer = bench.layer("polygons")
    assert len(layer.data[0]) == 12
    line = drawn_line(bench)
    assert len(line) > 60
    assert off(record, line) < 0.15
    assert ((bench.layer("masks").data > 0) == rasterise(record, SHAPE)).all()


def test_the_curve_follows_a_corner_while_it_is_dragged_and_after(bench):
    record = put(bench)
    layer = bench.layer("polygons")
    layer.selected_data = {0}
    layer.mode = "direct"
    x, y = record.points[3]
    lines = []

    def look():
        shape = layer._data_view.shapes[0]
        now = Annotation("Brain", "polygon", from_layer(shape.data))
        lines.append(off(now, drawn_line(bench)))

    layer.events.set_data.connect(look)
    drag(layer, (y - 0.5, x - 0.5), (y + 12, x + 9))
    after = outline_of(bench)
    assert after.points[3] != record.points[3]
    assert [p for i, p in enumerate(after.points) if i != 3] == [
        p for i, p in enumerate(record.points) if i != 3
    ]
    assert lines
    assert max(lines) < 0.15
    assert off(after, drawn_line(bench)) < 0.15


def test_a_class_that_is_not_round_is_drawn_by_its_sides(bench):
    put(bench)
    session = bench.session
    session.reclass([outline_of(bench).uid], "liver")
    after = outline_of(bench)
    assert after.category == "liver"
    assert off(after, drawn_line(bench)) < 1e-3
    session.reclass([after.uid], "head")
    assert off(outline_of(bench), drawn_line(bench)) < 0.15
    assert len(drawn_line(bench)) > 60


@pytest.mark.parametrize("corners", [12, 48])
def test_a_dab_of_the_brush_changes_the_head_by_what_was_painted(bench, corners):
    record = put(bench, corners)
    before = hc(bench)
    layer = bench.layer("masks")
    bench.session.active_class = "Brain"
    layer.selected_label = int(np.unique(layer.data)[-1])
    layer.brush_size = 8
    (x1, y1) = record.points[0]
    with layer.block_history():
        layer.paint((int(y1), int(x1)), 0)
    after = outline_of(bench)
    assert after.uid != record.uid
    assert hc(bench) == pytest.approx(before, abs=0.15)
    far = {p for p in record.points if p[0] < 500}
    assert far <= set(after.points)
    assert {p for p in after.points if p[0] < 400} <= far
