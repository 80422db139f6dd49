"""Second stage: the language model learns to ask the image, on the frozen prompts.

Each image is read once and several questions go on from its state, which is what the engine does.
Numbers that are fed back are shaken at random while their targets stay true, so that each next
number is read from the image instead of being continued from the last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from napari_fada.training.augment import augment
from napari_fada.training.losses import answer_loss
from napari_fada.training.model import FadaMini, ModelSize, pick_states
from napari_fada.training.optimiser import Average, Optimiser
from napari_fada.training.pretrain import Picker, VisionBatches, save
from napari_fada.training.questions import Question, draw
from napari_fada.training.samples import Sample
from napari_fada.training.targets import Heads, Targets, make_targets, weighted
from napari_fada.training.tokenizer import NUMBERS

#: How often each source is drawn in this stage.
SHARES: dict[str, float] = {"hc18": 0.27, "psfhs": 0.31, "brain": 0.08, "phantom": 0.34}


@dataclass
class Group:
    """Questions of like length: which image, inputs, and where which targets stand."""

    rows: Tensor
    inputs: Tensor
    places: Tensor
    targets: Tensor


@dataclass
class Batch:
    """Images with their auxiliary targets and question groups."""

    images: Tensor
    targets: Targets
    groups: list[Group]


def shake(
    ids: Sequence[int], rng: np.random.Generator, chance: float = 0.35, by: float = 10.0
) -> list[int]:
    """Move the numbers among the ids a little, in some answers."""
    if rng.random() > chance:
        return list(ids)
    scale = by * (3.0 if rng.random() < 0.15 else 1.0)
    return [
        i if i >= NUMBERS else int(np.clip(round(i + rng.normal(0, scale)), 0, NUMBERS - 1))
        for i in ids
    ]


def collate(
    questions: Sequence[tuple[int, Question]], rng: np.random.Generator, groups: int
) -> list[Group]:
    """Sort questions by length into groups and pad each on the right."""
    ranked = sorted(questions, key=lambda q: len(q[1].ask) + len(q[1].answer))
    made = []
    for part in np.array_split(np.arange(len(ranked)), groups):
        if not len(part):
            continue
        chosen = [ranked[i] for i in part]
        longest = max(len(q.ask) + len(q.answer) for _, q in chosen)
        inputs = np.zeros((len(chosen), longest - 1), dtype=np.int64)
        places: list[int] = []
        targets: list[int] = []
        for i, (_, q) in enumerate(chosen):
            row = [*q.ask, *shake(q.answer, rng)][:-1]
            inputs[i, : len(row)] = row
            start = i * (longest - 1) + len(q.ask) - 1
            places += range(start, start + q.taught)
            targets += q.answer[: q.taught]
        made.append(
            Group(
                torch.tensor([r for r, _ in chosen]), torch.from_numpy(inputs),
                torch.tensor(places, dtype=torch.long), torch.tensor(targets, dtype=torch.long),
            )
        )  # fmt: skip
    return made


class Conversations(IterableDataset[Batch]):
    """Endless batches of augmented images with questions."""

    def __init__(
        self, samples: Sequence[Sample], size: ModelSize, images: int, asked: int, seed: int
    ) -> None:
        self.samples, self.size = samples, size
        self.images, self.asked, self.seed = images, asked, seed

    def __iter__(self) -> Iterator[Batch]:
        torch.set_num_threads(1)
        rng = np.random.default_rng(self.seed)
        vision = self.size.vision
        picker = Picker(self.samples, SHARES)
        while True:
            chosen = picker.draw(rng, self.images)
            images, moved = augment(chosen, vision.image, rng)
            light = images.mean((1, 2)).tolist()
            questions = [
                (i, draw(s, rng, light[i])) for i, s in enumerate(moved) for _ in range(self.asked)
            ]
            targets = make_targets(moved, vision.grid // vision.merge)
            yield Batch(images * 2 - 1, targets, collate(questions, rng, 6))


def fit_heads(
    heads: Heads, model: FadaMini, train: Sequence[Sample], steps: int, seed: int, workers: int
) -> None:
    """Teach fresh heads to read a tower that was trained before and stands still."""
    optimiser = Optimiser(heads.named_parameters(), other_lr=1e-2, total=steps, warmup=10)
    batches = DataLoader(
        VisionBatches(train, model.size.vision, 32, seed),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    for images, targets in islice(batches, steps):
        with torch.no_grad():
            tokens = model.visual(images)
        weighted(heads.losses(tokens, targets)).backward()
        optimiser.step()


def load_tower(model: FadaMini, heads: Heads, checkpoint: Path) -> None:
    """Start from the averaged weights of the first stage."""
    average = torch.load(checkpoint, weights_only=False)["average"]
    for name, part in (("tower.", model.visual), ("heads.", heads)):
        part.load_state_dict(
            {k.removeprefix(name): v for k, v in average.items() if k.startswith(name)}
        )


def instruct(
    train: Sequence[Sample],
    checkpoint: Path,
    tower: Path | None = None,
    size: ModelSize | None = None,
    steps: int = 1500,
    images: int = 16,
    asked: int = 4,
    seed: int = 0,
    workers: int = 1,
    every: int = 100,
    auxiliary: float = 0.5,
    still: int = 0,
    rate: float = 0.01,
    spread: tuple[float, float] = (12.0, 4.0),
    start: FadaMini | None = None,
    finished: Callable[[], bool] = lambda: False,
    look: Callable[[FadaMini], str] = lambda _: "",
    report: Callable[[str], None] = print,
) -> FadaMini:
    """Train the whole model; resumes from ``checkpoint`` where it exists.

    Parameters
    ----------
    train
        Samples to learn from.
    checkpoint
        File that holds the model, the heads, their average and the optimiser.
    tower
        Checkpoint of the first stage, for a fresh start.
    steps, images, asked
        Length of the run, images a step, questions an image.
    auxiliary
        Weight of the vision losses, which keep positions readable.
    still
        Steps in which the tower stands still, while the language model learns to read it.
    rate
        Peak learning rate of the matrices.
    spread
        Spread of the bell around a number, in grid units, at first and after 70 % of the steps.
    start
        A trained model to go on from; its heads, which no pack keeps, are learned anew first.
    finished
        Asked after every step; true ends the run with a checkpoint.
    look
        Evaluates the averaged model every ``every`` steps; its text is reported.

    Returns
    -------
    FadaMini
        The model with averaged weights.
    """
    size = size or ModelSize()
    torch.manual_seed(seed)
    both = nn.ModuleDict({"model": FadaMini(size, seed), "heads": Heads(size.vision.out)})
    model, heads = both["model"], both["heads"]
    assert isinstance(model, FadaMini)
    assert isinstance(heads, Heads)
    if not checkpoint.exists():
        if tower is not None:
            load_tower(model, heads, tower)
        if start is not None:
            model.load_state_dict(start.state_dict())
            fit_heads(heads, model, train, min(200, steps), seed, workers)
    optimiser = Optimiser(
        both.named_parameters(),
        matrix_lr=rate,
        total=steps,
        warmup=min(60, steps // 4 + 1),
        slow={"model.visual.": 0.4, "model.vocabulary.": 0.7},
    )
    average = Average(both)
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=False)
        both.load_state_dict(state["module"])
        average.values, average.count = state["average"], state["averaged"]
        optimiser.load(state["optimiser"])
    batches = DataLoader(
        Conversations(train, size, images, asked, seed + 1 + optimiser.count),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    smooth: dict[str, float] = {}
    started = time.monotonic()

    def note(**values: float) -> None:
        for k, v in values.items():
            smooth[k] = 0.97 * smooth.get(k, v) + 0.03 * v

    def keep() -> None:
        save(
            checkpoint, module=both.state_dict(), average=average.values,
            averaged=average.count, optimiser=optimiser.state(), size=size,
        )  # fmt: skip

    for batch in batches:
        if optimiser.count >= steps or finished():
            break
        done = min(1.0, optimiser.count / (0.7 * steps))
        bell = spread[0] + (spread[1] - spread[0]) * done
        moving = optimiser.count >= still
        with torch.set_grad_enabled(moving):
            tokens = model.visual(batch.images)
        table = model.table()
        states = model.read_image(tokens, table)
        total = sum(len(g.targets) for g in batch.groups)
        loss = torch.zeros(())
        if moving:
            loss = auxiliary * weighted(heads.losses(tokens, batch.targets))
            note(vision=loss.item())
        for group in batch.groups:
            if not len(group.targets):
                continue
            hidden, _ = model.go_on(group.inputs, pick_states(states, group.rows), table)
            logits = hidden.flatten(0, 1)[group.places] @ table.T
            found = answer_loss(logits, group.targets, bell)
            loss = loss + found.total * (len(group.targets) / total)
            note(words=found.words, numbers=found.numbers, error=found.error)
        loss.backward()
        optimiser.step()
        average.update(both)
        if optimiser.count % every == 0:
            live = {k: v.clone() for k, v in both.state_dict().items()}
            both.load_state_dict(average.values)
            text = look(model)
            both.load_state_dict(live)
            parts = " ".join(f"{k} {v:.4f}" for k, v in smooth.items())
            report(f"{optimiser.count} {time.monotonic() - started:.0f}s {parts} {text}")
            keep()
    keep()
    both.load_state_dict(average.values)
    return model
