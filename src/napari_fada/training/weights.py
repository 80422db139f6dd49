"""Reading a finished pack's full-precision weights back, so that training can go on from them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from napari_fada.training.model import FadaMini, ModelSize, waves
from napari_fada.training.tokenizer import NUMBERS

#: How far the embeddings of numbers may lie from what waves can say; float16 rounds this much.
_CLOSE = 4e-3
#: Pulls the map of numbers to small values; 1,000 rows of length one stand against it.
_RIDGE = 1e-3


def read_full(folder: Path, size: ModelSize | None = None) -> FadaMini:
    """Build the model from the ``full`` folder of a pack.

    Parameters
    ----------
    folder
        Folder written by :func:`napari_fada.training.convert.save_full`.
    size
        Dimensions of the pack's model; those of the shipped one by default.

    Returns
    -------
    FadaMini
        The same weights, as far as float16 keeps them.

    Raises
    ------
    ValueError
        If the weights are not those of a model of this size, or their numbers are not a ruler.
    """
    from safetensors.torch import load_file

    model = FadaMini(size or ModelSize())
    found = {k.removeprefix("model."): v.float() for k, v in load_file(_weights(folder)).items()}
    table = found.pop("language_model.embed_tokens.weight")
    basis = _basis(table[:NUMBERS])
    found["vocabulary.embed_basis"] = basis
    found["vocabulary.embed_words"] = table[NUMBERS:]
    try:
        model.load_state_dict(found)
    except RuntimeError as error:
        raise ValueError(f"{folder} holds no model of this size: {error}") from error
    return model


def _weights(folder: Path) -> Path:
    path = folder / "model.safetensors"
    if not path.is_file():
        raise ValueError(f"{folder} holds no model.safetensors")
    return path


def _basis(numbers: Tensor) -> Tensor:
    """Find the map that turns the waves of each number into its embedding.

    The slow waves are nearly the same as sums of others, so the rounding of float16 could be
    explained by huge coefficients that cancel; a little ridge keeps them as small as they were.
    """
    ruler, target = waves().double(), numbers.double()
    ridge = _RIDGE * torch.eye(ruler.shape[1], dtype=torch.float64)
    basis: Tensor = torch.linalg.solve(ruler.T @ ruler + ridge, ruler.T @ target).float()
    away = float((waves() @ basis - numbers).abs().max())
    if away > _CLOSE * max(1.0, float(numbers.abs().max())):
        raise ValueError(f"the embeddings of numbers are no ruler (off by {away:.3g})")
    return basis
