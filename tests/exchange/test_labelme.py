"""LabelMe: read by its own loader as it was meant, and back into the same records."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from format_samples import (
    SIZE,
    boxes,
    frames,
    picture,
    polygons,
    read_back,
    real_frames,
    same_records,
    validate,
    written,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_fada.errors import ExchangeError
from napari_fada.exchange.labelme import FORMAT
from napari_fada.records.geometry import area, rasterise

RELAXED = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@RELAXED
@given(frames())
def test_what_is_written_is_read_back(tmp_path_factory, frame):
    root = tmp_path_factory.mktemp("labelme")
    written(FORMAT, root, frame)
    (got,), problems = read_back(FORMAT, root)
    assert problems == []
    same_records(got.annotations, frame.annotations, atol=0)
    assert (got.image, got.view, got.spacing_mm) == (frame.image, frame.view, frame.spacing_mm)


# The loader of LabelMe without its window: what it needs of Qt is never called.
_LABELME = """
import json, sys
from unittest.mock import MagicMock
for name in ("onnxruntime", "PyQt5", "PyQt5.QtCore", "PyQt5.QtGui", "PyQt5.QtWidgets"):
    sys.modules[name] = MagicMock()
from labelme._label_file import read_label_file, write_label_file
import dataclasses
out = []
for path in sys.argv[1:]:
    found = read_label_file(path)
    shapes = [{k: s[k] for k in ("label", "points", "shape_type", "group_id", "other_data")}
              for s in found.shapes]
    out.append([str(found.image_path), shapes, found.flags])
print(json.dumps(out))
"""


def test_its_own_loader_reads_the_same_shapes(data_dir, tmp_path):
    real = list(real_frames(data_dir))
    written(FORMAT, tmp_path, *real)
    paths = [tmp_path / f.image.replace(".png", ".json") for f in real]
    found = json.loads(validate(_LABELME, *paths).splitlines()[-1])
    for frame, (image, shapes, _flags) in zip(real, found, strict=True):
        assert image == frame.image.split("/")[-1]
        rings = [r for a in frame.annotations for r in (a.points, *a.rings)]
        assert [s["shape_type"] for s in shapes] == ["polygon"] * len(rings)
        for shape, ring in zip(shapes, rings, strict=True):
            assert np.array_equal(shape["points"], ring)
        # Keys of ours outlive a save in LabelMe.
        assert all("fada" in s["other_data"] for s in shapes)
    got, problems = read_back(FORMAT, tmp_path)
    assert problems == []
    want = {f.image: f for f in real}
    for frame in got:
        for a, b in zip(frame.annotations, want[frame.image].annotations, strict=True):
            shape = frame.height, frame.width
            assert (rasterise(a, shape) == rasterise(b, shape)).all()


@settings(RELAXED, max_examples=2)
@given(st.lists(st.one_of(boxes(), polygons()), min_size=1, max_size=3))
def test_the_loader_takes_every_kind_of_ours(tmp_path_factory, records):
    from napari_fada.exchange.frames import FrameRecords

    root = tmp_path_factory.mktemp("labelme")
    written(FORMAT, root, FrameRecords("images/a.png", *SIZE, tuple(records), view="V sign"))
    ((_, shapes, flags),) = json.loads(
        validate(_LABELME, root / "images" / "a.json").splitlines()[-1]
    )
    assert len(shapes) == sum(1 + len(r.rings) for r in records)
    assert flags == {"V sign": True}


def shape(kind, points, label="Brain", **more):
    return {"label": label, "shape_type": kind, "points": points, "group_id": None, **more}


def foreign(tmp_path, *shapes, **more):
    picture(tmp_path / "x.png")
    data = {
        "version": "5.0.1",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": "..\\somewhere\\x.png",
        "imageData": None,
        "imageHeight": SIZE[1],
        "imageWidth": SIZE[0],
        **more,
    }
    (tmp_path / "x.json").write_text(json.dumps(data))
    return read_back(FORMAT, tmp_path)


def test_files_of_others_are_read(tmp_path):
    block = np.zeros((20, 30), np.uint8)
    block[3:9, 4:20] = 255
    buffer = io.BytesIO()
    Image.fromarray(block).save(buffer, "PNG")
    mask = base64.b64encode(buffer.getvalue()).decode()
    (frame,), problems = foreign(
        tmp_path,
        shape("rectangle", [[50, 60], [10, 20]]),
        shape("polygon", [[1, 1], [9, 1], [9, 9], [1, 1]]),
        shape("circle", [[60, 60], [80, 60]], "fetal head"),
        shape("mask", [[40, 50], [69, 69]], mask=mask),
        shape("point", [[5, 5]], "CRL_KP", group_id=4),
        shape("point", [[50, 5]], "CRL_KP", group_id=4),
        flags={"BPD plane": True, "nice": True},
    )
    assert problems == []
    assert (frame.image, frame.view) == ("x.png", "BPD_PLANE")
    rectangle, polygon, circle, painted, points = frame.annotations
    assert rectangle.points == ((10, 20), (50, 60))
    assert len(polygon.points) == 3
    assert circle.category == "fetal_head"
    assert area(circle) == pytest.approx(np.pi * 400, rel=5e-4)
    assert rasterise(painted, SIZE[::-1]).sum() == 6 * 16
    assert rasterise(painted, SIZE[::-1])[53:59, 44:60].all()
    assert points.points == ((5, 5), (50, 5))
    assert {a.source for a in frame.annotations} == {"import"}
    assert {a.uid for a in frame.annotations} == {""}


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (shape("line", [[1, 1], [5, 5]]), "a line is no structure"),
        (shape("polygon", [[1, 1], [5, 5]]), "three corners"),
        (shape("polygon", [[1, 1], [5, float("nan")], [5, 5]]), "no number"),
        (shape("polygon", [[1, 1], [5, "a"], [5, 5]]), "could not convert"),
        (shape("rectangle", [[500, 500], [600, 600]]), "outside"),
        (shape("rectangle", [[1, 1], [6, 6]], "tumour"), "unknown class 'tumour'"),
        (shape("mask", [[1, 1], [6, 6]], mask="????"), "cannot be decoded"),
        ({"points": []}, "no 'label'"),
        (3, "no object"),
    ],
)
def test_a_bad_shape_is_named_and_the_others_are_read(tmp_path, bad, says):
    good = shape("rectangle", [[1, 1], [6, 6]])
    (frame,), (problem,) = foreign(tmp_path, good, bad, good)
    assert len(frame.annotations) == 2
    assert (problem.file, problem.where) == ("x.json", "shape 2")
    assert says in problem.what


def test_a_bad_file_does_not_stop_the_others(tmp_path):
    foreign(tmp_path, shape("rectangle", [[1, 1], [6, 6]]))
    (tmp_path / "a.json").write_text('{"shapes": [')
    (tmp_path / "b.json").write_text("[]")
    (tmp_path / "c.json").write_text("{}")
    got, problems = read_back(FORMAT, tmp_path)
    assert len(got) == 1
    assert [p.file for p in problems] == ["a.json", "b.json", "c.json"]
    assert "line 1, column" in problems[0].what
    (tmp_path / "empty").mkdir()
    with pytest.raises(ExchangeError, match="no LabelMe files"):
        read_back(FORMAT, tmp_path / "empty")
