"""The window opens as it was left: width of the dock, tab, what was closed."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QDockWidget

from napari_fada.workstation import napari_private as private
from napari_fada.workstation.memory import recall
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
