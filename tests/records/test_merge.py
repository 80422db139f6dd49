"""Two raters' files in one: history of both, what agrees, what is asked, and how it is decided."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace

import pytest

from napari_fada.errors import ProjectError, UndecidedError
from napari_fada.records import review
from napari_fada.records.conflicts import decided_conflicts, open_conflicts, resolve
from napari_fada.records.merge import (
    MergeCopying,
    MergeFinished,
    MergeProgress,
    dispute,
    last_merge,
    merge_projects,
    taken_without_asking,
)
from napari_fada.records.project import WHOLE, Project
from napari_fada.records.worklist import Worklist
from record_samples import box, make_reading, make_scan, polygon

SCAN = make_scan()
SHA = SCAN.sha256
KEY = (SHA, 0)


class Desk:
    """Two raters' projects, and their merge."""

    def __init__(self, folder):
        self.folder = folder
        self.a, self.b, self.c = (folder / f"{name}.fada" for name in "abc")

    def rater(self, name):
        return Project.open(self.folder / f"{name[0].lower()}.fada", rater=name)

    def merge(self, **options) -> MergeFinished:
        *progress, end = merge_projects(self.a, self.b, self.c, rater="Chris", **options)
        assert isinstance(progress[0], MergeCopying)
        progress = [e for e in progress if not isinstance(e, MergeCopying)]
        assert all(isinstance(event, MergeProgress) for event in progress)
        assert [event.done for event in progress] == list(range(1, end.scans + 1))
        with self.merged() as project:
            assert project.check() == []
        return end

    def merged(self):
        return Project.open(self.c, rater="Dana", create=False)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture
def start(desk):
    """Give both raters a copy of a project with one reading: Brain (0.9) and CSP (0.5)."""
    reading = make_reading(SCAN)
    with Project.open(desk.a, rater="Lead") as project:
        project.add_scan(SCAN)
        project.save_reading(reading)
    shutil.copy(desk.a, desk.b)
    return reading


def accept(project, *annotations):
    return project.edit(
        *KEY, replace={a.uid: replace(a, status="accepted") for a in annotations}, label="Accepted"
    )


def moved(annotation, by):
    return replace(annotation, points=tuple((x + by, y) for x, y in annotation.points))


def what(conflicts):
    return [(c.what, c.name, c.a is not None, c.b is not None) for c in conflicts]


def test_history_of_both_is_kept_and_either_state_can_be_had_again(desk, start):
    brain, csp = start.annotations
    with desk.rater("Anna") as a:
        accept(a, brain)
        a.edit(*KEY, remove=[csp.uid])
        a.undo(*KEY)
        states = [a.annotations(*KEY, include_rejected=True)]
        lines = [[(e.label, e.rater, e.kind, e.at) for e in a.history()]]
    with desk.rater("Ben") as b:
        b.edit(*KEY, add=[box("LV", 100, source="expert")])
        b.undo(*KEY)
        b.redo(*KEY)
        states.append(b.annotations(*KEY, include_rejected=True))
        lines.append([(e.label, e.rater, e.kind, e.at) for e in b.history()])
    desk.merge()
    with desk.merged() as c:
        log = c.history()
        ours = [k for k, e in enumerate(log) if e.rater == "Chris"]
        labels = ["Set aside: a, for b"] * 2 + ["Merged: a and b"]  # the scan, the frame
        assert [log[k].label for k in ours] == labels
        theirs = [(e.label, e.rater, e.kind, e.at) for e in log if e.rater != "Chris"]
        assert theirs == [*lines[0], *lines[1][1:]]  # the first line is common to both
        ends = (ours[0], ours[2])
        for last, state in zip(ends, states, strict=True):
            c.restore(*KEY, log[last - 1].id)
            assert c.annotations(*KEY, include_rejected=True) == state
        while c.undo(*KEY):
            assert c.check() == []


@pytest.mark.parametrize("turned", ["undo", "redo"])
def test_undo_and_redo_of_what_both_have_in_common(desk, start, turned):
    brain, _ = start.annotations
    with Project.open(desk.a, rater="Lead") as lead:
        accept(lead, brain)
        if turned == "redo":
            lead.undo(*KEY)
    shutil.copy(desk.a, desk.b)
    with desk.rater("Anna") as a:
        a.set_report(*KEY, view="ABDOMEN")
    with Project.open(desk.b, rater="Lead") as lead:
        assert (lead.undo if turned == "undo" else lead.redo)(*KEY).label == "Accepted"
    with desk.rater("Ben") as b:
        b.set_state(*KEY, {"comment": "no"})
        b.undo(*KEY)
        b.redo(*KEY)
        state = b.annotations(*KEY)
    desk.merge()
    with desk.merged() as c:
        log = c.history()
        # A redo of what was undone before both parted follows Anna's work here.
        assert ("Redone: Accepted" in [e.label for e in log]) == (turned == "redo")
        last = max(e.id for e in log if e.rater == "Ben")
        c.restore(*KEY, last)
        assert c.annotations(*KEY) == state
        while c.undo(*KEY):
            assert c.check() == []


def test_what_one_act_did_to_several_frames_stays_one_act(desk, start):
    assert start
    with desk.rater("Anna") as a, a.together("Copied to 2 frames"):
        for frame in (1, 2):
            a.edit(SHA, frame, add=[box(source="expert")])
    with desk.rater("Ben") as b:
        b.edit(*KEY, add=[box("LV", source="expert")])
    desk.merge()
    with desk.merged() as c:
        frames = {line.text: line.frames for line in c.lines(SHA)}
        assert frames["Copied to 2 frames"] == (1, 2)
        assert frames["LV drawn"] == (0,)


def test_what_agrees_stands_once(desk, start):
    brain, csp = start.annotations
    with desk.rater("Anna") as a:
        hers = accept(a, brain).replaced[brain.uid]
        a.edit(*KEY, remove=[csp.uid])
        a.set_report(*KEY, view="ABDOMEN", fields={"image_quality": "good"})
        a.set_state(SHA, WHOLE, {"review": "corrected", "score/annotation": "1"})
    with desk.rater("Ben") as b:
        b.edit(*KEY, replace={brain.uid: moved(brain, 4)})
        b.edit(*KEY, remove=[csp.uid])
        b.set_report(*KEY, view="ABDOMEN", fields={"image_quality": " good"})
        b.set_state(SHA, WHOLE, {"review": "corrected", "score/annotation": "1"})
    end = desk.merge()
    assert (end.scans, end.both, end.conflicts) == (1, 1, ())
    with desk.merged() as c:
        assert c.annotations(*KEY) == [hers]
        assert len(c.annotations(*KEY, include_rejected=True)) == 2
        assert (c.report(*KEY).view, c.report(*KEY).fields["image_quality"]) == ("ABDOMEN", "good")
        assert c.state(SHA, WHOLE) == {"review": "corrected", "score/annotation": "1"}
    figures = end.agreement
    (only,) = figures.structures
    assert (only.category, only.frames) == ("Brain", 1)
    assert 0.8 < only.iou < only.dice < 1
    assert (figures.view.equal, figures.review.kappa) == (1, 1)


def test_what_differs_is_asked_and_does_not_stand(desk, start):
    brain, csp = start.annotations
    with desk.rater("Anna") as a:
        accept(a, csp)
        a.edit(*KEY, replace={brain.uid: replace(brain, category="Head")})  # another class
        a.edit(*KEY, add=[box("LV", 150, 60, 20, source="expert")])  # Ben has none
        a.set_report(*KEY, fields={"image_quality": "good"}, view="ABDOMEN")
        a.set_state(SHA, WHOLE, {"review": "corrected", "score/annotation": "1", "comment": "?"})
    with desk.rater("Ben") as b:
        accept(b, brain)
        b.edit(*KEY, replace={csp.uid: moved(csp, 20)})  # IoU 0.2
        b.set_report(*KEY, fields={"image_quality": "poor"})
        b.set_state(SHA, WHOLE, {"review": "rejected", "score/annotation": "3", "comment": "!"})
        b.set_state(SHA, WHOLE, {"review": "accepted"})
    end = desk.merge()
    with desk.merged() as c:
        conflicts = open_conflicts(c)
        assert sorted(what(conflicts)) == [
            ("field", "image_quality", True, True),
            ("review", "score/annotation", True, True),
            ("structure", "CSP", True, True),
            ("structure", "Head", True, True),
            ("structure", "LV", True, False),
            ("view", "view", True, True),
        ]
        assert {x.id for x in conflicts} == {x.id for x in end.conflicts}
        assert {(x.rater_a, x.rater_b) for x in conflicts} == {("Anna", "Ben")}
        assert c.annotations(*KEY) == []
        assert c.state(SHA, WHOLE)["review"] == "in_review"
        assert c.state(SHA, WHOLE)["comment"] == "Anna: ?\nBen: !"
        assert Worklist(c).of_scan(SHA).state == "in_review"
        likeness = {x.name: x.iou for x in conflicts if x.what == "structure"}
        assert likeness["CSP"] == pytest.approx(0.2)
        assert likeness["Head"] == 1
        assert likeness["LV"] is None


def test_an_acceptance_against_a_rejection_of_one_proposal(desk, start):
    _, csp = start.annotations
    with desk.rater("Anna") as a:
        a.edit(*KEY, remove=[csp.uid])
    with desk.rater("Ben") as b:
        accept(b, csp)
    (conflict,) = desk.merge().conflicts
    with desk.merged() as c:
        assert c.record(conflict.a).status == "rejected"
        assert c.record(conflict.b).status == "accepted"
        # The other proposal was judged by no one; it is still open.
        assert [a.category for a in c.annotations(*KEY)] == ["Brain"]
        resolve(c, conflict, "a")
        assert [a.category for a in c.annotations(*KEY)] == ["Brain"]
        c.undo(*KEY)
        resolve(c, conflict, "b")
        assert [a.category for a in c.annotations(*KEY)] == ["Brain", "CSP"]


def test_what_only_one_has_judged_is_taken_without_asking(desk, start):
    brain, csp = start.annotations
    with desk.rater("Anna") as a:
        accept(a, brain)
    with desk.rater("Ben") as b:
        b.edit(*KEY, replace={csp.uid: moved(csp, 1)})
    assert desk.merge().conflicts == ()
    with desk.merged() as c:
        assert [(a.category, a.status) for a in c.annotations(*KEY)] == [
            ("Brain", "accepted"),
            ("CSP", "corrected"),
        ]


def test_the_same_answers_read_twice_are_there_once(desk):
    """Each rater ran the model: other uids and times, the same content."""
    made = {}
    for name in ("Anna", "Ben"):
        with desk.rater(name) as project:
            project.add_scan(SCAN)
            reading = make_reading(SCAN)
            project.save_reading(reading)
            made[name] = accept(project, reading.annotations[0])
            if name == "Ben":
                project.edit(*KEY, remove=[reading.annotations[1].uid])
    assert desk.merge().conflicts == ()
    with desk.merged() as c:
        assert len(c.readings(*KEY)) == 1
        assert [(a.category, a.rater) for a in c.annotations(*KEY)] == [("Brain", "Anna")]
        his = next(iter(made["Ben"].replaced.values()))
        assert c.record(c.record(his.uid).parent).status == "proposed"


def test_scans_of_one_file_only_come_along_with_their_list(desk, tmp_path):
    other = make_scan("b.png", path=tmp_path / "b.png")
    with desk.rater("Anna") as a:
        a.add_scan(SCAN)
        a.set_state(SHA, WHOLE, {"review": "skipped"})
        Worklist(a).add([tmp_path / "c.png"])
    with desk.rater("Ben") as b:
        b.add_scan(other)
        b.edit(other.sha256, 2, add=[polygon(source="expert")])
        Worklist(b).add([tmp_path / "c.png", tmp_path / "d.png"])
    end = desk.merge()
    assert (end.scans, end.both, end.conflicts) == (2, 0, ())
    assert end.ungrouped == 1  # salted otherwise
    with desk.merged() as c:
        assert {(i.name, i.state) for i in Worklist(c).items()} == {
            ("a.png", "skipped"),
            ("b.png", "in_review"),
            ("c.png", "new"),
            ("d.png", "new"),
        }
        assert len(c.annotations(other.sha256, 2)) == 1


def test_whose_scans_are_stays_where_both_know_the_person(desk):
    same_person = make_scan("b.png")
    with desk.rater("Anna") as a:
        a.add_scan(SCAN)
    with desk.rater("Ben") as b:
        b.add_scan(SCAN)
        b.add_scan(same_person)
    assert desk.merge().ungrouped == 0
    with desk.merged() as c, desk.rater("Anna") as a:
        assert c.salt == a.salt
        assert {row.subject for row in c.scans()} == {a.scan(SHA).subject}


@pytest.fixture
def disputed(desk, start):
    """Merge with two conflicts: the image quality, and the CSP, 20 pixels apart."""
    _, csp = start.annotations
    with desk.rater("Anna") as a:
        hers = accept(a, csp).replaced[csp.uid]
        a.set_report(*KEY, fields={"image_quality": "good"})
    with desk.rater("Ben") as b:
        his = b.edit(*KEY, replace={csp.uid: moved(csp, 20)}).replaced[csp.uid]
        b.set_report(*KEY, fields={"image_quality": "poor"})
    found = {c.what: c for c in desk.merge().conflicts}
    return found["structure"], found["field"], hers, his


def test_choosing_and_drawing_anew(desk, disputed):
    conflict, _, hers, his = disputed
    drawn = replace(moved(his, -10), uid="x")
    with desk.merged() as c:
        for choose, stands in (("a", hers), ("b", his)):
            entry = resolve(c, conflict, choose)
            assert stands in c.annotations(*KEY)
            assert conflict.id not in {x.id for x in open_conflicts(c)}
            ((decided, by),) = decided_conflicts(c)
            assert (decided, by.rater) == (conflict, "Dana")
            assert f"as {stands.rater} has it" in entry.label
            with pytest.raises(ProjectError, match="decided in the meantime"):
                resolve(c, conflict, "b")
            c.undo(*KEY)
            assert conflict in open_conflicts(c)
            assert decided_conflicts(c) == []
        resolve(c, conflict, drawn)
        (new,) = (a for a in c.annotations(*KEY) if a.category == "CSP")
        assert (new.points, new.rater, new.status) == (drawn.points, "Dana", "corrected")
        assert (new.parent, new.source) == (hers.uid, "expert")
        assert c.check() == []
    with desk.merged() as c:  # and it is on the disk
        assert new in c.annotations(*KEY)


def test_choosing_a_text_or_another_one(desk, disputed):
    _, conflict, *_ = disputed
    assert (conflict.a, conflict.b) == ("good", "poor")
    with desk.merged() as c:
        resolve(c, conflict, "b")
        assert c.report(*KEY).fields["image_quality"] == "poor"
        c.undo(*KEY)
        resolve(c, conflict, value="fair")
        assert c.report(*KEY).fields["image_quality"] == "fair"


def test_a_decision_that_does_not_fit_is_a_mistake_of_the_caller(desk, disputed):
    structure, field, hers, _ = disputed
    with desk.merged() as c:
        for conflict, choose, value in (
            (structure, None, None),
            (structure, "a", "text"),
            (structure, None, "text"),
            (field, hers, None),
        ):
            with pytest.raises(ValueError, match=r"decided like this|whose word"):
                resolve(c, conflict, choose, value=value)
        assert len(open_conflicts(c)) == 2


def test_nothing_at_all_can_win_and_is_not_proposed_again(desk, start):
    brain, _ = start.annotations
    with desk.rater("Anna") as a:
        accept(a, brain)
        a.set_state(SHA, WHOLE, {"review": "accepted"})
    with desk.rater("Ben") as b:
        b.edit(*KEY, replace={brain.uid: replace(brain, points=((0, 0), (9, 0), (9, 9)))})
        other = b.annotations(*KEY)
        b.edit(*KEY, remove=[r.uid for r in other if r.category == "Brain"])
        b.edit(*KEY, add=[box("LV", 150, 60, 20, source="expert")])
    found = {c.name: c for c in desk.merge().conflicts}
    with desk.merged() as c:
        resolve(c, found["LV"], "a")
        assert not [a for a in c.annotations(*KEY) if a.category == "LV"]
        resolve(c, found["Brain"], "b")
        reading = c.readings_by_id(*KEY)[0][0]
        c.replace_proposals(*KEY, reading)
        assert not [a for a in c.annotations(*KEY) if a.category == "Brain"]


def test_neither_file_is_changed_and_none_is_written_over(desk, start):
    assert start
    before = desk.a.read_bytes(), desk.b.read_bytes()
    desk.c.write_bytes(b"mine")
    with pytest.raises(ProjectError, match="There is a file"):
        list(merge_projects(desk.a, desk.b, desk.c))
    assert desk.c.read_bytes() == b"mine"
    desk.c.unlink()
    desk.merge()
    assert (desk.a.read_bytes(), desk.b.read_bytes()) == before


def test_a_cancelled_or_failed_merge_leaves_no_file(desk, start):
    assert start
    cancel = threading.Event()
    cancel.set()
    copying, end = merge_projects(desk.a, desk.b, desk.c, cancel=cancel)
    assert isinstance(copying, MergeCopying)
    assert end.cancelled
    with pytest.raises(ProjectError, match="no project at"):
        list(merge_projects(desk.a, desk.folder / "none.fada", desk.c))
    with pytest.raises(ProjectError, match="with itself"):
        list(merge_projects(desk.a, desk.a, desk.c))
    assert sorted(p.name for p in desk.folder.iterdir()) == ["a.fada", "b.fada"]


def test_a_merged_project_can_be_merged_again(desk, disputed):
    conflict, *_ = disputed
    third = desk.folder / "d.fada"
    with Project.open(third, rater="Eve") as project:
        project.add_scan(SCAN)
        project.edit(SHA, 1, add=[box("LV", source="expert")])
    out = desk.folder / "e.fada"
    *_, _end = merge_projects(desk.c, third, out, rater="Chris")
    with Project.open(out) as project:
        assert project.check() == []
        assert conflict in open_conflicts(project)
        assert len(project.annotations(SHA, 1)) == 1
    with closing(sqlite3.connect(out)) as connection:
        assert connection.execute("SELECT count(*) FROM meta WHERE name = 'merge'").fetchone()[0]


def test_nothing_is_closed_over_what_is_not_decided(desk, disputed):
    structure, field, *_ = disputed
    with desk.merged() as c:
        before = c.history()
        for close in (review.finish, review.accept_rest):
            with pytest.raises(UndecidedError, match="CSP"):
                close(c, *KEY)
        assert c.history() == before
        resolve(c, field, "a")
        with pytest.raises(UndecidedError, match="CSP"):
            review.finish(c, *KEY)
        resolve(c, structure, "b")
        assert review.finish(c, *KEY) == "corrected"
        assert c.standing(*KEY).reviewed
        while conflict_free(c):  # back to before the decision, whatever was undone on the way
            c.undo(*KEY)
        assert not c.standing(*KEY).reviewed


def conflict_free(project):
    return not open_conflicts(project)


@pytest.mark.usefixtures("disputed")
def test_going_back_in_the_history_decides_nothing(desk):
    with desk.merged() as c:
        hers = next(e for e in reversed(c.history()) if e.rater == "Anna")
        c.restore(*KEY, hers.id)
        assert len(open_conflicts(c)) == 2
        assert c.check() == []


def test_a_scan_is_not_accepted_by_a_decision_while_another_is_open(desk, start):
    brain, csp = start.annotations
    with desk.rater("Anna") as a:
        accept(a, brain, csp)
        a.set_state(SHA, WHOLE, {"review": "accepted", "score/annotation": "1"})
    with desk.rater("Ben") as b:
        accept(b, brain)
        b.set_state(SHA, WHOLE, {"review": "rejected", "score/annotation": "3"})
    desk.merge()
    with desk.merged() as c:
        found = {x.name: x for x in open_conflicts(c)}
        with pytest.raises(UndecidedError, match="score/annotation"):
            resolve(c, found["review"], "a")
        assert len(open_conflicts(c)) == 2
        resolve(c, found["score/annotation"], "b")
        assert not c.standing(*KEY).reviewed
        resolve(c, found["review"], "a")
        assert c.standing(*KEY).reviewed


@pytest.mark.usefixtures("disputed")
def test_scans_come_after_their_frames(desk):
    with desk.rater("Anna") as a:
        a.set_state(SHA, WHOLE, {"score/annotation": "1"})
    with desk.rater("Ben") as b:
        b.set_state(SHA, WHOLE, {"score/annotation": "3"})
    desk.c.unlink()
    desk.merge()
    with desk.merged() as c:
        assert [x.frame for x in open_conflicts(c)] == [0, 0, WHOLE]


def test_a_scan_that_one_has_rejected_may_be_rejected_at_once(desk, start):
    brain, csp = start.annotations
    with desk.rater("Anna") as a:
        accept(a, brain)
        a.set_state(SHA, WHOLE, {"review": "accepted"})
    with desk.rater("Ben") as b:
        b.edit(*KEY, replace={brain.uid: moved(brain, 40)})
        b.edit(*KEY, remove=[csp.uid])
        b.set_state(SHA, WHOLE, {"review": "rejected"})
    desk.merge()
    with desk.merged() as c:
        resolve(c, open_conflicts(c)[-1], "b")
        assert c.state(SHA, WHOLE)["review"] == "rejected"
        assert not c.standing(*KEY).reviewed


# What is taken without asking


@pytest.fixture
def alike(desk):
    """Let both raters draw a square: on one scan 6 px apart (IoU 0.82), on the other 20 (0.5)."""
    other = make_scan("b.png")
    for name, shift in (("Anna", 0), ("Ben", 1)):
        with desk.rater(name) as project:
            for scan, by in ((SCAN, 6), (other, 20)):
                project.add_scan(scan)
                x = 40.0 + shift * by
                points = ((x, 20), (x + 60, 20), (x + 60, 80), (x, 80))
                drawn = replace(polygon("CSP", source="expert"), points=points)
                project.edit(scan.sha256, 0, add=[drawn])
                review.finish(project, scan.sha256, 0)
    return other.sha256


def test_half_an_overlap_is_no_agreement(desk, alike):
    end = desk.merge()
    (conflict,) = end.conflicts
    assert (conflict.scan, conflict.iou) == (alike, pytest.approx(0.5))
    assert end.taken == 1
    with desk.merged() as c:
        (taken,) = taken_without_asking(c)
        assert (taken.scan, taken.name, taken.iou) == (SHA, "CSP", pytest.approx(54 / 66))
        assert (taken.rater_a, taken.rater_b) == ("Anna", "Ben")
        assert c.record(taken.b).rater == "Ben"
        (stands,) = c.annotations(*KEY)
        assert stands.uid == taken.a
        assert last_merge(c)["thresholds"] == {"outlines": 0.8, "boxes": 0.7, "keypoints": 0.5}


@pytest.mark.parametrize(("threshold", "conflicts", "taken"), [(0.45, 0, 2), (0.9, 2, 0)])
def test_how_alike_they_have_to_be_can_be_said(desk, alike, threshold, conflicts, taken):
    assert alike
    end = desk.merge(threshold=threshold)
    assert (len(end.conflicts), end.taken) == (conflicts, taken)


def test_boxes_have_a_threshold_of_their_own(desk):
    for name, x in (("Anna", 40.0), ("Ben", 46.0)):
        with desk.rater(name) as project:
            project.add_scan(SCAN)
            project.edit(*KEY, add=[box("LV", x, 40.0, 36.0, source="expert")])
    assert desk.merge().taken == 1  # IoU 0.71
    desk.c.unlink()
    end = desk.merge(box_threshold=0.8)
    assert (len(end.conflicts), end.taken) == (1, 0)


def test_what_was_taken_can_be_disputed_and_decided(desk, alike):
    desk.merge(threshold=0.45)
    with desk.merged() as c:
        taken = next(t for t in taken_without_asking(c) if t.scan == alike)
        assert c.standing(alike, 0).reviewed
        dispute(c, taken)
        assert c.annotations(alike, 0) == []
        assert [x.id for x in open_conflicts(c)] == [taken.id]
        assert not c.standing(alike, 0).reviewed
        assert taken not in taken_without_asking(c)
        with pytest.raises(ProjectError, match="changed in the meantime"):
            dispute(c, taken)
        c.undo(alike, 0)
        assert open_conflicts(c) == []
        assert taken in taken_without_asking(c)
        dispute(c, taken)
        resolve(c, open_conflicts(c)[0], "b")
        (stands,) = c.annotations(alike, 0)
        assert stands.rater == "Ben"
        assert c.check() == []


def test_what_was_edited_since_is_no_longer_listed(desk, alike):
    assert alike
    desk.merge()
    with desk.merged() as c:
        (record,) = c.annotations(*KEY)
        c.edit(*KEY, replace={record.uid: moved(record, 3)})
        assert taken_without_asking(c) == []


def test_one_and_the_same_shape_is_not_listed(desk):
    for name in ("Anna", "Ben"):
        with desk.rater(name) as project:
            project.add_scan(SCAN)
            project.edit(*KEY, add=[polygon("Brain", source="expert")])
    assert desk.merge().taken == 0
