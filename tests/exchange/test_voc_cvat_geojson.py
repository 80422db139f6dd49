"""Pascal VOC, CVAT and GeoJSON: out and back, by their own rules, and what goes wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from format_samples import (
    SIZE,
    boxes,
    frames,
    polygons,
    read_back,
    real_frames,
    same_records,
    validate,
    written,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import shape as to_shape

from napari_fada.errors import ExchangeError
from napari_fada.exchange import cvat, geojson, voc
from napari_fada.exchange.frames import FrameRecords
from napari_fada.records.geometry import area, bounds, rasterise, to_shapely
from napari_fada.vocabulary import vocabulary
from record_samples import box, polygon

RELAXED = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@RELAXED
@given(frames(boxes()))
def test_voc_is_read_back(tmp_path_factory, frame):
    root = tmp_path_factory.mktemp("voc")
    frame = replace(frame, image="JPEGImages/a.png")
    written(voc.FORMAT, root, frame)
    (got,), problems = read_back(voc.FORMAT, root)
    assert problems == []
    same_records(got.annotations, frame.annotations, atol=0)
    assert (got.image, got.view, got.group) == (frame.image, frame.view, frame.group)


@RELAXED
@given(frames())
def test_cvat_is_read_back(tmp_path_factory, frame):
    root = tmp_path_factory.mktemp("cvat")
    written(cvat.FORMAT, root, frame)
    (got,), problems = read_back(cvat.FORMAT, root)
    assert problems == []
    same_records(got.annotations, frame.annotations, atol=0.00501)
    assert (got.view, got.spacing_mm, got.group, got.sha256) == (
        *(frame.view, frame.spacing_mm, frame.group, frame.sha256),
    )


@RELAXED
@given(frames())
def test_geojson_is_read_back(tmp_path_factory, frame):
    root = tmp_path_factory.mktemp("geojson")
    written(geojson.FORMAT, root, frame)
    (got,), problems = read_back(geojson.FORMAT, root)
    assert problems == []
    assert [(a.uid, a.category, a.kind, a.rater, a.score) for a in got.annotations] == [
        (a.uid, a.category, a.kind, a.rater, a.score) for a in frame.annotations
    ]
    for a, b in zip(got.annotations, frame.annotations, strict=True):
        if a.kind == "polygon":
            assert to_shapely(a).symmetric_difference(to_shapely(b)).area < 1e-9
            assert (rasterise(a, SIZE[::-1]) == rasterise(b, SIZE[::-1])).all()
        else:
            assert (a.points, a.visibility) == (b.points, b.visibility)
    assert (got.image, got.view) == (frame.image, frame.view)


def test_voc_counts_pixels_from_one_and_keeps_what_another_program_moved(tmp_path):
    record = replace(box("CSP"), points=((10.25, 20.0), (30.0, 40.5)))
    frame = FrameRecords(
        "JPEGImages/a.png", *SIZE, (record, polygon("Brain"), box("LV")), split="val"
    )
    tally = written(voc.FORMAT, tmp_path, frame)
    assert tally.notes[voc.OUTLINES] == 1
    path = tmp_path / "Annotations" / "a.xml"
    first = ElementTree.parse(path).getroot().find("object/bndbox")
    assert [e.text for e in first] == ["11", "21", "30", "41"]
    assert (tmp_path / "ImageSets/Main/val.txt").read_text() == "a\n"
    path.write_text(path.read_text().replace("<xmax>30<", "<xmax>50<"))
    (got,), _ = read_back(voc.FORMAT, tmp_path)
    assert got.annotations[0].points == ((10, 20), (50, 41))
    assert got.annotations[1].uid == ""  # a box, and no longer the outline that had this uid


_DATUMARO = """
import json, sys
import datumaro as dm
form, root = sys.argv[1:]
data = dm.Dataset.import_from(root, form)
names = [c.name for c in data.categories()[dm.AnnotationType.label]]
out = []
for item in data:
    rows = []
    for a in item.annotations:
        kind = a.type.name
        if kind == "bbox":
            rows.append([names[a.label], kind, [a.x, a.y, a.x + a.w, a.y + a.h]])
        elif kind in ("polygon", "points"):
            rows.append([names[a.label], kind, list(map(float, a.points))])
        elif kind == "label":
            rows.append([names[a.label], kind, []])
    out.append([item.id, item.subset, rows])
print(json.dumps(out))
"""


def test_datumaro_reads_cvat_as_it_was_meant(data_dir, tmp_path):
    sides = ("train", "val", "train", "val")
    real = [replace(f, split=s) for f, s in zip(real_frames(data_dir, 2), sides, strict=True)]
    real[0] = replace(real[0], annotations=(*real[0].annotations, box("LV")), view="BPD_PLANE")
    written(cvat.FORMAT, tmp_path, *real)
    found = json.loads(validate(_DATUMARO, "cvat", tmp_path).splitlines()[-1])
    want = {f.image.removeprefix("images/").removesuffix(".png"): f for f in real}
    assert {name for name, *_ in found} == set(want)
    for name, subset, rows in found:
        frame = want[name]
        assert subset == frame.split
        shapes = [r for r in rows if r[1] != "label"]
        rings = [(a, r) for a in frame.annotations for r in (a.points, *a.rings)]
        assert sorted(label for label, *_ in shapes) == sorted(a.category for a, _ in rings)
        for label, kind, numbers in shapes:
            assert kind == ("bbox" if label == "LV" else "polygon")
            if kind == "bbox":
                near = [np.ravel(bounds(a)) for a, _ in rings if a.kind == "box"]
            else:
                near = [np.ravel(r) for a, r in rings if a.category == label]
            assert any(len(n) == len(numbers) and np.allclose(n, numbers, atol=0.011) for n in near)
        tags = {label for label, kind, _ in rows if kind == "label"}
        assert tags == ({"BPD_PLANE"} if frame.view else set())


def test_datumaro_reads_voc_as_it_was_meant(data_dir, tmp_path):
    real = [
        replace(f, image=f"JPEGImages/{f.image[7:]}", split="train")
        for f in real_frames(data_dir, 2)
    ]
    written(voc.FORMAT, tmp_path, *real)
    labels = "\n".join(f"{c.name}:0,0,{c.id}::" for c in vocabulary().categories)
    (tmp_path / "labelmap.txt").write_text(f"background:0,0,0::\n{labels}\n")
    found = json.loads(validate(_DATUMARO, "voc", tmp_path).splitlines()[-1])
    want = {f.image[11:-4]: f for f in real}
    assert {name for name, *_ in found} == set(want)
    for name, _subset, rows in found:
        shapes = [r for r in rows if r[1] == "bbox"]
        for (label, _, corners), record in zip(shapes, want[name].annotations, strict=True):
            assert label == record.category
            # Its reader takes the numbers as they are, from 1; ours are whole pixels outwards.
            assert np.allclose(corners, np.ravel(bounds(record)), atol=1.01)


def test_geojson_is_what_the_rfc_wants(data_dir, tmp_path):
    hole = ((20.0, 20.0), (30.0, 20.0), (30.0, 30.0), (20.0, 30.0))
    far = ((100.0, 20.0), (110.0, 20.0), (110.0, 30.0))
    outer = ((10.0, 10.0), (50.0, 10.0), (50.0, 50.0), (10.0, 50.0))
    record = replace(polygon("Brain"), points=outer, rings=(hole, far))
    knot = replace(polygon("Brain"), points=((0, 0), (10, 10), (10, 0), (0, 10)))
    real = next(iter(real_frames(data_dir, 1)))
    tally = written(
        geojson.FORMAT, tmp_path, FrameRecords("images/a.png", *SIZE, (record, knot)), real
    )
    assert tally.notes[geojson.CROSSED] == 1
    data = json.loads((tmp_path / "labels" / "a.geojson").read_text())
    one = data["features"][0]
    assert (one["type"], one["geometry"]["type"]) == ("Feature", "MultiPolygon")
    form = to_shape(one["geometry"])
    assert form.is_valid
    assert form.area == pytest.approx(1600 - 100 + 50) == area(record)
    for part in form.geoms:
        assert part.exterior.is_ccw
        assert not any(r.is_ccw for r in part.interiors)
    assert data["coordinates"].startswith("pixels")
    colour = one["properties"]["classification"]["color"]
    assert "#{:02x}{:02x}{:02x}".format(*colour) == vocabulary().by_name["Brain"].colour


@RELAXED
@given(frames(st.one_of(boxes(), polygons())))
def test_every_geojson_geometry_is_valid(frame):
    for record in frame.annotations:
        found, changed = geojson.feature(record, SIZE)
        assert to_shape(found["geometry"]).is_valid
        assert not changed


# What goes wrong


def test_broken_xml_says_where_and_entities_do_nothing(tmp_path):
    (tmp_path / "annotations.xml").write_text("<annotations>\n<image>\n</annotations>")
    with pytest.raises(ExchangeError, match="line 3, column"):
        read_back(cvat.FORMAT, tmp_path)
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><annotations>&b;</annotations>'
    (tmp_path / "annotations.xml").write_text(bomb)
    with pytest.raises(ExchangeError, match="entities"):
        read_back(cvat.FORMAT, tmp_path)
    (tmp_path / "annotations.xml").write_text("<other/>")
    with pytest.raises(ExchangeError, match="no file of CVAT"):
        read_back(cvat.FORMAT, tmp_path)
    for form in (cvat.FORMAT, voc.FORMAT, geojson.FORMAT):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(ExchangeError) as error:
            read_back(form, tmp_path / "empty")
        assert error.value.todo


IMAGE = '<image id="0" name="a.png" width="160" height="120">{}</image>'


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ('<box label="LV" xtl="1" ytl="1" xbr="9"/>', "no 'ybr'"),
        ('<box label="LV" xtl="a" ytl="1" xbr="9" ybr="9"/>', "could not convert"),
        ('<box label="LV" xtl="nan" ytl="1" xbr="9" ybr="9"/>', "no number"),
        ('<box label="LV" xtl="1" ytl="1" xbr="9" ybr="9" rotation="20"/>', "turned box"),
        ('<box label="what" xtl="1" ytl="1" xbr="9" ybr="9"/>', "unknown class 'what'"),
        ('<box label="LV" xtl="500" ytl="500" xbr="900" ybr="900"/>', "outside"),
        ('<polygon label="Brain" points="1,1;2,2"/>', "three corners"),
        ('<polygon label="Brain" points="1,1;2"/>', "not enough values"),
        ('<polyline label="Brain" points="1,1;2,2"/>', "polyline is no structure"),
    ],
)
def test_a_bad_shape_of_cvat_is_named_and_the_others_are_read(tmp_path, bad, says):
    good = '<box label="LV" xtl="1" ytl="1" xbr="9" ybr="9"/>'
    text = f"<annotations>{IMAGE.format(good + bad + good)}</annotations>"
    (tmp_path / "annotations.xml").write_text(text)
    (frame,), (problem,) = read_back(cvat.FORMAT, tmp_path)
    assert len(frame.annotations) == 2
    assert problem.where == "image a.png, shape 2"
    assert says in problem.what


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("<object><name>LV</name></object>", "no 'bndbox'"),
        ("<object/>", "no 'name'"),
        (
            "<object><name>LV</name><bndbox><xmin>9</xmin><ymin>1</ymin><xmax>2</xmax>"
            "<ymax>5</ymax></bndbox></object>",
            "swapped",
        ),
    ],
)
def test_a_bad_object_of_voc_is_named_and_the_others_are_read(tmp_path, bad, says):
    good = (
        "<object><name>lv</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax>"
        "<ymax>5</ymax></bndbox></object>"
    )
    size = "<size><width>160</width><height>120</height></size>"
    text = f"<annotation><filename>a.png</filename>{size}{good}{bad}{good}</annotation>"
    (tmp_path / "a.xml").write_text(text)
    (tmp_path / "b.xml").write_text("<annotation/>")
    (frame,), problems = read_back(voc.FORMAT, tmp_path)
    assert [a.points for a in frame.annotations] == [((0, 0), (2, 5))] * 2
    assert [(p.file, p.where) for p in problems] == [("a.xml", "object 2"), ("b.xml", "")]
    assert says in problems[0].what


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"geometry": {"type": "Polygon", "coordinates": []}}, "no class"),
        ({"geometry": None, "properties": {"class": "LV"}}, "geometry is no object"),
        (
            {"geometry": {"type": "LineString", "coordinates": []}, "properties": {"class": "LV"}},
            "LineString is no structure",
        ),
        (
            {
                "geometry": {"type": "Polygon", "coordinates": [[[1, 1], [2, None], [3, 3]]]},
                "properties": {"class": "Brain"},
            },
            "no number",
        ),
        (
            {
                "geometry": {"type": "Polygon", "coordinates": [[[1, 1], [2, 2], [1, 1]]]},
                "properties": {"classification": {"name": "Brain"}},
            },
            "three corners",
        ),
    ],
)
def test_a_bad_feature_is_named_and_the_others_are_read(tmp_path, bad, says):
    ring = [[1, 1], [9, 1], [9, 9], [1, 1]]
    good = {
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"classification": {"name": "Brain"}},
    }
    (tmp_path / "a.geojson").write_text(json.dumps({"features": [good, bad, good]}))
    (frame,), (problem,) = read_back(geojson.FORMAT, tmp_path)
    assert (frame.image, len(frame.annotations)) == ("a.png", 2)
    assert (problem.file, problem.where) == ("a.geojson", "feature 2")
    assert says in problem.what
