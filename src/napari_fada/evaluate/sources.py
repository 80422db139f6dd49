"""Where truth and answers come from: projects, data sets of any form, or a model that is run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from napari_fada.engines.protocol import Engine
from napari_fada.errors import ExchangeError, FadaError
from napari_fada.evaluate.cases import (
    OTHER_SIZE,
    Case,
    Unpaired,
    case_of,
    cases_of_frames,
    cases_of_project,
    frames_of_project,
    phases_of,
    side_of,
)
from napari_fada.evaluate.editing import Editing, editing
from napari_fada.evaluate.readings import Readings
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.guess import guess_form
from napari_fada.exchange.importing import ImageFinder
from napari_fada.exchange.writers import Problem, ReadOptions, load_format
from napari_fada.measure import SpacingTable
from napari_fada.pipeline import PromptSet
from napari_fada.records.project import Project
from napari_fada.scans import open_scan

UNREADABLE = "images that cannot be opened"
PROBLEMS = "labels that could not be read"


@dataclass(frozen=True, slots=True)
class DataSet:
    """How to read a data set.

    Parameters
    ----------
    path : Path
        A project, a file or a folder.
    form : str
        Empty: told by what lies there.
    options : callable
        Given the options of the reader to change them.
    images : Path or None
        Where the images are, if not where the files say.
    """

    path: Path
    form: str = ""
    options: Callable[[ReadOptions], ReadOptions] = field(default=lambda o: o)
    images: Path | None = None

    @property
    def is_project(self) -> bool:
        """Whether it is a project file."""
        return self.path.is_file() and self.path.suffix == ".fada"


@dataclass(slots=True)
class Comparison:
    """Cases to be evaluated, how many there may be, and what is known beside them."""

    title: str
    cases: Iterator[Case]
    total: int
    left: Unpaired
    categories: frozenset[str] = frozenset()
    editing: Editing | None = None
    problems: list[str] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)


def of_project(path: Path, *, times: int = 1000, seed: int = 0) -> Comparison:
    """Compare a project's proposals with what its experts made of them.

    Parameters
    ----------
    path : Path
        The project.
    times, seed : int
        Of the draws for the intervals of the experts' work.

    Raises
    ------
    ProjectError
        If it cannot be opened.
    """
    left, stack = Unpaired(), ExitStack()
    project = stack.enter_context(Project.open(path, create=False))
    total = sum(len(project.frames(row.sha256)) for row in project.scans())
    return Comparison(
        f"{path.name}: the model's proposals against the experts' corrections",
        cases_of_project(project, left),
        total,
        left,
        editing=editing(project, times, seed),
        stack=stack,
    )


def of_data_sets(truth: DataSet, answers: DataSet) -> Comparison:
    """Compare two data sets or projects.

    Raises
    ------
    FadaError
        If one of them cannot be read.
    """
    left, problems = Unpaired(), list[str]()
    gold = read_frames(truth, problems, proposals=False, left=left)
    said = read_frames(answers, problems, proposals=True)
    left.count(PROBLEMS, len(problems))
    return Comparison(
        f"{answers.path.name} against {truth.path.name}",
        cases_of_frames(gold, said, left),
        len(gold),
        left,
        categories=_known(gold),
        problems=problems,
    )


def of_model(
    truth: DataSet, engine: Engine, out_dir: Path, *, prompts: PromptSet | None = None
) -> Comparison:
    """Run a model over the images of a data set and compare what it says.

    Readings are kept in ``out_dir/readings``: a run that was stopped goes on from there.

    Raises
    ------
    FadaError
        If the data set cannot be read.
    """
    left, problems = Unpaired(), list[str]()
    gold = read_frames(truth, problems, proposals=False, left=left)
    left.count(PROBLEMS, len(problems))
    return Comparison(
        f"{engine.info.model.pack} against {truth.path.name}",
        _run(gold, Readings(engine, out_dir, prompts), left),
        len(gold),
        left,
        categories=_known(gold),
        problems=problems,
    )


def scaled(cases: Iterator[Case], table: SpacingTable | None) -> Iterator[Case]:
    """Yield cases with the scale that a table gives their files, where they have none."""
    for case in cases:
        scale = table.of(case.path or case.name) if table and case.spacing_mm is None else None
        if scale is None:
            yield case
        else:
            yield replace(case, spacing_mm=(scale.y, scale.x), spacing_origin=scale.origin)


def grouped(cases: Iterator[Case], pattern: str) -> Iterator[Case]:
    """Yield cases whose examination is what a pattern finds in their names.

    Parameters
    ----------
    pattern : str
        A regular expression; its first group counts, if it has one. Empty: nothing is changed.

    Raises
    ------
    ExchangeError
        If it is none.
    """
    if not pattern:
        yield from cases
        return
    try:
        known = re.compile(pattern)
    except re.error as error:
        raise ExchangeError(f"{pattern!r} is no regular expression: {error}.") from None
    for case in cases:
        found = known.search(case.name)
        group = (found.group(1) if known.groups else found.group()) if found else case.group
        yield replace(case, group=group)


def read_frames(
    data: DataSet, problems: list[str], *, proposals: bool, left: Unpaired | None = None
) -> list[FrameRecords]:
    """Return the frames of a data set, each with the file of its image.

    Parameters
    ----------
    data : DataSet
        What to read.
    problems : list of str
        Takes what could not be read.
    proposals : bool
        Of a project: also what no one has judged.
    left : Unpaired, optional
        Counts what a project has that is no truth yet.
    """
    if data.is_project:
        with Project.open(data.path, create=False) as project:
            return list(frames_of_project(project, proposals=proposals, left=left))
    form = load_format(data.form or guess_form(data.path))
    if form.reader is None:
        raise ExchangeError(f"{form.title} can be written, but not read.")
    finder = ImageFinder(data.path, data.images)
    frames = []
    for found in form.reader(data.path, data.options(ReadOptions(size_of=finder.size_of))):
        if isinstance(found, Problem):
            problems.append(str(found))
            continue
        try:
            path = finder.find(found.image)
        except ExchangeError:
            path = None  # figures need no pixels; pictures of the worst cases do
        frames.append(replace(found, source=path))
    return frames


def _known(frames: Sequence[FrameRecords]) -> frozenset[str]:
    """Return the classes that a truth tells of: those that stand, and those looked for."""
    stand = {a.category for f in frames for a in f.annotations}
    looked = {c for f in frames for lists in f.asked.values() for names in lists for c in names}
    return frozenset(stand | looked)


def _run(gold: Sequence[FrameRecords], readings: Readings, left: Unpaired) -> Iterator[Case]:
    for number, truth in enumerate(gold):
        if truth.source is None:
            left.count(UNREADABLE)
            continue
        try:
            scan = open_scan(truth.source)
            reading = readings.of(scan, f"{number:06d}_{truth.source.stem}", truth.frame)
        except (FadaError, IndexError) as error:
            if isinstance(error, ExchangeError):
                raise  # the results cannot be written
            left.count(UNREADABLE)
            continue
        if (scan.width, scan.height) != (truth.width, truth.height):
            left.count(OTHER_SIZE)
            continue
        spacing, origin = truth.spacing_mm, truth.spacing_origin
        if spacing is None and scan.spacing is not None:
            spacing, origin = (scan.spacing.y, scan.spacing.x), scan.spacing.origin
        group = truth.group or scan.identity.study or scan.identity.patient
        known = replace(truth, spacing_mm=spacing, spacing_origin=origin, group=group)
        yield case_of(known, side_of(reading), phases_of(reading))
