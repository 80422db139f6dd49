"""The recipe of fada-mini: data in, model pack out, and everything in between resumable."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_fada.training.phantoms import SCENES, Phantom, render_phantom
from napari_fada.training.samples import Sample, Structure, read_real, stored

if TYPE_CHECKING:
    from napari_fada.training.model import FadaMini

#: Phantoms of each scene to learn from, and to look at.
TRAIN_PHANTOMS, HELD_PHANTOMS = 160, 6
#: Seeds of held-out phantoms start here.
HELD_SEED = 1_000_000
SHAPES = ((192, 256), (192, 288), (208, 240))


def as_sample(phantom: Phantom, name: str = "") -> Sample:
    """Put a phantom into the form that real images have."""
    height, width = phantom.image.shape
    size = np.array([width, height], dtype=np.float64)
    structures = tuple(
        Structure(s.name, s.outline / size, None if s.keypoints is None else s.keypoints / size)
        for s in phantom.structures
    )
    return Sample(
        stored(phantom.image), width / height, phantom.view, structures, frozenset(), "phantom",
        name, phantom.scene,
    )  # fmt: skip


def phantom_samples(count: int, seed: int) -> list[Sample]:
    """Render ``count`` phantoms of every scene."""
    return [
        as_sample(
            render_phantom(scene, seed + k, SHAPES[(seed + k) % len(SHAPES)]), f"{scene}-{seed + k}"
        )
        for k in range(count)
        for scene in SCENES
    ]


def figures_line(model: FadaMini, held_out: Sequence[Sample]) -> str:
    """Short text of the figures that matter while training runs."""
    from napari_fada.training.generate import answer
    from napari_fada.training.score import examine, summary

    found = summary(examine(held_out, lambda s, t, c: answer(model, s, t, c)))
    return json.dumps({k: {n: round(v, 3) for n, v in f.items()} for k, f in found.items()})


def train_mini(
    data: Path,
    out: Path,
    work: Path,
    converter: Path | None = None,
    version: str = "1",
    vision_steps: int = 1300,
    steps: int | None = None,
    start: Path | None = None,
    finished: Callable[[], bool] = lambda: False,
    report: Callable[[str], None] = print,
) -> dict[str, object]:
    """Train fada-mini, from nothing or from a pack, and write its pack.

    Parameters
    ----------
    data
        Folder with ``hc18``, ``psfhs`` and ``brain``.
    out
        Folder of the pack.
    work
        Folder of the checkpoints; a run that was cut off goes on from them.
    converter
        See :func:`napari_fada.models.convert.find_converter`.
    version
        Version written into the pack.
    vision_steps, steps
        Lengths of the two stages; the second one takes 1,000 from nothing, 1,750 from a pack.
    start
        Folder of a pack whose ``full`` weights training goes on from; the first stage is left out.
    finished
        Asked after every step of the second stage; true ends it.
    report
        Takes a line of figures now and then.

    Returns
    -------
    dict
        The pack's description.
    """
    from napari_fada.training.convert import build_pack
    from napari_fada.training.instruct import instruct
    from napari_fada.training.pretrain import pretrain
    from napari_fada.training.weights import read_full

    work.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    train = read_real(data, "train") + phantom_samples(TRAIN_PHANTOMS, 0)
    held_out = read_real(data, "validation") + phantom_samples(HELD_PHANTOMS, HELD_SEED)
    few = held_out[::5]
    if start is None:
        pretrain(train, few, work / "vision.pt", steps=vision_steps, report=report)
        steps = steps or 1000
        whole = partial(instruct, tower=work / "vision.pt", steps=steps, still=steps // 2)
    else:
        whole = partial(
            instruct, start=read_full(start / "full"), steps=steps or 1750, rate=0.006,
            spread=(6.0, 3.0),
        )  # fmt: skip
    model = whole(
        train, work / "whole.pt", finished=finished, look=lambda m: figures_line(m, few),
        report=report,
    )  # fmt: skip
    report(figures_line(model, held_out))
    return build_pack(model, out, version, converter)
