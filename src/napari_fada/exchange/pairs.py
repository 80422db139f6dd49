"""What the model answered beside what the expert made of it: pairs for preference training.

Both answers are to the same question and in the same form, so that they differ in what was
corrected and in nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from napari_fada.exchange.conversations import Line, Prompts, to_lines
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.records.linking import following

SAME = "questions that the model answered as the expert does (no pair)"
NOT_ASKED = "questions that the model was not asked (no pair)"


@dataclass(frozen=True, slots=True)
class Pair:
    """A question, the answer to prefer, and the answer that was corrected."""

    line: Line
    chosen: str
    rejected: str


def answer_of(line: Line) -> str:
    """Return the text of the answer."""
    text: str = line["messages"][1]["content"][0]["text"]
    return text


def question_of(line: Line) -> str:
    """Return the text of the question."""
    text: str = line["messages"][0]["content"][1]["text"]
    return text


def pairs(frame: FrameRecords, prompts: Prompts, tally: Tally) -> Iterator[Pair]:
    """Yield the questions that the expert answers otherwise than the model did.

    Parameters
    ----------
    frame : FrameRecords
        With ``answers`` and ``answered``.
    prompts : Prompts
        The wording.
    tally : Tally
        Takes what could not be written.
    """
    lines, counted = to_lines(frame, prompts)
    tally += counted
    said = frame.answered
    if said is None:
        tally.left_out[NOT_ASKED] += len(lines)
        return
    # As it was shown: a box that nobody has judged is that around its outline.
    shown = tuple(following(frame.answers))
    own = replace(frame, annotations=shown, fields=said.fields, view=said.view, unlinked={})
    answers = {_key(line): answer_of(line) for line in to_lines(own, prompts)[0]}
    for line in lines:
        meta = line["meta"]
        asked = said.asked.get(meta["task"], ())
        rejected = answers.get(_key(line))
        if rejected is None or not set(meta["classes"]) <= {*asked, *_seen(frame, meta)}:
            tally.left_out[NOT_ASKED] += 1
        elif rejected == answer_of(line):
            tally.left_out[SAME] += 1
        else:
            yield Pair(line, answer_of(line), rejected)


def _seen(frame: FrameRecords, meta: dict[str, Any]) -> set[str]:
    """Return classes that the model named though nobody asked for them."""
    return {a.category for a in frame.answers} if meta["task"] != "keypoints" else set()


def _key(line: Line) -> tuple[str, str, tuple[str, ...]]:
    meta = line["meta"]
    return meta["task"], meta["variant"], tuple(meta["classes"])
