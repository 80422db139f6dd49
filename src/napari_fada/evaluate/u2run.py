"""A run of U2-BENCH: every question asked of a model, figures for each data set."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from napari_fada.engines.protocol import Engine
from napari_fada.errors import ExchangeError, FadaError
from napari_fada.evaluate.evaluation import Progress
from napari_fada.evaluate.readings import Readings
from napari_fada.evaluate.u2bench import (
    Row,
    answer_of,
    options_of,
    read_rows,
    truth_of,
    value_range,
)
from napari_fada.evaluate.u2metrics import class_scores, text_scores, value_scores
from napari_fada.exchange.writers import Problem
from napari_fada.notice import NOTICE
from napari_fada.pipeline import PromptSet
from napari_fada.records.reading import Reading
from napari_fada.scans import scan_from_array

LICENCE = "Data: U2-BENCH, CC BY-NC-ND 4.0. Only figures are written, nothing of the data."


@dataclass
class Result:
    """Figures for each task and data set, and what could not be asked."""

    model: str
    scores: dict[str, dict[str, Any]]
    problems: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "schema": "fada-u2bench/1",
            "notice": NOTICE,
            "licence": LICENCE,
            "model": self.model,
            "note": "Answers are worked out of the model's view, boxes, outlines and report; the "
            "benchmark's own prompts are not asked. Overall weights are not published.",
            "scores": self.scores,
            "problems": self.problems,
        }


@dataclass
class _Answers:
    truth: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    options: list[list[str]] = field(default_factory=list)


def u2_steps(
    root: Path,
    engine: Engine,
    out_dir: Path,
    *,
    limit: int | None = None,
    prompts: PromptSet | None = None,
) -> Generator[Progress, None, Result]:
    """Ask every question; close the generator to cancel. A later run goes on from there.

    Raises
    ------
    ExchangeError
        If there are no questions, or readings cannot be written.
    """
    readings = Readings(engine, out_dir, prompts)
    found: dict[tuple[str, str], _Answers] = {}
    kinds: dict[tuple[str, str], Row] = {}
    problems: list[str] = []
    count = 0
    for row in read_rows(root):
        if isinstance(row, Problem):
            problems.append(str(row))
            continue
        if limit is not None and count >= limit:
            break
        try:
            truth = truth_of(row)
            said = answer_of(row, _read(row, readings))
        except ExchangeError:
            raise
        except (FadaError, ValueError, IndexError) as error:
            problems.append(str(Problem(*row.where, str(error))))
            continue
        key = row.folder, row.dataset
        answers = found.setdefault(key, _Answers())
        kinds.setdefault(key, row)
        answers.truth.append(truth)
        answers.said.append(said)
        answers.options.append(options_of(row))
        count += 1
        yield Progress(count, limit or count, row.dataset)
    if not found:
        raise ExchangeError(
            f"No question of {root} could be asked{f': {problems[0]}' if problems else ''}."
        )
    scores: dict[str, dict[str, Any]] = {}
    for (folder, dataset), answers in sorted(found.items()):
        scores.setdefault(folder, {})[dataset] = _score(kinds[folder, dataset], answers, problems)
    return Result(engine.info.model.pack, scores, problems)


def _read(row: Row, readings: Readings) -> Reading:
    name = hashlib.sha256(row.image.tobytes()).hexdigest()[:16]
    return readings.of(scan_from_array(row.image, name=f"{name}.png"), name)


def _score(row: Row, answers: _Answers, problems: list[str]) -> dict[str, Any]:
    if row.task in ("class", "cell"):
        options = answers.options if row.task == "class" else [[] for _ in answers.said]
        return asdict(class_scores(answers.truth, answers.said, options))
    if row.task == "text":
        return asdict(text_scores(answers.truth, answers.said))
    span = value_range(row.dataset)
    if span is None:
        problems.append(f"{row.dataset}: its range is not known, so its values are not scored")
        return {"n": 0, "dropped": len(answers.truth)}
    return asdict(value_scores(answers.truth, answers.said, span))
