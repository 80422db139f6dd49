"""A second run asks first, and never touches what an expert made."""

from __future__ import annotations

import numpy as np
from answering import failing


def corrected(desk):
    desk.run()
    layer = desk.layer("boxes")
    data = [np.array(v) for v in layer.data]
    data[0] += 5
    layer.data = data
    return next(r for r in desk.kept() if r.source == "expert")


def ask(desk):
    desk.widget.run()
    assert not desk.widget.runner.running
    return {b.text(): b for b in desk.widget.message.buttons}


def test_replace_keeps_the_expert(desk):
    mine = corrected(desk)
    buttons = ask(desk)
    assert list(buttons) == ["Replace proposals", "Add", "Cancel"]
    buttons["Replace proposals"].click()
    desk.wait_for_run()
    assert mine in desk.kept()
    boxes = [r.category for r in desk.kept() if r.kind == "box"]
    assert sorted(boxes) == ["Brain", "Brain", "CSP"]


def test_add_keeps_everything(desk):
    corrected(desk)
    before = desk.kept()
    ask(desk)["Add"].click()
    desk.wait_for_run()
    assert all(r in desk.kept() for r in before)
    assert len(desk.kept()) == len(before) + 3


def test_cancel_changes_nothing(desk):
    corrected(desk)
    before = desk.kept()
    ask(desk)["Cancel"].click()
    assert not desk.widget.runner.running
    assert desk.kept() == before
    assert desk.widget.message.text == ""


def test_a_failed_run_takes_nothing_away(desk):
    corrected(desk)
    before = desk.kept()
    desk.answer(failing("detect"))
    ask(desk)["Replace proposals"].click()
    desk.wait_for_run()
    assert desk.kept() == before
    assert desk.widget.phases.states["detect"] == "failed"
