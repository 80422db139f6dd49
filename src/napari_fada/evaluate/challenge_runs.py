"""Runs of a model over the challenges' folders."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

from napari_fada.engines.protocol import Engine
from napari_fada.errors import ExchangeError, FadaError, ScanError
from napari_fada.evaluate.bootstrap import Figure
from napari_fada.evaluate.challenges import (
    Head,
    HeadScore,
    Labels,
    LabourScore,
    hc18_figures,
    labour_figures,
    labour_labels,
    read_hc18,
    read_labour,
    score_head,
    score_labour,
)
from napari_fada.evaluate.evaluation import Progress
from napari_fada.evaluate.readings import Readings
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.hc18 import head_of
from napari_fada.exchange.writers import Problem
from napari_fada.notice import NOTICE
from napari_fada.records.reading import Reading
from napari_fada.scans import open_scan

Steps = Generator[Progress, None, dict[str, Any]]

Item = TypeVar("Item")
Score = TypeVar("Score")


def hc18_steps(
    root: Path,
    engine: Engine,
    out_dir: Path,
    *,
    limit: int | None = None,
    times: int = 1000,
    seed: int = 0,
) -> Steps:
    """Score a model on a folder in HC18's layout; a later run goes on from there.

    Raises
    ------
    ExchangeError
        If there is nothing to score, or readings cannot be written.
    """
    run = _Run[Head, HeadScore](engine, out_dir, limit)

    def score(head: Head, reading: Reading) -> HeadScore:
        return score_head(head, head_of(FrameRecords("", *head.size, reading.annotations)))

    yield from run.over(read_hc18(root), lambda head: head.image, score)
    run.require(root)
    figures = hc18_figures(run.scores, times, seed)
    note = (
        "Circumference by Ramanujan's second formula of the ellipse fitted in mm; a head that was "
        "not found has Dice 0 and no distance."
    )
    return run.result("HC18", figures, note)


def labour_steps(
    root: Path,
    engine: Engine,
    out_dir: Path,
    *,
    limit: int | None = None,
    times: int = 1000,
    seed: int = 0,
) -> Steps:
    """Score a model on a folder of images and labels in FH-PS-AOP's layout.

    Raises
    ------
    ExchangeError
        If there is nothing to score, or readings cannot be written.
    """
    run = _Run[tuple[Path, Labels], LabourScore](engine, out_dir, limit)

    def score(found: tuple[Path, Labels], reading: Reading) -> LabourScore:
        image, truth = found
        size = truth.shape[1], truth.shape[0]
        if (reading.scan.width, reading.scan.height) != size:
            raise ScanError("image and label are of different size")
        return score_labour(image.stem, truth, labour_labels(reading.annotations, size))

    yield from run.over(read_labour(root), lambda found: found[0], score)
    run.require(root)
    figures = labour_figures(run.scores, times, seed)
    note = (
        "Means over symphysis, head and both. The tangent is the one that the challenge's program "
        "takes; an angle that cannot be measured counts as 0."
    )
    return run.result("FH-PS-AOP", figures, note)


class _Run(Generic[Item, Score]):
    """A model over the images of a challenge: scores, and what could not be scored."""

    def __init__(self, engine: Engine, out_dir: Path, limit: int | None) -> None:
        self._engine, self._limit = engine, limit
        self._readings = Readings(engine, out_dir)
        self.scores: list[Score] = []
        self.problems: list[str] = []

    def over(
        self,
        found: Iterable[Item | Problem],
        image_of: Callable[[Item], Path],
        score: Callable[[Item, Reading], Score],
    ) -> Generator[Progress, None, None]:
        """Score everything, one event for each image; a scan that cannot be read is a problem."""
        for item in found:
            if isinstance(item, Problem):
                self.problems.append(str(item))
                continue
            image = image_of(item)
            try:
                self.scores.append(score(item, self._readings.of(open_scan(image), image.stem)))
            except ExchangeError:
                raise  # readings cannot be written
            except FadaError as error:
                self.problems.append(f"{image.name}: {error.what}")
                continue
            done = len(self.scores)
            yield Progress(done, self._limit or done, image.name)
            if self._limit is not None and done >= self._limit:
                return

    def require(self, root: Path) -> None:
        """Raise if nothing was scored."""
        if not self.scores:
            first = f": {self.problems[0]}" if self.problems else ""
            raise ExchangeError(f"Nothing of {root} could be scored{first}.")

    def result(self, name: str, figures: dict[str, Figure], note: str) -> dict[str, Any]:
        """Return the result, JSON-ready."""
        return {
            "schema": "fada-benchmark/1",
            "notice": NOTICE,
            "benchmark": name,
            "model": self._engine.info.model.pack,
            "images": len(self.scores),
            "note": note,
            "figures": {key: figure.to_dict() for key, figure in figures.items()},
            "problems": self.problems,
        }
