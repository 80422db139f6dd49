"""Whose acts undo takes back: one's own, never a model's, a merge's or, unasked, another's."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sqlite3
import threading
from contextlib import closing

import pytest

from napari_fada.records import review, schema
from napari_fada.records.annotation import Annotation
from napari_fada.records.cine import carry
from napari_fada.records.merge import decided_conflicts, merge_projects, open_conflicts, resolve
from napari_fada.records.project import WHOLE, Project
from record_samples import box, make_reading, make_scan, polygon

SCAN = make_scan(n_frames=30)
SHA = SCAN.sha256
KEY = (SHA, 0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "p.fada"


@pytest.fixture
def anna(path):
    with Project.open(path, rater="Anna") as made:
        made.add_scan(SCAN)
        yield made


def lv(x: float = 20.0) -> Annotation:
    return box("LV", x, source="expert")


def moved(record: Annotation, by: float) -> Annotation:
    return dataclasses.replace(record, points=tuple((x + by, y) for x, y in record.points))


def lefts(project, frame=0):
    return sorted(min(x for x, _ in a.points) for a in project.annotations(SHA, frame))


# Models, imports, merges


def test_what_a_model_said_first_is_no_step(anna):
    anna.save_reading(make_reading(SCAN))
    assert anna.undo(*KEY) is None
    assert anna.others_last(*KEY) is None
    assert len(anna.annotations(*KEY)) == 2
    anna.edit(*KEY, add=[lv()])
    assert anna.undo(*KEY).label == "LV drawn"
    assert anna.undo(*KEY) is None


def test_another_reading_is_a_step_only_if_a_person_asked_for_it(anna):
    anna.save_reading(make_reading(SCAN))
    first = anna.annotations(*KEY)
    anna.save_reading(make_reading(SCAN, polygon("Head")), show="replace")  # a batch
    assert anna.undo(*KEY) is None
    anna.save_reading(make_reading(SCAN, polygon("CM")), show="replace", again=True)
    assert [a.category for a in anna.annotations(*KEY)] == ["CM"]
    assert anna.undo(*KEY).label == "fada-mini read the frame"
    assert [a.category for a in anna.annotations(*KEY)] == ["Head"]
    assert first


def test_a_reading_in_place_of_an_experts_work_can_be_taken_back(anna):
    anna.edit(*KEY, add=[lv()])
    reading = anna.save_reading(make_reading(SCAN), show="no")
    anna.replace_proposals(*KEY, reading, keep_expert=False)
    assert [a.category for a in anna.annotations(*KEY)] == ["Brain", "CSP"]
    assert anna.undo(*KEY).label == "Proposals replaced"
    assert [a.category for a in anna.annotations(*KEY)] == ["LV"]


def test_a_reading_that_comes_in_between_does_not_end_redo(anna):
    anna.edit(*KEY, add=[lv()])
    anna.undo(*KEY)
    anna.save_reading(make_reading(SCAN))
    assert anna.redo(*KEY).label == "LV drawn"


def test_an_import_is_no_step_and_ends_nothing(anna):
    anna.edit(*KEY, add=[lv()])
    with anna.together("Imported from masks", made_by="import"):
        anna.edit(*KEY, add=[box("CM", 60, source="import", status="accepted")])
    assert anna.undo(*KEY).label == "LV drawn"
    assert anna.undo(*KEY) is None
    assert [a.category for a in anna.annotations(*KEY)] == ["CM"]


@pytest.fixture
def merged(anna, path, tmp_path):
    """Anna and Ben on one scan: a box 15 pixels apart, which is a conflict."""
    anna.close()
    other = tmp_path / "ben.fada"
    shutil.copy(path, other)
    for file, name, x in ((path, "Anna", 20.0), (other, "Ben", 35.0)):
        with Project.open(file, rater=name) as project:
            project.edit(*KEY, add=[lv(x)])
            review.finish(project, *KEY)
    out = tmp_path / "both.fada"
    list(merge_projects(path, other, out, rater="Anna"))
    with Project.open(out, rater="Anna") as project:
        yield project


def test_a_merge_is_no_step_nor_is_what_lies_behind_it(merged):
    before = open_conflicts(merged)
    assert len(before) == 1
    assert merged.undo(*KEY) is None  # her own work before the merge, too
    assert merged.redo(*KEY) is None
    assert merged.others_last(*KEY) is None
    assert open_conflicts(merged) == before
    assert decided_conflicts(merged) == []


def test_a_decision_is_undone_and_the_merge_stays(merged):
    (conflict,) = open_conflicts(merged)
    resolve(merged, conflict, "b")
    assert lefts(merged) == [35]
    assert merged.undo(*KEY).label == "Conflict decided: LV as Ben has it"
    assert open_conflicts(merged) == [conflict]
    assert merged.undo(*KEY) is None
    assert open_conflicts(merged) == [conflict]


# Other raters, other windows


def test_what_another_rater_changed_is_not_taken_back_unasked(anna, path):
    anna.edit(*KEY, add=[lv(20)], label="head drawn")
    with Project.open(path, rater="Ben") as ben:
        (record,) = ben.annotations(*KEY)
        ben.edit(*KEY, replace={record.uid: moved(record, 9)}, label="head moved")
    assert anna.undo(*KEY) is None
    assert lefts(anna) == [29]
    found = anna.others_last(*KEY)
    assert (found.rater, found.label) == ("Ben", "head moved")
    assert anna.undo(*KEY, act=found.act).label == "head moved"
    assert lefts(anna) == [20]
    assert anna.undo(*KEY).label == "head drawn"  # now hers is the last


def test_ones_own_act_goes_where_it_does_not_touch_what_another_did(anna, path):
    anna.edit(*KEY, add=[lv(20)], label="hers")
    with Project.open(path, rater="Ben") as ben:
        ben.edit(*KEY, add=[lv(60)], label="his")
    assert anna.undo(*KEY).label == "hers"
    assert lefts(anna) == [60]
    assert anna.undo(*KEY) is None
    assert anna.others_last(*KEY).rater == "Ben"
    assert anna.redo(*KEY).label == "hers"
    assert lefts(anna) == [20, 60]


def test_an_older_act_does_not_go_in_place_of_one_that_others_changed(anna, path):
    anna.edit(*KEY, add=[lv(80)], label="older")
    (head,) = anna.edit(*KEY, add=[lv(20)], label="head").added
    with Project.open(path, rater="Ben") as ben:
        ben.edit(*KEY, replace={head.uid: moved(head, 9)}, label="head moved")
    assert anna.undo(*KEY) is None
    assert lefts(anna) == [29, 80]


@pytest.mark.parametrize("name", ["Anna", ""])
def test_another_window_at_the_same_time_is_another_even_of_the_same_name(path, name):
    with Project.open(path, rater=name) as one, Project.open(path, rater=name) as two:
        one.add_scan(SCAN)
        two.edit(*KEY, add=[lv()])
        assert one.undo(*KEY) is None
        assert one.others_last(*KEY).label == "LV drawn"
        assert two.undo(*KEY).label == "LV drawn"
        assert one.redo(*KEY) is None  # nor is what the other one undid its own
        assert two.redo(*KEY).label == "LV drawn"


@pytest.mark.parametrize("name", ["Anna", ""])
def test_undo_goes_on_after_the_program_was_started_again(path, name):
    with Project.open(path, rater=name) as one:
        one.add_scan(SCAN)
        one.edit(*KEY, add=[lv()])
    with Project.open(path, rater="Ben") as ben:
        assert ben.undo(*KEY) is None
        assert ben.others_last(*KEY).rater == name
    with Project.open(path, rater=name) as again:
        assert again.undo(*KEY).label == "LV drawn"
        assert again.redo(*KEY).label == "LV drawn"


def test_edits_from_before_the_name_was_given_are_ones_own(path):
    with Project.open(path) as project:
        project.add_scan(SCAN)
        project.edit(*KEY, add=[lv()])
        project.rater = "Anna"
        assert project.undo(*KEY).label == "LV drawn"
        project.redo(*KEY)
        project.rater = "Ben"  # another person at the same window
        assert project.redo(*KEY) is None
        project.edit(*KEY, add=[lv(70)])
        project.rater = "Anna"
        assert project.others_last(*KEY).rater == "Ben"


# What one key made


def carried(events):
    *_, end = events
    return end


def filled(project):
    return [f for f in range(30) if project.annotations(SHA, f)]


@pytest.mark.parametrize("at", [0, 7, 20, 25])
def test_interpolation_is_one_step_on_any_frame(anna, at):
    anna.edit(SHA, 0, add=[lv(20)])
    anna.edit(SHA, 20, add=[lv(60)])
    carried(carry.interpolate(anna, SHA, [(0, 20)]))
    assert filled(anna) == list(range(21))
    step = anna.undo(SHA, at)
    assert step.frames == tuple(range(1, 20))
    assert filled(anna) == [0, 20]
    assert anna.redo(SHA, at).frames == tuple(range(1, 20))
    assert lefts(anna, 10) == [40]
    assert anna.check() == []


def test_what_was_broken_off_is_one_step_too(anna):
    anna.edit(SHA, 0, add=[lv()])
    stop = threading.Event()
    for event in carry.copy(anna, SHA, 0, range(1, 20), cancel=stop):
        if isinstance(event, carry.Step) and event.number == 5:
            stop.set()
    assert filled(anna) == [0, 1, 2, 3, 4, 5]
    assert anna.undo(SHA, 3).frames == (1, 2, 3, 4, 5)


def test_edits_made_while_it_goes_on_are_no_part_of_it(anna, path):
    anna.edit(SHA, 0, add=[lv()], label="first")
    with Project.open(path, rater="Ben") as ben:
        for event in carry.copy(anna, SHA, 0, [1, 2, 3]):
            if isinstance(event, carry.Step):
                anna.edit(SHA, 10 + event.number, add=[lv(70)], label=f"hers {event.number}")
                ben.edit(SHA, 20 + event.number, add=[lv(90)], label="his")
    assert anna.undo(SHA, 0).frames == (1, 2, 3)
    assert filled(anna) == [0, 11, 12, 13, 21, 22, 23]
    assert anna.undo(SHA, 11).label == "hers 1"
    lines = {line.text: line for line in anna.lines(SHA)}
    assert lines["copied from frame 1"].frames == (1, 2, 3)
    assert lines["copied from frame 1"].undone
    assert not lines["hers 2"].undone


def test_a_frame_that_was_changed_or_locked_since_stays_and_is_named(anna, path):
    anna.edit(SHA, 0, add=[lv()])
    carried(carry.copy(anna, SHA, 0, [1, 2, 3, 4]))
    with Project.open(path, rater="Ben") as ben:
        (copied,) = ben.annotations(SHA, 2)
        ben.edit(SHA, 2, replace={copied.uid: moved(copied, 5)})
    (locked,) = anna.annotations(SHA, 4)
    anna.set_state(SHA, 4, {f"lock/{locked.uid}": "1"})
    assert anna.undo(SHA, 0).label == "copied from frame 1 (not on frame 3, 5: changed since)"
    assert filled(anna) == [0, 2, 4]
    assert lefts(anna, 2) == [25]


def test_accepting_what_is_locked_can_be_taken_back(anna):
    """The lock goes back with its record; only what was locked afterwards stands in the way."""
    anna.save_reading(make_reading(SCAN, polygon()))
    (proposed,) = anna.annotations(*KEY)
    review.set_locked(anna, *KEY, [proposed.uid], locked=True)
    review.accept(anna, *KEY, [proposed.uid])
    assert anna.undo(*KEY) is not None
    assert anna.annotations(*KEY) == [proposed]
    assert review.frame_review(anna, *KEY).locked == {proposed.uid}


def test_pages_of_the_history_miss_no_line_between_the_parts_of_an_act(anna):
    anna.edit(SHA, 0, add=[lv()], label="first")
    for event in carry.copy(anna, SHA, 0, range(1, 7)):
        if isinstance(event, carry.Step):
            anna.edit(SHA, 20, add=[lv(70)], label=f"own {event.number}")
    whole = [line.text for line in anna.lines(SHA)]
    assert whole == [*(f"own {n}" for n in range(6, 0, -1)), "copied from frame 1", "first"]
    paged: list[str] = []
    before = None
    while found := anna.lines(SHA, before=before, limit=2):
        paged += [line.text for line in found]
        before = found[-1].first
    assert paged == whole
    assert [line.text for line in anna.lines(SHA, frame=3)] == ["copied from frame 1"]


# Older files


def test_acts_merges_and_runs_of_older_files_are_known(merged, tmp_path, monkeypatch):
    with merged.together("Copied to 2 frames"):
        for frame in (1, 2):
            merged.edit(SHA, frame, add=[lv()])
    merged.save_reading(make_reading(SCAN, frame=5))
    old = tmp_path / "old.fada"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:6])
        Project.open(old).close()
    present = merged.path
    merged.close()
    with closing(sqlite3.connect(old)) as c:
        c.execute("ATTACH ? AS present", (str(present),))
        c.execute("DELETE FROM meta")
        for table in ("meta", "scans", "readings", "records", "edits", "changes", "cells"):
            known = ", ".join(f'"{r[1]}"' for r in c.execute(f"PRAGMA main.table_info({table})"))
            c.execute(f"INSERT INTO main.{table} ({known}) SELECT {known} FROM present.{table}")
        c.execute(
            "INSERT INTO acts SELECT p.act, max(p.edit), a.label FROM present.parts p "
            "JOIN present.acts a ON a.first = p.act GROUP BY p.act"
        )
        c.commit()
    with Project.open(old, rater="Anna") as project:
        assert json.loads(project.mark("merge"))["a"] == "p"
        assert project.undo(SHA, 0).frames == (1, 2)
        assert project.undo(SHA, 0) is None
        assert project.undo(SHA, 5) is None
        assert len(open_conflicts(project)) == 1
        assert project.state(SHA, WHOLE)["review"] == "in_review"
        assert project.check() == []


# What somebody has signed since


def test_what_another_rater_has_signed_is_not_taken_out_beneath_the_signature(anna, path):
    anna.edit(*KEY, add=[lv(20)])
    anna.edit(*KEY, add=[lv(70)])
    anna.set_report(*KEY, fields={"image_quality": "good"})
    with Project.open(path, rater="Ben") as ben:
        review.finish(ben, *KEY)
    for _ in range(2):
        assert anna.undo(*KEY) is None
    assert (lefts(anna), anna.state(*KEY)["review"]) == ([20, 70], "corrected")
    assert anna.report(*KEY).fields["image_quality"] == "good"
    last = anna.others_last(*KEY)
    assert (last.rater, last.label) == ("Ben", "Scan finished: corrected")
    anna.undo(*KEY, act=last.act)
    anna.undo(*KEY)
    assert anna.undo(*KEY).label == "LV drawn"
    assert (lefts(anna), anna.state(*KEY)["review"]) == ([20], "in_review")
    assert anna.check() == []


def test_a_comment_is_taken_back_after_another_rater_has_signed(anna, path):
    anna.edit(*KEY, add=[lv()])
    review.set_comment(anna, *KEY, "hm")
    with Project.open(path, rater="Ben") as ben:
        review.finish(ben, *KEY)
    assert anna.undo(*KEY).label == "Comment: hm"
    assert (lefts(anna), anna.state(*KEY)["review"]) == ([20], "corrected")


def test_a_scan_that_others_have_worked_on_stays_in_review(anna, path):
    anna.edit(*KEY, add=[lv(20)])
    with Project.open(path, rater="Ben") as ben:
        ben.edit(*KEY, add=[lv(70)])
    assert anna.undo(*KEY).label == "LV drawn"
    assert (lefts(anna), review.scan_review(anna, SHA).state) == ([70], "in_review")


def test_undoing_the_end_of_a_review_opens_the_frame_whatever_was_said_since(anna, path):
    anna.save_reading(make_reading(SCAN))
    review.finish(anna, *KEY)
    with Project.open(path, rater="Ben") as ben:
        review.set_comment(ben, *KEY, "hm")
    assert anna.undo(*KEY).label.startswith("Scan finished: accepted")
    assert {a.status for a in anna.annotations(*KEY)} == {"proposed"}
    assert anna.state(*KEY)["review"] == "in_review"
    assert review.scan_review(anna, SHA).state == "in_review"


def test_a_review_that_another_rater_has_closed_since_is_not_opened(anna, path):
    anna.edit(*KEY, add=[lv(20)])
    review.finish(anna, *KEY)
    with Project.open(path, rater="Ben") as ben:
        ben.edit(*KEY, add=[lv(70)])
        review.finish(ben, *KEY)
    assert anna.undo(*KEY) is None
    assert review.scan_review(anna, SHA).state == "corrected"
    assert anna.others_last(*KEY).rater == "Ben"
