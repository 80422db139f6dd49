"""U2-BENCH: its files, our answers to its questions, its metrics on examples worked by hand."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_fada.cli import app
from napari_fada.evaluate.u2bench import (
    NOT_VISIBLE,
    answer_of,
    cell_of,
    options_of,
    pixel_size,
    read_rows,
    truth_of,
)
from napari_fada.evaluate.u2metrics import class_scores, text_scores, value_scores
from napari_fada.exchange.writers import Problem
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse
from napari_fada.records.reading import Mapping, ModelRef, Reading, ScanRef

SIZE = (200, 100)
COLUMNS = (
    *("dataset_name", "img_data", "patient_id", "prompt", "anatomy_location", "demographic"),
    *("classification_task", "class_label", "options", "seg_data", "seg_channel_name", "gt_bbox"),
    *("keypoints", "measurement", "caption", "report", "notes"),
)


def image_text(path=None):
    buffer = io.BytesIO()
    if path is None:
        Image.fromarray(np.zeros(SIZE[::-1], np.uint8)).save(buffer, "PNG")
    else:
        buffer.write(path.read_bytes())
    return base64.b64encode(buffer.getvalue()).decode()


def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, delimiter="\t", restval="")
        table.writeheader()
        table.writerows({"img_data": image_text(), **row} for row in rows)
    return path


def rows_of(path):
    found = list(read_rows(path))
    return (
        [r for r in found if not isinstance(r, Problem)],
        [p for p in found if isinstance(p, Problem)],
    )


def one(tmp_path, folder, **cells):
    (row,), problems = rows_of(write(tmp_path / folder / "data.tsv", cells))
    assert problems == []
    return row


def said(*annotations, view=None, classes=(), **fields):
    return Reading(
        ScanRef("a.png", "0" * 64, *SIZE, 0),
        ModelRef("m", "", "", "", ""),
        interpretation=fields,
        view=view,
        mapping=Mapping(tuple(classes), (), "x") if classes else None,
        annotations=tuple(annotations),
    )


def box(category, x1, y1, x2, y2, score=0.5):
    return Annotation(category, "box", ((x1, y1), (x2, y2)), score=score)


# Places


@pytest.mark.parametrize(
    ("x", "y", "cell"),
    [
        (0.10, 0.10, "upper left"),
        (0.50, 0.10, "upper center"),
        (0.90, 0.10, "upper right"),
        (0.10, 0.50, "middle left"),
        (0.50, 0.50, "center"),
        (0.90, 0.50, "middle right"),
        (0.10, 0.90, "lower left"),
        (0.50, 0.90, "lower center"),
        (0.90, 0.90, "lower right"),
        (0.44, 0.56, "lower left"),  # the middle band is narrow
        (0.45, 0.55, "center"),
    ],
)
def test_the_nine_places(x, y, cell):
    px, py = x * SIZE[0], y * SIZE[1]
    assert cell_of(((px - 5, py - 5), (px + 5, py + 5)), SIZE) == cell


def test_a_place_is_that_of_our_best_box(tmp_path):
    cells = {"dataset_name": "77", "class_label": "LV", "gt_bbox": "[[20, 10, 40, 20]]"}
    row = one(tmp_path, "organ_detection", **cells)
    assert truth_of(row) == "upper left"
    answer = said(
        box("LV", 150, 60, 190, 90, 0.2),
        box("LV", 10, 10, 30, 30, 0.9),
        box("CSP", 90, 45, 110, 55),
    )
    assert answer_of(row, answer) == "upper left"
    assert answer_of(row, said(box("CSP", 0, 0, 9, 9))) == NOT_VISIBLE
    row = one(tmp_path, "organ_detection", **{**cells, "gt_bbox": "[0.8, 0.8, 0.9, 0.9]"})
    assert truth_of(row) == "lower right"  # in parts of the image
    row = one(tmp_path, "keypoint_detection", **{**cells, "keypoints": "[[100, 50]]"})
    assert truth_of(row) == "center"


# Labels


def test_orientations_are_our_views(tmp_path):
    cells = {
        "dataset_name": "10",
        "class_label": "hdvb",
        "options": "['hdvb','hdvf','huvb','huvf']",
    }
    row = one(tmp_path, "view_recognition_and_assessment", **cells)
    assert options_of(row) == ["hdvb", "hdvf", "huvb", "huvf"]
    assert answer_of(row, said(view="hdvb")) == truth_of(row) == "hdvb"


@pytest.mark.parametrize(
    ("reading", "plane"),
    [
        (said(view="BPD_PLANE"), "Fetal brain"),
        (said(view="V sign"), "Fetal thorax"),
        (said(view="AC_PLANE"), "Fetal abdomen"),
        (said(view="FL"), "Fetal femur"),
        (said(view="huvf", classes=["fetal_head"]), "Maternal cervix"),
        (said(view="Other"), "Other"),
        (said(), "Other"),
    ],
)
def test_planes_by_view_or_by_what_was_mapped(tmp_path, reading, plane):
    options = "Fetal abdomen; Fetal brain; Fetal femur; Fetal thorax; Maternal cervix; Other"
    cells = {"dataset_name": "03_planes", "class_label": plane, "options": options}
    row = one(tmp_path, "view_recognition_and_assessment", **cells)
    assert answer_of(row, reading) == plane


def test_what_was_found_in_labour_and_the_abdominal_plane(tmp_path):
    head, symphysis = box("fetal_head", 0, 0, 9, 9), box("pubic_symphysis", 0, 0, 9, 9)
    row = one(tmp_path, "view_recognition_and_assessment", dataset_name="53", class_label="None")
    assert [answer_of(row, said(*a)) for a in ((), (head,), (symphysis,), (head, symphysis))] == [
        "None",
        "OnlyFetalHead",
        "OnlySymphysisPubis",
        "SymphysisPubis+FetalHead",
    ]
    row = one(tmp_path, "view_recognition_and_assessment", dataset_name="50", class_label="optimal")
    assert answer_of(row, said(view="AC_PLANE")) == "optimal"
    assert answer_of(row, said(view="abdomen")) == "suboptimal"


# Values


def test_a_circumference_needs_an_outline_and_a_size_of_a_pixel(tmp_path):
    prompt = "Measure HC. The pixel size is 2.0 mm."
    cells = {"dataset_name": "31", "prompt": prompt, "measurement": "283.6 mm"}
    row = one(tmp_path, "clinical_value_estimation", **cells)
    assert (pixel_size(row), truth_of(row)) == (2.0, "283.6")
    head = Annotation("head", "polygon", Ellipse(60, 50, 25, 20, 0.3).polygon())
    assert float(answer_of(row, said(head))) == pytest.approx(283.617, abs=0.01)
    assert answer_of(row, said(box("head", 0, 0, 9, 9))) == ""
    bare = replace(row, cells={**row.cells, "prompt": "Measure HC."})
    assert answer_of(bare, said(head)) == ""


def test_value_metrics_by_hand():
    # The range is 100: errors of 0, 10 and 30 are 0, 0.1 and 0.3 of it; one is no number.
    found = value_scores(["100", "150", "150", "120"], ["100", "160", "120", "?"], (100, 200))
    assert (found.n, found.dropped) == (3, 1)
    assert found.mae == pytest.approx(0.4 / 3)
    assert found.rmse == pytest.approx(math.sqrt((0.01 + 0.09) / 3))
    assert found.within == pytest.approx(2 / 3)
    spread = [abs(v - 0.4 / 3) for v in (0, 0.1, 0.3)]
    assert found.sd == pytest.approx(math.sqrt(sum(v * v for v in spread) / 3))
    assert value_scores(["1"], [""], (0, 1)).rmse is None


def test_label_metrics_by_hand():
    found = class_scores(
        ["A", "A", "B", "B", "C"], ["a", "B", "b", "b", "x"], [["A", "B", "C"]] * 5
    )
    assert found.accuracy == pytest.approx(3 / 5)
    # A: 1 of 1 said, 1 of 2 true; B: 2 of 3 said, 2 of 2 true; C: nothing.
    assert found.precision == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert found.recall == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert found.f1 == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)
    assert found.parsed == pytest.approx(4 / 5)


def test_text_metrics_by_hand():
    found = text_scores(
        ["the head is round and clear", "a b"], ["the head is round and clear", "a b"]
    )
    assert found.bleu4 == pytest.approx(100)
    assert found.rouge_l == pytest.approx(100)
    half = text_scores(["one two three four"], ["one two five six"])
    assert half.rouge_l == pytest.approx(50)


def test_our_report_is_the_text(tmp_path):
    row = one(tmp_path, "caption_generation", dataset_name="1", caption="a head")
    answer = said(imaging_plane="axial", anatomical_structures="head", image_quality=" ")
    assert answer_of(row, answer) == "head axial"
    assert truth_of(row) == "a head"


# Files


def test_bad_rows_and_files_are_named_and_the_others_are_read(tmp_path):
    good = {"dataset_name": "10", "class_label": "hdvb"}
    path = write(
        tmp_path / "view_recognition_and_assessment" / "a.tsv",
        good,
        {**good, "img_data": "no image"},
        good,
    )
    write(tmp_path / "strange" / "b.tsv", good)
    (tmp_path / "organ_detection").mkdir()
    (tmp_path / "organ_detection" / "c.tsv").write_text("a\tb\n1\t2\n")
    found, problems = rows_of(tmp_path)
    assert len(found) == 2
    assert {(p.file, p.where) for p in problems} == {
        ("a.tsv", "row 2"),
        ("b.tsv", ""),
        ("c.tsv", ""),
    }
    assert path.exists()


def test_a_model_is_scored_and_nothing_of_the_data_is_written(data_dir, tmp_path):
    heads = sorted((data_dir / "hc18" / "images").glob("*.png"))[400:402]
    labour = sorted((data_dir / "psfhs" / "images").glob("*.png"))[:2]
    options = "Fetal abdomen; Fetal brain; Fetal femur; Fetal thorax; Maternal cervix; Other"
    write(
        tmp_path / "u2" / "view_recognition_and_assessment" / "a.tsv",
        *(
            {
                "dataset_name": "03",
                "img_data": image_text(p),
                "class_label": "Fetal brain",
                "options": options,
                "patient_id": "secret-patient",
            }
            for p in heads
        ),
        *(
            {
                "dataset_name": "53",
                "img_data": image_text(p),
                "class_label": "SymphysisPubis+FetalHead",
            }
            for p in labour
        ),
    )
    write(
        tmp_path / "u2" / "clinical_value_estimation" / "b.tsv",
        {
            "dataset_name": "31",
            "img_data": image_text(heads[0]),
            "prompt": "pixel size 0.1 mm",
            "measurement": "200",
        },
        {"dataset_name": "31", "img_data": image_text(heads[0]), "prompt": "pixel size 0.1 mm"},
    )
    out = tmp_path / "out"
    arguments = ["benchmark", "u2", str(tmp_path / "u2"), "--out", str(out), "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1, done.output
    found = json.loads(done.stdout.splitlines()[-1])
    views = found["scores"]["view_recognition_and_assessment"]
    assert views["03"]["n"] == views["53"]["n"] == 2
    assert views["03"]["accuracy"] == 1
    assert found["scores"]["clinical_value_estimation"]["31"]["n"] == 1
    assert found["problems"] == ["b.tsv, row 2: it has no measurement"]
    assert "CC BY-NC-ND" in found["licence"]
    written = b"".join(p.read_bytes() for p in out.rglob("*") if p.is_file())
    assert b"secret-patient" not in written
    assert not list(out.rglob("*.png"))
