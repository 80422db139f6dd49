"""The window opens as it was left: width of the dock, tab, what was closed."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QComboBox, QDockWidget

from napari_fada.workstation import napari_private as private
from napari_fada.workstation.memory import recall
from napari_fada.workstation.panels.told import Told
from napari_fada.workstation.worklist.docking import find_worklist


def dock_of(desk):
    widget = desk.widget
    while not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget


@pytest.fixture
def shown(open_desk):
    def opened():
        desk = open_desk()
        window = private.main_window(desk.viewer)
        window.resize(1280, 800)
        window.show()
        desk.widget.comfort.layout.restore()
        QApplication.processEvents()
        return desk, window

    return opened


def test_width_tab_and_a_closed_dock(shown):
    desk, window = shown()
    window.resizeDocks([dock_of(desk)], [520], Qt.Orientation.Horizontal)
    desk.widget.tabs.setCurrentWidget(desk.widget.project)
    controls = next(
        d for d in window.findChildren(QDockWidget) if d.objectName() == "layer controls"
    )
    controls.close()
    desk.qtbot.waitUntil(lambda: recall("tab") == "Project")
    wide = dock_of(desk).width()
    assert wide > 480
    again, window = shown()
    assert dock_of(again).width() == pytest.approx(wide, abs=3)
    assert again.widget.tabs.currentWidget() is again.widget.project
    controls = next(
        d for d in window.findChildren(QDockWidget) if d.objectName() == "layer controls"
    )
    assert controls.isHidden()


def test_it_is_laid_out_once(shown):
    desk, window = shown()
    desk.widget.comfort.layout.note()
    before = dock_of(desk).width()
    window.resizeDocks([dock_of(desk)], [560], Qt.Orientation.Horizontal)
    QApplication.processEvents()
    wide = dock_of(desk).width()
    assert wide > before
    desk.widget.comfort.layout.restore()
    assert dock_of(desk).width() == wide


def test_closing_the_window_is_not_taken_for_closing_docks(shown):
    desk, window = shown()
    desk.widget.comfort.layout.note()
    before = recall("layout")
    window.hide()
    desk.widget.comfort.layout.note()
    assert recall("layout") == before


def test_a_worklist_that_was_open_is_opened_again(shown):
    desk, _ = shown()
    assert find_worklist(desk.viewer) is None
    desk.widget.show_worklist()
    QApplication.processEvents()
    desk.widget.comfort.layout.note()
    again, _ = shown()
    assert find_worklist(again.viewer) is not None


WORDS = "a_name_without_any_place_to_break_" * 4 + " and many words" * 20


def test_no_text_that_comes_from_data_takes_room_from_the_scan(shown):
    """Names, counts, messages: the dock stays as wide, whatever they say, on every tab."""
    desk, _ = shown()
    desk.widget.saved.stop()  # it would write its own text meanwhile
    desk.widget.show_worklist()
    worklist = find_worklist(desk.viewer)
    tabs, canvas = desk.widget.tabs, private._canvas(desk.viewer).native

    def settled():
        for _ in range(3):  # a layout asks its parent, and that one its own
            QApplication.processEvents()
        return dock_of(desk).width(), canvas.width()

    settled()
    for page in range(tabs.count()):
        tabs.setCurrentIndex(page)
        before = settled()
        for told in (*desk.widget.findChildren(Told), *worklist.findChildren(Told)):
            text, hidden = told.text(), told.isHidden()
            told.setText(WORDS)
            told.show()
            assert settled() == before, (tabs.tabText(page), told.parent(), text)
            assert told.text() == WORDS
            told.setText(text)
            told.setHidden(hidden)
        for choice in desk.widget.findChildren(QComboBox):
            choice.blockSignals(True)
            choice.addItem(WORDS)
            assert settled() == before, choice
            choice.removeItem(choice.count() - 1)
            choice.blockSignals(False)
    choices = tuple((f"{WORDS[:60]} {n}", "", lambda: None) for n in range(3))
    for show in (desk.widget.message.ask, desk.widget.message.offer):
        desk.widget.message.clear()
        before = settled()
        show(WORDS, choices)
        assert settled() == before
        assert [b.text() for b in desk.widget.message.buttons] == [c[0] for c in choices]


def test_a_slow_drive_changes_no_width(shown, monkeypatch):
    desk, _ = shown()
    saved = desk.widget.saved
    QApplication.processEvents()
    before = dock_of(desk).width(), saved.minimumSizeHint().width()
    monkeypatch.setattr(type(desk.session.project), "unsaved", property(lambda _: 1900))
    for _ in range(3):
        saved.look()
        QApplication.processEvents()
    assert saved.text() == "Saving 1900 edits… The drive is slow."
    assert (dock_of(desk).width(), saved.minimumSizeHint().width()) == before


def test_a_text_that_is_cut_is_whole_in_its_tip(qtbot):
    told = Told(WORDS)
    qtbot.addWidget(told)
    told.setFixedWidth(120)
    told.show()
    assert told.cut
    assert told.minimumSizeHint().width() < 120
    seen = told.grab().toImage()
    told.setText(told.fontMetrics().elidedText(WORDS, Qt.TextElideMode.ElideRight, 120))
    assert not told.cut
    assert told.grab().toImage() == seen  # drawn as that text would be
    told.setWordWrap(True)
    told.setText(WORDS)
    assert not told.cut
    assert told.heightForWidth(120) > 6 * told.fontMetrics().height()  # long words are broken
