"""From a data set of any form into a project.

Two steps. Everything is read and checked first, images opened, and nothing in the project is
touched; what was found is a plan. Then the plan is carried out as a whole, in one transaction:
all of it is in the project, or nothing is. Records that the project has already are left alone,
and records without an identifier get one from what they are, so importing twice changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from napari_fada.errors import ExchangeError, FadaError
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.spool import Spool
from napari_fada.exchange.writers import Format, Problem, ReadOptions
from napari_fada.records.annotation import Annotation
from napari_fada.records.incoming import Reviewed, close_scans, take_in
from napari_fada.records.linking import UNLINKED, apart
from napari_fada.records.project import KEEP, Project
from napari_fada.records.rows import Act
from napari_fada.scans import Identity, Scan, open_scan

#: A file that is broken in every line is told of by its first lines.
MAX_PROBLEMS = 10_000


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """So many images were read; ``total`` is 0 where it is not known how many there will be."""

    done: int
    name: str
    total: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """An image of the plan: the scan without its pixels, and what is said of it."""

    scan: Scan
    frame: FrameRecords


@dataclass
class ImportPlan:
    """What an import would bring in. Use it as a context manager.

    ``problems`` are what it could not read; the rest is unharmed by them. ``empty`` counts images
    on which nothing is labelled.
    """

    source: str
    items: Spool[Item] = field(default_factory=Spool)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    more_problems: int = 0
    empty: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.items.__exit__(kind, error, trace)

    def problem(self, problem: Problem) -> None:
        """Take note of something that could not be read."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)
        else:
            self.more_problems += 1


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import brought in.

    ``known`` are records that were in the project already, ``by_class`` counts those that are
    new; ``problems`` are what could not be read. ``reviewed`` counts the images that are reviewed
    now, ``left_open`` those that are not although it was asked for, by reason. ``fitted`` boxes lay
    off their outlines and were put around them.
    """

    images: int
    records: int
    known: int
    by_class: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    reviewed: int = 0
    left_open: dict[str, int] = field(default_factory=dict)
    fitted: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "images": self.images,
            "records": self.records,
            "known": self.known,
            "by_class": self.by_class,
            "reviewed": self.reviewed,
            "left_open": self.left_open,
            "fitted": self.fitted,
            "problems": list(self.problems),
        }


def import_records(
    project: Project,
    root: Path,
    form: Format,
    *,
    options: Callable[[ReadOptions], ReadOptions] = lambda o: o,
    images: Path | None = None,
    strict: bool = False,
    reviewed: bool = False,
) -> ImportSummary:
    """Do both steps at once; see :func:`plan_steps` and :func:`carry_out`.

    With ``strict`` nothing is brought in if anything could not be read.
    """
    steps = plan_steps(root, form, options=options, images=images)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            plan: ImportPlan = end.value
            break
    with plan:
        if strict:
            refuse_problems(plan)
        return carry_out(project, plan, reviewed=reviewed)


def refuse_problems(plan: ImportPlan) -> None:
    """Raise if anything could not be read.

    Raises
    ------
    ExchangeError
        With the first of the problems.
    """
    if plan.problems:
        more = len(plan.problems) + plan.more_problems - 1
        raise ExchangeError(
            f"{plan.problems[0]}{f' (and {more:,} more problems)' if more else ''}.",
            kept="Nothing was brought in.",
            todo="Mend the files, or import what can be read.",
        )


def plan_steps(
    root: Path,
    form: Format,
    *,
    options: Callable[[ReadOptions], ReadOptions] = lambda o: o,
    images: Path | None = None,
) -> Generator[ImportProgress, None, ImportPlan]:
    """Read a data set and open its images; close the generator to cancel.

    Parameters
    ----------
    root : Path
        The file or folder.
    form : Format
        What it is.
    options : callable
        Given the options of the reader to change them.
    images : Path, optional
        Where the images lie, if not where the files say.

    Raises
    ------
    ExchangeError
        If there is nothing that can be read as this form.
    """
    if form.reader is None:
        raise ExchangeError(f"{form.title} can be written, but not read.")
    if not root.exists():
        raise ExchangeError(f"There is nothing at {root}.", todo="Check the name.")
    finder = ImageFinder(root, images)
    plan = ImportPlan(root.name)
    try:
        chosen = options(ReadOptions(size_of=finder.size_of))
        total = form.count(root, chosen) if form.count else 0
        reader = form.reader(root, chosen)
        number = 0
        for found in reader:
            if isinstance(found, Problem):
                plan.problem(found)
                continue
            number += 1
            _take(plan, finder, found)
            yield ImportProgress(number, found.image, max(total, number) if total else 0)
    except BaseException:
        plan.items.__exit__(None, None, None)
        raise
    return plan


def _take(plan: ImportPlan, finder: ImageFinder, frame: FrameRecords) -> None:
    try:
        scan = finder.open(frame.image)
    except (FadaError, OSError) as error:
        what = error.what if isinstance(error, FadaError) else str(error)
        return plan.problem(Problem(frame.image, "", what))
    if (scan.width, scan.height) != (frame.width, frame.height):
        what = (
            f"the image is {scan.width}×{scan.height}, "
            f"the labels are for {frame.width}×{frame.height}"
        )
        return plan.problem(Problem(frame.image, "", what))
    if not 0 <= frame.frame < scan.n_frames:
        return plan.problem(
            Problem(frame.image, "", f"there is no frame {frame.frame} of {scan.n_frames}")
        )
    if frame.subject or frame.group:
        # The group of the other project goes on as the group here, hashed once more.
        scan = replace(scan, identity=Identity(patient=frame.subject or frame.group))
    annotations = tuple(_identified(scan, frame))
    plan.items.append(
        Item(replace(scan, decode=_no_pixels), replace(frame, annotations=annotations))
    )
    plan.counts["images"] += 1
    plan.empty += not annotations
    plan.counts.update(a.category for a in annotations)
    return None


def _no_pixels(_index: int) -> Any:
    raise NotImplementedError("a plan keeps no pixels")


def _identified(scan: Scan, frame: FrameRecords) -> Iterator[Annotation]:
    """Give records that came without an identifier one that depends on what they are."""
    seen: Counter[str] = Counter()
    for record in frame.annotations:
        if record.uid:
            yield record
            continue
        what = [record.category, record.kind, record.points, record.rings, record.visibility]
        text = f"{scan.sha256}/{frame.frame}/{json.dumps(what)}"
        seen[text] += 1
        digest = hashlib.sha256(f"{text}/{seen[text]}".encode()).hexdigest()[:32]
        yield replace(record, uid=uuid.UUID(hex=digest).hex)


def carry_out(project: Project, plan: ImportPlan, *, reviewed: bool = False) -> ImportSummary:
    """Bring all of a plan into a project at once; see :func:`carry_out_steps`."""
    steps = carry_out_steps(project, plan, reviewed=reviewed)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            summary: ImportSummary = end.value
            return summary


def carry_out_steps(
    project: Project, plan: ImportPlan, *, reviewed: bool = False
) -> Generator[ImportProgress, None, ImportSummary]:
    """Bring all of a plan into a project, in one transaction; close the generator to cancel.

    With ``reviewed`` the labels are the truth of their frames: accepted, signed by the project's
    rater where they name none, and the review closed (see :mod:`napari_fada.records.incoming`).

    Raises
    ------
    ProjectError
        If the project cannot be written. Nothing was brought in.
    """
    counts: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    closed = Reviewed() if reviewed else None
    label = f"Imported from {plan.source}{' as reviewed' if reviewed else ''}"
    with project.together(label, made_by="import"):
        for number, item in enumerate(plan.items, 1):
            counts["fitted"] += len(apart(item.frame.annotations, item.frame.unlinked))
            new = _bring_in(project, item, label, closed)
            counts["images"] += 1
            counts["known"] += len(item.frame.annotations) - len(new)
            classes.update(a.category for a in new)
            yield ImportProgress(number, item.frame.image, len(plan.items))
        if closed is not None:
            close_scans(project, closed, label)
    more = [f"and {plan.more_problems:,} more"] if plan.more_problems else []
    return ImportSummary(
        counts["images"],
        sum(classes.values()),
        counts["known"],
        by_class=dict(sorted(classes.items())),
        problems=(*map(str, plan.problems), *more),
        reviewed=sum(map(len, closed.frames.values())) if closed else 0,
        left_open=dict(closed.left) if closed else {},
        fitted=counts["fitted"],
    )


def _bring_in(
    project: Project, item: Item, label: str, closed: Reviewed | None
) -> list[Annotation]:
    """Bring one image in; return the records that are new to the project."""
    frame, sha256 = item.frame, item.scan.sha256
    project.add_scan(item.scan)
    states = {f"asked/{task}": json.dumps(lists) for task, lists in frame.asked.items()}
    states |= _apart(project, frame)
    act = Act(frame.frame, states=states, scan_states=_scale(project, item), label=label)
    new = take_in(project, sha256, act, frame.annotations, closed)
    if frame.fields or frame.view:
        said: Mapping[str, str] = frame.fields
        project.set_report(
            *(sha256, frame.frame), fields=said, view=frame.view or KEEP, by_person=False
        )
    return new


def _apart(project: Project, frame: FrameRecords) -> dict[str, str]:
    """Return the cells of boxes that an expert set apart, of records that are new here."""
    fresh = {a.uid for a in frame.annotations if project.record(a.uid) is None}
    return {UNLINKED + box: of for box, of in frame.unlinked.items() if {box, of} <= fresh}


def _scale(project: Project, item: Item) -> dict[str, str]:
    """Return the scale that a data set states for an image, where nothing else is known.

    Images of data sets are plain pictures: what their DICOM files said is in the labels only.
    """
    frame = item.frame
    known = project.scan(item.scan.sha256)
    if frame.spacing_mm is None or known is None or project.spacing(known)[0] is not None:
        return {}
    told = {
        "spacing_mm": list(frame.spacing_mm),
        "origin": frame.spacing_origin or "csv",
        "note": "from the data set that was imported",
    }
    return {"scale": json.dumps(told)}


class ImageFinder:
    """Opens the images that a data set names.

    Parameters
    ----------
    root : Path
        The file or folder of the data set.
    images : Path, optional
        The folder of the images; default: the place that the files name.
    """

    def __init__(self, root: Path, images: Path | None = None) -> None:
        self._root = root if root.is_dir() else root.parent
        self._images = images
        self._last: tuple[str, Scan] | None = None

    def open(self, image: str) -> Scan:
        """Open an image by the path that stands in the data set.

        Looked for from the data set's folder on, then one folder up (where ``annotations/``
        lies beside ``images/``), then by its name alone in the folder of images.

        Raises
        ------
        ExchangeError
            If it is not there.
        ScanError
            If it cannot be opened.
        """
        if self._last is None or self._last[0] != image:
            self._last = image, open_scan(self.find(image))
        return self._last[1]

    def size_of(self, image: str) -> tuple[int, int]:
        """Return (width, height) of an image."""
        scan = self.open(image)
        return scan.width, scan.height

    def find(self, image: str) -> Path:
        """Return where an image is.

        Raises
        ------
        ExchangeError
            If it is not there.
        """
        relative = Path(image.replace("\\", "/"))
        root = self._root
        folders = [root, root / "images", root.parent, root.parent / "images"]
        if self._images:
            folders = [self._images]
        for folder in folders:
            for name in (relative, Path(relative.name)):
                if (folder / name).exists():
                    return folder / name
        raise ExchangeError(
            f"the image is not in {folders[0]}",
            todo="Name the folder of the images: --images",
        )
