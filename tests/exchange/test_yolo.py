"""YOLO: read by Datumaro as it was meant, and back into the same records."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from format_samples import (
    SIZE,
    boxes,
    frames,
    keypoints,
    picture,
    polygons,
    read_back,
    real_frames,
    same_records,
    validate,
    written,
)
from hypothesis import HealthCheck, given, settings

from napari_fada.errors import ExchangeError
from napari_fada.exchange import yolo
from napari_fada.exchange.items import HOLES
from napari_fada.exchange.yolo import FORMAT, most_points
from napari_fada.records.geometry import bounds, rasterise
from napari_fada.vocabulary import vocabulary
from record_samples import box, polygon

RELAXED = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PLACED = "images/train/a.png"


@pytest.mark.parametrize(
    ("task", "records"),
    [("detect", boxes()), ("segment", polygons(holes=False)), ("pose", keypoints())],
)
def test_what_is_written_is_read_back(tmp_path_factory, task, records):
    @RELAXED
    @given(frames(records))
    def holds(frame):
        root = tmp_path_factory.mktemp("yolo")
        frame = replace(frame, image=PLACED)
        written(FORMAT, root, frame, choices={"task": task})
        (got,), problems = read_back(FORMAT, root)
        assert problems == []
        same_records(got.annotations, frame.annotations, atol=1e-3)
        assert (got.view, got.image, got.group) == (frame.view, PLACED, frame.group)

    holds()


def test_parts_become_rows_and_come_back_as_one_and_holes_are_counted(tmp_path):
    parts = polygon("Brain", uid="1" * 32)
    far = tuple((x + 60, y + 20) for x, y in parts.points)
    hole = ((20.0, 20.0), (22.0, 20.0), (22.0, 22.0))
    record = replace(parts, points=((10, 10), (40, 10), (40, 40), (10, 40)), rings=(far, hole))
    frame = replace(next(iter(_one(record))), image=PLACED)
    tally = written(FORMAT, tmp_path, frame, choices={"task": "segment"})
    assert (tally.left_out[HOLES], tally.notes[yolo.PARTS]) == (1, 1)
    lines = (tmp_path / "labels/train/a.txt").read_text().splitlines()
    assert len(lines) == 2
    (got,), problems = read_back(FORMAT, tmp_path)
    assert problems == []
    (back,) = got.annotations
    assert (back.uid, len(back.rings)) == (record.uid, 1)
    assert np.allclose(back.rings[0], far)


def _one(*records):
    from napari_fada.exchange.frames import FrameRecords

    yield FrameRecords("images/a.png", *SIZE, tuple(records))


def test_what_the_task_has_no_place_for_is_counted(tmp_path):
    from napari_fada.records.annotation import Annotation

    points = Annotation("CRL_KP", "keypoints", ((1, 1), (5, 5)), visibility=(2, 2))
    (frame,) = _one(box("LV"), polygon("Brain"), points)
    found = {
        task: written(FORMAT, tmp_path / task, replace(frame, image=PLACED), choices={"task": task})
        for task in ("detect", "segment", "pose")
        if (tmp_path / task).mkdir() is None
    }
    assert {t: dict(+c.left_out) for t, c in found.items()} == {
        "detect": {yolo.POINTS: 1},
        "segment": {yolo.NO_OUTLINE: 2},
        "pose": {yolo.NO_POINTS: 2},
    }
    assert {t: c.written["rows"] for t, c in found.items()} == {
        "detect": 2,
        "segment": 1,
        "pose": 1,
    }


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
        if a.type == dm.AnnotationType.bbox:
            rows.append([names[a.label], [a.x, a.y, a.x + a.w, a.y + a.h]])
        elif a.type == dm.AnnotationType.polygon:
            rows.append([names[a.label], list(map(float, a.points))])
    out.append([item.id, item.subset, rows])
print(json.dumps(out))
"""


def test_datumaro_reads_the_same_boxes_and_outlines(data_dir, tmp_path):
    real = [
        replace(f, image=f"images/{split}/{f.image[7:]}", split=split)
        for f, split in zip(real_frames(data_dir), ["train", "val"] * 3, strict=True)
    ]
    written(FORMAT, tmp_path, *real, choices={"task": "detect"})
    found = json.loads(validate(_DATUMARO, "yolo", tmp_path).splitlines()[-1])
    assert len(found) == len(real)
    want = {f.image.split("/")[-1][:-4]: f for f in real}
    for name, subset, rows in found:
        frame = want[name.split("/")[-1]]
        assert subset == frame.split
        assert [label for label, _ in rows] == [a.category for a in frame.annotations]
        for (_, corners), record in zip(rows, frame.annotations, strict=True):
            assert np.allclose(corners, np.ravel(bounds(record)), atol=0.02)


def test_real_outlines_keep_their_pixels(data_dir, tmp_path):
    real = [replace(f, image=f"images/train/{f.image[7:]}") for f in real_frames(data_dir)]
    written(FORMAT, tmp_path, *real, choices={"task": "segment"})
    sizes = {f.image: (f.width, f.height) for f in real}
    from napari_fada.exchange.writers import ReadOptions

    got = list(FORMAT.reader(tmp_path, ReadOptions(size_of=sizes.__getitem__)))
    want = {f.image: f for f in real}
    for frame in got:
        shape = frame.height, frame.width
        for a, b in zip(frame.annotations, want[frame.image].annotations, strict=True):
            assert (rasterise(a, shape) == rasterise(b, shape)).all()


def test_class_numbers_and_empty_files(tmp_path):
    (frame,) = _one()
    written(FORMAT, tmp_path, replace(frame, image=PLACED), dataset="Heads: one", choices={})
    assert (tmp_path / "labels/train/a.txt").read_text() == ""
    import yaml

    data = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert data["names"] == {i: c.name for i, c in enumerate(vocabulary().categories)}
    assert (data["train"], data["val"], data["dataset"]) == ("images/train",) * 2 + ("Heads: one",)
    written(FORMAT, tmp_path, replace(frame, image=PLACED), choices={"task": "pose"})
    data = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert data["kpt_shape"] == [most_points(), 3]
    assert set(data["names"].values()) == {c.name for c in vocabulary().categories if c.points}


def foreign(tmp_path, text, names="names: [Brain, CSP, what]\n"):
    picture(tmp_path / "images" / "x.jpg")
    (tmp_path / "labels").mkdir(exist_ok=True)
    (tmp_path / "labels" / "x.txt").write_text(text)
    if names:
        (tmp_path / "data.yaml").write_text(names)
    return read_back(FORMAT, tmp_path)


def test_files_of_others_are_read(tmp_path):
    (frame,), problems = foreign(
        tmp_path, "1 0.5 0.5 0.25 0.5\n0 0.1 0.1 0.4 0.1 0.4 0.4\n\n1 0.5 0.5 0.25 0.5 0.75\n"
    )
    assert (frame.image, problems) == ("images/x.jpg", [])
    one, two, three = frame.annotations
    assert (one.category, one.points) == ("CSP", ((60, 30), (100, 90)))
    assert (two.category, two.points[0]) == ("Brain", (16, 12))
    assert (three.kind, three.score, three.source) == ("box", 0.75, "import")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("9 0.5 0.5 0.1 0.1", "there is no class 9"),
        ("2 0.5 0.5 0.1 0.1", "unknown class 'what'"),
        ("x 0.5 0.5 0.1 0.1", "invalid literal"),
        ("0 0.5 0.5 0.1", "3 values"),
        ("0 0.1 0.1 0.4 0.1 0.4 0.4 0.5", "7 values"),
        ("0 nan 0.5 0.1 0.1", "no number"),
        ("0 2.5 0.5 0.1 0.1", "outside"),
        ("0 0.5 0.5 0 0.1", "no area"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_read(tmp_path, line, says):
    (frame,), (problem,) = foreign(tmp_path, f"1 0.5 0.5 0.25 0.5\n{line}\n1 0.5 0.5 0.25 0.5\n")
    assert len(frame.annotations) == 2
    assert (problem.file, problem.where) == ("labels/x.txt", "line 2")
    assert says in problem.what


def test_numbers_without_names_mean_nothing(tmp_path):
    with pytest.raises(ExchangeError, match="class numbers") as error:
        foreign(tmp_path, "0 0.5 0.5 0.1 0.1\n", names="")
    assert "classes.txt" in error.value.todo
    (tmp_path / "classes.txt").write_text("LV\n")
    (frame,), _ = read_back(FORMAT, tmp_path)
    assert frame.annotations[0].category == "LV"
    (tmp_path / "data.yaml").write_text("names: [a: b: c")
    with pytest.raises(ExchangeError, match="cannot be read"):
        read_back(FORMAT, tmp_path)
    with pytest.raises(ExchangeError):
        read_back(FORMAT, tmp_path / "images")


def test_a_label_file_without_its_image_is_named(tmp_path):
    from napari_fada.exchange.importing import ImageFinder
    from napari_fada.exchange.writers import Problem, ReadOptions

    foreign(tmp_path, "1 0.5 0.5 0.25 0.5\n")
    (tmp_path / "images" / "x.jpg").unlink()
    found = list(FORMAT.reader(tmp_path, ReadOptions(size_of=ImageFinder(tmp_path).size_of)))
    (problem,) = found
    assert isinstance(problem, Problem)
    assert "not in" in problem.what
