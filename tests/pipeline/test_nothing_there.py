"""An answer that says in words that nothing is there is a finding; a refusal is none."""

from __future__ import annotations

import pytest

from napari_fada.pipeline import parse_answer

NOTHING = [
    "No objects detected.",
    "The image does not contain any of the requested structures.",
    "null",
    "None",
    "none.",
    "N/A",
    "Not visible",
    '"not visible"',
    "```json\nnull\n```",
    "[null]",
    '{"objects": null}',
    '{"detections": "none"}',
    '[{"label": "head", "bbox_2d": null}]',
    '[{"label": "CSP", "bbox_2d": "not visible"}]',
    '[{"label": "none", "bbox_2d": [0, 0, 0, 0]}]',
    '{"label": "none"}',
    '{"label": "head", "visible": false}',
    "Nothing detected.",
    "Nothing was found in this image.",
    "None of the requested structures are visible.",
    "None of the structures is present in the image.",
    "There are no objects in the image.",
    "There is no fetal head in this image.",
    "No fetal head is visible.",
    "No head, CSP or LV is visible in this scan.",
    "The head is not visible.",
    "The head is not visible. The CSP is not visible.",
    "I cannot see any of the requested structures.",
    "The requested structures were not found.",
    "The requested structures could not be identified in the image.",
    "No structures were detected in this ultrasound image.",
    "The scan doesn't show any of these structures.",
    "<think>\nhm\n</think>\n\nNo objects detected.",
    "The requested structures are absent.",
]
NO_ANSWER = [
    "",
    "I'm sorry, I can't help with that.",
    "I cannot provide medical advice.",
    "I am unable to analyze medical images.",
    "As an AI I cannot see any structures.",
    "No image was provided.",
    "I don't see any image.",
    "I cannot see the image.",
    "The image is not visible.",
    "Please upload the scan; no file is attached.",
    "No head is visible, but the abdomen is at the left.",
    "The head is visible.",
    "A large head lies in the middle.",
    "No problem! The head is at the centre.",
    "No structures other than the head are visible.",
    "The CSP is not visible. The head is visible.",
    "head",
    '[{"label": "head"}]',
    '[{"bbox_2d": [1, 2',
    "No objects at 20 weeks.",
    "Yes.",
    "The image is not clear.",
]


@pytest.mark.parametrize("task", ["detect", "segment", "keypoints"])
@pytest.mark.parametrize("text", NOTHING)
def test_nothing_in_words_is_a_finding(text, task):
    answer = parse_answer(text, task)
    assert answer.readable
    assert answer.items == ()
    assert answer.problems == ()


@pytest.mark.parametrize("text", NO_ANSWER)
def test_what_says_nothing_about_the_scan_stays_a_failure(text):
    answer = parse_answer(text, "detect")
    assert not answer.readable
    assert answer.items == ()


def test_what_is_there_is_kept_beside_what_is_not():
    text = '[{"label": "head", "bbox_2d": [1, 2, 30, 40]}, {"label": "CSP", "bbox_2d": null}]'
    assert [item.label for item in parse_answer(text, "detect").items] == ["head"]


@pytest.mark.parametrize("text", ["null", "none", '{"label": null}', '{"label": "not visible"}'])
def test_no_view_in_words(text):
    answer = parse_answer(text, "classify")
    assert answer.readable
    assert answer.label is None
    assert answer.problems == ("the answer names no view",)


def test_a_view_of_that_meaning_is_the_view():
    assert parse_answer('{"label": "NO_PLANE"}', "classify").label == "NO_PLANE"
