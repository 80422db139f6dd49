"""Upstream's wording is read from two known files, and nothing in them is ever executed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import platformdirs
import pytest

from napari_fada.errors import ModelError
from napari_fada.pipeline import PromptSet
from napari_fada.pipeline.prompt_import import import_prompts
from napari_fada.pipeline.prompts import prompt_sets

CONSTANTS = """
import os
TITLE = "something else"
INTERPRET_PROMPT = (
    "Look at the scan. "
    "Answer with {\\"a\\": 1}."
)
CLASSIFY_PROMPT: str = "Name the view." + " Be short."
"""
INFERENCE = '''
def build_detect_prompt(classes):
    """Words."""
    names = ", ".join(classes)
    return f"Find {names} and give {{\\"bbox_2d\\": []}}."

class Engine:
    def build_segment_prompt(self): ...

def build_segment_prompt(classes: list[str]) -> str:
    return f"Outline {', '.join(classes)}" ", all of them."

def build_keypoint_prompt(classes):
    return f"Points of {classes}."
'''


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *_, **__: tmp_path / "data")
    return tmp_path / "data"


def bring(folder: Path, constants: str = CONSTANTS, inference: str = INFERENCE) -> PromptSet:
    paths, digests = [], {}
    for name, text in (("constants", constants), ("inference", inference)):
        paths.append(folder / f"{name}.py")
        paths[-1].write_text(text, encoding="utf-8")
        digests[name] = hashlib.sha256(text.encode()).hexdigest()
    file = import_prompts(*paths, name="up", digests=digests)
    assert file.parent.name == "prompt_sets"
    return PromptSet.load("up")


def test_the_wording_is_that_of_the_files(tmp_path: Path) -> None:
    found = bring(tmp_path)
    assert dict(found.prompts) == {
        "interpret": 'Look at the scan. Answer with {"a": 1}.',
        "classify": "Name the view. Be short.",
        "detect": 'Find {classes} and give {"bbox_2d": []}.',
        "segment": "Outline {classes}, all of them.",
        "keypoints": "Points of {classes}.",
    }
    assert found.prompt("detect", ["Brain", "CSP"]).text.startswith("Find Brain, CSP and")
    assert "up" in prompt_sets()
    assert len(found.hash) == 64


def test_either_order(tmp_path: Path) -> None:
    digests = {}
    for name, text in (("constants", CONSTANTS), ("inference", INFERENCE)):
        (tmp_path / name).write_text(text)
        digests[name] = hashlib.sha256(text.encode()).hexdigest()
    import_prompts(tmp_path / "inference", tmp_path / "constants", name="up", digests=digests)
    assert PromptSet.load("up").prompts["classify"] == "Name the view. Be short."


def test_a_file_of_another_hash_is_not_read(tmp_path: Path) -> None:
    for name, text in (("constants.py", CONSTANTS), ("inference.py", INFERENCE)):
        (tmp_path / name).write_text(text)
    with pytest.raises(ModelError, match="is not the file that is known") as caught:
        import_prompts(tmp_path / "constants.py", tmp_path / "inference.py")
    assert "c9441244a919" in str(caught.value)
    with pytest.raises(ModelError, match="cannot be read"):
        import_prompts(tmp_path / "none.py", tmp_path / "inference.py")
    assert "fada-upstream-1" not in prompt_sets()


@pytest.mark.parametrize(
    ("constants", "inference", "expected"),
    [
        (CONSTANTS.replace("CLASSIFY", "OTHER"), INFERENCE, "does not hold CLASSIFY_PROMPT"),
        (CONSTANTS.replace('"Name the view."', "open('x', 'w').name"), INFERENCE, "plain string"),
        (CONSTANTS + "(", INFERENCE, "not Python"),
        (CONSTANTS, INFERENCE.replace("build_keypoint_prompt", "other"), "build_keypoint_prompt"),
        (CONSTANTS, INFERENCE.replace("{classes}", "{open('x', 'w')}"), "does more than put"),
        (CONSTANTS, INFERENCE.replace("{classes}", "no place"), "does more than put"),
        (CONSTANTS, INFERENCE.replace("{names}", "{names}{names}"), "does more than put"),
        (CONSTANTS, INFERENCE.replace("(classes):", "():"), "does not return one text"),
        (
            CONSTANTS,
            INFERENCE.replace("    names", "    return 1\n    names"),
            "does not return one",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, constants: str, inference: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=expected):
        bring(tmp_path, constants, inference)
    assert not (tmp_path / "x").exists()
    assert "up" not in prompt_sets()
