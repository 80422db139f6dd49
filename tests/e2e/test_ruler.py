"""Two points and a length: dragged on the scan, typed, and kept as the scale; no record is made."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image
from qtpy.QtWidgets import QInputDialog

from drawing import drag
from napari_fada.workstation.panels.scale_row import NO_SCALE
from napari_fada.workstation.ruler import NAME


@pytest.fixture
def row(desk, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((160, 200), np.uint8)).save(path)
    assert desk.session.open_path(path)
    desk.widget.tabs.setCurrentWidget(desk.widget.measures)
    return desk.widget.measures.scaling


def at(x, y):
    return y - 0.5, x - 0.5


def dialog_of(row):
    return row.findChildren(QInputDialog)[-1]


def test_a_line_and_its_length_give_the_scale(desk, row):
    viewer = desk.viewer
    before, names = viewer.layers.selection.active, [x.name for x in viewer.layers]
    row.from_points()
    layer = viewer.layers[NAME]
    assert viewer.layers.selection.active is layer
    assert not layer.mouse_pan
    drag(layer, at(20, 100), at(80, 100), at(100, 100))
    assert np.allclose(layer.data[0], [at(20, 100), at(100, 100)])
    dialog = dialog_of(row)
    assert "80.0 px" in dialog.labelText()
    dialog.setDoubleValue(20.0)
    dialog.accept()
    assert row.told.text() == "0.2500 mm a pixel, two points and a typed length"
    assert "20 mm over 80.0 px" in row.told.toolTip()
    assert [x.name for x in viewer.layers] == names  # the line is gone
    assert viewer.layers.selection.active is before
    assert desk.kept() == []  # and was no record


def test_it_can_be_left_at_any_moment(desk, row):
    names = [x.name for x in desk.viewer.layers]
    row.from_points()
    layer = desk.viewer.layers[NAME]
    drag(layer, at(20, 100), at(20.5, 100))  # a click is no line
    assert NAME in [x.name for x in desk.viewer.layers]
    drag(layer, at(20, 100), at(100, 100))
    dialog_of(row).reject()
    assert [x.name for x in desk.viewer.layers] == names
    assert row.scales().main is None
    row.from_points()
    layer = desk.viewer.layers[NAME]
    next(f for k, f in layer.keymap.items() if str(k) == "Escape")(layer)
    assert [x.name for x in desk.viewer.layers] == names
    row.from_points()
    desk.viewer.layers.selection.active = desk.viewer.layers[0]  # another layer is chosen
    assert [x.name for x in desk.viewer.layers] == names
    assert row.told.text() == NO_SCALE


def test_on_a_frame_of_a_clip(desk, row, tmp_path):
    path = tmp_path / "clip.tif"
    tifffile.imwrite(path, np.zeros((5, 160, 200), np.uint8), photometric="minisblack")
    assert desk.session.open_path(path)
    desk.session.go_to_frame(2)
    row.from_points()
    layer = desk.viewer.layers[NAME]
    drag(layer, (2, *at(20, 20)), (2, *at(20, 120)))
    dialog = dialog_of(row)
    dialog.setDoubleValue(50.0)
    dialog.accept()
    assert row.scales().main.x == pytest.approx(0.5)
