"""The FADA training form as pure functions: records of a frame ⇄ conversations.

One conversation is one question about one image and its answer, in the layout that
Hugging Face trainers read: ``messages`` with an image and a text, and an answer in the exact
form the model is trained on (compact JSON, fixed key order, whole numbers from 0 to 999).
A ``meta`` object beside it says which records it was made from, so that importing gives the
same records back; trainers leave it aside.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from napari_fada.engines.protocol import Prompt, Task
from napari_fada.errors import FadaError, ModelError
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import AskTask, Draft, Item, Tally, build_items, read_item
from napari_fada.records.reading import INTERPRETATION_KEYS, VARIANTS, Variant

SCHEMA = "fada-training/1"

Line = dict[str, Any]

ASK_TASKS: tuple[AskTask, ...] = ("detect", "segment", "keypoints")


class Prompts(Protocol):
    """The wording of the questions (``pipeline.PromptSet`` fits)."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def hash(self) -> str: ...  # noqa: D102
    def prompt(  # noqa: D102
        self, task: Task, classes: Sequence[str] = ..., variant: Variant = ...
    ) -> Prompt: ...


def to_lines(frame: FrameRecords, prompts: Prompts) -> tuple[list[Line], Tally]:
    """Write the conversations about one frame.

    Returns
    -------
    list of dict
        Interpretation (full, anatomy, clinical), view, then detect, segment and keypoints for
        each class list.
    Tally
        What could not be written, by reason.
    """
    tally = Tally()
    size = (frame.width, frame.height)
    asked: dict[tuple[AskTask, tuple[str, ...]], list[Item]] = {}
    outlined: set[str] = set()
    for task in ("segment", "detect", "keypoints"):  # outlines first: boxes refer to them
        for classes in filter(None, frame.asked.get(task, ())):
            found = build_items(
                *(task, frame.annotations, classes, size, tally),
                outlined=outlined,
                unlinked=frame.unlinked,
            )
            asked[task, classes] = found
            if task == "segment":
                outlined |= {item.record.uid for item in found}
    places = sorted({item.place for items in asked.values() for item in items})
    rank = {place: n for n, place in enumerate(places)}

    questions: list[_Question] = []
    for variant, keys in VARIANTS.items():
        if all(frame.fields.get(key) for key in keys):
            answer = {key: frame.fields[key] for key in keys}
            questions.append(_Question("interpret", answer, variant=variant))
        elif any(frame.fields.get(key) for key in keys):
            tally.left_out[f"interpretations ({variant}) with an empty field"] += 1
    if frame.view:
        questions.append(_Question("classify", {"label": frame.view}))
    for (task, classes), items in sorted(asked.items(), key=lambda e: ASK_TASKS.index(e[0][0])):
        records = [item.meta(rank[item.place]) for item in items]
        questions.append(_Question(task, [i.answer for i in items], classes, records=records))

    lines = []
    for q in questions:
        try:
            text = prompts.prompt(q.task, q.classes, q.variant).text
        except ModelError:
            tally.left_out[f"questions ({q.task}) that the prompt set has no wording for"] += 1
        else:
            lines.append(_line(frame, prompts, q, text))
    return lines, tally


@dataclass(frozen=True, slots=True)
class _Question:
    task: Task
    answer: object
    classes: tuple[str, ...] = ()
    variant: Variant = "full"
    records: list[dict[str, Any]] = field(default_factory=list)


def _line(frame: FrameRecords, prompts: Prompts, q: _Question, text: str) -> Line:
    question = [{"type": "image", "image": frame.image}, {"type": "text", "text": text}]
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": [{"type": "text", "text": compact(q.answer)}]},
        ],
        "meta": {
            "schema": SCHEMA,
            "task": q.task,
            "variant": q.variant if q.task == "interpret" else "",
            "classes": list(q.classes),
            "size": [frame.width, frame.height],
            "subject": frame.subject,
            "rater": frame.rater,
            "prompts": {"name": prompts.name, "hash": prompts.hash},
            "records": q.records,
        },
    }


def compact(value: object) -> str:
    """Return JSON as the models write it: no blanks, keys in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def dump_lines(lines: Sequence[Line]) -> bytes:
    """Return conversations as JSONL."""
    return "".join(compact(line) + "\n" for line in lines).encode("utf-8")


def read_lines(
    data: bytes, size_of: Callable[[str], tuple[int, int]]
) -> tuple[list[FrameRecords], list[str]]:
    """Read conversations back into records, images in the order of their first line.

    Files without our ``meta`` are read too: the task is told from the answer, and the records
    count as accepted imports.

    Parameters
    ----------
    data : bytes
        JSONL.
    size_of : callable
        Gives (width, height) of an image where a line does not say it.

    Returns
    -------
    list of FrameRecords
    list of str
        Lines that could not be read, and why.
    """
    frames: dict[str, _Frame] = {}
    problems = []
    # JSON escapes line feeds; other separators of Unicode may stand inside a text.
    for number, raw in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        if not raw.strip():
            continue
        try:
            image, answer, meta = _taken_apart(json.loads(raw))
            frame = frames.get(image) or _Frame(tuple(meta.get("size") or size_of(image)))
            frame.take(number, answer, meta)
            frames[image] = frame
        except (
            ValueError,
            KeyError,
            TypeError,
            IndexError,
            AttributeError,
            OSError,
            FadaError,
        ) as error:
            reason = f"has no {error}" if isinstance(error, KeyError) else str(error)
            problems.append(f"line {number}: {reason}")
    return [frame.finished(image) for image, frame in frames.items()], problems


def _taken_apart(line: Any) -> tuple[str, Any, Mapping[str, Any]]:
    user, assistant = line["messages"][:2]
    images = [part["image"] for part in user["content"] if part["type"] == "image"]
    if len(images) != 1 or not isinstance(images[0], str):
        raise ValueError("not one image")
    content = assistant["content"]
    text = content if isinstance(content, str) else content[0]["text"]
    meta = line.get("meta") or {}
    if not isinstance(meta, dict):
        raise TypeError("meta is no object")
    return images[0], json.loads(text), meta


@dataclass(slots=True)
class _Frame:
    """Records of one image while its lines are read."""

    size: tuple[int, ...]
    drafts: dict[str, Draft] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    view: str | None = None
    asked: dict[AskTask, list[tuple[str, ...]]] = field(default_factory=dict)
    subject: str = ""
    rater: str = ""

    def take(self, number: int, answer: Any, meta: Mapping[str, Any]) -> None:
        """Add what one line says; nothing is added if the line cannot be read."""
        width, height = self.size
        if isinstance(answer, list):
            known = meta.get("records") or [{}] * len(answer)
            found = [
                read_item(item, about, len(self.drafts) + n, (width, height))
                for n, (item, about) in enumerate(zip(answer, known, strict=True))
                if not about.get("derived")
            ]
            task = meta.get("task") or _task_of(answer)
            labels = meta.get("classes") or dict.fromkeys(item["label"] for item in answer)
            for draft in found:
                self._add(number, draft)
            if labels:
                self.asked.setdefault(task, []).append(tuple(labels))
        elif set(answer) == {"label"}:
            self.view = _text(answer["label"])
        else:
            fields = {key: _text(answer[key]) for key in answer if key in INTERPRETATION_KEYS}
            if not fields:
                raise ValueError("an answer of no known form")
            self.fields |= fields
        self.subject = meta.get("subject") or self.subject
        self.rater = meta.get("rater") or self.rater

    def _add(self, number: int, draft: Draft) -> None:
        uid = draft.annotation.uid
        if uid not in self.drafts:
            self.drafts[uid] = draft
            self.lines[uid] = number
        elif self.lines[uid] == number:  # a further part of the same polygon
            self.drafts[uid].rings.append(draft.annotation.points)

    def finished(self, image: str) -> FrameRecords:
        """Return the records, with the report's keys in their order."""
        width, height = self.size
        drafts = sorted(self.drafts.values(), key=lambda d: d.place)
        return FrameRecords(
            *(image, width, height),
            annotations=tuple(draft.finished() for draft in drafts),
            fields={k: self.fields[k] for k in INTERPRETATION_KEYS if k in self.fields},
            view=self.view,
            asked={task: tuple(lists) for task, lists in self.asked.items()},
            subject=self.subject,
            rater=self.rater,
        )


def _task_of(answer: Sequence[Mapping[str, Any]]) -> AskTask:
    if any("keypoints" in item for item in answer):
        return "keypoints"
    return "segment" if any("mask" in item for item in answer) else "detect"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
