"""Tables that the commands print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from napari_fada.cli_shared import out, say

if TYPE_CHECKING:
    from napari_fada.records.merge import MergeFinished
    from napari_fada.records.worklist import Item


def worklist_table(items: Collection[Item]) -> Table:
    """Show rows; a column that is empty for all of them is left out."""
    columns: dict[str, list[str]] = {
        "state": [item.state for item in items],
        "name": [item.name for item in items],
        "view": [item.view or "" for item in items],
        "classes": [", ".join(item.classes) for item in items],
        "score": ["" if item.score is None else f"{item.score:.2f}" for item in items],
        "rater": [item.rater for item in items],
        "comment": [item.comment for item in items],
        "problem": [item.problem for item in items],
    }
    shown = {name: texts for name, texts in columns.items() if name == "name" or any(texts)}
    table = Table(*shown)
    for row in zip(*shown.values(), strict=True):
        table.add_row(*map(Text, row))
    return table


def print_merge(end: MergeFinished, out_file: Path) -> None:
    """Say what a merge has found, with the figures of both raters."""
    say(f"{end.scans} scans in {out_file}; {end.both} were worked on by both.")
    kinds = Counter(conflict.what for conflict in end.conflicts)
    parts = ", ".join(f"{count} {what}" for what, count in kinds.items())
    say(f"{len(end.conflicts)} conflicts are open{f': {parts}' if parts else ''}.")
    if end.taken:
        say(
            f"{end.taken} structures are alike enough and were taken as the first has them; FADA "
            "adjudicate lists them."
        )
    if end.ungrouped:
        say(f"{end.ungrouped} scans do not say whose they are until they are opened again.")
    figures = end.agreement
    if figures is None or not end.both:
        say("There is nothing that both have judged, so there are no figures.")
        return
    overlap = Table("class", "kind", "frames", "Dice", "IoU", title="Structures")
    for one in figures.structures:
        overlap.add_row(
            Text(one.category), one.kind, str(one.frames), f"{one.dice:.3f}", f"{one.iou:.3f}"
        )
    words = Table("", "cases", "equal", "Cohen's kappa", "token F1", title="Labels and report")
    for name, two in (("view", figures.view), ("review state", figures.review)):
        words.add_row(name, str(two.cases), _figure(two.equal), _figure(two.kappa), "")
    for three in figures.fields:
        words.add_row(
            three.field, str(three.cases), _figure(three.exact), "", _figure(three.token_f1)
        )
    out.print(overlap)
    out.print(words)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
