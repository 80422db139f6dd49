"""What is said to be kept is kept: kills, full disks, read-only, damaged and shared files."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from napari_fada.errors import ProjectError
from napari_fada.records import schema
from napari_fada.records.project import Project
from napari_fada.records.worklist import Worklist
from record_samples import box, make_reading, make_scan

SCAN = make_scan()
KEY = (SCAN.sha256, 0)
WRITER = Path(__file__).with_name("writer.py")
KILLS = 32


@pytest.fixture
def path(tmp_path):
    """Make a project with one scan and two edits, and close it."""
    file = tmp_path / "p.fada"
    with Project.open(file) as project:
        project.add_scan(SCAN)
        project.save_reading(make_reading(SCAN))
        project.edit(*KEY, add=[box("LV", source="expert")])
    return file


def start_writer(path):
    return subprocess.Popen(
        [sys.executable, str(WRITER), str(path), SCAN.sha256], stdout=subprocess.PIPE, text=True
    )


def acknowledged(lines):
    return [line.split()[1:] for line in lines if line.startswith("done ") and line.endswith("\n")]


def assert_all_there(path, promised):
    with Project.open(path) as project:
        kept = {entry.id: entry for entry in project.history(*KEY)}
        for number, uid in promised:
            assert int(number) in kept
            assert uid == "-" or project.record(uid) is not None
        assert project.check() == []
        # Nothing half done either: the log is without gaps and undo walks all of it.
        assert sorted(kept) == list(range(1, len(kept) + 1))


def test_kill_9_at_any_moment_loses_no_acknowledged_edit(path):
    rng = random.Random(7)
    promised = []
    for _ in range(KILLS):
        writer = start_writer(path)
        lines = [writer.stdout.readline()]
        assert lines[0].startswith("ready")
        lines += [writer.stdout.readline() for _ in range(rng.randint(0, 25))]
        # A short, random wait puts the kill anywhere inside a transaction.
        for _ in range(rng.randint(0, 20_000)):
            pass
        writer.kill()
        lines += writer.stdout.readlines()
        writer.wait()
        promised += acknowledged(lines)
        if _ % 8 == 0:
            assert_all_there(path, promised)
    assert len(promised) > 10 * KILLS
    assert_all_there(path, promised)


def test_two_processes_on_one_file_lose_nothing(path):
    writers = [start_writer(path) for _ in range(2)]
    lines = [w.stdout.readline() for w in writers]
    for writer in writers:
        lines += [writer.stdout.readline() for _ in range(40)]
    # A third window looks on and edits, too; between two that never rest its turn may take long.
    with Project.open(path, timeout=60) as here:
        seen = []
        here.changed.connect(lambda *key: seen.append(key))
        mine = here.edit(*KEY, add=[box(source="expert")]).entry.id
        while int(lines[-1].split()[1]) < mine:  # the pipe holds lines from before
            lines.append(writers[0].stdout.readline())
        assert here.poll() == {KEY}
        assert seen == [KEY, KEY]
    for writer in writers:
        writer.kill()
        lines += writer.stdout.readlines()
        writer.wait()
    assert_all_there(path, acknowledged(lines))
    with Project.open(path) as project:
        raters = {entry.rater for entry in project.history(*KEY)}
    assert len(raters) == 3


def test_two_windows_do_not_overwrite_each_other(path):
    with Project.open(path) as one, Project.open(path) as two:
        uid = one.annotations(*KEY)[0].uid
        one.edit(*KEY, remove=[uid])
        with pytest.raises(ProjectError, match="another window"):
            two.edit(*KEY, remove=[uid])
        assert two.annotations(*KEY) == one.annotations(*KEY)


def test_full_disk_rolls_the_edit_back(path):
    with Project.open(path) as project:
        connection = project._store.connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(ProjectError, match="no space left") as caught:
            edit_until_it_fails(project)
        assert "not made" in caught.value.kept
        before = project.annotations(*KEY)
        assert len(before) == 3 + len([e for e in project.history(*KEY) if e.label == "drawn"])
        assert project.check() == []
        connection.execute("PRAGMA max_page_count = 100000")
        project.edit(*KEY, add=[box(source="expert")])
        assert len(project.annotations(*KEY)) == len(before) + 1


def edit_until_it_fails(project):
    for _ in range(10_000):
        project.edit(*KEY, add=[box(source="expert")], label="drawn")


@pytest.fixture
def small_drive(tmp_path):
    """Mount a drive of 1 MiB, where this user may."""
    folder = tmp_path / "drive"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small drive needs the rights for it")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_drive_that_is_really_full(small_drive):
    with Project.open(small_drive / "p.fada") as project:
        project.add_scan(SCAN)
        with pytest.raises(ProjectError, match="space") as caught:
            edit_until_it_fails(project)
        assert caught.value.todo
        kept = project.annotations(*KEY)
        assert project.check() == []
    with Project.open(small_drive / "p.fada") as again:
        assert again.annotations(*KEY) == kept
        assert len(kept) > 10
    fill(small_drive)
    with pytest.raises(ProjectError, match="space"):
        Project.open(small_drive / "second.fada")
    assert [p.name for p in small_drive.glob("*second*")] == []


def fill(folder):
    with (folder / "filler").open("wb") as file:
        try:
            while True:
                os.write(file.fileno(), b"0" * 4096)
        except OSError:
            pass


def test_a_drive_that_vanishes(small_drive):
    project = Project.open(small_drive / "p.fada")
    project.add_scan(SCAN)
    subprocess.run(["umount", "-l", str(small_drive)], check=True)
    with pytest.raises(ProjectError, match="drive is gone"):
        project.edit(*KEY, add=[box()])
    project.close()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(small_drive)], check=True)


def test_a_file_moved_away_under_an_open_window(path):
    with Project.open(path) as project:
        path.rename(path.with_name("moved.fada"))
        with pytest.raises(ProjectError, match="no longer at"):
            project.edit(*KEY, add=[box()])
        assert len(project.annotations(*KEY)) == 3  # looking still works
        path.write_bytes(b"something else")
        with pytest.raises(ProjectError, match="no longer at"):
            project.undo(*KEY)
    assert path.read_bytes() == b"something else"


@pytest.fixture
def plain_user():
    """Give up the rights of root for a test: root may write to read-only files."""
    if not hasattr(os, "seteuid"):
        pytest.skip("needs POSIX users")
    folder = Path(tempfile.mkdtemp(prefix="fada-test-"))
    folder.chmod(0o755)
    before = os.geteuid()
    user = 65534 if before == 0 else before

    def become():
        for file in (folder, *folder.iterdir()):
            if before == 0:
                os.chown(file, user, -1)
        os.seteuid(user)

    yield folder, become
    os.seteuid(before)
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("read_only", ["file", "folder", "both"])
def test_a_read_only_project_opens_for_looking(path, plain_user, read_only):
    folder, become = plain_user
    file = Path(shutil.copy(path, folder / "p.fada"))
    become()
    if read_only != "folder":
        file.chmod(0o444)
    if read_only != "file":
        folder.chmod(0o555)
    before = file.read_bytes()
    with Project.open(file) as project:
        assert not project.writable
        assert len(project.annotations(*KEY)) == 3
        assert project.report(*KEY).view == "BPD_PLANE"
        for attempt in (
            lambda: project.edit(*KEY, add=[box()]),
            lambda: project.undo(*KEY),
            lambda: project.set_report(*KEY, view="Other"),
            lambda: project.add_scan(SCAN),
        ):
            with pytest.raises(ProjectError, match="read-only"):
                attempt()
        assert len(project.annotations(*KEY)) == 3
    assert file.read_bytes() == before


def test_a_read_only_folder_with_edits_waiting_in_the_log(path, plain_user):
    writer = start_writer(path)
    lines = [writer.stdout.readline() for _ in range(20)]
    writer.kill()
    lines += writer.stdout.readlines()
    writer.wait()
    promised = acknowledged(lines)
    log = path.with_name("p.fada-wal")
    assert log.stat().st_size > 0
    folder, become = plain_user
    for source in (path, log):
        shutil.copy(source, folder)
    become()
    folder.chmod(0o555)
    with Project.open(folder / "p.fada") as project:
        assert not project.writable
        kept = {entry.id for entry in project.history(*KEY)}
    assert {int(number) for number, _ in promised} <= kept
    assert sorted(p.name for p in folder.iterdir()) == ["p.fada", "p.fada-wal"]


def other_database(file):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE meta (name TEXT, value BLOB)")
        connection.execute("PRAGMA user_version = 1")


@pytest.mark.parametrize(
    "make",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(random.Random(1).randbytes(50_000)),
        lambda file: file.write_bytes(b"SQLite format 3\0" + b"x" * 20),
        lambda file: file.write_text('{"schema": "fada-reading/1"}'),
        other_database,
    ],
    ids=["empty", "random", "cut off", "json", "other database"],
)
def test_a_file_that_is_no_project_is_refused_and_left_alone(tmp_path, make):
    file = tmp_path / "p.fada"
    make(file)
    before = file.read_bytes()
    with pytest.raises(ProjectError, match="not a napari-fada project") as caught:
        Project.open(file)
    assert caught.value.kept == "The file was not touched."
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_is_no_project(tmp_path):
    with pytest.raises(ProjectError, match="cannot be read"):
        Project.open(tmp_path)


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_project_is_refused_or_says_so_and_is_never_written(path, seed):
    data = bytearray(path.read_bytes())
    rng = random.Random(seed)
    start = rng.randrange(4096, len(data) - 4096, 4096)  # whole pages behind the first
    data[start : start + 4096] = rng.randbytes(4096)
    path.write_bytes(data)
    with pytest.raises(ProjectError, match="damaged") as caught:
        Project.open(path)
    assert caught.value.todo
    assert path.read_bytes() == bytes(data)


def test_a_truncated_project_is_refused(path):
    data = path.read_bytes()[:-9000]
    path.write_bytes(data)
    with pytest.raises(ProjectError, match="damaged"):
        Project.open(path)
    assert path.read_bytes() == data


def test_a_newer_version_is_refused(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(ProjectError, match="newer napari-fada"):
        Project.open(path)
    assert path.read_bytes() == before


def test_an_older_version_is_brought_up_and_kept_beside(path, monkeypatch):
    step = "ALTER TABLE scans ADD COLUMN machine TEXT NOT NULL DEFAULT '';"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
    with Project.open(path) as project:
        assert schema.version(project._store.connection) == len(schema.MIGRATIONS)
        assert len(project.annotations(*KEY)) == 3
        assert project.check() == []
    monkeypatch.undo()
    with Project.open(path.with_name(f"p.fada.v{len(schema.MIGRATIONS)}")) as old:
        assert len(old.annotations(*KEY)) == 3


def test_a_failing_migration_changes_nothing(path, monkeypatch):
    step = "ALTER TABLE scans ADD COLUMN machine TEXT; SELECT nonsense;"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
    with pytest.raises(sqlite3.Error):
        Project.open(path)
    monkeypatch.undo()
    with Project.open(path) as project:
        assert schema.version(project._store.connection) == len(schema.MIGRATIONS)
        assert project.check() == []


def test_a_project_locked_by_another_program(path):
    other = sqlite3.connect(path, isolation_level=None)
    with closing(other), Project.open(path, timeout=0.05) as project:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ProjectError, match="locked"):
            project.edit(*KEY, add=[box()])
        assert len(project.annotations(*KEY)) == 3
        other.execute("ROLLBACK")
        project.edit(*KEY, add=[box()])


def test_the_log_refuses_to_be_changed(path):
    with closing(sqlite3.connect(path)) as other:
        for table in ("readings", "records", "edits", "changes"):
            for order in (f"DELETE FROM {table}", f"UPDATE {table} SET rowid = rowid + 1"):
                with pytest.raises(sqlite3.Error):
                    other.execute(order)


def test_check_finds_a_state_that_differs_from_its_history(path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("DELETE FROM cells WHERE name LIKE 'record/%'")
        other.commit()
    with Project.open(path) as project:
        assert ["differs from its history" in p for p in project.check()] == [True]


def test_no_folder_can_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="No project can be made"):
        Project.open(tmp_path / "file" / "p.fada")


def test_a_mistyped_name_makes_no_project_where_none_is_wanted(tmp_path):
    with pytest.raises(ProjectError, match="no project at"):
        Project.open(tmp_path / "studdy.fada", create=False)
    assert list(tmp_path.iterdir()) == []


def version_1(path, tmp_path, monkeypatch):
    """Write the records of a project as version 1 of the file kept them."""
    old = tmp_path / "old.fada"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        patch.setattr(schema.summary, "rebuild", lambda _connection: None)
        patch.setattr(schema.listed, "fill_name_keys", lambda _connection: None)
        Project.open(old).close()
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("ATTACH ? AS present", (str(path),))
        for table in ("scans", "readings", "records", "edits", "changes", "cells"):
            info = connection.execute(f"PRAGMA main.table_info({table})")
            known = ", ".join(f'"{row[1]}"' for row in info)
            connection.execute(
                f"INSERT INTO main.{table} ({known}) SELECT {known} FROM present.{table}"
            )
        connection.commit()
    return old


def test_version_1_gets_a_worklist(path, tmp_path, monkeypatch):
    with Project.open(path) as project:
        expected = Worklist(project).items()
    assert [(i.state, i.classes != ()) for i in expected] == [("in_review", True)]
    with Project.open(version_1(path, tmp_path, monkeypatch)) as project:
        assert Worklist(project).items() == expected
        assert project.check() == []


def test_a_read_only_version_1_shows_its_worklist(path, tmp_path, monkeypatch, plain_user):
    folder, become = plain_user
    old = Path(shutil.copy(version_1(path, tmp_path, monkeypatch), folder / "p.fada"))
    before = old.read_bytes()
    become()
    folder.chmod(0o555)
    with Project.open(old) as project:
        assert not project.writable
        assert len(Worklist(project).items()) == 1
    assert old.read_bytes() == before
    assert list(folder.iterdir()) == [old]


def test_the_log_of_a_deleted_project_does_not_enter_a_new_one(path):
    with Project.open(path) as project:
        for _ in range(3):
            project.edit(*KEY, add=[box("LV", source="expert")])
        log = path.with_name(path.name + "-wal")
        left = log.read_bytes()  # as it is when the program is killed now
    assert left
    path.unlink()  # the user deletes what looks like the whole project
    log.write_bytes(left)
    with Project.open(path) as project:
        assert project.scans() == []
        assert project.check() == []
        assert project.history(*KEY) == []
    (aside,) = path.parent.glob(f"{log.name}.left-*")
    assert aside.read_bytes() == left  # nothing is thrown away
