"""Get at the JSON in what a model wrote, however damaged: linear in time, and never raising.

Braces alone decide what an object is. Class names and keys hold none, so an unclosed quote or
bracket in one object cannot swallow the objects after it, as it would in a JSON parser.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_TURN = re.compile(
    r"<\|(?:im_end|endoftext)\|>"
    r"|<\|im_start\|>(?:assistant|user|system)?"
    r"|^[ \t]*(?:assistant|user)[ \t]*:?[ \t\r]*$"
    r"|(?<=[\]}`])\s*assistant\b",
    re.MULTILINE,
)
_THINK_OPEN, _THINK_CLOSE = "<think>", "</think>"
_TRAILING_COMMA = re.compile(r",(?=\s*[\]}])")
_BRACE = re.compile(r"[{}]")
_KEY = re.compile(r"""["'](bbox_2d|box_2d|bbox|label|mask|keypoints)["']\s*:""")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
# Stands for an inner object inside its outer one, where a value of another kind may be expected.
INNER = "\x00"
_INNER_JSON = json.dumps(INNER)
_QUOTED = re.compile(r"""\s*(["'])([^"']*)\1""")


@dataclass(frozen=True, slots=True)
class Turn:
    """The part of a text that answers: ``text[start:end]``, with what was left out."""

    start: int
    end: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """An object with closed braces: where it stands, and its members.

    ``loose`` tells that it is not JSON and that its members were picked out one by one;
    ``members`` is None if nothing could be made of it.
    """

    start: int
    end: int
    members: dict[str, Any] | None
    loose: bool = False


@dataclass(frozen=True, slots=True)
class Objects:
    """All closed objects of a text by their start, what stood outside, whether it is cut off."""

    found: tuple[Found, ...]
    outside: str
    cut: bool


def first_turn(text: str) -> Turn:
    """Find the first turn that says anything, after its thinking.

    Models without a stop token go on as further ``assistant`` turns that repeat the answer.
    """
    problems: list[str] = []
    start, end, more = 0, len(text), False
    for match in _TURN.finditer(text):
        if text[start : match.start()].strip():
            end, more = match.start(), bool(text[match.end() :].strip())
            break
        start = match.end()
    if more:
        problems.append("the answer goes on with further turns; the first was kept")
    after = _after_thinking(text, start, end)
    if after is None:
        problems.append("the answer ends inside its thinking")
        return Turn(end, end, tuple(problems))
    return Turn(after, end, tuple(problems))


def _after_thinking(text: str, start: int, end: int) -> int | None:
    close = text.find(_THINK_CLOSE, start, end)
    opened = text[start : start + 200].lstrip().startswith(_THINK_OPEN)
    if close < 0:
        return None if opened else start
    after = close + len(_THINK_CLOSE)
    # A closing tag at the very end, with nothing opened, is litter after the answer.
    if not opened and not text[after:end].strip():
        return start
    return after


def objects(text: str) -> Objects:
    """Collect every object whose braces are closed, inner ones first read on their own.

    Each character is read once: an outer object is read with a mark in place of its inner ones.
    """
    found: list[Found] = []
    outside: list[str] = []
    opened: list[tuple[int, list[str]]] = []
    last = 0
    for match in _BRACE.finditer(text):
        here = opened[-1][1] if opened else outside
        here.append(text[last : match.start()])
        last = match.end()
        if match.group() == "{":
            opened.append((match.start(), []))
        elif opened:
            start, pieces = opened.pop()
            members, loose = _members("{" + "".join(pieces) + "}")
            found.append(Found(start, match.end(), members, loose))
            (opened[-1][1] if opened else outside).append(_INNER_JSON)
    rest = text[last:]
    if opened:
        outside.extend(piece for _, pieces in opened for piece in pieces)
    outside.append(rest)
    outer = "".join(outside)
    cut = bool(opened) or outer.count("[") > outer.count("]")
    return Objects(tuple(sorted(found, key=lambda f: f.start)), outer, cut)


def loads(text: str) -> Any:
    """Read the JSON value that a text begins with, ignoring what follows it.

    Trailing commas, line breaks in strings and repeated keys are allowed; of a repeated key the
    first value stays. Returns None if it cannot be read.
    """
    for candidate in (text, _TRAILING_COMMA.sub("", text)):
        try:
            return _decoder.raw_decode(candidate)[0]
        except (ValueError, RecursionError):
            continue
    return None


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        out.setdefault(key, value)
    return out


def _whole_number(digits: str) -> int | float:
    # Python refuses integers of thousands of digits; as a float it becomes inf, which is refused
    # later with the reason.
    return int(digits) if len(digits) < 300 else float(digits)


_decoder = json.JSONDecoder(strict=False, object_pairs_hook=_first_of_each, parse_int=_whole_number)


def _members(body: str) -> tuple[dict[str, Any] | None, bool]:
    value = loads(body)
    if isinstance(value, dict):
        return value, False
    picked = _pick(body)
    return (picked or None), True


def _pick(body: str) -> dict[str, Any]:
    """Pick the members of a structure out of an object that is not JSON."""
    out: dict[str, Any] = {}
    matches = list(_KEY.finditer(body))
    stops = [match.start() for match in matches[1:]] + [len(body)]
    for match, stop in zip(matches, stops, strict=False):
        value = body[match.end() : stop]
        if match.group(1) != "label":
            numbers = [float(n) for n in NUMBER.findall(value)]
            out.setdefault(match.group(1), numbers)
        elif (quoted := _QUOTED.match(value)) and quoted.group() != _INNER_JSON:
            out.setdefault("label", quoted.group(2))
    return out
