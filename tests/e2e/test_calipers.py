"""Calipers and ellipses on the scan: dragged by the mouse, the record follows, one edit each."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image

from drawing import drag, send
from napari_fada.measure import Scale
from napari_fada.records import review
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse, ellipse_of
from napari_fada.workstation.measure_layer import NAME


def outline(category, ellipse, **more):
    return Annotation(
        *(category, "polygon", ellipse.polygon()),
        **{"source": "expert", "status": "accepted", "rater": "ann", **more},
    )


def head(**more):
    return outline("head", Ellipse(100, 80, 50, 40, 0.0), **more)


def at(x, y):
    """Return a point of a record as the layers have it."""
    return y - 0.5, x - 0.5


def press(target, key):
    from napari.utils.key_bindings import coerce_keybinding

    target.keymap[coerce_keybinding(key)](target)


def start(desk, path, *records, scale=(0.5, 0.5), frame=0):
    session, panel = desk.session, desk.widget.measures
    assert session.open_path(path)
    session.go_to_frame(frame)
    session.project.edit(session.scan.sha256, frame, add=list(records))
    session.refresh()
    desk.widget.tabs.setCurrentWidget(panel)
    panel.scaling.take(Scale(*scale, "user"))
    panel.draw.setChecked(True)
    desk.viewer.scene.camera.zoom = 3.0
    return desk.viewer.layers[NAME]


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "443_HC.png"
    Image.fromarray(np.zeros((160, 200), np.uint8)).save(path)
    return path


def value(desk, name):
    panel = desk.widget.measures
    panel.measure()
    return panel.measured.get(name).value


def test_an_end_of_a_caliper_is_dragged_and_the_outline_follows(desk, scan):
    record = head()
    layer = start(desk, scan, record)
    panel, viewer = desk.widget.measures, desk.viewer
    before = viewer.layers.selection.active
    panel.drag.click()
    assert panel.drag.isChecked()
    assert viewer.layers.selection.active is layer
    assert not layer.mouse_pan
    drag(layer, at(150, 80), at(156, 80), at(160, 80))  # the right end of OFD
    (now,) = desk.kept()
    assert (now.parent, now.source) == (record.uid, "expert")
    assert now.rater == "ann"
    assert value(desk, "ofd") == pytest.approx(55.0, abs=0.02)
    assert value(desk, "bpd_oo") == pytest.approx(40.0, abs=0.02)
    shape = ellipse_of(now)
    assert (shape.x, shape.y) == pytest.approx((105, 80), abs=0.02)  # the other end stayed
    assert "OFD 55.0 mm" in list(layer.features["label"])
    press(layer, "Control-Z")
    assert desk.kept() == [record]
    assert value(desk, "ofd") == pytest.approx(50.0, abs=0.02)
    press(layer, "Escape")
    assert not panel.drag.isChecked()
    assert viewer.layers.selection.active is before
    assert layer.mouse_pan
    drag(layer, at(150, 80), at(160, 80))
    assert desk.kept() == [record]


def test_numbers_and_outline_are_live_and_nothing_is_written_before_the_end(desk, scan):
    record = head()
    layer = start(desk, scan, record)
    panel = desk.widget.measures
    press(desk.viewer, "Alt-Shift-M")
    assert panel.calipers.active
    send(layer, "mouse_press", at(100, 120))  # the lower end of BPD
    send(layer, "mouse_move", at(100, 130), dragging=True)
    assert panel.measured.get("bpd_oo").value == pytest.approx(45.0, abs=0.02)
    assert "BPD 45.0 mm" in list(layer.features["label"])
    shown = desk.layer("polygons").data[0]
    assert shown[:, 0].max() == pytest.approx(129.5, abs=0.1)
    assert desk.kept() == [record]
    press(layer, "Escape")  # let go of: all is as it was
    send(layer, "mouse_release", at(100, 130))
    assert desk.kept() == [record]
    assert panel.measured.get("bpd_oo").value == pytest.approx(40.0, abs=0.02)
    assert desk.layer("polygons").data[0][:, 0].max() == pytest.approx(119.5, abs=0.1)


def test_the_middle_moves_and_the_ellipse_grows(desk, scan):
    record = head()
    layer = start(desk, scan, record)
    desk.widget.measures.drag.click()
    drag(layer, at(120, 80), at(130, 85))  # on OFD, not at an end
    (now,) = desk.kept()
    assert np.allclose(np.subtract(now.points, record.points), (10, 5), atol=1e-6)
    desk.widget.measures.measure()
    ring = now.points
    x, y = ring[8]  # on the ellipse, between the ends
    cx, cy = 110.0, 85.0
    drag(layer, at(x, y), at(cx + 1.2 * (x - cx), cy + 1.2 * (y - cy)))
    assert value(desk, "hc") == pytest.approx(1.2 * 141.8, abs=0.1)
    assert value(desk, "cephalic_index") == pytest.approx(80.0, abs=0.01)


def test_two_keypoints_follow_their_caliper(desk, scan):
    points = ((40.0, 60.0), (140.0, 60.0))
    record = Annotation("CRL_KP", "keypoints", points, source="expert", status="accepted")
    layer = start(desk, scan, record, scale=(0.5, 0.4))
    desk.widget.measures.drag.click()
    drag(layer, at(140, 60), at(140, 90))
    (now,) = desk.kept()
    assert now.points == (pytest.approx((40, 60)), pytest.approx((140, 90)))
    assert value(desk, "crl") == pytest.approx(math.hypot(100 * 0.4, 30 * 0.5))


def test_what_cannot_be_is_put_back_and_said(desk, scan):
    record = head()
    layer = start(desk, scan, record)
    panel = desk.widget.measures
    panel.drag.click()
    drag(layer, at(150, 80), at(50.4, 80))  # both ends on one spot
    assert desk.kept() == [record]
    assert "cannot be the same" in desk.widget.message.text
    assert panel.measured.get("ofd").value == pytest.approx(50.0, abs=0.02)
    review.set_locked(desk.session.project, desk.session.scan.sha256, 0, [record.uid], True)
    drag(layer, at(150, 80), at(160, 80))
    assert desk.kept() == [record]
    assert "locked" in desk.widget.message.text


def test_a_click_changes_nothing(desk, scan):
    record = head()
    layer = start(desk, scan, record)
    desk.widget.measures.drag.click()
    drag(layer, at(150, 80))
    drag(layer, at(20, 20), at(60, 60))  # on nothing
    assert desk.kept() == [record]


def test_an_end_beside_the_scan_does_not_jump_and_one_on_it_stays_on_it(desk, scan):
    ring = Ellipse(100, 36, 60, 40, 0.0).polygon()  # its upper end lies 4 px above the scan
    record = replace(head(), points=ring)
    layer = start(desk, scan, record)
    desk.widget.measures.drag.click()
    drag(layer, at(100, -4), at(100, -3))
    assert value(desk, "bpd_oo") == pytest.approx(0.5 * 79.0, abs=0.02)
    drag(layer, at(160, 36), at(230, 36))
    assert value(desk, "ofd") == pytest.approx(0.5 * 160.0, abs=0.05)  # from 40 to the edge at 200


def test_the_tangent_is_no_handle(desk, scan):
    bone = outline("pubic_symphysis", Ellipse(50, 45, 20, 8, 0.5))
    skull = outline("fetal_head", Ellipse(115, 95, 42, 34, 0.2))
    layer = start(desk, scan, bone, skull)
    panel = desk.widget.measures
    panel.drag.click()
    tangent = next(line.shape for line in panel.layer.lines if line.shape.kind == "tangent")
    (x1, y1), (x2, y2) = tangent.points
    middle = ((x1 + x2) / 2, (y1 + y2) / 2)
    drag(layer, at(*middle), at(middle[0] + 9, middle[1] + 9))
    assert set(desk.kept()) == {bone, skull}
    assert "tangent follows" in desk.widget.message.text
    before = panel.measured.get("aop").value
    axis = next(line.shape for line in panel.layer.lines if line.shape.role == "symphysis")
    (x, y), _ = axis.points
    drag(layer, at(x, y), at(x + 2, y + 6))
    assert len({r.parent for r in desk.kept()} & {bone.uid}) == 1
    panel.measure()
    assert panel.measured.get("aop").value != pytest.approx(before, abs=0.1)


def test_a_frame_of_a_clip_is_changed_on_its_own_frame(desk, tmp_path):
    path = tmp_path / "clip.tif"
    tifffile.imwrite(path, np.zeros((5, 160, 200), np.uint8), photometric="minisblack")
    record = head()
    layer = start(desk, path, record, frame=3)
    assert layer.ndim == 3
    desk.widget.measures.drag.click()
    drag(layer, (3, *at(150, 80)), (3, *at(160, 80)))
    assert desk.kept(0) == []
    (now,) = desk.kept(3)
    assert now.parent == record.uid
    assert value(desk, "ofd") == pytest.approx(55.0, abs=0.02)
    # Scrolled away while dragging: nothing is written, on no frame.
    send(layer, "mouse_press", (3, *at(100, 120)))
    send(layer, "mouse_move", (3, *at(100, 130)), dragging=True)
    desk.session.go_to_frame(1)
    send(layer, "mouse_release", (1, *at(100, 130)))
    assert (desk.kept(1), desk.kept(3)) == ([], [now])
    desk.session.go_to_frame(3)
    assert desk.layer("polygons").data[0][:, 1].max() == pytest.approx(119.5, abs=0.1)


def test_the_lines_stay_where_the_layer_is_while_a_structure_is_edited(desk, scan):
    record = head()
    layer = start(desk, scan, record)
    order = [x.name for x in desk.viewer.layers]
    desk.session.project.edit(
        desk.session.scan.sha256,
        0,
        replace={record.uid: head(uid="x", parent=record.uid)},
    )
    desk.session.refresh()
    desk.widget.measures.measure()
    assert desk.viewer.layers[NAME] is layer  # changed in place, not made anew
    assert not layer.editable
    assert [x.name for x in desk.viewer.layers] == order
