"""The figures of a finished pack, measured through the engine that users run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_fada.engines.protocol import Completion, Engine, Prompt, Task
from napari_fada.training.labels import VIEWS
from napari_fada.training.phantoms import render_phantom
from napari_fada.training.prompts import question
from napari_fada.training.recipe import SHAPES
from napari_fada.training.samples import Sample
from napari_fada.training.score import examine, summary


def original(sample: Sample, data: Path) -> npt.NDArray[np.uint8]:
    """Pixels of a held-out sample as a user would open them."""
    from PIL import Image

    if sample.source == "phantom":
        seed = int(sample.name.rpartition("-")[2])
        return render_phantom(sample.scene, seed, SHAPES[seed % len(SHAPES)]).image
    with Image.open(data / sample.source / "images" / sample.name) as im:
        return np.asarray(im.convert("L"))


def ask_engine(
    engine: Engine, image: npt.NDArray[np.uint8], task: str, classes: Sequence[str]
) -> str:
    """Answer of the engine to one question."""
    kinds: dict[str, Task] = {
        "interpret": "interpret",
        "classify": "classify",
        "detect": "detect",
        "segment": "segment",
        "keypoints": "keypoints",
    }
    labels = VIEWS if task == "classify" else tuple(classes)
    prompt = Prompt(kinds[task], question(task, classes), labels=labels, max_tokens=700)
    events = engine.ask(image, [prompt])
    return next(e.text for e in events if isinstance(e, Completion))


def examine_pack(
    engine: Engine, held_out: Sequence[Sample], data: Path
) -> dict[str, dict[str, float]]:
    """Ask the engine about every held-out sample and score the answers.

    Parameters
    ----------
    engine
        A loaded pack.
    held_out
        Samples that training never saw.
    data
        Folder of the data sets, for the original pixels.

    Returns
    -------
    dict
        Means by set and task; ``seconds/answer`` is the mean time of an answer.
    """
    spent: list[float] = []

    def ask(samples: Sequence[Sample], task: str, classes: Sequence[str]) -> list[str]:
        texts = []
        for sample in samples:
            image = original(sample, data)
            began = time.perf_counter()
            texts.append(ask_engine(engine, image, task, classes))
            spent.append(time.perf_counter() - began)
        return texts

    figures = summary(examine(held_out, ask))
    figures["seconds"] = {"answer": float(np.mean(spent)), "n": float(len(spent))}
    return figures
