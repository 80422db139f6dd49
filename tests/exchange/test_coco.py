"""COCO: read by pycocotools as it was meant, and back into the same records."""

from __future__ import annotations

import gzip
import json
import zipfile

import numpy as np
import pytest
from format_samples import SIZE, frames, read_back, real_frames, same_records, written
from hypothesis import HealthCheck, given, settings
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from napari_fada.errors import ExchangeError
from napari_fada.exchange.coco import FORMAT
from napari_fada.exchange.coco_read import unpacked_runs
from napari_fada.records.geometry import rasterise
from napari_fada.vocabulary import vocabulary

RELAXED = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@RELAXED
@given(frames())
def test_what_is_written_is_read_back(tmp_path_factory, frame):
    root = tmp_path_factory.mktemp("coco")
    written(FORMAT, root, frame)
    (got,), problems = read_back(FORMAT, root)
    assert problems == []
    same_records(got.annotations, frame.annotations, atol=5e-4)
    assert (got.view, got.spacing_mm, got.spacing_origin) == (
        *(frame.view, frame.spacing_mm, frame.spacing_origin),
    )
    assert (got.width, got.height, got.group, got.sha256) == (*SIZE, frame.group, frame.sha256)


@RELAXED
@given(frames())
def test_pycocotools_sees_the_same_pixels(tmp_path_factory, frame):
    root = tmp_path_factory.mktemp("coco")
    written(FORMAT, root, frame)
    coco = COCO(root / "annotations" / "instances_all.json")
    found = coco.loadAnns(coco.getAnnIds())
    assert len(found) == len(frame.annotations)
    for row, record in zip(found, frame.annotations, strict=True):
        assert coco.cats[row["category_id"]]["name"] == record.category
        if record.kind == "polygon":
            mask = rasterise(record, SIZE[::-1])
            assert (coco.annToMask(row).astype(bool) == mask).all()
            assert row["area"] == mask.sum()
        if record.kind == "keypoints":
            assert row["num_keypoints"] == sum(v > 0 for v in record.visibility)


def test_real_labels_come_back_to_the_pixel_and_agree_with_themselves(data_dir, tmp_path):
    real = list(real_frames(data_dir))
    tally = written(FORMAT, tmp_path, *real)
    assert tally.written["annotations"] == sum(len(f.annotations) for f in real)
    got, problems = read_back(FORMAT, tmp_path)
    assert problems == []
    for a, b in zip(got, real, strict=True):
        for one, two in zip(a.annotations, b.annotations, strict=True):
            shape = (b.height, b.width)
            assert (rasterise(one, shape) == rasterise(two, shape)).all()
    truth = COCO(tmp_path / "annotations" / "instances_all.json")
    results = [{**row, "score": 0.9} for row in truth.dataset["annotations"]]
    for kind in ("bbox", "segm"):
        run = COCOeval(truth, truth.loadRes(results), kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
        assert run.stats[0] == pytest.approx(1.0)


def test_categories_have_frozen_numbers_and_sides_files_of_their_own(tmp_path):
    from dataclasses import replace

    from napari_fada.exchange.frames import FrameRecords
    from record_samples import box

    one = FrameRecords("images/a.png", *SIZE, (box("LV"),), split="train")
    two = replace(one, image="images/b.png", annotations=(), split="val")
    written(FORMAT, tmp_path, one, two, licence="CC BY 4.0", dataset="Heads")
    train, val = (
        json.loads((tmp_path / "annotations" / f"instances_{s}.json").read_text())
        for s in ("train", "val")
    )
    assert [(c["id"], c["name"]) for c in train["categories"]] == [
        (c.id, c.name) for c in vocabulary().categories
    ]
    crl = next(c for c in train["categories"] if c["name"] == "CRL_KP")
    assert (crl["keypoints"], crl["skeleton"]) == (["crown", "rump"], [[1, 2]])
    assert train["licenses"] == [{"id": 1, "name": "CC BY 4.0"}]
    assert [len(d["images"]) for d in (train, val)] == [1, 1]
    assert [len(d["annotations"]) for d in (train, val)] == [1, 0]
    assert train["images"][0]["id"] != val["images"][0]["id"]


def test_what_was_measured_stands_beside_its_structure(tmp_path):
    from napari_fada.exchange.frames import FrameRecords
    from napari_fada.records.annotation import Annotation
    from napari_fada.records.ellipse import Ellipse

    head = Annotation("head", "polygon", Ellipse(80, 60, 50, 40, 0.0).polygon(), source="expert")
    frame = FrameRecords("images/a.png", *SIZE, (head,), spacing_mm=(0.5, 0.5))
    written(FORMAT, tmp_path, frame)
    data = json.loads((tmp_path / "annotations" / "instances_all.json").read_text())
    found = data["annotations"][0]["attributes"]["measurements"]
    assert found["hc"] == {"value": pytest.approx(141.81, abs=0.01), "unit": "mm"}
    assert found["bpd_oo"]["value"] == pytest.approx(40, abs=0.01)


def foreign(**changes):
    """Return a COCO file as others write it."""
    data = {
        "images": [{"id": 7, "file_name": "x.png", "width": 10, "height": 10}],
        "categories": [{"id": 3, "name": "Brain"}, {"id": 4, "name": "CSP"}],
        "annotations": [],
    }
    return {**data, **changes}


def read(tmp_path, data, name="x.json", **more):
    (tmp_path / name).write_text(data if isinstance(data, str) else json.dumps(data))
    return read_back(FORMAT, tmp_path / name, **more)


def row(number=1, **more):
    return {"id": number, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], **more}


def test_files_of_others_are_read_by_the_rules_of_the_form(tmp_path):
    block = np.zeros((10, 10), np.uint8)
    block[2:5, 3:9] = 1
    packed = masks.encode(np.asfortranarray(block))
    text = packed["counts"].decode()
    rows = [
        row(1),
        row(2, segmentation=[[1, 1, 5, 1, 5, 4, 1, 4, 1, 1]]),
        row(3, segmentation=[[1, 1, 4, 1, 4, 4, 1, 4], [3, 1, 6, 1, 6, 4, 3, 4]]),
        row(4, segmentation={"size": [10, 10], "counts": text}),
        row(5, segmentation={"size": [10, 10], "counts": unpacked_runs(text)}),
    ]
    (frame,), problems = read(tmp_path, foreign(annotations=rows))
    assert problems == []
    kinds = [(a.kind, a.source, a.status, a.uid) for a in frame.annotations]
    assert kinds == [
        ("box", "import", "accepted", ""),
        *[("polygon", "import", "accepted", "")] * 4,
    ]
    assert frame.annotations[0].points == ((1, 2), (4, 6))
    assert len(frame.annotations[1].points) == 4  # the closing vertex is not kept
    # Parts that overlap are one area, not an area with a hole.
    assert rasterise(frame.annotations[2], (10, 10)).sum() == 15
    for record in frame.annotations[3:]:
        assert (rasterise(record, (10, 10)) == block.astype(bool)).all()


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (row(2, image_id=99), "annotation 2: there is no image 99"),
        (row(2, category_id=99), "annotation 2: there is no category 99"),
        ({"id": 2, "image_id": 7}, "annotation 2: it has no 'category_id'"),
        (row(2, segmentation=[[1, 1, 5, 1, 5]]), "a polygon of 5 numbers"),
        (row(2, segmentation=[[1, 1, 5, "x", 5, 5]]), "could not convert"),
        (row(2, segmentation=[[1, 1, 5, float("nan"), 5, 5]]), "no number"),
        (row(2, segmentation=[[50, 50, 60, 50, 60, 60]]), "outside the image"),
        (row(2, segmentation={"size": [9, 10], "counts": [90]}), "its mask is 10×9"),
        (row(2, segmentation={"size": [10, 10], "counts": [10**9]}), "do not fill the image"),
        (row(2, segmentation={"size": [10, 10], "counts": "zzzzzz"}), "its mask"),
        (row(2, segmentation={"size": [10, 10], "counts": [100]}), "its mask is empty"),
        (row(2, bbox=[1, 2, -3, 4]), "negative size"),
        (row(2, bbox=[1, 2, 3]), "not enough values"),
        (row(2, bbox=None), "bbox is no list"),
        (row(2, iscrowd=1), "a crowd"),
        (row(2, keypoints=[1, 2, 7]), "visibility"),
        (row(2, keypoints=[1, 2]), "2 numbers"),
        (row(2, segmentation=[[0, 1] * 500_000]), "500,000 vertices"),
        (row(1), "annotation 1: this id stands twice"),
        ("nothing", "it is no object"),
    ],
)
def test_a_bad_annotation_is_named_and_the_others_are_read(tmp_path, bad, says):
    (frame,), problems = read(tmp_path, foreign(annotations=[row(1), bad, row(3)]))
    assert len(frame.annotations) >= 2
    (problem,) = problems
    assert says in str(problem)
    assert problem.file == "x.json"


def test_bad_images_and_categories_are_named(tmp_path):
    data = foreign(
        images=[
            {"id": 7, "file_name": "x.png", "width": 10, "height": 10},
            {"id": 7, "file_name": "y.png", "width": 10, "height": 10},
            {"id": 8, "file_name": "z.png", "width": 10**6, "height": 10**6},
            {"id": 9, "width": 10, "height": 10},
        ],
        categories=[
            {"id": 3, "name": "brain"},
            {"id": 4, "name": "tumour"},
            {"id": 3, "name": "LV"},
        ],
        annotations=[row(1), row(2, category_id=4)],
    )
    (frame,), problems = read(tmp_path, data)
    assert [a.category for a in frame.annotations] == ["Brain"]
    assert [str(p) for p in problems] == [
        "x.json, category 4: unknown class 'tumour' (map it: tumour=ours)",
        "x.json, category 3: this id stands twice; the first counts",
        "x.json, image 7: this id is that of x.png already",
        "x.json, image 3: 1000000×1000000 is no size of an image",
        "x.json, image 4: it has no 'file_name'",
    ]
    (frame,), problems = read(tmp_path, data, mapping={"tumour": "LV"})
    assert [a.category for a in frame.annotations] == ["Brain", "LV"]


@pytest.mark.parametrize(
    "data", ['{"images": [\n{"id": 1,}\n]}', "[1, 2]", '"text"', '{"images": 3}', "[" * 100_000]
)
def test_a_file_that_is_no_coco_says_where(tmp_path, data):
    with pytest.raises(ExchangeError) as error:
        read(tmp_path, data)
    assert "x.json" in error.value.what
    if data.startswith('{"images": [\n'):
        assert "line 2, column" in error.value.what


def test_packed_files_are_read_and_bombs_are_refused(tmp_path):
    data = json.dumps(foreign(annotations=[row(1)])).encode()
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(data))
    with zipfile.ZipFile(tmp_path / "b.json.zip", "w") as archive:
        archive.writestr("b.json", data)
    for name in ("a.json.gz", "b.json.zip"):
        (frame,), problems = read_back(FORMAT, tmp_path / name)
        assert (len(frame.annotations), problems) == (1, [])
    with zipfile.ZipFile(tmp_path / "bomb.json.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.json", b" " * 50_000_000)
    (tmp_path / "bomb.json.gz").write_bytes(gzip.compress(b" " * 50_000_000))
    for name in ("bomb.json.zip", "bomb.json.gz"):
        assert (tmp_path / name).stat().st_size < 100_000
        with pytest.raises(ExchangeError, match="more than 1,000,000 bytes"):
            read_back(FORMAT, tmp_path / name, max_bytes=1_000_000)
    (tmp_path / "cut.json.gz").write_bytes(gzip.compress(data)[:-10])
    with pytest.raises(ExchangeError, match="cannot be read"):
        read_back(FORMAT, tmp_path / "cut.json.gz")
