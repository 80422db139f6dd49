"""Whatever a model writes, parsing returns; whatever is complete before a cut is recovered."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fada.engines.conventions import CONVENTIONS, Convention
from napari_fada.engines.protocol import Task
from napari_fada.pipeline import Answer, parse_answer
from napari_fada.records.reading import INTERPRETATION_KEYS
from napari_fada.vocabulary import vocabulary

TASKS: list[Task] = ["interpret", "classify", "detect", "segment", "keypoints", "free"]
LISTS: list[Task] = ["detect", "segment", "keypoints"]
SHARDS = [
    "<think>", "</think>", "assistant\n", "<|im_end|>", "```json", "[", "]", "{", "}", '"', "'",
    ",", ":", "bbox_2d", "box_2d", "label", "mask", "keypoints", "Brain", "null", "NaN", "-1e999",
    "1001", "\\", "\\u", "\ud800", "\n", *INTERPRETATION_KEYS,
]  # fmt: skip

texts = st.text() | st.lists(st.sampled_from(SHARDS) | st.text(max_size=3)).map("".join)
coordinate = st.integers(0, 999)
pair = st.tuples(coordinate, coordinate)


@st.composite
def structures(draw: st.DrawFn) -> dict[str, object]:
    x1, x2 = sorted((draw(coordinate), draw(coordinate)))
    y1, y2 = sorted((draw(coordinate), draw(coordinate)))
    out: dict[str, object] = {
        "bbox_2d": [x1, y1, x2, y2],
        "label": draw(st.sampled_from(vocabulary().categories)).name,
    }
    extra = draw(st.sampled_from(["", "mask", "keypoints"]))
    if extra == "mask":
        out["mask"] = draw(st.lists(pair, min_size=3, max_size=8, unique=True))
    elif extra:
        out["keypoints"] = draw(
            st.lists(st.tuples(*[coordinate] * 2, st.integers(0, 2)), min_size=1)
        )
    return out


def check(answer: Answer) -> None:
    for item in answer.items:
        x1, y1, x2, y2 = item.bbox
        assert 0 <= x1 <= x2 <= 1000
        assert 0 <= y1 <= y2 <= 1000
        for x, y in item.mask or ():
            assert 0 <= x <= 1000
            assert 0 <= y <= 1000
        assert item.mask is None or len(item.mask) >= 3
        for x, y, v in item.keypoints or ():
            assert 0 <= x <= 1000
            assert 0 <= y <= 1000
            assert v in (0, 1, 2)
        assert item.span[0] < item.span[1]
    assert answer.readable or answer.problems
    assert answer.readable or not (answer.items or answer.fields or answer.label)


def same(found: object, wanted: object) -> bool:
    return json.dumps(found) == json.dumps(wanted)


@settings(max_examples=400, deadline=None)
@given(texts, st.sampled_from(TASKS))
def test_any_text(text: str, task: Task) -> None:
    check(parse_answer(text, task))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_every_object_before_a_cut_is_recovered(data: st.DataObject) -> None:
    wanted = data.draw(st.lists(structures(), min_size=1, max_size=6))
    separators = data.draw(st.sampled_from([None, (",", ":")]))
    before, after = data.draw(
        st.sampled_from([("[", "]"), ("<think>\n\n</think>\n\n[", "]"), ("```json\n[", "]\n```")])
    )
    pieces = [json.dumps(w, separators=separators) for w in wanted]
    text = before + ", ".join(pieces) + after
    cut = data.draw(st.integers(len(before), len(text)))
    ends = [len(before + ", ".join(pieces[: n + 1])) for n in range(len(pieces))]
    complete = sum(end <= cut for end in ends)

    answer = parse_answer(text[:cut], data.draw(st.sampled_from(LISTS)))
    check(answer)
    assert [i.label for i in answer.items] == [w["label"] for w in wanted[:complete]]
    for item, want in zip(answer.items, wanted, strict=False):
        assert same(item.bbox, want["bbox_2d"])
        if "keypoints" in want:
            assert same(item.keypoints, want["keypoints"])
        if "mask" in want:
            assert item.mask is not None
            assert {*item.mask} <= {*want["mask"]}  # type: ignore[misc]
    closed = cut >= len(before + ", ".join(pieces)) + 1
    assert closed == (not any("cut off" in p for p in answer.problems))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_inside_one_object_leaves_the_others(data: st.DataObject) -> None:
    wanted = data.draw(st.lists(structures(), min_size=2, max_size=5))
    pieces = [json.dumps(w) for w in wanted]
    broken = data.draw(st.integers(0, len(pieces) - 1))
    at = data.draw(st.integers(1, len(pieces[broken]) - 2))
    junk = data.draw(st.text(alphabet='[]",:\\x0 -', max_size=4))
    gone = data.draw(st.integers(0, 3))
    middle = pieces[broken][1:-1]
    pieces[broken] = "{" + middle[:at] + junk + middle[at + gone :] + "}"
    answer = parse_answer("[" + ", ".join(pieces) + "]", "detect")
    check(answer)
    boxes = [list(i.bbox) for i in answer.items]
    for number, want in enumerate(wanted):
        if number != broken:
            assert want["bbox_2d"] in boxes


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_cut_report_keeps_its_complete_fields(data: st.DataObject) -> None:
    words = st.text(st.characters(exclude_characters="<"), max_size=20)  # no tag of a chat
    report = {key: " ".join(data.draw(words).split()) for key in INTERPRETATION_KEYS}
    text = json.dumps(report)
    cut = data.draw(st.integers(1, len(text)))
    answer = parse_answer(text[:cut], "interpret")
    check(answer)
    for n, key in enumerate(INTERPRETATION_KEYS):
        head = json.dumps(dict(list(report.items())[: n + 1]))[:-1]
        if cut >= len(head):
            assert answer.fields[key] == report[key]


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(TASKS))
def test_mutated_answers(data: st.DataObject, task: Task) -> None:
    wanted = data.draw(st.lists(structures(), max_size=4))
    text = json.dumps(wanted if task in LISTS else dict.fromkeys(INTERPRETATION_KEYS, "seen"))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.integers(0, 10))
        text = text[:at] + data.draw(st.sampled_from(SHARDS)) + text[at + gone :]
    check(parse_answer(text, task))


LOC_SHARDS = ["<loc0000>", "<loc1023>", "<loc12>", " Brain", " ; ", "<seg001>", *SHARDS]


@given(
    texts | st.lists(st.sampled_from(LOC_SHARDS)).map("".join),
    st.sampled_from(LISTS),
    st.sampled_from(CONVENTIONS),
    st.tuples(*[st.integers(1, 5000)] * 2),
)
@settings(max_examples=300, deadline=None)
def test_any_text_in_any_numbers(text: str, task: Task, name: str, seen: tuple[int, int]) -> None:
    check(parse_answer(text, task, convention=Convention.named(name), seen=seen))
