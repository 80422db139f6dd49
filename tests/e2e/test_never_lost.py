"""When the drive, the file or another window is in the way: nothing is lost, the user is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_fada.records import backups, flushing, salvage
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project
from napari_fada.workstation.settings import settings

CORNERS = [[10, 10], [10, 50], [50, 50], [50, 10]]


def draw(desk, shift=0):
    desk.layer("boxes").add(np.array(CORNERS) + shift, shape_type="rectangle")


def boxes(desk):
    return len(desk.layer("boxes").data)


def button(desk, text):
    return next(b for b in desk.widget.message.buttons if b.text().startswith(text))


def kept_in(path, desk):
    with Project.open(path, create=False) as project:
        assert project.check() == []
        return project.annotations(desk.session.scan.sha256, 0)


def test_a_slow_drive_shows_it_and_holds_nothing_up(desk, qtbot, monkeypatch):
    answer, sync = threading.Event(), flushing.sync

    def slow(log):
        assert answer.wait(60)
        sync(log)

    monkeypatch.setattr(flushing, "sync", slow)
    draw(desk)
    draw(desk, 30)
    assert boxes(desk) == len(desk.kept()) == 2
    saved = desk.widget.saved
    qtbot.waitUntil(lambda: "Saving 2 edits" in saved.text())
    assert "saved" not in saved.text()
    draw(desk, 60)  # the window goes on meanwhile
    qtbot.waitUntil(lambda: "Saving 3 edits" in saved.text())
    answer.set()
    qtbot.waitUntil(lambda: saved.text() == "Every edit is saved.")


def test_a_drive_that_refuses_is_told(desk, qtbot, monkeypatch):
    def failing(_log):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(flushing, "sync", failing)
    draw(desk)
    label = desk.widget.saved
    qtbot.waitUntil(lambda: "1 edit NOT saved: Input/output" in label.text())


def test_a_folder_that_is_gone_and_comes_back(desk, qtbot):
    draw(desk)
    path = desk.session.project.path
    away = path.with_name("away.fada")
    path.rename(away)
    draw(desk, 30)
    draw(desk, 60)
    assert boxes(desk) == 3  # on the canvas, though not in the project
    text = desk.widget.message.text
    assert "no longer at" in text
    assert "2 edits wait" in text
    qtbot.waitUntil(lambda: "2 edits NOT in the project" in desk.widget.saved.text())
    # Whoever finds the file where it is now finds all that was made before.
    assert len(kept_in(shutil.copy(away, away.with_name("found.fada")), desk)) == 1
    button(desk, "Try again").click()  # still gone: asked again, nothing lost
    assert "2 edits wait" in desk.widget.message.text
    away.rename(path)
    button(desk, "Try again").click()
    assert "are in the project now" in desk.widget.message.text
    assert boxes(desk) == len(desk.kept()) == len(kept_in(path, desk)) == 3
    qtbot.waitUntil(lambda: desk.widget.saved.text() == "Every edit is saved.")


def test_a_project_that_was_deleted_is_saved_elsewhere(desk, tmp_path):
    draw(desk)
    desk.session.project.path.unlink()
    draw(desk, 30)
    layer = desk.layer("boxes")
    data = [np.array(v) for v in layer.data]
    data[1] += 7  # an edit of what is only waiting
    layer.data = data
    desk.session.set_report(fields={"image_quality": "poor"})
    assert desk.session.report().fields["image_quality"] == "poor"
    elsewhere = tmp_path / "elsewhere.fada"
    desk.session.safety.ask_where = lambda _suggested: elsewhere
    button(desk, "Save a copy elsewhere").click()
    assert desk.session.project.path == elsewhere
    assert "You work in" in desk.widget.message.text
    assert boxes(desk) == len(desk.kept()) == 2
    assert {a.points[0] for a in kept_in(elsewhere, desk)} == {(10.5, 10.5), (47.5, 47.5)}
    assert desk.session.report().fields["image_quality"] == "poor"
    draw(desk, 60)
    assert len(kept_in(elsewhere, desk)) == 3


def test_waiting_edits_can_be_taken_back_and_given_up(desk):
    path = desk.session.project.path
    path.rename(path.with_name("away.fada"))
    draw(desk)
    draw(desk, 30)
    desk.session.undo()
    assert boxes(desk) == 1
    button(desk, "Give up").click()
    assert boxes(desk) == 0
    assert "given up" in desk.widget.message.text


def test_judgements_wait_too_and_are_shown(desk):
    draw(desk)
    path = desk.session.project.path
    path.rename(path.with_name("away.fada"))
    review = desk.session.reviewing
    review.choose([desk.session.records[0][0].uid])
    review.toggle_lock()
    review.comment("shadow")
    review.score("interpretation", 3)
    assert "3 edits wait" in desk.widget.message.text
    assert review.locked == {desk.session.records[0][0].uid}
    assert review.scan_review().comment == "shadow"
    assert review.scan_review().scores == {"interpretation": 3}
    assert review.frame_review().locked == review.locked
    path.with_name("away.fada").rename(path)
    draw(desk, 30)  # the next edit makes all of them
    assert len(desk.session.safety.pending) == 0
    with Project.open(path) as kept:
        assert kept.state(desk.session.scan.sha256, -1)["comment"] == "shadow"
        assert len(kept.cells_named(desk.session.scan.sha256, "lock/")) == 1
        assert len(kept.annotations(desk.session.scan.sha256, 0)) == 2


def killed_while_edits_wait(path):
    script = Path(__file__).with_name("waiting_viewer.py")
    run = subprocess.Popen(
        [sys.executable, str(script), str(path)], stdout=subprocess.PIPE, text=True
    )
    line = run.stdout.readline()
    run.kill()
    run.wait()
    run.stdout.close()
    assert line == "waits 7\n"


def test_killed_while_edits_wait(desk, tmp_path):
    """The drive is gone, the program is killed, the drive comes back: everything is made, once."""
    path = tmp_path / "drive" / "p.fada"
    path.parent.mkdir()
    killed_while_edits_wait(path)
    assert not path.exists()
    assert desk.session.open_project(tmp_path / "another.fada")
    assert f"Edits wait for another project, {path}" in desk.widget.message.text
    path.with_name("away.fada").rename(path)
    assert desk.session.open_project(path)
    assert "7 edits wait" in desk.widget.message.text
    assert boxes(desk) == 2  # of three one was rejected
    assert len(kept_in(path, desk)) == 2  # not in the project yet
    assert desk.session.report().fields["image_quality"] == "poor"
    button(desk, "Try again").click()
    assert "are in the project now" in desk.widget.message.text
    for _ in range(2):  # and when it is opened again, nothing is made a second time
        review = desk.session.reviewing
        sha256 = desk.session.scan.sha256
        every = desk.session.project.annotations(sha256, 0, include_rejected=True)
        assert sorted((a.points[0][0], a.status) for a in every) == [
            (10.5, "rejected"),
            (50.5, "accepted"),
            (110.5, "accepted"),
        ]
        assert list(review.locked) == [next(a.uid for a in every if a.points[0][0] == 50.5)]
        assert review.scan_review().scores == {"annotation": 2}
        assert review.scan_review().comment == "shadow behind the skull"
        assert desk.session.project.report(sha256, 0).fields["image_quality"] == "poor"
        assert review.frame_review().state == "corrected"
        assert desk.session.open_project(path)
        assert len(desk.session.safety.pending) == 0


def test_another_project_is_opened_while_edits_wait(desk, tmp_path):
    """They are not made in the wrong project, and are there when the right one is back."""
    path = desk.session.project.path
    path.rename(path.with_name("away.fada"))
    draw(desk)
    assert desk.session.open_project(tmp_path / "another.fada")
    assert boxes(desk) == 0
    draw(desk, 30)
    assert len(kept_in(tmp_path / "another.fada", desk)) == 1
    path.with_name("away.fada").rename(path)
    assert desk.session.open_project(path)
    assert "1 edit waits" in desk.widget.message.text
    button(desk, "Try again").click()
    assert [a.points[0] for a in kept_in(path, desk)] == [(10.5, 10.5)]


def test_a_full_disk(desk):
    draw(desk)
    connection = desk.session.project._store.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    for n in range(200):
        draw(desk, n % 40)
        if desk.widget.message.buttons:
            break
    assert "no space left" in desk.widget.message.text
    assert "1 edit waits" in desk.widget.message.text
    shown = boxes(desk)
    assert len(desk.kept()) == shown - 1
    connection.execute("PRAGMA max_page_count = 100000")
    button(desk, "Try again").click()
    assert len(desk.kept()) == boxes(desk) == shown
    assert desk.session.project.check() == []


@pytest.fixture
def small_drive(tmp_path):
    folder = tmp_path / "drive"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small drive needs the rights for it")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], capture_output=True)


def test_a_drive_that_is_really_full_and_then_torn_out(desk, small_drive, tmp_path):
    assert desk.session.open_project(small_drive / "p.fada")
    with (small_drive / "filler").open("wb") as file:
        while True:
            try:
                os.write(file.fileno(), b"0" * 4096)
            except OSError:
                break
    for n in range(100):
        draw(desk, n % 40)
        if desk.widget.message.buttons:
            break
    assert "space" in desk.widget.message.text
    shown = boxes(desk)
    (small_drive / "filler").unlink()
    button(desk, "Try again").click()
    assert len(desk.kept()) == shown
    subprocess.run(["umount", "-l", str(small_drive)], check=True)
    draw(desk, 70)
    assert "no longer at" in desk.widget.message.text
    desk.session.safety.ask_where = lambda _suggested: tmp_path / "copy.fada"
    button(desk, "Save a copy elsewhere").click()
    assert len(kept_in(tmp_path / "copy.fada", desk)) == boxes(desk) == shown + 1


def test_a_read_only_project(desk, tmp_path):
    draw(desk)
    desk.session.project._store.writable = False  # root may write to anything
    draw(desk, 30)
    assert boxes(desk) == 2
    assert "read-only" in desk.widget.message.text
    desk.session.safety.ask_where = lambda _suggested: tmp_path / "copy.fada"
    button(desk, "Save a copy elsewhere").click()
    assert len(kept_in(tmp_path / "copy.fada", desk)) == 2
    assert len(kept_in(tmp_path / "project.fada", desk)) == 1


def test_two_windows_see_each_others_work_and_conflicts_are_refused(open_desk):
    one = open_desk()
    two = open_desk(one.session.image.data)
    draw(one)
    two.widget._look_for_others()
    assert boxes(two) == 1
    layer = one.layer("boxes")
    layer.data = [np.array(layer.data[0]) + 9]
    (mine,) = one.kept()
    # The second window has not looked yet, and moves the same box.
    layer = two.layer("boxes")
    layer.data = [np.array(layer.data[0]) - 3]
    assert "another window" in two.widget.message.text
    assert two.kept() == [mine]
    assert two.layer("boxes").features["uid"].tolist() == [mine.uid]
    assert np.allclose(two.layer("boxes").data[0], one.layer("boxes").data[0])
    draw(two, 60)
    one.widget._look_for_others()
    assert boxes(one) == 2
    assert one.session.project.check() == []


def test_a_scan_that_was_moved_and_renamed(desk, tmp_path):
    first = tmp_path / "first.png"
    Image.fromarray(np.random.default_rng(3).integers(0, 99, (80, 90), np.uint8)).save(first)
    assert desk.session.open_path(first)
    draw(desk)
    sha256 = desk.session.scan.sha256
    (tmp_path / "other folder").mkdir()
    moved = first.rename(tmp_path / "other folder" / "renamed.png")
    desk.session.close_scan()
    assert desk.session.open_path(moved)
    assert desk.session.scan.sha256 == sha256
    assert boxes(desk) == 1
    assert desk.session.project.scan(sha256).path == moved


def damaged(tmp_path, desk):
    path = tmp_path / "study.fada"
    with Project.open(path, rater="ann") as project:
        project.add_scan(desk.session.scan)
        for n in range(40):
            box = Annotation("LV", "box", ((n, 10.0), (n + 40.0, 50.0)), source="expert")
            project.edit(desk.session.scan.sha256, 0, add=[box])
    backups.back_up(path)
    data = path.read_bytes()
    start = data.rindex(b'"class":"LV"') // 4096 * 4096
    path.write_bytes(data[:start] + bytes(4096) + data[start + 4096 :])
    return path


@pytest.mark.parametrize(
    ("choice", "name", "least"),
    [
        ("Save what can be read", "study rescued.fada", 20),
        ("Backup of", "study restored.fada", 40),
        ("New project", "study new.fada", 0),
    ],
)
def test_a_damaged_project_is_refused_with_choices(desk, tmp_path, qtbot, choice, name, least):
    path = damaged(tmp_path, desk)
    before = path.read_bytes()
    mine = desk.session.project.path
    assert not desk.session.open_project(path)
    assert "damaged" in desk.widget.message.text
    assert desk.session.project.path == mine  # the old one stays open
    assert [b.text().split(" of ")[0] for b in desk.widget.message.buttons] == [
        "Save what can be read",
        "Backup",
        "New project",
    ]
    button(desk, choice).click()
    qtbot.waitUntil(lambda: desk.session.project.path == tmp_path / name)
    assert "study.fada was not touched" in desk.widget.message.text
    assert path.read_bytes() == before
    assert desk.session.project.check() == []
    assert least <= len(desk.kept()) <= 40
    draw(desk)
    assert desk.session.project.check() == []


def held(monkeypatch):
    """Hold a salvage after its first step until it is told to go on."""
    go, real = threading.Event(), salvage.salvage

    def slow(*args, **kwargs):
        steps = real(*args, **kwargs)
        yield next(steps)
        assert go.wait(60)
        yield from steps

    monkeypatch.setattr(salvage, "salvage", slow)
    return go


def test_saving_what_can_be_read_shows_progress_and_can_be_cancelled(
    desk, tmp_path, qtbot, monkeypatch
):
    path, go = damaged(tmp_path, desk), held(monkeypatch)
    mine = desk.session.project.path
    desk.session.open_project(path)
    button(desk, "Save what can be read").click()
    qtbot.waitUntil(lambda: "Reading scans" in desk.widget.message.text)
    draw(desk)  # work goes on in the project that is open
    assert len(kept_in(mine, desk)) == 1
    button(desk, "Cancel").click()
    go.set()
    qtbot.waitUntil(lambda: "Cancelled. No file" in desk.widget.message.text)
    assert not list(tmp_path.glob("*rescued*"))
    assert desk.session.project.path == mine


def test_another_project_opened_meanwhile_is_not_taken_away(desk, tmp_path, qtbot, monkeypatch):
    path, go = damaged(tmp_path, desk), held(monkeypatch)
    desk.session.open_project(path)
    button(desk, "Save what can be read").click()
    assert desk.session.open_project(tmp_path / "another.fada")
    go.set()
    qtbot.waitUntil(lambda: "Another project is open" in desk.widget.message.text)
    assert desk.session.project.path == tmp_path / "another.fada"
    button(desk, "Open it").click()
    assert desk.session.project.path == tmp_path / "study rescued.fada"


def test_a_damaged_project_of_last_time_is_offered_at_the_start(desk, tmp_path):
    settings().last_project = str(damaged(tmp_path, desk))
    assert desk.session._last_project() is None
    assert "damaged" in desk.widget.message.text
    assert button(desk, "Save what can be read")


def test_opening_a_project_makes_a_copy_of_it(desk, tmp_path, qtbot):
    path = tmp_path / "study.fada"
    Project.open(path).close()
    assert desk.session.open_project(path)
    qtbot.waitUntil(lambda: len(backups.backups(path)) == 1)
