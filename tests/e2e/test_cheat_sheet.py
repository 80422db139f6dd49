"""? and F1 show all keys over the window; searched, closed with Escape, changes told apart."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLabel

from napari_fada.workstation import napari_private as private
from napari_fada.workstation.keys import ACTIONS, group_of


def canvas_of(desk):
    return desk.viewer.window._qt_viewer.canvas.native


@pytest.fixture
def active(desk):
    window = private.main_window(desk.viewer)
    window.show()
    window.activateWindow()
    canvas_of(desk).setFocus()
    desk.qtbot.waitUntil(canvas_of(desk).hasFocus)
    return desk


def texts(sheet):
    return [label.text() for label in sheet.findChildren(QLabel)]


def test_every_action_is_on_it_with_its_key(active):
    QTest.keyClick(canvas_of(active), Qt.Key.Key_Question, Qt.KeyboardModifier.ShiftModifier)
    sheet = active.widget.comfort.sheet
    assert sheet.isVisible()
    for action in ACTIONS:
        # Classes without a key of their own are found by searching only.
        assert (action.text in texts(sheet)) == bool(action.default)
        assert action.default.replace("Control", "Ctrl") in texts(sheet)
    assert sheet.search.hasFocus()


def test_f1_opens_it_from_a_text_field(active):
    field = active.widget.classes.search
    field.setFocus()
    QTest.keyClick(field, Qt.Key.Key_Question, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClicks(field, "?")
    assert "?" in field.text()  # it is a text there
    QTest.keyClick(field, Qt.Key.Key_F1)
    assert active.widget.comfort.sheet.isVisible()


def test_escape_closes_it_and_the_canvas_has_the_keys(active):
    active.widget.comfort.show_keys()
    sheet = active.widget.comfort.sheet
    QTest.keyClick(sheet.search, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
    assert canvas_of(active).hasFocus()
    QTest.keyClick(canvas_of(active), Qt.Key.Key_J)
    assert str(active.layer("boxes").mode) == "add_rectangle"


def test_search_by_text_and_by_key(active):
    active.widget.comfort.show_keys()
    sheet = active.widget.comfort.sheet
    QTest.keyClicks(sheet.search, "draw poly")
    assert [a.name for a in sheet.shown] == ["polygon"]
    sheet.search.setText("alt-g")
    assert [a.name for a in sheet.shown] == ["cancel"]
    sheet.search.setText("no such thing")
    assert sheet.shown == []
    assert any("No key" in text for text in texts(sheet))


def test_changed_keys_are_told_apart(active):
    active.widget.keys.table.change("box", "Alt-Shift-X")
    active.widget.comfort.show_keys()
    shown = texts(active.widget.comfort.sheet)
    assert "Alt-Shift-X" in shown
    assert any("changed; was J" in text for text in shown)
    assert "1 changed" in shown


def test_it_follows_the_window(active):
    window = private.main_window(active.viewer)
    active.widget.comfort.show_keys()
    window.resize(1000, 700)
    QApplication.processEvents()
    sheet = active.widget.comfort.sheet
    assert window.rect().contains(sheet.geometry())
    assert sheet.width() > 0.8 * window.width()


def test_every_action_says_what_it_is_for():
    assert [a.name for a in ACTIONS if group_of(a.name) == "More"] == []
