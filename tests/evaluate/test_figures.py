"""Figures against examples worked by hand, and against the libraries that define them."""

from __future__ import annotations

import contextlib
import io
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from napari_fada.errors import ExchangeError
from napari_fada.evaluate.areas import areas, overlaps
from napari_fada.evaluate.bootstrap import Draws, Figure
from napari_fada.evaluate.cases import (
    ONLY_ANSWER,
    ONLY_TRUTH,
    TWICE,
    Case,
    Side,
    Unpaired,
    cases_of_frames,
)
from napari_fada.evaluate.detection import detection
from napari_fada.evaluate.evaluation import NO_SCALE, OTHER_CLASS, Options, evaluate_steps
from napari_fada.evaluate.points import calibration, keypoints
from napari_fada.evaluate.reference import reference_figures
from napari_fada.evaluate.shapes import boxes_of, compare
from napari_fada.evaluate.words import NOTHING, answers, fields, rouge_l, views
from napari_fada.exchange.coco import category_objects
from napari_fada.exchange.frames import FrameRecords
from napari_fada.records.annotation import Annotation
from napari_fada.vocabulary import vocabulary

SIZE = (100, 80)


def box(x1, y1, x2, y2, category="CSP", **more):
    return Annotation(category, "box", ((x1, y1), (x2, y2)), **more)


def square(x1, y1, x2, y2, category="Brain", **more):
    ring = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    return Annotation(category, "polygon", ring, **more)


def case(truth=(), answer=(), key="a", group="", **more):
    sides = [s if isinstance(s, Side) else Side(tuple(s)) for s in (truth, answer)]
    return Case(key, f"{key}.png", SIZE, *sides, group=group or key, **more)


def draws(cases, times=0):
    return Draws([c.group for c in cases], times)


def run(cases, **options):
    steps = evaluate_steps(cases, Options(**{"bootstrap": 20, **options}))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


# Average precision


@st.composite
def samples(draw):
    """Draw frames whose answers are near the truth, far from it, missing or too many."""
    cases = []
    for number in range(draw(st.integers(1, 6))):
        truth, answer = [], []
        for _ in range(draw(st.integers(0, 4))):
            name = draw(st.sampled_from(["CSP", "LV", "Brain"]))
            x, y = draw(st.integers(0, 60)), draw(st.integers(0, 40))
            w, h = draw(st.integers(8, 30)), draw(st.integers(8, 30))
            if draw(st.booleans()):
                truth.append(square(x, y, x + w, y + h, name))
            if draw(st.booleans()):
                d = draw(st.integers(0, 6))
                score = draw(st.integers(0, 100)) / 100
                answer.append(square(x + d, y, x + w + d, y + h, name, score=score))
        cases.append(case(truth, answer, str(number)))
    return cases


@settings(deadline=None, max_examples=40)
@given(samples())
def test_precision_is_that_of_pycocotools(cases):
    for what, kind in (("boxes", "bbox"), ("outlines", "segm")):
        found = detection(cases, what, draws(cases))
        if found is None:
            assert not any(c.truth.annotations for c in cases)
            continue
        for row in found.classes:
            want = coco_stats(cases, row.category, kind)
            assert (row.ap.value, row.ap50.value, row.ap75.value) == pytest.approx(want, abs=1e-9)
        means = [np.mean([getattr(r, k).value for r in found.classes]) for k in ("ap", "ap50")]
        assert (found.ap.value, found.ap50.value) == pytest.approx(means)


def coco_stats(cases, category, kind):
    """Return AP, AP50 and AP75 as pycocotools gives them, from objects made here."""
    number = vocabulary().by_name[category].id

    def row(record, image):
        (x1, y1), *_ = record.points
        x2, y2 = record.points[2]
        flat = [float(v) for p in record.points for v in p]
        return {
            "image_id": image,
            "category_id": vocabulary().by_name[record.category].id,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
            "segmentation": [flat],
        }

    images = [{"id": i, "width": SIZE[0], "height": SIZE[1]} for i in range(len(cases))]
    truth = [row(a, i) for i, c in enumerate(cases) for a in c.truth.annotations]
    said = [
        {**row(a, i), "score": a.score} for i, c in enumerate(cases) for a in c.answer.annotations
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        gold = COCO()
        gold.dataset = {
            "images": images,
            "categories": category_objects(),
            "annotations": [{**r, "id": n} for n, r in enumerate(truth, 1)],
        }
        gold.createIndex()
        dets = COCO()
        dets.dataset = {
            "images": images,
            "categories": category_objects(),
            "annotations": [{**r, "id": n} for n, r in enumerate(said, 1)],
        }
        dets.createIndex()
        found = COCOeval(gold, dets, kind)
        found.params.catIds = [number]
        found.evaluate()
        found.accumulate()
        found.summarize()
    return tuple(max(v, 0.0) for v in found.stats[:3])


def test_a_draw_of_every_examination_once_changes_nothing():
    cases = [case([box(0, 0, 20, 20)], [box(0, 0, 20, 18, score=0.5)], str(i)) for i in range(4)]
    whole = detection(cases, "boxes", draws(cases))
    again = detection(cases, "boxes", Draws([c.group for c in cases], 50))
    assert again.ap.value == whole.ap.value
    assert again.ap.low == again.ap.high == pytest.approx(whole.ap.value)


def test_the_best_answer_counts_first_and_scores_decide():
    right, wrong = box(0, 0, 20, 20), box(50, 50, 70, 70)
    sure = case([right], [replace(right, score=0.9), replace(wrong, score=0.1)])
    unsure = case([right], [replace(right, score=0.1), replace(wrong, score=0.9)])
    assert detection([sure], "boxes", draws([sure])).ap50.value == pytest.approx(1.0)
    assert detection([unsure], "boxes", draws([unsure])).ap50.value == pytest.approx(0.5)


def test_classes_on_one_side_only_are_told():
    found = detection(
        [case([box(0, 0, 9, 9, "LV")], [box(0, 0, 9, 9, "CSP")])], "boxes", Draws(["a"], 0)
    )
    assert [(c.category, c.ap50.value) for c in found.classes] == [("LV", 0.0)]
    assert found.only_answered == {"CSP": 1}
    assert found.without_score == 1
    nothing = [case([], [box(0, 0, 9, 9)])]
    assert detection(nothing, "boxes", draws(nothing)) is None


def test_an_outline_and_its_box_are_one_structure():
    outline = square(10, 10, 40, 40)
    side = Side((box(11, 10, 40, 40, "Brain"), outline, square(60, 10, 80, 40)))
    assert [b.points for b in boxes_of(side)] == [((11, 10), (40, 40)), ((60, 10), (80, 40))]
    # Readers give records of other programs no uid: they are still told apart.
    boxes = (box(10, 10, 40, 40, "Brain", uid=""), box(60, 10, 80, 40, "Brain", uid=""))
    twice = Side((*boxes, square(10, 10, 40, 40, uid=""), square(60, 10, 80, 40, uid="")))
    assert boxes_of(twice) == list(boxes)


# Areas


def test_overlap_and_distances_by_hand():
    one, two = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    one[2:12, 5], two[2:12, 8] = True, True
    found = compare(one, two, (1.0, 0.5))
    assert (found.dice, found.iou) == (0, 0)
    assert (found.hd95_px, found.asd_px) == (3, 3)  # every pixel is three columns away
    assert (found.hd95_mm, found.asd_mm) == (1.5, 1.5)  # and a column is half a millimetre
    one[:], two[:] = False, False
    one[0:10, 0:10], two[0:10, 5:15] = True, True
    found = compare(one, two, None)
    assert found.dice == pytest.approx(2 * 50 / 200)
    assert found.iou == pytest.approx(50 / 150)
    assert found.hd95_mm is None
    assert compare(one, one, (0.2, 0.2)).hd95_mm == 0


def test_one_empty_side_is_a_miss_and_two_say_nothing():
    cases = [
        case([square(0, 0, 20, 20)], [], "a"),
        case([], [square(0, 0, 20, 20)], "b"),
        case([square(0, 0, 20, 20)], [square(0, 0, 20, 20)], "c", spacing_mm=(0.5, 0.5)),
        case([], [], "d"),
    ]
    found = areas([overlaps(c) for c in cases], cases, draws(cases))
    (row,) = found.classes
    assert (row.frames, row.missed, row.invented) == (3, 1, 1)
    assert row.dice.value == pytest.approx(1 / 3)
    assert (row.hd95_px.value, row.hd95_px.n) == (0, 1)
    assert (row.hd95_mm.value, row.hd95_mm.n) == (0, 1)
    empty = [case()]
    assert areas([overlaps(c) for c in empty], empty, draws(empty)) is None


# Views and words


def test_views_by_hand():
    said = ["A", "A", "B", "B", None, "C"]
    true = ["A", "A", "A", "B", "B", "B"]
    cases = [
        case(Side(view=t), Side(view=s), str(i))
        for i, (t, s) in enumerate(zip(true, said, strict=True))
    ]
    found = views([*cases, case(key="x")], draws([*cases, case(key="x")]))
    assert found.accuracy.value == pytest.approx(3 / 6)
    # A: 2 right of 3 true and 2 said; B: 1 right of 3 true and 2 said.
    assert found.macro_f1.value == pytest.approx((2 * 2 / 5 + 2 * 1 / 5) / 2)
    assert found.labels == ("A", "B", "C", NOTHING)
    assert found.matrix == ((2, 1, 0, 0), (0, 1, 1, 1), (0, 0, 0, 0), (0, 0, 0, 0))
    assert views([case()], draws([case()])) is None


def test_texts_by_hand():
    # "the head is round" and "the round head": the longest common part has two words.
    assert rouge_l("the head is round", "the round head") == pytest.approx(2 * 2 / (4 + 3))
    one = Side(fields={"image_quality": "good  and clear", "imaging_plane": "axial"})
    two = Side(fields={"image_quality": "good and clear"})
    quality, plane = fields([case(one, two)], Draws(["a"], 0))[::-1]
    assert (quality.field, quality.exact.value, quality.rouge_l.value) == ("image_quality", 1, 1)
    assert (plane.field, plane.exact.value, plane.token_f1.value) == ("imaging_plane", 0, 0)


def test_failed_phases_are_no_answers():
    done = {
        "interpret": "done",
        "classify": "done",
        "map": "done",
        "detect": "empty",
        "segment": "skipped",
    }
    failed = {**done, "detect": "failed", "interpret": "failed"}
    cases = [case(key="a", phases=done), case(key="b", phases=failed), case(key="c")]
    found = answers(cases, draws(cases))
    assert found.valid.value == pytest.approx(4 / 6)
    assert found.phases["detect"] == {"empty": 1, "failed": 1}
    assert found.complete.value == 0
    assert answers([case()], draws([case()])) is None
    (worst, *_) = run(cases).worst
    assert (worst.case.key, worst.why) == ("b", "failed: interpret, detect")


# Points and scores


def test_keypoints_by_hand():
    def ends(a, b, seen=(2, 2)):
        return Annotation("CRL_KP", "keypoints", (a, b), visibility=seen)

    cases = [
        case([ends((0, 0), (10, 0))], [ends((3, 4), (10, 0))], "a", spacing_mm=(0.5, 1.0)),
        case([ends((0, 0), (10, 0))], [ends((0, 0), (0, 0), (2, 0))], "b"),
    ]
    (row,) = keypoints(cases, draws(cases))
    assert (row.points, row.alone) == (3, 1)
    assert row.error_px.value == pytest.approx((5 + 0 + 0) / 3)
    assert row.error_mm.value == pytest.approx((math.hypot(3, 2) + 0) / 2)


def test_calibration_by_hand():
    right, wrong = box(0, 0, 20, 20), box(50, 50, 70, 70)
    cases = [
        case([right], [replace(right, score=0.85), replace(wrong, score=0.15)], str(i))
        for i in range(4)
    ]
    cases.append(case([], [replace(wrong, score=0.85)], "x"))
    found = calibration(cases, draws(cases, 2000))
    assert found.boxes == 9
    assert (found.bins[8].count, found.bins[8].right) == (5, pytest.approx(0.8))
    assert (found.bins[1].count, found.bins[1].right) == (4, 0)
    assert found.error.value == pytest.approx((5 * 0.05 + 4 * 0.15) / 9)
    assert (found.error.n, found.error.groups) == (9, 5)
    # Of five frames drawn k are the last: k = 0 gives 0.15, k = 1 the least, 0.094, and k = 3,
    # beyond which 0.7 % of draws lie, |2 - 5 × 0.85| + 2 × 0.15 over seven boxes.
    assert found.error.low == pytest.approx(found.error.value)
    assert found.error.high == pytest.approx(2.55 / 7)
    assert calibration([case([right], [right])], draws(cases)) is None


# The reference's own figures


def test_the_references_definitions_by_hand():
    hit, far = box(0, 0, 20, 20, "LV"), box(50, 50, 70, 70, "LV")
    # A class without a single hit still scores 1/101.
    found = reference_figures([case([hit], [far])])
    assert found.map50 == pytest.approx(0.0099, abs=5e-5)
    # The order of answers is the ranking, whatever their scores.
    late = reference_figures([case([hit], [replace(far, score=0.1), replace(hit, score=0.9)])])
    early = reference_figures([case([hit], [replace(hit, score=0.1), replace(far, score=0.9)])])
    assert early.map50 == pytest.approx(1.0)
    assert late.map50 == pytest.approx((1 + 100 * 0.5) / 101)
    # A class that only the answers have counts as 0, and halves the mean here.
    extra = reference_figures([case([hit], [hit, box(0, 0, 9, 9, "CSP")])])
    assert extra.map50 == pytest.approx(0.5)
    # IoU of 0.6: right at .50, wrong at .75, and their mean is called .50:.95.
    near = reference_figures([case([box(0, 0, 20, 10, "LV")], [box(0, 0, 12, 10, "LV")])])
    assert (near.map50, near.map75) == (pytest.approx(1), pytest.approx(1 / 101))
    assert near.map50_95 == pytest.approx((1 + 1 / 101) / 2)


def test_the_references_areas_and_labels_by_hand():
    cases = [
        case([square(0, 0, 50, 40)], [square(0, 0, 50, 40)], "a"),
        case([square(0, 0, 50, 40)], [square(50, 40, 100, 80)], "b"),
        case(Side(view="AC_PLANE"), Side(view="ac_plane"), "c"),
        case(Side(view="Other"), Side(view="Other"), "d"),
    ]
    found = reference_figures(cases)
    assert (found.dice, found.iou) == (pytest.approx(0.5), pytest.approx(0.5))
    assert (found.classification, found.classification_caseless) == (0.5, 1.0)
    # Outlines count among the boxes: two answers of one class, two truths.
    assert found.map50 == pytest.approx(_ap([True, False], 2))
    # The box that a model gives beside its outline is no second answer to the outline.
    both = [square(0, 0, 50, 40), box(0, 0, 50, 40, "Brain")]
    assert reference_figures([case(both[:1], both)]).map50 == pytest.approx(1)
    # Where the truth has both they are two samples: the outline is right, the box is missed.
    assert reference_figures([case(both, both[:1])]).map50 == pytest.approx(_ap([True], 2))


def _ap(right, wanted):
    good = np.cumsum(right)
    recall, precision = good / wanted, good / np.arange(1, len(right) + 1)
    values = []
    for r in np.linspace(0, 1, 101):
        at = precision[recall >= r]
        values.append(1.0 if r == 0 else at.max() if len(at) else 0.0)
    return np.mean(values)


# Intervals


def test_examinations_are_drawn_not_frames():
    alike = [f"g{i // 20}" for i in range(200)]  # ten examinations of twenty frames
    values = [float(i // 20 % 2) for i in range(200)]  # each all right or all wrong
    honest = Draws(alike, 2000, 1).mean(values, range(200))
    naive = Draws([str(i) for i in range(200)], 2000, 1).mean(values, range(200))
    assert honest.value == naive.value == 0.5
    assert (honest.n, honest.groups, naive.groups) == (200, 10, 200)
    assert honest.high - honest.low > 3 * (naive.high - naive.low)
    # Of ten fair coins 95 % lie between 2 and 8 heads.
    assert (honest.low, honest.high) == (pytest.approx(0.2), pytest.approx(0.8))


def test_one_examination_has_no_interval_and_one_seed_gives_one_result():
    assert Draws(["a", "a"], 100).mean([0, 1], [0, 1]) == Figure(0.5, n=2, groups=1)
    assert Draws(["a"], 100).mean([math.nan], [0]) == Figure(None)
    one, two = (Draws(list("abcdef"), 100, s).mean(range(6), range(6)) for s in (3, 3))
    assert one == two
    assert Draws(list("abcdef"), 100, 4).mean(range(6), range(6)) != one


def test_scans_are_examinations_where_none_is_known_and_that_is_said():
    cases = [case([box(0, 0, 9, 9)], [box(0, 0, 9, 9)], f"scan/{i}") for i in range(3)]
    cases = [replace(c, group="") for c in cases]
    cases.append(case([], [], "other/0", group="E1", spacing_mm=(1, 1), spacing_origin="user"))
    found = run(cases)
    assert (found.examinations, found.without_examination) == (2, 3)
    assert found.scales == {NO_SCALE: 3, "user": 1}


# Pairs


def frame(image, sha256="", number=0, shift=0):
    return FrameRecords(image, *SIZE, (box(shift, 0, 9 + shift, 9),), sha256=sha256, frame=number)


def paired(truth, answer):
    left = Unpaired()
    found = [(c.key, c.answer.annotations) for c in cases_of_frames(truth, answer, left)]
    return found, left.reasons


def test_frames_are_told_by_scan_then_by_name():
    truth = [frame("a.png", "s1"), frame("b.png", "s2"), frame("c.png", "s3"), frame("d.png")]
    answer = [frame("x.png", "s1", shift=1), frame("im/b.jpg", shift=2), frame("c.png", "s9")]
    found, left = paired(truth, answer)
    assert [said[0].points[0][0] for _, said in found] == [1, 2]
    assert left == {ONLY_TRUTH: 2, ONLY_ANSWER: 1}


def test_a_name_that_stands_twice_tells_nothing():
    truth = [frame("one/a.png"), frame("two/a.png"), frame("b.png")]
    found, left = paired(truth, [frame("a.png"), frame("b.png")])
    assert [key for key, _ in found] == ["b.png/0"]
    assert left == {TWICE: 2}


# All together


def test_nothing_to_compare_is_said():
    with pytest.raises(ExchangeError, match="nothing to compare"):
        run([])


def test_the_worst_come_first_and_other_classes_are_counted():
    cases = [
        case([square(0, 0, 40, 40)], [square(0, 0, 40, 40 - i)], str(i), group=f"g{i}")
        for i in range(0, 40, 5)
    ]
    cases.append(case([square(0, 0, 40, 40)], [square(0, 0, 40, 40), box(0, 0, 9, 9)], "x"))
    found = run(cases, worst=3, categories=frozenset({"Brain"}))
    assert [s.case.key for s in found.worst] == ["35", "30", "25"]
    assert [s.score for s in found.worst] == sorted(s.score for s in found.worst)
    assert found.left_out == {OTHER_CLASS: 1}
    data = found.to_dict()
    assert data["schema"] == "fada-evaluation/1"
    assert "Not a medical device" in data["notice"]
    assert data["areas"]["dice"]["interval_95"][0] < data["areas"]["dice"]["value"]
    assert data["reference"] is None
