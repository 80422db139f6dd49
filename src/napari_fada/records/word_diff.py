"""What an expert changed in a text, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

Kind = Literal["same", "removed", "added"]

_TOKEN = re.compile(r"\s+|[^\W_]+|.", re.DOTALL)


class Piece(NamedTuple):
    """A stretch of text that stands in both, only in the first, or only in the second."""

    kind: Kind
    text: str


def word_diff(before: str, after: str) -> list[Piece]:
    """Return how one text became the other, in whole words.

    The texts of ``same`` and ``removed`` joined are ``before``, those of ``same`` and ``added``
    are ``after``, to the letter. What was taken away stands before what took its place, and no
    two neighbours are of one kind.
    """
    a, b = _TOKEN.findall(before), _TOKEN.findall(after)
    return list(_joined(_pieces(a, b)))


def _pieces(a: list[str], b: list[str]) -> Iterator[Piece]:
    # Without `autojunk=False` common words of long texts would count for nothing.
    matcher = SequenceMatcher(_is_blank, a, b, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            yield Piece("same", "".join(a[i1:i2]))
        else:
            yield Piece("removed", "".join(a[i1:i2]))
            yield Piece("added", "".join(b[j1:j2]))


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Join changes that only blanks part, so that a rewritten phrase reads as one."""
    removed = added = same = ""
    for kind, text in pieces:
        if not text:
            continue
        if kind == "same" and (removed or added) and _is_blank(text):
            same += text
        elif kind == "same":
            yield from _change(removed, added)
            yield Piece("same", same + text)
            removed = added = same = ""
        else:
            removed += same + text if kind == "removed" else same
            added += same + text if kind == "added" else same
            same = ""
    yield from _change(removed, added)
    if same:
        yield Piece("same", same)


def _change(removed: str, added: str) -> Iterator[Piece]:
    if removed:
        yield Piece("removed", removed)
    if added:
        yield Piece("added", added)


def _is_blank(token: str) -> bool:
    return token.isspace()
