"""Keys work on the viewer and on our layers, and can be changed."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_fada.vocabulary import vocabulary
from napari_fada.workstation.keys import ACTIONS, KeyTable
from napari_fada.workstation.panels.classes import letters_of


def press(target, key):
    from napari.utils.key_bindings import coerce_keybinding

    target.keymap[coerce_keybinding(key)](target)


def test_undo_on_every_layer(desk):
    """Layer keys win over the viewer's; on Labels napari's own undo would fire."""
    desk.run()
    boxes = desk.layer("boxes")
    for target in (desk.viewer, *desk.session.layers.layers):
        boxes.selected_data = {0}
        boxes.remove_selected()
        assert len(boxes.data) == 1
        press(target, "Control-Z")
        assert len(boxes.data) == 2
        press(target, "Control-Shift-Z")
        assert len(boxes.data) == 1
        press(target, "Control-Z")


def test_drawing_keys(desk):
    press(desk.viewer, "J")
    assert desk.viewer.layers.selection.active is desk.layer("boxes")
    assert str(desk.layer("boxes").mode) == "add_rectangle"
    press(desk.layer("boxes"), "U")
    assert desk.viewer.layers.selection.active is desk.layer("polygons")
    press(desk.layer("polygons"), "Y")
    assert str(desk.layer("masks").mode) == "paint"
    press(desk.layer("masks"), "H")
    assert not any(layer.visible for layer in desk.session.layers.layers)


def test_class_keys_and_reclassing(desk):
    desk.run()
    press(desk.viewer, "Alt-2")
    chosen = desk.session.active_class
    assert chosen == desk.widget.classes.in_order()[1].name
    desk.viewer.layers.selection.active = desk.layer("polygons")
    desk.layer("polygons").selected_data = {0}
    press(desk.layer("polygons"), "K")
    assert [r.category for r in desk.kept() if r.kind == "polygon"] == [chosen]


def test_a_changed_key_is_kept(desk):
    table = desk.widget.project.table
    row = next(i for i, a in enumerate(ACTIONS) if a.name == "box")
    table.item(row, 1).setText("Alt-Shift-X")
    press(desk.viewer, "Alt-Shift-X")
    assert str(desk.layer("boxes").mode) == "add_rectangle"
    assert KeyTable()["box"] == "Alt-Shift-X"


def test_a_taken_key_is_refused(desk):
    with pytest.raises(ValueError, match="already"):
        desk.widget.keys.table.change("box", "g")
    with pytest.raises(ValueError, match="Open Folder"):  # in a menu of the window
        desk.widget.keys.table.change("box", "ctrl+shift+o")


def test_no_two_actions_share_a_key():
    keys = [a.default for a in ACTIONS if a.default]
    assert len(set(keys)) == len(keys)


def test_default_keys_take_nothing_of_naparis(desk):
    """Of napari's own keys only those meant are overridden on our layers."""
    from napari.utils.key_bindings import coerce_keybinding

    meant = {"Control-Z", "Control-Shift-Z"}
    for layer in desk.session.layers.layers:
        native = set(type(layer).class_keymap) | set(desk.viewer.class_keymap)
        for action in ACTIONS:
            if action.default and action.default not in meant:
                assert coerce_keybinding(action.default) not in native, action


def test_search_chooses_a_class(desk):
    desk.widget._search_class()
    desk.widget.classes.search.setText("stom")
    desk.widget.classes.search.returnPressed.emit()
    assert desk.session.active_class == "stomach"
    assert np.allclose(desk.layer("boxes").current_edge_color is not None, True)
    # By keyboard alone: search, down to the second that fits, Enter; then keys are the canvas's.
    classes = desk.widget.classes
    desk.widget._search_class()
    classes.search.setText("head")
    names = [classes.list.item(i).text().split()[0] for i in range(classes.list.count())]
    desk.qtbot.keyClick(classes.search, Qt.Key.Key_Down)
    classes.list.setCurrentRow(1)
    desk.qtbot.keyClick(classes.list, Qt.Key.Key_Return)
    assert desk.session.active_class == names[1]
    assert classes.search.text() == ""


def test_every_class_is_found_by_few_letters(desk):
    """The letters shown with a class choose it, whatever the view: four at most."""
    classes = desk.widget.classes
    texts = [classes.list.item(i).text() for i in range(classes.list.count())]
    for category in vocabulary().categories:
        letters = letters_of(category.name)
        assert len(letters) <= 4, category.name
        assert any(t.startswith(category.name) and f"O {letters} ⏎" in t for t in texts)
        press(desk.viewer, "O")
        desk.qtbot.keyClicks(classes.search, letters)
        desk.qtbot.keyClick(classes.search, Qt.Key.Key_Return)
        assert desk.session.active_class == category.name
        assert classes.search.text() == ""


def test_a_class_can_have_a_key_of_its_own(desk):
    """It is that class's in every view, unlike the numbers."""
    table = desk.widget.project.table
    row = next(i for i, a in enumerate(ACTIONS) if a.name == "class:stomach")
    table.item(row, 1).setText("Alt-Shift-W")
    press(desk.layer("polygons"), "Alt-Shift-W")
    assert desk.session.active_class == "stomach"
    listed = desk.widget.classes.list
    (text,) = [t for i in range(listed.count()) if (t := listed.item(i).text())[:7] == "stomach"]
    assert "Alt-Shift-W" in text
    assert KeyTable()["class:stomach"] == "Alt-Shift-W"
