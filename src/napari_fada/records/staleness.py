"""Which phases are out of date: something that they were made from has changed since.

A cell ``stale/<phase>`` of a frame says what changed (``report``, ``view``, ``classes``, joined
by commas). It is set in the same transaction as the change and goes when the phase has run again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from napari_fada.records.reading import Phase, Reading, downstream
from napari_fada.records.rows import Report

STALE = "stale/"

#: What the result of a phase is called where it is said that it was changed.
MADE_BY: Mapping[Phase, str] = {"interpret": "report", "classify": "view", "map": "classes"}


def after_edit(
    cells: Mapping[str, str], reading: Reading | None, before: Report, after: Report
) -> dict[str, str | None]:
    """Return the marks that an expert's change of the report, view or classes brings."""
    return _marks(cells, reading, _changed(before, after), ran=())


def after_run(
    cells: Mapping[str, str],
    reading: Reading,
    before: Report,
    after: Report,
    ran: Collection[Phase],
) -> dict[str, str | None]:
    """Return the marks that go and come when some phases have run (again).

    A phase that gave no usable answer stays out of date, if it was.
    """
    made = ("done", "empty", "skipped")
    fresh = {p for p in ran if p in reading.phases and reading.phases[p].state in made}
    gone: dict[str, str | None] = {STALE + p: None for p in fresh if STALE + p in cells}
    return gone | _marks(cells, reading, _changed(before, after), ran=ran)


def stale_phases(cells: Mapping[str, str]) -> dict[Phase, str]:
    """Return the phases that are out of date, in their order, each with a sentence why."""
    phases: tuple[Phase, ...] = ("interpret", "classify", "map", "detect", "segment")
    found = {phase: cells[STALE + phase] for phase in phases if STALE + phase in cells}
    return {phase: f"the {_listed(why.split(','))} changed" for phase, why in found.items()}


def with_words(reading: Reading, report: Report) -> Reading:
    """Return a reading as it counts now: the expert's words in place of the model's."""
    return replace(reading, interpretation=report.fields, view=report.view, mapping=report.mapping)


def _changed(before: Report, after: Report) -> list[Phase]:
    phases: list[Phase] = []
    if before.fields != after.fields:
        phases.append("interpret")
    if before.view != after.view:
        phases.append("classify")
    if before.mapping != after.mapping:
        phases.append("map")
    return phases


def _marks(
    cells: Mapping[str, str],
    reading: Reading | None,
    changed: Iterable[Phase],
    ran: Collection[Phase],
) -> dict[str, str | None]:
    if reading is None:
        return {}
    reasons: dict[str, list[str]] = {}
    for upstream in changed:
        for phase in downstream(upstream):
            result = reading.phases.get(phase)
            if phase not in ran and result is not None and result.state != "skipped":
                reasons.setdefault(STALE + phase, []).append(MADE_BY[upstream])
    return {
        name: ",".join(dict.fromkeys([*filter(None, cells.get(name, "").split(",")), *why]))
        for name, why in reasons.items()
    }


def _listed(names: list[str]) -> str:
    return " and the ".join(names)
