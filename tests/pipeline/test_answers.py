"""What models write in the wild, one damage at a time."""

from __future__ import annotations

import json
import time

import pytest

from napari_fada.engines.protocol import Task
from napari_fada.pipeline import parse_answer
from napari_fada.records.reading import INTERPRETATION_KEYS

BRAIN = '{"bbox_2d": [10, 20, 300, 400], "label": "Brain"}'
CSP = '{"bbox_2d": [50, 60, 70, 80], "label": "CSP"}'
BOTH = [("Brain", (10, 20, 300, 400)), ("CSP", (50, 60, 70, 80))]
REPORT = {key: f"text of {key}" for key in INTERPRETATION_KEYS}


def boxes(text: str, task: Task = "detect") -> list[tuple[str, tuple[float, ...]]]:
    return [(item.label, item.bbox) for item in parse_answer(text, task).items]


def one_problem(text: str, task: Task = "detect") -> str:
    problems = parse_answer(text, task).problems
    assert len(problems) == 1, problems
    return problems[0]


def test_a_clean_answer_has_no_problems() -> None:
    answer = parse_answer(f"[{BRAIN}, {CSP}]", "detect")
    assert answer.problems == ()
    assert answer.readable
    assert [(i.label, i.bbox) for i in answer.items] == BOTH


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\n\n</think>\n\n[{BRAIN}, {CSP}]",
        f"</think>\n\n[{BRAIN}, {CSP}]",
        f"assistant\n[{BRAIN}, {CSP}]",
        f"```json\n[{BRAIN}, {CSP}]\n```",
        f"Here they are:\n[{BRAIN}, {CSP}]\nThat is all.",
        f"[{BRAIN}, {CSP},]",
        f"[{BRAIN}, {CSP}]<|im_end|>",
        f"[{BRAIN}, {CSP}]</think>",
        f"{BRAIN}\n{CSP}",
        f'{{"objects": [{BRAIN}, {CSP}]}}',
        f"[[{BRAIN}], [{CSP}]]",
        f"[{BRAIN}, {CSP}]".replace("bbox_2d", "box_2d"),
        f"[{BRAIN}, {CSP}]".replace("10, 20", '"10", "20.0"'),
        f"[{BRAIN}, {CSP}]".replace("[50, 60, 70, 80]", '"[50, 60, 70, 80]"'),
        f"[{BRAIN}, {CSP}]".replace("[50, 60, 70, 80]", "[[50, 60], [70, 80]]"),
        f"[{BRAIN}, {CSP}]".replace('"CSP"', '"CSP", "note": {"sure": true}'),
    ],
)
def test_harmless_dress_leaves_no_problem(text: str) -> None:
    assert boxes(text) == BOTH
    assert parse_answer(text, "detect").problems == ()


@pytest.mark.parametrize(
    "again",
    [
        "<|im_end|>\n<|im_start|>assistant\n",
        "\nassistant\n<think>\n\n</think>\n\n",
        "assistant\n",
        "\n  assistant:\n",
    ],
)
def test_a_repeated_turn_is_left_out(again: str) -> None:
    text = f"[{BRAIN}]{again}[{CSP}]"
    assert boxes(text) == BOTH[:1]
    assert "further turns" in one_problem(text)


def test_thinking_is_not_the_answer() -> None:
    assert boxes(f"<think>maybe [{CSP}]?</think>[{BRAIN}]") == BOTH[:1]
    unfinished = parse_answer(f"<think>maybe [{CSP}]", "detect")
    assert not unfinished.readable
    assert unfinished.items == ()
    assert "inside its thinking" in unfinished.problems[0]


@pytest.mark.parametrize("tail", ["", ",", ", {", ', {"bbox_2d": [1, 2', ', {"bbox_2d": [1,2,3,4]'])
def test_a_cut_keeps_the_complete_objects_and_is_reported(tail: str) -> None:
    text = f"[{BRAIN}, {CSP}{tail}"
    assert boxes(text) == BOTH
    assert "cut off" in one_problem(text)


@pytest.mark.parametrize(
    "broken",
    [
        '{"bbox_2d": [10, 20, 300, 400, "label": "Brain"}',
        '{"bbox_2d": [10, 20, 300, 400], "label": "Brain}',
        '{"bbox_2d": [10, 20, 300, 400] "label": "Brain"}',
        "{'bbox_2d': [10, 20, 300, 400], 'label': 'Brain'}",
    ],
)
def test_an_object_that_is_not_json_harms_only_itself(broken: str) -> None:
    answer = parse_answer(f"[{broken}, {CSP}]", "detect")
    assert answer.items[0].bbox == (10, 20, 300, 400)
    assert answer.items[1].label == "CSP"
    assert "not valid JSON" in answer.problems[0]


def test_an_object_without_its_closing_brace_does_not_swallow_the_next() -> None:
    text = f'[{{"bbox_2d": [1, 2, 3, 4], "label": "LV", {BRAIN}, {CSP}]'
    assert boxes(text) == BOTH
    assert "not closed" in one_problem(text)


@pytest.mark.parametrize(
    ("box", "expected", "problem"),
    [
        ("[300, 400, 10, 20]", (10, 20, 300, 400), "swapped"),
        ("[300, 20, 10, 400]", (10, 20, 300, 400), "swapped"),
        ("[-5, 20, 1200, 400]", (0, 20, 1000, 400), "clipped"),
        ("[10.5, 20, 300, 1000]", (10.5, 20, 300, 1000), ""),
        ("[1e1, 20, 300, 400]", (10, 20, 300, 400), ""),
    ],
)
def test_boxes_are_put_in_order(box: str, expected: tuple[float, ...], problem: str) -> None:
    answer = parse_answer(f'[{{"bbox_2d": {box}, "label": "Brain"}}]', "detect")
    assert answer.items[0].bbox == expected
    assert [p for p in answer.problems if problem in p] == list(answer.problems)
    assert bool(answer.problems) == bool(problem)


@pytest.mark.parametrize(
    "box",
    [
        "[1, 2, NaN, 4]",
        "[1, 2, Infinity, 4]",
        "[1, 2, 1e999, 4]",
        f"[1, 2, {'9' * 5000}, 4]",
        "[1, 2, 3]",
        "[1, 2, 3, 4, 5]",
        "[1, 2, 3, true]",
        "[1, 2, 3, null]",
        '[1, 2, 3, "four"]',
        "null",
        '{"x": 1}',
    ],
)
def test_a_box_without_four_numbers_is_left_out(box: str) -> None:
    answer = parse_answer(f'[{{"bbox_2d": {box}, "label": "Brain"}}, {CSP}]', "detect")
    assert [i.label for i in answer.items] == ["CSP"]
    assert "four finite numbers" in answer.problems[0]


@pytest.mark.parametrize(
    ("written", "label", "problem"),
    [
        ('"brain"', "Brain", "taken as 'Brain'"),
        ('"Fetal Head"', "fetal_head", "taken as 'fetal_head'"),
        ('"head"', "head", ""),
        ('"H"', "H", ""),
        ('"placenta"', "placenta", "unknown label 'placenta'"),
        ('["Brain"]', "Brain", ""),
        ("7", "", "no label"),
        ("null", "", "no label"),
        ('{"name": "Brain"}', "", "no label"),
    ],
)
def test_labels(written: str, label: str, problem: str) -> None:
    answer = parse_answer(f'[{{"bbox_2d": [1, 2, 3, 4], "label": {written}}}]', "detect")
    assert answer.items[0].label == label
    assert len(answer.problems) == bool(problem)
    assert all(problem in p for p in answer.problems)


def structure(task: Task, extra: str) -> tuple[object, tuple[str, ...]]:
    answer = parse_answer(f'[{{"bbox_2d": [1, 2, 30, 40], "label": "NT", {extra}}}]', task)
    (item,) = answer.items
    return (item.mask if task == "segment" else item.keypoints), answer.problems


@pytest.mark.parametrize(
    ("mask", "expected", "problem"),
    [
        ("[[1, 2], [30, 2], [30, 40]]", ((1, 2), (30, 2), (30, 40)), ""),
        ('[["1", 2], [30, 2], [30, "40"]]', ((1, 2), (30, 2), (30, 40)), ""),
        ("[1, 2, 30, 2, 30, 40]", ((1, 2), (30, 2), (30, 40)), ""),
        ("[[1, 2], [30, 2], [30, 40], [1, 2]]", ((1, 2), (30, 2), (30, 40)), ""),
        ("[[[1, 2], [30, 2], [30, 40]]]", ((1, 2), (30, 2), (30, 40)), ""),
        ("[[[9, 9]], [[1, 2], [30, 2], [30, 40]]]", ((1, 2), (30, 2), (30, 40)), "several parts"),
        ("[[-1, 2], [30, 2], [30, 1400]]", ((0, 2), (30, 2), (30, 1000)), "clipped"),
        ("[[1, 2], [30, 2]]", None, "2 vertices"),
        ("[]", None, "0 vertices"),
        ('"outline"', None, "0 vertices"),
    ],
)
def test_masks(mask: str, expected: object, problem: str) -> None:
    found, problems = structure("segment", f'"mask": {mask}')
    assert found == expected
    assert len(problems) == bool(problem)
    assert all(problem in p for p in problems)


def test_vertices_that_cannot_be_read_are_counted() -> None:
    found, problems = structure("segment", '"mask": [[1, 2], [NaN, 1], [30, 2], 4, [30, 40]]')
    assert found == ((1, 2), (30, 2), (30, 40))
    assert "2 points of its mask could not be read" in problems[0]


def test_a_missing_box_comes_from_the_mask() -> None:
    answer = parse_answer('[{"label": "NT", "mask": [[5, 6], [30, 2], [31, 40]]}]', "segment")
    assert answer.items[0].bbox == (5, 2, 31, 40)
    assert "has no box" in answer.problems[0]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ("[[1, 2, 2], [30, 40, 1]]", ((1, 2, 2), (30, 40, 1))),
        ("[1, 2, 2, 30, 40, 1]", ((1, 2, 2), (30, 40, 1))),
        ("[[1, 2], [30, 40]]", ((1, 2, 2), (30, 40, 2))),
        ('[["1", "2", "7"], [30, 40, -1]]', ((1, 2, 2), (30, 40, 0))),
    ],
)
def test_keypoints(points: str, expected: object) -> None:
    assert structure("keypoints", f'"keypoints": {points}') == (expected, ())


def test_nothing_found_is_not_a_failure() -> None:
    for text in ("[]", "```json\n[ ]\n```", "<think></think>[]", '{"objects": []}', "{}"):
        answer = parse_answer(text, "detect")
        assert answer.readable
        assert answer.problems == ()
    for text in ("", "  \n", "I see a brain.", "[", '[{"bbox_2d": [1,', "[1, 2, 3, 4]", "nul"):
        answer = parse_answer(text, "detect")
        assert not answer.readable
        assert answer.problems


def test_spans_point_into_the_text_as_it_came() -> None:
    text = f"<think>\n\n</think>\n\n```json\n[{BRAIN}, {CSP}]```"
    spans = [text[slice(*item.span)] for item in parse_answer(text, "detect").items]
    assert spans == [BRAIN, CSP]


def test_a_report() -> None:
    answer = parse_answer(json.dumps(REPORT), "interpret")
    assert answer.fields == REPORT
    assert list(answer.fields) == list(INTERPRETATION_KEYS)
    assert answer.problems == ()


def test_values_of_a_report_become_text() -> None:
    values = [
        "a",
        ["b", {"c": "d", "e": None}],
        {"BPD": 4.5, "HC": [1, 2]},
        20,
        None,
        True,
        "",
        " x\ny",
    ]
    report = dict(zip(INTERPRETATION_KEYS, values, strict=True))
    fields = parse_answer(json.dumps({"report": report}), "interpret").fields
    expected = ["a", "b, c: d", "BPD: 4.5; HC: 1, 2", "20", "", "yes", "", "x y"]
    assert list(fields.values()) == expected


def test_a_report_that_is_cut_keeps_what_is_there() -> None:
    text = json.dumps(REPORT)
    answer = parse_answer(text[: text.index("gestational_age") + 30], "interpret")
    assert answer.fields["biometric_measurements"] == REPORT["biometric_measurements"]
    assert answer.fields["gestational_age"].endswith("…")
    assert "gestational_age is cut off" in answer.problems
    assert answer.problems[-1].startswith("fields missing: image_quality")


def test_a_damaged_report() -> None:
    text = (
        json.dumps(REPORT).replace('image_quality"', 'image_quality" the ').replace('age",', 'age"')
    )
    text = text.replace('"text of fetal_orientation"', '["left", "up"]')
    answer = parse_answer(text, "interpret")
    assert answer.fields["fetal_orientation"] == "left, up"
    assert answer.fields["clinical_recommendations"] == REPORT["clinical_recommendations"]
    assert any("not valid JSON" in p for p in answer.problems)


def test_keys_of_a_report() -> None:
    text = json.dumps({"Image Quality": "good", "mood": "fine", "image_quality": "bad"})
    answer = parse_answer(text, "interpret", keys=("image_quality", "gestational_age"))
    assert answer.fields == {"image_quality": "good"}
    assert answer.problems == (
        "unknown fields left out: mood",
        "fields missing: gestational_age",
    )


def test_a_report_repeated_without_a_turn_keeps_the_first() -> None:
    second = json.dumps(dict.fromkeys(REPORT, "again"))
    assert parse_answer(json.dumps(REPORT) + second, "interpret").fields == REPORT
    damaged = json.dumps(REPORT).replace("{", '{"', 1)
    assert parse_answer(damaged + second, "interpret").fields == REPORT


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "good", '{"mood": "fine"}', '{"label": "x"}', "[1]"]
)
def test_no_report_is_a_failure(text: str) -> None:
    answer = parse_answer(text, "interpret")
    assert not answer.readable
    assert answer.fields == {}
    assert answer.problems


@pytest.mark.parametrize(
    ("text", "label", "readable", "problem"),
    [
        ('{"label": "BPD_PLANE"}', "BPD_PLANE", True, ""),
        ('<think>\n\n</think>\n\n{"label": "V sign"}', "V sign", True, ""),
        ('[{"label": "FL"}]', "FL", True, ""),
        ('{"label": ["FL"]}', "FL", True, ""),
        ('```json\n{"label": "FL",}\n```', "FL", True, ""),
        ('{"label": "bpd_plane"}', "BPD_PLANE", True, "taken as 'BPD_PLANE'"),
        ('{"label": "placenta"}', "placenta", True, "unknown view label"),
        ('{"label": "FL"', "FL", True, "cut off after"),
        ('{"label": "FL', None, False, "cut off"),
        ("{'label': 'FL'}", "FL", True, "not valid JSON"),
        ("FL_PLANE", "FL_PLANE", True, "bare label"),
        ('{"label": null}', None, True, "names no view"),
        ('{"label": ""}', None, True, "names no view"),
        ('{"label": 5}', None, False, "not text"),
        ('{"label": {"name": "FL"}}', None, False, "not text"),
        ("It shows a femur.", None, False, "no label"),
        ("", None, False, "no label"),
    ],
)
def test_view_labels(text: str, label: str | None, readable: bool, problem: str) -> None:
    answer = parse_answer(text, "classify")
    assert (answer.label, answer.readable) == (label, readable)
    assert len(answer.problems) == bool(problem)
    assert all(problem in p for p in answer.problems)


def test_free_text_and_unknown_tasks() -> None:
    assert parse_answer("It is well seen.", "free").readable
    assert not parse_answer(" ", "free").readable
    with pytest.raises(ValueError, match="no such task"):
        parse_answer("[]", "dance")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "task", ["detect", "segment", "keypoints", "interpret", "classify", "free"]
)
@pytest.mark.parametrize(
    "unit",
    ["[", "{", "]", '{"a":', '{"label":', '"', "\\", "assistant\n", "<think>", "]assistant", ", ",
     f"{BRAIN},", '{"bbox_2d":[', '"image_quality": "', "\n \n", "`", "1", "{}", '"label":"'],
)  # fmt: skip
def test_long_texts_take_linear_time(task: Task, unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        start = time.process_time()
        parse_answer(text, task)
        return time.process_time() - start

    # Quadratic work would take a minute here; linear work takes well under a second.
    assert seconds(100_000) < 5


def test_problems_are_bounded() -> None:
    text = "[" + ",".join(['{"bbox_2d": [1], "label": "Brain"}'] * 1000) + "]"
    problems = parse_answer(text, "detect").problems
    assert len(problems) == 51
    assert problems[-1].startswith("and ")
