"""What stands on a frame: the reading it shows, its report, and what brings them there.

The report, the view and the classes that count are the expert's where there is a word of
theirs, else those of the reading that is shown.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from enum import Enum

from napari_fada.records import edits, history, staleness, tables
from napari_fada.records.reading import INTERPRETATION_KEYS, PHASES, Phase, Reading
from napari_fada.records.reading import Mapping as ClassMapping
from napari_fada.records.rows import Report


class Keep(Enum):
    """Says that a value is to stay as it is (None takes it away)."""

    KEEP = 0


KEEP = Keep.KEEP


def reading(connection: sqlite3.Connection, cells: history.Cells) -> Reading | None:
    """Return the reading that a frame shows."""
    return tables.get_reading(connection, cells["reading"]) if "reading" in cells else None


def report(
    connection: sqlite3.Connection, cells: history.Cells, shown: Reading | None = None
) -> Report:
    """Return what is said on a frame; ``shown`` is its reading, if that is at hand."""
    shown = shown or reading(connection, cells)
    mapping = cells.get("mapping")
    return Report(
        model_fields=dict(shown.interpretation) if shown else {},
        model_view=shown.view if shown else None,
        expert_fields={
            key: cells[f"field/{key}"] for key in INTERPRETATION_KEYS if f"field/{key}" in cells
        },
        expert_view=cells.get("view"),
        reading=cells.get("reading"),
        model_mapping=shown.mapping if shown else None,
        expert_mapping=ClassMapping.from_dict(json.loads(mapping)) if mapping else None,
    )


def said(
    connection: sqlite3.Connection,
    sha256: str,
    frame: int,
    *,
    fields: Mapping[str, str | None],
    view: str | Keep | None,
    mapping: ClassMapping | Keep | None,
) -> dict[str, str | None]:
    """Return the cells of what an expert says, and of what is out of date by it.

    Empty if nothing changes. See ``Project.set_report``.

    Raises
    ------
    KeyError
        If a field is none of the eight.
    """
    cells = history.cells(connection, sha256, frame)
    shown = reading(connection, cells)
    before = report(connection, cells, shown)
    wanted: dict[str, str | None] = {}
    for key, text in fields.items():
        if key not in INTERPRETATION_KEYS:
            raise KeyError(key)
        wanted[f"field/{key}"] = None if text == before.model_fields.get(key) else text
    if not isinstance(view, Keep):
        wanted["view"] = None if view == before.model_view else view
    if not isinstance(mapping, Keep):
        own = mapping is None or mapping == before.model_mapping
        wanted["mapping"] = None if own or mapping is None else json.dumps(mapping.to_dict())
    to_be = _with(cells, wanted)
    if to_be == cells:
        return {}
    after = report(connection, to_be, shown)
    return wanted | staleness.after_edit(cells, shown, before, after)


def show_reading(
    connection: sqlite3.Connection,
    sha256: str,
    frame: int,
    reading_id: str,
    *,
    drop_untouched: bool,
    drop_expert: bool = False,
    ran: Collection[Phase] = PHASES,
    label: str,
    rater: str,
) -> history.Entry | None:
    """Make a reading the one that is shown. See ``Project.replace_proposals``."""
    found = tables.get_reading(connection, reading_id)
    if (found.scan.sha256, found.scan.frame) != (sha256, frame):
        raise ValueError(f"reading {reading_id} is not of this frame")
    cells = history.cells(connection, sha256, frame)
    wanted: dict[str, str | None] = {"reading": reading_id}
    wanted |= edits.shown_proposals(
        *(connection, sha256, frame, found.annotations),
        drop_untouched=drop_untouched,
        drop_expert=drop_expert,
    )
    before = report(connection, cells)
    after = report(connection, _with(cells, wanted), found)
    wanted |= staleness.after_run(cells, found, before, after, ran)
    return history.do(connection, sha256, frame, wanted, label=label, rater=rater)


def _with(cells: history.Cells, wanted: Mapping[str, str | None]) -> history.Cells:
    """Return cells as they will be."""
    after = {**cells, **wanted}
    return {name: value for name, value in after.items() if value is not None}


def report_texts(
    connection: sqlite3.Connection,
    after: tuple[str, int, str],
    limit: int,
    of: tuple[str, int] | None,
) -> list[tuple[str, int, str, str, str | None]]:
    """Return fields of reports by experts, some at a time, each with the view of its frame."""
    where, more = ("AND c.sha256 = ? AND c.frame = ?", of) if of else ("", ())
    return connection.execute(
        "SELECT c.sha256, c.frame, c.name, c.value, f.view FROM cells c "
        "LEFT JOIN frames f ON f.sha256 = c.sha256 AND f.frame = c.frame "
        # The first two terms are those of the index `cells_of_reports`.
        "WHERE c.name >= 'field/' AND c.name < 'field0' "
        f"AND (c.sha256, c.frame, c.name) > (?, ?, ?) {where} "
        "ORDER BY c.sha256, c.frame, c.name LIMIT ?",
        (*after, *more, limit),
    ).fetchall()
