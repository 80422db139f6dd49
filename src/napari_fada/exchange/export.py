"""From a project to a data set of any form.

Three passes. The first decides what is taken and makes the images (in threads, the slow part);
the second puts every frame on a side and proves that no side knows another's; the third writes.
Records lie in a temporary file between the passes, so memory does not grow with their number.
Nothing is seen of the data set until it is whole.
"""

from __future__ import annotations

import csv
import json
import os
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from napari_fada.errors import ExchangeError
from napari_fada.exchange import deidentify
from napari_fada.exchange.audit import Audit, audit
from napari_fada.exchange.deidentify import keyed
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.images import (
    CHANGED,
    ChangedError,
    Picture,
    Studio,
    UnreadableError,
    open_row,
)
from napari_fada.exchange.items import Tally
from napari_fada.exchange.manifest import Counts, build_manifest
from napari_fada.exchange.request import ExportRequest
from napari_fada.exchange.selection import NO_NEGATIVE, select
from napari_fada.exchange.splits import Assignment, Member, SplitPlan, assign
from napari_fada.exchange.spool import Spool
from napari_fada.exchange.staging import (
    AUDIT,
    CLEANED,
    LEFT_OUT,
    MANIFEST,
    SPLITS,
    Staging,
    move,
)
from napari_fada.exchange.writers import Format, WriteOptions
from napari_fada.records.annotation import now
from napari_fada.records.project import Project
from napari_fada.records.rows import ScanRow
from napari_fada.scans import Region, Scan

UNREADABLE = "scans that cannot be opened where they were last seen"
NO_PLACE = "frames that the form has nothing to say about"

Stage = Literal["images", "files"]
Taken = tuple[FrameRecords, Picture]


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """So far an export has come; ``stage`` is what is being made."""

    done: int
    total: int
    name: str
    stage: Stage = "images"


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What an export wrote, what it left out and what it wrote with a difference, by reason."""

    path: Path
    form: str
    images: int
    annotations: int
    written: dict[str, int] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "path": str(self.path),
            "form": self.form,
            "images": self.images,
            "annotations": self.annotations,
            "written": self.written,
            "splits": self.splits,
            "left_out": self.left_out,
            "notes": self.notes,
            "problems": list(self.problems),
        }


def export_records(
    project: Project,
    out_dir: Path,
    form: Format,
    request: ExportRequest,
    *,
    open_row: Callable[[ScanRow], Scan] = open_row,
) -> ExportSummary:
    """Do what :func:`export_steps` does, without telling how far it is."""
    steps = export_steps(project, out_dir, form, request, open_row=open_row)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            summary: ExportSummary = end.value
            return summary


def export_steps(
    project: Project,
    out_dir: Path,
    form: Format,
    request: ExportRequest,
    *,
    open_row: Callable[[ScanRow], Scan] = open_row,
) -> Generator[ExportProgress, None, ExportSummary]:
    """Write a project's records as a data set; close the generator to cancel.

    Parameters
    ----------
    project : Project
        Where the records are.
    out_dir : Path
        Gets the data set. It must be new, empty, or hold an earlier data set of this project
        in this form, which stands until the new one is whole.
    form : Format
        What to write.
    request : ExportRequest
        Which records, how split, what leaves.
    open_row : callable
        How to get the pixels of a scan; by default its file is opened where it was last seen.

    Raises
    ------
    ExchangeError
        If something else is at ``out_dir``, a leak remains between the sides, or something
        cannot be written.
    """
    out_dir = out_dir.absolute()
    return (yield from _Export(project, out_dir, form, request, open_row).run())


class _Export:
    """One export while it goes on."""

    def __init__(
        self,
        project: Project,
        out_dir: Path,
        form: Format,
        request: ExportRequest,
        open_row: Callable[[ScanRow], Scan],
    ) -> None:
        if form.writer is None:
            raise ExchangeError(f"{form.title} can be read, but not written.")
        self._project, self._form, self._request = project, form, request
        self._open_row = open_row
        self._salt = project.salt
        self._tally = Tally()
        self._problems: list[str] = []
        self._rows_left_out: list[tuple[str, int, str, int]] = []
        self._members: list[Member] = []
        self._counts = Counts()
        self._cleaned = deidentify.Cleaning()
        self._options = WriteOptions(
            prompts=request.prompts,
            licence=request.licence,
            dataset=request.dataset,
            choices=_choices(form, request.choices),
        )
        self._name = keyed(self._salt, "project", project.identifier)
        wishes = {**request.to_dict(), "form": form.name, "project": self._name}
        self._wishes = wishes
        self._staging = Staging(out_dir, wishes)

    def run(self) -> Generator[ExportProgress, None, ExportSummary]:
        with self._staging.open() as root, Spool[Taken]() as spool:
            studio = Studio(
                *(self._staging.work, self._request, self._salt, self._open_row),
                images=self._has_images,
                doubles=_doubles(self._project.scans()),
            )
            yield from self._take(studio, spool)
            assignment, proof = self._split()
            yield from self._write(root, studio, spool, assignment)
            self._describe(root, assignment, proof)
            self._staging.publish()
        return ExportSummary(
            *(self._staging.out_dir, self._form.name),
            sum(self._counts.frames.values()),
            self._counts.annotations,
            written=dict(+self._tally.written),
            splits=dict(self._counts.frames) if self._request.shares else {},
            left_out=dict(+self._tally.left_out),
            notes=dict(+self._tally.notes),
            problems=tuple(self._problems),
        )

    @property
    def _has_images(self) -> bool:
        return self._request.images == "write" and bool(self._form.image("a", ""))

    # What is taken

    def _take(self, studio: Studio, spool: Spool[Taken]) -> Generator[ExportProgress, None, None]:
        rows = self._project.scans()
        workers = min(8, os.cpu_count() or 1)
        waiting: deque[tuple[int, ScanRow, list[tuple[FrameRecords, Future[Picture]]]]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="export")
        try:
            for number, row in enumerate(rows, 1):
                found = [
                    (frame, pool.submit(studio.prepare, row, frame.frame))
                    for frame in self._selected(row)
                ]
                waiting.append((number, row, found))
                while len(waiting) > 2 * workers:
                    yield self._taken(waiting.popleft(), len(rows), spool)
            while waiting:
                yield self._taken(waiting.popleft(), len(rows), spool)
        finally:
            pool.shutdown(cancel_futures=True)

    def _selected(self, row: ScanRow) -> Iterator[FrameRecords]:
        for frame in self._project.frames(row.sha256):
            with self._listing(row, frame):
                found = select(self._project, row, frame, self._tally, self._request.selection)
                if found is None:
                    continue
                if self._form.wants is None and not (found.annotations or found.empty):
                    self._tally.left_out[NO_NEGATIVE] += 1
                    continue
                if self._form.wants is not None and not self._form.wants(found, self._options):
                    self._tally.left_out[NO_PLACE] += 1
                    continue
            yield found

    def _taken(
        self,
        item: tuple[int, ScanRow, list[tuple[FrameRecords, Future[Picture]]]],
        total: int,
        spool: Spool[Taken],
    ) -> ExportProgress:
        number, row, frames = item
        told = False
        for frame, future in frames:
            with self._listing(row, frame.frame):
                try:
                    picture = future.result()
                except UnreadableError as error:
                    changed = isinstance(error, ChangedError)
                    self._tally.left_out[CHANGED if changed else UNREADABLE] += not told
                    if not told:
                        self._problems.append(error.what)
                    told = True
                    continue
                if picture.regions:
                    regions = tuple(Region(*box, kind="2d") for box in picture.regions)
                    frame = deidentify.inside(frame, regions, self._tally)
            self._cleaned.add(picture, frame)
            frame = self._cleared(replace(frame, group=picture.group))
            spool.append((frame, picture))
            self._members.append(
                Member(
                    *(self._key(frame), picture.group, picture.pixels),
                    *(frame.view or "", frozenset(a.category for a in frame.annotations)),
                    picture.phash,
                )
            )
        return ExportProgress(number, total, row.name)

    def _cleared(self, frame: FrameRecords) -> FrameRecords:
        """Replace names of raters by pseudonyms."""
        if self._request.keep_names:
            return frame
        return deidentify.pseudonymised(frame, self._salt)

    def _public_wishes(self) -> dict[str, Any]:
        """Return what was asked for, without names of people."""
        chosen = self._request.selection.to_dict()
        if not self._request.keep_names:
            chosen["raters"] = [deidentify.pseudonym(r, self._salt) for r in chosen["raters"]]
        return {**self._wishes, "selection": chosen}

    def _key(self, frame: FrameRecords) -> str:
        """Return what a frame is called in the files: a hash of its scan, and its number."""
        return f"{keyed(self._salt, 'scan', frame.sha256)}/{frame.frame}"

    def _listing(self, row: ScanRow, frame: int) -> _Listing:
        # The same words stand in the files: a hash of the scan, and the frame.
        scan = keyed(self._salt, "scan", row.sha256)
        return _Listing(self._tally.left_out, self._rows_left_out, scan, frame)

    # The sides

    def _split(self) -> tuple[Assignment | None, Audit | None]:
        request = self._request
        if not request.shares:
            return None, None
        plan = SplitPlan(request.by, dict(request.shares), request.seed)
        name = f"split/{plan.by}/{request.group_pattern}/{plan.seed}/{json.dumps(plan.shares)}"
        earlier: Mapping[str, str] = self._project.setting(name, {})
        assignment = assign(self._members, plan, earlier)
        proof = audit(self._members, assignment.sides, plan, assignment.moved)
        if not proof.clean and not request.force:
            raise ExchangeError(
                f"The sides of the split know each other: {proof.told()}.",
                kept="Nothing was written.",
                todo="Give both groups one side (another seed, another way of grouping), or "
                "force the export.",
            )
        if self._project.writable:
            # Whatever is added later, these groups stay where they are.
            self._project.set_setting(name, {**earlier, **assignment.groups})
        return assignment, proof

    # Writing

    def _write(
        self, root: Path, studio: Studio, spool: Spool[Taken], assignment: Assignment | None
    ) -> Generator[ExportProgress, None, None]:
        assert self._form.writer is not None
        writer = self._form.writer(root, self._options)
        used: set[str] = set()
        for number, (frame, picture) in enumerate(spool, 1):
            split = assignment.sides[self._key(frame)] if assignment else ""
            image = self._form.image(picture.stem, split) or f"images/{picture.stem}.png"
            if studio.images and image not in used:
                move(studio.path(picture), root / image)
            used.add(image)
            public = replace(
                frame,
                image=image,
                split=split,
                sha256=keyed(self._salt, "scan", frame.sha256),
                source=frame.source if self._request.keep_names else None,
            )
            writer.add(public, self._tally)
            self._counts.add(public)
            if number % 64 == 0 or number == len(spool):
                yield ExportProgress(number, len(spool), "", "files")
        writer.finish(self._tally)

    def _describe(self, root: Path, assignment: Assignment | None, proof: Audit | None) -> None:
        images = self._has_images
        if images:
            self._tally.notes.update(self._cleaned.notes)
        report = self._cleaned.to_dict(
            names_kept=self._request.keep_names, images=images, blackout=self._request.blackout
        )
        _dump(root / CLEANED, report)
        if assignment and proof:
            sides: dict[str, list[str]] = {}
            for group, side in sorted(assignment.groups.items()):
                sides.setdefault(side, []).append(group)
            _dump(root / SPLITS, {"schema": "fada-splits/1", "seed": self._request.seed, **sides})
            _dump(root / AUDIT, proof.to_dict())
        with (root / LEFT_OUT).open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("scan", "frame", "reason", "count"))
            rows.writerows(self._rows_left_out)
        prompts = self._request.prompts
        manifest = build_manifest(
            root,
            self._counts,
            form=self._form.name,
            project=self._name,
            wishes=self._public_wishes(),
            prompts={"name": prompts.name, "hash": prompts.hash} if prompts else None,
            left_out=+self._tally.left_out,
            notes=+self._tally.notes,
            written=+self._tally.written,
            created=now(),
        )
        _dump(root / MANIFEST, manifest)


class _Listing:
    """Lists what is counted as left out inside a block, with the frame that it belongs to."""

    def __init__(
        self, counter: Counter[str], rows: list[tuple[str, int, str, int]], scan: str, frame: int
    ) -> None:
        self._counter, self._rows, self._where = counter, rows, (scan, frame)

    def __enter__(self) -> None:
        self._before = Counter(self._counter)

    def __exit__(self, *_error: object) -> None:
        for reason, count in (self._counter - self._before).items():
            self._rows.append((*self._where, reason, count))


def _doubles(rows: Sequence[ScanRow]) -> frozenset[str]:
    names = Counter(Path(row.name).stem for row in rows)
    return frozenset(name for name, count in names.items() if count > 1)


def _choices(form: Format, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the choices of a form, defaults filled in."""
    found = {name: values[0] for name, values in form.choices.items()}
    for name, value in wanted.items():
        allowed = form.choices.get(name)
        if allowed is None or value not in allowed:
            what = f"one of {', '.join(allowed)}" if allowed else "nothing to choose there"
            raise ExchangeError(
                f"{form.title} does not know {name}={value}.", todo=f"For {name} there is {what}."
            )
        found[name] = value
    return found


def _dump(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", "utf-8")
