"""Cancel stops the run at once; what had arrived is kept, the window is ready again."""

from __future__ import annotations

import time

from answering import hosted_slow_engine, slow

from napari_fada.workstation.runner import Engines


def test_cancel_takes_effect(desk, qtbot):
    desk.answer(slow())
    desk.widget.run()
    qtbot.waitUntil(lambda: desk.widget.phases.states["interpret"] == "running")
    assert not desk.widget.phases.run_button.isEnabled()
    began = time.monotonic()
    desk.widget.phases.cancel_button.click()
    desk.wait_for_run()
    assert time.monotonic() - began < 1.0
    assert desk.widget.phases.run_button.isEnabled()
    assert "Cancelled" in desk.widget.message.text
    assert "done" not in {desk.widget.phases.states["detect"], desk.widget.phases.states["segment"]}


def test_cancel_of_a_child_process(desk, qtbot):
    desk.widget.runner.engines = Engines(lambda _name: hosted_slow_engine())
    desk.widget.run()
    qtbot.waitUntil(lambda: desk.widget.phases.answer.toPlainText() != "")
    began = time.monotonic()
    desk.widget.runner.cancel()
    desk.wait_for_run()
    assert time.monotonic() - began < 1.0


def test_a_cancelled_second_run_takes_nothing_away(desk, qtbot):
    desk.run()
    before = desk.kept()
    desk.answer(slow())
    desk.widget.start(("interpret", "classify", "map", "detect", "segment"), "replace")
    qtbot.waitUntil(lambda: desk.widget.phases.states["interpret"] == "running")
    desk.widget.runner.cancel()
    desk.wait_for_run()
    assert desk.kept() == before
    assert len(desk.layer("boxes").data) == 2


def test_only_one_run_at_a_time(desk, qtbot):
    desk.answer(slow())
    desk.widget.run()
    qtbot.waitUntil(lambda: desk.widget.runner.running)
    assert not desk.widget.start(("detect",), "add")
    desk.widget.runner.cancel()
    desk.wait_for_run()


def test_nothing_is_accepted_while_it_is_read(desk, qtbot):
    desk.answer(slow())
    desk.widget.run()
    qtbot.waitUntil(lambda: desk.widget.phases.states["interpret"] == "running")
    accept = desk.session.reviewing.accept_and_next
    for _ in range(2):
        assert not accept()
        assert desk.widget.message.text.startswith("A run goes on here")
    assert desk.session.reviewing.scan_review().state == "new"
    desk.widget.runner.cancel()
    desk.wait_for_run()
    accept()
    assert desk.session.reviewing.scan_review().state == "accepted"
