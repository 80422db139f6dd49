"""Records ⇄ conversations: the exact form, and the way back."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fada.exchange.conversations import dump_lines, read_lines, to_lines
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import HOLES, SIMPLIFIED, TOO_MANY, TOO_SMALL
from napari_fada.pipeline import PromptSet
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import iou
from napari_fada.records.reading import INTERPRETATION_KEYS
from record_samples import box, polygon

PROMPTS = PromptSet.load()
FIELDS = {key: f"text of {key}" for key in INTERPRETATION_KEYS}


def no_size(image):
    raise OSError(f"{image} is not there")


def frame(*annotations, **more):
    classes = tuple(dict.fromkeys(a.category for a in annotations))
    asked = {"detect": (classes,), "segment": (classes,), "keypoints": (classes,)}
    return FrameRecords("images/a.png", 800, 540, annotations, **{"asked": asked, **more})


def answers(records, task):
    lines, _ = to_lines(records, PROMPTS)
    found = [line for line in lines if line["meta"]["task"] == task]
    return [line["messages"][1]["content"][0]["text"] for line in found]


def test_one_line_for_each_task_and_variant_in_this_form():
    records = frame(polygon(), fields=FIELDS, view="BPD_PLANE", subject="0123", rater="Anna")
    lines, tally = to_lines(records, PROMPTS)
    assert not tally.left_out
    told = [(line["meta"]["task"], line["meta"]["variant"]) for line in lines]
    assert told == [
        ("interpret", "full"),
        ("interpret", "anatomy"),
        ("interpret", "clinical"),
        ("classify", ""),
        ("detect", ""),
        ("segment", ""),
        ("keypoints", ""),
    ]
    first = lines[0]
    assert first["messages"][0] == {
        "role": "user",
        "content": [
            {"type": "image", "image": "images/a.png"},
            {"type": "text", "text": PROMPTS.prompt("interpret").text},
        ],
    }
    assert list(json.loads(first["messages"][1]["content"][0]["text"])) == list(FIELDS)
    halves = [json.loads(line["messages"][1]["content"][0]["text"]) for line in lines[1:3]]
    assert [list(half) for half in halves] == [list(FIELDS)[:4], list(FIELDS)[4:]]
    assert first["meta"]["prompts"] == {"name": "napari-fada-1", "hash": PROMPTS.hash}
    assert (first["meta"]["subject"], first["meta"]["rater"]) == ("0123", "Anna")


def test_answers_are_compact_with_keys_and_grid_as_trained():
    outline = Annotation("Brain", "polygon", ((0, 0), (400, 0), (800, 540)))
    corners = Annotation("CSP", "box", ((80, 54), (160, 108)))
    points = Annotation("CRL_KP", "keypoints", ((8, 5.4), (80, 54)), visibility=(2, 1))
    records = frame(outline, corners, points)
    assert answers(records, "classify") == []
    assert answers(records, "detect") == [
        '[{"bbox_2d":[0,0,999,999],"label":"Brain"},{"bbox_2d":[100,100,200,200],"label":"CSP"}]'
    ]
    assert answers(records, "segment") == [
        '[{"bbox_2d":[0,0,999,999],"label":"Brain","mask":[[0,0],[500,0],[999,999]]}]'
    ]
    assert answers(records, "keypoints") == [
        '[{"bbox_2d":[10,10,100,100],"label":"CRL_KP","keypoints":[[10,10,2],[100,100,1]]}]'
    ]


def test_order_is_that_of_the_question_then_left_to_right():
    right, left = box("CSP", 300), box("CSP", 20)
    records = frame(right, box("Brain", 400), left, asked={"detect": (("Brain", "CSP", "LV"),)})
    (answer,) = answers(records, "detect")
    assert [(i["label"], i["bbox_2d"][0]) for i in json.loads(answer)] == [
        ("Brain", 500),
        ("CSP", 25),
        ("CSP", 375),
    ]


def test_a_box_beside_its_polygon_is_said_once():
    outline = polygon("Brain", 30, 20)
    own = Annotation("Brain", "box", ((28, 19), (92, 71)))
    other = polygon("Brain", 400, 300)
    (answer,) = answers(frame(outline, own, other), "detect")
    assert [i["bbox_2d"][0] for i in json.loads(answer)] == [35, 500]


def test_holes_are_filled_and_counted_and_parts_are_told_one_by_one():
    hole = ((40, 25), (60, 25), (60, 45))
    part = ((300, 300), (340, 300), (340, 340))
    island = ((45, 27), (50, 27), (50, 30))
    records = frame(dataclasses.replace(polygon(), rings=(hole, part, island)))
    lines, tally = to_lines(records, PROMPTS)
    assert tally.left_out == {HOLES: 2}
    segment = next(line for line in lines if line["meta"]["task"] == "segment")
    assert len(json.loads(segment["messages"][1]["content"][0]["text"])) == 2
    assert len({r["uid"] for r in segment["meta"]["records"]}) == 1
    ((back,), problems) = read_lines(dump_lines(lines), no_size)
    assert problems == []
    assert len(back.annotations) == 1
    assert len(back.annotations[0].rings) == 1


def test_what_the_grid_or_the_form_cannot_say_is_counted():
    speck = Annotation("CSP", "box", ((10, 10), (10.1, 20)))
    sliver = Annotation("Brain", "polygon", ((1, 1), (1.1, 1), (1.1, 1.1)))
    many = [box("LV", x) for x in range(60)]
    _, tally = to_lines(frame(speck, sliver, *many), PROMPTS)
    # The sliver is told neither as an outline nor as a box.
    assert tally.left_out == {TOO_SMALL: 3, TOO_MANY: 10}


def test_long_outlines_are_reduced_to_what_an_answer_may_hold():
    import numpy as np

    t = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    ring = tuple(zip(400 + 200 * np.cos(t), 270 + 150 * np.sin(t), strict=True))
    outline = Annotation("Brain", "polygon", ring)
    lines, tally = to_lines(frame(outline), PROMPTS)
    assert tally.notes == {SIMPLIFIED: 1}
    ((back,), _) = read_lines(dump_lines(lines), no_size)
    assert 12 < len(back.annotations[0].points) <= 64
    assert iou(back.annotations[0], outline) > 0.98
    again, tally = to_lines(back, PROMPTS)
    assert dump_lines(again) == dump_lines(lines)
    assert not tally.notes


def test_an_incomplete_report_gives_only_its_complete_half():
    fields = {**FIELDS, "image_quality": ""}
    lines, tally = to_lines(frame(fields=fields), PROMPTS)
    assert [line["meta"]["variant"] for line in lines] == ["anatomy"]
    assert sum(tally.left_out.values()) == 2


def test_a_prompt_set_without_keypoints_leaves_them_out_with_a_count():
    prompts = {k: v for k, v in PROMPTS.prompts.items() if k != "keypoints"}
    points = Annotation("CRL_KP", "keypoints", ((8, 5.4), (80, 54)), visibility=(2, 1))
    lines, tally = to_lines(frame(points), PromptSet("short", prompts))
    assert "keypoints" not in {line["meta"]["task"] for line in lines}
    assert sum(tally.left_out.values()) == 1


def test_files_of_others_are_read_without_meta():
    lines, _ = to_lines(frame(polygon(), box(), fields=FIELDS, view="FL"), PROMPTS)
    bare = [{"messages": line["messages"]} for line in lines]
    ((back,), problems) = read_lines(dump_lines(bare), lambda _image: (800, 540))
    assert problems == []
    assert back.fields == FIELDS
    assert back.view == "FL"
    assert {(a.source, a.status) for a in back.annotations} == {("import", "accepted")}
    kinds = sorted((a.category, a.kind) for a in back.annotations)
    assert kinds == [("Brain", "box"), ("Brain", "polygon"), ("CSP", "box")]


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[1]",
        b"{}",
        b'{"messages":[]}',
        b'{"messages":[{"content":"hi"},{"content":"hi"}]}',
        b'{"messages":[{"content":[]},{"content":"{}"}]}',
        b'{"messages":[{"content":[{"type":"image","image":"a.png"}]},{"content":"{}"}]}',
        b'{"messages":[{"content":[{"type":"image","image":"a.png"}]},{"content":"7"}]}',
        b'{"messages":[{"content":[{"type":"image","image":"a.png"}]},{"content":"[{}]"}]}',
        b'{"messages":[{"content":[{"type":"image","image":"a.png"}]},'
        b'{"content":"[{\\"label\\":\\"CSP\\",\\"bbox_2d\\":[1,2]}]"}]}',
        b"\xff\xfe",
    ],
)
def test_lines_that_cannot_be_read_are_named_and_the_rest_is_read(line):
    good, _ = to_lines(frame(polygon()), PROMPTS)
    data = dump_lines(good[:1]) + line + b"\n" + dump_lines(good[1:])
    (found, problems) = read_lines(data, lambda _image: (800, 540))
    assert [p.startswith("line 2: ") for p in problems] == [True]
    assert [len(f.annotations) for f in found] == [1]


# The property: what is exported and imported gives the same file again, byte for byte.

CLASSES = ("Brain", "CSP", "LV", "CRL_KP")
coordinate = st.one_of(
    st.floats(-10, 810, allow_nan=False), st.integers(0, 80).map(lambda n: 10.0 * n)
)
point = st.tuples(coordinate, coordinate)
ring = st.lists(point, min_size=3, max_size=8).map(tuple)
common = {
    "category": st.sampled_from(CLASSES),
    "status": st.sampled_from(["accepted", "corrected", "proposed"]),
    "source": st.sampled_from(["model", "expert", "import"]),
    "rater": st.sampled_from(["", "Anna", "Bö"]),
    "score": st.none() | st.floats(0, 1),
}
boxes = st.builds(Annotation, kind=st.just("box"), points=st.tuples(point, point), **common)
polygons = st.builds(
    Annotation,
    kind=st.just("polygon"),
    points=ring,
    rings=st.lists(ring, max_size=3).map(tuple),
    **common,
)
keypoints = st.lists(st.tuples(point, st.integers(0, 2)), min_size=1, max_size=4).flatmap(
    lambda rows: st.builds(
        Annotation,
        kind=st.just("keypoints"),
        points=st.just(tuple(p for p, _ in rows)),
        visibility=st.just(tuple(v for _, v in rows)),
        **common,
    )
)
lists = st.lists(st.sampled_from(CLASSES), unique=True, min_size=1).map(
    lambda names: (tuple(names[:2]), tuple(names[2:])) if names[2:] else (tuple(names),)
)
frames = st.builds(
    FrameRecords,
    image=st.sampled_from(["images/a.png", "images/b.png"]),
    width=st.integers(50, 1000),
    height=st.integers(50, 1000),
    annotations=st.lists(boxes | polygons | keypoints, max_size=7).map(tuple),
    fields=st.dictionaries(st.sampled_from(INTERPRETATION_KEYS), st.text(max_size=8)),
    view=st.none() | st.text(min_size=1, max_size=5),
    asked=st.dictionaries(st.sampled_from(["detect", "segment", "keypoints"]), lists),
    subject=st.sampled_from(["", "0f"]),
    rater=st.sampled_from(["", "Anna"]),
)


@settings(max_examples=300, deadline=None)
@given(frames)
def test_export_import_export_is_the_same_byte_for_byte(records):
    lines, _ = to_lines(records, PROMPTS)
    data = dump_lines(lines)
    back, problems = read_lines(data, no_size)
    assert problems == []
    again = [line for found in back for line in to_lines(found, PROMPTS)[0]]
    assert dump_lines(again) == data
    # The records themselves: a second import changes nothing at all.
    twice, _ = read_lines(dump_lines(again), no_size)
    assert [[dataclasses.replace(a, created="") for a in f.annotations] for f in twice] == [
        [dataclasses.replace(a, created="") for a in f.annotations] for f in back
    ]


@settings(max_examples=150, deadline=None)
@given(frames)
def test_what_comes_back_is_what_was_there_to_within_the_grid(records):
    lines, _ = to_lines(records, PROMPTS)
    back, _ = read_lines(dump_lines(lines), no_size)
    for found in back:
        kept = {a.uid: a for a in records.annotations}
        order = [a.uid for a in records.annotations]
        places = [order.index(a.uid) for a in found.annotations]
        assert places == sorted(places)
        for new in found.annotations:
            old = kept[new.uid]
            assert (new.category, new.status, new.source, new.rater, new.score) == (
                *(old.category, old.status, old.source),
                *(old.rater, old.score),
            )
            if new.kind == old.kind == "keypoints":
                assert new.visibility == old.visibility
                for (x, y), (u, v) in zip(new.points, old.points, strict=True):
                    step = records.width / 1000, records.height / 1000
                    assert abs(x - min(max(u, 0), records.width)) <= step[0] + 1e-6
                    assert abs(y - min(max(v, 0), records.height)) <= step[1] + 1e-6
