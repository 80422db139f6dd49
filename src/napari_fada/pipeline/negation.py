"""What a report affirms: the text with the mentions that it denies taken out.

A report names what is missing as often as what is there ("no nuchal fold seen"). The scope of
a denial is kept narrow, because a class that is left out by mistake costs more than one that is
asked for in vain:

- A clause ends at a full stop, a semicolon, a bracket, a line, or a word of contrast (but,
  however, although, while, except …). No denial reaches over it.
- *no, without, absence of, unable to, does not show …* deny what follows, up to the next comma,
  or to the "and" or "with" after its verb; over commas only in a list that ends in *or* or *nor*.
- *not seen, not visualised, cannot be measured, absent, missing …* deny what stands before them,
  back to the last comma, or further where the parts before it have neither a verb nor a figure of
  their own ("NT, nasal bone and nasal tip not seen").
- *cannot exclude*, *not only* and *no doubt* deny nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache

_SEEN = (
    r"seen|visible|visuali[sz]ed|visuali[sz]able|identified|identifiable|shown|demonstrated|"
    r"included|depicted|displayed|obtained|obtainable|assessed|assessable|measured|measurable|"
    r"evaluated|examined|present|appreciated|imaged|discernible|detected|detectable|noted|clear|"
    r"evident|available|possible|applicable|determined|delineated|observed|recogni[sz]ed|found|"
    r"captured|clearly|adequately|well|fully|reliably"
)
_AFFIRMS = re.compile(
    rf"\b(?:{_SEEN}|normal|intact|appears?|shows?|measures?|is|are|was|were)\b|\d", re.IGNORECASE
)
_CLAUSE = re.compile(
    r"\.(?!\d)|[;!?\n()\[\]]|\b(?:but|however|although|though|except|while|whereas|only)\b",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"\b(?:can ?not|can't|could ?n[o']t|not|does not|do not) (?:be )?"
    r"(?:entirely |completely )?(?:exclude[ds]?|rule[ds]? out|ruling out)\b"
    r"|\bno doubt\b|\bnot just\b",
    re.IGNORECASE,
)
_CAN_NOT = r"(?:can ?not|can't|could not|couldn't|unable to)"
_BACKWARD = re.compile(
    rf"\b(?:{_CAN_NOT} be (?:\w+ ){{0,2}}(?:{_SEEN})\b"
    rf"|(?:not|isn't|aren't|wasn't|weren't|never) (?:\w+ ){{0,2}}?(?:{_SEEN})\b"
    r"|absent\b|missing\b|unseen\b|invisible\b|unmeasurable\b|undetectable\b"
    r"|non-?visuali[sz]ed\b|out of (?:view|plane|the field|frame)\b"
    r"|outside (?:the )?(?:field|view|plane|image|frame)\b)",
    re.IGNORECASE,
)
_FORWARD = re.compile(
    rf"\b(?:no\b|without\b|neither\b|nor\b|absen(?:t|ce of)\b|lack(?:s|ing)?(?: of)?\b|free of\b"
    rf"|non-visuali[sz]ation of\b|{_CAN_NOT}\b|fail(?:s|ed|ure)? to\b|instead of\b|rather than\b"
    r"|not\b|don't\b|doesn't\b|didn't\b|isn't\b|aren't\b|never\b|non-(?=\w))",
    re.IGNORECASE,
)
_LIST = re.compile(r"\b(?:n?or)\b", re.IGNORECASE)
_JOINT = re.compile(r"\b(?:and|with)\b", re.IGNORECASE)

Span = tuple[int, int]


@lru_cache(maxsize=1024)
def affirmed(text: str) -> str:
    """Return the text with its denied mentions replaced by a bar."""
    kept = list(_HARMLESS.sub(lambda m: "~" * len(m.group()), text))
    masked = "".join(kept)
    out = list(text)
    start = 0
    for stop in [*_CLAUSE.finditer(masked), None]:
        end = stop.start() if stop else len(masked)
        for a, b in _denied(masked[start:end]):
            out[start + a : start + b] = ["|"] + [""] * (b - a - 1)
        start = stop.end() if stop else end
    return "".join(out)


def _denied(clause: str) -> list[Span]:
    spans: list[Span] = []
    parts = [m.span() for m in re.finditer(r"[^,]+", clause)]
    for number, (start, end) in enumerate(parts):
        part = clause[start:end]
        backward = [m.span() for m in _BACKWARD.finditer(part)]
        for a, b in backward:
            first = _last_joint(part[:a])
            spans.append((start + first, start + b))
            if first == 0:
                spans += _list_before(clause, parts[:number])
        for found in _FORWARD.finditer(part):
            # "not seen" looks back; only "absent" may look both ways.
            looks_back = any(a <= found.start() < b for a, b in backward)
            if looks_back and not found.group().lower().startswith("absent"):
                continue
            stop = _end_of_scope(part, found.end())
            spans.append((start + found.start(), start + stop))
            rest = parts[number + 1 :]
            if stop == len(part) and not _AFFIRMS.search(part, found.end()):
                spans += _list_after(clause, rest)
    return spans


def _last_joint(before: str) -> int:
    """Return where the denied statement begins, if one with its own verb stands before it."""
    for joint in reversed(list(_JOINT.finditer(before))):
        if _AFFIRMS.search(before[: joint.start()]):
            return joint.end()
    return 0


def _end_of_scope(part: str, begin: int) -> int:
    """Return the end of what a denial at ``begin`` reaches within its part."""
    verb = _AFFIRMS.search(part, begin)
    joint = _JOINT.search(part, verb.end()) if verb else None
    return joint.start() if joint else len(part)


def _list_before(clause: str, parts: list[Span]) -> list[Span]:
    out: list[Span] = []
    for a, b in reversed(parts):
        if _AFFIRMS.search(clause, a, b):
            break
        out.append((a, b))
    return out


def _list_after(clause: str, parts: list[Span]) -> list[Span]:
    last = max((n for n, (a, b) in enumerate(parts) if _LIST.search(clause, a, b)), default=-1)
    out: list[Span] = []
    for a, b in parts[: last + 1]:
        out.append((a, b))
        if _AFFIRMS.search(clause, a, b):
            break
    return out
