"""Which prompts a mapping leads to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_answers import MODEL

from napari_fada.engines.protocol import EngineInfo
from napari_fada.pipeline import PromptSet, manual_mapping
from napari_fada.pipeline.questions import by_group, detect_prompts, segment_prompts
from napari_fada.records.reading import Mapping
from napari_fada.vocabulary import vocabulary

PROMPTS = PromptSet.load()
KNOWS_POINTS = EngineInfo(MODEL, keypoints=("CRL_KP", "NTKpoints", "ScaleBarKpoints"))


def asked(names: str, info: EngineInfo = KNOWS_POINTS) -> list[tuple[str, str]]:
    prompts, _ = detect_prompts(manual_mapping(tuple(names.split())), info, PROMPTS)
    return [(p.task, " ".join(p.labels)) for p in prompts]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("Brain CSP LV", [("detect", "Brain CSP LV")]),
        ("Brain cardiac LV", [("detect", "Brain LV"), ("detect", "cardiac")]),
        ("legs", [("detect", "legs")]),
        ("legs abdomen", [("detect", "legs abdomen")]),
        ("CRL_KP", [("keypoints", "CRL_KP")]),
        ("Brain CRL_KP", [("detect", "Brain"), ("keypoints", "CRL_KP")]),
        ("H", [("detect", "H"), ("keypoints", "CRL_KP ScaleBarKpoints")]),
        ("AB NT", [("detect", "AB NT"), ("keypoints", "CRL_KP ScaleBarKpoints"),
                   ("keypoints", "NTKpoints")]),
        ("NT Brain NT", [("detect", "NT"), ("detect", "Brain"),
                         ("keypoints", "NTKpoints ScaleBarKpoints")]),
        ("H CRL_KP", [("detect", "H"), ("keypoints", "CRL_KP ScaleBarKpoints")]),
        ("ScaleBarKpoints NTKpoints", [("keypoints", "ScaleBarKpoints NTKpoints")]),
    ],
)  # fmt: skip
def test_detect_prompts(names: str, expected: list[tuple[str, str]]) -> None:
    assert asked(names) == expected


def test_keypoints_are_limited_to_what_the_model_knows() -> None:
    some = EngineInfo(MODEL, keypoints=("ScaleBarKpoints",))
    assert asked("NT", some)[-1] == ("keypoints", "ScaleBarKpoints")
    assert asked("NT", EngineInfo(MODEL)) == [("detect", "NT")]
    # A person's choice is asked for when the pack says nothing about keypoints.
    assert asked("CRL_KP", EngineInfo(MODEL)) == [("keypoints", "CRL_KP")]
    assert asked("CRL_KP", EngineInfo(MODEL, classes=("H",))) == []


def test_a_prompt_set_without_keypoints() -> None:
    prompts = {k: v for k, v in PROMPTS.prompts.items() if k != "keypoints"}
    found, problems = detect_prompts(
        manual_mapping(("NT",)), KNOWS_POINTS, PromptSet("few", prompts)
    )
    assert [p.task for p in found] == ["detect"]
    assert problems == ["not asked, the prompt set has no keypoints: NTKpoints, ScaleBarKpoints"]


def test_segment_prompts() -> None:
    mapping = Mapping((), ("NT", "H", "Brain", "placenta"), "mine")
    found, problems = segment_prompts(mapping, KNOWS_POINTS, PROMPTS)
    assert [p.labels for p in found] == [("NT",), ("Brain",)]
    assert problems == [
        "not asked, not in the vocabulary: placenta",
        "not asked, these classes have no outline: H",
    ]


@given(st.lists(st.sampled_from(vocabulary().categories)))
def test_classes_of_different_groups_never_share_a_prompt(categories: list) -> None:  # type: ignore[type-arg]
    split = by_group(categories)
    for names in split:
        groups = [set(vocabulary().by_name[name].group) for name in names]
        assert set.intersection(*groups)
    flat = [name for names in split for name in names]
    assert sorted(flat) == sorted({c.name for c in categories})
