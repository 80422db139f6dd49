"""The rules of review: what judging structures and scans makes of records and states."""

from __future__ import annotations

import dataclasses

import pytest

from napari_fada.errors import LockedError
from napari_fada.records import review
from napari_fada.records.project import WHOLE, Project
from napari_fada.records.reading import INTERPRETATION_KEYS, Mapping, PhaseResult
from napari_fada.records.staleness import stale_phases
from napari_fada.vocabulary import vocabulary
from record_samples import box, make_reading, make_scan, polygon

SCAN = make_scan()
SHA = SCAN.sha256
KEY = (SHA, 0)


@pytest.fixture
def project(tmp_path):
    with Project.open(tmp_path / "p.fada", rater="Anna") as opened:
        opened.add_scan(SCAN)
        yield opened
        assert opened.check() == []


@pytest.fixture
def read(project):
    """Show a reading with a polygon and a box."""
    project.save_reading(make_reading(SCAN))
    return project


def state(project):
    return review.scan_review(project, SHA).state


def statuses(project, frame=0):
    found = review.frame_review(project, SHA, frame).records
    return {a.category: a.status for a in found}


def uid(project, category="CSP", frame=0):
    return next(
        a.uid
        for a in project.annotations(SHA, frame, include_rejected=True)
        if a.category == category
    )


def move(record):
    return dataclasses.replace(record, points=tuple((x + 1, y) for x, y in record.points))


def test_new_then_proposed_then_in_review(project):
    assert state(project) == "new"
    project.save_reading(make_reading(SCAN))
    assert state(project) == "proposed"
    record = project.annotations(*KEY)[0]
    project.edit(*KEY, replace={record.uid: move(record)})
    assert state(project) == "in_review"
    assert review.frame_review(project, *KEY).state == "in_review"
    project.undo(*KEY)
    assert state(project) == "proposed"
    project.redo(*KEY)
    assert state(project) == "in_review"


def test_accept_keeps_who_said_it(read):
    review.accept(read, *KEY, [uid(read)])
    assert statuses(read) == {"Brain": "proposed", "CSP": "accepted"}
    assert all(a.source == "model" for a in read.annotations(*KEY))


def test_reject_has_a_reason_that_goes_when_it_is_taken_back(read):
    review.reject(read, *KEY, [uid(read)], "wrong_place")
    found = review.frame_review(read, *KEY)
    assert statuses(read)["CSP"] == "rejected"
    assert found.reasons == {uid(read): "wrong_place"}
    assert [a.category for a in read.annotations(*KEY)] == ["Brain"]
    assert "wrong_place" in read.history(*KEY)[-1].label
    review.reject(read, *KEY, [uid(read)], "too small to tell")
    assert review.frame_review(read, *KEY).reasons == {uid(read): "too small to tell"}
    review.bring_back(read, *KEY, [uid(read)])
    assert statuses(read)["CSP"] == "proposed"
    assert review.frame_review(read, *KEY).reasons == {}
    read.undo(*KEY)
    assert review.frame_review(read, *KEY).reasons == {uid(read): "too small to tell"}


def test_what_was_corrected_comes_back_as_a_correction(read):
    old = read.record(uid(read))
    mine = read.edit(*KEY, replace={old.uid: move(old)}).replaced[old.uid]
    review.reject(read, *KEY, [mine.uid])
    review.bring_back(read, *KEY, [uid(read)])
    again = read.record(uid(read))
    assert (again.status, again.source, again.points) == ("corrected", "expert", mine.points)


def test_accepting_leaves_corrections_alone(read):
    old = read.record(uid(read))
    read.edit(*KEY, replace={old.uid: move(old)})
    steps = read.steps(*KEY)
    assert review.accept(read, *KEY, [uid(read)]).entry is None
    assert read.steps(*KEY) == steps


def test_a_locked_structure_is_not_changed(read):
    locked = read.record(uid(read))
    review.set_locked(read, *KEY, [locked.uid], True)
    before = read.annotations(*KEY)
    with pytest.raises(LockedError, match=r"CSP is locked.*Unlock"):
        read.edit(*KEY, replace={locked.uid: move(locked)}, add=[box("LV", source="expert")])
    with pytest.raises(LockedError):
        read.edit(*KEY, remove=[locked.uid])
    with pytest.raises(LockedError):
        review.reject(read, *KEY, [locked.uid])
    changed = dataclasses.replace(locked, category="LV")
    with pytest.raises(LockedError):
        read.edit(*KEY, replace={locked.uid: changed})
    assert read.annotations(*KEY) == before
    review.set_locked(read, *KEY, [locked.uid], False)
    read.edit(*KEY, replace={locked.uid: move(locked)})
    assert statuses(read)["CSP"] == "corrected"


def test_the_lock_goes_along_when_a_structure_is_accepted(read):
    review.set_locked(read, *KEY, [uid(read)], True)
    review.accept_rest(read, *KEY)
    assert statuses(read) == {"Brain": "accepted", "CSP": "accepted"}
    assert review.frame_review(read, *KEY).locked == {uid(read)}


@pytest.mark.parametrize("keep_expert", [True, False])
def test_a_rerun_leaves_what_is_locked(read, keep_expert):
    locked = uid(read)
    review.set_locked(read, *KEY, [locked], True)
    other = read.save_reading(make_reading(SCAN, box("LV", x=90)), show="no")
    read.replace_proposals(*KEY, other, keep_expert=keep_expert)
    assert sorted(a.category for a in read.annotations(*KEY)) == ["CSP", "LV"]
    assert review.frame_review(read, *KEY).locked == {locked}


def test_finish_accepts_the_rest(read):
    assert review.finish(read, *KEY) == "accepted"
    assert set(statuses(read).values()) == {"accepted"}
    assert review.scan_review(read, SHA).finished
    read.undo(*KEY)  # one step
    assert state(read) == "proposed"
    assert set(statuses(read).values()) == {"proposed"}


@pytest.mark.parametrize("what", ["correct", "draw", "reject", "field", "view"])
def test_finish_says_corrected_if_anything_is_not_the_models(read, what):
    record = read.annotations(*KEY)[0]
    {
        "correct": lambda: read.edit(*KEY, replace={record.uid: move(record)}),
        "draw": lambda: read.edit(*KEY, add=[box("LV", source="expert")]),
        "reject": lambda: review.reject(read, *KEY, [record.uid], "duplicate"),
        "field": lambda: read.set_report(*KEY, fields={"image_quality": "poor"}),
        "view": lambda: read.set_report(*KEY, view="AC_PLANE"),
    }[what]()
    assert state(read) == "in_review"
    assert review.finish(read, *KEY) == "corrected"
    assert state(read) == "corrected"


def test_an_edit_after_the_end_opens_the_review_again(read):
    review.finish(read, *KEY)
    review.set_comment(read, *KEY, "gain too high")
    assert state(read) == "accepted"  # a comment changes nothing
    read.edit(*KEY, add=[box("LV", source="expert")])
    assert state(read) == "in_review"


def test_new_proposals_open_the_review_again(read):
    review.finish(read, *KEY)
    read.save_reading(make_reading(SCAN, box("LV", x=90)), show="replace")
    assert state(read) == "in_review"


def test_finish_takes_all_frames(read):
    read.save_reading(make_reading(SCAN, box("LV"), frame=2))
    review.finish(read, *KEY)
    assert statuses(read, 2) == {"LV": "accepted"}
    assert review.frame_review(read, SHA, 2).state == "accepted"
    assert state(read) == "accepted"


def test_a_scan_stays_in_review_as_long_as_one_of_its_frames_is(read):
    for frame in (0, 1):
        read.edit(SHA, frame, add=[box("LV", source="expert")])
    read.undo(*KEY)
    assert state(read) == "in_review"
    read.undo(SHA, 1)
    assert state(read) == "proposed"


def test_undoing_the_end_on_another_frame_takes_all_of_it_back(read):
    read.save_reading(make_reading(SCAN, box("LV"), frame=2))
    review.finish(read, *KEY)
    read.undo(SHA, 2)
    assert statuses(read, 2) == {"LV": "proposed"}
    assert set(statuses(read).values()) == {"proposed"}
    assert state(read) == "proposed"


def test_skip_reject_and_reopen_a_scan(read):
    review.skip_scan(read, *KEY)
    assert state(read) == "skipped"
    review.reject_scan(read, *KEY, "no fetus in it")
    found = review.scan_review(read, SHA)
    assert (found.state, found.reason) == ("rejected", "no fetus in it")
    review.reopen(read, *KEY)
    assert review.scan_review(read, SHA) == review.ScanReview("in_review")
    for expected in ("rejected", "skipped", "proposed"):
        read.undo(*KEY)
        assert state(read) == expected
    assert set(statuses(read).values()) == {"proposed"}


def test_comment_and_scores(read):
    review.set_comment(read, *KEY, " gain too high ")
    review.set_score(read, *KEY, "annotation", 1)
    review.set_score(read, *KEY, "interpretation", 3)
    found = review.scan_review(read, SHA)
    assert (found.comment, found.scores) == (
        "gain too high",
        {"annotation": 1, "interpretation": 3},
    )
    assert read.state(SHA, WHOLE)["score/annotation"] == "1"
    review.set_score(read, *KEY, "annotation", None)
    assert review.scan_review(read, SHA).scores == {"interpretation": 3}
    read.undo(*KEY)
    assert review.scan_review(read, SHA).scores["annotation"] == 1
    with pytest.raises(ValueError, match="1, 2 or 3"):
        review.set_score(read, *KEY, "annotation", 4)


def test_an_import_brings_nothing_into_review(project):
    project.set_report(*KEY, view="AC_PLANE", by_person=False)
    assert state(project) == "imported"


def test_reasons_are_in_the_vocabulary():
    assert vocabulary().reason_text("not_in_view") == "not in this view"
    assert vocabulary().reason_text("upside down") == "upside down"
    assert len(vocabulary().reasons) == 6


# What is out of date


def stale(project):
    return stale_phases(project.state(*KEY))


def test_a_changed_view_makes_what_follows_out_of_date(read):
    read.set_report(*KEY, view="AC_PLANE")
    assert stale(read) == dict.fromkeys(("map", "detect", "segment"), "the view changed")
    read.set_report(*KEY, fields={"imaging_plane": "sagittal"})
    assert stale(read)["detect"] == "the view and the report changed"
    read.undo(*KEY)
    read.undo(*KEY)
    assert stale(read) == {}


def test_changed_classes_make_their_phases_out_of_date(read):
    read.set_report(*KEY, mapping=Mapping(("LV",), (), "manual"))
    assert stale(read) == dict.fromkeys(("detect", "segment"), "the classes changed")
    assert read.report(*KEY).mapping.detect == ("LV",)
    assert read.report(*KEY).model_mapping.detect == ("Brain", "CSP", "LV")
    read.set_report(*KEY, mapping=None)
    assert read.report(*KEY).expert_mapping is None


def test_nothing_is_out_of_date_where_nothing_ran(project):
    project.set_report(*KEY, view="AC_PLANE")
    assert stale(project) == {}


def test_phases_that_ran_again_are_up_to_date(read):
    read.set_report(*KEY, view="AC_PLANE")
    read.save_reading(make_reading(SCAN), show="replace", ran=("map", "detect"))
    assert stale(read) == {"segment": "the view changed"}
    read.save_reading(make_reading(SCAN), show="replace", ran=("segment",))
    assert stale(read) == {}


def test_a_phase_that_failed_stays_out_of_date(read):
    read.set_report(*KEY, view="AC_PLANE")
    again = make_reading(SCAN)
    phases = {**again.phases, "detect": PhaseResult("failed")}
    again = dataclasses.replace(again, phases=phases)
    read.save_reading(again, show="replace", ran=("map", "detect", "segment"))
    assert list(stale(read)) == ["detect"]


def test_another_answer_of_the_model_counts_unless_the_expert_has_spoken(read):
    other = make_reading(SCAN, view="AC_PLANE")
    read.save_reading(other, show="replace", ran=("classify",))
    assert list(stale(read)) == ["map", "detect", "segment"]
    read.save_reading(make_reading(SCAN), show="replace")
    read.set_report(*KEY, view="Other")
    read.save_reading(make_reading(SCAN), show="replace", ran=("map", "detect", "segment"))
    read.save_reading(other, show="replace", ran=("classify",))
    assert stale(read) == {}


def test_the_models_own_words_stay(read):
    read.set_report(*KEY, view="AC_PLANE", fields=dict.fromkeys(INTERPRETATION_KEYS, "mine"))
    shown = read.shown_reading(*KEY)
    assert shown.view == "BPD_PLANE"
    assert shown == read.readings(*KEY)[0]


def test_polygon_and_box_of_one_class_are_judged_apart(project):
    project.save_reading(make_reading(SCAN, polygon("Brain"), box("Brain")))
    outline = next(a for a in project.annotations(*KEY) if a.kind == "polygon")
    review.accept(project, *KEY, [outline.uid])
    assert {a.kind: a.status for a in project.annotations(*KEY)} == {
        "polygon": "accepted",
        "box": "proposed",
    }


def test_a_scan_that_is_reviewed_again_is_open_in_all_its_frames(read):
    read.edit(SHA, 3, add=[polygon("Brain", source="expert")])
    review.finish(read, *KEY)
    assert read.standing(*KEY).reviewed
    review.reopen(read, SHA, 3)
    assert not read.standing(*KEY).reviewed
    assert not read.standing(SHA, 3).reviewed
    read.undo(SHA, 3)
    assert read.standing(*KEY).reviewed
    assert read.standing(SHA, 3).reviewed
