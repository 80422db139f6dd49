"""Phrases to offer while a report is written: curated ones, and those of past reports.

A phrase belongs to a field. Those that this project's people used most often with the view that
is shown come first. What is offered continues what has been typed of the present clause; nothing
is ever put into a text by itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from napari_fada.records.project import Project

CHUNK = 400
LONGEST = 200
"""Longer clauses are no phrases: nobody writes them twice."""

_CLAUSE = re.compile(r"[^.;\n]+(?:\.(?=\S)[^.;\n]+)*")

Spot = tuple[str, int]


class PastText(NamedTuple):
    """A field of a report that an expert wrote, with the view of its frame."""

    spot: Spot
    field: str
    view: str
    text: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A phrase that may be taken. ``uses`` is how often this project has it; 0: a curated one."""

    text: str
    uses: int = 0


def clauses(text: str) -> list[str]:
    """Return the clauses of a text: what stands between full stops, semicolons, line ends."""
    return [part.strip() for part in _CLAUSE.findall(text) if part.strip()]


def clause_before(text: str, at: int) -> str:
    """Return what has been typed of the clause that the cursor stands in."""
    return re.split(r"(?<=[.;])\s+|[;\n]\s*", text[:at])[-1].lstrip()


def past_texts(project: Project, *, of: Spot | None = None) -> Iterator[list[PastText]]:
    """Yield what experts wrote into reports, in short queries (of one frame, if one is given)."""
    last: tuple[str, int, str] = ("", -2, "") if of is None else (*of, "")
    while True:
        rows = project.report_texts(last, CHUNK, of=of)
        if not rows:
            return
        yield [
            PastText((sha256, frame), name.partition("/")[2], view or "", text)
            for sha256, frame, name, text, view in rows
        ]
        last = rows[-1][:3]


class Phrases:
    """What can be offered, by field and view.

    Parameters
    ----------
    curated : mapping of field to mapping of view to phrases
        View ``any`` holds what suits every view.
    """

    def __init__(self, curated: Mapping[str, Mapping[str, tuple[str, ...]]]) -> None:
        self._curated = curated
        self._uses: dict[str, dict[str, Counter[str]]] = {}
        self._learnt: dict[Spot, list[PastText]] = {}

    def learn(self, texts: list[PastText]) -> None:
        """Count the phrases of past reports."""
        for past in texts:
            self._learnt.setdefault(past.spot, []).append(past)
            self._count(past, 1)

    def learn_frame(self, spot: Spot, texts: list[PastText]) -> None:
        """Count the phrases of one frame anew after its report was changed."""
        for past in self._learnt.pop(spot, ()):
            self._count(past, -1)
        self.learn(texts)

    def _count(self, past: PastText, step: int) -> None:
        known = self._uses.setdefault(past.field, {})
        for clause in clauses(past.text):
            if len(clause) > LONGEST:
                continue
            uses = known.setdefault(clause, Counter())
            uses[past.view] += step
            if uses[past.view] <= 0:
                del uses[past.view]
            if not uses:
                del known[clause]

    def words(self) -> Iterator[str]:
        """Yield the words of past reports that stand in more than one of them."""
        for phrases in self._uses.values():
            for text, uses in phrases.items():
                if uses.total() > 1:
                    yield from text.split()

    def offers(self, field: str, view: str | None, typed: str, limit: int = 4) -> list[Offer]:
        """Return phrases that begin with what was typed, the most used first.

        Parameters
        ----------
        field : str
            Key of the report.
        view : str, optional
            That is shown: what was used with it stands before what was used with others.
        typed : str
            Of the present clause; with none, the most used of all. Case does not matter.
        limit : int
            How many at most.
        """
        wanted = typed.casefold()
        known = self._uses.get(field, {})
        curated = self._curated.get(field, {})
        here = curated.get(view or "", ())
        general = curated.get("any", ())
        ranked: list[tuple[tuple[int, ...], str, int]] = []
        for text, uses in known.items():
            if _continues(text, wanted):
                ranked.append(((-uses[view or ""], -uses.total(), len(text)), text, uses.total()))
        for place, texts in enumerate((here, general)):
            for number, text in enumerate(texts):
                if text not in known and _continues(text, wanted):
                    ranked.append(((0, place, number), text, 0))
        ranked.sort(key=lambda row: (row[0][0], row[2] == 0, row[0][1:], row[1]))
        return [Offer(text, uses) for _, text, uses in ranked[:limit]]


def _continues(text: str, wanted: str) -> bool:
    folded = text.casefold()
    return folded.startswith(wanted) and folded != wanted
