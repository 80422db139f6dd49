"""Bringing files of the FADA training form into a project."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from napari_fada.errors import ExchangeError, FadaError
from napari_fada.exchange.conversations import read_lines
from napari_fada.exchange.fada import FILE
from napari_fada.records.project import KEEP, Project
from napari_fada.records.rows import Act
from napari_fada.scans import Identity, open_scan


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import brought in; ``problems`` are the lines and images that it could not."""

    images: int
    records: int
    known: int
    problems: tuple[str, ...] = ()


def import_records(project: Project, path: Path) -> ImportSummary:
    """Bring a training file and its images into a project.

    The images become scans, every structure a record (with its uid, status and rater where the
    file tells them; else an accepted import). Records that are in the project already are left
    as they are, so importing twice changes nothing.

    Parameters
    ----------
    project : Project
        Takes the records.
    path : Path
        The JSONL file, or the folder of an export.

    Raises
    ------
    ExchangeError
        If the file cannot be read.
    ProjectError
        If the project cannot be written. Images before that are in it.
    """
    if path.is_dir():
        path = path / FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ExchangeError(f"{path} cannot be read: {error.strerror or error}.") from error

    def size_of(image: str) -> tuple[int, int]:
        scan = open_scan(path.parent / image)
        return scan.width, scan.height

    frames, problems = read_lines(data, size_of)
    counts: Counter[str] = Counter()
    for found in frames:
        try:
            scan = open_scan(path.parent / found.image)
        except (FadaError, OSError) as error:
            problems.append(f"{found.image}: {error}")
            continue
        if (scan.width, scan.height) != (found.width, found.height):
            problems.append(f"{found.image} is not {found.width}×{found.height} as the file says")
            continue
        if found.subject:
            # The group of the exporting project goes on as the group here, hashed once more.
            scan = replace(scan, identity=Identity(patient=found.subject))
        project.add_scan(scan)
        new = [a for a in found.annotations if project.record(a.uid) is None]
        asked = {f"asked/{task}": json.dumps(lists) for task, lists in found.asked.items()}
        label = f"Imported from {path.name}"
        project.act(scan.sha256, Act(0, new, states=asked, label=label, by_person=False))
        view = found.view or KEEP
        project.set_report(scan.sha256, 0, fields=found.fields, view=view, by_person=False)
        counts["images"] += 1
        counts["records"] += len(new)
        counts["known"] += len(found.annotations) - len(new)
    return ImportSummary(
        counts["images"], counts["records"], counts["known"], problems=tuple(problems)
    )
