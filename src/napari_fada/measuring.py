"""Measuring many scans: the work behind ``napari-fada measure``.

Structures come from a model or from existing masks, scales from the files themselves and from a
table. A generator of typed events: one row for each frame, with numbers or with reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_fada.batch import parse_frames
from napari_fada.engines.protocol import Cancel, Engine
from napari_fada.errors import FadaError, ScanError, ShapeError
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.masks import read as read_masks
from napari_fada.exchange.writers import Problem, ReadOptions
from napari_fada.listing import readable
from napari_fada.measure import FrameMeasurements, Scale, Scales, SpacingTable, measure_frame
from napari_fada.measure.limits import senseless_scale, senseless_sizes
from napari_fada.pipeline import PromptSet, read_frame
from napari_fada.records.annotation import Annotation
from napari_fada.records.snap import RIMS, snap
from napari_fada.scans import Frame, Scan, ScanProblem, iter_files, iter_scans, open_scan

COLUMNS: Mapping[str, str] = {
    "hc_mm": "hc",
    "bpd_mm": "bpd_oo",
    "bpd_oi_mm": "bpd_oi",
    "ofd_mm": "ofd",
    "cephalic_index": "cephalic_index",
    "ac_mm": "ac",
    "tad_mm": "tad",
    "apad_mm": "apad",
    "fl_mm": "fl",
    "crl_mm": "crl",
    "nt_mm": "nt",
    "lv_width_mm": "lv_width",
    "ctr_circumference": "ctr_circumference",
    "ctr_area": "ctr_area",
    "aop_deg": "aop",
}
"""Columns of the table and the measurement that each holds; BPD is outer to outer."""

HEAD = ("file", "frame", "spacing_y_mm", "spacing_x_mm", "spacing_origin", *COLUMNS, "reason")
NO_ANSWER = "the model gave no usable answer"


@dataclass(frozen=True, slots=True)
class Measured:
    """One frame: ``row`` has the cells of ``HEAD``, ``found`` everything that was measured."""

    file: str
    frame: int
    row: Mapping[str, Any]
    found: FrameMeasurements
    failed: bool = False

    @property
    def reason(self) -> str:
        """Why something, or all of it, could not be measured, or makes no sense."""
        return str(self.row["reason"])

    @property
    def senseless(self) -> bool:
        """Whether a size was measured that no fetus has."""
        return bool(senseless_sizes(self.found.measured))


@dataclass(frozen=True, slots=True)
class MeasuringFinished:
    """The end, also of a cancelled run: frames with a number, without any, and failed."""

    measured: int
    without: int
    failed: int
    cancelled: bool


def measure_scans(
    engine: Engine,
    folder: Path,
    *,
    table: SpacingTable | None = None,
    frames: str = "first",
    edge: bool = False,
    cancel: Cancel | None = None,
) -> Iterator[Measured | MeasuringFinished]:
    """Measure what a model finds on scans.

    Parameters
    ----------
    engine : Engine
        Answers the prompts.
    folder : Path
        A folder of scans, or one.
    table : SpacingTable, optional
        Sizes of pixels; a file's own statement goes before it.
    frames : str
        See ``batch.parse_frames``.
    edge : bool
        Move outlines of heads and abdomens to the edge in the scan first.
    cancel : Cancel, optional
        Looked at between frames.
    """
    count = _Count()
    choose = parse_frames(frames)
    prompts = PromptSet.load(engine.info.model.prompt_set)
    for found in iter_scans([folder]):
        if cancel is not None and cancel.is_set():
            break
        if isinstance(found, ScanProblem):
            yield count(_failed(_name(found.path, folder), 0, found.error))
            continue
        name = _name(found.path or Path(found.name), folder)
        scales = _scales(found, name, table)
        for index in choose(found.n_frames):
            if cancel is not None and cancel.is_set():
                break
            try:
                image = found.frame(index)
                held = replace(found, decode=_only(image))  # it is decoded once
                reading = read_frame(engine, held, index, prompts=prompts, cancel=cancel)
            except ScanError as error:
                yield count(_failed(name, index, error))
                continue
            if cancel is not None and cancel.is_set():
                break
            bad = [p for p in ("detect", "segment") if reading.phases[p].state == "failed"]
            records = reading.annotations
            if edge:
                records = tuple(_at_edge(a, image) for a in records)
            size = (found.width, found.height)
            result = measure_frame(records, scales, size, view=reading.view)
            words = [f"{NO_ANSWER} ({', '.join(bad)})"] if bad else []
            words += _odd_scale(scales.main, size)
            yield count(_row(name, index, scales.main, result, words, failed=bool(bad)))
    yield count.end(cancel)


def measure_masks(
    folder: Path,
    masks: Path,
    *,
    category: str | None = None,
    values: Mapping[int, str] | None = None,
    table: SpacingTable | None = None,
    edge: bool = False,
    cancel: Cancel | None = None,
) -> Iterator[Measured | MeasuringFinished]:
    """Measure existing masks of scans.

    Parameters
    ----------
    folder : Path
        The images.
    masks : Path
        Their masks, with the same names (see ``exchange.masks``).
    category : str, optional
        Class that masks of one value show.
    values : mapping of int to str, optional
        What the values of label images mean.
    table, edge, cancel
        As for :func:`measure_scans`.

    Raises
    ------
    ExchangeError
        If there are no masks.
    """
    count = _Count()
    images = {_name(p, folder): p for p in iter_files(folder) if isinstance(p, Path)}
    options = ReadOptions(
        size_of=lambda name: _size(images[name]),
        category=category,
        masks=masks,
        values=dict(values or {}),
    )
    seen: set[str] = set()
    problems: dict[str, str] = {}
    for found in read_masks(folder, options):
        if cancel is not None and cancel.is_set():
            break
        if isinstance(found, Problem):
            problems[Path(found.file).with_suffix("").as_posix()] = found.what
            continue
        seen.add(found.image)
        yield count(_masked(found, images[found.image], table, edge))
    else:
        for name, path in images.items():
            if name not in seen and not path.is_relative_to(masks):
                stem = Path(name).with_suffix("").as_posix()
                reason = problems.get(stem, "there is no mask of this name")
                yield count(_row(name, 0, None, FrameMeasurements(), [reason], failed=True))
    yield count.end(cancel)


def _masked(frame: FrameRecords, path: Path, table: SpacingTable | None, edge: bool) -> Measured:
    try:
        scan = open_scan(path)
        if (scan.width, scan.height) != (frame.width, frame.height):
            raise ScanError(
                f"The mask is {frame.width} × {frame.height} px, the image "
                f"{scan.width} × {scan.height} px."
            )
        records = frame.annotations
        if edge:
            image = scan.frame(frame.frame)
            records = tuple(_at_edge(a, image) for a in records)
    except (FadaError, IndexError) as error:
        return _failed(frame.image, frame.frame, error)
    scales = _scales(scan, frame.image, table)
    result = measure_frame(records, scales, (frame.width, frame.height))
    words = [] if records else ["the mask is empty"]
    words += _odd_scale(scales.main, (frame.width, frame.height))
    return _row(frame.image, frame.frame, scales.main, result, words)


def _at_edge(record: Annotation, image: Frame) -> Annotation:
    if record.kind != "polygon" or record.category not in RIMS:
        return record
    try:
        *_, end = snap(record, image)
    except ShapeError:
        return record
    return end.record


def _scales(scan: Scan, name: str, table: SpacingTable | None) -> Scales:
    return Scales([table.of(name) if table else None], scan=scan)


def _odd_scale(scale: Scale | None, size: tuple[int, int]) -> list[str]:
    word = senseless_scale(scale, size) if scale else ""
    return [word] if word else []


def _only(image: Frame) -> Callable[[int], Frame]:
    return lambda _index: image


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _size(path: Path) -> tuple[int, int]:
    scan = open_scan(path)
    return scan.width, scan.height


def _failed(name: str, frame: int, error: Exception) -> Measured:
    what = error.what if isinstance(error, FadaError) else str(error)
    return _row(name, frame, None, FrameMeasurements(), [what.rstrip(".")], failed=True)


def _row(
    name: str,
    frame: int,
    scale: Scale | None,
    found: FrameMeasurements,
    words: Sequence[str],
    *,
    failed: bool = False,
) -> Measured:
    name = readable(name)  # it goes into a table
    reasons = list(words)
    reasons += [str(u) for u in found.unmeasured if u.name != "area"]
    wanted = {column: found.get(measurement) for column, measurement in COLUMNS.items()}
    if not reasons and not any(wanted.values()):
        there = sorted({m.category for m in found.measured})
        seen = f"only {', '.join(there)}" if there else "nothing"
        reasons.append(f"{seen} is annotated, of which no length or angle is known")
    known = {scale.note} if scale else set()  # which table it was stands in its own column
    notes = {m.note for m in wanted.values() if m and m.note and m.name != "bpd_oi"} - known
    row: dict[str, Any] = {
        "file": name,
        "frame": frame,
        "spacing_y_mm": scale.y if scale else None,
        "spacing_x_mm": scale.x if scale else None,
        "spacing_origin": scale.origin if scale else "",
        **{c: None if m is None else round(m.value, 3) for c, m in wanted.items()},
        "reason": "; ".join(dict.fromkeys([*reasons, *sorted(notes)])),
    }
    return Measured(name, frame, row, found, failed)


class _Count:
    """Counts rows on their way out."""

    def __init__(self) -> None:
        self._measured = self._without = self._failed = 0

    def __call__(self, event: Measured) -> Measured:
        if event.failed:
            self._failed += 1
        elif any(event.row[column] is not None for column in COLUMNS):
            self._measured += 1
        else:
            self._without += 1
        return event

    def end(self, cancel: Cancel | None) -> MeasuringFinished:
        stopped = cancel is not None and cancel.is_set()
        return MeasuringFinished(self._measured, self._without, self._failed, stopped)
