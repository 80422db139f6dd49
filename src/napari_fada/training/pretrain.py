"""First stage: the vision tower learns to see, on dense and global targets, without language."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from napari_fada.training.augment import augment
from napari_fada.training.labels import CLASSES
from napari_fada.training.optimiser import Average, Optimiser
from napari_fada.training.samples import Sample
from napari_fada.training.targets import Heads, Targets, make_targets, weighted
from napari_fada.training.vision import VisionSize, VisionTower

#: How often each source is drawn.
SHARES: dict[str, float] = {"hc18": 0.36, "psfhs": 0.36, "brain": 0.06, "phantom": 0.22}


class Picker:
    """Draws samples so that every source has its share, and small heads are not forgotten.

    Parameters
    ----------
    samples
        What there is.
    shares
        How often each source is drawn, whatever its size.
    """

    def __init__(self, samples: Sequence[Sample], shares: dict[str, float]) -> None:
        self.groups: dict[str, list[Sample]] = {}
        for s in samples:
            self.groups.setdefault(s.source, []).append(s)
        self.names = sorted(self.groups)
        weights = np.array([shares[n] for n in self.names])
        self.weights = weights / weights.sum()
        self.within = {n: emphasis(members) for n, members in self.groups.items()}

    def draw(self, rng: np.random.Generator, count: int) -> list[Sample]:
        """Draw ``count`` samples."""
        chosen = rng.choice(len(self.names), size=count, p=self.weights)
        names = [self.names[c] for c in chosen]
        return [self.groups[n][rng.choice(len(self.groups[n]), p=self.within[n])] for n in names]


def emphasis(samples: Sequence[Sample]) -> npt.NDArray[np.float64]:
    """Weigh samples whose largest structure is small up to four times as much.

    A tenth of the HC18 heads, those of the first trimester, are a third as large as the others
    and would hardly be seen.
    """
    weights = []
    for s in samples:
        sizes = [float(np.sqrt(np.ptp(x.outline, axis=0).prod())) for x in s.structures]
        weights.append(np.clip(0.5 / max([*sizes, 0.05]), 1.0, 4.0) if s.source == "hc18" else 1.0)
    array = np.array(weights, dtype=np.float64)
    return np.asarray(array / array.sum(), dtype=np.float64)


class VisionBatches(IterableDataset[tuple[Tensor, Targets]]):
    """Endless augmented batches with their targets."""

    def __init__(self, samples: Sequence[Sample], size: VisionSize, batch: int, seed: int) -> None:
        self.samples, self.size, self.batch, self.seed = samples, size, batch, seed

    def __iter__(self) -> Iterator[tuple[Tensor, Targets]]:
        torch.set_num_threads(1)
        rng = np.random.default_rng(self.seed)
        picker = Picker(self.samples, SHARES)
        while True:
            chosen = picker.draw(rng, self.batch)
            images, moved = augment(chosen, self.size.image, rng)
            yield images * 2 - 1, make_targets(moved, self.size.grid // self.size.merge)


def ellipse_dice(predicted: np.ndarray, outline: np.ndarray, side: int = 192) -> float:
    """Dice of an ellipse (centre, half-axis matrix) with an outline."""
    from skimage.draw import polygon2mask

    from napari_fada.training.contours import ellipse

    cx, cy, a, b, c = predicted[:5]
    mine = ellipse(np.array([cx, cy]), np.array([[a, b], [b, c]]))
    one, two = (polygon2mask((side, side), o[:, ::-1] * side) for o in (mine, outline))
    return float(2 * (one & two).sum() / max(1, one.sum() + two.sum()))


@torch.no_grad()
def look(
    tower: VisionTower, heads: Heads, samples: Sequence[Sample], batch: int = 32
) -> dict[str, float]:
    """Mean ellipse Dice per source and class, and view accuracy, on untouched images."""
    rng = np.random.default_rng(0)
    found: dict[str, list[float]] = {}
    right = []
    for start in range(0, len(samples), batch):
        images, moved = augment(samples[start : start + batch], tower.size.image, rng, 0.0)
        tokens = tower(images * 2 - 1)
        geometry = heads.read_geometry(tokens).numpy()
        views = heads.view(heads.unit(tokens)).mean(1).argmax(-1)
        t = make_targets(moved, tower.size.grid // tower.size.merge)
        right += (views == t.view).float().tolist()
        for s, g in zip(moved, geometry, strict=True):
            for structure in s.structures:
                key = f"{s.source}/{structure.name}"
                dice = ellipse_dice(g[CLASSES.index(structure.name)], structure.outline)
                found.setdefault(key, []).append(dice)
    return {k: float(np.mean(v)) for k, v in sorted(found.items())} | {
        "view": float(np.mean(right))
    }


def save(path: Path, **parts: object) -> None:
    """Write a checkpoint so that a killed write never leaves half a file."""
    temporary = path.with_suffix(".tmp")
    torch.save(parts, temporary)
    temporary.replace(path)


def pretrain(
    train: Sequence[Sample],
    held_out: Sequence[Sample],
    checkpoint: Path,
    size: VisionSize | None = None,
    steps: int = 1500,
    batch: int = 32,
    seed: int = 0,
    workers: int = 1,
    every: int = 200,
    report: Callable[[str], None] = print,
) -> VisionTower:
    """Train the tower; resumes from ``checkpoint`` where it exists.

    Parameters
    ----------
    train, held_out
        Samples to learn from and to look at.
    checkpoint
        File that holds the tower, the heads, their average and the optimiser.
    steps, batch, seed
        Length, batch size and seed of the run.
    workers
        Processes that augment; 0 does it in line.
    every
        Steps between two looks at the held-out samples, each with a checkpoint.

    Returns
    -------
    VisionTower
        The tower with averaged weights.
    """
    size = size or VisionSize()
    torch.manual_seed(seed)
    both = nn.ModuleDict({"tower": VisionTower(size), "heads": Heads(size.out)})
    tower, heads = both["tower"], both["heads"]
    assert isinstance(tower, VisionTower)
    assert isinstance(heads, Heads)
    optimiser = Optimiser(
        both.named_parameters(), total=steps, warmup=min(50, steps // 4 + 1), slow={"heads.": 2.0}
    )
    average = Average(both)
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=False)
        both.load_state_dict(state["module"])
        average.values, average.count = state["average"], state["averaged"]
        optimiser.load(state["optimiser"])
    batches = DataLoader(
        VisionBatches(train, size, batch, seed + optimiser.count),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    smooth: dict[str, float] = {}
    started = time.monotonic()
    for images, targets in batches:
        if optimiser.count >= steps:
            break
        losses = heads.losses(tower(images), targets)
        weighted(losses).backward()
        optimiser.step()
        average.update(both)
        for k, v in losses.items():
            smooth[k] = 0.98 * smooth.get(k, v.item()) + 0.02 * v.item()
        if optimiser.count % every == 0 or optimiser.count == steps:
            live = {k: v.clone() for k, v in both.state_dict().items()}
            both.load_state_dict(average.values)
            figures = look(tower, heads, held_out)
            both.load_state_dict(live)
            text = " ".join(f"{k} {v:.4f}" for k, v in (smooth | figures).items())
            report(f"{optimiser.count} {time.monotonic() - started:.0f}s {text}")
            save(
                checkpoint, module=live, average=average.values, averaged=average.count,
                optimiser=optimiser.state(), size=size,
            )  # fmt: skip
    both.load_state_dict(average.values)
    return tower
