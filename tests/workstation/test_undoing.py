"""Undo in a window: one's own acts, others by name, back to the scan that was finished, words."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from PIL import Image

from napari_fada.records import review
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project
from napari_fada.workstation.adjudication import Adjudication
from napari_fada.workstation.carrier import Carrier
from napari_fada.workstation.session import Session


def box(x: float = 20.0, category: str = "LV") -> Annotation:
    return Annotation(category, "box", ((x, 10.0), (x + 30, 40.0)), source="expert")


@pytest.fixture
def desk(tmp_path: Path):
    """Four scans of a worklist, the first of which is shown; what is said is kept."""
    rng = np.random.default_rng(0)
    for name in "abcd":
        Image.fromarray(rng.integers(0, 99, (60, 90), np.uint8)).save(tmp_path / f"{name}.png")
    viewer = ViewerModel()
    session = Session(viewer, Project.open(tmp_path / "p.fada", rater="Anna"))
    session.said = []
    session.offers = []
    session.message.connect(lambda text, _level: session.said.append(text))
    session.offered.connect(lambda text, ways: session.offers.append((text, ways)))
    session.walk.worklist.add([tmp_path / f"{name}.png" for name in "abcd"])
    session.look_for(order="added")
    for name in "dcba":
        assert session.open_path(tmp_path / f"{name}.png")
    yield session
    session.close()
    assert viewer is not None


def sha_of(session, name):
    return next(row.sha256 for row in session.project.scans() if row.name == f"{name}.png")


def draw(session, *records):
    session.project.edit(session.scan.sha256, session.frame, add=records)


def state(session, name):
    return review.scan_review(session.project, sha_of(session, name)).state


def kept(session, frame=0):
    return session.project.annotations(session.scan.sha256, frame)


def finish(session):
    assert session.reviewing.accept_and_next()


def test_a_scan_just_opened_has_nothing_to_undo(desk):
    desk.undo()
    assert desk.said[-1] == "There is nothing of yours to undo here."
    desk.redo()
    assert desk.said[-1] == "There is nothing of yours to do again here."


# Back to what was finished


def test_the_first_undo_after_finishing_goes_back_and_reopens(desk):
    draw(desk, box())
    finish(desk)
    assert (desk.scan.name, state(desk, "a")) == ("b.png", "corrected")
    desk.undo()
    assert (desk.scan.name, state(desk, "a")) == ("a.png", "in_review")
    assert desk.said[-1] == "Back to a.png. Undone: Scan finished: corrected."
    assert len(kept(desk)) == 1
    desk.redo()
    assert (desk.scan.name, state(desk, "a")) == ("a.png", "corrected")
    desk.undo()
    desk.undo()  # and then what was done before
    assert kept(desk) == []


@pytest.mark.parametrize("how", ["skip", "reject_scan"])
def test_so_does_the_first_undo_after_leaving_a_scan_otherwise(desk, how):
    assert getattr(desk.reviewing, how)()
    assert desk.scan.name == "b.png"
    desk.undo()
    assert (desk.scan.name, state(desk, "a")) == ("a.png", "new")


def test_a_button_goes_back_too(desk):
    finish(desk)
    text, ((label, _tip, does),) = desk.offers[-1]
    assert (text, label) == ("a.png: scan finished: accepted.", "Back to a")
    draw(desk, box())
    does()
    assert (desk.scan.name, state(desk, "a")) == ("a.png", "new")
    assert len(desk.project.annotations(sha_of(desk, "b"), 0)) == 1


def test_work_on_the_next_scan_goes_first(desk):
    finish(desk)
    draw(desk, box())
    desk.undo()
    assert (desk.scan.name, kept(desk), state(desk, "a")) == ("b.png", [], "accepted")
    desk.undo()
    assert (desk.scan.name, state(desk, "a")) == ("a.png", "new")


def test_several_scans_go_back_one_after_another(desk):
    for _ in "ab":
        draw(desk, box())
        finish(desk)
    assert desk.scan.name == "c.png"
    shown = []
    for _ in range(5):
        desk.undo()
        shown.append((desk.scan.name, len(kept(desk)), state(desk, "a"), state(desk, "b")))
    assert shown == [
        ("b.png", 1, "corrected", "in_review"),
        ("b.png", 0, "corrected", "new"),
        ("a.png", 1, "in_review", "new"),
        ("a.png", 0, "new", "new"),
        ("a.png", 0, "new", "new"),
    ]
    assert desk.said[-1] == "There is nothing of yours to undo here."


def test_a_finished_scan_that_was_worked_on_again_is_no_longer_left(desk, tmp_path):
    """Its last act is what was done since; that is taken back where it is seen."""
    draw(desk, box())
    finish(desk)
    assert desk.open_path(tmp_path / "a.png")
    draw(desk, box(60.0))
    assert desk.open_path(tmp_path / "b.png")
    desk.undo()
    desk.undo()
    assert (desk.scan.name, state(desk, "a")) == ("b.png", "in_review")
    assert desk.open_path(tmp_path / "a.png")
    assert len(kept(desk)) == 2
    desk.undo()
    assert len(kept(desk)) == 1


def test_on_a_scan_that_was_chosen_it_is_named_first(desk, tmp_path):
    finish(desk)
    desk.open_path(tmp_path / "d.png")
    desk.undo()
    assert (desk.scan.name, state(desk, "a")) == ("d.png", "accepted")
    assert "The last you did is on a.png (scan finished: accepted)." in desk.said[-1]
    desk.undo()
    assert (desk.scan.name, state(desk, "a")) == ("a.png", "new")


def test_after_the_last_scan_undo_stays_there(desk):
    for _ in "abcd":
        finish(desk)
    assert desk.scan.name == "d.png"
    desk.undo()
    assert (desk.scan.name, state(desk, "d"), state(desk, "c")) == ("d.png", "new", "accepted")


def test_what_was_reopened_by_somebody_else_is_not_undone_twice(desk, tmp_path):
    draw(desk, box())
    finish(desk)
    with Project.open(tmp_path / "p.fada", rater="Ben") as ben:
        (record,) = ben.annotations(sha_of(desk, "a"), 0)
        ben.edit(sha_of(desk, "a"), 0, remove=[record.uid])
    desk.undo()
    assert desk.scan.name == "a.png"
    assert kept(desk) == []  # Ben's removal stands


def test_a_scan_that_is_still_coming_does_not_come_after_undo(desk):
    asked = []
    desk.opener = lambda item, _step: asked.append(item.name)
    desk.forget_opening = asked.clear
    finish(desk)
    assert (desk.scan.name, asked) == ("a.png", ["b.png"])
    desk.undo()
    assert (asked, state(desk, "a")) == ([], "new")


# The last scan


def test_the_last_scan_comes_back(desk):
    assert desk.last_scan()
    assert desk.scan.name == "b.png"
    desk.last_scan()
    assert desk.scan.name == "a.png"
    desk.next_scan()
    desk.next_scan()
    desk.last_scan()
    assert desk.scan.name == "b.png"


def test_without_another_scan_that_is_said(bench):
    assert not bench.session.last_scan()
    assert bench.said[-1][0] == "No other scan was looked at before this one."


# Others


def test_another_rater_is_named_and_asked_about_once_more(bench, tmp_path):
    session = bench.session
    sha = session.scan.sha256
    draw(session, box(20))
    with Project.open(tmp_path / "project.fada", rater="Ben") as ben:
        (record,) = ben.annotations(sha, 0)
        moved = dataclasses.replace(record, points=((29.0, 10.0), (59.0, 40.0)))
        ben.edit(sha, 0, replace={record.uid: moved}, label="head moved")
    session.project.poll()
    session.undo()
    assert bench.one().points[0] == (29, 10)
    assert bench.said[-1][0].startswith("The last change here is Ben's (head moved, ")
    session.go_to_frame(0)
    session.undo()
    assert bench.one().points[0] == (20, 10)
    assert bench.said[-1][0] == "Undone, Ben's: head moved"
    session.undo()
    assert bench.kept() == []
    assert bench.said[-1][0] == "Undone: LV drawn"


def test_another_window_of_the_same_name_is_named(bench, tmp_path):
    session = bench.session
    with Project.open(tmp_path / "project.fada", rater="ann") as other:
        other.edit(session.scan.sha256, 0, add=[box()])
    session.project.poll()
    session.undo()
    assert len(bench.kept()) == 1
    assert "ann's in another window (LV drawn" in bench.said[-1][0]


# Frames


def test_copies_to_many_frames_go_at_once_and_that_is_said(clip):
    session = clip.session
    session.go_to_frame(0)
    draw(session, box())
    carried = list(_copy(session, [1, 2, 3]))
    assert carried
    shown = []
    session.records_changed.connect(lambda: shown.append(1))
    session.undo()
    assert clip.said[-1][0] == "Undone on 3 frames (2–4): copied from frame 1"
    assert [len(clip.kept(f)) for f in range(5)] == [1, 0, 0, 0, 0]
    assert {f for f, rs in session.records.items() if rs} == {0}
    assert len(shown) == 1
    session.redo()
    assert clip.said[-1][0] == "Done again on 3 frames (2–4): copied from frame 1"
    assert {f for f, rs in session.records.items() if rs} == {0, 1, 2, 3}


def test_undo_goes_back_to_a_frame_that_was_left_by_a_key(clip):
    session = clip.session
    session.go_to_frame(0)
    draw(session, box())
    sha = session.scan.sha256
    act = session.project.own_last(sha, 0)
    assert session.undoing.leave(sha, 0)
    session.go_to_frame(3)
    session.undo()
    assert session.frame == 0
    assert not session.project.is_standing(act.act)
    assert clip.said[-1][0].startswith("Back to ")


def _copy(session, frames):
    from napari_fada.records.cine import carry

    return carry.copy(session.project, session.scan.sha256, 0, frames)


def test_undo_while_work_goes_on_stops_it_and_takes_it_back(long_clip, qtbot):
    session = long_clip.session
    carrier = Carrier(session)
    session.go_to_frame(0)
    draw(session, box())
    carrier.copy(299)
    qtbot.waitUntil(lambda: bool(long_clip.kept(3)))
    session.undo()
    assert long_clip.said[-1][0] == "The work over frames is stopped and taken back."
    qtbot.waitUntil(lambda: not carrier.running)
    assert long_clip.said[-1][0].endswith("copied from frame 1")
    assert [f for f in range(300) if long_clip.kept(f)] == [0]


# Conflicts


def test_undo_after_a_decision_goes_back_to_it(desk, tmp_path):
    a, b = sha_of(desk, "a"), sha_of(desk, "b")
    paths = {name: tmp_path / f"{name}.fada" for name in ("Anna", "Ben", "both")}
    for name, x in (("Anna", 20.0), ("Ben", 38.0)):
        desk.project.copy_to(paths[name])
        with Project.open(paths[name], rater=name) as project:
            for sha in (a, b):
                project.edit(sha, 0, add=[box(x)])
                review.finish(project, sha, 0)
    from napari_fada.records.merge import merge_projects

    list(merge_projects(paths["Anna"], paths["Ben"], paths["both"], rater="Chris"))
    desk.rater = "Chris"
    assert desk.open_project(paths["both"])
    work = Adjudication(desk)
    work.begin()
    assert (len(work.open), work.decided) == (2, 0)
    desk.undo()
    work.reload()
    assert (len(work.open), work.decided) == (2, 0)
    first = work.current
    desk.show_again(first.scan, 0)
    assert work.choose("a")
    work.reload()
    assert (len(work.open), work.decided) == (1, 1)
    desk.show_again(work.current.scan, 0)  # the dock goes on to the next one
    for _ in range(2):
        desk.undo()
        work.reload()
        assert (len(work.open), work.decided, desk.scan.sha256) == (2, 0, first.scan)
