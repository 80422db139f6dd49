"""Opening the files of a worklist: resumable, cancellable, and nothing stops it or gets lost."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from tests.test_batch import picture

from napari_fada.errors import ScanError
from napari_fada.indexing import Indexed, IndexFailed, IndexFinished, index_files
from napari_fada.records.project import WHOLE, Project
from napari_fada.records.worklist import Filter, Worklist
from napari_fada.scans import open_scan
from napari_fada.scans import thumbnails as pictures


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def project(tmp_path):
    with Project.open(tmp_path / "p.fada", rater="Anna") as opened:
        yield opened
        assert opened.check() == []


@pytest.fixture
def worklist(project):
    return Worklist(project)


@pytest.fixture
def folder(tmp_path):
    for k in range(4):
        picture(tmp_path / "scans" / f"{k}.png", k)
    return tmp_path / "scans"


def run(worklist, **options):
    *events, end = index_files(worklist, **options)
    assert isinstance(end, IndexFinished)
    return events, end


def totals(end):
    return end.indexed, end.unchanged, end.failed, end.moved, end.copies


def test_every_file_is_opened_once(worklist, folder, monkeypatch):
    worklist.add([folder])
    events, end = run(worklist)
    assert totals(end) == (4, 0, 0, 0, 0)
    assert [(e.done, e.total) for e in events] == [(k, 4) for k in range(1, 5)]
    for item in worklist.items():
        scan = open_scan(item.path)
        assert (item.sha256, item.n_frames) == (scan.sha256, 1)
        assert pictures.thumbnail_path(item.sha256).exists()
    monkeypatch.setattr("napari_fada.indexing.open_scan", None)  # would raise if it were called
    assert totals(run(worklist)[1]) == (0, 4, 0, 0, 0)


def test_what_changed_on_the_disk_is_opened_again(worklist, folder):
    worklist.add([folder])
    run(worklist)
    item = worklist.items()[1]
    picture(item.path, 77)
    os.utime(item.path, (1, 1))
    assert totals(run(worklist)[1]) == (1, 3, 0, 0, 0)
    assert worklist.item(item.id).sha256 == open_scan(item.path).sha256 != item.sha256


def test_records_of_a_file_that_was_replaced_stay_and_come_back_with_it(
    worklist, folder, project, tmp_path
):
    worklist.add([folder])
    run(worklist)
    item = worklist.items()[1]
    project.set_state(item.sha256, WHOLE, {"review": "accepted"})
    item.path.rename(tmp_path / "kept.png")
    picture(item.path, 77)
    run(worklist)
    old, new = worklist.item(item.id), worklist.items()[-1]
    assert (old.sha256, old.state, old.path) == (item.sha256, "accepted", None)
    assert "holds another picture" in old.problem
    assert (new.path, new.state) == (item.path, "new")
    worklist.add([tmp_path / "kept.png"])
    (event,), end = run(worklist)
    assert totals(end)[:2] == (1, 4)
    assert (event.item.id, event.item.path) == (item.id, tmp_path / "kept.png")
    assert (event.item.problem, event.item.state) == ("", "accepted")


def test_a_moved_scan_keeps_its_row_and_its_records(worklist, folder, project, tmp_path):
    worklist.add([folder])
    run(worklist)
    item = worklist.items()[2]
    project.set_state(item.sha256, WHOLE, {"review": "accepted"})
    place = tmp_path / "elsewhere" / "renamed.png"
    place.parent.mkdir()
    item.path.rename(place)
    worklist.add([folder, place.parent])
    assert worklist.count() == 5
    events, end = run(worklist)
    assert totals(end) == (1, 4, 0, 1, 0)
    (event,) = events
    assert (event.moved_from, event.item.path) == (item.path, place)
    assert event.gone is not None
    assert worklist.item(event.gone) is None
    found = worklist.item(item.id)
    assert (found.name, found.state, found.problem) == ("renamed.png", "accepted", "")
    assert worklist.count() == 4


def test_many_moved_scans(worklist, tmp_path):
    """More than are written at one stroke: the old places come up after the new ones are kept."""
    for k in range(80):
        picture(tmp_path / "a" / f"{k}.png", k)
    worklist.add([tmp_path / "a"])
    run(worklist)
    before = {item.id: item.sha256 for item in worklist.items()}
    (tmp_path / "a").rename(tmp_path / "b")
    worklist.add([tmp_path / "b"])
    assert totals(run(worklist)[1]) == (80, 80, 0, 80, 0)
    assert {item.id: item.sha256 for item in worklist.items()} == before
    assert not worklist.items(Filter(problems=True))


def test_two_files_with_the_same_bytes_are_told(worklist, folder, project, tmp_path):
    worklist.add([folder])
    run(worklist)
    first = worklist.items()[0]
    copy = tmp_path / "copy.png"
    copy.write_bytes(first.path.read_bytes())
    link = tmp_path / "link.png"
    link.symlink_to(first.path)
    worklist.add([copy, link])
    events, end = run(worklist)
    assert totals(end) == (2, 4, 0, 0, 2)
    assert [event.item.copy_of for event in events] == [first.id, first.id]
    assert [item.name for item in worklist.copies()] == ["copy.png", "link.png"]
    project.set_state(first.sha256, WHOLE, {"review": "accepted"})
    assert [item.state for item in worklist.copies()] == ["accepted", "accepted"]
    assert worklist.of_scan(first.sha256) == worklist.item(first.id)
    # One scan waits once.
    project.undo(first.sha256, WHOLE)
    last = worklist.items()[3]
    assert worklist.next(last.id).id == first.id


def test_what_cannot_be_opened_is_told_and_does_not_stop_the_rest(worklist, folder, tmp_path):
    (folder / "0a-text.png").write_text("no picture")
    (folder / "0b-empty.png").write_bytes(b"")
    cut = (folder / "0.png").read_bytes()
    (folder / "0c-cut.png").write_bytes(cut[: len(cut) // 2])
    worklist.add([folder, tmp_path / "vanished.png"])
    events, end = run(worklist)
    assert (end.indexed, end.failed) == (4, 4)
    failed = {e.path.name: e.error for e in events if isinstance(e, IndexFailed)}
    assert all(isinstance(error, ScanError) and error.todo for error in failed.values())
    for item in worklist.items():
        assert item.problem == str(failed.get(item.name, ""))
    assert "is not there" in str(failed["vanished.png"])
    walked = {worklist.next(item.id).name for item in worklist.items()}
    assert walked == {"0.png", "1.png", "2.png", "3.png"}
    # Mended files are found without being listed again.
    picture(tmp_path / "vanished.png", 5)
    assert totals(run(worklist)[1])[:3] == (1, 4, 3)


def test_a_file_that_vanishes_keeps_its_records_and_says_so(worklist, folder, project):
    worklist.add([folder])
    run(worklist)
    item = worklist.items()[0]
    project.set_state(item.sha256, WHOLE, {"comment": "mine"})
    data = item.path.read_bytes()
    item.path.unlink()
    (event,), _ = run(worklist)
    assert isinstance(event, IndexFailed)
    gone = worklist.item(item.id)
    assert "is not there" in gone.problem
    assert (gone.sha256, gone.comment) == (item.sha256, "mine")
    item.path.write_bytes(data)
    run(worklist)
    assert worklist.item(item.id).problem == ""


def test_stopped_work_is_kept_and_goes_on(worklist, tmp_path):
    for k in range(60):
        picture(tmp_path / "many" / f"{k}.png", k)
    worklist.add([tmp_path / "many"])
    cancel = threading.Event()
    opened = 0
    for event in index_files(worklist, cancel=cancel):
        if isinstance(event, Indexed):
            opened += 1
            cancel.set()
        else:
            assert event.cancelled
    assert 0 < opened < 60
    assert sum(item.sha256 is not None for item in worklist.items()) == opened
    assert totals(run(worklist)[1])[:2] == (60 - opened, opened)


def test_an_abandoned_run_leaves_the_project_usable(worklist, folder, project):
    worklist.add([folder])
    events = index_files(worklist)
    next(events)
    events.close()
    project.set_state(worklist.items()[0].sha256, WHOLE, {"comment": "on"})
    assert sum(totals(run(worklist)[1])[:2]) == 4
    assert all(item.sha256 for item in worklist.items())


def test_an_unreadable_folder_has_a_row_that_says_so(worklist, folder, monkeypatch):
    locked = folder / "locked"
    picture(locked / "a.png", 9)
    listing = Path.iterdir

    def iterdir(path):
        if path == locked:
            raise PermissionError(13, "no")
        return listing(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", iterdir)
        assert worklist.add([folder]) == 5
    (item,) = worklist.items(Filter(problems=True))
    assert (item.name, "may not be read" in item.problem) == ("locked", True)
    _, end = run(worklist)
    assert (end.indexed, end.failed) == (4, 1)
    assert worklist.add([folder]) == 1
    assert not worklist.items(Filter(problems=True))


def test_a_name_that_is_no_text_is_told(worklist, folder):
    strange = os.fsencode(folder) + b"/\xff\xfe.png"
    try:
        Path(os.fsdecode(strange)).write_bytes((folder / "0.png").read_bytes())
    except OSError:
        pytest.skip("this drive keeps no such names")
    assert worklist.add([folder]) == 5
    assert worklist.add([folder]) == 0
    for _ in range(2):
        assert "name that is no text" in worklist.items(Filter(problems=True))[0].problem
        assert run(worklist)[1].failed == 1


def test_a_full_drive_costs_the_pictures_only(worklist, folder, tmp_path):
    (tmp_path / "cache").write_text("no folder")
    worklist.add([folder])
    assert totals(run(worklist)[1]) == (4, 0, 0, 0, 0)


def test_the_pictures_are_bounded_and_the_oldest_go_first(folder):
    scans = [open_scan(path) for path in sorted(folder.iterdir())]
    for age, scan in enumerate(scans):
        assert pictures.make_thumbnail(scan)
        os.utime(pictures.thumbnail_path(scan.sha256), (age, age))
    assert pictures.made() == {scan.sha256 for scan in scans}
    assert pictures.trim(2 * 4096) == 2
    assert pictures.made() == {scan.sha256 for scan in scans[2:]}
    assert pictures.trim() == 0


def test_a_dropped_picture_is_made_again(worklist, folder):
    worklist.add([folder])
    run(worklist)
    path = pictures.thumbnail_path(worklist.items()[0].sha256)
    path.unlink()
    assert totals(run(worklist)[1])[:2] == (1, 3)
    assert path.exists()
