"""Loss of answers: cross entropy for words, an ordinal loss for the numbers of the grid.

A number that is off by five is nearly right. So its target is a bell around the truth instead of
one token, and the expected number is pulled to the truth as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from napari_fada.training.tokenizer import NUMBERS


@dataclass
class AnswerLoss:
    """Sum to learn from, and its parts to look at."""

    total: Tensor
    words: float
    numbers: float
    error: float


def answer_loss(logits: Tensor, targets: Tensor, spread: float, pull: float = 10.0) -> AnswerLoss:
    """Loss of ``(n, vocabulary)`` logits.

    Parameters
    ----------
    logits
        Scores of the next token.
    targets
        ``(n,)`` token ids; ids below 1000 are numbers.
    spread
        Standard deviation of the bell, in grid units.
    pull
        Weight of the error of the expected number (as a share of the grid).

    Returns
    -------
    AnswerLoss
        ``error`` is the mean distance of the most likely number from the truth.
    """
    number = targets < NUMBERS
    words, truth = logits[~number], targets[number]
    scores = logits[number]
    count = max(1, len(targets))
    word_loss = functional.cross_entropy(words, targets[~number], reduction="sum")
    ruler = torch.arange(NUMBERS)
    away = ruler[None] - truth[:, None]
    bell = torch.softmax(-(away.float() ** 2) / (2 * spread**2), dim=-1)
    log_all = scores.logsumexp(dim=-1, keepdim=True)
    log_p = scores[:, :NUMBERS] - log_all
    # Less the entropy of the bell itself, which no model can go below.
    number_loss = (bell * (bell.clamp(min=1e-9).log() - log_p)).sum()
    expected = (torch.softmax(scores[:, :NUMBERS], dim=-1) * ruler).sum(-1)
    error = (expected - truth) / NUMBERS
    pulled = functional.smooth_l1_loss(error, torch.zeros_like(error), beta=0.01, reduction="sum")
    total = (word_loss + number_loss + pull * pulled) / count
    with torch.no_grad():
        best = scores[:, :NUMBERS].argmax(-1)
        distance = (best - truth).abs().float().mean() if len(truth) else torch.zeros(())
    return AnswerLoss(
        total,
        word_loss.item() / max(1, len(words)),
        number_loss.item() / max(1, len(truth)),
        distance.item(),
    )
