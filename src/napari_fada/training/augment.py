"""Random changes of an image that keep its labels true, a batch at a time.

Geometry is drawn per image as one affine map and applied to pixels (``grid_sample``) and to
outlines alike. What follows touches brightness only: gain, gamma, speckle, blur, shadows, and
the marks that machines burn into the border.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from napari_fada.training.contours import FloatArray
from napari_fada.training.samples import Sample, Structure


def draw_affine(rng: np.random.Generator, sample: Sample, strength: float) -> FloatArray:
    """Draw a 2×3 map of 0–1 coordinates: flip, rotation, scale, stretch, shift."""
    turn = np.deg2rad(rng.uniform(-22, 22)) * strength
    if sample.source == "phantom":
        turn *= 0.4
    scale = np.exp(rng.normal(0.0, 0.16) * strength)
    stretch = np.exp(rng.normal(0.0, 0.08) * strength)
    # Top and bottom mean something (the probe is at the top). Sides do by convention only.
    flip = np.array([-1.0 if rng.random() < 0.25 else 1.0, 1.0])
    stretch_to_square = np.diag([sample.aspect, 1.0])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = np.linalg.inv(stretch_to_square) @ rotation @ stretch_to_square
    linear = linear @ np.diag(flip * scale * np.array([stretch, 1.0 / stretch]))
    points = np.concatenate([s.outline for s in sample.structures] or [np.full((1, 2), 0.5)])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    about = 0.5 * (middle + 0.5)
    target = about + rng.normal(0.0, 0.07, 2) * strength
    # Keep the labelled part in sight.
    moved = target + linear @ (middle - about)
    target += np.clip(moved, 0.22, 0.78) - moved
    return np.concatenate([linear, (target - linear @ about)[:, None]], axis=1)


def move(affine: FloatArray, points: FloatArray) -> FloatArray:
    """Apply a 2×3 map to ``(n, 2)`` points."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2], dtype=np.float64)


def _visible(structure: Structure, affine: FloatArray) -> Structure | None:
    moved = move(affine, structure.outline)
    outline = np.clip(moved, 0.0, 1.0)
    before = np.prod(np.ptp(moved, axis=0)) + 1e-9
    if np.prod(np.ptp(outline, axis=0)) < 0.3 * before:
        return None
    points = structure.keypoints
    if points is not None:
        points = move(affine, points)
        if points.min() < 0.0 or points.max() >= 1.0:
            return None
    return Structure(structure.name, outline, points)


def _noise(b: int, side: int, cells: int, rng: torch.Generator) -> Tensor:
    coarse = torch.randn(b, 1, cells, cells, generator=rng)
    fine = functional.interpolate(coarse, (side, side), mode="bilinear", align_corners=False)
    return fine[:, 0]


def _intensity(x: Tensor, rng: torch.Generator, strength: float) -> Tensor:
    """Vary 0–1 images of shape ``(b, side, side)``."""
    b, side, _ = x.shape

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(b, 1, 1, generator=rng) * (high - low) + low

    x = x.clamp(0, 1) ** torch.exp(uniform(-0.5, 0.5) * strength)
    x = x * torch.exp(uniform(-0.45, 0.35) * strength) + uniform(-0.03, 0.03) * strength
    cells = int(torch.randint(24, side + 1, (1,), generator=rng))
    x = x * (1 + uniform(0.0, 0.3) * strength * _noise(b, side, cells, rng))
    x = x * (1 + uniform(0.0, 0.25) * strength * _noise(b, side, 4, rng))
    blurred = functional.avg_pool2d(x[:, None], 3, 1, 1, count_include_pad=False)[:, 0]
    x = torch.lerp(x, blurred, uniform(-0.6, 1.0))
    return x.clamp(0, 1)


def _marks(x: Tensor, rng: np.random.Generator) -> None:
    """Burn in what machines draw: rows of letters, calipers, a grey bar, cropped corners."""
    side = x.shape[-1]
    for image in x:
        for _ in range(rng.integers(0, 4)):
            if rng.random() < 0.5:
                y = int(rng.choice([rng.integers(2, 30), rng.integers(side - 30, side - 8)]))
                left = int(rng.integers(0, side - 40))
                letters = torch.from_numpy((rng.random((5, 32)) < 0.45).astype(np.float32))
                image[y : y + 5, left : left + 32] = torch.maximum(
                    image[y : y + 5, left : left + 32], letters * float(rng.uniform(0.5, 1))
                )
            else:
                y, left = (int(v) for v in rng.integers(8, side - 8, 2))
                image[y, left - 3 : left + 4] = float(rng.uniform(0.6, 1))
                image[y - 3 : y + 4, left] = float(rng.uniform(0.6, 1))
        if rng.random() < 0.2:
            h, w = (int(v) for v in rng.integers(12, 48, 2))
            rows = slice(0, h) if rng.random() < 0.4 else slice(side - h, side)
            cols = slice(0, w) if rng.random() < 0.5 else slice(side - w, side)
            image[rows, cols] = 0.0


def augment(
    samples: Sequence[Sample], side: int, rng: np.random.Generator, strength: float = 0.5
) -> tuple[Tensor, list[Sample]]:
    """Change a batch of samples at random.

    Parameters
    ----------
    samples
        Stored samples, all of the same square size.
    side
        Side of the result in pixels.
    rng
        Source of every draw.
    strength
        0 leaves the images as they are, apart from the resize.

    Returns
    -------
    images
        ``(b, side, side)`` floats in 0–1.
    samples
        The same samples with outlines moved (their stored image is left as it was).
    """
    source = torch.from_numpy(np.stack([s.image for s in samples])).float()[:, None] / 255.0
    affines, moved = [], []
    for s in samples:
        affine = np.array([[1.0, 0, 0], [0, 1.0, 0]])
        if strength > 0:
            affine = draw_affine(rng, s, strength)
        affines.append(affine)
        kept = [_visible(structure, affine) for structure in s.structures]
        lost = {a.name for a, b in zip(s.structures, kept, strict=True) if b is None}
        moved.append(
            replace(
                s,
                structures=tuple(k for k in kept if k is not None),
                unknown=s.unknown | lost,
            )
        )
    grids = []
    for affine in affines:
        inverse = np.linalg.inv(affine[:, :2])
        # grid_sample speaks of −1…1 on both sides: u = 2p − 1.
        shift = inverse @ np.ones(2) - 2.0 * inverse @ affine[:, 2] - 1.0
        grids.append(np.concatenate([inverse, shift[:, None]], axis=1))
    theta = torch.from_numpy(np.stack(grids)).float()
    grid = functional.affine_grid(theta, [len(samples), 1, side, side], align_corners=False)
    images = functional.grid_sample(source, grid, mode="bilinear", align_corners=False)[:, 0]
    if strength > 0:
        seed = torch.Generator().manual_seed(int(rng.integers(2**62)))
        images = _intensity(images, seed, strength)
        _marks(images, rng)
    return images, moved
