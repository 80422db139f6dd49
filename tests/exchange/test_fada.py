"""Export of a project as a training folder, and import of one."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from napari_fada.errors import ExchangeError
from napari_fada.exchange import deidentify, fada, selection
from napari_fada.exchange.export import UNREADABLE, export_records, export_steps
from napari_fada.exchange.fada import FORMAT
from napari_fada.exchange.images import CHANGED
from napari_fada.exchange.importing import import_records
from napari_fada.exchange.request import ExportRequest, Selection
from napari_fada.pipeline import PromptSet
from napari_fada.records.geometry import mask_to_annotation, rasterise
from napari_fada.records.project import WHOLE, Project
from napari_fada.records.reading import INTERPRETATION_KEYS, PhaseResult
from napari_fada.scans import open_scan
from record_samples import box, make_reading, make_scan, polygon

PROMPTS = PromptSet.load()
SCAN = make_scan("Jane Doe 1980.png")
KEY = (SCAN.sha256, 0)


@pytest.fixture
def project(tmp_path):
    with Project.open(tmp_path / "p.fada", rater="Anna") as opened:
        opened.add_scan(SCAN)
        yield opened


def request(*, proposals=False, **more):
    return ExportRequest(selection=Selection(proposals=proposals), prompts=PROMPTS, **more)


def export(project, out, open_row=lambda _row: SCAN, **more):
    return export_records(project, out, FORMAT, request(**more), open_row=open_row)


def bring_in(project, out):
    return import_records(project, out, FORMAT)


def lines_of(out):
    return [json.loads(line) for line in (out / "fada.jsonl").read_text("utf-8").splitlines()]


def questions(out, *tasks):
    """Return (task, classes, labels answered) of each line."""
    found = []
    for line in lines_of(out):
        answer = json.loads(line["messages"][1]["content"][0]["text"])
        labels = [i["label"] for i in answer] if isinstance(answer, list) else answer
        if line["meta"]["task"] in tasks:
            found.append((line["meta"]["task"], line["meta"]["classes"], labels))
    return found


def accept(project, annotation):
    wish = dataclasses.replace(annotation, status="accepted")
    project.edit(*KEY, replace={annotation.uid: wish})


def close(project):
    project.set_state(*KEY, {"review": "corrected"})


def test_nothing_is_taught_that_no_one_has_judged(project, tmp_path):
    project.save_reading(make_reading(SCAN))
    summary = export(project, tmp_path / "out")
    assert (summary.written, summary.images) == ({}, 0)
    assert summary.left_out == {
        selection.PENDING: 2,
        selection.UNSEEN_REPORT: 1,
        selection.UNSEEN_VIEW: 1,
        selection.UNJUDGED: 1,
    }
    assert lines_of(tmp_path / "out") == []


def test_a_class_with_an_open_proposal_is_not_asked_for(project, tmp_path):
    reading = make_reading(SCAN, polygon("Brain"), box("CSP"))
    project.save_reading(reading)
    accept(project, reading.annotations[0])
    export(project, tmp_path / "open")
    assert questions(tmp_path / "open", "detect") == [("detect", ["Brain"], ["Brain"])]
    close(project)
    export(project, tmp_path / "out")
    # LV was asked of the model and not found, in a group that the expert worked on; CSP is open.
    assert questions(tmp_path / "out", "detect", "segment") == [
        ("detect", ["Brain", "LV"], ["Brain"]),
        ("segment", ["Brain"], ["Brain"]),
    ]


def test_a_rejection_teaches_that_it_is_not_there(project, tmp_path):
    reading = make_reading(SCAN, box("CSP"))
    project.save_reading(reading)
    project.edit(*KEY, remove=[reading.annotations[0].uid])
    summary = export(project, tmp_path / "out")
    assert (summary.images, summary.left_out[selection.NO_NEGATIVE]) == (0, 1)
    close(project)
    summary = export(project, tmp_path / "out")
    assert summary.left_out[selection.REJECTED] == 1
    assert questions(tmp_path / "out", "detect") == [("detect", ["Brain", "CSP", "LV"], [])]


def test_what_the_model_was_not_asked_for_is_not_called_absent(project, tmp_path):
    reading = make_reading(SCAN, box("CSP"))
    failed = {**reading.phases, "detect": PhaseResult("failed", problems=("cut off",))}
    project.save_reading(dataclasses.replace(reading, phases=failed))
    accept(project, reading.annotations[0])
    project.edit(*KEY, add=[box("thorax", source="expert")])
    export(project, tmp_path / "out")
    assert questions(tmp_path / "out", "detect") == [
        ("detect", ["CSP"], ["CSP"]),
        ("detect", ["thorax"], ["thorax"]),
    ]


def test_corrections_replace_what_they_correct(project, tmp_path):
    reading = make_reading(SCAN, box("CSP"))
    project.save_reading(reading)
    old = reading.annotations[0]
    project.edit(*KEY, replace={old.uid: dataclasses.replace(old, category="LV")})
    export(project, tmp_path / "out")
    (line,) = [x for x in lines_of(tmp_path / "out") if x["meta"]["task"] == "detect"]
    assert [i["label"] for i in json.loads(line["messages"][1]["content"][0]["text"])] == ["LV"]
    assert line["meta"]["records"][0]["status"] == "corrected"
    assert line["meta"]["records"][0]["rater"].startswith("rater-")


def test_reports_and_views_once_a_person_stands_for_them(project, tmp_path):
    project.save_reading(make_reading(SCAN))
    project.set_report(*KEY, fields={"image_quality": "poor"})
    export(project, tmp_path / "out")
    told = [line["meta"] for line in lines_of(tmp_path / "out")]
    assert [m["variant"] for m in told] == ["full", "anatomy", "clinical"]
    assert {m["rater"][:6] for m in told} == {"rater-"}
    project.set_state(SCAN.sha256, WHOLE, {"review": "accepted"})
    export(project, tmp_path / "out")
    assert questions(tmp_path / "out", "classify") == [("classify", [], {"label": "BPD_PLANE"})]


def test_proposals_too_if_they_are_asked_for(project, tmp_path):
    reading = make_reading(SCAN, polygon("Brain"), box("CSP"), box("LV"))
    project.save_reading(reading)
    project.edit(*KEY, remove=[reading.annotations[2].uid])
    summary = export(project, tmp_path / "out", proposals=True)
    assert summary.left_out == {selection.REJECTED: 1}
    assert questions(tmp_path / "out", "detect") == [
        (
            "detect",
            ["Brain", "CSP"],
            ["Brain", "CSP"],
        )  # the review is open: LV is not called absent
    ]
    assert len(lines_of(tmp_path / "out")) == 6


def test_nothing_that_names_a_patient_leaves(project, tmp_path):
    project.save_reading(make_reading(SCAN))
    export(project, tmp_path / "out", proposals=True)
    (image,) = (tmp_path / "out" / "images").iterdir()
    written = (tmp_path / "out" / "fada.jsonl").read_bytes() + image.read_bytes()
    for secret in (b"Jane", b"1980", SCAN.sha256.encode(), project.salt, project.salt.hex()):
        secret = secret if isinstance(secret, bytes) else secret.encode()
        assert secret not in written
        assert secret.decode("latin1") not in image.name
    with Image.open(image) as picture:
        assert not picture.info
        assert (np.asarray(picture) == SCAN.frame(0)).all()
    assert lines_of(tmp_path / "out")[0]["meta"]["subject"] == SCAN.identity.hashed(project.salt)


def test_pixels_outside_the_scan_region_stay_here(tmp_path):
    scan = open_scan(get_testdata_file("examples_ybr_color.dcm"))
    region = next(r for r in scan.regions if r.kind == "2d")
    inside = box("CSP", region.x0 + 20, region.y0 + 20, 40, source="expert")
    outside = box("LV", region.x1 + 1, 0, 2, source="expert")
    with Project.open(tmp_path / "p.fada") as project:
        project.add_scan(scan)
        project.edit(scan.sha256, 4, add=[inside, outside])
        summary = export_records(project, tmp_path / "out", FORMAT, request())
        assert summary.left_out == {deidentify.OUTSIDE: 1}
        assert questions(tmp_path / "out", "detect") == [("detect", ["CSP"], ["CSP"])]
        (image,) = (tmp_path / "out" / "images").iterdir()
        with Image.open(image) as picture:
            pixels = np.asarray(picture)
        kept = np.zeros(pixels.shape[:2], bool)
        kept[region.y0 : region.y1, region.x0 : region.x1] = True
        assert (pixels[kept] == scan.frame(4)[kept]).all()
        assert not pixels[~kept].any()
        assert scan.frame(4)[~kept].any()
        # Asked for whole frames, the image is another one and the old one goes.
        export_records(project, tmp_path / "out", FORMAT, request(mask_outside=False))
        (whole,) = (tmp_path / "out" / "images").iterdir()
        assert whole.name != image.name
        with Image.open(whole) as picture:
            assert (np.asarray(picture) == scan.frame(4)).all()


def test_scans_that_are_gone_or_changed_are_counted_and_named(project, tmp_path):
    file = tmp_path / "b.png"
    Image.fromarray(SCAN.frame(0)).save(file)
    scan = open_scan(file)
    project.add_scan(scan)
    project.edit(scan.sha256, 0, add=[box(source="expert")])
    project.edit(*KEY, add=[box(source="expert")])
    Image.fromarray(SCAN.frame(0) + 1).save(file)
    summary = export_records(project, tmp_path / "out", FORMAT, request())
    assert summary.left_out == {UNREADABLE: 1, CHANGED: 1}
    assert [p.startswith(n) for p, n in zip(summary.problems, (SCAN.name, "b.png"), strict=True)]
    assert summary.written == {}


def test_a_cancelled_or_failed_export_leaves_the_earlier_one(project, tmp_path, monkeypatch):
    out = tmp_path / "out"
    project.edit(*KEY, add=[box(source="expert")])
    export(project, out)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    project.edit(SCAN.sha256, 1, add=[box(source="expert")])
    steps = export_steps(
        project, out, FORMAT, ExportRequest(prompts=PROMPTS), open_row=lambda _row: SCAN
    )
    assert next(steps).total == 1
    steps.close()
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    monkeypatch.setattr(fada, "dump_lines", lambda _lines: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(project, out)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_a_full_disk_leaves_the_earlier_export(project, tmp_path):
    drive = tmp_path / "drive"
    drive.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(drive)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small drive needs the rights for it")
    try:
        out = drive / "out"
        project.edit(*KEY, add=[box(source="expert")])
        export(project, out)
        before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
        noise = np.random.default_rng(0).integers(0, 255, (600, 800), np.uint8)
        big = dataclasses.replace(SCAN, decode=lambda _i: noise)
        project.edit(SCAN.sha256, 1, add=[box(source="expert")])
        with pytest.raises(ExchangeError, match="No space left"):
            export_records(
                project, out, FORMAT, ExportRequest(prompts=PROMPTS), open_row=lambda _row: big
            )
        assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    finally:
        subprocess.run(["umount", "-l", str(drive)], check=True)


def test_importing_an_export_gives_the_records_back_and_twice_changes_nothing(project, tmp_path):
    reading = make_reading(SCAN, polygon("Brain", score=0.75), box("CSP"), box("LV", 150))
    project.save_reading(reading)
    accept(project, reading.annotations[0])
    project.edit(*KEY, remove=[reading.annotations[2].uid])
    csp = reading.annotations[1]
    project.edit(*KEY, replace={csp.uid: dataclasses.replace(csp, points=((21, 10), (50, 41)))})
    project.set_report(*KEY, fields={"image_quality": "poor"}, view="AC_PLANE")
    out, again = tmp_path / "out", tmp_path / "again"
    export(project, out, keep_names=True)
    with Project.open(tmp_path / "other.fada", rater="Bo") as other:
        summary = bring_in(other, out)
        assert (summary.images, summary.records, summary.problems) == (1, 2, ())
        (row,) = other.scans()
        got = other.annotations(row.sha256, 0)
        want = project.annotations(*KEY)
        for a, b in zip(got, want, strict=True):
            assert (a.uid, a.category, a.kind, a.status, a.source, a.rater, a.score) == (
                *(b.uid, b.category, b.kind, b.status, b.source, b.rater, b.score),
            )
            assert np.allclose(a.points, b.points, atol=0.1)
        assert other.report(row.sha256, 0).fields == project.report(*KEY).fields
        assert other.report(row.sha256, 0).view == "AC_PLANE"
        steps = len(other.history())
        assert bring_in(other, out / "fada.jsonl").known == 2
        assert len(other.history()) == steps
        # What goes out again asks and answers the same.
        export_records(other, again, FORMAT, request(keep_names=True))
    texts = [
        [[m["content"][-1] for m in line["messages"]] for line in lines_of(folder)]
        for folder in (out, again)
    ]
    assert texts[0] == texts[1]
    assert len(texts[0]) == 6


def test_import_names_what_it_cannot_bring_in(project, tmp_path):
    with pytest.raises(ExchangeError, match="cannot be read"):
        bring_in(project, tmp_path)
    project.edit(*KEY, add=[box(source="expert")])
    out = tmp_path / "out"
    export(project, out)
    (image,) = (out / "images").iterdir()
    with (out / "fada.jsonl").open("ab") as file:
        file.write(b'{"messages": "hello"}\n')
    Image.fromarray(SCAN.frame(0)[:50]).save(image)
    summary = bring_in(project, out)
    assert summary.images == 0
    assert len(summary.problems) == 2
    image.unlink()
    assert len(bring_in(project, out).problems) == 2


def test_real_scans_go_out_and_come_back(data_dir, tmp_path):
    with (
        Project.open(tmp_path / "p.fada", rater="Anna") as project,
        Project.open(tmp_path / "q.fada") as other,
    ):
        truth = {}
        for folder, label, names in (
            ("hc18/images", "hc18/masks", {255: "Brain", 1: "Brain"}),
            ("psfhs/images", "psfhs/labels", {1: "pubic_symphysis", 2: "fetal_head"}),
        ):
            for path in sorted((data_dir / folder).glob("*.png"))[:4]:
                scan = open_scan(path)
                with Image.open(data_dir / label / path.name) as im:
                    labels = np.asarray(im).astype(int)
                found = [
                    mask_to_annotation(labels == v, names[v], source="expert")
                    for v in sorted(set(np.unique(labels)) - {0})
                ]
                project.add_scan(scan)
                project.edit(scan.sha256, 0, add=found)
                fields = dict.fromkeys(INTERPRETATION_KEYS, "not stated")
                project.set_report(scan.sha256, 0, fields=fields, view="Other")
                for a in found:
                    truth[a.uid] = rasterise(a, (scan.height, scan.width))
        summary = export_records(project, tmp_path / "out", FORMAT, request())
        assert (summary.images, summary.left_out) == (8, {})
        assert summary.written[fada.CONVERSATIONS] == 8 * 6
        names = {p.stem for p in (tmp_path / "out" / "images").iterdir()}
        assert not any(row.path.stem in name for row in project.scans() for name in names)
        assert bring_in(other, tmp_path / "out").records == len(truth)
        for row in other.scans():
            for a in other.annotations(row.sha256):
                mask, was = rasterise(a, (row.height, row.width)), truth[a.uid]
                assert (mask & was).sum() / (mask | was).sum() > 0.95
