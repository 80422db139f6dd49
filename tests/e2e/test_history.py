"""The History tab: who did what when, how it was, and bringing it back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_fada.records import review
from napari_fada.records.annotation import Annotation
from napari_fada.records.history import WHOLE
from napari_fada.records.project import Project


def texts(panel):
    """Return what the list shows, without headings."""
    lines = (panel.model.line(row) for row in range(panel.model.rowCount()))
    return [panel.model.text(line) for line in lines if line is not None]


def row_of(panel, text):
    return next(
        row
        for row in range(panel.model.rowCount())
        if panel.model.line(row) is not None and panel.model.text(panel.model.line(row)) == text
    )


def click(desk, text):
    panel = desk.widget.history
    index = panel.model.index(row_of(panel, text), 0)
    panel.list.scrollTo(index)
    where = panel.list.visualRect(index).center()
    desk.qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=where)


def shown(desk):
    """Return the boxes on the canvas, by class."""
    layer = desk.layer("boxes")
    return dict(zip(layer.features["class"].tolist(), layer.data, strict=True))


def open_history(desk):
    desk.viewer.window._qt_window.show()
    desk.qtbot.waitExposed(desk.viewer.window._qt_window)
    desk.widget.keys._does["history"]()
    assert desk.widget.history.isVisible()


@pytest.fixture
def edited(desk):
    """Run the model, move a box, delete the other, and open the tab by its key."""
    desk.run()
    layer = desk.layer("boxes")
    data = [np.array(v) for v in layer.data]
    data[0] += 5
    layer.data = data
    layer.selected_data = {1}
    layer.remove_selected()
    open_history(desk)
    return desk


def test_lines_say_in_plain_words_who_did_what(edited):
    panel = edited.widget.history
    assert texts(panel)[:2] == ["Brain rejected", "CSP moved"] or texts(panel)[:2] == [
        "CSP rejected",
        "Brain moved",
    ]
    assert "read the frame" in texts(panel)[-1]
    line = panel.model.line(1)
    assert line.rater == "ann"
    assert "ann" in panel.model.data(panel.model.index(1, 0), Qt.ItemDataRole.ToolTipRole)
    assert panel.model.data(panel.model.index(0, 0)).startswith("Today")


def test_a_click_shows_how_it_was_and_back_shows_the_present(edited):
    panel, session = edited.widget.history, edited.session
    now = {name: np.array(v) for name, v in shown(edited).items()}
    before = edited.kept()
    click(edited, texts(panel)[-1])
    assert set(shown(edited)) == {"Brain", "CSP"}
    assert "This is how it was" in panel.was.text()
    # Looking changes nothing, and an edit is refused with a word.
    layer = edited.layer("boxes")
    layer.add([[10, 10], [10, 50], [50, 50], [50, 10]], shape_type="rectangle")
    assert edited.kept() == before
    assert set(shown(edited)) == {"Brain", "CSP"}
    assert "earlier state" in edited.widget.message.text
    assert not session.set_report(fields={"image_quality": "x"})
    edited.qtbot.mouseClick(panel.back_button, Qt.MouseButton.LeftButton)
    assert {n: v.tolist() for n, v in shown(edited).items()} == {
        n: v.tolist() for n, v in now.items()
    }
    assert panel.was.text() == "This is how it is now."
    assert not panel.restore_button.isEnabled()


def test_restore_brings_a_state_back_as_a_new_edit(edited):
    panel = edited.widget.history
    before = len(edited.session.project.history())
    first = texts(panel)[-1]
    click(edited, first)
    edited.qtbot.keyClick(panel.list, Qt.Key.Key_Return)
    assert sorted(a.category for a in edited.kept() if a.kind == "box") == ["Brain", "CSP"]
    assert set(shown(edited)) == {"Brain", "CSP"}
    assert len(edited.session.project.history()) == before + 1
    assert texts(panel)[0] == f"Restored: as after “{first}”"
    assert "Restored" in edited.widget.message.text
    edited.session.undo()
    assert len([a for a in edited.kept() if a.kind == "box"]) == 1
    assert panel.model.line(row_of(panel, f"Restored: as after “{first}”")).undone
    with Project.open(edited.session.project.path) as other:
        assert other.check() == []


def test_the_report_is_shown_as_it_was(edited):
    edited.session.set_report(fields={"image_quality": "poor"})
    panel, field = edited.widget.history, edited.widget.report.fields["image_quality"]
    assert texts(panel)[0] == "Report: image quality changed"
    click(edited, texts(panel)[1])
    assert field.toPlainText() == "image_quality as written"
    edited.qtbot.keyClick(panel.list, Qt.Key.Key_Escape)
    assert field.toPlainText() == "poor"


def test_leaving_the_tab_leaves_the_past(edited):
    now = set(shown(edited))
    click(edited, texts(edited.widget.history)[-1])
    assert set(shown(edited)) != now
    edited.widget.tabs.setCurrentWidget(edited.widget.report)
    assert set(shown(edited)) == now
    assert edited.session.past is None


def test_raters_are_told_apart(edited):
    session, panel = edited.session, edited.widget.history
    session.rater = "bob"
    review.set_comment(session.project, session.scan.sha256, 0, "shadow on the left")
    assert texts(panel)[0] == "Comment: shadow on the left"
    assert [panel.rater.itemText(i) for i in range(panel.rater.count())] == [
        "Everybody",
        "ann",
        "bob",
    ]
    panel.rater.setCurrentText("bob")
    assert texts(panel) == ["Comment: shadow on the left"]


def test_what_another_window_did_is_listed(edited):
    session, panel = edited.session, edited.widget.history
    with Project.open(session.project.path, rater="eve") as other:
        box = Annotation("LV", "box", ((10.0, 10.0), (50.0, 50.0)), source="expert")
        other.edit(session.scan.sha256, 0, add=[box])
    edited.widget._look_for_others()
    assert texts(panel)[0] == "LV drawn"
    assert panel.model.line(1).rater == "eve"


def test_frames_of_a_clip(open_desk):
    desk = open_desk(np.zeros((4, 60, 80), np.uint8))
    project, sha = desk.session.project, desk.session.scan.sha256
    box = Annotation("LV", "box", ((10.0, 10.0), (50.0, 50.0)), source="expert")
    for frame in (0, 2):
        project.edit(sha, frame, add=[dataclasses.replace(box, uid=str(frame) * 32)])
    project.set_state(sha, WHOLE, {"comment": "long"})
    with project.together("Copied to 2 frames"):
        for frame in (1, 3):
            project.edit(sha, frame, add=[dataclasses.replace(box, uid=str(frame) * 32)])
    open_history(desk)
    desk.session.go_to_frame(0)
    panel = desk.widget.history
    assert texts(panel) == ["Comment: long", "LV drawn · frame 1"]
    panel.frames.setCurrentText("All frames")
    assert texts(panel) == [
        "Copied to 2 frames · 2 frames",
        "Comment: long",
        "LV drawn · frame 3",
        "LV drawn · frame 1",
    ]
    click(desk, "LV drawn · frame 3")
    assert desk.session.frame == 2
    assert desk.session.past is not None


def test_thousands_of_lines_are_read_page_by_page(desk):
    project, sha = desk.session.project, desk.session.scan.sha256
    with project._store.write() as c:  # as if edited for a year
        c.executemany(
            "INSERT INTO edits (sha256, frame, kind, target, label, rater, at) "
            "VALUES (?, 0, 'do', NULL, ?, 'ann', '2026-01-02T10:00:00.000+00:00')",
            [(sha, f"act {n}") for n in range(5000)],
        )
    asked = []
    project._store.connection.set_trace_callback(asked.append)
    open_history(desk)
    panel = desk.widget.history
    project._store.connection.set_trace_callback(None)
    assert len(texts(panel)) < 1000
    assert len([s for s in asked if "FROM edits" in s]) < 10
    while panel.model.canFetchMore():
        panel.model.fetchMore()
    assert texts(panel) == [f"act {n}" for n in reversed(range(5000))]
