"""The frozen prompt set, and the chat form around a question."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

#: Name of the prompt set that the model is trained on.
PROMPT_SET = "napari-fada-1"

#: What stands before the image, between question and answer, and after the answer.
BEFORE_IMAGE = "<|im_start|>user\n<|vision_start|>"
AFTER_IMAGE = "<|vision_end|>"
BEFORE_ANSWER = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
AFTER_ANSWER = "<|im_end|>"


@cache
def prompts() -> dict[str, str]:
    """Prompt texts by task."""
    place = files("napari_fada.pipeline") / "prompt_sets" / f"{PROMPT_SET}.toml"
    read: dict[str, str] = tomllib.loads(place.read_text("utf-8"))["prompts"]
    return read


def question(task: str, classes: Sequence[str] = ()) -> str:
    """Prompt of a task, with its class list filled in."""
    return prompts()[task].replace("{classes}", ", ".join(classes))
