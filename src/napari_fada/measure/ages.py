"""Gestational ages: where they come from, how they are written, and how a report's text is read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, Self, get_args

from napari_fada.errors import MeasureError

AgeOrigin = Literal["lmp", "crl", "typed", "report", "biometry"]

TERM_DAYS = 280
"""From the first day of the last period to term."""
SHORTEST_DAYS, LONGEST_DAYS = 4 * 7, 44 * 7
"""No age beyond these is believed: before, no scan shows anything that could be measured."""


@dataclass(frozen=True, slots=True)
class GestationalAge:
    """An age in days since the last menstrual period.

    Parameters
    ----------
    days : float
        From 4 to 44 weeks.
    origin : {"lmp", "crl", "typed", "report", "biometry"}
        Where it comes from: ``report`` is a text of the interpretation, ``biometry`` a formula of
        the second or third trimester.
    note : str
        For people: the formula, the date, the words.
    uids : frozenset of str
        Records that it was measured on.

    Raises
    ------
    MeasureError
        If no pregnancy that is scanned has that age.
    """

    days: float
    origin: AgeOrigin = "typed"
    note: str = ""
    uids: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.origin not in get_args(AgeOrigin):
            raise ValueError(f"{self.origin!r} is no origin of an age")
        if not (math.isfinite(self.days) and SHORTEST_DAYS <= self.days <= LONGEST_DAYS):
            raise MeasureError(
                f"{self.days / 7:.1f} weeks is no gestational age of a scan.",
                todo="Give weeks and days from 4+0 to 44+0.",
            )

    @property
    def weeks(self) -> float:
        """Exact weeks (days / 7)."""
        return self.days / 7

    def __str__(self) -> str:
        return weeks_days(self.days)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "days": self.days,
            "origin": self.origin,
            "note": self.note,
            "uids": sorted(self.uids),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` gave.

        Raises
        ------
        MeasureError
            If no pregnancy is that old.
        """
        return cls(
            float(data["days"]), data["origin"], data["note"], frozenset(data.get("uids", ()))
        )


def weeks_days(days: float) -> str:
    """Write an age in days as completed weeks and days, to the nearest day: ``20+3``."""
    whole = math.floor(days + 0.5)
    return f"{whole // 7}+{whole % 7}"


def age_from_lmp(last_period: date, examined: date) -> GestationalAge:
    """Return the age at an examination from the first day of the last menstrual period.

    Raises
    ------
    MeasureError
        If the dates make no age.
    """
    if examined > date.today() + timedelta(days=1):  # somewhere it is tomorrow already
        raise MeasureError(f"The examination, {examined}, lies in the future.")
    days = (examined - last_period).days
    if days < 0:
        raise MeasureError(
            f"The last period, {last_period}, begins after the examination, {examined}: that is no "
            "gestational age.",
            todo="Correct one of the two dates.",
        )
    return GestationalAge(days, "lmp", f"last period {last_period.isoformat()}")


_NUMBER = r"(\d{1,2}(?:[.,]\d{1,2})?)"
_WEEK = r"(?:weeks?|wks?|w(?![a-z]))"
_DAY = r"(?:days?|d(?![a-z]))"
_DAYS, _SPAN, _WEEKS = "weeks and days", "a span of weeks", "weeks"
#: What an age looks like, and which numbers it consists of; what comes first takes its words.
_PATTERNS = (
    # 20 weeks 3 days; 20w3d; 20 weeks and 3/7
    (
        _DAYS,
        re.compile(
            rf"(?<![\d.,/]){_NUMBER}\s*-?\s*{_WEEK}\s*(?:,|and|\+|&)?\s*"
            rf"([0-6])\s*(?:/\s*7|{_DAY})",
            re.IGNORECASE,
        ),
    ),
    # 20 3/7 weeks, 20 3/7
    (_DAYS, re.compile(r"(?<![\d.,/])(\d{1,2})\s+([0-6])\s*/\s*7\b")),
    # 20+3, 20 + 3 weeks, 20+3/40, GA 20+3
    (
        _DAYS,
        re.compile(r"(?<![\d.,+])(\d{1,2})\s*\+\s*([0-6])(?![\d.,])(?!\s*(?:cm|mm|g\b))"),
    ),
    # 20-22 weeks, 20 to 22 weeks
    (
        _SPAN,
        re.compile(
            rf"(?<![\d.,/]){_NUMBER}\s*(?:-|–|—|to|and)\s*{_NUMBER}\s*-?\s*{_WEEK}",
            re.IGNORECASE,
        ),
    ),
    # 20 weeks, 20-week, 20.5 wk
    (_WEEKS, re.compile(rf"(?<![\d.,/]){_NUMBER}\s*-?\s*{_WEEK}", re.IGNORECASE)),
)
_DENIED = re.compile(
    r"(?:follow[- ]?up|repeat|rescan|review|return|again|re-?evaluat\w*|recommend\w*|within|after|"
    r"every|next)\b[^.;]{0,40}$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class StatedAge:
    """An age that a text states: the earliest and latest days it can mean, and the words."""

    low: float
    high: float
    words: str

    @property
    def days(self) -> float:
        """The middle."""
        return (self.low + self.high) / 2

    def age(self) -> GestationalAge:
        """Return it as an age of origin ``report``."""
        return GestationalAge(self.days, "report", f"“{self.words}”")


def stated_age(text: str) -> StatedAge | None:
    """Find the gestational age that a text of a report states; None if it states none.

    ``20 weeks`` may mean 20+0 to 20+6; ``20+3``, ``20w3d`` and ``20 weeks 3 days`` mean that day;
    ``18-20 weeks`` means 18+0 to 20+6. What is not between 4 and 44 weeks, and spans of time until
    a next scan ("repeat in 4 weeks"), are passed over.
    """
    best: tuple[int, StatedAge] | None = None
    taken: list[tuple[int, int]] = []
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            taken.append(match.span())
            found = _read(kind, match)
            if found is None or _DENIED.search(text[: match.start()]):
                continue
            if best is None or match.start() < best[0]:
                best = (match.start(), found)
    return best[1] if best else None


def _read(kind: str, match: re.Match[str]) -> StatedAge | None:
    first, *rest = (float(g.replace(",", ".")) for g in match.groups() if g is not None)
    if kind == _DAYS:
        low = high = first * 7 + rest[0]
    elif kind == _SPAN:
        low, high = first * 7, rest[0] * 7 + (6 if rest[0].is_integer() else 0)
        if high < low:
            return None
    else:
        low = first * 7
        high = low + (6 if first.is_integer() and "." not in match.group(1) else 0)
    if not (low >= SHORTEST_DAYS and high <= LONGEST_DAYS):
        return None
    return StatedAge(low, high, " ".join(match.group().split()))
