"""One rule for undo: the latest act that can be seen, in one piece, on the frame and the scan."""

from __future__ import annotations

import dataclasses

import pytest

from napari_fada.errors import ProjectError
from napari_fada.records import review
from napari_fada.records.annotation import now
from napari_fada.records.project import WHOLE, Project
from record_samples import box, make_reading, make_scan, polygon

SCAN = make_scan()
SHA = SCAN.sha256


@pytest.fixture
def project(tmp_path):
    with Project.open(tmp_path / "p.fada", rater="Anna") as made:
        made.add_scan(SCAN)
        made.save_reading(make_reading(SCAN))
        yield made


def comment(project):
    return project.state(SHA, WHOLE).get("comment")


def classes(project, frame=0):
    return [a.category for a in project.annotations(SHA, frame)]


def test_the_latest_act_goes_first_whether_on_the_frame_or_on_the_scan(project):
    project.edit(SHA, 0, add=[box("LV", source="expert")])
    project.set_state(SHA, WHOLE, {"comment": "shadow"})
    project.edit(SHA, 0, add=[box("CM", source="expert")])
    assert project.undo(SHA, 0).label == "CM drawn"
    assert project.undo(SHA, 0).label == "Comment: shadow"
    assert comment(project) is None
    assert classes(project) == ["Brain", "CSP", "LV"]
    assert project.undo(SHA, 0).label == "LV drawn"
    assert [project.redo(SHA, 0).label for _ in range(3)] == [
        "LV drawn",
        "Comment: shadow",
        "CM drawn",
    ]
    assert comment(project) == "shadow"
    assert project.redo(SHA, 0) is None
    assert project.check() == []


def test_acts_on_other_frames_are_left_alone(project):
    project.edit(SHA, 0, add=[box("LV", source="expert")])
    project.edit(SHA, 1, add=[box("CM", source="expert")])
    assert project.undo(SHA, 0).label == "LV drawn"
    assert classes(project, 1) == ["CM"]
    assert project.steps(SHA, 2) == (0, 0)
    assert project.undo(SHA, 2) is None


def test_a_comment_is_undone_on_any_frame_it_can_be_seen_from(project):
    project.edit(SHA, 1, add=[box("LV", source="expert")])
    review.set_comment(project, SHA, 1, "motion")
    project.edit(SHA, 2, add=[box("CM", source="expert")])
    assert project.undo(SHA, 0).label == "Comment: motion"
    assert comment(project) is None
    assert classes(project, 1) == ["LV"]
    project.redo(SHA, 2)
    assert comment(project) == "motion"
    assert project.undo(SHA, 2).label == "Comment: motion"
    assert project.undo(SHA, 2).label == "CM drawn"
    assert project.check() == []


def test_a_finished_scan_is_opened_again_by_one_undo(project):
    project.save_reading(make_reading(SCAN, polygon(), frame=1))
    review.finish(project, SHA, 0, [(0, now()), (1, now())])
    assert review.scan_review(project, SHA).state == "accepted"
    assert project.undo(SHA, 1).label == "Scan finished: accepted"
    assert review.scan_review(project, SHA).state == "proposed"
    assert {a.status for a in project.annotations(SHA)} == {"proposed"}
    project.redo(SHA, 0)
    assert review.scan_review(project, SHA).state == "accepted"
    assert {a.status for a in project.annotations(SHA)} == {"accepted"}
    assert project.check() == []


def test_a_new_act_on_the_scan_ends_what_could_be_redone(project):
    project.edit(SHA, 0, add=[box("LV", source="expert")])
    project.undo(SHA, 0)
    project.set_state(SHA, WHOLE, {"score/annotation": "2"})
    assert project.redo(SHA, 0) is None
    assert project.undo(SHA, 0).label == "Score of annotation: 2"


def test_one_act_on_several_frames_goes_back_and_forth_in_one_piece(project, tmp_path):
    seen = []
    project.changed.connect(lambda *key: seen.append(key))
    with project.together("Copied to 2 frames, and accepted"):
        for frame in (1, 2):
            project.edit(SHA, frame, add=[box("LV", source="expert")])
        project.set_state(SHA, WHOLE, {"review": "accepted"})
        assert seen == []
    assert seen == [(SHA, 1), (SHA, 2), (SHA, WHOLE)]
    seen.clear()
    project.close()
    with Project.open(tmp_path / "p.fada", rater="Anna") as again:
        again.changed.connect(lambda *key: seen.append(key))
        assert again.undo(SHA, 1).label == "Copied to 2 frames, and accepted"
        assert sorted(seen) == [(SHA, WHOLE), (SHA, 1), (SHA, 2)]
        assert classes(again, 1) == classes(again, 2) == []
        assert again.state(SHA, WHOLE) == {}
        again.redo(SHA, 2)
        assert classes(again, 1) == classes(again, 2) == ["LV"]
        assert again.state(SHA, WHOLE) == {"review": "accepted"}
        assert again.undo(SHA, 0).label == "Copied to 2 frames, and accepted"
        assert again.check() == []


def test_a_frame_that_was_changed_since_keeps_its_part_and_that_is_said(project):
    with project.together("Interpolated"):
        for frame in (0, 1, 2):
            project.edit(SHA, frame, add=[box("LV", source="expert")])
    (drawn,) = project.annotations(SHA, 2)
    project.edit(SHA, 2, replace={drawn.uid: dataclasses.replace(drawn, category="CM")})
    assert project.undo(SHA, 1).label == "Interpolated (not on frame 3: changed since)"
    assert classes(project, 1) == []
    assert classes(project, 2) == ["CM"]
    # On that frame the later edit goes first, then its part of the act.
    assert project.undo(SHA, 2).label == "LV becomes CM"
    assert project.undo(SHA, 2).label == "Interpolated"
    assert classes(project, 2) == []
    assert project.undo(SHA, 2) is None
    assert project.check() == []


def test_an_act_that_fails_half_way_was_never_done(project):
    before = project.history()

    def accept_and_remove():
        with project.together("Both"):
            project.set_state(SHA, WHOLE, {"review": "accepted"})
            project.edit(SHA, 0, remove=["no such record"])

    with pytest.raises(ProjectError):
        accept_and_remove()
    assert project.history() == before
    assert project.state(SHA, WHOLE) == {}
    project.set_state(SHA, WHOLE, {"review": "accepted"})
    assert project.undo(SHA, 0).label == "Scan accepted"


def test_a_part_that_fails_and_is_caught_leaves_the_rest_of_the_act(project):
    with project.together("Most of it"):
        project.set_state(SHA, WHOLE, {"comment": "dark"})
        with pytest.raises(ProjectError):
            project.edit(SHA, 0, add=[box()], remove=["no such record"])
        project.edit(SHA, 1, add=[box("LV", source="expert")])
    assert project.undo(SHA, 1).label == "Most of it"
    assert project.check() == []


def test_every_kind_of_act_can_be_undone(project):
    brain, csp = project.annotations(SHA, 0)
    acts = [
        lambda: project.edit(SHA, 0, remove=[csp.uid]),
        lambda: project.edit(
            SHA, 0, replace={brain.uid: dataclasses.replace(brain, status="accepted")}
        ),
        lambda: project.set_report(SHA, 0, fields={"image_quality": "good"}),
        lambda: project.set_report(SHA, 0, view="AC_PLANE"),
        *(
            lambda f=f, n=n: project.set_state(SHA, f, {n: "1"})
            for f in (0, WHOLE)
            for n in ("review", "comment", "score/annotation", f"lock/{brain.uid}", "reason/x")
        ),
        # What is locked cannot be taken back to a time before it was there.
        lambda: project.set_state(SHA, 0, {f"lock/{brain.uid}": None}),
        lambda: project.restore(SHA, 0, 0),
    ]

    def state():
        return (
            project.annotations(SHA, 0, include_rejected=True),
            project.report(SHA, 0),
            project.state(SHA, 0),
            project.state(SHA, WHOLE),
        )

    states = [state()]
    for act in acts:
        act()
        states.append(state())
        assert states[-1] != states[-2]
    for wanted in reversed(states[:-1]):
        assert project.undo(SHA, 0) is not None
        assert state() == wanted
    for wanted in states[1:]:
        assert project.redo(SHA, 0) is not None
        assert state() == wanted


def test_labels_say_in_plain_words_what_was_done(project):
    brain, csp = project.annotations(SHA, 0)
    points = list(brain.points)
    points[0] = (points[0][0] + 3, points[0][1])
    points[2] = (points[2][0], points[2][1] - 4)
    wish = dataclasses.replace(brain, points=tuple(points))
    new = project.edit(SHA, 0, replace={brain.uid: wish}).replaced[brain.uid]
    shifted = dataclasses.replace(new, points=tuple((x + 1, y) for x, y in new.points))
    new = project.edit(SHA, 0, replace={new.uid: shifted}).replaced[new.uid]
    more = dataclasses.replace(new, points=(*new.points, (31.0, 30.0)))
    new = project.edit(SHA, 0, replace={new.uid: more}).replaced[new.uid]
    project.edit(SHA, 0, replace={csp.uid: dataclasses.replace(csp, category="LV")})
    project.edit(SHA, 0, remove=[new.uid])
    project.edit(SHA, 0, add=[polygon("CM", source="expert"), box("LV", source="expert")])
    three = [a.uid for a in project.annotations(SHA, 0)]
    project.set_state(SHA, 0, {f"lock/{three[0]}": "1"})
    project.set_state(SHA, 0, {f"lock/{three[0]}": None})
    project.edit(SHA, 0, remove=three)
    project.set_report(SHA, 0, fields={"image_quality": "poor", "gestational_age": "20 weeks"})
    project.set_report(SHA, 0, fields={"image_quality": None}, view="AC_PLANE")
    assert [entry.label for entry in project.history()] == [
        "fada-mini read the frame",
        "Brain corrected (2 vertices moved)",
        "Brain moved",
        "Brain corrected (1 vertex added)",
        "CSP becomes LV",
        "Brain rejected",
        "CM drawn, LV drawn",
        "LV locked",
        "LV unlocked",
        "3 structures: 2 removed, 1 rejected",
        "Report: image quality and gestational age changed",
        "View: AC_PLANE; Report: image quality taken back to the model's",
    ]
