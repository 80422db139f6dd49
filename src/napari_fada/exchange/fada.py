"""The FADA training form: a folder with conversations (JSONL) and their images.

Nothing that names a patient leaves: images are named by a hash with the project's secret salt,
carry no metadata, and are black outside the scan regions where the file states them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_fada.errors import ExchangeError, FadaError
from napari_fada.exchange.conversations import (
    Line,
    Prompts,
    dump_lines,
    read_lines,
    to_lines,
)
from napari_fada.exchange.files import write_atomic
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.overlay import to_png
from napari_fada.exchange.selection import select
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import bounds
from napari_fada.records.project import Project
from napari_fada.records.rows import ScanRow
from napari_fada.scans import Frame, Region, Scan, open_scan

FILE = "fada.jsonl"
IMAGES = "images"

OUTSIDE = "structures outside the scan region, which is all that is exported"
UNREADABLE = "scans that cannot be opened where they were last seen"
CHANGED = "scans whose file has changed"
UNMASKED = "images whose scan region is not known: look for burnt-in text before you share them"


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What an export wrote, what it left out and what it wrote with a difference, by reason."""

    path: Path
    lines: int
    images: int
    left_out: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "path": str(self.path),
            "lines": self.lines,
            "images": self.images,
            "left_out": self.left_out,
            "notes": self.notes,
            "problems": list(self.problems),
        }


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """One scan of an export is done."""

    done: int
    total: int
    name: str


def export_records(
    project: Project,
    out_dir: Path,
    prompts: Prompts,
    *,
    include_proposals: bool = False,
    mask_outside: bool = True,
    open_row: Callable[[ScanRow], Scan] | None = None,
) -> ExportSummary:
    """Write what has been judged in a project as training conversations.

    Parameters
    ----------
    project : Project
        Where the records are.
    out_dir : Path
        Gets ``fada.jsonl`` and ``images/``. An earlier export there is replaced once the new
        one is whole; until then, and after an error, the earlier one stands.
    prompts : Prompts
        The wording of the questions (a ``pipeline.PromptSet``).
    include_proposals : bool
        Also what no one has judged yet. Rejected proposals are never written.
    mask_outside : bool
        Black out what lies outside the scan regions of DICOM files.
    open_row : callable, optional
        How to get the pixels of a scan; by default its file is opened where it was last seen.

    Raises
    ------
    ExchangeError
        If something cannot be written.
    """
    steps = export_steps(
        project,
        out_dir,
        prompts,
        include_proposals=include_proposals,
        mask_outside=mask_outside,
        open_row=open_row,
    )
    while True:
        try:
            next(steps)
        except StopIteration as end:
            summary: ExportSummary = end.value
            return summary


def export_steps(
    project: Project,
    out_dir: Path,
    prompts: Prompts,
    *,
    include_proposals: bool = False,
    mask_outside: bool = True,
    open_row: Callable[[ScanRow], Scan] | None = None,
) -> Generator[ExportProgress, None, ExportSummary]:
    """Do the work of :func:`export_records`, one event for each scan; close it to cancel."""
    path = out_dir / FILE
    earlier = _images_of(path)
    written: set[str] = set()
    named: set[str] = set()
    lines: list[Line] = []
    tally, problems = Tally(), []
    rows = project.scans()
    try:
        for number, row in enumerate(rows, 1):
            held: Scan | None = None
            for frame in project.frames(row.sha256):
                found = select(project, row, frame, tally, include_proposals=include_proposals)
                foreseen, counted = to_lines(found, prompts)
                if not foreseen:
                    tally += counted
                    continue
                try:
                    held = held or (open_row or _open_row)(row)
                    if held.sha256 != row.sha256:
                        tally.left_out[CHANGED] += 1
                        problems.append(f"{row.name} is no longer the file that was annotated")
                        break
                    pixels = held.frame(frame)
                except (FadaError, OSError, IndexError) as error:
                    tally.left_out[UNREADABLE] += 1
                    problems.append(f"{row.name}: {error}")
                    break
                regions = _scan_regions(held) if mask_outside else ()
                if not held.regions:
                    tally.notes[UNMASKED] += 1
                if regions:
                    pixels, found = _masked(pixels, regions), _inside(found, regions, tally)
                image = _image_name(project.salt, row.sha256, frame, regions)
                new, counted = to_lines(replace(found, image=image), prompts)
                tally += counted
                lines += new
                named.add(image)
                if not (out_dir / image).exists():  # named by content: what is there is right
                    write_atomic(out_dir / image, to_png(pixels))
                    written.add(image)
            yield ExportProgress(number, len(rows), row.name)
        write_atomic(path, dump_lines(lines))
    except BaseException:
        _remove(out_dir, written)
        raise
    _remove(out_dir, earlier - named)
    return ExportSummary(
        *(path, len(lines), len(named), dict(+tally.left_out), dict(+tally.notes)),
        problems=tuple(problems),
    )


def _open_row(row: ScanRow) -> Scan:
    if row.path is None:
        raise ExchangeError(f"{row.name} has no file (it was annotated from a layer).")
    return open_scan(row.path)


def _image_name(salt: bytes, sha256: str, frame: int, regions: tuple[Region, ...]) -> str:
    """Name an image by what is in it, in a way that only this project can retrace."""
    mask = [(r.x0, r.y0, r.x1, r.y1) for r in regions]
    digest = hmac.digest(salt, f"{sha256}/{frame}/{mask}".encode(), hashlib.sha256)
    return f"{IMAGES}/{digest.hex()[:20]}.png"


def _scan_regions(scan: Scan) -> tuple[Region, ...]:
    return tuple(r for r in scan.regions if r.kind == "2d")


def _masked(pixels: Frame, regions: tuple[Region, ...]) -> Frame:
    out = np.zeros_like(pixels)
    for r in regions:
        out[r.y0 : r.y1, r.x0 : r.x1] = pixels[r.y0 : r.y1, r.x0 : r.x1]
    return out


def _inside(found: FrameRecords, regions: tuple[Region, ...], tally: Tally) -> FrameRecords:
    def shown(annotation: Annotation) -> bool:
        (x1, y1), (x2, y2) = bounds(annotation)
        return any(r.contains((x1 + x2) / 2, (y1 + y2) / 2) for r in regions)

    kept = tuple(a for a in found.annotations if shown(a))
    gone = {a.category for a in found.annotations if not shown(a)}
    tally.left_out[OUTSIDE] += len(found.annotations) - len(kept)
    asked = {
        task: tuple(tuple(c for c in names if c not in gone) for names in lists)
        for task, lists in found.asked.items()
    }
    return replace(found, annotations=kept, asked=asked)


def _images_of(path: Path) -> set[str]:
    """Return the images that an earlier export here refers to."""
    try:
        found, _ = read_lines(path.read_bytes(), lambda _image: (1, 1))
    except OSError:
        return set()
    return {f.image for f in found if f.image.startswith(f"{IMAGES}/") and ".." not in f.image}


def _remove(out_dir: Path, images: set[str]) -> None:
    for image in images:
        with suppress(OSError):
            (out_dir / image).unlink()
