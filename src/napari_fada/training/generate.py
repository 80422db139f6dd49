"""Greedy answers of the model in PyTorch, a batch of images at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from napari_fada.training.augment import augment
from napari_fada.training.model import FadaMini
from napari_fada.training.prompts import BEFORE_ANSWER, question
from napari_fada.training.samples import Sample
from napari_fada.training.tokenizer import encode, token_id, tokenizer


@torch.no_grad()
def answer(
    model: FadaMini,
    samples: Sequence[Sample],
    task: str,
    classes: Sequence[str] = (),
    limit: int = 320,
    batch: int = 48,
) -> list[str]:
    """Answer one question about each sample, without any grammar.

    Parameters
    ----------
    model
        The model.
    samples
        Images, as stored.
    task, classes
        The question.
    limit
        Most tokens of an answer.
    batch
        Images decoded side by side.

    Returns
    -------
    list of str
        Answers without the end marker.
    """
    ask = encode(question(task, classes) + BEFORE_ANSWER)
    end = token_id("<|im_end|>")
    table = model.table()
    texts: list[str] = []
    for start in range(0, len(samples), batch):
        part = samples[start : start + batch]
        images, _ = augment(part, model.size.vision.image, np.random.default_rng(0), 0.0)
        states = model.read_image(model.visual(images * 2 - 1), table)
        ids = torch.tensor([ask] * len(part))
        said: list[list[int]] = [[] for _ in part]
        open_rows = torch.ones(len(part), dtype=torch.bool)
        done = 0
        while open_rows.any() and done < len(ask) + limit:
            hidden, states = model.go_on(ids, states, table, done)
            done += ids.shape[1]
            best = (hidden[:, -1] @ table.T).argmax(-1)
            open_rows &= best != end
            for i in open_rows.nonzero()[:, 0].tolist():
                said[i].append(int(best[i]))
            ids = best[:, None]
        texts += [tokenizer().decode(s, skip_special_tokens=False) for s in said]
    return texts
