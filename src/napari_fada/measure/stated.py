"""Sizes that a text of a report states: "HC 176 mm", "femur length of 3.3 cm"."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: How sizes are called in reports; the name of the measurement they are compared with.
_CALLED = {
    "hc": r"head\s+circumferences?|HC",
    "bpd_oo": r"bi-?parietal\s+diameters?|BPD",
    "ofd": r"occipito-?frontal\s+diameters?|OFD",
    "ac": r"abdominal\s+circumferences?|AC",
    "fl": r"fem(?:ur|oral)\s+(?:diaphysis\s+)?lengths?|FL",
    "crl": r"crown[\s-]+(?:to[\s-]+)?rump\s+lengths?|CRL",
    "nt": r"nuchal\s+translucency(?:\s+thickness)?|NT",
}
_UNITS = {"mm": 1.0, "cm": 10.0}
_NAME = "|".join(f"(?P<{name}>{words})" for name, words in _CALLED.items())
# Up to three short words may stand between the name and its number ("measures about"), and an
# abbreviation in brackets, but no other number.
_SIZE = re.compile(
    rf"(?<![\w/])(?:{_NAME})(?![\w/])\s*(?:\([A-Za-z]+\))?\s*[:=]?\s*(?:[a-z]+\s+){{0,3}}"
    r"(?:~|≈)?\s*(?P<number>\d{1,3}(?:[.,]\d{1,2})?)\s*(?P<unit>mm|cm)(?![a-z²³])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class StatedSize:
    """A size that a text states.

    Parameters
    ----------
    name : str
        Of the measurement: ``hc``, ``bpd_oo``, ``ofd``, ``ac``, ``fl``, ``crl`` or ``nt``.
    value : float
        In mm.
    words : str
        The words it was read from.
    """

    name: str
    value: float
    words: str


def stated_sizes(text: str) -> tuple[StatedSize, ...]:
    """Find the sizes that a text states, the first of each name; a number without unit is none."""
    found: dict[str, StatedSize] = {}
    for match in _SIZE.finditer(text):
        name = next(name for name in _CALLED if match.group(name))
        value = float(match["number"].replace(",", ".")) * _UNITS[match["unit"].lower()]
        found.setdefault(name, StatedSize(name, value, " ".join(match.group().split())))
    return tuple(found.values())
