"""The commands about project files: they print what the core says, and end with the right code."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.test_batch import picture
from typer.testing import CliRunner

from napari_fada.cli import app
from napari_fada.records.project import WHOLE, Project
from napari_fada.records.worklist import Worklist
from record_samples import box, make_reading, make_scan

runner = CliRunner()


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


def call(*arguments, code=0):
    done = runner.invoke(app, ["project", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


def lines(*arguments, code=0):
    return [json.loads(text) for text in call(*arguments, "--json", code=code).splitlines()]


@pytest.fixture
def project(tmp_path):
    return tmp_path / "p.fada"


@pytest.fixture
def reviewed(project, tmp_path):
    """Anna has accepted a.png and given up on b.png; c.png waits with a low score."""
    with Project.open(project, rater="Anna") as opened:
        shas = {}
        for name, score in (("a.png", 0.9), ("b.png", 0.5), ("c.png", 0.1)):
            scan = make_scan(name, path=tmp_path / name)
            opened.add_scan(scan)
            opened.save_reading(make_reading(scan, box(score=score), view=f"{name[0]}-view"))
            shas[name] = scan.sha256
        opened.set_state(shas["a.png"], WHOLE, {"review": "accepted", "comment": "fine [1]"})
        opened.rater = "Ben"
        opened.set_state(shas["b.png"], WHOLE, {"review": "rejected"})
        opened.undo(shas["b.png"], WHOLE)
        opened.redo(shas["b.png"], WHOLE)
    return shas


def test_add_lists_and_opens(tmp_path, project):
    for k in range(2):
        picture(tmp_path / "scans" / f"{k}.png", k)
    found = lines("add", project, tmp_path / "scans")
    assert [e["event"] for e in found] == ["listed", "indexed", "indexed", "finished"]
    assert (found[0]["new"], found[-1]["indexed"]) == (2, 2)
    assert lines("add", project, tmp_path / "scans")[-1]["unchanged"] == 2
    (tmp_path / "scans" / "bad.png").write_text("no [picture]")
    text = call("add", project, tmp_path / "scans", code=1)
    assert "bad.png is no scan" in text
    assert "1 cannot be opened" in text
    (tmp_path / "scans" / "0.png").rename(tmp_path / "scans" / "9.png")
    (tmp_path / "scans" / "twin.png").write_bytes((tmp_path / "scans" / "1.png").read_bytes())
    text = call("add", project, tmp_path / "scans", code=1)
    assert "9.png: moved; it was" in text
    assert "twin.png: the same bytes as" in text


def test_add_may_leave_the_files_closed(tmp_path, project):
    picture(tmp_path / "scans" / "a.png", 1)
    assert "1 new files" in call("add", project, tmp_path / "scans", "--no-index")
    with Project.open(project) as opened:
        assert [item.sha256 for item in Worklist(opened).items()] == [None]


@pytest.mark.usefixtures("reviewed")
@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], ["a.png", "b.png", "c.png"]),
        (["--state", "accepted"], ["a.png"]),
        (["--state", "accepted", "--state", "proposed"], ["a.png", "c.png"]),
        (["--state", "in-review"], []),
        (["--text", "FINE"], ["a.png"]),
        (["--view", "b-view"], ["b.png"]),
        (["--class", "CSP"], ["a.png", "b.png", "c.png"]),
        (["--class", "LV"], []),
        (["--rater", "Ben"], ["b.png"]),
        (["--max-score", "0.5"], ["b.png", "c.png"]),
        (["--problems"], []),
        (["--order", "uncertainty"], ["c.png", "b.png", "a.png"]),
        (["--order", "changed", "--limit", "1"], ["b.png"]),
    ],
)
def test_list(project, options, names):
    assert [item["name"] for item in lines("list", project, *options)] == names
    text = call("list", project, *options)
    assert f"{len(names)} of 3 on the list" in text
    assert all(name in text for name in names)


@pytest.mark.usefixtures("reviewed")
def test_list_shows_texts_as_they_are_and_counts(project):
    assert "fine [1]" in call("list", project)
    assert lines("list", project, "--counts")[0]["rejected"] == 1
    assert "1 accepted" in call("list", project, "--counts", "--rater", "Anna")


@pytest.mark.parametrize(
    "options", [["--state", "done"], ["--order", "size"], ["--limit", "0"]], ids=str
)
def test_list_of_what_there_is_not(project, options):
    call("list", project, *options, code=2)


def test_history(project, reviewed):
    log = lines("history", project)
    assert [e["kind"] for e in log[-3:]] == ["do", "undo", "redo"]
    assert [e["rater"] for e in log[-4:]] == ["Anna", "Ben", "Ben", "Ben"]
    assert log[-4]["changes"] == [
        {"name": "comment", "before": None, "after": "fine [1]"},
        {"name": "review", "before": None, "after": "accepted"},
    ]
    assert {e["scan"] for e in lines("history", project, "--scan", "b.png")} == {"b.png"}
    by_hash = lines("history", project, "--scan", reviewed["b.png"][:10], "--rater", "Ben")
    assert len(by_hash) == 3
    text = call("history", project)
    assert "Ben  b.png  undid: " in text
    assert "c.png frame 1" in text
    assert "is called z.png" in call("history", project, "--scan", "z.png", code=3)


@pytest.mark.usefixtures("reviewed")
def test_check(project, tmp_path):
    assert "is sound: 3 scans" in call("check", project)
    assert lines("check", project)[0]["sound"] is True
    with Project.open(project) as opened:
        opened._store.connection.execute("DELETE FROM cells WHERE name = 'review'")
    assert "differs from its history" in call("check", project, code=1)
    assert lines("check", project, code=1)[0]["sound"] is False
    whole = project.read_bytes()
    project.write_bytes(whole[: len(whole) // 3])
    assert "damaged" in call("check", project, code=1)
    project.write_text("something else")
    assert lines("check", project, code=1)[0]["sound"] is False
    assert project.read_text() == "something else"
    call("check", tmp_path / "none.fada", code=3)
    assert not (tmp_path / "none.fada").exists()


def test_merge(project, reviewed, tmp_path):
    other, out = tmp_path / "other.fada", tmp_path / "out.fada"
    other.write_bytes(project.read_bytes())
    for file, view, category in ((project, "A", "LV"), (other, "B", "CSP")):
        with Project.open(file, rater=view) as opened:
            (csp,) = opened.annotations(reviewed["c.png"], 0)
            new = replace(csp, category=category, status="accepted")
            opened.edit(reviewed["c.png"], 0, replace={csp.uid: new})
            opened.set_report(reviewed["c.png"], 0, view=view)
    text = call("merge", project, other, "--out", out)
    assert "2 conflicts are open: 1 structure, 1 view" in text
    assert "Dice" in text
    with Project.open(out) as merged:
        assert merged.check() == []
    (again,) = lines("merge", project, other, "--out", tmp_path / "again.fada")
    assert (again["scans"], again["both"], len(again["conflicts"])) == (3, 1, 2)
    assert again["agreement"]["view"] == {"cases": 1, "equal": 0.0, "kappa": 0.0}
    assert "There is a file" in call("merge", project, other, "--out", out, code=3)
    call("merge", project, tmp_path / "none.fada", "--out", tmp_path / "x.fada", code=3)
    assert not (tmp_path / "x.fada").exists()


def test_accept_closes_what_waits_and_tells_what_does_not(project, reviewed):
    assert "No scan" in call("accept", project)  # nothing came in from elsewhere
    (found,) = lines("accept", project, "--state", "proposed", "--rater", "Chris")
    assert found == {"accepted": 1, "unseen": 1, "left": {}, "cancelled": False}
    with Project.open(project) as opened:
        records = opened.annotations(reviewed["c.png"])
        assert [(a.status, a.rater) for a in records] == [("accepted", "Chris")]
    assert "not been" not in call("accept", project, "--state", "rejected", code=1)
