"""Outlines that are curves: each form says the curve, and ours come back with their corners."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from format_samples import read_back, written
from PIL import Image

from napari_fada.exchange import coco, cvat, geojson, labelme, masks, yolo
from napari_fada.exchange.corners import with_corners
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally, build_items
from napari_fada.measure.ellipse import measured_ellipse
from napari_fada.records import geometry as g
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse

SIZE = (160, 120)
HEAD = Annotation(
    "Brain",
    "polygon",
    tuple((round(x, 3), round(y, 3)) for x, y in Ellipse(80, 60, 55, 42, 0.3).polygon(12)),
    uid="0123456789abcdef",
    status="accepted",
    source="expert",
)
WHOLE = math.pi * 55 * 42
FRAME = FrameRecords("images/a.png", *SIZE, (HEAD,), spacing_mm=(0.5, 0.5), spacing_origin="csv")
FORMS = {"coco": coco, "yolo": yolo, "labelme": labelme, "cvat": cvat, "geojson": geojson}


def area_of(points):
    return g.ring_area([tuple(p[:2]) for p in points])


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("more", [(), (((70.0, 50.0), (90.0, 50.0), (80.0, 70.0)),)])
def test_corners_come_back_from_our_own_export(name, more, tmp_path):
    record = replace(HEAD, rings=more if name != "yolo" else ())
    choices = {"task": "segment"} if name == "yolo" else {}
    image = "images/train/a.png" if name == "yolo" else FRAME.image
    frame = replace(FRAME, annotations=(record,), image=image)
    written(FORMS[name].FORMAT, tmp_path, frame, choices=choices)
    (frame,), problems = read_back(FORMS[name].FORMAT, tmp_path)
    assert problems == []
    (back,) = frame.annotations
    assert np.allclose(back.points, record.points, atol=1e-6)
    assert len(back.rings) == len(record.rings)
    for ring, other in zip(back.rings, record.rings, strict=True):
        assert np.allclose(sorted(ring), sorted(other), atol=0.006)  # some forms round, or turn it


def test_polygons_of_other_programs_forms_are_the_curve(tmp_path):
    for name, form in FORMS.items():
        choices = {"yolo": {"task": "segment"}, "coco": {"segmentation": "polygon"}}.get(name, {})
        (tmp_path / name).mkdir()
        written(form.FORMAT, tmp_path / name, FRAME, choices=choices)
    pairs = {
        "yolo": np.array(
            (tmp_path / "yolo/labels/train/a.txt").read_text().split()[1:], float
        ).reshape(-1, 2)
        * SIZE,
        "labelme": json.loads((tmp_path / "labelme/images/a.json").read_text())["shapes"][0][
            "points"
        ],
        "geojson": json.loads(next((tmp_path / "geojson").rglob("*.geojson")).read_text())[
            "features"
        ][0]["geometry"]["coordinates"][0],
    }
    data = json.loads(next((tmp_path / "coco").rglob("*.json")).read_text())["annotations"][0]
    pairs["coco"] = np.reshape(data["segmentation"][0], (-1, 2))
    pairs["coco, our key"] = np.reshape(data["polygon"][0], (-1, 2))
    for name, points in pairs.items():
        assert area_of(points) == pytest.approx(WHOLE, rel=2e-3), name
    assert data["area"] == pytest.approx(WHOLE, rel=4e-3)
    (x1, y1), (x2, y2) = g.bounds(HEAD)
    assert data["bbox"] == pytest.approx((x1, y1, x2 - x1, y2 - y1), abs=1e-3)


def test_a_polygon_that_was_moved_elsewhere_counts_and_not_its_corners(tmp_path):
    written(labelme.FORMAT, tmp_path, FRAME)
    path = tmp_path / "images" / "a.json"
    data = json.loads(path.read_text())
    data["shapes"][0]["points"][7][0] += 3.0
    path.write_text(json.dumps(data))
    (frame,), _ = read_back(labelme.FORMAT, tmp_path)
    assert len(frame.annotations[0].points) == len(data["shapes"][0]["points"])


@pytest.mark.parametrize(
    "told", ["[[", 7, [[1, 2]], [[["x", 1]]], [[[1, 2]] * 3], None, [[[1e999, 1]]]]
)
def test_odd_corners_are_left_aside(told):
    line = Annotation("Brain", "polygon", g.outlines(HEAD)[0])
    assert with_corners(line, {"corners": told}) is line
    as_liver = replace(line, category="liver")
    corners = [[list(p) for p in HEAD.points]]
    assert with_corners(as_liver, {"corners": corners}) is as_liver
    assert with_corners(line, {"corners": corners}).points == HEAD.points


def test_the_head_of_an_exported_mask_is_the_head_that_is_shown(tmp_path):
    written(masks.FORMAT, tmp_path, FRAME)
    path = next(p for p in tmp_path.rglob("*.png") if p.parent.name != "images")
    with Image.open(path) as file:
        mask = np.asarray(file) > 0
    traced = g.mask_to_annotation(mask, "Brain")
    shown, out = (measured_ellipse(r, None).circumference for r in (HEAD, traced))
    assert out == pytest.approx(shown, rel=1e-3)


def test_an_answer_has_the_corners_and_the_box_of_the_curve():
    for task in ("segment", "detect"):
        (item,) = build_items(task, [HEAD], ["Brain"], SIZE, Tally())
        x1, y1, x2, y2 = item.answer["bbox_2d"]
        (a, b), (c, d) = g.bounds(HEAD)
        assert (x1, y1, x2, y2) == pytest.approx(
            (a * 1000 / 160, b * 1000 / 120, c * 1000 / 160, d * 1000 / 120), abs=1
        )
        assert len(item.answer.get("mask", HEAD.points)) == 12
