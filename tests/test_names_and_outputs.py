"""One odd name costs itself, and what we wrote is never a scan and never overwritten."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_fada.batch import BatchFinished, ScanDone, ScanFailed, ScanSkipped, run_scans
from napari_fada.cli import app
from napari_fada.engines.scripted import ScriptedEngine
from napari_fada.errors import OwnOutputError, ScanError
from napari_fada.exchange.reading_json import read_reading
from napari_fada.records.project import Project
from napari_fada.scans import ScanProblem, iter_files, iter_scans, open_scan
from test_batch import TABLE, picture

NO_TEXT = os.fsdecode(b"caf\xe9")
ODD = {
    "latin": "n" * 251 + ".png",
    "chinese": "胎" * 83 + ".png",
    "emoji": "👶" * 62 + ".png",
    "markup": "[/red]a[bold].png",
    "break": "a\nb.png",
}


def run(paths: list[Path], out: Path | None, **more: object) -> list[object]:
    return list(run_scans(ScriptedEngine(TABLE), paths, out, **more))  # type: ignore[arg-type]


def outputs(events: list[object]) -> list[str]:
    return [e.output.name for e in events if isinstance(e, ScanDone | ScanSkipped) and e.output]


@pytest.mark.parametrize("name", ODD.values(), ids=list(ODD))
def test_a_name_of_any_length_is_read_once(tmp_path: Path, name: str) -> None:
    picture(tmp_path / "in" / name, 1)
    picture(tmp_path / "in" / "zz.png", 2)
    first = run([tmp_path / "in"], tmp_path / "out", overlay=True)
    assert first[-1] == BatchFinished(2, 0, 0, 0, cancelled=False)
    written = {p.name for p in (tmp_path / "out").rglob("*.*")}
    assert len(written) == 4
    assert all(len(os.fsencode(n)) <= 255 for n in written)
    assert [type(e) for e in run([tmp_path / "in"], tmp_path / "out")[:-1]] == [ScanSkipped] * 2


def test_two_long_names_that_begin_alike_have_two_readings(tmp_path: Path) -> None:
    for seed, end in enumerate("ab"):
        picture(tmp_path / "in" / ("n" * 250 + end + ".png"), seed)
    assert len(set(outputs(run([tmp_path / "in"], tmp_path / "out")))) == 2


def test_a_name_that_the_drive_refuses_costs_itself(tmp_path: Path, monkeypatch) -> None:
    replace = Path.replace

    def picky(self: Path, target: Path) -> Path:
        if Path(target).name.startswith("a"):
            raise OSError(22, "Invalid argument")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", picky)
    for seed, name in enumerate(("a.png", "b.png")):
        picture(tmp_path / "in" / name, seed)
    events = run([tmp_path / "in"], tmp_path / "out")
    assert events[-1] == BatchFinished(1, 0, 0, 1, cancelled=False)
    assert "name a" in str(next(e for e in events if isinstance(e, ScanFailed)).error)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["b.fada.json"]


@pytest.mark.parametrize("where", [f"{NO_TEXT}.png", f"{NO_TEXT}/a.png"])
def test_a_name_that_is_no_text_is_told_and_the_rest_is_read(tmp_path: Path, where: str) -> None:
    picture(tmp_path / "in" / where, 1)
    picture(tmp_path / "in" / "zz.png", 2)
    with pytest.raises(ScanError, match="no text"):
        open_scan(tmp_path / "in" / where)
    events = run([tmp_path / "in"], tmp_path / "out")
    assert events[-1] == BatchFinished(1, 0, 0, 1, cancelled=False)
    told = str(next(e for e in events if isinstance(e, ScanFailed)).error)
    assert "no text" in told
    assert told.encode()  # which can be printed


def test_commands_tell_names_that_are_no_text(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("napari_fada.models.load_engine", lambda *_, **__: ScriptedEngine(TABLE))
    for seed, name in enumerate((f"{NO_TEXT}.png", "zz.png")):
        picture(tmp_path / "in" / name, seed)
        picture(tmp_path / "masks" / name, 9)
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 20:50] = 255
    for path in (tmp_path / "masks").iterdir():
        Image.fromarray(mask).save(path)
    out = str(tmp_path / "out")
    for command in (
        ["run", str(tmp_path / "in"), "--out", out, "--json"],
        ["measure", str(tmp_path / "in"), "--out", f"{out}.csv", "--json"],
        [
            *("measure", str(tmp_path / "in"), "--masks", str(tmp_path / "masks")),
            *("--class", "head", "--out", f"{out}2.csv", "--json"),
        ],
    ):
        ended = CliRunner().invoke(app, command)
        assert ended.exit_code == 1, ended.output
        lines = [json.loads(x) for x in ended.stdout.splitlines()]
        assert lines[-1]["event"] == "finished"
        assert lines[-1]["failed"] == 1


def test_another_scan_of_the_same_name_keeps_its_reading(tmp_path: Path) -> None:
    for seed, day in enumerate(("monday", "tuesday", "wednesday")):
        picture(tmp_path / day / "scan.png", seed)
        run([tmp_path / day], tmp_path / "out", overlay=True)
    kept = [read_reading(p).scan.sha256 for p in (tmp_path / "out").glob("*.fada.json")]
    assert len(set(kept)) == 3
    assert len(list((tmp_path / "out").glob("*.overlay.png"))) == 3
    for day in ("wednesday", "monday"):  # and each has the place that it had
        assert [type(e) for e in run([tmp_path / day], tmp_path / "out")[:-1]] == [ScanSkipped]


def test_names_do_not_depend_on_what_else_is_read(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "x.png", 1)
    picture(tmp_path / "in" / "x.bmp", 2)
    alone = {name: outputs(run([tmp_path / "in" / name], tmp_path / "out")) for name in ("x.png",)}
    both = run([tmp_path / "in"], tmp_path / "out")
    named = {e.path.name: e.output.name for e in both[:-1]}  # type: ignore[attr-defined]
    assert [named["x.png"]] == alone["x.png"] == ["x.fada.json"]
    for name in ("x.bmp", "x.png"):
        assert outputs(run([tmp_path / "in" / name], tmp_path / "out")) == [named[name]]
    (tmp_path / "out" / "x.fada.json").unlink()
    assert outputs(run([tmp_path / "in" / "x.bmp"], tmp_path / "out")) == [named["x.bmp"]]


def test_what_is_no_reading_is_not_overwritten(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.fada.json").write_text("my notes")
    run([tmp_path / "a.png"], tmp_path / "out")
    assert (tmp_path / "out" / "a.fada.json").read_text() == "my notes"
    assert len(list((tmp_path / "out").iterdir())) == 2


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Give a folder with two scans and everything that we may have left beside them."""
    folder = tmp_path / "in"
    picture(folder / "a.png", 1)
    with Project.open(folder / "p.fada") as project:
        run([folder / "a.png"], folder, overlay=True, project=project)
        (folder / "p.fada-wal.left-1a2b").write_bytes((folder / "p.fada-wal").read_bytes())
        (folder / "p.fada.v3").write_bytes((folder / "p.fada").read_bytes())
        (folder / "copy of p").write_bytes((folder / "p.fada").read_bytes())
    (folder / "p.fada-wal").write_bytes(b"")
    (folder / "p.fada-journal").write_bytes(b"")
    (folder / "for the talk.png").write_bytes((folder / "a.overlay.png").read_bytes())
    (folder / "a.fada.json.bak").write_bytes((folder / "a.fada.json").read_bytes())
    old = Image.open(folder / "a.overlay.png")  # as they were drawn before they had a mark
    old.info.clear()
    picture(folder / "b.png", 2)
    run([folder / "b.png"], folder)
    old.save(folder / "b.overlay.png")
    (folder / "set" / "images").mkdir(parents=True)
    (folder / "set" / "manifest.json").write_text('{\n "schema": "fada-dataset/1",\n "form": ""}')
    picture(folder / "set" / "images" / "a.png", 1)
    return folder


def test_our_own_outputs_are_no_scans(written: Path) -> None:
    found = list(iter_scans(written))
    assert [f.error for f in found if isinstance(f, ScanProblem)] == []
    assert [f.name for f in found if not isinstance(f, ScanProblem)] == ["a.png", "b.png"]
    listed = {f.name for f in iter_files(written) if isinstance(f, Path)}
    # Renamed without a trace of us: these are known when they are opened.
    assert listed == {"a.png", "b.png", "for the talk.png", "copy of p"}
    for name in listed - {"a.png", "b.png"}:
        with pytest.raises(OwnOutputError, match=r"no scan: .*written by napari-fada"):
            open_scan(written / name)


def test_a_run_into_the_folder_of_its_scans_can_be_done_again(written: Path) -> None:
    before = {p.name for p in written.iterdir()}
    for _ in range(2):
        events = run([written], written, overlay=True)
        assert [type(e) for e in events[:-1]] == [ScanSkipped] * 2
        assert {p.name for p in written.iterdir()} == before


def test_anothers_files_of_such_names_are_scans(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.overlay.png", 1)
    picture(tmp_path / "in" / "b.png", 2).rename(tmp_path / "in" / "b.png-journal")
    (tmp_path / "in" / "set").mkdir()
    (tmp_path / "in" / "set" / "manifest.json").write_text("{}")
    picture(tmp_path / "in" / "set" / "c.png", 3)
    found = [f for f in iter_scans(tmp_path / "in") if not isinstance(f, ScanProblem)]
    assert [f.name for f in found] == ["a.overlay.png", "b.png-journal", "c.png"]


def test_a_picture_that_is_named_is_told(written: Path) -> None:
    (problem,) = iter_scans(written / "a.overlay.png")
    assert isinstance(problem, ScanProblem)
    assert "picture that was drawn" in str(problem.error)


def test_a_folder_of_nothing_but_our_outputs_holds_no_scan(written: Path) -> None:
    for name in ("a.png", "b.png"):
        (written / name).unlink()
    (problem,) = iter_scans(written)
    assert isinstance(problem, ScanProblem)
    assert "holds no scan" in str(problem.error)


def test_a_data_set_that_is_named_is_read(written: Path) -> None:
    (found,) = iter_scans(written / "set")
    assert not isinstance(found, ScanProblem)
    assert found.name == "a.png"
