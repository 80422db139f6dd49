"""The form of the answer to each kind of prompt.

Key names and their order are those the models were trained on (bbox_2d, label, then mask or
keypoints). The bounds keep a confused model from running on: coordinates within the image
(0–999 on the usual grid) without leading zeros, at most 50 structures, 3–64 vertices, text fields
of at most 400 characters.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from napari_fada.engines.conventions import LOC_STEPS, Convention
from napari_fada.engines.forms.machine import (
    ByteClass,
    Choice,
    Form,
    Part,
    Repeat,
    Sequence_,
    Text,
    one_of,
    separated,
)
from napari_fada.engines.forms.numbers import DIGIT, fraction, padded, up_to
from napari_fada.engines.protocol import Prompt
from napari_fada.records.reading import INTERPRETATION_KEYS

MAX_OBJECTS = 50
MIN_VERTICES, MAX_VERTICES = 3, 64
MAX_KEYPOINTS = 64
MAX_FIELD = 400
MAX_NAME = 60

#: ``compact`` has no spaces, ``spaced`` one after every colon and comma (as ``json.dumps``
#: writes), ``auto`` lets the model choose once, with its first colon or comma.
JsonStyle = Literal["compact", "spaced", "auto"]

_THOUSANDTH = Choice(Text(b"0"), Sequence_(ByteClass(b"123456789", "[1-9]"), Repeat(DIGIT, 0, 2)))
_USUAL = Convention()
_VISIBILITY = ByteClass(b"012", "[0-2]")


def _utf8(*ranges: tuple[int, int]) -> Part:
    return Sequence_(*(ByteClass(range(low, high + 1), "") for low, high in ranges))


_TAIL = (0x80, 0xBF)
#: One character inside a JSON string: printable, escaped, or well-formed UTF-8 (RFC 3629).
_CHARACTER = Choice(
    ByteClass(set(range(0x20, 0x7F)) - set(b'"\\'), ""),
    Sequence_(Text(b"\\"), ByteClass(b'"\\/bfnrt', "")),
    _utf8((0xC2, 0xDF), _TAIL),
    _utf8((0xE0, 0xE0), (0xA0, 0xBF), _TAIL),
    _utf8((0xE1, 0xEC), _TAIL, _TAIL),
    _utf8((0xED, 0xED), (0x80, 0x9F), _TAIL),
    _utf8((0xEE, 0xEF), _TAIL, _TAIL),
    _utf8((0xF0, 0xF0), (0x90, 0xBF), _TAIL, _TAIL),
    _utf8((0xF1, 0xF3), _TAIL, _TAIL, _TAIL),
    _utf8((0xF4, 0xF4), (0x80, 0x8F), _TAIL, _TAIL),
    gbnf=r'[^"\\\x00-\x1F\x7F] | "\\" ["\\/bfnrt]',
)


def _string(longest: int) -> Part:
    return Sequence_(Text(b'"'), Repeat(_CHARACTER, 1, longest), Text(b'"'))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class _Style:
    """Separators of one way to write JSON."""

    def __init__(self, space: str) -> None:
        self.comma = Text(("," + space).encode())
        self.space = space

    def key(self, name: str, first: bool = False) -> Part:
        """Return ``"name":`` with what stands before it."""
        before = "{" if first else "," + self.space
        return Text(f"{before}{_quoted(name)}:{self.space}".encode())

    def array(self, item: Part, low: int, high: int) -> Part:
        return Sequence_(Text(b"["), separated(item, self.comma, low, high), Text(b"]"))

    def numbers(self, *items: Part) -> Part:
        parts: list[Part] = [Text(b"[")]
        for i, item in enumerate(items):
            parts += [self.comma, item] if i else [item]
        return Sequence_(*parts, Text(b"]"))


def _label(labels: tuple[str, ...]) -> Part:
    return one_of([_quoted(name) for name in labels]) if labels else _string(MAX_NAME)


class _Places:
    """The numbers of a convention: parts for the first and for the second of a point."""

    def __init__(self, convention: Convention, seen: tuple[int, int] | None) -> None:
        self.key = convention.key
        x: Part = _THOUSANDTH
        y: Part = _THOUSANDTH
        if convention.unit == "fraction":
            x = y = fraction()
        elif convention.unit == "pixels":
            if seen is None:
                raise ValueError("a form in pixels needs the size of the image")
            x, y = up_to(seen[0]), up_to(seen[1])
        self.point = (x, y) if convention.order == "xy" else (y, x)
        self.box = self.point * 2


def _interpretation(style: _Style, _: _Places, prompt: Prompt) -> Part:
    keys = prompt.keys or INTERPRETATION_KEYS
    parts: list[Part] = []
    for i, key in enumerate(keys):
        parts += [style.key(key, first=i == 0), _string(MAX_FIELD)]
    return Sequence_(*parts, Text(b"}"))


def _view(style: _Style, _: _Places, prompt: Prompt) -> Part:
    return Sequence_(style.key("label", first=True), _label(prompt.labels), Text(b"}"))


def _structures(style: _Style, places: _Places, prompt: Prompt) -> Part:
    box = style.numbers(*places.box)
    parts = [style.key(places.key, first=True), box, style.key("label"), _label(prompt.labels)]
    if prompt.task == "segment":
        vertex = style.numbers(*places.point)
        parts += [style.key("mask"), style.array(vertex, MIN_VERTICES, MAX_VERTICES)]
    elif prompt.task == "keypoints":
        point = style.numbers(*places.point, _VISIBILITY)
        parts += [style.key("keypoints"), style.array(point, 1, MAX_KEYPOINTS)]
    return style.array(Sequence_(*parts, Text(b"}")), 0, MAX_OBJECTS)


def _loc_boxes(prompt: Prompt) -> Part:
    """Return boxes as PaliGemma writes them: four loc tokens and a name, parted by semicolons."""
    number = padded(LOC_STEPS - 1)
    token = Sequence_(Text(b"<loc"), number, Text(b">"))
    names = one_of(list(prompt.labels)) if prompt.labels else Repeat(_CHARACTER, 1, MAX_NAME)
    box = Sequence_(*[token] * 4, Text(b" "), names)
    return separated(box, Text(b" ; "), 0, MAX_OBJECTS)


_BUILDERS: dict[str, Callable[[_Style, _Places, Prompt], Part]] = {
    "interpret": _interpretation,
    "classify": _view,
    "detect": _structures,
    "segment": _structures,
    "keypoints": _structures,
}


@lru_cache(maxsize=64)
def form_for(
    prompt: Prompt,
    style: JsonStyle = "auto",
    convention: Convention = _USUAL,
    seen: tuple[int, int] | None = None,
) -> Form | None:
    """Return the form of the answer to a prompt, or None for a free one.

    Parameters
    ----------
    prompt : Prompt
        Its task, keys and labels decide.
    style : {"auto", "compact", "spaced"}
        How the model writes JSON; a pack says it when it knows.
    convention : Convention
        How the model writes places.
    seen : (width, height), optional
        Of the image as the model sees it; needed for places in pixels.
    """
    build = _BUILDERS.get(prompt.task)
    if build is None:
        return None
    if convention.unit == "loc" and prompt.task == "detect":
        return Form(_loc_boxes(prompt))
    places = _Places(convention, seen)
    spaces = {"compact": ("",), "spaced": (" ",), "auto": ("", " ")}[style]
    roots = [build(_Style(space), places, prompt) for space in spaces]
    return Form(roots[0] if len(roots) == 1 else Choice(*roots))
