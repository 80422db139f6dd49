"""Saving behind the window's back, copies made by themselves, salvage, edits that wait."""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from napari_fada.errors import NotWrittenError, ProjectDamagedError, ProjectError
from napari_fada.records import backups, flushing, review
from napari_fada.records.journal import Journal, folder, left_behind
from napari_fada.records.pending import Pending, WaitingEdit, WaitingReport, WaitingRule
from napari_fada.records.project import WHOLE, Project
from napari_fada.records.salvage import salvage
from record_samples import box, make_reading, make_scan

SCAN = make_scan()
KEY = (SCAN.sha256, 0)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def path(tmp_path):
    """Make a project with a reading and some edits, and close it."""
    file = tmp_path / "p.fada"
    with Project.open(file, rater="Anna") as project:
        project.add_scan(SCAN)
        project.save_reading(make_reading(SCAN))
        for n in range(40):
            project.edit(*KEY, add=[box("LV", x=n, source="expert")])
        project.set_report(*KEY, fields={"image_quality": "good"})
        review.set_comment(project, *KEY, "shadow")
    return file


def wait_for(done):
    turn = threading.Event()
    for _ in range(2000):
        if done():
            return
        turn.wait(0.005)
    raise AssertionError("it did not come to pass")


# Saving


def test_an_edit_does_not_wait_for_a_slow_drive_but_says_so(path, monkeypatch):
    answer, asked, sync = threading.Event(), threading.Event(), flushing.sync

    def slow(log):
        asked.set()
        assert answer.wait(30)
        sync(log)

    monkeypatch.setattr(flushing, "sync", slow)
    with Project.open(path) as project:
        project.flush_soon()
        assert project.unsaved == 0
        project.edit(*KEY, add=[box("CM", source="expert")])
        assert asked.wait(30)
        project.edit(*KEY, add=[box("CSP", source="expert")])  # not held up by the first
        assert project.unsaved == 2
        with Project.open(path) as other:  # committed all the same
            assert len(other.annotations(*KEY)) == 44
        answer.set()
        wait_for(lambda: project.unsaved == 0)
        assert project.saving_problem == ""


def test_a_drive_that_refuses_is_told_and_tried_again(path, monkeypatch):
    broken, sync = [True], flushing.sync

    def failing(log):
        if broken:
            raise OSError(5, "Input/output error")
        sync(log)

    monkeypatch.setattr(flushing, "sync", failing)
    monkeypatch.setattr(flushing, "RETRY_SECONDS", 0.01)
    with Project.open(path) as project:
        project.flush_soon()
        project.edit(*KEY, add=[box("CM", source="expert")])
        wait_for(lambda: project.saving_problem == "Input/output error")
        assert project.unsaved == 1
        broken.clear()
        wait_for(lambda: project.unsaved == 0 and not project.saving_problem)


@pytest.mark.parametrize("slow", [False, True])
def test_the_log_goes_into_the_file_when_nobody_edits(path, monkeypatch, slow):
    monkeypatch.setattr(flushing, "LOG_BYTES", 1)
    monkeypatch.setattr(flushing, "SLOW_SECONDS", -1 if slow else 1000)
    monkeypatch.setattr(flushing, "IDLE_SECONDS", 0.05)

    def in_the_file():
        uri = f"{path.as_uri()}?mode=ro&immutable=1"  # as one finds it who copies the file alone
        with closing(sqlite3.connect(uri, uri=True)) as file:
            return file.execute("SELECT count(*) FROM records").fetchone()[0]

    before = in_the_file()
    with Project.open(path) as project:
        project.flush_soon()
        project.edit(*KEY, add=[box("CM", source="expert")])
        wait_for(lambda: in_the_file() == before + 1)
        project.edit(*KEY, add=[box("CSP", source="expert")])
        assert project.check() == []


SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/syscall.h>
static int count = 0;
int waits_of_main_thread(void) { return count; }
static int wait_(const char *name, int fd) {
    if (syscall(SYS_gettid) == getpid()) count++;
    return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}
int fsync(int fd) { return wait_("fsync", fd); }
int fdatasync(int fd) { return wait_("fdatasync", fd); }
"""

PROGRAM = """
import ctypes, sys
sys.path[:0] = {path!r}
from napari_fada.records.project import Project
from record_samples import box, make_scan
waits = ctypes.CDLL(None).waits_of_main_thread
scan = make_scan()
with Project.open(sys.argv[1]) as project:
    before = waits()
    project.edit(scan.sha256, 0, add=[box("CM", source="expert")])
    print(waits() - before)
    project.flush_soon()
    project.edit(scan.sha256, 0, add=[box("CM", source="expert")])
    before = waits()
    for n in range(400):
        project.edit(scan.sha256, 0, add=[box("CM", x=n, source="expert")])
    print(waits() - before)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("gcc"), reason="needs gcc to watch the system"
)
def test_the_thread_that_edits_never_waits_for_the_drive(path, tmp_path):
    (tmp_path / "shim.c").write_text(SHIM)
    shim = tmp_path / "shim.so"
    build = ["gcc", "-shared", "-fPIC", "-o", str(shim), str(tmp_path / "shim.c"), "-ldl"]
    subprocess.run(build, check=True)
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(path=sys.path), str(path)],
        env={**os.environ, "LD_PRELOAD": str(shim)},
        capture_output=True,
        text=True,
        check=True,
    )
    at_once, soon = map(int, run.stdout.split())
    assert at_once > 0  # the shim sees it
    assert soon == 0


# Copies


def test_one_copy_a_day_and_the_newest_few_are_kept(path):
    start = datetime(2026, 1, 1, 8, tzinfo=UTC)
    assert backups.backups(path) == []
    for day in range(8):
        morning = start + timedelta(days=day)
        assert backups.back_up(path, now=morning).made == morning
        assert backups.back_up(path, now=morning + timedelta(hours=3)) is None
    kept = backups.backups(path)
    assert [b.made for b in kept] == [start + timedelta(days=d) for d in (7, 6, 5, 4, 3)]
    with Project.open(kept[0].path) as copy:
        assert len(copy.annotations(*KEY)) == 42
        assert copy.check() == []


def test_a_copy_is_made_while_somebody_edits(path):
    with Project.open(path) as project:
        project.flush_soon()
        done = project.edit(*KEY, add=[box("CM", source="expert")])
        made = backups.back_up(path)
        with Project.open(made.path) as copy:
            assert copy.record(done.added[0].uid) is not None


def test_a_damaged_project_does_not_push_out_sound_copies(path):
    made = backups.back_up(path, now=datetime(2026, 1, 1, tzinfo=UTC))
    damage(path, seed=3, pages=4)
    with pytest.raises(sqlite3.Error):
        backups.back_up(path, now=datetime(2026, 1, 5, tzinfo=UTC))
    assert backups.backups(path) == [made]
    assert [p for p in made.path.parent.iterdir() if p.name.startswith(".")] == []


# Salvage


def damage(path, seed, pages=1):
    data = bytearray(path.read_bytes())
    rng = random.Random(seed)
    for start in rng.sample(range(4096, len(data) - 4095, 4096), pages):
        data[start : start + 4096] = rng.randbytes(4096)
    path.write_bytes(data)


@pytest.mark.parametrize("seed", range(12))
def test_what_can_be_read_is_saved_into_a_sound_new_file(path, tmp_path, seed):
    with Project.open(path) as project:
        everything = {a.uid for a in project.annotations(*KEY)}
    damage(path, seed)
    before = path.read_bytes()
    with pytest.raises(ProjectDamagedError):
        Project.open(path)
    target = tmp_path / "rescued.fada"
    try:
        *_, done = salvage(path, target)
    except ProjectError:  # the page that says which tables there are
        assert not target.exists()
        assert path.read_bytes() == before
        return
    assert path.read_bytes() == before
    assert "saved into rescued.fada" in done.text
    with Project.open(target) as project:
        assert project.check() == []
        assert project.scan(SCAN.sha256) is not None
        assert {a.uid for a in project.annotations(*KEY)} <= everything
        project.edit(*KEY, add=[box("CM", source="expert")])  # work goes on
        project.undo(*KEY)
        assert project.check() == []


def test_damage_among_the_records_costs_only_what_lay_there(path, tmp_path):
    """Break the page of one record, found by its uid; all the others are saved."""
    with Project.open(path) as project:
        everything = project.annotations(*KEY)
    data = path.read_bytes()
    body = f'"uid":"{everything[20].uid}"'.encode()
    start = data.index(body) // 4096 * 4096
    path.write_bytes(data[:start] + random.Random(1).randbytes(4096) + data[start + 4096 :])
    *_, done = salvage(path, tmp_path / "rescued.fada")
    assert "A part could not be read" in done.text
    with Project.open(tmp_path / "rescued.fada") as project:
        saved = {a.uid for a in project.annotations(*KEY)}
        assert len(saved) >= 25
        assert everything[20].uid not in saved
        assert project.report(*KEY).fields["image_quality"] == "good"
        assert project.check() == []


def test_a_sound_project_is_salvaged_whole(path, tmp_path):
    *_, done = salvage(path, tmp_path / "copy.fada")
    assert done.holes == ()
    with Project.open(path) as old, Project.open(tmp_path / "copy.fada") as new:
        assert new.annotations(*KEY) == old.annotations(*KEY)
        assert new.report(*KEY) == old.report(*KEY)
        assert new.state(SCAN.sha256, WHOLE) == old.state(SCAN.sha256, WHOLE)
        assert new.history() == old.history()
        assert new.check() == []


@pytest.mark.parametrize("doing", ["Reading", "Writing"])
def test_a_salvage_that_is_cancelled_leaves_no_file(path, tmp_path, doing):
    cancel = threading.Event()
    events = []
    for event in salvage(path, tmp_path / "rescued.fada", cancel=cancel):
        events.append(event)
        if getattr(event, "doing", "") == doing:
            cancel.set()
    assert events[-1].cancelled
    assert not list(tmp_path.glob("*rescued*"))


def test_a_copy_that_is_cancelled_leaves_no_file(path, tmp_path):
    cancel = threading.Event()
    cancel.set()
    assert not backups.copy(path, tmp_path / "copy.fada", cancel=cancel)
    assert not (tmp_path / "copy.fada").exists()


# Edits that wait


def test_waiting_edits_are_made_in_their_order_with_new_uids(path):
    with Project.open(path) as project:
        first = project.annotations(*KEY)[0]
        shape = tuple((x + 1, y) for x, y in first.points)
        once = dataclasses.replace(first, uid="1" * 32, points=shape, status="corrected")
        twice = dataclasses.replace(once, uid="2" * 32, category="LV", parent="1" * 32)
        new = box("CM", source="expert", uid="3" * 32)
        pending = Pending()
        pending.add(WaitingEdit(*KEY, replace={first.uid: once}))
        pending.add(WaitingEdit(*KEY, replace={once.uid: twice}))
        pending.add(WaitingEdit(*KEY, add=(new,)))
        pending.add(WaitingEdit(*KEY, remove=(new.uid,)))
        pending.add(WaitingReport(*KEY, {"fields": {"image_quality": "poor"}}))
        before = project.annotations(*KEY)
        shown = pending.over(*KEY, before)
        assert [a.uid for a in shown] == ["2" * 32, *(a.uid for a in before[1:])]
        report = pending.over_report(*KEY, project.report(*KEY))
        assert report.fields["image_quality"] == "poor"
        assert pending.make(project) == []
        assert len(pending) == 0
        made = project.annotations(*KEY)
        assert (made[0].category, made[0].points) == ("LV", shape)
        assert len(made) == len(before)
        assert project.report(*KEY).fields["image_quality"] == "poor"


def test_what_still_cannot_be_written_goes_on_waiting(path):
    pending = Pending()
    with Project.open(path, timeout=0.05) as project:
        pending.add(WaitingEdit(*KEY, add=(box("CM", source="expert"),)))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(NotWrittenError):
                pending.make(project)
            assert len(pending) == 1
            other.execute("ROLLBACK")
        assert pending.make(project) == []
        assert project.annotations(*KEY)[-1].category == "CM"


def test_what_waits_is_in_a_file_until_it_is_made(path):
    with Project.open(path) as project:
        pending = Pending(Journal(project.identifier, path))
        pending.add(WaitingEdit(*KEY, add=(box("CM", source="expert"),)))
        pending.add(WaitingRule(*KEY, "set_score", ("annotation", 2)))
        pending.add(WaitingReport(*KEY, {"fields": {"image_quality": "poor"}, "view": None}))
        assert list(left_behind()) == []  # this window is there
        pending.journal.let_go()
        ((header, kept),) = left_behind()
        assert (header.project, header.path) == (project.identifier, path)
        assert [one for _, one in kept] == pending.waiting
        pending.drop_last()
        pending.journal.let_go()
        assert len(next(left_behind())[1]) == 2
        assert pending.make(project) == []
        assert list(left_behind()) == []


def test_killed_just_after_an_edit_was_made_it_is_not_made_again(path, monkeypatch, tmp_path):
    with Project.open(path) as project:
        pending = Pending(Journal(project.identifier, path))
        for n in range(3):
            pending.add(WaitingEdit(*KEY, add=(box("CM", x=10 * n, source="expert"),)))
        before = len(project.annotations(*KEY))
        made = WaitingEdit.make

        def killed_at_the_third(self, project):
            if len(project.annotations(*KEY)) == before + 2:
                raise KeyboardInterrupt
            return made(self, project)

        monkeypatch.setattr(WaitingEdit, "make", killed_at_the_third)
        monkeypatch.setattr(Journal, "write", lambda *_: None)  # nothing more came to the disk
        with pytest.raises(KeyboardInterrupt):
            pending.make(project)
        monkeypatch.undo()
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        pending.journal.let_go()
        ((header, kept),) = left_behind()
        assert len(kept) == 3
        again = Pending(Journal(header.project, header.path, name=header.name), kept)
        again.forget_made(project)
        assert len(again) == 1
        assert again.make(project) == []
        assert len(project.annotations(*KEY)) == before + 3


def test_a_line_that_was_cut_off_costs_only_itself(path):
    pending = Pending(Journal("p", path))
    pending.add(WaitingRule(*KEY, "set_comment", ("one",)))
    pending.add(WaitingRule(*KEY, "set_comment", ("two",)))
    (file,) = folder().iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    pending.journal.let_go()
    ((_, kept),) = left_behind()
    assert [one.arguments for _, one in kept] == [("one",)]


def test_a_copy_of_a_project_that_was_deleted(path, tmp_path):
    with Project.open(path) as project:
        expected = project.annotations(*KEY)
        path.unlink()
        assert not project.is_present
        project.copy_to(tmp_path / "copy.fada")
        with pytest.raises(ProjectError, match="exists already"):
            project.copy_to(tmp_path / "copy.fada")
    with Project.open(tmp_path / "copy.fada") as copy:
        assert copy.annotations(*KEY) == expected
        assert copy.check() == []
