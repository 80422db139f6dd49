"""Judging structures and scans, by key, by list and on the canvas."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_fada.records import review
from napari_fada.records.base import LOOK
from napari_fada.records.project import WHOLE


@pytest.fixture
def read(desk):
    """Run the model: a box and an outline of the brain, a box of the CSP."""
    desk.run()
    return desk


def press(desk, key):
    from napari.utils.key_bindings import coerce_keybinding

    desk.viewer.keymap[coerce_keybinding(key)](desk.viewer)


def statuses(desk):
    scan = desk.session.scan
    found = review.frame_review(desk.session.project, scan.sha256, 0).records
    return {(a.category, a.kind): a.status for a in found}


def scan_review(desk):
    return review.scan_review(desk.session.project, desk.session.scan.sha256)


def row(desk, name):
    return next(r for r in desk.widget.review.list.rows() if r.text(0) == name)


def pick(desk, name):
    desk.widget.review.list.clearSelection()
    row(desk, name).setSelected(True)


def test_box_and_outline_are_one_row(read):
    rows = read.widget.review.list.rows()
    assert [(r.text(0), r.text(1)) for r in rows] == [("Brain", "⬠ ▭"), ("CSP", "▭")]
    assert read.widget.review.chip.text() == "proposed"
    assert read.widget.tabs.tabText(0) == "Review"


def test_a_row_selects_its_shapes_and_a_shape_its_row(read):
    pick(read, "Brain")
    assert set(read.layer("boxes").selected_data) == {0}
    assert set(read.layer("polygons").selected_data) == {0}
    read.layer("boxes").selected_data = {1}
    assert row(read, "CSP").isSelected()
    assert not row(read, "Brain").isSelected()
    assert not read.layer("polygons").selected_data


def test_accept_by_key(read):
    pick(read, "Brain")
    press(read, "Alt-A")
    assert statuses(read) == {
        ("Brain", "polygon"): "accepted",
        ("Brain", "box"): "accepted",
        ("CSP", "box"): "proposed",
    }
    assert "accepted" in row(read, "Brain").text(3)
    assert row(read, "Brain").isSelected()  # the row is still the chosen one
    assert read.widget.review.chip.text() == "in review"


def test_one_half_chosen_on_the_canvas_is_judged_with_the_other(read):
    read.layer("polygons").selected_data = {0}
    press(read, "Alt-A")
    assert statuses(read)["Brain", "polygon"] == "accepted"
    assert statuses(read)["Brain", "box"] == "accepted"
    assert statuses(read)["CSP", "box"] == "proposed"


def test_reject_with_a_digit_and_bring_back(read):
    panel = read.widget.review
    pick(read, "CSP")
    press(read, "Alt-R")
    assert not panel.picker.isHidden()
    assert statuses(read)["CSP", "box"] == "proposed"  # nothing yet
    read.qtbot.keyClicks(panel.picker.words, "2")
    assert statuses(read)["CSP", "box"] == "rejected"
    assert panel.picker.isHidden()
    reasons = review.frame_review(read.session.project, read.session.scan.sha256, 0).reasons
    assert list(reasons.values()) == ["wrong_place"]
    assert len(read.layer("boxes").data) == 1
    panel.list.toggle_rejected()
    assert "wrong place" in row(read, "CSP").text(3)
    assert len(read.session.layers.companions["originals"].layer.data)  # seen on the canvas, too
    row(read, "CSP").setSelected(True)
    press(read, "Alt-R")
    assert statuses(read)["CSP", "box"] == "proposed"
    assert len(read.layer("boxes").data) == 2


def test_reject_in_words_and_escape(read):
    picker = read.widget.review.picker
    pick(read, "CSP")
    press(read, "Alt-R")
    read.qtbot.keyClick(picker.words, Qt.Key.Key_Escape)
    assert statuses(read)["CSP", "box"] == "proposed"
    press(read, "Alt-R")
    read.qtbot.keyClicks(picker.words, "a vessel")
    read.qtbot.keyClick(picker.words, Qt.Key.Key_Return)
    assert "a vessel" in read.session.project.history()[-1].label


def test_nothing_chosen_is_said(read):
    for key in ("Alt-A", "Alt-R", "Alt-L"):
        read.widget.message.clear()
        press(read, key)
        assert "Choose a structure" in read.widget.message.text


def test_class_changes_in_the_row(read):
    widget = read.widget.review.list
    widget.choose_class(row(read, "Brain"))
    editor = widget.indexWidget(widget.currentIndex()) or widget.findChild(type_of_editor())
    editor.setCurrentText("thorax")
    editor.activated.emit(editor.currentIndex())
    assert sorted(r.category for r in read.kept()) == ["CSP", "thorax", "thorax"]
    read.session.undo()
    assert sorted(r.category for r in read.kept()) == ["Brain", "Brain", "CSP"]


def type_of_editor():
    from qtpy.QtWidgets import QComboBox

    return QComboBox


def test_what_is_locked_cannot_be_dragged(read):
    pick(read, "CSP")
    press(read, "Alt-L")
    assert not row(read, "CSP").icon(4).isNull()
    layer = read.layer("boxes")
    before = [np.array(v) for v in layer.data]
    layer.data = [before[0], before[1] + 20]
    assert np.array_equal(layer.data[1], before[1])
    assert "locked" in read.widget.message.text
    layer.selected_data = {1}
    layer.remove_selected()
    assert len(layer.data) == 2
    pick(read, "CSP")
    press(read, "Alt-L")
    layer.data = [before[0], before[1] + 20]
    assert statuses(read)["CSP", "box"] == "corrected"


def test_a_rerun_leaves_what_is_locked(read):
    pick(read, "CSP")
    press(read, "Alt-L")
    locked = next(r for r in read.kept() if r.category == "CSP")
    read.widget.start(("interpret", "classify", "map", "detect", "segment"), "replace")
    read.wait_for_run()
    assert locked in read.kept()


def test_accept_the_rest_stays(read):
    press(read, "Alt-N")
    assert set(statuses(read).values()) == {"accepted"}
    assert scan_review(read).state == "in_review"


def test_accept_and_next_in_one_key(read, monkeypatch):
    went = []
    monkeypatch.setattr(type(read.session), "next_scan", lambda _self: went.append(1))
    press(read, "N")
    assert scan_review(read).state == "accepted"
    assert went == [1]
    assert read.widget.review.chip.text() == "✓ accepted"
    read.session.undo()
    assert set(statuses(read).values()) == {"proposed"}
    assert read.widget.review.chip.text() == "proposed"


def test_what_is_being_typed_belongs_to_the_review(read):
    field = read.widget.report.fields["image_quality"]
    field.setPlainText("poor")
    read.widget.review.comment.setText("gain")
    press(read, "N")
    assert scan_review(read).state == "corrected"
    assert scan_review(read).comment == "gain"


def test_skip_and_reject_a_scan(read):
    press(read, "Alt-S")
    assert scan_review(read).state == "skipped"
    press(read, "Alt-J")
    words = read.widget.review.picker.words
    read.qtbot.keyClicks(words, "no fetus")
    read.qtbot.keyClick(words, Qt.Key.Key_Return)
    found = scan_review(read)
    assert (found.state, found.reason) == ("rejected", "no fetus")


def test_comment_and_scores_are_kept(read):
    panel = read.widget.review
    press(read, "Alt-M")
    panel.comment.setText("shadow over the cavum")
    panel.comment.editingFinished.emit()
    panel.scores["annotation"].button(1).click()
    panel.scores["interpretation"].button(3).click()
    panel.scores["interpretation"].button(2).click()
    state = read.session.project.state(read.session.scan.sha256, WHOLE)
    assert state["comment"] == "shadow over the cavum"
    assert (state["score/annotation"], state["score/interpretation"]) == ("1", "2")
    assert not panel.scores["interpretation"].button(3).isChecked()
    panel.scores["annotation"].button(1).click()
    assert "annotation" not in scan_review(read).scores
    read.session.undo()
    assert panel.scores["annotation"].button(1).isChecked()


def test_what_is_not_kept_does_not_stand_in_the_panel(read):
    """In a project that is only to look at, comment and score go back to what is kept."""
    session, panel = read.session, read.widget.review
    session.reviewing.comment("kept")
    session.project.set_mark(LOOK, "Worst cases of a study")
    assert session.open_project(session.project.path)
    assert session.looking.on
    panel.comment.setText("typed")
    panel.flush()
    button = panel.scores["annotation"].button(2)
    button.click()
    assert (panel.comment.text(), button.isChecked()) == ("kept", False)
    assert (scan_review(read).comment, scan_review(read).scores) == ("kept", {})


def test_keys_reach_the_review_from_its_list(read):
    """The list takes the arrows; a letter does what it does on the canvas."""
    read.viewer.window._qt_window.activateWindow()
    widget = read.widget.review.list
    pick(read, "CSP")
    read.qtbot.keyClick(widget, Qt.Key.Key_A, Qt.KeyboardModifier.AltModifier)
    assert statuses(read)["CSP", "box"] == "accepted"
