"""The report: written by keys alone, helped by phrases and spelling, and never lost."""

from __future__ import annotations

import json

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QInputMethodEvent, QTextCharFormat
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_fada.errors import ProjectError
from napari_fada.records.project import Project
from napari_fada.records.reading import INTERPRETATION_KEYS, VARIANTS
from napari_fada.records.review import scan_review
from napari_fada.records.spelling import english_words
from napari_fada.workstation import napari_private as private
from napari_fada.workstation import writing_aids
from napari_fada.workstation.datasets.export_dialog import ExportDialog
from napari_fada.workstation.settings import settings

FIRST, QUALITY = "anatomical_structures", "image_quality"


@pytest.fixture(scope="module", autouse=True)
def _words_are_read():
    """Read the English words before, so that no test waits for that."""
    for portion in english_words():
        writing_aids._english.update(portion)


@pytest.fixture
def writing(desk):
    """Open the report of a scan that was read, the keys on the canvas."""
    desk.run()
    window = private.main_window(desk.viewer)
    window.show()
    window.activateWindow()
    desk.widget.tabs.setCurrentWidget(desk.widget.report)
    desk.qtbot.waitUntil(lambda: desk.widget.report.aids.ready)
    canvas = desk.viewer.window._qt_viewer.canvas.native
    canvas.setFocus()
    desk.qtbot.waitUntil(canvas.hasFocus)
    desk.canvas = canvas
    return desk


def enter(desk, key=QUALITY, *, empty=True):
    field = desk.widget.report.fields[key]
    field.setFocus()
    desk.qtbot.waitUntil(field.hasFocus)
    if empty:
        field.selectAll()
        QTest.keyClick(field, Qt.Key.Key_Delete)
    return field


def kept(desk, key=QUALITY):
    """Return what another program reads in the file now."""
    with Project.open(desk.session.project.path) as other:
        return other.report(desk.session.scan.sha256, 0).fields.get(key)


def marked(field):
    """Return the words that are underlined."""
    found, block = [], field.document().begin()
    while block.isValid():
        for span in block.layout().formats():
            style = span.format.underlineStyle()
            if style == QTextCharFormat.UnderlineStyle.SpellCheckUnderline:
                found.append(block.text()[span.start : span.start + span.length])
        block = block.next()
    return found


# Keys


def test_from_the_canvas_through_the_fields_and_back(writing):
    desk, fields = writing, writing.widget.report.fields
    desk.widget.tabs.setCurrentWidget(desk.widget.classes)
    QTest.keyClick(desk.canvas, Qt.Key.Key_F2)
    desk.qtbot.waitUntil(fields[FIRST].hasFocus)
    for key in INTERPRETATION_KEYS[1:]:
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        assert fields[key].hasFocus()
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Backtab)
    last = fields[INTERPRETATION_KEYS[-2]]
    assert last.hasFocus()
    QTest.keyClicks(last, "x")
    QTest.keyClick(last, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert "x" in kept(desk, last.key)
    assert desk.canvas.hasFocus()


@pytest.mark.parametrize("role", ["boxes", "masks", ""])
def test_f2_fires_on_every_layer(writing, role):
    desk = writing
    layer = desk.layer(role) if role else desk.session.image
    desk.viewer.layers.selection.active = layer
    QTest.keyClick(desk.canvas, Qt.Key.Key_F2)
    desk.qtbot.waitUntil(desk.widget.report.fields[FIRST].hasFocus)


def test_escape_takes_the_typing_back(writing):
    field = enter(writing)
    QTest.keyClicks(field, "zzz")
    writing.widget.report.flush()
    assert kept(writing) == "zzz"
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert field.text() == kept(writing) == f"{QUALITY} as written"
    assert QUALITY not in writing.session.report().expert_fields
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert writing.canvas.hasFocus()


def test_undo_is_the_fields_own_until_it_is_left_and_then_one_step(writing):
    desk, field = writing, enter(writing, empty=False)
    field.moveCursor(field.textCursor().MoveOperation.End)
    undo = (Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    for word in (" one", " two"):
        QTest.keyClicks(field, word)
        field.flush()
    steps = desk.session.project.steps(desk.session.scan.sha256, 0)[0]
    QTest.keyClick(field, *undo)
    assert field.text() != f"{QUALITY} as written one two"
    assert desk.session.project.steps(desk.session.scan.sha256, 0)[0] == steps
    QTest.keyClicks(field, " three")
    text = field.text()
    enter(desk, FIRST, empty=False)
    assert kept(desk) == text
    # All pieces of the typing go back at once.
    desk.session.undo()
    assert kept(desk) == field.text() == f"{QUALITY} as written"
    desk.session.redo()
    assert kept(desk) == text
    # A field in which nothing was typed passes the key on.
    QTest.keyClick(desk.widget.report.fields[FIRST], *undo)
    assert kept(desk) == f"{QUALITY} as written"


# What was changed


def test_how_each_field_stands_and_what_was_changed(writing):
    desk, report = writing, writing.widget.report
    rows = report.rows
    assert {row.standing for row in rows.values()} == {"model"}
    assert not any(row.diff.isVisible() for row in rows.values())
    desk.session.set_report(fields={QUALITY: "image quality as corrected", FIRST: ""})
    assert rows[QUALITY].standing == rows[FIRST].standing == "changed"
    assert rows[QUALITY].title.text() == "✎ Quality"
    assert "2 changed" in report.summary.text()
    QTest.mouseClick(report.diffs, Qt.MouseButton.LeftButton)
    assert [k for k, row in rows.items() if row.diff.isVisible()] == [FIRST, QUALITY]
    shown = rows[QUALITY].diff.text()
    assert "<s " in shown
    assert ">written</s>" in shown
    assert "corrected</b></u>" in shown
    assert f"Model: {QUALITY} as written" in shown
    field = enter(desk, QUALITY, empty=False)
    QTest.keyClick(field, Qt.Key.Key_F3)
    assert [k for k, row in rows.items() if row.diff.isVisible()] == [FIRST]
    QTest.keyClick(field, Qt.Key.Key_Backspace, Qt.KeyboardModifier.AltModifier)
    assert kept(desk) == f"{QUALITY} as written"
    assert rows[QUALITY].standing == "model"
    QTest.mouseClick(rows[FIRST].back, Qt.MouseButton.LeftButton)
    assert desk.session.report().expert_fields == {}


def test_markup_in_a_text_is_text(writing):
    writing.session.set_report(fields={QUALITY: "<b>5 < 6</b>"})
    writing.widget.report.show_diffs(True)
    assert "&lt;b&gt;5 &lt; 6" in writing.widget.report.rows[QUALITY].diff.text()


def test_required_fields_are_shown_and_shared(writing):
    desk, report = writing, writing.widget.report
    report._menu.aboutToShow.emit()
    action = next(a for a in report._menu.actions() if a.data() == QUALITY)
    assert not action.isChecked()
    action.trigger()
    with Project.open(desk.session.project.path) as other:
        assert other.required_fields() == (QUALITY,)
    assert report.missing() == ()
    enter(desk)
    desk.widget.report.flush()
    assert report.missing() == ("Quality",)
    assert report.rows[QUALITY].title.text() == "! Quality"
    assert "1 required missing" in report.summary.text()


def test_accepting_names_what_is_missing_and_a_second_time_goes_on(writing):
    desk = writing
    sha256, project = desk.session.scan.sha256, desk.session.project
    project.set_required_fields([QUALITY, FIRST])
    enter(desk)
    desk.canvas.setFocus()
    QTest.keyClick(desk.canvas, Qt.Key.Key_N)
    assert "image quality" in desk.widget.message.text
    assert "anatomical" not in desk.widget.message.text
    assert scan_review(project, sha256).state == "in_review"
    QTest.keyClick(desk.canvas, Qt.Key.Key_N)
    assert scan_review(project, sha256).state == "corrected"


# Phrases


def test_a_phrase_in_grey_is_taken_with_tab(writing):
    field = enter(writing)
    QTest.keyClicks(field, "limited by ac")
    assert field.ghost == "oustic shadow"
    assert writing.widget.report.offers.isVisible()
    assert field.hasFocus()
    QTest.keyClick(field, Qt.Key.Key_Tab)
    assert field.text() == "Limited by acoustic shadow"
    assert field.hasFocus()
    assert not writing.widget.report.offers.isVisible()
    QTest.keyClick(field, Qt.Key.Key_Tab)
    assert not field.hasFocus()
    assert kept(writing) == "Limited by acoustic shadow"


def test_a_phrase_is_chosen_with_down_and_taken_with_enter(writing):
    field = enter(writing)
    QTest.keyClick(field, Qt.Key.Key_Down)
    QTest.keyClick(field, Qt.Key.Key_Down)
    second = writing.widget.report.offers.texts()[1]
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert field.text() == second
    QTest.keyClick(field, Qt.Key.Key_Return)  # without a choice it is a line break
    assert field.text() == second + "\n"


def test_a_phrase_is_taken_with_a_click_and_the_field_keeps_the_keys(writing):
    field = enter(writing)
    QTest.keyClicks(field, "Good; blurr")
    row = writing.widget.report.offers.rows[0]
    QTest.mouseClick(row, Qt.MouseButton.LeftButton)
    QApplication.processEvents()
    assert field.text() == "Good; Blurred by movement"
    assert field.hasFocus()


def test_phrases_are_never_in_the_way(writing):
    field = enter(writing)
    QTest.keyClicks(field, "limited")
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert field.text() == "limited"
    assert not writing.widget.report.offers.isVisible()
    settings().offer_phrases = False
    QTest.keyClicks(field, " by")
    assert field.ghost == ""
    assert field.text() == "limited by"


def test_what_was_written_before_is_offered(writing):
    desk, field = writing, enter(writing)
    QTest.keyClicks(field, "Quokka-like shadow")
    enter(desk, FIRST, empty=False)
    field = enter(desk)
    QTest.keyClicks(field, "quok")
    assert desk.widget.report.offers.texts() == ["Quokka-like shadow"]


# Spelling


def test_unknown_words_are_underlined_but_not_while_they_are_typed(writing):
    field = enter(writing)
    QTest.keyClicks(field, "good midlien")
    assert marked(field) == []
    QTest.keyClicks(field, " seen")
    assert marked(field) == ["midlien"]
    settings().check_spelling = False
    assert marked(field) == []


def test_a_suggestion_replaces_the_word_and_nothing_else(writing):
    field = enter(writing)
    QTest.keyClicks(field, "good midlien seen")
    field.moveCursor(field.textCursor().MoveOperation.Start)
    assert field.marks.select_next()
    menu = field.word_menu()
    next(a for a in menu.actions() if a.text() == "midline").trigger()
    assert field.text() == "good midline seen"
    menu.close()


def test_a_word_of_the_project_is_known_to_everybody(writing):
    desk, field = writing, enter(writing)
    QTest.keyClicks(field, "Kowalczyk seen")
    field.moveCursor(field.textCursor().MoveOperation.Start)
    menu = field.word_menu()
    next(a for a in menu.actions() if "Kowalczyk" in a.text()).trigger()
    menu.close()
    assert marked(field) == []
    with Project.open(desk.session.project.path) as other:
        assert other.words() == ("Kowalczyk",)


# To the letter, and never lost


@pytest.mark.parametrize(
    "text",
    ['"so" -- (c) ...', "n\u00e3o 2\u00a0mm", "one\n\ntwo\n", "胎児 🙂 e\u0301", " a  b "],
)
def test_a_text_is_kept_to_the_letter(writing, text):
    field = enter(writing)
    field.textCursor().insertText(text)
    field.flush()
    assert kept(writing) == text
    writing.widget.report.show_report()
    assert field.text() == text


def test_an_input_method_composes_undisturbed(writing):
    field = enter(writing)
    QApplication.sendEvent(field, QInputMethodEvent("ni", []))
    writing.widget.report.show_report()
    assert field.document().firstBlock().layout().preeditAreaText() == "ni"
    done = QInputMethodEvent()
    done.setCommitString("你")
    QApplication.sendEvent(field, done)
    field.flush()
    assert kept(writing) == "你"


def test_an_edit_that_cannot_be_kept_stays_in_its_field(writing, monkeypatch):
    desk, field = writing, enter(writing)
    field.flush()

    def full(*_args, **_more):
        raise ProjectError("There is no space left.", kept="Nothing is lost.", todo="Free some.")

    monkeypatch.setattr(Project, "set_report", full)
    QTest.keyClicks(field, "typed on a full disk")
    field.flush()
    row = desk.widget.report.rows[QUALITY]
    assert row.standing == "unsaved"
    assert field.text() == "typed on a full disk"
    monkeypatch.undo()
    QTest.keyClicks(field, "!")
    field.flush()
    assert row.standing == "changed"
    assert kept(desk) == "typed on a full disk!"


def test_closing_the_window_keeps_what_is_typed(writing):
    path, sha256 = writing.session.project.path, writing.session.scan.sha256
    QTest.keyClicks(enter(writing), "typed just now")
    writing.widget.close_session()
    with Project.open(path) as other:
        assert other.report(sha256, 0).fields[QUALITY] == "typed just now"


def test_an_edit_shows_in_exactly_its_variants(writing, tmp_path):
    desk = writing
    QTest.keyClicks(enter(desk), "Edited by keys")
    enter(desk, FIRST, empty=False)
    dialog = desk.widget.project.show_dialog(ExportDialog)
    dialog.place.line.setText(str(tmp_path / "out"))
    dialog.form.choose("fada")
    dialog.go.click()
    file = tmp_path / "out" / "fada.jsonl"
    desk.qtbot.waitUntil(file.exists)
    lines = [json.loads(line) for line in file.read_bytes().split(b"\n") if line]
    told = {
        line["meta"]["variant"]: json.loads(line["messages"][1]["content"][0]["text"])
        for line in lines
        if line["meta"]["task"] == "interpret"
    }
    assert {v for v, f in told.items() if f.get(QUALITY) == "Edited by keys"} == {
        v for v, keys in VARIANTS.items() if QUALITY in keys
    }
