"""The phases fold into one line, and are as they were left at the next start."""

from __future__ import annotations

from answering import failing
from test_keys import press


def test_fold_by_key_and_at_the_next_start(desk, open_desk):
    phases = desk.widget.phases
    desk.run()
    assert phases.answer.isVisibleTo(desk.widget)
    press(desk.viewer, "Alt-Z")
    assert not phases.answer.isVisibleTo(desk.widget)
    assert phases.summary.isVisibleTo(desk.widget)
    assert phases.summary.text().count("✓") == 5
    again = open_desk()
    assert again.widget.phases.folded
    press(again.viewer, "Alt-Z")
    assert again.widget.phases.answer.isVisibleTo(again.widget)


def test_a_folded_failure_is_seen(desk):
    desk.widget.phases.fold(True)
    desk.answer(failing("detect"))
    desk.run()
    assert "Detect ✕" in desk.widget.phases.summary.text()
    assert desk.widget.phases.summary.property("fada-tone") == "failed"
    assert "ran out of memory" in desk.widget.phases.summary.toolTip()
