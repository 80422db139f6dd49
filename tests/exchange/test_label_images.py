"""Label images: exact to the pixel, and masks of others with what their values mean."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from format_samples import (
    SIZE,
    frames,
    picture,
    polygons,
    read_back,
    real_frames,
    written,
)
from hypothesis import HealthCheck, given, settings
from PIL import Image

from napari_fada.errors import ExchangeError
from napari_fada.exchange import masks
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.masks import FORMAT, label_image
from napari_fada.records.geometry import rasterise
from napari_fada.vocabulary import vocabulary
from record_samples import box, polygon

SHAPE = SIZE[::-1]


@pytest.mark.parametrize("choices", [{}, {"file": "tiff"}, {"overlap": "classes"}])
def test_what_is_written_is_read_back_to_the_pixel(tmp_path_factory, choices):
    @settings(
        deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(frames(polygons()))
    def holds(frame):
        root = tmp_path_factory.mktemp("masks")
        written(FORMAT, root, frame, choices=choices)
        (got,), problems = read_back(FORMAT, root) if (root / "masks").exists() else ((frame,), [])
        assert problems == []
        if choices.get("overlap") == "classes":
            for name in {a.category for a in frame.annotations}:
                union = _union(a for a in frame.annotations if a.category == name)
                assert (_union(a for a in got.annotations if a.category == name) == union).all()
        else:
            assert (label_image(got, Tally()) == label_image(frame, Tally())).all()
        assert (got.view, got.spacing_mm) == (frame.view, frame.spacing_mm)

    holds()


def _union(records):
    return np.any([rasterise(a, SHAPE) for a in records] or [np.zeros(SHAPE, bool)], axis=0)


def test_a_class_that_stands_once_keeps_who_said_so(tmp_path):
    one = polygon("Brain", uid="a" * 32, rater="rater-1", status="corrected", source="model")
    written(FORMAT, tmp_path, FrameRecords("images/a.png", *SIZE, (one, box("LV"))))
    (got,), _ = read_back(FORMAT, tmp_path)
    (record,) = got.annotations
    assert (record.uid, record.rater, record.status) == (one.uid, "rater-1", "corrected")
    labels = json.loads((tmp_path / "labels.json").read_text())["labels"]
    assert {row["value"]: row["class"] for row in labels} == {
        c.id: c.name for c in vocabulary().categories
    }
    with Image.open(tmp_path / "masks" / "a.png") as mask:
        assert mask.mode == "P"
        value = vocabulary().by_name["Brain"].id
        assert set(np.unique(np.asarray(mask))) == {0, value}
        colour = mask.getpalette()[3 * value : 3 * value + 3]
    assert "#{:02x}{:02x}{:02x}".format(*colour) == vocabulary().by_name["Brain"].colour


def test_what_one_value_cannot_say_is_counted(tmp_path):
    big = replace(polygon("Brain"), points=((5, 5), (90, 5), (90, 90), (5, 90)))
    small = replace(polygon("cardiac"), points=((20, 20), (40, 20), (40, 40), (20, 40)))
    twin = replace(polygon("cardiac"), points=((100, 20), (120, 20), (120, 40), (100, 40)))
    frame = FrameRecords("images/a.png", *SIZE, (small, big, twin, box("LV")))
    tally = written(FORMAT, tmp_path, frame)
    assert tally.notes[masks.HIDDEN] == 1
    assert tally.notes[masks.MERGED] == 1
    assert tally.left_out[masks.NO_AREA] == 1


def test_real_masks_come_in_to_the_pixel(data_dir):
    hc18, psfhs = data_dir / "hc18", data_dir / "psfhs"
    some = sorted((hc18 / "images").glob("*.png"))[:4]

    class Few(type(hc18)):
        """The folder with a few of its files, so that the test is quick."""

        def rglob(self, pattern):
            return [p for p in super().rglob(pattern) if p.name in {s.name for s in some}]

    got, problems = read_back(
        FORMAT, Few(hc18 / "images"), masks=Few(hc18 / "masks"), category="head"
    )
    assert problems == []
    assert [f.image for f in got] == [p.name for p in some]
    for frame in got:
        with Image.open(hc18 / "masks" / frame.image) as mask:
            truth = np.asarray(mask) > 0
        (record,) = frame.annotations
        assert (rasterise(record, truth.shape) == truth).all()
        assert (record.category, record.source, record.status) == ("head", "import", "accepted")
    some = sorted((psfhs / "images").glob("*.png"))[:4]
    meaning = {1: "pubic_symphysis", 2: "fetal_head"}
    got, problems = read_back(
        FORMAT, Few(psfhs / "images"), masks=Few(psfhs / "labels"), values=meaning
    )
    assert problems == []
    for frame in got:
        with Image.open(psfhs / "labels" / frame.image) as mask:
            truth = np.asarray(mask)
        for record in frame.annotations:
            value = next(v for v, name in meaning.items() if name == record.category)
            assert (rasterise(record, truth.shape) == (truth == value)).all()
        assert frame.asked == {"segment": (("fetal_head", "pubic_symphysis"),)}


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b", "sub/c"):
        picture(tmp_path / "images" / f"{name}.png")
    (tmp_path / "masks" / "sub").mkdir(parents=True)
    return tmp_path


def block(value=1, dtype=np.uint8, shape=SHAPE):
    mask = np.zeros(shape, dtype)
    mask[10:20, 30:50] = value
    return mask


def read(folder, **more):
    return read_back(FORMAT, folder / "images", masks=folder / "masks", **more)


def test_masks_of_every_depth_are_read(folder):
    Image.fromarray(block(255)).convert("1").save(folder / "masks" / "a.png")
    tifffile.imwrite(folder / "masks" / "b_mask.tif", block(1000, np.uint16))
    Image.fromarray(np.stack([block(7)] * 3, -1)).save(folder / "masks" / "sub" / "c.png")
    got, problems = read(folder, category="Brain")
    assert problems == []
    assert [f.image for f in got] == ["a.png", "b.png", "sub/c.png"]
    for frame in got:
        (record,) = frame.annotations
        assert (rasterise(record, SHAPE) == (block() > 0)).all()


def test_an_empty_mask_is_a_negative_and_an_outline_is_filled(folder):
    Image.fromarray(block(0)).save(folder / "masks" / "a.png")
    ring = block(255)
    ring[12:18, 32:48] = 0
    Image.fromarray(ring).save(folder / "masks" / "b_Annotation.png")
    got, problems = read(folder, category="head")
    assert [len(f.annotations) for f in got] == [0, 1]
    assert got[0].asked == {"segment": (("head",),)}
    assert rasterise(got[1].annotations[0], SHAPE).sum() == 200
    assert [str(p) for p in problems] == ["sub/c.png: 1 images have no mask, this is the first"]


def test_a_stack_is_the_frames_of_a_clip(folder):
    stack = np.stack([block(), block(0), block()])
    tifffile.imwrite(folder / "masks" / "a.tif", stack, photometric="minisblack")
    got, _ = read(folder, category="head")
    assert [(f.image, f.frame, len(f.annotations)) for f in got] == [
        ("a.png", 0, 1),
        ("a.png", 1, 0),
        ("a.png", 2, 1),
    ]


@pytest.mark.parametrize(
    ("make", "wish", "says"),
    [
        (lambda p: p.write_bytes(b"no image"), {"category": "head"}, "cannot be read"),
        (lambda p: Image.fromarray(block(3)).save(p), {}, "values (3) mean: name the --class"),
        (
            lambda p: Image.fromarray(block(3) + block(0)).save(p),
            {"values": {1: "head"}},
            "what the values 3 mean",
        ),
        (
            lambda p: Image.fromarray(block(3) + np.eye(*SHAPE, dtype=np.uint8)).save(p),
            {"category": "head"},
            "say what each means",
        ),
        (
            lambda p: Image.fromarray(np.dstack([block(3), block(0), block(9)])).save(p),
            {"category": "head"},
            "colour image",
        ),
    ],
)
def test_a_mask_that_says_nothing_is_named_and_the_others_are_read(folder, make, wish, says):
    if wish:
        Image.fromarray(block()).save(folder / "masks" / "b.png")
    make(folder / "masks" / "a.png")
    got, problems = read(folder, **wish)
    assert len(got) == bool(wish)
    assert problems[0].file == "a.png"
    assert says in problems[0].what


def test_other_troubles_of_folders_are_told(folder):
    Image.fromarray(block()).save(folder / "masks" / "z.png")
    got, problems = read(folder, category="head")
    assert got == []
    assert any(p.file == "z.png" and "no image" in p.what for p in problems)
    with pytest.raises(ExchangeError, match="no folder"):
        read_back(FORMAT, folder / "images", masks=folder / "none")
    (folder / "empty").mkdir()
    with pytest.raises(ExchangeError, match="no masks"):
        read_back(FORMAT, folder / "images", masks=folder / "empty")
    with pytest.raises(ExchangeError, match="images and masks"):
        read_back(FORMAT, folder / "empty")


def test_real_labels_go_out_and_come_back(data_dir, tmp_path):
    real = list(real_frames(data_dir, 2))
    written(FORMAT, tmp_path, *real)
    got, problems = read_back(FORMAT, tmp_path)
    assert problems == []
    want = {f.image: f for f in real}
    for frame in got:
        assert (label_image(frame, Tally()) == label_image(want[frame.image], Tally())).all()
