"""Auxiliary targets of the vision tower, and the linear heads that are trained on them.

Dense: each image token says which of its 8×8 cells lie inside which structure. Global: the mean
of the image tokens says, by one linear map, every structure's presence, half-axis matrix, centre
and box, and the view. Both are linear, so a head of attention can read them off the tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_fada.training.contours import bounding_box, moments
from napari_fada.training.labels import CLASSES, VIEWS
from napari_fada.training.samples import Sample

#: Structures that get a dense channel.
DENSE: tuple[str, ...] = (
    "Brain", "fetal_head", "pubic_symphysis", "cardiac", "thorax", "artery", "liver", "stomach",
    "vein", "abdomen", "head", "legs", "arm", "NT", "CSP", "LV", "B", "H",
)  # fmt: skip
CELLS = 8
#: Numbers regressed for a class: centre, half-axis matrix, box.
GEOMETRY = 9
POINTS = 4


@dataclass
class Targets:
    """Targets of a batch; ``known`` marks the classes whose presence is decided."""

    dense: Tensor
    dense_known: Tensor
    present: Tensor
    known: Tensor
    geometry: Tensor
    points: Tensor
    has_points: Tensor
    view: Tensor


def _fill(outline: np.ndarray, side: int) -> np.ndarray:
    from skimage.draw import polygon

    grid = np.zeros((side, side), dtype=np.uint8)
    rows, cols = polygon(outline[:, 1] * side - 0.5, outline[:, 0] * side - 0.5, grid.shape)
    grid[rows, cols] = 1
    return grid


def make_targets(samples: Sequence[Sample], tokens_per_side: int) -> Targets:
    """Compute the targets of a batch of (augmented) samples."""
    b, n, k = len(samples), tokens_per_side, len(CLASSES)
    side = n * CELLS
    dense = np.zeros((b, len(DENSE), side, side), dtype=np.uint8)
    dense_known = np.ones((b, len(DENSE)), dtype=np.float32)
    present = np.zeros((b, k), dtype=np.float32)
    known = np.ones((b, k), dtype=np.float32)
    geometry = np.zeros((b, k, GEOMETRY), dtype=np.float32)
    points = np.zeros((b, k, POINTS), dtype=np.float32)
    has_points = np.zeros((b, k), dtype=np.float32)
    for i, sample in enumerate(samples):
        for name in sample.unknown:
            known[i, CLASSES.index(name)] = 0
            if name in DENSE:
                dense_known[i, DENSE.index(name)] = 0
        for s in sample.structures:
            c = CLASSES.index(s.name)
            if s.name in DENSE:
                d = dense[i, DENSE.index(s.name)]
                np.maximum(d, _fill(s.outline, side), out=d)
            if present[i, c]:
                continue
            present[i, c] = known[i, c] = 1
            centre, axes, _ = moments(s.outline)
            geometry[i, c] = [
                *centre, axes[0, 0], axes[0, 1], axes[1, 1], *bounding_box(s.outline)
            ]  # fmt: skip
            if s.keypoints is not None:
                has_points[i, c] = 1
                points[i, c] = s.keypoints.reshape(-1)[:POINTS]
    cells = dense.reshape(b, len(DENSE), n, CELLS, n, CELLS).transpose(0, 2, 4, 1, 3, 5)
    return Targets(
        torch.from_numpy(cells.reshape(b, n * n, len(DENSE), CELLS**2)),
        torch.from_numpy(dense_known),
        torch.from_numpy(present),
        torch.from_numpy(known),
        torch.from_numpy(geometry),
        torch.from_numpy(points),
        torch.from_numpy(has_points),
        torch.tensor([VIEWS.index(s.view) for s in samples]),
    )


def share(present: Tensor) -> Tensor:
    """Weights by which every image counts the same, whether it shows two structures or fifteen."""
    return present / present.sum(1, keepdim=True).clamp(min=1)


class Heads(nn.Module):
    """One linear map from an image token to all auxiliary answers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, len(DENSE) * CELLS**2)
        self.geometry = nn.Linear(width, len(CLASSES) * GEOMETRY)
        self.points = nn.Linear(width, len(CLASSES) * POINTS)
        self.present = nn.Linear(width, len(CLASSES))
        self.view = nn.Linear(width, len(VIEWS))

    @staticmethod
    def unit(tokens: Tensor) -> Tensor:
        """Bring tokens to unit size, as the first layer of the language model does."""
        return functional.rms_norm(tokens, (tokens.shape[-1],))

    def losses(self, tokens: Tensor, t: Targets) -> dict[str, Tensor]:
        """Mean losses of a batch of image tokens."""
        b, n, _ = tokens.shape
        tokens = self.unit(tokens)
        cells = self.dense(tokens).view(b, n, len(DENSE), CELLS**2)
        truth = t.dense.float()
        each = functional.binary_cross_entropy_with_logits(cells, truth, reduction="none")
        bce = each.mean((1, 3))
        # Overlap per structure that is there: a small one counts as much as a large one.
        p = cells.sigmoid()
        both = (p * truth).sum((1, 3))
        area = truth.sum((1, 3))
        dice = 1 - (2 * both + 4) / (p.sum((1, 3)) + area + 4)
        there = (area > 0).float() * t.dense_known
        # What is global is read from the mean token, as one evenly attending head would.
        pooled = tokens.mean(1)
        geometry = self.geometry(pooled).view(b, len(CLASSES), GEOMETRY)
        error = functional.smooth_l1_loss(geometry, t.geometry, reduction="none", beta=0.02)
        points = self.points(pooled).view(b, len(CLASSES), POINTS)
        error_points = functional.smooth_l1_loss(points, t.points, reduction="none", beta=0.02)
        present = functional.binary_cross_entropy_with_logits(
            self.present(pooled), t.present, reduction="none"
        )
        view = functional.cross_entropy(self.view(pooled), t.view, label_smoothing=0.02)
        there_all = share(t.present)
        return {
            "cells": (bce * t.dense_known).sum() / t.dense_known.sum(),
            "overlap": (share(there) * dice).sum() / b,
            "geometry": (error.mean(2) * there_all).sum() / there_all.sum().clamp(min=1),
            "points": (error_points.mean(2) * t.has_points).sum() / t.has_points.sum().clamp(min=1),
            "present": (present * t.known).sum() / t.known.sum(),
            "view": view,
        }

    @torch.no_grad()
    def read_geometry(self, tokens: Tensor) -> Tensor:
        """Geometry averaged over tokens, ``(b, classes, GEOMETRY)``."""
        found: Tensor = self.geometry(self.unit(tokens)).mean(1)
        return found.view(-1, len(CLASSES), GEOMETRY)


#: How much each auxiliary loss weighs.
WEIGHTS: dict[str, float] = {
    "cells": 10.0,
    "overlap": 2.0,
    "geometry": 15.0,
    "points": 5.0,
    "present": 2.0,
    "view": 1.5,
}


def weighted(losses: dict[str, Tensor]) -> Tensor:
    """Sum of the auxiliary losses."""
    total = torch.zeros(())
    for name, value in losses.items():
        total = total + WEIGHTS[name] * value
    return total
