"""Errors stay until they are dismissed, one after another, and can be copied whole."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication


def test_a_second_error_does_not_push_away_the_first(desk):
    bar = desk.widget.message
    desk.session.say("The drive is full.", "error")
    desk.session.say("The project is locked.", "error")
    desk.session.say("A remark.", "info")
    assert bar.text == "The project is locked."
    bar.dismiss()
    assert bar.text == "The drive is full."
    bar.dismiss()
    assert bar.level == ""
    assert not bar.isVisibleTo(desk.widget)


def test_the_same_error_is_kept_once(desk):
    for _ in range(5):
        desk.session.say("The drive is full.", "error")
        desk.session.say("The project is locked.", "error")
    assert desk.widget.message.unread == ["The drive is full."]


def test_a_long_error_is_copied_whole_and_leaves_room(desk):
    desk.viewer.window._qt_window.show()
    text = "The project cannot be written. " * 80
    desk.session.say(text, "error")
    bar = desk.widget.message
    desk.qtbot.waitUntil(lambda: 50 < bar.height() < 200)
    bar.copy.click()
    assert QApplication.clipboard().text() == text


def test_a_message_that_fits_is_not_scrolled(desk):
    desk.viewer.window._qt_window.show()
    area, policy = desk.widget.message._area, Qt.ScrollBarPolicy
    desk.session.say("Annotations were hidden: look at them, then accept again. " * 2, "warning")
    assert area.verticalScrollBarPolicy() == policy.ScrollBarAlwaysOff
    assert area.height() >= area.widget().heightForWidth(area.viewport().width())
    desk.session.say("The project cannot be written. " * 80, "error")
    assert area.verticalScrollBarPolicy() == policy.ScrollBarAsNeeded
