"""Prompt sets: wording is part of how a model is called, so it is frozen by hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_fada.errors import ModelError
from napari_fada.pipeline import PromptSet
from napari_fada.records.reading import INTERPRETATION_KEYS
from napari_fada.vocabulary import vocabulary

FROZEN = "15a4c6b5ad045b46b8a4287adc31523a16bc3357e55dcd44bfcba5c9104e2876"


def test_the_wording_of_the_first_set_is_frozen() -> None:
    # Models and results refer to it: a change of wording is a new set with a new name.
    assert PromptSet.load("napari-fada-1").hash == FROZEN


def test_prompts_of_every_task() -> None:
    prompts = PromptSet.load()
    full = prompts.prompt("interpret")
    assert full.keys == INTERPRETATION_KEYS
    assert all(key in full.text for key in full.keys)
    assert prompts.prompt("interpret", variant="anatomy").keys == INTERPRETATION_KEYS[:4]
    assert prompts.prompt("interpret", variant="clinical").keys == INTERPRETATION_KEYS[4:]
    classify = prompts.prompt("classify")
    assert classify.labels == tuple(v.name for v in vocabulary().views)
    assert (classify.max_tokens, full.max_tokens) == (256, 1024)
    for task in ("detect", "segment", "keypoints"):
        asked = prompts.prompt(task, ("NT", "nasal_bone"))
        assert asked.labels == ("NT", "nasal_bone")
        assert "NT, nasal_bone." in asked.text
        assert "{classes}" not in asked.text


def test_classes_go_with_the_tasks_that_take_them() -> None:
    prompts = PromptSet.load()
    with pytest.raises(ValueError, match="detect"):
        prompts.prompt("detect")
    with pytest.raises(ValueError, match="classify"):
        prompts.prompt("classify", ["Brain"])
    with pytest.raises(ModelError, match="no prompt 'free'"):
        prompts.prompt("free")


def write(folder: Path, text: str) -> Path:
    path = folder / "set.toml"
    path.write_text(text, encoding="utf-8")
    return path


GOOD = """
name = "mine"
[prompts]
interpret = "all of {it}"
classify = "view"
detect = "boxes: {classes}"
segment = "masks: {classes}"
[max_tokens]
segment = 4096
"""


def test_a_set_from_a_file(tmp_path: Path) -> None:
    prompts = PromptSet.load(write(tmp_path, GOOD))
    assert prompts.name == "mine"
    assert prompts.prompt("interpret").text == "all of {it}"
    assert prompts.prompt("segment", ["NT"]).max_tokens == 4096
    with pytest.raises(ModelError, match="no prompt 'keypoints'"):
        prompts.prompt("keypoints", ["CRL_KP"])
    commented = PromptSet.load(write(tmp_path, "# a remark\r\n" + GOOD.replace("\n", "\r\n")))
    assert commented.hash == prompts.hash
    assert PromptSet.load(write(tmp_path, GOOD.replace("view", "View"))).hash != prompts.hash


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "mine"', "", "needs a name"),
        ('classify = "view"', "", "lacks: classify"),
        ("boxes: {classes}", "boxes", "has no place"),
        ("[prompts]", "[prompts", "cannot be read"),
    ],
)
def test_what_is_not_a_prompt_set_is_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        PromptSet.load(write(tmp_path, GOOD.replace(old, new)))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelError, match="one of: napari-fada-1"):
        PromptSet.load("nowhere")
