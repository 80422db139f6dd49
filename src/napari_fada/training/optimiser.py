"""Muon for the weight matrices, Adam for the rest, and a running average of the weights.

Muon orthogonalises the momentum of each matrix before the step; small transformers learn in
about half the samples. Matrices of one shape are orthogonalised together.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn


def orthogonalise(batch: Tensor, steps: int = 5) -> Tensor:
    """Bring the singular values of each matrix near one (quintic Newton–Schulz iteration)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = batch / (batch.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    out: Tensor = x.mT if tall else x
    return out


def gradient(p: nn.Parameter) -> Tensor:
    """Return the gradient of a parameter that has one."""
    assert p.grad is not None
    return p.grad


class Optimiser:
    """Muon and Adam behind one ``step``; learning rates follow warm-up and cosine.

    Parameters
    ----------
    named
        Parameters with their names. Those whose name contains one of ``ADAM`` and all that are
        not matrices go to Adam.
    matrix_lr, other_lr
        Peak learning rates.
    total, warmup
        Steps of the schedule.
    slow
        Factors of the learning rate for parameters whose name begins with a key.
    """

    ADAM = (
        "embed", "merger.linear_fc1", "dense.", "geometry.", "points.", "present.", "view.",
        "in_proj_a", "in_proj_b",
    )  # fmt: skip

    def __init__(
        self,
        named: Iterable[tuple[str, nn.Parameter]],
        matrix_lr: float = 0.012,
        other_lr: float = 1.2e-3,
        total: int = 1000,
        warmup: int = 100,
        decay: float = 0.01,
        slow: Mapping[str, float] | None = None,
    ) -> None:
        self.matrices: list[nn.Parameter] = []
        self.factors: list[float] = []
        others: dict[float, list[nn.Parameter]] = defaultdict(list)
        for name, p in named:
            factor = next((f for key, f in (slow or {}).items() if name.startswith(key)), 1.0)
            if p.ndim == 2 and not any(key in name for key in self.ADAM):
                self.matrices.append(p)
                self.factors.append(factor)
            else:
                others[factor].append(p)
        self.momentum = [torch.zeros_like(p) for p in self.matrices]
        self.adam = torch.optim.AdamW(
            [{"params": ps, "factor": f} for f, ps in others.items()],
            lr=other_lr, betas=(0.9, 0.98), weight_decay=0.0,
        )  # fmt: skip
        self.matrix_lr, self.other_lr = matrix_lr, other_lr
        self.total, self.warmup, self.decay = total, warmup, decay
        self.count = 0

    def rate(self) -> float:
        """Factor of the learning rates at this step."""
        if self.count < self.warmup:
            return (self.count + 1) / self.warmup
        done = min(1.0, (self.count - self.warmup) / max(1, self.total - self.warmup))
        return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done))

    @torch.no_grad()
    def step(self) -> None:
        """Apply the gradients and clear them."""
        factor = self.rate()
        norms = torch.stack([p.grad.norm() for p in self.everything() if p.grad is not None])
        clip = (2.0 / (norms.norm() + 1e-6)).clamp(max=1.0)
        if not torch.isfinite(norms).all():
            self.clear()
            self.count += 1
            return
        for group in self.adam.param_groups:
            group["lr"] = self.other_lr * factor * group["factor"]
            for p in group["params"]:
                if p.grad is not None:
                    p.grad.mul_(clip)
        self.adam.step()
        shapes: dict[torch.Size, list[int]] = defaultdict(list)
        for i, p in enumerate(self.matrices):
            if p.grad is not None:
                self.momentum[i].lerp_(p.grad, 0.05)
                shapes[p.shape].append(i)
        lr = self.matrix_lr * factor
        for shape, members in shapes.items():
            look = torch.stack(
                [torch.lerp(gradient(self.matrices[i]), self.momentum[i], 0.95) for i in members]
            )
            turned = orthogonalise(look) * max(1.0, shape[0] / shape[1]) ** 0.5
            for i, update in zip(members, turned, strict=True):
                mine = lr * self.factors[i]
                self.matrices[i].mul_(1 - mine * self.decay).add_(update, alpha=-mine)
        self.clear()
        self.count += 1

    def everything(self) -> Iterator[nn.Parameter]:
        """All parameters."""
        yield from self.matrices
        for group in self.adam.param_groups:
            yield from group["params"]

    def clear(self) -> None:
        """Drop all gradients."""
        for p in self.everything():
            p.grad = None

    def state(self) -> dict[str, object]:
        """Return what a checkpoint needs to go on."""
        return {"momentum": self.momentum, "adam": self.adam.state_dict(), "count": self.count}

    def load(self, state: dict[str, object]) -> None:
        """Go on from :meth:`state`."""
        for mine, theirs in zip(self.momentum, state["momentum"], strict=True):  # type: ignore[call-overload]
            mine.copy_(theirs)
        self.adam.load_state_dict(state["adam"])  # type: ignore[arg-type]
        self.count = int(state["count"])  # type: ignore[call-overload]


class Average:
    """Exponential running average of a module's parameters."""

    def __init__(self, module: nn.Module, keep: float = 0.998) -> None:
        self.keep = keep
        self.count = 0
        self.values = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Blend in the present values (faster at first, so that the start is forgotten)."""
        self.count += 1
        keep = min(self.keep, (1 + self.count) / (10 + self.count))
        for k, v in module.state_dict().items():
            self.values[k].lerp_(v, 1 - keep)
