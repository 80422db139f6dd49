"""The command line, with the embedded model on made scans."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.test_batch import picture
from typer.testing import CliRunner

from napari_fada.cli import app
from napari_fada.records.project import Project

runner = CliRunner()


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests out of the user's data folder."""
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


def test_run_export_import(tmp_path: Path) -> None:
    picture(tmp_path / "scans" / "a.png", 1)
    project = tmp_path / "p.fada"
    arguments = ["run", str(tmp_path / "scans"), "--out", str(tmp_path / "out"), "--overlay"]
    done = runner.invoke(app, [*arguments, "--project", str(project), "--json"])
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["done", "finished"]
    assert done.exit_code == (1 if lines[0]["failed_phases"] else 0)
    assert (tmp_path / "out" / "a.fada.json").exists()
    assert (tmp_path / "out" / "a.overlay.png").exists()

    exported = runner.invoke(
        app,
        ["export", "fada", "-p", str(project), "-o", str(tmp_path / "e"), "--proposals", "--json"],
    )
    assert exported.exit_code == 0, exported.output
    summary = json.loads(exported.stdout)
    assert summary["images"] == 1
    other = tmp_path / "q.fada"
    brought = runner.invoke(
        app, ["import", "fada", str(tmp_path / "e"), "-p", str(other), "--json"]
    )
    assert brought.exit_code == 0, brought.output
    with Project.open(project) as one, Project.open(other) as two:
        count = [sum(len(p.annotations(row.sha256)) for row in p.scans()) for p in (one, two)]
    assert count[0] == count[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "no/such/folder", "--out", "o"],
        ["run", "SCAN", "--out", "o", "--frames", "some"],
        ["run", "SCAN", "--out", "o", "--mode", "lenient"],
        ["run", "SCAN", "--out", "o", "--limit", "0"],
    ],
)
def test_what_cannot_be_understood_ends_with_two(tmp_path: Path, arguments: list[str]) -> None:
    scan = str(picture(tmp_path / "a.png", 1))
    done = runner.invoke(app, [scan if a == "SCAN" else a for a in arguments])
    assert done.exit_code == 2


def test_a_missing_model_ends_with_three_and_says_what_there_is(tmp_path: Path) -> None:
    scan = str(picture(tmp_path / "a.png", 1))
    done = runner.invoke(app, ["run", scan, "--out", str(tmp_path / "o"), "--model", "fada-maxi"])
    assert done.exit_code == 3
    assert "fada-mini" in done.output


def test_export_of_a_missing_project_makes_none(tmp_path: Path) -> None:
    project = tmp_path / "none.fada"
    done = runner.invoke(app, ["export", "fada", "-p", str(project), "-o", str(tmp_path / "e")])
    assert done.exit_code == 3
    assert not project.exists()


def test_models_list_names_the_embedded_model() -> None:
    done = runner.invoke(app, ["models", "list", "--json"])
    packs = [json.loads(line) for line in done.stdout.splitlines()]
    mini = next(p for p in packs if p["name"] == "fada-mini")
    assert mini["size"] <= 16 * 2**20


def test_version() -> None:
    assert runner.invoke(app, ["--version"]).output.strip() == "0.1.0"
