"""The worklist: what is listed, in which state, in which order, and what comes next."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from napari_fada.errors import ScanError
from napari_fada.records import review
from napari_fada.records.project import WHOLE, Project
from napari_fada.records.worklist import ORDERS, STATES, Filter, Worklist
from record_samples import box, make_reading, make_scan, polygon


@pytest.fixture
def project(tmp_path):
    with Project.open(tmp_path / "p.fada", rater="Anna") as opened:
        yield opened
        assert opened.check() == []


@pytest.fixture
def worklist(project):
    return Worklist(project)


def files(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return [folder / name for name in names]


def opened(project, path: Path, *annotations, view="BPD_PLANE"):
    """Put a scan into the project as opening its file does."""
    scan = make_scan(path.name, path=path)
    project.add_scan(scan)
    if annotations:
        project.save_reading(make_reading(scan, *annotations, view=view))
    return scan.sha256


def names(items) -> list[str]:
    return [item.name for item in items]


def test_a_folder_is_listed_in_natural_order_without_opening(tmp_path, worklist):
    files(tmp_path / "s", "b10.png", "b9.png", "deep/a1.png", "notes.txt", ".hidden.png")
    assert worklist.add([tmp_path / "s"]) == 3
    assert names(worklist.items()) == ["b9.png", "b10.png", "a1.png"]
    item = worklist.items()[0]
    assert (item.state, item.sha256, item.n_frames, item.problem) == ("new", None, 0, "")
    assert item.path == tmp_path / "s" / "b9.png"
    assert worklist.counts() == {**dict.fromkeys(STATES, 0), "new": 3}


def test_what_is_listed_already_is_listed_once(tmp_path, worklist):
    (path,) = files(tmp_path / "s", "a.png")
    assert worklist.add([path]) == 1
    assert worklist.add([path, tmp_path / "s", tmp_path / "s" / ".." / "s" / "a.png"]) == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "# my scans\ns/a.png\n\n  s/b.png  \n"),
        ("list.csv", "patient,file\n1,s/a.png\n2,s/b.png\n"),
        ("list.csv", "File;patient\ns/a.png;1\ns/b.png;2\n"),
        ("list.tsv", "file\tx\ns/a.png\t1\ns/b.png\t2\n"),
        ("list.txt", "\"s/a.png\"\n 's/b.png' \n"),
        ("list.csv", "file\n“s/a.png”\ns/b.png\n"),
    ],
)
def test_a_list_names_files_from_where_it_lies(tmp_path, worklist, name, text):
    files(tmp_path / "s", "a.png", "b.png", "c.png")
    (tmp_path / name).write_text(text, "utf-8-sig")
    assert worklist.add([tmp_path / name]) == 2
    assert names(worklist.items()) == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [("list.csv", "path,x\na.png,1\n", "column called file"), ("no.txt", None, "is not there")],
)
def test_a_list_that_cannot_be_used_says_why(tmp_path, worklist, name, text, says):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ScanError, match=says):
        worklist.add([tmp_path / name])


def test_a_list_of_another_system(tmp_path, worklist):
    """Quotation marks that belong to a name, two-byte text, and names that are no UTF-8."""
    files(tmp_path, "'odd'.png", "é.png")
    (tmp_path / "list.txt").write_text("'odd'.png\n'é.png'\n", "utf-16")
    assert worklist.add([tmp_path / "list.txt"]) == 2
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(b"")
    (tmp_path / "more.txt").write_bytes(b'"caf\xe9.png"\n"' + b"n" * 5000 + b'"\n')
    worklist.add([tmp_path / "more.txt"])
    (problem,) = [i.problem for i in worklist.items() if i.problem]
    assert "name that is no text" in problem


def test_an_empty_folder_has_a_row_that_says_so_until_it_holds_scans(tmp_path, worklist):
    (tmp_path / "s").mkdir()
    worklist.add([tmp_path / "s"])
    (item,) = worklist.items()
    assert "holds no scan" in item.problem
    assert worklist.next(None) is None
    files(tmp_path / "s", "deep/a.png")
    worklist.add([tmp_path / "s"])
    assert names(worklist.items()) == ["a.png"]


def test_every_scan_of_the_project_is_on_the_list(tmp_path, project, worklist):
    sha = opened(project, tmp_path / "a.png")
    assert worklist.of_scan(sha).path == tmp_path / "a.png"
    layer = make_scan("layer")  # pixels of a layer have no file
    project.save_reading(make_reading(layer))
    item = worklist.of_scan(layer.sha256)
    assert (item.path, item.state) == (None, "proposed")
    assert worklist.next(None, Filter(states=frozenset({"proposed"}))) is None


def test_states_follow_the_edits_and_their_undo(tmp_path, project, worklist):
    sha = opened(project, tmp_path / "a.png")
    assert worklist.of_scan(sha).state == "new"
    project.save_reading(make_reading(make_scan("a.png")))
    assert worklist.of_scan(sha).state == "proposed"
    project.set_state(sha, WHOLE, {"review": "accepted", "comment": "good"})
    assert (worklist.of_scan(sha).state, worklist.of_scan(sha).comment) == ("accepted", "good")
    project.undo(sha, WHOLE)
    assert (worklist.of_scan(sha).state, worklist.of_scan(sha).comment) == ("proposed", "")
    assert project.undo(sha, 0) is None  # what the model said is no act of a person
    assert worklist.of_scan(sha).state == "proposed"


def test_what_is_shown_of_a_scan(tmp_path, project, worklist):
    low, high = box("CSP", score=0.25), polygon("Brain", score=0.75)
    sha = opened(project, tmp_path / "a.png", low, high)
    item = worklist.of_scan(sha)
    assert (item.classes, item.score, item.open, item.view) == (
        ("Brain", "CSP"),
        *(0.25, 2, "BPD_PLANE"),
    )
    assert item.rater == ""  # who lets a model run has not worked on the scan
    project.edit(sha, 0, replace={low.uid: dataclasses.replace(low, status="accepted")})
    item = worklist.of_scan(sha)
    assert (item.score, item.open, item.rater) == (0.75, 1, "Anna")
    project.edit(sha, 0, remove=[high.uid])
    item = worklist.of_scan(sha)
    assert (item.classes, item.score, item.open) == (("CSP",), None, 0)
    project.set_report(sha, 0, view="ABDOMEN")
    assert worklist.of_scan(sha).view == "ABDOMEN"
    project.rater = "Ben"
    project.set_state(sha, WHOLE, {"comment": "?"})
    assert worklist.of_scan(sha).rater == "Ben"


@pytest.fixture
def four(tmp_path, project, worklist):
    """B (0.9), a (0.2), d (no proposals, accepted by Ben), c (not opened)."""
    shas = {
        "b": opened(project, tmp_path / "B1.png", box("CSP", score=0.9)),
        "a": opened(project, tmp_path / "a2.png", box("LV", score=0.2), view="ABDOMEN"),
        "d": opened(project, tmp_path / "d.png"),
    }
    worklist.add(files(tmp_path / "Grüße", "c.png"))
    project.rater = "Ben"
    project.set_state(shas["d"], WHOLE, {"review": "accepted", "comment": "Quite 100% clear"})
    return shas


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (Filter(), ["B1.png", "a2.png", "d.png", "c.png"]),
        (Filter(states=frozenset({"new"})), ["c.png"]),
        (Filter(states=frozenset({"new", "accepted"})), ["d.png", "c.png"]),
        (Filter(states=frozenset()), []),
        (Filter(text="b1"), ["B1.png"]),
        (Filter(text="GRÜSSE c.PNG"), ["c.png"]),
        (Filter(text="100% QUITE"), ["d.png"]),
        (Filter(text="b%1"), []),  # plain characters, no wildcards
        (Filter(view="ABDOMEN"), ["a2.png"]),
        (Filter(category="CSP"), ["B1.png"]),
        (Filter(category="CS"), []),
        (Filter(rater="Ben"), ["d.png"]),
        (Filter(rater="Anna"), []),
        (Filter(max_score=0.5), ["a2.png"]),
        (Filter(problems=True), []),
    ],
)
@pytest.mark.usefixtures("four")
def test_filters(worklist, where, found):
    assert names(worklist.items(where)) == found
    assert worklist.count(where) == len(found)


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("added", ["B1.png", "a2.png", "d.png", "c.png"]),
        ("name", ["a2.png", "B1.png", "c.png", "d.png"]),
        ("uncertainty", ["a2.png", "B1.png", "d.png", "c.png"]),
        ("state", ["c.png", "B1.png", "a2.png", "d.png"]),
        ("changed", ["d.png", "a2.png", "B1.png", "c.png"]),
    ],
)
@pytest.mark.usefixtures("four")
def test_orders(worklist, order, found):
    assert order in ORDERS
    assert names(worklist.items(order=order)) == found


@pytest.mark.usefixtures("four")
def test_next_goes_round_what_waits_for_review(worklist):
    rows = {item.name: item.id for item in worklist.items()}
    assert worklist.next(rows["a2.png"]).name == "c.png"  # d is accepted
    assert worklist.next(rows["c.png"]).name == "B1.png"
    assert worklist.next(rows["B1.png"], step=-1).name == "c.png"
    assert worklist.next(None).name == "B1.png"
    assert worklist.next(None, step=-1).name == "c.png"
    assert worklist.next(rows["a2.png"], unreviewed=False).name == "d.png"
    assert worklist.next(rows["c.png"], unreviewed=False) is None
    assert worklist.next(rows["B1.png"], step=-1, unreviewed=False) is None
    assert worklist.next(rows["d.png"], Filter(states=frozenset({"accepted"}))) is None


def test_next_by_uncertainty_goes_on_from_where_the_scan_stood(tmp_path, project, worklist):
    proposals = {f"{k}.png": box(score=k / 10) for k in (1, 3, 5, 7)}
    shas = {name: opened(project, tmp_path / name, a) for name, a in proposals.items()}
    here = worklist.of_scan(shas["3.png"]).id
    accepted = dataclasses.replace(proposals["3.png"], status="accepted")
    project.edit(shas["3.png"], 0, replace={proposals["3.png"].uid: accepted})
    project.set_state(shas["3.png"], WHOLE, {"review": "accepted"})
    assert worklist.next(here, order="uncertainty").name == "5.png"
    assert worklist.next(here, order="uncertainty", step=-1).name == "1.png"
    waiting = Filter(states=frozenset({"proposed"}))
    assert worklist.next(here, waiting, "uncertainty").name == "5.png"


@pytest.mark.usefixtures("four")
def test_the_values_to_filter_by(worklist):
    assert worklist.views() == ("ABDOMEN", "BPD_PLANE")
    assert worklist.categories() == ("CSP", "LV")
    assert worklist.raters() == ("Ben",)


@pytest.mark.usefixtures("four")
def test_rows_are_taken_off_the_list_unless_someone_worked_on_the_scan(worklist):
    rows = {item.name: item.id for item in worklist.items()}
    assert worklist.remove(rows.values()) == 1
    assert names(worklist.items()) == ["B1.png", "a2.png", "d.png"]


def test_check_finds_a_summary_that_differs(tmp_path):
    with Project.open(tmp_path / "q.fada", rater="Anna") as project:
        opened(project, tmp_path / "a.png", box())
        assert project.check() == []
        project._store.connection.execute("UPDATE summaries SET state = 'accepted'")
        assert ["summary" in problem for problem in project.check()] == [True]


def test_the_state_is_the_one_that_review_tells(tmp_path, project, worklist):
    """A report that was imported is something to look at; a frame from which all went is not."""
    sha = opened(project, tmp_path / "a.png")
    assert review.scan_review(project, sha).state == worklist.of_scan(sha).state == "new"
    project.set_report(sha, 1, fields={"image_quality": "good"}, by_person=False)
    assert review.scan_review(project, sha).state == worklist.of_scan(sha).state == "imported"
    project.undo(sha, 1)
    assert review.scan_review(project, sha).state == worklist.of_scan(sha).state == "new"
