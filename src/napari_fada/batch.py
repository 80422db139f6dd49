"""Reading many scans: the work behind ``napari-fada run`` and behind the window's worklist.

A generator of typed events, like all long work here. It can be stopped at any moment and
started again: what is done with the same model and prompts is skipped, files are written
whole or not at all, and one bad file never ends the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from napari_fada.engines.protocol import Cancel, Engine
from napari_fada.errors import FadaError, ScanError, UnfitNameError
from napari_fada.exchange.overlay import write_overlay
from napari_fada.exchange.reading_json import SUFFIX, is_done, reading_path, write_reading
from napari_fada.pipeline import PromptSet, read_frame
from napari_fada.records.incoming import takes_proposals
from napari_fada.records.project import Project, Show
from napari_fada.records.reading import Reading
from napari_fada.scans import Frame, Scan, ScanProblem, iter_scans


@dataclass(frozen=True, slots=True)
class ScanDone:
    """One frame was read and kept. ``failed_phases`` is empty when all went well.

    ``output`` is None where readings are kept in the project alone.
    """

    path: Path
    frame: int
    output: Path | None
    reading: Reading
    seconds: float

    @property
    def failed_phases(self) -> tuple[str, ...]:
        """Names of the phases that gave no usable answer."""
        return tuple(p for p, result in self.reading.phases.items() if result.state == "failed")


@dataclass(frozen=True, slots=True)
class ScanSkipped:
    """The output of an earlier run stands, made with the same model and prompts."""

    path: Path
    frame: int
    output: Path | None


@dataclass(frozen=True, slots=True)
class ScanFailed:
    """A file could not be opened or a frame not decoded; the run goes on."""

    path: Path
    error: FadaError


@dataclass(frozen=True, slots=True)
class BatchFinished:
    """The end of a run, also of a cancelled one."""

    done: int
    incomplete: int
    skipped: int
    failed: int
    cancelled: bool


BatchEvent = ScanDone | ScanSkipped | ScanFailed | BatchFinished


def parse_frames(text: str) -> Callable[[int], list[int]]:
    """Turn ``--frames`` into a function from the number of frames to frame indices.

    Parameters
    ----------
    text : str
        ``first``, ``middle``, ``all``, ``every:N``, or zero-based indices and ranges such
        as ``0,5,10-20``.

    Returns
    -------
    callable
        Given the number of frames of a scan, the sorted indices that exist in it.

    Raises
    ------
    ValueError
        If the text is none of these.
    """
    form = text.strip().lower()
    if form == "first":
        return lambda _n: [0]
    if form == "middle":
        return lambda n: [n // 2]
    if form == "all":
        return lambda n: list(range(n))
    try:
        if form.startswith("every:"):
            step = int(form.removeprefix("every:"))
            if step < 1:
                raise ValueError
            return lambda n: list(range(0, n, step))
        chosen: set[int] = set()
        for part in form.split(","):
            first, dash, last = part.partition("-")
            chosen.update(range(int(first), int(last) + 1) if dash else [int(first)])
        if not chosen:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"--frames {text!r} is none of: first, middle, all, every:N, or indices like 0,5,10-20"
        ) from None
    return lambda n: sorted(i for i in chosen if i < n)


def run_scans(
    engine: Engine,
    paths: Iterable[Path],
    out_dir: Path | None,
    *,
    frames: str = "first",
    overlay: bool = False,
    project: Project | None = None,
    show: Show = "first",
    mode: Literal["strict", "reference"] = "strict",
    prompts: PromptSet | None = None,
    force: bool = False,
    limit: int | None = None,
    cancel: Cancel | None = None,
) -> Iterator[BatchEvent]:
    """Read scans one after another and keep what the model says: in files, a project, or both.

    Parameters
    ----------
    engine : Engine
        Answers the prompts.
    paths : iterable of Path
        Files and folders.
    out_dir : Path or None
        Gets one ``<stem>.fada.json`` for each scan; made if missing. Frames other than a single
        first one get ``<stem>.f0005.fada.json``. Where that name is another's, or too long, a part
        of the scan's hash stands in it. None: readings are kept in the project alone.
    frames : str
        See :func:`parse_frames`.
    overlay : bool
        Also write ``<stem>.overlay.png`` with the structures drawn on the frame.
    project : Project, optional
        Keep the readings there too, for review in the window. What an expert made is left.
    show : {"first", "replace", "add", "no"}
        What becomes of their proposals there, see ``Project.save_reading``. A reading that
        failed to find structures never takes the place of another. Where labels came in or the
        review is closed a reading is only kept, to be compared with.
    mode : {"strict", "reference"}
        Of the map phase.
    prompts : PromptSet, optional
        The default is the pack's own.
    force : bool
        Read again what an earlier run has done.
    limit : int, optional
        Stop after so many files.
    cancel : Cancel, optional
        Looked at between scans and passed on to the pipeline.

    Yields
    ------
    ScanDone, ScanSkipped, ScanFailed, and one BatchFinished at the end

    Raises
    ------
    ExchangeError, ProjectError
        If an output or the project cannot be written (full disk, no permission).
    ValueError
        If ``frames`` cannot be understood, or nothing is there to keep the readings in.
    """
    if out_dir is None and project is None:
        raise ValueError("readings need a folder or a project to be kept in")
    choose = parse_frames(frames)
    paths = list(paths)
    outputs = _Outputs(out_dir, paths) if out_dir is not None else None
    prompt_set = prompts or PromptSet.load(engine.info.model.prompt_set)
    counts = dict.fromkeys(("done", "incomplete", "skipped", "failed"), 0)
    for number, found in enumerate(iter_scans(paths)):
        if (limit is not None and number >= limit) or (cancel is not None and cancel.is_set()):
            break
        if isinstance(found, ScanProblem):
            counts["failed"] += 1
            yield ScanFailed(found.path, found.error)
            continue
        indices = choose(found.n_frames)
        if not indices:
            counts["failed"] += 1
            yield ScanFailed(_path(found), _no_frames(found, frames))
        for index in indices:
            if cancel is not None and cancel.is_set():
                break
            output = outputs.path(found, index, numbered=indices != [0]) if outputs else None
            made_by = (engine.info.model.sha256, prompt_set.hash)
            if not force and _is_done(output, project, found.sha256, index, made_by):
                counts["skipped"] += 1
                yield ScanSkipped(_path(found), index, output)
                continue
            started = time.perf_counter()
            try:
                image = found.frame(index)
                reading = read_frame(
                    engine,
                    _holding(found, image),
                    index,
                    mode=mode,
                    prompts=prompt_set,
                    cancel=cancel,
                )
            except ScanError as error:
                counts["failed"] += 1
                yield ScanFailed(_path(found), error)
                continue
            if cancel is not None and cancel.is_set():
                break  # a reading cut short is not written: the next run makes it whole
            if project is not None:
                project.add_scan(found)
                failed = any(
                    reading.phases[phase].state == "failed" for phase in ("detect", "segment")
                )
                wanted: Show = "first" if failed else show
                shown = takes_proposals(project, found.sha256)
                project.save_reading(reading, show=wanted if shown else "no")
            try:
                if output is not None:
                    write_reading(output, reading)
                if output is not None and overlay:
                    name = output.name.removesuffix(SUFFIX) + ".overlay.png"
                    write_overlay(output.with_name(name), image, reading)
            except UnfitNameError as error:  # of this scan alone
                counts["failed"] += 1
                yield ScanFailed(_path(found), error)
                continue
            event = ScanDone(_path(found), index, output, reading, time.perf_counter() - started)
            counts["incomplete" if event.failed_phases else "done"] += 1
            yield event
    cancelled = cancel is not None and cancel.is_set()
    yield BatchFinished(**counts, cancelled=cancelled)


def _is_done(
    output: Path | None, project: Project | None, sha256: str, frame: int, made_by: tuple[str, str]
) -> bool:
    """Tell whether a whole reading by this model, asked this way, is kept already."""
    if output is not None:
        return is_done(output, scan_sha256=sha256, model_sha256=made_by[0], prompt_hash=made_by[1])
    kept = project.readings(sha256, frame) if project is not None else []
    return any(
        (r.model.sha256, r.model.prompt_hash) == made_by
        and not any(result.state == "failed" for result in r.phases.values())
        for r in kept
    )


def _holding(scan: Scan, image: Frame) -> Scan:
    """Return the scan with a frame at hand, so that pipeline and overlay share one decoding."""
    return replace(scan, decode=lambda _index: image)


def _path(scan: Scan) -> Path:
    return scan.path if scan.path is not None else Path(scan.name)


def _no_frames(scan: Scan, frames: str) -> ScanError:
    return ScanError(
        f"{scan.name} has {scan.n_frames} frames, none of which is in --frames {frames}.",
        todo="Ask for frames counted from 0.",
    )


class _Outputs:
    """Names the outputs: folders are mirrored, and no scan takes the name of another's reading."""

    def __init__(self, out_dir: Path, roots: Iterable[Path]) -> None:
        self._out = out_dir
        self._roots = [root for root in roots if root.is_dir()]

    def path(self, scan: Scan, index: int, *, numbered: bool) -> Path:
        source = _path(scan)
        root = next((r for r in self._roots if source.is_relative_to(r)), source.parent)
        folder = self._out / source.relative_to(root).parent
        return reading_path(folder, source.stem, scan.sha256, f".f{index:04d}" if numbered else "")
