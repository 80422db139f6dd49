"""Who looked at which frame, what was accepted without that, and who it was that had no name."""

from __future__ import annotations

import dataclasses
import sqlite3
from contextlib import closing

import pytest

from napari_fada.records import review, schema
from napari_fada.records.annotation import now
from napari_fada.records.merge import merge_projects
from napari_fada.records.project import WHOLE, Project
from napari_fada.records.rows import Act
from napari_fada.records.salvage import salvage
from napari_fada.records.worklist import Filter, Worklist
from record_samples import box, make_reading, make_scan, polygon

SCAN = make_scan()
SHA = SCAN.sha256
LATER = "9999-01-01T00:00:00.000+00:00"
EARLIER = "2000-01-01T00:00:00.000+00:00"


@pytest.fixture
def project(tmp_path):
    with Project.open(tmp_path / "p.fada", rater="Anna") as opened:
        opened.add_scan(SCAN)
        yield opened
        assert opened.check() == []


@pytest.fixture
def clip(project):
    """Propose a head on the first four frames."""
    for frame in range(4):
        project.save_reading(make_reading(SCAN, polygon("Brain"), frame=frame))
    return project


def marked(project):
    return {f for f, state in project.frame_states(SHA).items() if state.unseen}


def test_what_was_not_on_the_screen_is_accepted_as_such(clip):
    assert clip.unseen(SHA) == {0, 1, 2, 3}
    clip.note_looks(SHA, [(1, now())])
    assert review.finish(clip, SHA, 0, [(0, now())]) == "accepted"
    assert marked(clip) == {2, 3}
    assert [clip.standing(SHA, f).seen for f in range(4)] == [True, True, False, False]
    assert clip.seen_by(SHA, 0) == ["Anna"]
    assert clip.seen_by(SHA, 2) == []
    assert "2 of 4 frames never on the screen" in clip.history(SHA)[-1].label
    clip.undo(SHA, 0)
    assert marked(clip) == set()


def test_a_frame_that_was_shown_before_its_structures_came_was_not_looked_at(clip):
    clip.note_looks(SHA, [(0, EARLIER), (1, now())])
    assert clip.unseen(SHA) == {0, 2, 3}
    clip.note_looks(SHA, [(0, EARLIER), (0, now())])
    assert clip.unseen(SHA) == {2, 3}
    assert clip.unseen(SHA, {2: now(), 3: EARLIER}) == {3}


def test_what_undo_brings_back_was_looked_at(clip):
    clip.note_looks(SHA, [(f, now()) for f in range(4)])
    review.finish(clip, SHA, 0)
    clip.undo(SHA, 0)
    assert clip.unseen(SHA) == set()


def test_only_what_was_looked_at_can_be_accepted(clip):
    review.accept_seen(clip, SHA, 0, [(0, now()), (2, now())])
    states = [[a.status for a in clip.annotations(SHA, f)] for f in range(4)]
    assert states == [["accepted"], ["proposed"], ["accepted"], ["proposed"]]
    assert review.scan_review(clip, SHA).state == "in_review"
    assert [clip.standing(SHA, f).reviewed for f in range(4)] == [True, False, True, False]
    assert marked(clip) == set()


def test_the_rest_of_one_frame_goes_by_the_same(clip):
    review.accept_rest(clip, SHA, 1)
    review.accept_rest(clip, SHA, 2, [(2, now())])
    assert marked(clip) == {1}


def test_a_mark_stays_until_the_frame_is_looked_at_and_accepted_again(clip):
    review.finish(clip, SHA, 0, [(0, now())])
    review.reopen(clip, SHA, 0)
    review.finish(clip, SHA, 0, [(0, now())])
    assert marked(clip) == {1, 2, 3}
    clip.note_looks(SHA, [(1, LATER)])
    assert not clip.standing(SHA, 1).seen  # it was accepted before
    review.reopen(clip, SHA, 0)
    review.finish(clip, SHA, 0)
    assert marked(clip) == {2, 3}


def test_labels_that_came_in_and_empty_frames_are_not_looked_at_by_accepting(project):
    label = polygon("Brain", source="import", status="accepted", rater="Else")
    project.act(SHA, Act(2, add=[label], by_person=False))
    project.edit(SHA, 3, add=[box("CSP", source="expert")])  # someone drew it there
    review.finish(project, SHA, 0)
    assert marked(project) == {0, 2}


def test_looks_come_along_into_a_merged_and_into_a_saved_project(clip, tmp_path):
    clip.note_looks(SHA, [(0, now())])
    clip.copy_to(tmp_path / "b.fada")
    with Project.open(tmp_path / "b.fada", rater="Ben") as other:
        other.note_looks(SHA, [(1, now())])
    list(merge_projects(clip.path, tmp_path / "b.fada", tmp_path / "c.fada"))
    list(salvage(tmp_path / "c.fada", tmp_path / "d.fada"))
    for name in ("c", "d"):
        with Project.open(tmp_path / f"{name}.fada") as merged:
            assert merged.unseen(SHA) == {2, 3}
            assert (merged.seen_by(SHA, 0), merged.seen_by(SHA, 1)) == (["Anna"], ["Ben"])


def test_an_older_project_keeps_what_its_log_says(tmp_path):
    path = tmp_path / "old.fada"
    with Project.open(path, rater="Anna") as project:
        project.add_scan(SCAN)
        for frame in range(3):
            project.save_reading(make_reading(SCAN, polygon("Brain"), frame=frame))
        project.edit(SHA, 1, add=[box("CSP", source="expert")])
        review.finish(project, SHA, 2)
    made_older(path)
    with Project.open(path) as project:
        assert [project.standing(SHA, f).seen for f in range(3)] == [False, True, True]
        assert project.check() == []


def made_older(path):
    """Take out of a project what version 8 brought."""
    with closing(sqlite3.connect(path, isolation_level=None)) as c:
        for view in ("signed_edits", "signed_records"):
            c.execute(f"DROP VIEW {view}")
        for table in ("looks", "unsigned_records", "signatures"):
            c.execute(f"DROP TABLE {table}")
        c.execute("DELETE FROM cells WHERE name = 'unseen'")
        c.execute("DROP TRIGGER changes_no_delete")
        c.execute("DELETE FROM changes WHERE name = 'unseen'")
        c.execute(
            "CREATE TRIGGER changes_no_delete BEFORE DELETE ON changes "
            "BEGIN SELECT RAISE(ABORT, 'changes are never changed'); END"
        )
        c.execute("PRAGMA user_version = 7")
    assert len(schema.MIGRATIONS) > 7


# Who it was


@pytest.fixture
def nameless(project):
    """Work without a name: a structure drawn, one judged, a word, a review, a look."""
    project.save_reading(make_reading(SCAN))
    with Project.open(project.path) as opened:
        opened.edit(SHA, 0, add=[box("LV", 100, source="expert")])
        found = next(a for a in opened.annotations(SHA, 0) if a.category == "CSP")
        review.accept(opened, SHA, 0, [found.uid])
        opened.set_report(SHA, 0, view="ABDOMEN")
        opened.note_looks(SHA, [(0, now())])
        yield opened
        assert opened.check() == []


def raters(project):
    return {a.category: a.rater for a in project.annotations(SHA, 0)}


def test_a_name_given_later_in_the_session_signs_what_was_done_before(nameless):
    assert nameless.sign("Anna") == 3
    nameless.rater = "Anna"
    assert raters(nameless) == {"Brain": "", "CSP": "Anna", "LV": "Anna"}
    assert [e.rater for e in nameless.history(SHA)] == ["Anna"] * 4  # the first read the frame
    assert nameless.raters(SHA) == ["Anna"]
    assert {line.rater for line in nameless.lines(SHA)} == {"Anna"}
    assert nameless.seen_by(SHA, 0) == ["Anna"]
    worklist = Worklist(nameless)
    assert worklist.raters() == ("Anna",)
    assert [i.name for i in worklist.items(Filter(rater="Anna"))] == [SCAN.name]
    record = nameless.annotations(SHA, 0)[-1]
    assert nameless.record(record.uid).rater == "Anna"
    nameless.undo(SHA, 0)  # goes on as if they had been signed from the first
    assert nameless.report(SHA, 0).view != "ABDOMEN"


def test_it_stays_so_and_is_signed_once(nameless):
    nameless.sign("Anna")
    assert nameless.sign("Ben") == 0
    with Project.open(nameless.path) as again:
        assert raters(again)["LV"] == "Anna"
        assert again.raters(SHA) == ["Anna"]


def test_other_sessions_without_a_name_stay_without(nameless):
    with Project.open(nameless.path) as other:
        other.edit(SHA, 0, add=[box("H", 40, source="expert")])
        assert other.sign("Ben") == 1
        assert raters(other) == {"Brain": "", "CSP": "", "LV": "", "H": "Ben"}
        assert other.raters(SHA) == ["", "Anna", "Ben"]


def test_the_name_is_in_a_merged_and_in_a_saved_project(nameless, tmp_path):
    nameless.sign("Ann")
    nameless.copy_to(tmp_path / "b.fada")
    with Project.open(tmp_path / "b.fada", rater="Ben") as other:
        other.set_state(SHA, WHOLE, {"comment": "?"})
    list(merge_projects(nameless.path, tmp_path / "b.fada", tmp_path / "c.fada"))
    list(salvage(tmp_path / "b.fada", tmp_path / "d.fada"))
    for name in ("c", "d"):
        with Project.open(tmp_path / f"{name}.fada") as found:
            assert raters(found)["LV"] == "Ann"
            assert "" not in found.raters(SHA)
            assert found.check() == []


def test_what_came_in_is_not_signed_by_whoever_brought_it(project):
    with Project.open(project.path) as opened:
        label = polygon("Brain", source="import", status="accepted")
        opened.act(SHA, Act(1, add=[label], by_person=False))
        opened.edit(SHA, 1, add=[box("CSP", source="expert")])
        opened.sign("Anna")
        assert {a.category: a.rater for a in opened.annotations(SHA, 1)} == {
            "Brain": "",
            "CSP": "Anna",
        }


def test_a_text_that_came_after_the_look_was_not_looked_at(clip):
    clip.note_looks(SHA, [(f, now()) for f in range(6)])
    assert clip.unseen(SHA) == set()
    text = dataclasses.replace(make_reading(SCAN, frame=5), annotations=())
    clip.save_reading(text)  # by a batch, while another frame is shown
    assert clip.unseen(SHA) == {5}
    clip.note_looks(SHA, [(5, LATER)])
    assert clip.unseen(SHA) == set()
