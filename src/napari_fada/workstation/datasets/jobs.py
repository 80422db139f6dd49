"""The long things that are done with data sets, in a thread, each with a project of its own.

The window's project tells the window of every change; what goes on in a thread must not, so it
opens the same file again, and the window sees the result as it sees the work of other windows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fada.exchange.export import ExportSummary, export_steps
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.importing import (
    ImportPlan,
    ImportProgress,
    Item,
    carry_out_steps,
    plan_steps,
)
from napari_fada.exchange.overlay import draw_overlay
from napari_fada.exchange.request import ExportRequest
from napari_fada.exchange.writers import ReadOptions, load_format
from napari_fada.records.project import Project
from napari_fada.records.rows import ScanRow
from napari_fada.scans import Scan, open_scan
from napari_fada.workstation.models_panel.jobs import Told, Work


@dataclass(frozen=True, slots=True)
class Finished:
    """The work is done; ``result`` is None if it was stopped."""

    result: Any


@dataclass(frozen=True, slots=True)
class Picture:
    """What would come in on one image, drawn on it."""

    frame: FrameRecords
    pixels: npt.NDArray[np.uint8]


def export(
    path: Path, rater: str, shown: Scan | None, out: Path, form: str, request: ExportRequest
) -> Work:
    """Return the work of an export.

    Parameters
    ----------
    path, rater : Path, str
        The project, and who works.
    shown : Scan or None
        The scan in the window: one that was taken from a layer has no file to be opened.
    out, form, request : Path, str, ExportRequest
        What is asked for.
    """

    def open_row(row: ScanRow) -> Scan:
        if shown is not None and shown.sha256 == row.sha256:
            return shown
        return open_scan(row.path or Path(row.name))

    def work(cancel: threading.Event) -> Iterator[Any]:
        with Project.open(path, rater=rater, create=False) as project:
            steps = export_steps(project, out, load_format(form), request, open_row=open_row)
            titles = {"images": "Images", "files": "Files"}
            yield from _run(
                steps,
                cancel,
                lambda e: Told(
                    f"{titles[e.stage]}: {e.done} of {e.total}", e.done / (e.total or 1)
                ),
            )

    return work


def read_labels(
    place: Path,
    form: str,
    options: Callable[[ReadOptions], ReadOptions],
    images: Path | None,
) -> Work:
    """Return the work of reading labels; the project is not touched."""

    def work(cancel: threading.Event) -> Iterator[Any]:
        yield Told("Looking what there is")
        steps = plan_steps(place, load_format(form), options=options, images=images)
        yield from _run(steps, cancel, lambda e: _images(e, "read"))

    return work


def bring_in(path: Path, rater: str, plan: ImportPlan, *, reviewed: bool) -> Work:
    """Return the work of bringing a plan into a project: all of it or, if it is stopped, nothing.

    Parameters
    ----------
    path, plan : Path, ImportPlan
        The project, and what comes in.
    rater, reviewed : str, bool
        Who brings it in, and whether they say that it is reviewed.
    """

    def work(cancel: threading.Event) -> Iterator[Any]:
        with Project.open(path, rater=rater, create=False) as project, plan:
            steps = carry_out_steps(project, plan, reviewed=reviewed)
            yield from _run(steps, cancel, lambda e: _images(e, "brought in"))

    return work


def picture(item: Item) -> Work:
    """Return the work of drawing what would come in on one image."""

    def work(_cancel: threading.Event) -> Iterator[Any]:
        frame = item.frame
        pixels = open_scan(item.scan.path or Path(item.scan.name)).frame(frame.frame)
        yield Picture(frame, draw_overlay(pixels, frame.annotations))

    return work


def _images(event: ImportProgress, done: str) -> Told:
    if not event.total:
        return Told(f"{event.done} images {done}: {event.name}")
    text = f"{event.done} of {event.total} images {done}: {event.name}"
    return Told(text, event.done / event.total)


def evaluate(path: Path, out: Path) -> Work:
    """Return the work of comparing a project's proposals with its corrections."""

    def work(cancel: threading.Event) -> Iterator[Any]:
        from napari_fada.evaluate.evaluation import Options, evaluate_steps
        from napari_fada.evaluate.report import write_report
        from napari_fada.evaluate.sources import of_project

        yield Told("Looking at what the experts did")
        found = of_project(path)
        with found.stack:
            steps = evaluate_steps(
                found.cases,
                Options(),
                title=found.title,
                left=found.left,
                editing=found.editing,
                total=found.total,
            )
            for event in _run(steps, cancel, lambda e: Told(e.what, e.done / (e.total or 1))):
                if isinstance(event, Finished) and event.result is not None:
                    yield Told("Writing the report")
                    write_report(out, event.result)
                yield event

    return work


def _run(
    steps: Generator[Any, None, Any], cancel: threading.Event, tell: Callable[[Any], Told]
) -> Iterator[Any]:
    """Pass on how far work is until it ends or is stopped."""
    try:
        while not cancel.is_set():
            yield tell(next(steps))
    except StopIteration as end:
        yield Finished(end.value)
        return
    finally:
        steps.close()
    yield Finished(None)


def told(summary: ExportSummary) -> list[str]:
    """Return what an export did, in lines for people."""
    written = ", ".join(f"{n} {what}" for what, n in summary.written.items())
    lines = [
        f"{summary.images} images with {summary.annotations} structures ({written}) were written "
        f"to {summary.path}."
    ]
    if summary.splits:
        lines.append(", ".join(f"{side} {n}" for side, n in summary.splits.items()))
    lines += [f"Left out: {n} × {reason}." for reason, n in summary.left_out.items()]
    lines += [f"Note: {n} × {reason}." for reason, n in summary.notes.items()]
    return [*lines, *summary.problems]
