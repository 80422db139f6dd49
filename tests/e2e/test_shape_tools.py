"""Shape tools in the window: one edit each, on what was meant, said in words, undone by Ctrl+Z."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from drawing import drag, draw_polygon
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse, ellipse_of
from napari_fada.records.geometry import area, iou, rasterise
from napari_fada.workstation.desk import Edit


def press(desk, key, target=None):
    from napari.utils.key_bindings import coerce_keybinding

    key = coerce_keybinding(key)
    active = target or desk.viewer.layers.selection.active
    target = active if active is not None and key in active.keymap else desk.viewer
    target.keymap[key](target)


def square(x, y, side):
    return ((x, y), (x + side, y), (x + side, y + side), (x, y + side))


def add(desk, points, category="thorax", kind="polygon", **fields):
    record = Annotation(category, kind, points, source="expert", status="accepted", **fields)
    assert desk.session.commit(Edit(0, "drawn", add=[record]))
    return next(r for r in desk.kept() if r.uid == record.uid)


def at(x, y):
    """Return a point of a record as the layers have it."""
    return y - 0.5, x - 0.5


def point_at(desk, x, y):
    desk.viewer.cursor.position = at(x, y)


def select(desk, *records, role="polygons"):
    layer = desk.layer(role)
    desk.viewer.layers.selection.active = layer
    uids = [r.uid for r in records]
    layer.selected_data = {i for i, u in enumerate(layer.features["uid"]) if u in uids}


def said(desk):
    return desk.widget.message.text


def steps(desk):
    return desk.session.project.steps(desk.session.scan.sha256, 0)[0]


@contextmanager
def one_step(desk):
    """Check that a block is one step of the history and that undo brings back what was there."""
    kept, before = desk.kept(), steps(desk)
    yield
    assert steps(desk) == before + 1
    press(desk, "Control-Z")
    assert desk.kept() == kept
    shown = set(desk.layer("polygons").features["uid"])
    assert shown == {r.uid for r in kept if r.kind == "polygon"}


def test_split_along_a_drawn_line(desk):
    whole = add(desk, square(50, 50, 100))
    layer = desk.layer("polygons")
    with one_step(desk):
        press(desk, "Alt-X")
        assert str(layer.mode) == "add_line"
        drag(layer, at(80, 30), at(80, 100), at(80, 170))
        big, small = desk.kept()
        assert area(big) == pytest.approx(7000, rel=0.02)
        assert area(small) == pytest.approx(3000, rel=0.05)
        assert big.parent == small.parent == whole.uid
        assert "split in 2" in said(desk)
        desk.qtbot.waitUntil(lambda: str(layer.mode) == "pan_zoom")
        assert len(layer.data) == 2
        history = desk.session.project.history(desk.session.scan.sha256, 0)
        assert history[-1].label == "thorax split"
    # A line that misses changes nothing and says so.
    press(desk, "Alt-X")
    drag(layer, at(200, 30), at(220, 100), at(230, 170))
    assert desk.kept() == [whole]
    assert "does not divide" in said(desk)
    desk.qtbot.waitUntil(lambda: not desk.widget.shaping.pen.tool)
    assert len(layer.data) == 1
    # Escape and the key again give the pen back.
    for key in ("Escape", "Alt-X"):
        press(desk, "Alt-X")
        press(desk, key, layer)
        assert str(layer.mode) == "pan_zoom"
        assert desk.widget.shaping.pen.tool == ""
    # Another tool ends it as well, and what is drawn then is a structure again.
    press(desk, "Alt-X")
    press(desk, "U")
    desk.qtbot.waitUntil(lambda: desk.widget.shaping.pen.tool == "")
    draw_polygon(layer, at(200, 50), at(250, 50), at(250, 90))
    desk.qtbot.waitUntil(lambda: len(desk.kept()) == 2)


def test_merging_the_selection(desk):
    a, b = add(desk, square(50, 50, 60)), add(desk, square(90, 50, 60))
    other = add(desk, square(250, 50, 20), "liver")
    with one_step(desk):
        select(desk, a, b)
        press(desk, "Alt-E")
        assert [area(r) for r in desk.kept() if r != other] == [pytest.approx(6000)]
        assert "2 of thorax became one" in said(desk)
    select(desk, a, other)
    press(desk, "Alt-E")
    assert len(desk.kept()) == 3
    assert "different classes" in said(desk)


def test_holes_parts_and_cutting_reach_the_mask(desk):
    add(desk, square(50, 50, 100))
    layer, masks = desk.layer("polygons"), desk.layer("masks")
    with one_step(desk):
        press(desk, "Alt-B")
        draw_polygon(layer, at(80, 80), at(120, 80), at(120, 120), at(80, 120))
        (record,) = desk.kept()
        assert area(record) == pytest.approx(10000 - 1600, rel=0.01)
        assert len(record.rings) == 1
        assert "hole" in said(desk)
        assert masks.data[100, 100] == 0
        assert masks.data[60, 60] > 0
    desk.qtbot.waitUntil(lambda: not desk.widget.shaping.pen.tool)
    select(desk, *desk.kept())
    press(desk, "Alt-B")
    draw_polygon(layer, at(200, 80), at(240, 80), at(240, 120), at(200, 120))
    (record,) = desk.kept()
    assert (len(record.rings), "another part" in said(desk)) == (1, True)
    desk.qtbot.waitUntil(lambda: not desk.widget.shaping.pen.tool)
    press(desk, "Alt-Shift-B")
    draw_polygon(layer, at(100, 40), at(160, 40), at(160, 160), at(100, 160))
    (record,) = desk.kept()
    assert area(record) == pytest.approx(5000 + 1600, rel=0.02)
    assert "was cut" in said(desk)
    assert masks.data[100, 120] == 0


def test_the_eraser_takes_corners_in_one_drag(desk):
    ring = Ellipse(150, 100, 80, 60, 0.0).polygon(24)
    record = add(desk, ring)
    layer = desk.layer("polygons")
    with one_step(desk):
        press(desk, "Alt-D")
        assert not layer.mouse_pan
        drag(layer, *(at(*p) for p in ring[5:8]))
        (now,) = desk.kept()
        assert set(ring) - set(now.points) == set(ring[5:8])
        assert (len(now.points), now.parent) == (21, record.uid)
        assert "3 corners erased" in said(desk)
    # Erasing nearly all corners is refused, and the outline is shown as it was.
    drag(layer, *(at(*p) for p in (*ring, ring[0])))
    assert desk.kept() == [record]
    assert len(layer.data[0]) == 24
    assert "three corners" in said(desk)
    press(desk, "Alt-D", layer)
    assert layer.mouse_pan
    assert not desk.widget.shaping.eraser.active


def test_simplify_and_what_a_tool_works_on(desk):
    first = add(desk, Ellipse(100, 100, 60, 50, 0.0).polygon(200))
    other = add(desk, Ellipse(300, 100, 60, 50, 0.0).polygon(200), "liver")
    with one_step(desk):
        point_at(desk, 100, 100)
        press(desk, "Alt-I")
        changed = next(r for r in desk.kept() if r != other)
        assert len(changed.points) < 60
        assert "200 corners became" in said(desk)
    # Without selection and cursor the only one of the active class is meant.
    point_at(desk, 5, 5)
    desk.session.active_class = "liver"
    press(desk, "Alt-I")
    assert first in desk.kept()
    assert other not in desk.kept()
    desk.session.active_class = "vein"
    kept = desk.kept()
    press(desk, "Alt-I")
    assert "Select a structure first" in said(desk)
    # A selection wins over the cursor.
    point_at(desk, 300, 100)
    select(desk, first)
    press(desk, "Alt-I")
    assert first not in desk.kept()
    assert len(set(desk.kept()) - set(kept)) == 1


def test_smooth_and_ellipse_say_what_they_did(desk):
    rng = np.random.default_rng(0)
    wanted = Ellipse(150, 100, 80, 60, 0.5)
    ring = np.array(wanted.polygon(90)) + rng.normal(0, 1.5, (90, 2))
    record = add(desk, tuple(map(tuple, ring.tolist())), "Brain")
    with one_step(desk):
        press(desk, "Alt-O")
        (now,) = desk.kept()
        assert area(now) == pytest.approx(area(record), rel=0.01)
        assert "area" in said(desk)
    with one_step(desk):
        press(desk, "Alt-U")
        (now,) = desk.kept()
        found = ellipse_of(now)
        assert (found.a, found.b) == (pytest.approx(80, abs=0.7), pytest.approx(60, abs=0.7))
        assert "is an ellipse now" in said(desk)
    # What is no ellipse stays, with a word.
    square_one = add(desk, square(250, 50, 40))
    select(desk, square_one)
    press(desk, "Alt-U")
    assert square_one in desk.kept()
    assert "five corners" in said(desk)


def test_snap_on_a_real_head(open_desk, data_dir, qtbot):
    name = "167_HC.png"
    with Image.open(data_dir / "hc18/images" / name) as im:
        desk = open_desk(np.asarray(im.convert("L")))
    with Image.open(data_dir / "hc18/masks" / name) as im:
        mask = np.asarray(im, bool)
    ys, xs = np.nonzero(mask)
    a, b = 1.04 * np.ptp(xs) / 2, 0.95 * np.ptp(ys) / 2
    near = Ellipse(xs.mean() + 8, ys.mean() - 6, max(a, b), min(a, b), 0.0)
    start = add(desk, near.polygon(), "Brain")
    snapping = desk.widget.shaping.snapping
    with one_step(desk):
        press(desk, "Alt-K")
        qtbot.waitUntil(lambda: not snapping.running)
        (now,) = desk.kept()
        wrong = [int((rasterise(r, mask.shape) ^ mask).sum()) for r in (start, now)]
        assert wrong[1] < 0.6 * wrong[0]
        assert "snapped to the edge" in said(desk)
        assert now.parent == start.uid
    # It can be left on the way: nothing was written, and the outline is shown as it was.
    press(desk, "Alt-K")
    assert snapping.running
    press(desk, "Escape", desk.layer("polygons"))
    qtbot.waitUntil(lambda: not snapping.running)
    assert desk.kept() == [start]
    assert "as it was" in said(desk)
    assert np.allclose(desk.layer("polygons").data[0][0], at(*start.points[0]), atol=1e-3)


def test_boxes_and_outlines_make_each_other(desk):
    box = add(desk, ((50.0, 40.0), (170.0, 140.0)), "Brain", "box")
    point_at(desk, 100, 100)
    press(desk, "Alt-Shift-U")
    outline = next(r for r in desk.kept() if r.kind == "polygon")
    assert ellipse_of(outline) is not None
    assert iou(outline, box) == pytest.approx(np.pi / 4, abs=0.01)
    select(desk, outline)
    layer = desk.layer("polygons")
    data = [np.array(v) for v in layer.data]
    data[0] += [5, 10]
    layer.data = data
    around = (pytest.approx((60, 45)), pytest.approx((180, 145)))
    (followed,) = (r for r in desk.kept() if r.kind == "box")
    assert followed.points == around
    assert followed.parent == box.uid
    desk.session.project.edit(
        *(desk.session.scan.sha256, 0), replace={followed.uid: replace(followed, points=box.points)}
    )
    select(desk, next(r for r in desk.kept() if r.kind == "polygon"))
    press(desk, "Alt-Shift-J")
    (fitted,) = (r for r in desk.kept() if r.kind == "box")
    assert fitted.points == around


def test_locked_structures_are_refused_by_every_tool(desk):
    record = add(desk, Ellipse(150, 100, 80, 60, 0.5).polygon(200), "Brain")
    desk.session.project.set_state(desk.session.scan.sha256, 0, {f"lock/{record.uid}": "1"})
    layer = desk.layer("polygons")
    for key in ("Alt-I", "Alt-O", "Alt-U", "Alt-K", "Alt-Shift-J"):
        select(desk, record)
        desk.widget.message.clear()
        press(desk, key)
        assert "locked" in said(desk), key
    for key, mode in (("Alt-X", "add_line"), ("Alt-D", "vertex_remove")):
        desk.widget.message.clear()
        press(desk, key)
        assert str(layer.mode) == mode
        drag(layer, at(150, 10), at(150, 100), at(*record.points[50]), at(150, 190))
        assert "locked" in said(desk), key
        desk.qtbot.waitUntil(lambda: not desk.widget.shaping.pen.tool)
    assert desk.kept() == [record]
    # Every tool has a button or an entry that names its key.
    tools = desk.widget.tools
    for name in desk.widget.shaping.actions():
        shown = tools.buttons.get(name) or tools.entries[name]
        assert desk.widget.keys.table[name] in shown.toolTip()
