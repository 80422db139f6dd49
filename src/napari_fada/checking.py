"""Looks at every scan of a project for what does not fit, for the worklist to show and sort by.

A scan is looked at again when it was edited since. A generator of typed events; what was found
is kept in batches, so that a cancelled or killed run goes on where it was.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

from napari_fada.engines.protocol import Cancel
from napari_fada.errors import MeasureError, ScanError, ShapeError
from napari_fada.measure import GestationalAge, Measurement, Scale, Scales, measure_frame
from napari_fada.measure.calibration import scale_of_size
from napari_fada.measure.plausibility import FIELDS, RULES, Finding, findings
from napari_fada.records.plausibility import Checked
from napari_fada.records.project import Project
from napari_fada.records.rows import ScanRow
from napari_fada.records.worklist import Worklist
from napari_fada.scans import open_scan

_SLICE = 0.5  # seconds of work that are kept at one stroke


@dataclass(frozen=True, slots=True)
class Looked:
    """Scans that were looked at and kept, and how far the work is."""

    sha256s: tuple[str, ...]
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class CheckingFinished:
    """The end, also of a cancelled run."""

    done: int
    total: int
    cancelled: bool


def check_scans(
    worklist: Worklist, *, cancel: Cancel | None = None
) -> Iterator[Looked | CheckingFinished]:
    """Look at all scans that were edited since they were last looked at, the latest first.

    Parameters
    ----------
    worklist : Worklist
        Of a project that may be written.
    cancel : Cancel, optional
        Looked at between scans.

    Raises
    ------
    ProjectError
        If the project cannot be written.
    """
    waiting = worklist.unchecked(RULES)
    found: list[Checked] = []
    done, since = 0, time.monotonic()
    for sha256, edit in waiting:
        if cancel is not None and cancel.is_set():
            break
        try:
            odd = scan_findings(worklist.project, sha256)
        except (MeasureError, ShapeError):  # one odd record must not keep all others from a look
            logging.getLogger(__name__).exception("A scan could not be looked at")
            odd = ()
        worst = max((f.severity for f in odd), default=0.0)
        found.append(Checked(sha256, edit, worst, "\n".join(map(str, odd))))
        if time.monotonic() - since > _SLICE:
            done += len(found)
            yield _kept(worklist, found, done, len(waiting))
            found, since = [], time.monotonic()
    if found:
        done += len(found)
        yield _kept(worklist, found, done, len(waiting))
    yield CheckingFinished(done, len(waiting), cancel is not None and cancel.is_set())


def scan_findings(project: Project, sha256: str) -> tuple[Finding, ...]:
    """Return what does not fit on a scan, the worst first.

    Each frame is looked at by itself; sizes of several frames of the scan are compared with
    each other, with the report and with the age, sizes of several scans are not: they may be
    of different examinations.
    """
    row = project.scan(sha256)
    frames = project.annotations_by_frame(sha256)
    if row is None or not any(frames.values()):
        return ()
    scale = scales_of(project, row)
    size = row.width, row.height
    everything: list[Measurement] = []
    texts: dict[str, str] = {}
    odd: list[Finding] = []
    age = age_of(project, sha256)
    for frame, records in sorted(frames.items()):
        report = project.report(sha256, frame)
        measured = measure_frame(records, scale, size, view=report.view).measured
        everything += measured
        for name in FIELDS:
            if (text := report.fields.get(name, "")) and name not in texts:
                texts[name] = text
        odd += findings(measured, report.fields, age)
    if len(frames) > 1:
        odd += findings(everything, texts, age)
    worst: dict[tuple[str, str], Finding] = {}
    for finding in odd:
        key = finding.name, finding.size
        if key not in worst or finding.severity > worst[key].severity:
            worst[key] = finding
    return tuple(sorted(worst.values(), key=lambda f: -f.severity))


def age_of(project: Project, sha256: str) -> GestationalAge | None:
    """Return the age that a person stated for a scan; None where there is none to be believed."""
    told = project.told_age(sha256)
    try:
        return GestationalAge.from_dict(told) if told else None
    except (MeasureError, ValueError, KeyError):  # written by another version
        return None


def scales_of(project: Project, row: ScanRow) -> Scale | Scales | None:
    """Return the scale of a scan; the file is opened only where its regions may differ."""
    spacing, origin = project.spacing(row)
    if origin == "dicom-region" and row.path is not None:
        try:
            return Scales(scan=open_scan(row.path))
        except (ScanError, OSError):
            pass  # the file has gone: the scale of its main region is in the project
    return scale_of_size(spacing, origin)


def _kept(worklist: Worklist, found: list[Checked], done: int, total: int) -> Looked:
    worklist.keep_checked(RULES, found)
    return Looked(tuple(c.sha256 for c in found), done, total)
