"""The project as its callers see it: what stands after scans, readings and edits."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from napari_fada.errors import ProjectError
from napari_fada.records.project import WHOLE, Project
from record_samples import box, make_reading, make_scan, polygon

SCAN = make_scan()
KEY = (SCAN.sha256, 0)


@pytest.fixture
def project(tmp_path):
    with Project.open(tmp_path / "p.fada", rater="Anna") as opened:
        opened.add_scan(SCAN)
        yield opened


def test_first_reading_is_shown_and_a_second_one_waits(project):
    first, second = make_reading(SCAN), make_reading(SCAN, box("LV"))
    project.save_reading(first)
    project.save_reading(second)
    assert project.annotations(*KEY) == list(first.annotations)
    assert project.readings(*KEY) == [first, second]


def test_correction_points_to_the_proposal_and_leaves_it_as_it_was(project):
    reading = make_reading(SCAN)
    project.save_reading(reading)
    old = reading.annotations[0]
    moved = dataclasses.replace(old, points=((31.0, 20.0), *old.points[1:]))
    written = project.edit(*KEY, replace={old.uid: moved}, label="Vertex moved").replaced[old.uid]
    assert (written.parent, written.status, written.source) == (old.uid, "corrected", "expert")
    assert written.rater == "Anna"
    assert written.uid not in (old.uid, "")
    # It stands where the proposal stood, and the proposal is untouched.
    assert project.annotations(*KEY) == [written, reading.annotations[1]]
    assert project.record(old.uid) == old
    assert project.readings(*KEY) == [reading]


def test_changing_only_the_class_is_a_correction(project):
    reading = make_reading(SCAN)
    project.save_reading(reading)
    old = reading.annotations[1]
    project.edit(*KEY, replace={old.uid: dataclasses.replace(old, category="LV")})
    assert [(a.category, a.status) for a in project.annotations(*KEY)] == [
        ("Brain", "proposed"),
        ("LV", "corrected"),
    ]


def test_accepting_keeps_who_said_it_first(project):
    reading = make_reading(SCAN)
    project.save_reading(reading)
    old = reading.annotations[0]
    accepted = dataclasses.replace(old, status="accepted")
    written = project.edit(*KEY, replace={old.uid: accepted}).replaced[old.uid]
    assert (written.status, written.source, written.score) == ("accepted", "model", 0.9)
    # Moving what was accepted makes a correction of it.
    again = dataclasses.replace(written, points=written.points[::-1])
    assert project.edit(*KEY, replace={written.uid: again}).replaced[written.uid].status == (
        "corrected"
    )


def test_removing_a_proposal_writes_a_rejection(project):
    reading = make_reading(SCAN)
    project.save_reading(reading)
    gone, stays = reading.annotations
    done = project.edit(*KEY, remove=[gone.uid])
    rejection = done.rejected[gone.uid]
    assert (rejection.status, rejection.parent, rejection.rater) == ("rejected", gone.uid, "Anna")
    assert project.annotations(*KEY) == [stays]
    assert project.annotations(*KEY, include_rejected=True) == [rejection, stays]


def test_removing_what_the_expert_drew_leaves_nothing(project):
    drawn = project.edit(*KEY, add=[box(source="expert")]).added[0]
    assert (drawn.status, drawn.rater) == ("accepted", "Anna")
    moved = dataclasses.replace(drawn, points=((0.0, 0.0), (5.0, 5.0)))
    kept = project.edit(*KEY, replace={drawn.uid: moved}).replaced[drawn.uid]
    assert (kept.status, kept.parent) == ("accepted", drawn.uid)
    project.edit(*KEY, remove=[kept.uid])
    assert project.annotations(*KEY, include_rejected=True) == []


def test_a_pasted_copy_gets_a_uid_of_its_own(project):
    drawn = box(source="expert")
    first, second = project.edit(*KEY, add=[drawn, drawn]).added
    assert first.uid == drawn.uid != second.uid
    assert len(project.annotations(*KEY)) == 2


def test_replacing_by_the_same_is_no_edit(project):
    drawn = project.edit(*KEY, add=[box(source="expert")]).added[0]
    assert project.edit(*KEY, replace={drawn.uid: drawn}).entry is None
    assert len(project.history(*KEY)) == 1


def test_rerun_replaces_only_what_no_one_touched(project):
    reading = make_reading(
        SCAN, polygon(), box("CSP"), box("LV"), box("Brain", 5), box("artery", 50)
    )
    project.save_reading(reading)
    corrected, accepted, rejected, untouched, _ = reading.annotations
    drawn = project.edit(*KEY, add=[box("head", 70, source="expert")]).added[0]
    changed = dataclasses.replace(corrected, points=corrected.points[:3])
    one = project.edit(*KEY, replace={corrected.uid: changed}).replaced[corrected.uid]
    two = project.edit(
        *KEY, replace={accepted.uid: dataclasses.replace(accepted, status="accepted")}
    ).replaced[accepted.uid]
    project.edit(*KEY, remove=[rejected.uid])
    before = project.annotations(*KEY, include_rejected=True)

    # The next run carries some records over under their uids and finds one anew.
    new = box("liver", 90)
    again = make_reading(SCAN, corrected, accepted, rejected, new)
    number = project.save_reading(again, show="no")
    project.replace_proposals(*KEY, number)
    assert project.annotations(*KEY) == [one, two, drawn, new]
    project.undo(*KEY)
    assert project.annotations(*KEY, include_rejected=True) == before
    project.add_proposals(*KEY, number)
    assert [a for a in project.annotations(*KEY) if a.status == "proposed"][-1] == new
    assert untouched in project.annotations(*KEY)

    project.replace_proposals(*KEY, number, keep_expert=False)
    assert project.annotations(*KEY, include_rejected=True) == list(again.annotations)


def test_a_reading_whose_uid_stands_for_something_else_gets_new_ones(project):
    reading = make_reading(SCAN, box("CSP"))
    project.save_reading(reading)
    other = dataclasses.replace(reading.annotations[0], category="LV")
    project.save_reading(make_reading(SCAN, other), show="replace")
    shown = project.annotations(*KEY)
    assert [a.category for a in shown] == ["LV"]
    assert shown[0].uid != other.uid
    assert project.readings(*KEY)[1].annotations[0].uid == shown[0].uid


def test_report_keeps_both_voices(project):
    project.save_reading(make_reading(SCAN))
    project.set_report(*KEY, fields={"image_quality": "poor"}, view="AC_PLANE")
    report = project.report(*KEY)
    assert report.fields["image_quality"] == "poor"
    assert report.model_fields["image_quality"] == "model says image_quality"
    assert report.expert_fields == {"image_quality": "poor"}
    assert (report.view, report.model_view) == ("AC_PLANE", "BPD_PLANE")
    # The model's own words are no correction; None takes the expert's word back.
    project.set_report(*KEY, fields={"image_quality": report.model_fields["image_quality"]})
    project.set_report(*KEY, view=None)
    assert project.report(*KEY).expert_fields == {}
    assert project.report(*KEY).view == "BPD_PLANE"
    project.undo(*KEY)
    assert project.report(*KEY).view == "AC_PLANE"
    with pytest.raises(KeyError):
        project.set_report(*KEY, fields={"diagnosis": "none"})


def test_review_states_and_comments_are_undone_too(project):
    project.set_state(SCAN.sha256, WHOLE, {"review": "in review", "comment": "gain too high"})
    project.set_state(SCAN.sha256, WHOLE, {"review": "accepted"})
    project.undo(SCAN.sha256, WHOLE)
    assert project.state(SCAN.sha256, WHOLE) == {"review": "in review", "comment": "gain too high"}
    with pytest.raises(ValueError, match="record"):
        project.set_state(*KEY, {"record/x": "1"})


def test_undo_and_redo_walk_the_history_and_erase_nothing(project):
    drawn = project.edit(*KEY, add=[box(source="expert")], label="Box drawn").added[0]
    project.set_report(*KEY, view="Other")
    assert project.undo(*KEY).label == "View: Other"
    assert project.undo(*KEY).label == "Box drawn"
    assert project.undo(*KEY) is None
    assert project.annotations(*KEY) == []
    assert [entry.kind for entry in project.redo(*KEY).entries] == ["redo"]
    assert project.annotations(*KEY) == [drawn]
    assert project.steps(*KEY) == (1, 1)
    project.edit(*KEY, add=[box("LV", source="expert")])
    assert project.redo(*KEY) is None
    kinds = [entry.kind for entry in project.history(*KEY)]
    assert kinds == ["do", "do", "undo", "undo", "redo", "do"]
    project.restore(*KEY, 2)
    assert project.report(*KEY).view == "Other"
    assert project.annotations(*KEY) == [drawn]


def test_frames_are_apart(project):
    project.edit(SCAN.sha256, 0, add=[box(source="expert")])
    second = project.edit(SCAN.sha256, 2, add=[box("LV", source="expert")]).added
    assert project.frames(SCAN.sha256) == [0, 2]
    assert project.annotations_by_frame(SCAN.sha256)[2] == list(second)
    assert len(project.annotations(SCAN.sha256)) == 2
    assert project.undo(SCAN.sha256, 1) is None


def test_reopening_keeps_everything_undo_too(project, tmp_path):
    project.save_reading(make_reading(SCAN))
    uid = project.annotations(*KEY)[0].uid
    project.edit(*KEY, remove=[uid])
    before, salt = project.annotations(*KEY, include_rejected=True), project.salt
    project.close()
    with Project.open(tmp_path / "p.fada", rater=project.rater) as again:
        assert again.annotations(*KEY, include_rejected=True) == before
        assert again.salt == salt
        again.undo(*KEY)
        assert again.annotations(*KEY)[0].uid == uid
        assert again.check() == []


def test_scans_are_remembered_without_saying_whose_they_are(project):
    row = project.scans()[0]
    assert (row.name, row.width, row.n_frames, row.spacing_mm) == ("a.png", 200, 3, (0.2, 0.1))
    assert row.subject == SCAN.identity.hashed(project.salt)
    assert b"Jane" not in project.path.read_bytes()
    moved = dataclasses.replace(SCAN, name="b.png")
    project.add_scan(moved)
    assert [r.name for r in project.scans()] == ["b.png"]


def test_signal_comes_after_the_change_and_only_for_changes(project):
    seen = []

    def listen(sha256: str, frame: int) -> None:
        seen.append((sha256, frame, len(project.annotations(sha256, frame))))

    project.changed.connect(listen)
    drawn = project.edit(*KEY, add=[box(source="expert")]).added[0]
    project.edit(*KEY, replace={drawn.uid: drawn})
    project.undo(*KEY)
    whole = (SCAN.sha256, WHOLE, 0)  # the scan came into review, and left it
    assert seen == [(*KEY, 1), whole, (*KEY, 0), whole]


def test_what_is_no_longer_there_is_not_overwritten(project):
    drawn = project.edit(*KEY, add=[box(source="expert")]).added[0]
    project.edit(*KEY, remove=[drawn.uid])
    with pytest.raises(ProjectError, match="no longer there"):
        project.edit(*KEY, add=[box("LV")], remove=[drawn.uid])
    assert project.annotations(*KEY) == []
    with pytest.raises(ProjectError, match="does not know"):
        project.edit("f" * 64, 0, add=[box()])


def test_threads_take_turns(project):
    def work(name: str) -> None:
        for _ in range(20):
            project.edit(*KEY, add=[box(name, source="expert")])

    threads = [threading.Thread(target=work, args=(name,)) for name in ("CSP", "LV", "Brain")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(project.annotations(*KEY)) == 60
    assert project.check() == []


def test_default_project_lies_in_the_users_data_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "napari_fada.records.base.platformdirs.user_data_dir",
        lambda *_a, **_k: str(tmp_path / "data" / "napari-fada"),
    )
    with Project.open() as project:
        assert project.path == tmp_path / "data" / "napari-fada" / "default.fada"
        assert project.path.is_file()
