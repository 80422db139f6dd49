"""Questions about a sample, with the answers that are true of it.

Most draws ask for outlines and boxes, since form and view are learned early and positions late.
Some ask for what is not there, so that an empty array is learned as an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_fada.training import answers
from napari_fada.training.labels import DETECT_LISTS, KEYPOINT_LISTS, SEGMENT_LISTS
from napari_fada.training.prompts import AFTER_ANSWER, BEFORE_ANSWER, question
from napari_fada.training.reports import write_report
from napari_fada.training.samples import Sample
from napari_fada.training.tokenizer import encode

#: Classes that a scene shows in part, or under another name: never taught as absent.
AMBIGUOUS: dict[str, frozenset[str]] = {
    "brain": frozenset({"head", "fetal_head", "H"}),
    "transperineal": frozenset({"head", "Brain", "H"}),
    "abdominal_organs": frozenset({"abdomen", "AB"}),
    "doppler": frozenset({"abdomen", "AB"}),
    "abdominal_circumference": frozenset({"stomach", "vein", "liver", "artery", "AB"}),
    "abdomen_arm": frozenset({"AB", "liver", "artery"}),
    "crown_rump": frozenset({"head", "abdomen", "arm", "legs", "nasal_bone", "thorax", "Brain"}),
    "nuchal": frozenset({"head", "abdomen", "NB", "H", "B", "CRL", "Brain"}),
    "head_profile": frozenset({"Brain", "fetal_head", "H", "nasal_bone", "nasal_tip"}),
    "trunk_only": frozenset({"thorax", "B", "AB"}),
    "four_chamber": frozenset({"C", "abdomen"}),
    "three_vessel": frozenset({"C", "abdomen"}),
    "aortic_arch": frozenset({"C", "abdomen", "B"}),
}
_BODY = frozenset({"H", "B", "AB", "C", "CRL", "Brain", "thorax", "fetal_head"})
for _scene in ("head_up_front", "head_up_back", "head_down_front", "head_down_back"):
    AMBIGUOUS[_scene] = _BODY | {"arm"}

#: How often each task is drawn.
TASKS: dict[str, float] = {
    "segment": 0.37, "detect": 0.28, "keypoints": 0.06, "classify": 0.15, "interpret": 0.14,
}  # fmt: skip
LISTS = {"segment": SEGMENT_LISTS, "detect": DETECT_LISTS, "keypoints": KEYPOINT_LISTS}


@dataclass(frozen=True)
class Question:
    """Token ids of a question and of its answer; ``taught`` answer tokens are learned from."""

    task: str
    ask: tuple[int, ...]
    answer: tuple[int, ...]
    taught: int
    text: str


def relevant(sample: Sample, task: str) -> list[tuple[str, ...]]:
    """Class lists of a task that name something in the sample."""
    present = {s.name for s in sample.structures}
    if task == "keypoints":
        present = {s.name for s in sample.structures if s.keypoints is not None}
    return [names for names in LISTS[task] if present & set(names)]


def absent(sample: Sample, task: str) -> list[tuple[str, ...]]:
    """Class lists of a task that name nothing in the sample, and nothing unclear."""
    named = {s.name for s in sample.structures}
    unclear = named | sample.unknown | AMBIGUOUS.get(sample.scene, frozenset())
    return [names for names in LISTS[task] if not unclear & set(names)]


def locate(sample: Sample, task: str, classes: Sequence[str]) -> Question:
    """Ask where structures are. What follows an undecided class is not taught."""
    undecided = [i for i, c in enumerate(classes) if c in sample.unknown]
    known = sample.structures
    if task == "keypoints":
        known = tuple(s for s in known if s.keypoints is not None)
    text = answers.locate(task, known, classes)
    ids = encode(text + AFTER_ANSWER)
    taught = len(ids)
    if undecided:
        sure = answers.locate(task, known, classes[: undecided[0]])
        # Without its closing bracket, and without deciding whether a comma follows.
        taught = len(encode(sure[:-3])) if sure != "[]" else 0
    return Question(
        task, tuple(encode(question(task, classes) + BEFORE_ANSWER)), tuple(ids), taught, text
    )


def _plain(task: str, text: str) -> Question:
    ids = tuple(encode(text + AFTER_ANSWER))
    return Question(task, tuple(encode(question(task) + BEFORE_ANSWER)), ids, len(ids), text)


def about_view(sample: Sample) -> Question:
    """Ask for the view label."""
    return _plain("classify", answers.classify(sample.view))


def about_report(sample: Sample, task: str, brightness: float | None) -> Question:
    """Ask for the interpretation or one of its halves."""
    outlines = {s.name: s.outline for s in sample.structures}
    report = write_report(sample.scene, outlines, sample.aspect, brightness)
    return _plain(task, answers.interpret(report, task))


def draw(sample: Sample, rng: np.random.Generator, brightness: float | None) -> Question:
    """Draw one question about a sample."""
    task = str(rng.choice(list(TASKS), p=list(TASKS.values())))
    if task == "classify":
        return about_view(sample)
    if task == "interpret":
        kinds = ["interpret", "interpret_anatomy", "interpret_clinical"]
        return about_report(sample, str(rng.choice(kinds, p=[0.6, 0.2, 0.2])), brightness)
    lists = relevant(sample, task)
    if not lists and task == "keypoints":
        task = "segment"
        lists = relevant(sample, task)
    if rng.random() < 0.06 or (not lists and rng.random() < 0.15):
        lists = absent(sample, task)
    elif not lists:
        task = "detect"
        lists = relevant(sample, task) or absent(sample, task)
    if not lists:
        return about_view(sample)
    classes = lists[rng.integers(len(lists))]
    long = task == "segment" and len(classes) > 2
    if len(classes) > 1 and rng.random() < (0.7 if long else 0.2):
        count = int(rng.integers(1, min(len(classes), 3)))
        classes = tuple(classes[i] for i in sorted(rng.permutation(len(classes))[:count]))
    return locate(sample, task, classes)
