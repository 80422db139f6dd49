"""The canvas has the keys, unless somebody writes; Alt with a letter comes before a menu."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QSlider

from drawing import draw_polygon
from napari_fada.workstation import napari_private as private
from napari_fada.workstation.keys import ACTIONS, GROUPS


@pytest.fixture
def canvas(desk):
    window = private.main_window(desk.viewer)
    window.show()
    window.activateWindow()
    canvas = desk.viewer.window._qt_viewer.canvas.native
    canvas.setFocus()
    desk.qtbot.waitUntil(canvas.hasFocus)
    return canvas


def press(widget):
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)
    QApplication.processEvents()


def test_after_a_button(desk, canvas):
    desk.widget.project.show()
    desk.widget.tabs.setCurrentWidget(desk.widget.classes)
    button = desk.widget.classes.reclass
    button.setFocus()
    press(button)
    desk.qtbot.waitUntil(canvas.hasFocus)
    QTest.keyClick(canvas, Qt.Key.Key_U)
    assert str(desk.layer("polygons").mode) == "add_polygon"


def test_after_a_tool_that_was_pressed_while_a_field_had_the_keys(desk, canvas):
    desk.widget.tabs.setCurrentWidget(desk.widget.classes)
    desk.widget.classes.search.setFocus()
    press(desk.widget.tools.buttons["box"])
    desk.qtbot.waitUntil(canvas.hasFocus)


def test_after_a_click_in_a_list(desk, canvas):
    desk.widget.tabs.setCurrentWidget(desk.widget.classes)
    found = desk.widget.classes.list
    where = found.visualItemRect(found.item(2)).center()
    QTest.mouseClick(found.viewport(), Qt.MouseButton.LeftButton, pos=where)
    desk.qtbot.waitUntil(canvas.hasFocus)


def test_after_an_answer_to_a_question(desk, canvas):
    asked = []
    desk.widget.message.ask("Well?", [("Yes", "Say yes to it", lambda: asked.append(1))])
    (button,) = desk.widget.message.buttons
    QTest.keyClick(button, Qt.Key.Key_Space)
    assert asked == [1]
    desk.qtbot.waitUntil(canvas.hasFocus)


@pytest.mark.usefixtures("canvas")
def test_a_field_keeps_its_keys(desk):
    desk.widget.tabs.setCurrentWidget(desk.widget.report)
    field = desk.widget.report.fields["image_quality"]
    field.setFocus()
    QTest.keyClicks(field, "good jug")
    assert field.toPlainText() == "good jug"
    assert field.hasFocus()
    assert str(desk.layer("boxes").mode) != "add_rectangle"


def test_a_key_that_goes_to_a_field_leaves_it_the_keys(desk, canvas):
    QTest.keyClick(canvas, Qt.Key.Key_O)
    QApplication.processEvents()
    assert desk.widget.classes.search.hasFocus()


QT_KEYS = {"Right": "Right", "Left": "Left", "Up": "Up", "Down": "Down", "?": "Question"}


@pytest.mark.parametrize("role", [None, "boxes", "polygons", "keypoints", "masks"])
def test_every_default_key_fires(desk, canvas, role):
    """With each kind of layer active, through Qt, napari's menus and all."""
    done = []
    for action in ACTIONS:
        desk.widget.keys._does[action.name] = lambda name=action.name: done.append(name)
    layer = desk.session.image if role is None else desk.layer(role)
    desk.viewer.layers.selection.active = layer
    for action in ACTIONS:
        if not action.default:
            continue
        if action.name in GROUPS["Two raters (FADA adjudicate)"]:
            continue  # bound by a dock of its own
        *modifiers, key = action.default.split("-")
        flags = Qt.KeyboardModifier.NoModifier
        for name in modifiers:
            flags |= getattr(Qt.KeyboardModifier, f"{name}Modifier")
        if key == "?":
            flags |= Qt.KeyboardModifier.ShiftModifier
        canvas.setFocus()
        QTest.keyClick(canvas, getattr(Qt.Key, f"Key_{QT_KEYS.get(key, key)}"), flags)
        menu = QApplication.activePopupWidget()
        if menu is not None:
            menu.close()
        assert done[-1:] == [action.name], action


def test_alt_and_a_letter_of_a_menu(desk, canvas):
    """Alt-F opens napari's file menu, unless the table has it."""
    done = []
    assert desk.widget.keys.table["flow"] == "Alt-F"
    desk.widget.keys._does["flow"] = lambda: done.append(1)
    QTest.keyClick(canvas, Qt.Key.Key_F, Qt.KeyboardModifier.AltModifier)
    assert QApplication.activePopupWidget() is None
    assert done == [1]


@pytest.mark.usefixtures("canvas")
def test_tab_goes_from_the_top_down(desk):
    """Over the rows of the dock, none is gone back to."""
    first = desk.widget.source.scans
    first.setFocus()
    rows = []
    for _ in range(40):
        now = QApplication.focusWidget()
        if now is None or not desk.widget.isAncestorOf(now):
            break
        parts = (desk.widget.source, desk.widget.phases, desk.widget.tools, desk.widget.tabs)
        rows.append(next(i for i, part in enumerate(parts) if part.isAncestorOf(now)))
        QTest.keyClick(now, Qt.Key.Key_Tab)
    assert rows == sorted(rows)
    assert set(rows) >= {0, 1, 3}


def test_what_deletes_stays_in_its_list(desk, canvas):
    """In our docks and in napari's; on the canvas a structure is selected meanwhile."""
    layer = desk.layer("polygons")
    desk.viewer.layers.selection.active = layer
    draw_polygon(layer, (20, 20), (20, 150), (120, 150))
    layer.mode = "select"
    layer.selected_data = {0}
    widget, tabs = desk.widget, desk.widget.tabs
    controls = desk.viewer.window._qt_viewer.controls
    for page, part in (
        (widget.review, widget.review.list),
        (widget.classes, widget.classes.list),
        (widget.measures, widget.measures.list),
        (None, controls.widgets[layer].findChild(QSlider)),
    ):
        if page is not None:
            tabs.setCurrentWidget(page)
        for key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace, Qt.Key.Key_3):
            part.setFocus()
            assert part.hasFocus()
            QTest.keyClick(part, key)
        QTest.keyClick(part, Qt.Key.Key_Delete, Qt.KeyboardModifier.ControlModifier)
        assert len(desk.kept()) == 1
        assert layer in desk.viewer.layers
    assert "nothing was deleted" in widget.message.text
    assert (layer.selected_data, desk.viewer.layers.selection.active) == ({0}, layer)
    canvas.setFocus()
    desk.qtbot.waitUntil(canvas.hasFocus)
    QTest.keyClick(canvas, Qt.Key.Key_Delete)
    assert desk.kept() == []


def test_a_key_after_a_dab_of_the_brush(desk, canvas):
    """A key event may come in the wrapper of one of the mouse; it is the key's all the same."""
    done = []
    desk.widget.keys._does["history"] = lambda: done.append(1)
    masks = desk.layer("masks")
    desk.viewer.layers.selection.active = masks
    masks.mode = "paint"
    for dab in range(1, 4):
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect().center())
        QTest.keyClick(canvas, Qt.Key.Key_H, Qt.KeyboardModifier.AltModifier)
        assert QApplication.activePopupWidget() is None
        assert done == [1] * dab
