"""Accepting a scan: what is said first, and what a second time goes on in spite of."""

from __future__ import annotations

import sqlite3

import pytest

from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project
from napari_fada.records.review import scan_review
from napari_fada.workstation import signing
from napari_fada.workstation.signing import Objection
from record_samples import make_scan


@pytest.fixture
def objections(monkeypatch):
    """Objections by name; an absent one is none."""
    found: dict[str, Objection] = {}
    checks = tuple(lambda _closing, name=name: found.get(name) for name in ("first", "second"))
    monkeypatch.setattr(signing, "CHECKS", checks)
    return found


def state(bench):
    return scan_review(bench.session.project, bench.session.scan.sha256).state


def test_what_may_pass_is_said_once_and_in_order(bench, objections):
    objections |= {"first": Objection("It is dark."), "second": Objection("It is late.")}
    accept = bench.session.reviewing.accept_and_next
    assert not accept()
    assert bench.said[-1] == ("It is dark.", "warning")
    assert not accept()
    assert bench.said[-1][0] == "It is late."
    assert state(bench) == "new"
    accept()
    assert state(bench) == "accepted"


def test_what_does_not_pass_is_refused_every_time(bench, objections):
    objections["second"] = Objection("Decide it.", passes=False)
    for _ in range(3):
        assert not bench.session.reviewing.accept_and_next()
        assert bench.said[-1][0] == "Decide it."
    assert state(bench) == "new"
    del objections["second"]
    bench.session.reviewing.accept_and_next()
    assert state(bench) == "accepted"


def test_other_facts_are_said_again(bench, objections):
    accept = bench.session.reviewing.accept_and_next
    objections["first"] = Objection("Three are left.", facts=3)
    accept()
    objections["first"] = Objection("Two are left.", facts=2)
    assert not accept()
    assert bench.said[-1][0] == "Two are left."
    accept()
    assert state(bench) == "accepted"


def test_the_rest_of_a_frame_and_the_scan_are_asked_apart(bench, objections):
    objections["first"] = Objection("It is dark.")
    doing = bench.session.reviewing
    assert not doing.accept_rest()
    assert not doing.accept_and_next()
    assert state(bench) == "new"


def test_a_question_is_withdrawn_when_another_frame_is_shown(clip, objections):
    asked, withdrawn = [], []
    clip.session.question.connect(lambda text, _choices: asked.append(text))
    clip.session.question_over.connect(withdrawn.append)
    offers = (("Look", "Show it", lambda: None),)
    objections["first"] = Objection("It is dark.", offers=offers)
    assert not clip.session.reviewing.accept_and_next()
    assert asked == ["It is dark."]
    clip.session.go_to_frame(4)
    assert withdrawn == [offers]
    assert not clip.session.reviewing.accept_and_next()
    assert state(clip) == "new"


# What was never on the screen


def guess(x=60.0):
    return Annotation("Brain", "box", ((x, 60.0), (x + 40, 100.0)), source="interpolation")


@pytest.fixture
def carried(clip):
    """Put guesses on the five frames of a clip; the last one is shown, and nothing else was."""
    session = clip.session
    session.go_to_frame(4)
    for frame in range(5):
        session.project.derive(session.scan.sha256, frame, [guess()], label="carried")
    session.refresh()
    clip.asked, clip.over = [], []
    session.question.connect(lambda text, choices: clip.asked.append((text, choices)))
    session.question_over.connect(clip.over.append)
    return clip


def statuses(bench):
    return [bench.one(frame).status for frame in range(5)]


def unseen(bench):
    found = bench.session.project.frame_states(bench.session.scan.sha256)
    return {frame for frame, state in found.items() if state.unseen}


def test_frames_that_were_never_shown_are_counted_and_asked_about(carried):
    carried.session.go_to_frame(3)
    assert not carried.session.reviewing.accept_and_next()
    assert carried.said[-1][0].startswith("3 of 5 frames were never on the screen")
    assert statuses(carried) == ["proposed"] * 5
    carried.session.reviewing.accept_and_next()
    assert statuses(carried) == ["accepted"] * 5
    assert unseen(carried) == {0, 1, 2}
    assert carried.over[-1] == carried.asked[-1][1]


def test_after_an_undo_it_is_asked_anew_and_what_is_signed_is_not(carried):
    doing, asked = carried.session.reviewing, carried.asked
    doing.accept_and_next()
    doing.accept_and_next()
    doing.accept_and_next()  # it is finished, and was asked about
    assert len(asked) == 1
    carried.session.undo()
    assert statuses(carried) == ["proposed"] * 5
    assert not doing.accept_and_next()
    assert len(asked) == 2


def test_a_look_at_one_of_them_asks_anew(carried):
    doing = carried.session.reviewing
    doing.accept_and_next()
    carried.session.go_to_frame(0)
    assert not doing.accept_and_next()
    assert carried.said[-1][0].startswith("3 of 5")


def test_what_was_seen_can_be_accepted_alone(carried):
    carried.session.go_to_frame(2)
    carried.session.reviewing.accept_and_next()
    _, (show, only, _all) = carried.asked[-1]
    only[2]()
    assert statuses(carried) == ["proposed", "proposed", "accepted", "proposed", "accepted"]
    assert state(carried) == "in_review"
    assert carried.session.frame == 0  # the first that is left
    carried.session.go_to_frame(4)
    show[2]()
    assert carried.session.frame == 0


def test_all_that_was_looked_at_is_accepted_without_a_word(carried):
    for frame in range(5):
        carried.session.go_to_frame(frame)
    carried.session.reviewing.accept_and_next()
    assert carried.asked == []
    assert statuses(carried) == ["accepted"] * 5
    assert unseen(carried) == set()


def test_a_look_counts_in_a_later_session_too(carried, tmp_path):
    carried.session.go_to_frame(1)
    sha256 = carried.session.scan.sha256
    carried.session.close()
    with Project.open(tmp_path / "project.fada", rater="Ben") as later:
        assert later.unseen(sha256) == {0, 2, 3}


def test_looks_without_the_structures_do_not_count(carried):
    session = carried.session
    layer = session.layers.layer("boxes")
    layer.visible = False
    session.go_to_frame(0)
    layer.visible = True
    session.look_back(1, 0)  # an earlier state of the frame
    session.end_look_back()
    over = carried.viewer.add_image(session.image.data[0], name="another")
    session.go_to_frame(2)
    carried.viewer.layers.remove(over)
    assert session.project.unseen(session.scan.sha256) >= {0, 2}


def test_a_frame_shown_before_its_structures_came_was_not_looked_at(clip):
    session = clip.session
    for frame in range(5):
        session.go_to_frame(frame)
    for frame in range(5):
        session.project.derive(session.scan.sha256, frame, [guess()], label="carried")
    session.refresh()
    assert not session.reviewing.accept_and_next()
    assert clip.said[-1][0].startswith("4 of 5")


def test_a_busy_project_takes_looks_a_little_later(carried, tmp_path):
    session = carried.session
    before = session.project.unseen(session.scan.sha256)
    other = sqlite3.connect(tmp_path / "project.fada", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    session.go_to_frame(1)
    assert session.project.unseen(session.scan.sha256) == before
    other.execute("ROLLBACK")
    other.close()
    session.frames_seen.keep()
    assert session.project.unseen(session.scan.sha256) == before - {1}


def test_what_another_window_has_just_done_is_shown_before_it_is_signed(clip, tmp_path):
    session = clip.session
    key = (session.scan.sha256, 3)
    drawn = Annotation("Brain", "box", ((9.0, 9.0), (50.0, 50.0)), source="expert")
    with Project.open(tmp_path / "project.fada", rater="Ben") as ben:
        ben.edit(*key, add=[drawn])
        session.project.edit(key[0], session.frame, add=[guess()])
        assert not session.reviewing.accept_and_next()
        assert clip.said[-1][0].startswith("Another window has just changed this scan")
        assert [r.category for r in session.records[3]] == ["Brain"]
        assert state(clip) == "in_review"
        ben.edit(*key, add=[guess()])
        assert not session.reviewing.accept_and_next()  # once more, and it is not one question
        session.go_to_frame(3)
        ben.edit(key[0], 0, add=[guess()])
        assert not session.reviewing.accept_and_next()
        ben.edit(key[0], 1, add=[guess()])  # another frame than the one that is accepted
        assert session.reviewing.accept_rest()
    assert session.project.state(*key)["review"] == "corrected"


def test_ones_own_edits_among_those_of_others_are_not_another_windows(bench, tmp_path):
    session = bench.session
    with Project.open(tmp_path / "project.fada", rater="Ben") as ben:
        elsewhere = make_scan(sha256="b" * 64)
        ben.add_scan(elsewhere)
        ben.edit("b" * 64, 0, add=[guess()])
        session.project.edit(session.scan.sha256, 0, add=[guess()])
        assert session.reviewing.accept_and_next()
    assert state(bench) == "accepted"
