"""Shape tools on a clip: they work on the frame that is shown and leave the others alone."""

from __future__ import annotations

import pytest

from drawing import drag, draw_polygon
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import area
from napari_fada.workstation.shape_tools import ShapeTools

SQUARE = ((100.0, 100.0), (200.0, 100.0), (200.0, 200.0), (100.0, 200.0))


@pytest.fixture
def tools(clip):
    for frame in (1, 3):
        clip.propose(Annotation("liver", "polygon", SQUARE), frame=frame)
    clip.viewer.dims.set_point(0, 3)
    return ShapeTools(clip.session)


def test_split_erase_and_part_on_a_frame(clip, tools):
    (other,) = clip.kept(1)
    layer = clip.layer("polygons")
    tools.split()
    drag(layer, (3, 150, 50), (3, 150, 150), (3, 150, 250))
    # napari's line ends a few pixels beside the mouse where it runs along an axis.
    halves = [area(r) for r in clip.kept(3)]
    assert halves == [pytest.approx(5000, rel=0.05)] * 2
    assert sum(halves) == pytest.approx(10000)
    clip.session.undo()
    tools.draw_part("part")
    draw_polygon(layer, (3, 120, 120), (3, 120, 150), (3, 150, 150), (3, 150, 120))
    assert len(clip.one(3).rings) == 1
    tools.erase()
    drag(layer, (3, 120, 120), (3, 120, 121))
    assert len(clip.one(3).rings[0]) == 3
    assert clip.kept(1) == [other]


def test_another_frame_takes_pen_and_eraser_out_of_the_hand(clip, tools):
    tools.split()
    clip.viewer.dims.set_point(0, 1)
    assert tools.pen.tool == ""
    tools.erase()
    clip.viewer.dims.set_point(0, 3)
    assert not tools.eraser.active
    assert clip.layer("polygons").mouse_pan


def test_the_cursor_points_at_the_frame_that_is_shown(clip, tools):
    clip.viewer.cursor.position = (3.0, 150.0, 150.0)
    tools.to_box()
    assert [r.kind for r in clip.kept(3)] == ["polygon", "box"]
    assert [r.kind for r in clip.kept(1)] == ["polygon"]
