"""An edit is in the project file the moment it is made; reopening brings it back."""

from __future__ import annotations

import numpy as np

from napari_fada.records.project import Project


def test_a_moved_box_is_a_correction_of_what_the_model_said(desk):
    desk.run()
    proposal = desk.kept()[0]
    layer = desk.layer("boxes")
    data = [np.array(v) for v in layer.data]
    data[0] += 5
    layer.data = data
    # A second program reads the file now; there is no unsaved state.
    with Project.open(desk.session.project.path) as other:
        found = other.annotations(desk.session.scan.sha256, 0)
        moved = next(r for r in found if r.parent == proposal.uid)
        assert moved.points[0] == (proposal.points[0][0] + 5, proposal.points[0][1] + 5)
        assert (moved.source, moved.status, moved.rater) == ("expert", "corrected", "ann")
        (reading,) = other.readings(desk.session.scan.sha256, 0)
        assert other.record(proposal.uid) in reading.annotations  # as the model answered


def test_reopening_in_a_new_window(desk, open_desk):
    desk.run()
    layer = desk.layer("boxes")
    layer.selected_data = {1}
    layer.remove_selected()
    desk.session.set_report(fields={"image_quality": "poor, shadowed"})
    before, pixels = desk.kept(), desk.session.image.data
    desk.widget.close_session()

    again = open_desk(pixels)
    assert again.kept() == before
    assert again.layer("boxes").features["class"].tolist() == ["Brain"]
    assert again.layer("masks").data.any()
    assert again.widget.report.fields["image_quality"].toPlainText() == "poor, shadowed"
    assert again.widget.phases.states["detect"] == "done"


def test_what_is_typed_in_the_report_is_kept(desk, qtbot):
    desk.run()
    field = desk.widget.report.fields["gestational_age"]
    field.setPlainText("22 weeks, by the sonographer")
    qtbot.waitUntil(
        lambda: desk.session.report().expert_fields.get("gestational_age") is not None,
    )
    report = desk.session.report()
    assert report.fields["gestational_age"] == "22 weeks, by the sonographer"
    assert report.model_fields["gestational_age"] == "gestational_age as written"
    desk.widget.report.take_back("gestational_age")
    assert field.toPlainText() == "gestational_age as written"


def test_typing_is_not_lost_when_the_scan_changes(desk):
    field = desk.widget.report.fields["image_quality"]
    field.setPlainText("typed just now")
    sha256 = desk.session.scan.sha256
    other = desk.viewer.add_image(np.zeros((50, 60), np.uint8), name="other")
    assert desk.session.use_layer(other)
    assert desk.session.project.report(sha256, 0).fields["image_quality"] == "typed just now"
    assert desk.session.report().fields == {}


def test_view_is_edited(desk):
    desk.run()
    view = desk.widget.report.view
    view.setCurrentIndex(view.findData("Other"))
    view.activated.emit(view.currentIndex())
    assert desk.session.report().expert_view == "Other"
    assert desk.session.report().model_view == "BPD_PLANE"
