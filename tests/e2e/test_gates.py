"""A run that stops after each phase, and what is out of date after a change."""

from __future__ import annotations

import json

import numpy as np
from qtpy.QtCore import Qt

from napari_fada.records.reading import PHASES
from napari_fada.records.staleness import stale_phases


def report(desk):
    return desk.session.project.report(desk.session.scan.sha256, desk.session.frame)


def wait_at(desk, phase):
    def waits():
        return desk.widget.runner.waiting == phase and desk.session.layers.settled

    desk.qtbot.waitUntil(waits)


def stale(desk):
    return stale_phases(desk.session.project.state(desk.session.scan.sha256, desk.session.frame))


def test_the_expert_edits_at_every_gate(desk):
    widget, session = desk.widget, desk.session
    widget.phases.gated.setChecked(True)
    widget.run()
    wait_at(desk, "interpret")
    assert not widget.gate.isHidden()
    assert widget.tabs.currentWidget() is widget.report
    assert report(desk).fields["image_quality"] == "image_quality as written"
    session.set_report(fields={"image_quality": "poor"})
    widget.gate.go.click()

    wait_at(desk, "classify")
    session.set_report(view="AC_PLANE")
    widget.run()  # the key of a run goes on, too

    wait_at(desk, "map")
    assert report(desk).model_mapping.tier != "cls_specific_BPD_PLANE"  # made from AC_PLANE
    rows = widget.gate.ticks.rows()
    for row in rows.values():
        row.setCheckState(1, Qt.CheckState.Unchecked)
        row.setCheckState(2, Qt.CheckState.Unchecked)
    rows["CSP"].setCheckState(1, Qt.CheckState.Checked)  # of another group
    rows["Brain"].setCheckState(1, Qt.CheckState.Checked)
    rows["Brain"].setCheckState(2, Qt.CheckState.Checked)
    widget.go_on(1)

    wait_at(desk, "detect")
    boxes = desk.layer("boxes")
    assert sorted(boxes.features["class"]) == ["Brain", "CSP"]
    first = np.array(boxes.data[0])
    boxes.data = [first + 5, boxes.data[1]]
    widget.go_on(1)
    desk.wait_for_run()

    assert widget.gate.isHidden()
    found = report(desk)
    assert (found.view, found.model_view) == ("AC_PLANE", "BPD_PLANE")
    assert found.fields["image_quality"] == "poor"
    assert found.model_fields["image_quality"] == "image_quality as written"
    assert set(found.mapping.detect) == {"Brain", "CSP"}
    assert found.mapping.segment == ("Brain",)
    kept = sorted((r.category, r.kind, r.status) for r in desk.kept())
    assert kept == [
        ("Brain", "box", "corrected"),
        ("Brain", "polygon", "proposed"),
        ("CSP", "box", "proposed"),
    ]
    assert stale(desk) == {}


def test_back_and_cancel_at_a_gate(desk):
    widget = desk.widget
    widget.phases.gated.setChecked(True)
    widget.run()
    wait_at(desk, "interpret")
    assert not widget.gate.back.isEnabled()
    widget.go_on(1)
    wait_at(desk, "classify")
    widget.gate.back.click()
    wait_at(desk, "interpret")
    desk.session.set_report(fields={"imaging_plane": "sagittal"})
    widget.go_on(1)
    wait_at(desk, "classify")
    widget.gate.stop.click()
    desk.wait_for_run()
    assert widget.gate.isHidden()
    assert report(desk).fields["imaging_plane"] == "sagittal"
    assert report(desk).model_view == "BPD_PLANE"  # what there was is kept
    assert desk.kept() == []


def test_a_changed_view_is_stale_and_runs_again_in_one_click(desk):
    desk.run()
    assert desk.widget.phases.stale_button.isHidden()
    desk.session.set_report(view="AC_PLANE")
    phases = desk.widget.phases
    assert not phases.stale_button.isHidden()
    assert "stale" in phases._labels["detect"].text()
    assert "the view changed" in phases._labels["map"].toolTip()
    assert "stale" not in phases._labels["interpret"].text()
    before = report(desk).model_mapping
    phases.stale_button.click()
    desk.wait_for_run()
    assert stale(desk) == {}
    assert phases.stale_button.isHidden()
    assert report(desk).model_mapping != before  # mapped by the expert's view
    assert (report(desk).view, report(desk).model_view) == ("AC_PLANE", "BPD_PLANE")


def test_classes_can_be_chosen_without_a_run(desk):
    desk.run()
    widget = desk.widget
    widget.phases.classes_button.click()
    assert widget.tabs.isHidden()
    rows = widget.gate.ticks.rows()
    rows["liver"].setCheckState(1, Qt.CheckState.Checked)
    assert "liver" in report(desk).mapping.detect
    assert set(stale(desk)) == {"detect", "segment"}
    widget.gate.go.click()
    assert not widget.tabs.isHidden()
    desk.session.undo()
    assert "liver" not in report(desk).mapping.detect
    assert stale(desk) == {}
    readings = desk.session.project.readings(desk.session.scan.sha256, desk.session.frame)
    assert json.dumps(readings[-1].to_dict()["mapping"]).count("liver") == 0
    assert set(PHASES) == set(readings[-1].phases)
