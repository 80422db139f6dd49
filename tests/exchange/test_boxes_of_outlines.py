"""Every form gives a structure one box: that around its outline, unless it was set apart."""

from __future__ import annotations

import csv
import dataclasses
import json
from xml.etree import ElementTree

import pytest
from test_export_steps import scan_file

from napari_fada.exchange.export import export_records
from napari_fada.exchange.importing import import_records
from napari_fada.exchange.items import PARTS
from napari_fada.exchange.request import ExportRequest, Selection
from napari_fada.exchange.selection import FITTED
from napari_fada.exchange.writers import load_format
from napari_fada.pipeline import PromptSet
from napari_fada.records import history, linking, tables
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import bounds
from napari_fada.records.project import Project

SIZE = (1000, 500)
RING = (*((300.0 + 7 * i, 120.0 + i % 7) for i in range(40)), (580.0, 400.0), (300.0, 390.0))
AROUND = bounds(Annotation("Brain", "polygon", RING))
CORNERS = ("x1", "y1", "x2", "y2")
SIGNED = {"source": "expert", "status": "accepted", "rater": "Anna"}


@pytest.fixture
def scan(tmp_path):
    return scan_file(tmp_path / "scans", "a.png", size=SIZE[::-1])


@pytest.fixture
def project(tmp_path, scan):
    """Give a project as an earlier version left it: the signed box lies off its outline."""
    with Project.open(tmp_path / "p.fada", rater="Anna") as opened:
        opened.add_scan(scan)
        put(opened, scan, outline(), box())
        yield opened


def outline(points=RING, **more):
    return Annotation("Brain", "polygon", points, **{**SIGNED, **more})


def box(points=((310.0, 110.0), (590.0, 395.0)), **more):
    return Annotation("Brain", "box", points, **{**SIGNED, **more})


def put(project, scan, *records):
    with project._store.write() as c:
        for record in records:
            tables.put_record(c, scan.sha256, 0, record)
        cells = {f"record/{record.uid}": "1" for record in records}
        history.do(c, scan.sha256, 0, cells, label="as it was", rater="Anna")


def export(project, folder, form, **choices):
    request = ExportRequest(Selection(), prompts=PromptSet.load(), choices=choices)
    return export_records(project, folder / form, load_format(form), request)


def boxes_in(folder, form):
    """Return the boxes that a data set gives, in pixels."""
    width, height = SIZE
    out = folder / form
    if form == "coco":
        (path,) = (out / "annotations").glob("*.json")
        rows = [a["bbox"] for a in json.loads(path.read_text())["annotations"]]
        return [((x, y), (x + w, y + h)) for x, y, w, h in rows]
    if form == "yolo":
        (path,) = (out / "labels").rglob("*.txt")
        rows = [[float(v) for v in line.split()[1:]] for line in path.read_text().splitlines()]
        return [
            (
                ((x - w / 2) * width, (y - h / 2) * height),
                ((x + w / 2) * width, (y + h / 2) * height),
            )
            for x, y, w, h in rows
        ]
    if form == "voc":
        (path,) = (out / "Annotations").glob("*.xml")
        rows = [json.loads(e.findtext("fada")) for e in ElementTree.parse(path).iter("object")]
        return [((x1, y1), (x2, y2)) for x1, y1, x2, y2 in (row["box"] for row in rows)]
    if form == "cvat":
        (row,) = ElementTree.parse(out / "annotations.xml").iter("box")
        x1, y1, x2, y2 = (float(row.get(name)) for name in ("xtl", "ytl", "xbr", "ybr"))
        return [((x1, y1), (x2, y2))]
    if form == "labelme":
        (path,) = (p for p in out.rglob("*.json") if "shapes" in json.loads(p.read_text()))
        shapes = json.loads(path.read_text())["shapes"]
        return [tuple(map(tuple, s["points"])) for s in shapes if s["shape_type"] == "rectangle"]
    with (out / "annotations.csv").open(encoding="utf-8") as file:
        rows = [[float(r[f"{name}_px"]) for name in CORNERS] for r in csv.DictReader(file)]
    return [((x1, y1), (x2, y2)) for x1, y1, x2, y2 in rows]


def answers(folder, task):
    lines = (folder / "fada" / "fada.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row["meta"]["task"] == task]
    return [
        item["bbox_2d"]
        for row in rows
        for item in json.loads(row["messages"][1]["content"][0]["text"])
    ]


FORMS = {"coco": 1, "yolo": 1, "voc": 1, "cvat": 1, "labelme": 1, "csv": 2}


@pytest.mark.parametrize("form", FORMS)
def test_the_box_is_that_around_the_outline(project, tmp_path, form):
    summary = export(project, tmp_path, form)
    assert summary.notes[FITTED] == 1
    found = boxes_in(tmp_path, form)
    assert len(found) == FORMS[form]  # where boxes are taught, a structure is one of them
    for corners in found:
        for ours, theirs in zip(AROUND, corners, strict=True):
            assert ours == pytest.approx(theirs, abs=0.006)  # CVAT has two places
    (record,) = (a for a in project.annotations(*key(project)) if a.kind == "box")
    assert record.points == ((310.0, 110.0), (590.0, 395.0))  # what was signed stays as it is


def key(project):
    return project.scans()[0].sha256, 0


def test_both_questions_of_a_conversation_give_one_box(project, tmp_path):
    export(project, tmp_path, "fada")
    assert answers(tmp_path, "detect") == answers(tmp_path, "segment") == [[300, 240, 580, 800]]


def test_an_outline_of_many_vertices_has_the_box_of_all_of_them(project, tmp_path, scan):
    t = [i / 200 for i in range(200)]
    spikes = ((640.0, 100.0), *((660.0 + 200 * x, 120.0 + 3 * (i % 5)) for i, x in enumerate(t)))
    put(project, scan, outline((*spikes, (899.0, 300.0), (640.0, 300.0))))
    export(project, tmp_path, "fada")
    assert answers(tmp_path, "detect")[1] == answers(tmp_path, "segment")[1] == [640, 200, 899, 600]


def test_parts_are_noted(project, tmp_path):
    part = ((700.0, 50.0), (800.0, 50.0), (800.0, 90.0))
    other = ((850.0, 50.0), (900.0, 50.0), (900.0, 90.0))
    record = Annotation("CSP", "polygon", part, rings=(other,), **SIGNED)
    project.edit(*key(project), add=[record])
    assert export(project, tmp_path, "fada").notes[PARTS] == 1


@pytest.mark.parametrize("form", ["coco", "cvat", "geojson", "labelme"])
def test_a_box_that_was_set_apart_has_its_own_place_and_keeps_it(project, tmp_path, form):
    found = {a.kind: a for a in project.annotations(*key(project))}
    moved = ((100.0, 110.0), (380.0, 395.0))
    wish = dataclasses.replace(found["box"], points=moved)
    project.edit(*key(project), replace={wish.uid: wish})
    export(project, tmp_path, "fada")
    assert answers(tmp_path, "detect") == [[100, 220, 380, 790]]
    assert answers(tmp_path, "segment") == [[300, 240, 580, 800]]
    export(project, tmp_path, "yolo")
    (found,) = boxes_in(tmp_path, "yolo")
    assert [*found[0], *found[1]] == pytest.approx([100, 110, 380, 395], abs=1e-3)
    export(project, tmp_path, form)
    with Project.open(tmp_path / "other.fada", rater="Ben") as other:
        images = tmp_path / form / "images"
        summary = import_records(other, tmp_path / form, load_format(form), images=images)
        assert (summary.records, summary.fitted) == (2, 0)
        back = {a.kind: a for a in other.annotations(*key(other))}
        assert back["box"].points == moved
        assert linking.unlinked(other.state(*key(other))) == {back["box"].uid: back["polygon"].uid}


def test_an_outline_that_was_corrected_elsewhere_brings_its_box(project, tmp_path):
    export(project, tmp_path, "coco")
    (path,) = (tmp_path / "coco" / "annotations").glob("*.json")
    data = json.loads(path.read_text())
    (row,) = data["annotations"]
    row["polygon"] = [[300.0, 100.0, 600.0, 100.0, 600.0, 420.0]]
    path.write_text(json.dumps(data))
    with Project.open(tmp_path / "other.fada", rater="Ben") as other:
        images = tmp_path / "coco" / "images"
        import_records(other, tmp_path / "coco", load_format("coco"), images=images)
        found = other.annotations(*key(other))
        assert [(a.kind, bounds(a)) for a in found] == [
            ("polygon", ((300.0, 100.0), (600.0, 420.0))),
            ("box", ((300.0, 100.0), (600.0, 420.0))),
        ]


@pytest.mark.usefixtures("scan")
def test_boxes_that_come_in_off_their_outlines_are_counted(tmp_path):
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": SIZE[0], "height": SIZE[1]}],
        "categories": [{"id": 1, "name": "Brain"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [310, 110, 280, 285]},
            {
                **{"id": 2, "image_id": 1, "category_id": 1, "bbox": [300, 100, 300, 320]},
                "segmentation": [[300.0, 100.0, 600.0, 100.0, 600.0, 420.0]],
            },
        ],
    }
    path = tmp_path / "scans" / "labels.json"
    path.write_text(json.dumps(coco))
    with Project.open(tmp_path / "p.fada", rater="Ben") as project:
        summary = import_records(project, path, load_format("coco"))
        assert summary.fitted == 1
        assert {bounds(a) for a in project.annotations(*key(project))} == {
            ((300.0, 100.0), (600.0, 420.0))
        }
