"""The demonstration leaves a picture of the window, the reading, the project and the export."""

from __future__ import annotations

import json

import imageio.v3 as iio
import pytest
from answering import answers

from napari_fada.engines.scripted import ScriptedEngine
from napari_fada.errors import EngineError
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project
from napari_fada.scans import open_scan
from napari_fada.workstation import demo, runner


@pytest.fixture
def quiet_napari(make_napari_viewer, monkeypatch):
    """Let the demonstration use a viewer that the fixture looks after."""
    viewer = make_napari_viewer(show=True)
    monkeypatch.setattr("napari.Viewer", lambda **_: viewer)
    monkeypatch.setattr(demo, "_close", lambda _viewer: None)  # the fixture does that


@pytest.mark.usefixtures("quiet_napari")
def test_demo(tmp_path, monkeypatch):
    monkeypatch.setattr(runner.Engines, "get", lambda *_: ScriptedEngine(answers()))
    written = demo.run_demo(tmp_path / "out", show=False)
    assert {p.name for p in written} == {
        "screenshot.png",
        "reading.fada.json",
        "fada.jsonl",
        "demo.fada",
    }
    assert all(p.stat().st_size for p in written)
    assert iio.imread(tmp_path / "out" / "screenshot.png").shape[0] > 500
    reading = json.loads((tmp_path / "out" / "reading.fada.json").read_text())
    assert reading["schema"] == "fada-reading/1"
    assert len(reading["annotations"]) == 3


@pytest.mark.usefixtures("quiet_napari")
def test_demo_of_a_file_that_is_none(tmp_path):
    text = tmp_path / "text.png"
    text.write_text("no image")
    with pytest.raises(Exception, match=r"text\.png"):
        demo.run_demo(tmp_path / "out", show=False, scan=text)


@pytest.mark.usefixtures("quiet_napari")
def test_demo_says_what_failed(tmp_path, monkeypatch):
    broken = ScriptedEngine(answers(detect="no JSON"))
    monkeypatch.setattr(runner.Engines, "get", lambda *_: broken)
    with pytest.raises(EngineError, match="detect"):
        demo.run_demo(tmp_path / "out", show=False)
    assert (tmp_path / "out" / "reading.fada.json").exists()


@pytest.mark.usefixtures("quiet_napari")
def test_demo_again_keeps_edits(tmp_path, monkeypatch):
    monkeypatch.setattr(runner.Engines, "get", lambda *_: ScriptedEngine(answers()))
    out = tmp_path / "out"
    out.mkdir()
    scan = open_scan(demo._phantom(out))
    mine = Annotation("CSP", "box", ((1.0, 2.0), (30.0, 40.0)), source="expert", status="accepted")
    with Project.open(out / "demo.fada") as project:
        project.add_scan(scan)
        project.edit(scan.sha256, 0, add=[mine], label="draw")
    demo.run_demo(out, show=False)
    with Project.open(out / "demo.fada") as project:
        after = project.annotations(scan.sha256, 0)
    assert mine.points in [r.points for r in after]
    assert len(after) == 4
