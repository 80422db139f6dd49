"""Many scans judged at one stroke: each by the rules of one, and what is left is told."""

from __future__ import annotations

import threading

import pytest

from napari_fada.records import bulk, history
from napari_fada.records.bulk import BulkFinished, judge_scans, take_back
from napari_fada.records.conflicts import Conflict
from napari_fada.records.project import WHOLE, Project
from napari_fada.records.review import scan_review
from napari_fada.records.rows import Act
from record_samples import box, make_reading, make_scan, polygon

NAMES = ("read.png", "labels.png", "empty.png", "begun.png", "skipped.png")


@pytest.fixture
def project(tmp_path):
    with Project.open(tmp_path / "p.fada", rater="Anna") as opened:
        yield opened
        assert opened.check() == []


@pytest.fixture
def scans(project):
    """Put five scans into the project, each in another state."""
    found = {}
    for name in NAMES:
        scan = make_scan(name, n_frames=1)
        project.add_scan(scan)
        found[name] = scan.sha256
    project.save_reading(make_reading(make_scan("read.png", n_frames=1)))
    label = polygon("Brain", source="import", status="accepted")
    project.act(found["labels.png"], Act(0, add=[label], by_person=False))
    project.edit(found["begun.png"], 0, add=[box(source="expert")])
    project.set_state(found["skipped.png"], WHOLE, {"review": "skipped"})
    return found


def judged(project, scans, judgement, **more):
    *progress, end = judge_scans(project, scans.values(), judgement, **more)
    assert isinstance(end, BulkFinished)
    assert [p.done for p in progress] == list(range(1, len(progress) + 1))
    return end


def states(project, scans):
    return {name.split(".")[0]: scan_review(project, sha).state for name, sha in scans.items()}


def test_accepting_takes_what_can_be_and_says_what_was_left_and_why(project, scans):
    end = judged(project, scans, "accept")
    assert (len(end.judged), end.unseen) == (3, 2)
    assert end.left == {bulk.NOTHING: ("empty.png",), bulk.SHUT_OUT: ("skipped.png",)}
    assert states(project, scans) == {
        "read": "accepted",
        "labels": "accepted",
        "empty": "new",
        "begun": "corrected",
        "skipped": "skipped",
    }
    records = project.annotations(scans["read.png"])
    assert {(a.status, a.rater) for a in records} == {("accepted", "Anna")}
    (label,) = project.annotations(scans["labels.png"])
    assert (label.rater, label.source) == ("Anna", "import")
    marked = {n for n, sha in scans.items() if project.state(sha, 0).get("unseen")}
    assert marked == {"read.png", "labels.png"}  # accepted, but never on the screen
    assert "3 scans are accepted." in end.lines
    assert any("empty.png" in line for line in end.lines)


def test_one_undo_a_scan_takes_it_back(project, scans):
    judged(project, scans, "accept")
    project.undo(scans["labels.png"], 0)
    assert states(project, scans)["labels"] == "imported"
    (label,) = project.annotations(scans["labels.png"])
    assert label.rater == ""
    assert states(project, scans)["read"] == "accepted"


def test_only_what_was_looked_at(project, scans):
    end = judged(project, scans, "accept", unseen=False)
    assert (len(end.judged), end.unseen) == (1, 0)
    assert end.left[bulk.UNSEEN] == ("read.png", "labels.png")


def test_required_fields_and_disputed_scans_are_left(project, scans):
    project.set_required_fields(["image_quality"])
    end = judged(project, scans, "accept")
    assert end.left[bulk.REQUIRED] == ("labels.png", "begun.png")
    project.set_required_fields([])
    conflict = Conflict("1", scans["begun.png"], 0, "view", "view", "AC_PLANE", "BPD_PLANE")
    with project._store.write() as c:
        cells = {conflict.cell: conflict.to_json()}
        history.do(c, conflict.scan, 0, cells, label="merged", rater="")
    end = judged(project, scans, "accept")
    assert end.left[bulk.CONFLICTS] == ("begun.png",)
    assert end.left[bulk.ALREADY] == ("read.png",)
    assert states(project, scans)["begun"] == "in_review"


def test_all_of_it_is_taken_back_but_what_was_edited_since(project, scans):
    before = states(project, scans)
    end = judged(project, scans, "accept")
    project.edit(scans["read.png"], 0, add=[box("LV", 70, source="expert")])
    *_, back = take_back(project, end.judged)
    assert back.lines[0] == "2 scans are as before."
    assert back.left == {bulk.EDITED: ("read.png",)}
    assert states(project, scans) == before | {"read": "in_review"}
    assert {a.rater for a in project.annotations(scans["labels.png"])} == {""}


def test_rejecting_skipping_and_back(project, scans):
    assert len(judged(project, scans, "reject", reason="another organ").judged) == 5
    assert scan_review(project, scans["read.png"]).reason == "another organ"
    end = judged(project, scans, "reject")
    assert (len(end.judged), len(end.left[bulk.ALREADY])) == (0, 5)
    assert len(judged(project, scans, "reopen").judged) == 5
    assert set(states(project, scans).values()) == {"in_review"}
    assert len(judged(project, scans, "skip").judged) == 5


def test_it_stops_between_scans_and_files_that_were_not_opened_are_told(project, scans):
    cancel, found = threading.Event(), []
    for event in judge_scans(project, [None, *scans.values(), None], "skip", cancel=cancel):
        found.append(event)
        cancel.set()
    end = found[-1]
    assert (len(found), len(end.judged), end.cancelled) == (2, 1, True)
    assert end.lines[1] == f"Left as they are: 2 scans, because {bulk.UNOPENED}."
    assert list(states(project, scans).values()).count("skipped") == 2
