"""Runs of a model over the challenges' folders."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from napari_fada.engines.protocol import Engine
from napari_fada.errors import ExchangeError, FadaError
from napari_fada.evaluate.bootstrap import Figure
from napari_fada.evaluate.challenges import (
    HeadScore,
    LabourScore,
    hc18_figures,
    labour_figures,
    labour_labels,
    read_hc18,
    read_labour,
    score_head,
    score_labour,
)
from napari_fada.evaluate.evaluation import NOTICE, Progress
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.hc18 import head_of
from napari_fada.exchange.reading_json import SUFFIX, is_done, read_reading, write_reading
from napari_fada.exchange.writers import Problem
from napari_fada.pipeline import PromptSet, read_frame
from napari_fada.records.reading import Reading
from napari_fada.scans import open_scan

Steps = Generator[Progress, None, dict[str, Any]]


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
    scores: list[HeadScore] = []
    problems: list[str] = []
    reader = Readings(engine, out_dir)
    for head in read_hc18(root):
        if isinstance(head, Problem):
            problems.append(str(head))
            continue
        try:
            reading = reader.read(head.image)
        except ExchangeError:
            raise
        except FadaError as error:
            problems.append(f"{head.image.name}: {error.what}")
            continue
        answer = head_of(FrameRecords("", *head.size, reading.annotations))
        scores.append(score_head(head, answer))
        yield Progress(len(scores), limit or len(scores), head.name)
        if limit is not None and len(scores) >= limit:
            break
    _require(scores, root, problems)
    figures = hc18_figures(scores, times, seed)
    note = (
        "Circumference by Ramanujan's second formula of the ellipse fitted in mm; a head that was "
        "not found has Dice 0 and no distance."
    )
    return _result("HC18", engine, figures, len(scores), problems, note)


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
    scores: list[LabourScore] = []
    problems: list[str] = []
    reader = Readings(engine, out_dir)
    for found in read_labour(root):
        if isinstance(found, Problem):
            problems.append(str(found))
            continue
        image, truth = found
        try:
            reading = reader.read(image)
        except ExchangeError:
            raise
        except FadaError as error:
            problems.append(f"{image.name}: {error.what}")
            continue
        size = truth.shape[1], truth.shape[0]
        if (reading.scan.width, reading.scan.height) != size:
            problems.append(f"{image.name}: image and label are of different size")
            continue
        scores.append(score_labour(image.stem, truth, labour_labels(reading.annotations, size)))
        yield Progress(len(scores), limit or len(scores), image.name)
        if limit is not None and len(scores) >= limit:
            break
    _require(scores, root, problems)
    figures = labour_figures(scores, times, seed)
    note = (
        "Means over symphysis, head and both. The tangent is the one that the challenge's program "
        "takes; an angle that cannot be measured counts as 0."
    )
    return _result("FH-PS-AOP", engine, figures, len(scores), problems, note)


class Readings:
    """What a model says of image files, kept so that it is asked once.

    Parameters
    ----------
    engine : Engine
        The model.
    out_dir : Path
        Readings go into ``readings`` below it.
    """

    def __init__(self, engine: Engine, out_dir: Path) -> None:
        self._engine, self._folder = engine, out_dir / "readings"
        self._prompts = PromptSet.load(engine.info.model.prompt_set)

    def read(self, image: Path) -> Reading:
        """Return the reading of an image, from before or made now.

        Raises
        ------
        ScanError
            If the image cannot be opened.
        ExchangeError
            If the reading cannot be written.
        """
        scan = open_scan(image)
        path = self._folder / f"{image.stem}{SUFFIX}"
        wanted = {"model_sha256": self._engine.info.model.sha256, "prompt_hash": self._prompts.hash}
        if is_done(path, scan_sha256=scan.sha256, **wanted):
            return read_reading(path)
        reading = read_frame(self._engine, scan, prompts=self._prompts)
        write_reading(path, reading)
        return reading


def _require(scores: list[Any], root: Path, problems: list[str]) -> None:
    if not scores:
        first = f": {problems[0]}" if problems else ""
        raise ExchangeError(f"Nothing of {root} could be scored{first}.")


def _result(
    name: str,
    engine: Engine,
    figures: dict[str, Figure],
    images: int,
    problems: list[str],
    note: str,
) -> dict[str, Any]:
    return {
        "schema": "fada-benchmark/1",
        "notice": NOTICE,
        "benchmark": name,
        "model": engine.info.model.pack,
        "images": images,
        "note": note,
        "figures": {key: figure.to_dict() for key, figure in figures.items()},
        "problems": problems,
    }
