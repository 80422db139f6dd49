"""The worklist: open a folder, find, sort, walk from scan to scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent

from napari_fada.records import review
from napari_fada.records.project import Project
from napari_fada.records.worklist import Filter, Worklist
from napari_fada.scans import open_scan
from napari_fada.workstation.ahead import ahead_of
from napari_fada.workstation.session import session_of
from napari_fada.workstation.settings import settings
from napari_fada.workstation.worklist.docking import find_worklist, show_worklist
from napari_fada.workstation.worklist.row_menu import RowMenu
from napari_fada.workstation.worklist.table_model import ITEM, SCAN, STATE, WorklistModel
from napari_fada.workstation.worklist.widget import WorklistWidget

NAMES = [f"scan{i:02}.png" for i in range(12)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve scans and one file that is none."""
    scans = tmp_path / "scans"
    scans.mkdir()
    for i, name in enumerate(NAMES):
        Image.fromarray(np.full((60, 90), 10 * i, np.uint8)).save(scans / name)
    (scans / "zbroken.png").write_bytes(b"\x89PNG\r\n\x1a\n, and then nothing")
    return scans


@pytest.fixture
def listed(desk, folder):
    """Open the window with the folder in its list, nothing read ahead."""
    settings().prepare_next = False
    worklist = show_worklist(desk.viewer)
    choose(worklist.filters.order, "name")
    worklist.add([folder])
    settle(desk, worklist)
    return worklist


def settle(desk, worklist) -> None:
    ahead = desk.widget.ahead
    desk.qtbot.waitUntil(lambda: worklist.at_rest and ahead.at_rest)


def choose(combo, value) -> None:
    """Choose an entry as a user does."""
    found = next(i for i in range(combo.count()) if combo.itemData(i) == value)
    combo.setCurrentIndex(found)
    combo.activated.emit(found)


def names(worklist) -> list[str]:
    return [item.name for item in worklist.model.items if item.name != "scan"]


def row(worklist, name: str) -> int:
    return [item.name for item in worklist.model.items].index(name)


def open_name(desk, worklist, name: str) -> None:
    worklist.table.open_row(row(worklist, name))
    desk.qtbot.waitUntil(lambda: desk.session.scan.name == name)
    settle(desk, worklist)


def press(target, key) -> None:
    from napari.utils.key_bindings import coerce_keybinding

    target.keymap[coerce_keybinding(key)](target)


def test_a_folder_is_listed_and_opened_in_the_background(desk, listed):
    assert names(listed) == [*NAMES, "zbroken.png"]
    broken = listed.model.items[row(listed, "zbroken.png")]
    assert broken.problem
    cell = listed.model.index(row(listed, "zbroken.png"), STATE)
    assert cell.data() == "unreadable"
    assert "14 scans" in listed.summary.text()  # with the one that was a layer before
    first = listed.model.index(row(listed, NAMES[0]), SCAN)
    desk.qtbot.waitUntil(lambda: first.data(Qt.ItemDataRole.DecorationRole) is not None)
    assert first.data(ITEM).sha256 is not None


def test_filters_and_orders(desk, listed):
    project = desk.session.project
    for name, act in ((NAMES[3], review.skip_scan), (NAMES[5], review.reject_scan)):
        act(project, listed.model.items[row(listed, name)].sha256, 0)
    settle(desk, listed)
    state = listed.filters.state
    choose(state, ("skipped",))
    settle(desk, listed)
    assert names(listed) == [NAMES[3]]
    assert "1 of 14 scans" in listed.summary.text()
    choose(state, None)
    desk.qtbot.keyClicks(listed.filters.text, "SCAN1")
    settle(desk, listed)
    desk.qtbot.waitUntil(lambda: names(listed) == NAMES[10:])
    desk.qtbot.keyClick(listed.filters.text, Qt.Key.Key_Escape)
    desk.qtbot.waitUntil(lambda: len(names(listed)) == 13)


def test_a_row_shows_at_once_what_became_of_its_scan(desk, listed):
    before = [item.id for item in listed.model.items]
    at = row(listed, NAMES[2])
    review.skip_scan(desk.session.project, listed.model.items[at].sha256, 0)
    desk.qtbot.waitUntil(lambda: listed.model.index(at, STATE).data() == "skipped")
    assert [item.id for item in listed.model.items] == before  # nothing moves by itself


def test_enter_opens_and_arrows_walk(desk, listed):
    listed.table.enter()
    listed.table.setCurrentIndex(listed.model.index(row(listed, NAMES[1]), SCAN))
    desk.qtbot.keyClick(listed.table, Qt.Key.Key_Down)
    desk.qtbot.keyClick(listed.table, Qt.Key.Key_Return)
    desk.qtbot.waitUntil(lambda: desk.session.scan.name == NAMES[2])
    present = listed.model.items[row(listed, NAMES[2])]
    assert desk.session.walk.present == present.id


def test_keys_walk_over_what_waits_for_review(desk, listed):
    open_name(desk, listed, NAMES[0])
    review.skip_scan(desk.session.project, listed.model.items[row(listed, NAMES[1])].sha256, 0)
    for role in (None, "boxes", "polygons", "masks", "keypoints"):
        target = desk.viewer if role is None else desk.layer(role)
        press(target, "Alt-Right")
        desk.qtbot.waitUntil(lambda: desk.session.scan.name == NAMES[2])
        press(target, "Alt-Left")
        desk.qtbot.waitUntil(lambda: desk.session.scan.name == NAMES[0])


def test_the_search_has_a_key(desk):
    press(desk.viewer, "Alt-W")
    worklist = find_worklist(desk.viewer)
    assert worklist is not None
    press(desk.viewer, "Alt-W")
    assert find_worklist(desk.viewer) is worklist


def test_opened_from_the_menu_and_closed_again(desk):
    """From napari's menu it comes on the right and under a longer name."""
    opened = WorklistWidget(desk.viewer)
    desk.viewer.window.add_dock_widget(opened, name="FADA worklist (napari-fada)", area="right")
    press(desk.viewer, "Alt-W")
    assert find_worklist(desk.viewer) is opened
    opened._go_to_the_left()
    left = Qt.DockWidgetArea.LeftDockWidgetArea
    window = desk.viewer.window._qt_window
    assert window.dockWidgetArea(opened.parentWidget()) == left
    with desk.qtbot.waitSignal(opened.destroyed):
        desk.viewer.window.remove_dock_widget(opened)
        opened.deleteLater()
    desk.widget.ahead.changed.emit()  # nobody is there any more to be told
    desk.session.list_changed.emit()
    settings().prepare_next = False
    assert find_worklist(desk.viewer) is None
    press(desk.viewer, "Alt-W")
    assert find_worklist(desk.viewer) is not None


def test_one_page_goes_through_the_list(desk, listed):
    before = len(desk.viewer.layers)
    for name in NAMES[:4]:
        open_name(desk, listed, name)
    assert len(desk.viewer.layers) == before + 1
    assert desk.session.image.data[0, 0] == 30


def test_a_vanished_file_is_told_and_passed_over(desk, listed, folder):
    said = []
    desk.session.message.connect(lambda text, _level: said.append(text))
    open_name(desk, listed, NAMES[0])
    desk.session.prepared.clear()
    (folder / NAMES[1]).unlink()
    assert desk.session.next_scan()
    desk.qtbot.waitUntil(lambda: desk.session.scan.name == NAMES[2])
    settle(desk, listed)
    assert any(NAMES[1] in text for text in said)
    assert listed.model.items[row(listed, NAMES[1])].problem


def test_an_unreadable_file_leaves_what_is_shown(desk, listed):
    open_name(desk, listed, NAMES[4])
    said = []
    desk.session.message.connect(lambda _text, level: said.append(level))
    listed.table.open_row(row(listed, "zbroken.png"))
    desk.qtbot.waitUntil(lambda: "error" in said)
    assert desk.session.scan.name == NAMES[4]


def test_dropped_files_are_listed(desk, folder):
    worklist = show_worklist(desk.viewer)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(folder / name)) for name in NAMES[:3]])
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    none = Qt.KeyboardModifier.NoModifier
    worklist.dropEvent(QDropEvent(QPointF(5, 5), copy, data, left, none))
    settle(desk, worklist)
    desk.qtbot.waitUntil(lambda: len(names(worklist)) == 3)


def test_the_menu_skips_removes_and_finds_files(desk, listed, folder, tmp_path):
    menu = RowMenu(desk.session, desk.widget.ahead, listed.ask)
    built = menu.build([listed.model.items[row(listed, NAMES[0])]], listed)
    texts = [action.text() for action in built.actions()]
    assert {"Skip", "Remove from the list", "Show in its folder"} <= set(texts)
    next(a for a in built.actions() if a.text() == "Skip").trigger()
    desk.qtbot.waitUntil(
        lambda: listed.model.index(row(listed, NAMES[0]), STATE).data() == "skipped"
    )
    moved = tmp_path / "elsewhere.png"
    (folder / NAMES[6]).rename(moved)
    item = listed.model.items[row(listed, NAMES[6])]
    assert not menu.relink(item, folder / NAMES[7])
    assert menu.relink(item, moved)
    settle(desk, listed)
    found = desk.session.walk.worklist.of_scan(item.sha256)
    assert found.path == moved
    menu.remove([listed.model.items[row(listed, NAMES[8])]])
    settle(desk, listed)
    desk.qtbot.waitUntil(lambda: NAMES[8] not in names(listed))
    assert (folder / NAMES[8]).exists()
    menu.remove([listed.model.items[row(listed, NAMES[0])]])  # someone has judged it
    settle(desk, listed)
    assert NAMES[0] in names(listed)


def trigger(menu, text) -> None:
    next(a for a in menu.actions() if a.text().startswith(text)).trigger()


def test_any_number_of_rows_is_judged_at_one_stroke_and_taken_back(desk, listed):
    said = []
    desk.session.message.connect(lambda text, _level: said.append(text))
    open_name(desk, listed, NAMES[0])
    desk.run()
    press(desk.viewer, "N")
    settle(desk, listed)
    open_name(desk, listed, NAMES[1])
    desk.run()
    open_name(desk, listed, NAMES[2])
    desk.run()
    items = [i for i in listed.model.items if i.name != "zbroken.png"]
    trigger(listed.menu.build(items, listed), "Accept")
    settle(desk, listed)
    assert "Nobody has looked at these 2 scans here" in desk.widget.message.text
    assert desk.session.reviewing.scan_review().state == "proposed"  # nothing is done unasked
    button = next(b for b in desk.widget.message.buttons if b.text().startswith("Accept all"))
    button.click()
    settle(desk, listed)
    assert listed.progress.isHidden()
    assert "2 scans are accepted." in said[-1]
    assert "because they were so already" in said[-1]
    assert "because no model has read them" in said[-1]
    # What is shown, and the list, have followed.
    assert desk.session.reviewing.scan_review().state == "accepted"
    assert {a.rater for a in desk.kept()} == {"ann"}
    shown = {i.name: i.state for i in listed.model.items}
    assert [shown[name] for name in NAMES[:4]] == ["accepted", "accepted", "accepted", "new"]
    trigger(listed.menu.build(items, listed), "Take back")
    settle(desk, listed)
    assert "2 scans are as before" in said[-1]
    shown = {i.name: i.state for i in listed.model.items}
    assert [shown[name] for name in NAMES[:3]] == ["accepted", "proposed", "proposed"]
    # Without a question, for as many as one likes.
    many = items * 30
    assert len(many) > 300
    trigger(listed.menu.build(many, listed), "Reject")
    settle(desk, listed)
    assert f"{len(items)} scans are rejected." in said[-1]
    assert listed.menu.bulk.last is not None
    # Another project is opened meanwhile: it goes on in its own, and is not taken back in this one.
    trigger(listed.menu.build(items, listed), "Back into review")
    first = desk.session.project.path
    assert desk.session.open_project(first.with_name("other.fada"))
    settle(desk, listed)
    assert said[-1].startswith(f"In {first.name}: {len(items)} scans are in review again.")
    assert listed.menu.bulk.last is None


def test_what_was_chosen_and_asked_is_not_taken_to_another_project(desk, listed, folder):
    """Rows have the same numbers in each project, and mean other scans there."""
    open_name(desk, listed, NAMES[0])
    desk.run()
    open_name(desk, listed, NAMES[1])
    desk.run()
    open_name(desk, listed, NAMES[5])
    shown = desk.session.scan.sha256
    first = desk.session.project.path
    second = first.with_name("other.fada")
    with Project.open(second) as other:
        for name in (*NAMES[5:9], *NAMES[:5]):
            other.add_scan(open_scan(folder / name))
    listed.table.selectAll()
    trigger(listed.menu.build(listed.model.items[:2], listed), "Accept")
    settle(desk, listed)
    assert "in the name of ann" in desk.widget.message.text
    desk.session.rater = "ben"  # asked anew, for who would sign is another
    desk.widget.message.buttons[1].click()
    settle(desk, listed)
    assert "in the name of ben" in desk.widget.message.text
    assert not desk.session.walk.worklist.counts().get("accepted")
    assert desk.session.open_project(second)
    settle(desk, listed)
    assert desk.widget.message.buttons == []
    assert [i.sha256 for i in listed.table.selected()] == [shown]


def test_filter_and_order_are_remembered(desk, listed, make_napari_viewer):
    choose(listed.filters.state, ("new",))
    settle(desk, listed)
    session = session_of(make_napari_viewer())
    session.adopt(desk.session.project)
    again = WorklistWidget(session.viewer)
    desk.qtbot.addWidget(again)
    try:
        assert session.walk.order == "name"
        assert session.walk.where.states == {"new"}
        assert again.filters.state.currentData() == ("new",)
        desk.qtbot.waitUntil(lambda: again.at_rest)
    finally:
        again.close_list()
        ahead_of(session).close()


def test_reviewing_needs_no_engine(make_napari_viewer, qtbot, folder, tmp_path):
    from napari_fada.records.project import Project

    viewer = make_napari_viewer()
    session = session_of(viewer)
    session.adopt(Project.open(tmp_path / "alone.fada", rater="ann"))
    worklist = show_worklist(viewer)
    try:
        worklist.add([folder])
        qtbot.waitUntil(lambda: worklist.at_rest and len(worklist.model.items) == 13)
        assert not worklist.batch.run.isEnabled()
        qtbot.waitUntil(lambda: worklist.ahead.at_rest)  # before any scan is shown
        session.next_scan()
        qtbot.waitUntil(lambda: session.scan is not None and session.scan.name == NAMES[0])
        review.skip_scan(session.project, session.scan.sha256, 0)
        session.next_scan()
        qtbot.waitUntil(lambda: session.scan.name == NAMES[1])
    finally:
        worklist.close_list()
        worklist.ahead.close()
        session.close()


def test_thousands_of_rows_cost_what_is_seen(desk, tmp_path, monkeypatch):
    scans = tmp_path / "many"
    scans.mkdir()
    for i in range(3000):
        (scans / f"m{i:04}.png").touch()
    Worklist(desk.session.project).add([scans])
    worklist = show_worklist(desk.viewer)
    worklist.files.cancel()
    desk.qtbot.waitUntil(lambda: worklist.model.rowCount() == 3001)
    asked: set[int] = set()
    original = WorklistModel.data

    def counted(self, index, role=Qt.ItemDataRole.DisplayRole):
        asked.add(index.row())
        return original(self, index, role)

    monkeypatch.setattr(WorklistModel, "data", counted)
    worklist.table.scrollTo(worklist.model.index(2500, SCAN))
    worklist.table.viewport().grab()
    assert 0 < len(asked) < 60
    desk.session.look_for(Filter(text="m2999"))
    desk.qtbot.waitUntil(lambda: worklist.model.rowCount() == 1)
