"""The result of an evaluation as files: a page that needs no network, JSON, and the worst cases.

The worst cases become pictures (truth left, answer right) and a project of their own: opened in
the window it shows each of them with the truth as accepted structures and the answer as proposals.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from napari_fada.errors import ExchangeError, FadaError
from napari_fada.evaluate.evaluation import Evaluation, Scored
from napari_fada.evaluate.plots import confusion, precision_recall, reliability
from napari_fada.evaluate.reference import PUBLISHED
from napari_fada.exchange.files import cut, write_atomic
from napari_fada.exchange.overlay import draw_overlay, to_png
from napari_fada.records.annotation import new_uid
from napari_fada.records.base import LOOK
from napari_fada.records.linking import UNLINKED
from napari_fada.records.project import Project
from napari_fada.records.reading import ModelRef, PhaseResult, Reading
from napari_fada.records.rows import Act
from napari_fada.scans import open_scan

PAGE, FIGURES, WORST, LIST = "report.html", "evaluation.json", "worst.fada", "worst.csv"


def write_report(out_dir: Path, found: Evaluation) -> list[Path]:
    """Write page, JSON, list, pictures and project; return what was written.

    Raises
    ------
    ExchangeError
        If matplotlib or Jinja2 is missing, or something cannot be written.
    """
    data = found.to_dict()
    written = [out_dir / FIGURES]
    text = json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False)
    write_atomic(out_dir / FIGURES, text.encode())
    rows = [
        {**row, "picture": _picture(out_dir, number, scored)}
        for number, (row, scored) in enumerate(zip(data["worst"], found.worst, strict=True), 1)
    ]
    write_atomic(out_dir / LIST, _list(found.worst, rows).encode())
    project = write_worst(out_dir / WORST, found.worst, found.title)
    open_with = f"Open {WORST} in the window to look at them." if project else ""
    page = render(found, data, rows, open_with)
    write_atomic(out_dir / PAGE, page.encode())
    written += [
        out_dir / LIST,
        out_dir / PAGE,
        *(out_dir / r["picture"] for r in rows if r["picture"]),
    ]
    return [*written, *([out_dir / WORST] if project else [])]


def render(
    found: Evaluation,
    data: Mapping[str, Any],
    worst: Sequence[Mapping[str, Any]],
    open_with: str = "",
) -> str:
    """Return the page.

    Raises
    ------
    ExchangeError
        If matplotlib or Jinja2 is missing.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ModuleNotFoundError as error:
        raise ExchangeError(
            "The report needs Jinja2.", todo='Install it with: pip install "napari-fada[evaluate]"'
        ) from error
    plots: dict[str, str] = {
        d.what: precision_recall(d) for d in (found.boxes, found.outlines) if d
    }
    if found.views:
        plots["confusion"] = confusion(found.views)
    if found.calibration:
        plots["reliability"] = reliability(found.calibration)
    source = resources.files("napari_fada.evaluate").joinpath("report.html.j2").read_text("utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(source)
    title = found.title or "Evaluation"
    return template.render(
        title=title,
        e=data,
        plots=plots,
        published=PUBLISHED,
        worst=worst,
        open_with=open_with,
    )


def _list(worst: Sequence[Scored], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the worst cases as a table: where the scan is, its frame (from 0), score and why."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("scan", "frame", "score", "why", "picture"))
    for scored, row in zip(worst, rows, strict=True):
        case = scored.case
        place = case.name if case.path is None else str(case.path.resolve())
        table.writerow((place, case.frame, f"{scored.score:.4f}", scored.why, row["picture"]))
    return out.getvalue()


def _picture(out_dir: Path, number: int, scored: Scored) -> str:
    """Write the picture of a case; empty if its scan cannot be opened."""
    case = scored.case
    if case.path is None:
        return ""
    try:
        pixels = open_scan(case.path).frame(case.frame)
    except (FadaError, IndexError):
        return ""
    sides = [
        draw_overlay(pixels, side.annotations, title=title, view=side.view)
        for side, title in ((case.truth, "Truth"), (case.answer, "Answer"))
    ]
    height = max(s.shape[0] for s in sides)
    sides = [np.pad(s, ((0, height - s.shape[0]), (0, 0), (0, 0))) for s in sides]
    name = f"worst/{cut(f'{number:02d}_{Path(case.name).stem}', '.png')}"
    write_atomic(out_dir / name, to_png(np.hstack(sides), for_looking=True))
    return name


def write_worst(path: Path, worst: Sequence[Scored], title: str = "") -> int:
    """Write a project of cases, only to look at; return how many could be put in.

    Raises
    ------
    ExchangeError
        If an earlier one cannot be replaced.
    ProjectError
        If it cannot be written.
    """
    try:
        for name in (path, *path.parent.glob(f"{path.name}-*")):
            name.unlink(missing_ok=True)
    except OSError as error:
        raise ExchangeError(f"{path} cannot be replaced: {error.strerror or error}.") from error
    count = 0
    with Project.open(path, rater="evaluation") as project:
        for scored in worst:
            count += _put(project, scored)
        project.set_mark(LOOK, f"Worst cases of {title.partition(':')[0] or path.parent.name}")
    if not count:
        path.unlink(missing_ok=True)
    return count


def _put(project: Project, scored: Scored) -> bool:
    case = scored.case
    if case.path is None:
        return False
    try:
        scan = open_scan(case.path)
    except FadaError:
        return False
    project.add_scan(scan)
    said = tuple(
        replace(a, uid=new_uid(), parent=None, source="model", status="proposed", rater="")
        for a in case.answer.annotations
    )
    done = PhaseResult("done")
    reading = Reading(
        scan.ref(case.frame),
        ModelRef("evaluated answer", "", "", "", "evaluation"),
        phases={"interpret": done, "classify": done, "detect": done, "segment": done},
        interpretation=dict(case.answer.fields),
        view=case.answer.view,
        annotations=said,
    )
    project.save_reading(reading)
    truth = tuple(
        replace(a, uid=new_uid(), parent=None, source="expert", status="accepted", rater="truth")
        for a in case.truth.annotations
    )
    comment = f"{scored.score:.2f}: {scored.why}"
    act = Act(
        case.frame,
        truth,
        # Two answers lie on each other here: each box is shown where it was said.
        states={UNLINKED + a.uid: "" for a in (*said, *truth) if a.kind == "box"},
        scan_states={"comment": comment},
        label="Truth",
        by_person=False,
    )
    project.act(scan.sha256, act)
    if case.truth.fields or case.truth.view:
        project.set_report(
            *(scan.sha256, case.frame),
            fields=dict(case.truth.fields),
            view=case.truth.view,
            by_person=False,
        )
    return True
