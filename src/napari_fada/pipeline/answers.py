"""Parse what a model wrote into structures, report fields or a view label.

``parse_answer`` never raises on model text: what can be saved is saved, what was wrong is
said in ``problems``, and an answer that cannot be read is told apart from one that says
"nothing here".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from napari_fada.engines.conventions import GRID, Convention
from napari_fada.engines.protocol import Task
from napari_fada.pipeline.nothing import is_bare, says_nothing, value_says_nothing
from napari_fada.pipeline.report_fields import read_fields
from napari_fada.pipeline.salvage import INNER, Found, first_turn, loads, objects
from napari_fada.pipeline.values import (
    Pair,
    Place,
    Triple,
    as_written,
    box_of,
    clean,
    keypoints_of,
    ring_of,
)
from napari_fada.records.reading import INTERPRETATION_KEYS
from napari_fada.vocabulary import vocabulary

_LISTS = ("detect", "segment", "keypoints")
_MAX_PROBLEMS = 50
_USUAL = Convention()
#: Four loc tokens and a name, up to the semicolon before the next box.
_LOC_BOX = re.compile(r"((?:<loc\d{4}>){4})\s*([^<;\n]{0,200})")
_LOC = re.compile(r"<loc(\d{4})>")


@dataclass(frozen=True, slots=True)
class Item:
    """One structure of an answer, on the model's 0–1000 grid.

    ``span`` is where its object stands in the text that was parsed, for matching tokens.
    """

    label: str
    bbox: tuple[float, float, float, float]
    mask: tuple[Pair, ...] | None = None
    keypoints: tuple[Triple, ...] | None = None
    span: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer says.

    Parameters
    ----------
    items : tuple of Item
        Tasks ``detect``, ``segment`` and ``keypoints``.
    fields : mapping of str to str
        Task ``interpret``: the report.
    label : str or None
        Task ``classify``: the view.
    problems : tuple of str
        What was odd about the text.
    readable : bool
        False if the text holds no answer to the task: a failure, not an empty finding.
    """

    items: tuple[Item, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    label: str | None = None
    problems: tuple[str, ...] = ()
    readable: bool = True


def parse_answer(
    text: str,
    task: Task,
    *,
    keys: Sequence[str] = INTERPRETATION_KEYS,
    convention: Convention = _USUAL,
    seen: tuple[int, int] = (GRID, GRID),
) -> Answer:
    """Read a model's answer to one task; any text at all is allowed.

    Parameters
    ----------
    text : str
        The answer as it came.
    task : str
        What was asked.
    keys : sequence of str
        ``interpret``: the keys that were asked for.
    convention : Convention
        How the model writes places.
    seen : (width, height)
        Of the image as the model saw it, for places in pixels.

    Raises
    ------
    ValueError
        If there is no such task.
    """
    turn = first_turn(text)
    answer = text[turn.start : turn.end]
    if task in _LISTS:
        parsed = _structures(answer, turn.start, convention, seen)
    elif task == "interpret":
        fields, problems = read_fields(answer, keys)
        parsed = Answer(fields=fields, problems=problems, readable=bool(fields))
    elif task == "classify":
        parsed = _parse_label(answer)
    elif task == "free":
        said = bool(answer.strip())
        parsed = Answer(problems=() if said else ("the answer is empty",), readable=said)
    else:
        raise ValueError(f"no such task: {task!r}")
    problems = (*turn.problems, *parsed.problems)
    if len(problems) > _MAX_PROBLEMS:
        more = len(problems) - _MAX_PROBLEMS
        problems = (*problems[:_MAX_PROBLEMS], f"and {more} further problems")
    return Answer(parsed.items, parsed.fields, parsed.label, problems, parsed.readable)


def _structures(text: str, offset: int, convention: Convention, seen: tuple[int, int]) -> Answer:
    """Read structures, whichever way their places are written."""
    if convention == _USUAL:
        return _parse_items(text, offset, as_written)

    def place(first: float, second: float) -> Pair:
        return convention.to_grid(first, second, seen)

    if convention.unit == "loc" and (not text.strip() or "<loc" in text):
        return _parse_locs(text, offset, place)
    return _parse_items(text, offset, place)


def _parse_locs(text: str, offset: int, place: Place) -> Answer:
    items: list[Item] = []
    problems: list[str] = []
    for number, match in enumerate(_LOC_BOX.finditer(text), 1):
        notes: list[str] = []
        corners = box_of([int(n) for n in _LOC.findall(match[1])], notes, place)
        label = _class_name(match[2], notes)
        problems.extend(f"object {number}: {note}" for note in notes)
        if corners is not None:
            span = (offset + match.start(), offset + match.end())
            items.append(Item(label, corners, span=span))
    empty = not text.strip()
    if not items and not empty:
        problems.append("no structure could be read in the answer")
    return Answer(tuple(items), problems=tuple(problems), readable=bool(items) or empty)


def _parse_items(text: str, offset: int, place: Place) -> Answer:
    read = objects(text)
    items: list[Item] = []
    problems: list[str] = []
    candidates = [f for f in read.found if _is_structure(f)]
    for number, found in enumerate(candidates, 1):
        item, notes = _item(found, offset, place)
        problems.extend(f"object {number}: {note}" for note in notes)
        if item:
            items.append(item)
    if read.cut:
        problems.append(
            "the answer is cut off or an object is not closed; complete objects were kept"
        )
    if candidates and all(_is_absent(f, bool(items)) for f in candidates):
        candidates, items, problems = [], [], []
    says_none = not candidates and _says_none(text) and not read.cut
    if not items and not says_none:
        problems.append("no structure could be read in the answer")
    return Answer(tuple(items), problems=tuple(problems), readable=bool(items) or says_none)


def _is_structure(found: Found) -> bool:
    names = {"bbox_2d", "box_2d", "bbox", "mask", "keypoints", "label"}
    return found.members is None or bool(names & found.members.keys())


def _is_absent(found: Found, with_box: bool) -> bool:
    """Tell whether an object says that it is not there; with a box, by its label."""
    members = found.members
    if members is None or not value_says_nothing(members):
        return False
    return not with_box or is_bare(str(members.get("label")))


def _says_none(text: str) -> bool:
    squeezed = "".join(text.split())
    return "[]" in squeezed or "{}" in squeezed or says_nothing(text)


def _item(found: Found, offset: int, place: Place) -> tuple[Item | None, list[str]]:
    if found.members is None:
        return None, ["could not be read"]
    members, notes = found.members, list[str]()
    if found.loose:
        notes.append("is not valid JSON; its values were picked out")
    key = next((k for k in ("bbox_2d", "box_2d", "bbox") if k in members), None)
    mask = ring_of(members["mask"], notes, place) if members.get("mask") is not None else None
    points = None
    if members.get("keypoints") is not None:
        points = keypoints_of(members["keypoints"], notes, place)
    corners = box_of(members[key], notes, place) if key else None
    if corners is None and (outline := mask or [(x, y) for x, y, _ in points or ()]):
        notes.append("has no box; the extent of its points was taken")
        xs, ys = [p[0] for p in outline], [p[1] for p in outline]
        corners = (min(xs), min(ys), max(xs), max(ys))
    if corners is None:
        return None, [*notes, "was left out"] if key else [*notes, "has no box"]
    label = _class_name(members.get("label"), notes)
    span = (offset + found.start, offset + found.end)
    return Item(label, corners, mask, points, span), notes


def _class_name(value: object, notes: list[str]) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    name = value.strip() if isinstance(value, str) else ""
    if not name or name == INNER:
        notes.append("has no label")
        return ""
    category = vocabulary().resolve(name)
    if category is None:
        notes.append(f"unknown label {clean(name)!r}")
        return name
    if category.name != name:
        notes.append(f"label {clean(name)!r} taken as {category.name!r}")
    return category.name


def _parse_label(text: str) -> Answer:
    read = objects(text)
    for found in read.found:
        if found.members is not None and "label" in found.members:
            value = found.members["label"]
            problems = ("the answer is not valid JSON",) if found.loose else ()
            return _view(value, problems)
    # Perhaps only the closing brace is missing, and the label itself is whole.
    closed = loads(text[text.find("{") :].rstrip(", \n") + "}") if read.cut else None
    if isinstance(closed, dict) and "label" in closed:
        return _view(closed["label"], ("the answer is cut off after the label",))
    bare = text.strip().strip("`").strip().strip('"')
    if vocabulary().resolve_view(bare):
        return _view(bare, ("the answer is a bare label without JSON",))
    if is_bare(text):
        return _view(None, ())
    problem = "the answer is cut off" if read.cut else "no label could be read in the answer"
    return Answer(problems=(problem,), readable=False)


def _view(value: object, problems: tuple[str, ...]) -> Answer:
    if isinstance(value, list) and value:
        value = value[0]
    if value is None or value in ("", []):
        return Answer(problems=(*problems, "the answer names no view"))
    if not isinstance(value, str) or value == INNER or not value.strip():
        return Answer(problems=(*problems, "the view label is not text"), readable=False)
    name = value.strip()
    view = vocabulary().resolve_view(name)
    if view is None and is_bare(name):
        return Answer(problems=(*problems, "the answer names no view"))
    if view is None:
        return Answer(label=name, problems=(*problems, f"unknown view label {clean(name)!r}"))
    if view.name != name:
        problems = (*problems, f"view label {clean(name)!r} taken as {view.name!r}")
    return Answer(label=view.name, problems=problems)
