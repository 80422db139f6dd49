"""Numbers as parts of a form: whole ones up to a bound, decimals, and padded ones."""

from __future__ import annotations

from functools import lru_cache

from napari_fada.engines.forms.machine import ByteClass, Choice, Part, Repeat, Sequence_, Text

DIGIT = ByteClass(b"0123456789", "[0-9]")


def _digits(low: int, high: int) -> Part:
    """Return one digit from ``low`` to ``high``."""
    if low == high:
        return Text(str(low).encode())
    return ByteClass(range(48 + low, 49 + high), f"[{low}-{high}]")


def _below(text: str, first: int) -> list[Part]:
    """Return numbers with as many digits as ``text`` and not above it.

    One option for each digit at which they may fall below, and the number itself. ``first`` is
    the lowest digit they may begin with.
    """
    options: list[Part] = []
    for i, letter in enumerate(text):
        low = first if i == 0 else 0
        if int(letter) > low:
            rest = len(text) - i - 1
            parts: list[Part] = [Text(text[:i].encode())] if i else []
            parts.append(_digits(low, int(letter) - 1))
            if rest:
                parts.append(Repeat(DIGIT, rest, rest))
            options.append(Sequence_(*parts))
    return [*options, Text(text.encode())]


@lru_cache(maxsize=64)
def up_to(highest: int) -> Part:
    """Return whole numbers from 0 to ``highest``, without leading zeros."""
    if highest < 0:
        raise ValueError(f"no number is at most {highest}")
    if highest == 0:
        return Text(b"0")
    text = str(highest)
    options: list[Part] = [Text(b"0"), *_below(text, 1)]
    if len(text) > 1:
        shorter = Sequence_(_digits(1, 9), Repeat(DIGIT, 0, len(text) - 2))
        options.insert(1, shorter)
    return Choice(*options)


@lru_cache(maxsize=8)
def padded(highest: int) -> Part:
    """Return whole numbers from 0 to ``highest``, with leading zeros to four digits."""
    return Choice(*_below(f"{highest:04d}", 0))


@lru_cache(maxsize=1)
def fraction() -> Part:
    """Return decimals from 0 to 1 with at most four places."""
    return Choice(Sequence_(Text(b"0."), Repeat(DIGIT, 1, 4)), Text(b"1.0"), Text(b"0"), Text(b"1"))
