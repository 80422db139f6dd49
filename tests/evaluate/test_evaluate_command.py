"""The command: a project, two data sets, a model over labels; its files; what it refuses."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_fada.cli import app
from napari_fada.evaluate.cases import NOT_READ, NOT_REVIEWED
from napari_fada.evaluate.editing import PAUSE, _work
from napari_fada.records.project import WHOLE, Project
from napari_fada.scans import open_scan
from record_samples import box, make_reading, polygon

runner = CliRunner()


def scan_file(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (120, 160), np.uint8)
    Image.fromarray(noise).save(path)
    return open_scan(path)


def outline(shift=0.0, **more):
    ring = ((20 + shift, 20), (90 + shift, 20), (90 + shift, 80), (20 + shift, 80))
    return replace(polygon("Brain"), points=ring, **more)


@pytest.fixture
def project(tmp_path):
    """Give a project: one scan accepted as it was, one corrected, one rejected, one open."""
    with Project.open(tmp_path / "p.fada", rater="Anna") as opened:
        for number in range(4):
            scan = scan_file(tmp_path / "scans" / f"{number}.png", number)
            opened.add_scan(scan)
            reading = make_reading(scan, outline(score=0.9), box("CSP", score=0.5))
            opened.save_reading(reading)
            brain, csp = reading.annotations
            wish = {
                0: {a.uid: replace(a, status="accepted") for a in (brain, csp)},
                1: {brain.uid: outline(10.0), csp.uid: replace(csp, status="accepted")},
                2: {},
            }.get(number)
            if wish is None:
                continue
            opened.edit(scan.sha256, 0, replace=wish)
            if number == 2:
                opened.edit(scan.sha256, 0, remove=[brain.uid, csp.uid])
                opened.edit(scan.sha256, 0, add=[box("LV", 60, source="expert")])
            opened.set_state(scan.sha256, WHOLE, {"review": "corrected"})
        yield opened


def evaluate(*arguments, code=0):
    done = runner.invoke(app, ["evaluate", *map(str, arguments), "--bootstrap", "20", "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout.splitlines()[-1]) if code in (0, 1) else done.output


def test_a_projects_proposals_against_its_corrections(project, tmp_path):
    path = project.path
    project.close()
    found = evaluate(path, "--out", tmp_path / "out", "--fada")
    assert (found["frames"], found["left_out"]) == (3, {NOT_REVIEWED: 1})
    rows = {c["category"]: c for c in found["areas"]["classes"]}
    # 70 × 60 moved by 10 columns shares 60 of 80 columns.
    dice = 2 * 60 * 60 / (70 * 60 * 2)
    assert rows["Brain"]["dice"]["value"] == pytest.approx((1 + dice + 0) / 3)
    assert rows["Brain"]["invented"] == 1
    edits = found["editing"]
    assert (edits["proposals"], edits["added"]) == (6, 1)
    assert [edits[k]["value"] for k in ("untouched", "corrected", "rejected")] == pytest.approx(
        [3 / 6, 1 / 6, 2 / 6]
    )
    # Three scans with two proposals each: whole, half and none untouched.
    assert (edits["untouched"]["n"], edits["untouched"]["examinations"]) == (6, 3)
    low, high = edits["untouched"]["interval_95"]
    assert 0 <= low < 0.5 < high <= 1
    assert (edits["vertices"], edits["moved_px"]) == (4, 10)
    assert found["answers"]["valid"]["value"] == 1
    assert found["reference"]["frames"] == 3
    assert found["worst"][0]["name"] == "2.png"


def test_the_report_is_one_page_that_needs_no_network(project, tmp_path):
    project.close()
    evaluate(project.path, "--out", tmp_path / "out", "--fada")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Not a medical device" in page
    assert page.count("<svg") == 4  # two of precision, confusion, reliability
    links = re.findall(r"""(?:src|href)=["']([^"'#]+)""", page)
    links = [link for link in links if not link.startswith("data:image/png;base64,")]
    assert len(links) == 3
    assert all(link.startswith("worst/") for link in links)
    assert "<script" not in page
    for link in links:
        with Image.open(tmp_path / "out" / link) as picture:
            assert picture.width == 2 * 160
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["frames"] == 3
    # The same evaluation gives the same page.
    evaluate(project.path, "--out", tmp_path / "again", "--fada")
    assert (tmp_path / "again" / "report.html").read_text() == page


def test_the_worst_cases_are_a_project_with_truth_and_answer(project, tmp_path):
    project.close()
    evaluate(project.path, "--out", tmp_path / "out")
    with Project.open(tmp_path / "out" / "worst.fada", create=False) as worst:
        rows = worst.scans()
        assert rows[0].name == "2.png"
        assert all(r.path.exists() for r in rows)
        standing = worst.annotations(rows[0].sha256)
        assert {(a.category, a.status) for a in standing} == {
            ("Brain", "proposed"),
            ("CSP", "proposed"),
            ("LV", "accepted"),
        }
        assert worst.state(rows[0].sha256, WHOLE)["comment"].startswith("0.")
    with (tmp_path / "out" / "worst.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    scores = [float(r["score"]) for r in listed]
    assert scores == sorted(scores)
    assert listed[0]["scan"] == str(tmp_path / "scans" / "2.png")
    assert (listed[0]["frame"], listed[0]["picture"]) == ("0", "worst/01_2.png")


def test_a_missing_library_is_named_with_how_to_install_it(project, tmp_path, monkeypatch):
    project.close()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = " ".join(evaluate(project.path, "--out", tmp_path / "out", code=3).split())
    assert "needs matplotlib" in text
    assert "napari-fada[evaluate]" in text
    assert evaluate(project.path, "--out", tmp_path / "out", "--no-report")["frames"] == 3


def test_plots_are_loaded_for_the_report_alone(project, tmp_path):
    project.close()
    script = (
        "import sys, napari_fada\n"
        "from typer.testing import CliRunner\n"
        "from napari_fada.cli import app\n"
        "done = CliRunner().invoke(app, ['evaluate', *sys.argv[1:], '--no-report'])\n"
        "assert done.exit_code == 0, done.output\n"
        "print('matplotlib' in sys.modules)\n"
    )
    arguments = [sys.executable, "-c", script, str(project.path), "--out", str(tmp_path / "out")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_two_data_sets_and_a_project_against_one(project, tmp_path):
    project.close()
    for form in ("coco", "yolo"):
        more = ["--task", "segment"] if form == "yolo" else []
        done = runner.invoke(
            app,
            ["export", form, "-p", str(project.path), "-o", str(tmp_path / form), "--json", *more],
        )
        assert done.exit_code == 0, done.output
    found = evaluate(tmp_path / "coco", "--against", tmp_path / "yolo", "--out", tmp_path / "out")
    assert found["areas"]["dice"]["value"] == pytest.approx(1)
    assert found["frames"] >= 2
    again = evaluate(
        project.path, "--against", project.path, "--out", tmp_path / "self", "--no-report"
    )
    assert again["frames"] == 3
    assert not (tmp_path / "self" / "report.html").exists()


def test_a_model_over_labelled_scans_goes_on_where_it_was_stopped(data_dir, tmp_path, monkeypatch):
    for folder, target in (("images", "im"), ("masks", "ma")):
        (tmp_path / target).mkdir()
        for path in sorted((data_dir / "hc18" / folder).glob("*.png"))[400:402]:
            (tmp_path / target / path.name).write_bytes(path.read_bytes())
    arguments = [
        *(tmp_path / "im", "--masks", tmp_path / "ma", "--class", "Brain"),
        *("--model", "fada-mini", "--out", tmp_path / "out"),
    ]
    found = evaluate(*arguments)
    assert found["frames"] == 2
    assert found["areas"]["dice"]["value"] > 0.5
    (row,) = found["areas"]["classes"]
    assert row["hd95_mm"]["value"] is None
    scaled = evaluate(*arguments, "--spacing", data_dir / "hc18" / "measurements.csv")
    (row,) = scaled["areas"]["classes"]
    assert 0 < row["hd95_mm"]["value"] < row["hd95_px"]["value"]
    assert len(list((tmp_path / "out" / "readings").glob("*.fada.json"))) == 2
    from napari_fada.evaluate import readings

    monkeypatch.setattr(readings, "read_frame", lambda *_a, **_k: 1 / 0)
    assert evaluate(*arguments)["areas"] == found["areas"]


def test_what_cannot_be_compared_is_refused(project, tmp_path):
    project.close()
    out = ["--out", str(tmp_path / "out")]
    assert "nothing at" in evaluate(tmp_path / "none", *out, "--against", project.path, code=3)
    assert evaluate(tmp_path, *out, code=2)
    assert evaluate(project.path, *out, "--against", project.path, "--model", "x", code=2)
    (tmp_path / "empty").mkdir()
    assert "what form" in evaluate(tmp_path / "empty", "--against", project.path, *out, code=3)
    with Project.open(tmp_path / "new.fada") as new:
        scan = scan_file(tmp_path / "z.png", 9)
        new.add_scan(scan)
        new.edit(scan.sha256, 0, add=[box(source="expert")])
        new.set_state(scan.sha256, 0, {"review": "accepted"})
    text = evaluate(tmp_path / "new.fada", *out, code=3)
    assert "nothing to compare" in text.replace("\n", " ")
    assert NOT_READ.split("(")[0].strip() in " ".join(text.split())


def test_pauses_are_no_work():
    times = ["2026-01-01T10:00:00.000+00:00", "2026-01-01T10:00:30.000+00:00"]
    assert _work(times) == 30
    assert _work([*times, "2026-01-01T12:00:00.000+00:00"]) == 30 + PAUSE
