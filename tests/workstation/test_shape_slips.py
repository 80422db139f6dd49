"""Slips of the hand in the shape layers: put right or put back, always with a word."""

from __future__ import annotations

import numpy as np
import pytest

from drawing import drag, draw_polygon, send
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import area, is_simple, outlines


def square(x, y, side):
    return ((x, y), (x + side, y), (x + side, y + side), (x, y + side))


def move(layer, index, vertices):
    data = [np.array(v) for v in layer.data]
    data[index] = vertices
    layer.data = data


# outlines


def test_a_drawn_outline_that_crosses_itself_is_put_right(bench):
    layer = bench.layer("polygons")
    draw_polygon(layer, (100, 100), (300, 300), (300, 100), (100, 300))
    record = bench.one()
    assert all(map(is_simple, outlines(record)))
    assert area(record) == pytest.approx(20000, rel=0.02)
    assert "crossed itself" in bench.texts()
    assert len(layer.data) == 1 + len(record.rings)


def test_a_corner_dragged_across_the_outline_is_put_right(bench):
    bench.propose(Annotation("liver", "polygon", square(100.0, 100.0, 100.0)))
    layer = bench.layer("polygons")
    corners = np.array(layer.data[0])
    corners[0] = [149.5, 299.5]
    move(layer, 0, corners)
    record = bench.one()
    assert all(map(is_simple, outlines(record)))
    assert "crossed itself" in bench.texts()


def test_a_hole_dragged_over_the_edge_stays_a_hole(bench):
    hole = square(140.0, 140.0, 20.0)
    bench.propose(Annotation("liver", "polygon", square(100.0, 100.0, 100.0), rings=(hole,)))
    layer = bench.layer("polygons")
    move(layer, 1, layer.data[1] + [0, 50])
    record = bench.one()
    assert area(record) == pytest.approx(10000 - 200)
    assert record.rings == ()
    assert len(layer.data) == 1
    assert not bench.layer("masks").data[150, 195:240].any()


def test_deleting_the_largest_part_leaves_the_others(bench):
    hole, part = square(140.0, 140.0, 20.0), square(300.0, 100.0, 50.0)
    bench.propose(Annotation("liver", "polygon", square(100.0, 100.0, 100.0), rings=(hole, part)))
    layer = bench.layer("polygons")
    layer.selected_data = {0}
    layer.remove_selected()
    record = bench.one()
    assert (area(record), record.rings) == (2500, ())
    layer.selected_data = {0}
    layer.remove_selected()
    assert bench.kept() == []


# boxes stay boxes


def box(bench):
    bench.propose(Annotation("CSP", "box", ((100.0, 100.0), (200.0, 160.0))))
    layer = bench.layer("boxes")
    bench.viewer.layers.selection.active = layer
    return layer


def upright(layer):
    return all(
        len(v) == 4 and len(np.unique(v[:, 0])) == len(np.unique(v[:, 1])) == 2 for v in layer.data
    ) and set(layer.shape_type) == {"rectangle"}


def test_a_dragged_box_and_a_dragged_corner(bench):
    layer = box(bench)
    layer.mode = "select"
    drag(layer, (129.5, 149.5), (139.5, 169.5))
    assert bench.one().points == ((120.0, 110.0), (220.0, 170.0))
    layer.mode = "direct"
    corner = np.array(layer.data[0][0])
    send(layer, "mouse_move", corner)
    drag(layer, corner, corner + 5, corner + 10)
    assert bench.one().kind == "box"
    assert upright(layer)


def test_a_rotated_box_becomes_the_box_around_it(bench):
    layer = box(bench)
    layer.selected_data = {0}
    layer._rotate_box(30, center=layer.data[0].mean(axis=0))
    layer._data_view.rotate(0, 30, center=layer.data[0].mean(axis=0))
    layer.events.data(value=layer.data, action="changed", data_indices=(0,), vertex_indices=((),))
    record = bench.one()
    (x1, y1), (x2, y2) = record.points
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    assert x2 - x1 == pytest.approx(100 * cos + 60 * sin, abs=0.01)
    assert y2 - y1 == pytest.approx(100 * sin + 60 * cos, abs=0.01)
    assert upright(layer)


def test_a_pasted_box_is_a_box_of_its_own(bench):
    layer = box(bench)
    layer.selected_data = {0}
    layer._copy_data()
    layer._paste_data()
    first, second = bench.kept()
    assert first.uid != second.uid
    assert (second.kind, second.category) == ("box", "CSP")
    assert upright(layer)
