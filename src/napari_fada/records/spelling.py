"""Spelling of free text, without a network: which words are unknown, and what may be meant.

The English words come with `pyspellchecker`; the words of the field, British spellings and the
project's own are added to them. A word is only ever marked: no text is changed in here.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib.resources import files
from typing import NamedTuple

_WORD = re.compile(r"\w+(?:['’\-]\w+)*")
_ENTRY = re.compile(r'"([^"\\]+)":\s*(\d+)')
_SLICE = 1 << 14
_LETTERS = "abcdefghijklmnopqrstuvwxyz'"
_ABBREVIATION = 6


class Unknown(NamedTuple):
    """A word that is not known, and where it stands in its text."""

    start: int
    end: int
    word: str


def english_words() -> Iterator[dict[str, int]]:
    """Yield the words of English with how often they are used, in small portions.

    The whole list takes most of a second to read, and this runs beside a window.

    Raises
    ------
    OSError
        If the list is not installed, or is damaged.
    """
    try:
        packed = files("spellchecker").joinpath("resources", "en.json.gz").read_bytes()
    except ImportError as error:
        raise OSError("the package pyspellchecker is not installed") from error
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
    rest = ""
    try:
        for start in range(0, len(packed), _SLICE // 4):
            rest += unpack.decompress(packed[start : start + _SLICE // 4]).decode("ascii", "ignore")
            *whole, rest = rest.split(", ")
            yield {word: int(uses) for word, uses in _ENTRY.findall(", ".join(whole))}
    except zlib.error as error:
        raise OSError(f"the list of words is damaged ({error})") from error
    yield {word: int(uses) for word, uses in _ENTRY.findall(rest)}


class Speller:
    """Knows words.

    Parameters
    ----------
    words : iterable of str
        Of the field: known from the start, and suggested before others.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._english: dict[str, int] = {}
        self._own: Counter[str] = Counter()
        self.add(words)

    def add(self, texts: Iterable[str]) -> None:
        """Take all words of some texts as rightly spelt."""
        for text in texts:
            for found in _WORD.findall(text):
                self._own.update((_folded(found), *map(_folded, _parts(found))))

    def add_english(self, words: dict[str, int]) -> None:
        """Add a portion of :func:`english_words`."""
        self._english.update(words)

    def knows(self, word: str) -> bool:
        """Tell whether a word is known, or is nothing that could be misspelt.

        Abbreviations in capitals, words of one or two letters, whatever has a digit in it, and
        words in other scripts than Latin are left alone.
        """
        if len(word) < 3 or (word.isupper() and len(word) <= _ABBREVIATION):
            return True
        if any(not c.isalpha() and c not in "'’-" for c in word) or not _is_latin(word):
            return True
        if self._has(_folded(word)):
            return True
        parts = _parts(word)
        return len(parts) > 1 and all(self.knows(part) for part in parts)

    def _has(self, word: str) -> bool:
        stems = (word, word.removesuffix("'s"), word.removesuffix("s"))
        return any(stem in self._own for stem in stems) or any(
            stem in self._english for stem in stems[:2]
        )

    def unknown(self, text: str) -> list[Unknown]:
        """Return the words of a text that are not known."""
        return [
            Unknown(found.start(), found.end(), found.group())
            for found in _WORD.finditer(text)
            if not self.knows(found.group())
        ]

    def suggestions(self, word: str, limit: int = 5) -> list[str]:
        """Return known words that may be meant, the likeliest first, in the case of the word."""
        folded = _folded(word)
        near = {w for w in _one_edit_away(folded) if self._own[w] or w in self._english}
        found = sorted(near, key=lambda w: (-bool(self._own[w]), -self._english.get(w, 0), w))
        found += difflib.get_close_matches(folded, self._own, n=limit, cutoff=0.8)
        cased = _case_of(word)
        return [cased(w) for w in dict.fromkeys(found)][:limit]


def _parts(word: str) -> list[str]:
    return [part for part in word.split("-") if part]


def _folded(word: str) -> str:
    return unicodedata.normalize("NFC", word).casefold().replace("’", "'")


def _is_latin(word: str) -> bool:
    return all(unicodedata.name(c, "").startswith("LATIN") for c in word if c.isalpha())


def _case_of(word: str) -> Callable[[str], str]:
    if word.isupper():
        return str.upper
    return str.capitalize if word[:1].isupper() else str


def _one_edit_away(word: str) -> set[str]:
    """Return what a slip of one key makes of a word, turned round."""
    halves = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    found = {a + b[1:] for a, b in halves if b}
    found |= {a + b[1] + b[0] + b[2:] for a, b in halves if len(b) > 1}
    found |= {a + c + b[1:] for a, b in halves if b for c in _LETTERS}
    found |= {a + c + b for a, b in halves for c in _LETTERS}
    return found - {word}
