"""The batch run: resumable, undisturbed by bad files, tidy when stopped."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_fada.batch import (
    BatchFinished,
    ScanDone,
    ScanFailed,
    ScanSkipped,
    parse_frames,
    run_scans,
)
from napari_fada.engines.protocol import EngineInfo
from napari_fada.engines.scripted import Script, ScriptedEngine
from napari_fada.evaluate.cases import Unpaired, cases_of_project
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project
from napari_fada.records.review import finish, scan_review
from napari_fada.records.rows import Act
from napari_fada.scans import open_scan

TABLE = {
    "interpret": json.dumps({"imaging_plane": "axial, biparietal plane"}),
    "classify": '{"label":"BPD_PLANE"}',
    "detect": '[{"bbox_2d":[100,200,500,600],"label":"Brain"}]',
    "segment": '[{"bbox_2d":[100,200,500,600],"label":"Brain",'
    '"mask":[[100,200],[500,200],[500,600],[100,600]]}]',
}


def picture(path: Path, seed: int, size: tuple[int, int] = (60, 80)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, size, dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(3):
        picture(tmp_path / "scans" / f"s{number}.png", number)
    return tmp_path / "scans"


def run(engine: ScriptedEngine, paths: list[Path], out: Path, **options: object) -> list[object]:
    return list(run_scans(engine, paths, out, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "n", "indices"),
    [
        ("first", 9, [0]),
        ("middle", 9, [4]),
        ("all", 3, [0, 1, 2]),
        ("every:4", 9, [0, 4, 8]),
        ("5,0,2-3", 9, [0, 2, 3, 5]),
        ("7", 3, []),
    ],
)
def test_frames(text: str, n: int, indices: list[int]) -> None:
    assert parse_frames(text)(n) == indices


@pytest.mark.parametrize("text", ["", "some", "every:0", "every:x", "1,,2", "a-b"])
def test_frames_that_say_nothing_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--frames"):
        parse_frames(text)


def test_each_scan_gets_a_reading_and_an_overlay(folder: Path, tmp_path: Path) -> None:
    events = run(ScriptedEngine(TABLE), [folder], tmp_path / "out", overlay=True)
    assert events[-1] == BatchFinished(3, 0, 0, 0, cancelled=False)
    written = json.loads((tmp_path / "out" / "s0.fada.json").read_text())
    assert written["schema"] == "fada-reading/1"
    boxes = [a for a in written["annotations"] if a["kind"] == "box"]
    assert boxes[0]["points"] == [[8.0, 12.0], [40.0, 36.0]]  # of 80 × 60 pixels
    assert Image.open(tmp_path / "out" / "s0.overlay.png").width == 80


def test_a_second_run_skips_what_is_done(folder: Path, tmp_path: Path) -> None:
    run(ScriptedEngine(TABLE), [folder], tmp_path / "out")
    again = ScriptedEngine(TABLE)
    events = run(again, [folder], tmp_path / "out")
    assert [type(e) for e in events[:-1]] == [ScanSkipped] * 3
    assert again.asked == []


def test_another_model_or_a_changed_file_is_read_again(folder: Path, tmp_path: Path) -> None:
    engine = ScriptedEngine(TABLE)
    run(engine, [folder], tmp_path / "out")
    other = ScriptedEngine(TABLE, info=EngineInfo(replace(engine.info.model, sha256="1" * 64)))
    assert [type(e) for e in run(other, [folder], tmp_path / "out")[:-1]] == [ScanDone] * 3
    picture(folder / "s1.png", 99)
    kinds = [type(e) for e in run(other, [folder], tmp_path / "out")[:-1]]
    assert kinds == [ScanSkipped, ScanDone, ScanSkipped]


def test_a_reading_with_a_failed_phase_is_told_and_tried_again(
    folder: Path, tmp_path: Path
) -> None:
    broken = ScriptedEngine({**TABLE, "segment": "I would rather not."})
    events = run(broken, [folder], tmp_path / "out")
    assert isinstance(events[0], ScanDone)
    assert events[0].failed_phases == ("segment",)
    assert events[-1] == BatchFinished(0, 3, 0, 0, cancelled=False)
    events = run(ScriptedEngine(TABLE), [folder], tmp_path / "out")
    assert events[-1] == BatchFinished(3, 0, 0, 0, cancelled=False)


def test_bad_files_are_reported_and_the_run_goes_on(folder: Path, tmp_path: Path) -> None:
    (folder / "s0.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (folder / "a.dcm").write_text("a letter, not a scan")
    events = run(ScriptedEngine(TABLE), [folder], tmp_path / "out")
    assert sorted(e.path.name for e in events if isinstance(e, ScanFailed)) == ["a.dcm", "s0.png"]
    assert events[-1] == BatchFinished(2, 0, 0, 2, cancelled=False)


def test_folders_are_mirrored_and_names_never_shared(tmp_path: Path) -> None:
    root = tmp_path / "scans"
    picture(root / "a" / "x.png", 1)
    picture(root / "b" / "x.png", 2)
    picture(root / "b" / "x.jpg", 3)
    events = run(ScriptedEngine(TABLE), [root], tmp_path / "out")
    outputs = {e.output.relative_to(tmp_path / "out") for e in events if isinstance(e, ScanDone)}
    assert len(outputs) == 3
    assert {str(o.parent) for o in outputs} == {"a", "b"}
    skipped = run(ScriptedEngine(TABLE), [root], tmp_path / "out")
    assert [type(e) for e in skipped[:-1]] == [ScanSkipped] * 3


def test_cancel_keeps_what_is_whole_and_writes_no_half(folder: Path, tmp_path: Path) -> None:
    cancel = threading.Event()
    slow = ScriptedEngine({name: Script(text, delay=0.001) for name, text in TABLE.items()})
    events = []
    for event in run_scans(slow, [folder], tmp_path / "out", cancel=cancel):
        events.append(event)
        cancel.set()
    assert [type(e) for e in events] == [ScanDone, BatchFinished]
    assert events[-1].cancelled  # type: ignore[union-attr]
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["s0.fada.json"]


def test_readings_go_into_a_project_too(folder: Path, tmp_path: Path) -> None:
    with Project.open(tmp_path / "p.fada") as project:
        run(ScriptedEngine(TABLE), [folder], tmp_path / "out", project=project)
        shown = [a for row in project.scans() for a in project.annotations(row.sha256, 0)]
    assert sorted({a.kind for a in shown}) == ["box", "polygon"]
    assert len(shown) == 6


def test_readings_go_into_the_project_alone(folder: Path, tmp_path: Path) -> None:
    with Project.open(tmp_path / "p.fada") as project:
        engine = ScriptedEngine(TABLE)
        events = list(run_scans(engine, [folder], None, project=project))
        assert events[-1] == BatchFinished(3, 0, 0, 0, cancelled=False)
        assert all(event.output is None for event in events[:-1])
        assert len(project.annotations(events[0].reading.scan.sha256, 0)) == 2
        again = list(run_scans(engine, [folder], None, project=project))
        assert again[-1] == BatchFinished(0, 0, 3, 0, cancelled=False)
        assert len(project.readings(events[0].reading.scan.sha256)) == 1


def test_what_is_reviewed_is_only_compared_with(folder: Path, tmp_path: Path) -> None:
    with Project.open(tmp_path / "p.fada", rater="Anna") as project:
        scan = open_scan(folder / "s0.png")
        project.add_scan(scan)
        label = Annotation("CSP", "box", ((5, 5), (20, 20)), source="import", status="accepted")
        project.act(scan.sha256, Act(0, add=[label], by_person=False))
        finish(project, scan.sha256, 0)
        for show in ("first", "replace"):  # as the command and the window ask for it
            list(run_scans(ScriptedEngine(TABLE), [folder], None, project=project, show=show))
        assert scan_review(project, scan.sha256).state == "accepted"
        assert project.annotations(scan.sha256) == [label]
        assert project.report(scan.sha256, 0).view is None
        assert len(project.readings(scan.sha256, 0)) == 1
        (case,) = cases_of_project(project, Unpaired())
        assert [a.category for a in case.answer.annotations if a.kind == "box"] == ["Brain"]
        others = [row.sha256 for row in project.scans() if row.sha256 != scan.sha256]
        assert {scan_review(project, sha).state for sha in others} == {"proposed"}


def test_readings_need_a_place() -> None:
    with pytest.raises(ValueError, match="a folder or a project"):
        list(run_scans(ScriptedEngine(TABLE), [], None))
