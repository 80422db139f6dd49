"""From trained weights to a model pack: transformers folder, two GGUF files, ``pack.json``.

The converter is llama.cpp's own (see :mod:`napari_fada.models.convert`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_fada.models.convert import to_gguf
from napari_fada.training.labels import CLASSES, KEYPOINT_CLASSES
from napari_fada.training.prompts import PROMPT_SET
from napari_fada.training.tokenizer import save_tokenizer

if TYPE_CHECKING:
    from napari_fada.training.model import FadaMini

NAME = "fada-mini"


def save_full(model: FadaMini, folder: Path) -> None:
    """Write the transformers folder: float16 weights, config, tokenizer, processor, template."""
    import torch

    from napari_fada.training.model import to_transformers

    folder.mkdir(parents=True, exist_ok=True)
    to_transformers(model).to(torch.float16).save_pretrained(folder)
    save_tokenizer(folder, model.size.vision.image)


def write_gguf(full: Path, out: Path, converter: Path | None = None) -> None:
    """Convert a transformers folder to text and vision GGUF (float16).

    Parameters
    ----------
    full
        Folder written by :func:`save_full`.
    out
        Folder of the results.
    converter
        See :func:`napari_fada.models.convert.find_converter`.
    """
    for events in (
        to_gguf(full, out / f"{NAME}-f16.gguf", "text", converter=converter),
        to_gguf(full, out / f"mmproj-{NAME}-f16.gguf", "vision", converter=converter),
    ):
        for _ in events:
            pass


def describe(path: Path) -> dict[str, object]:
    """Name, hash and size of a file, as a pack lists them."""
    data = path.read_bytes()
    return {"name": path.name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def write_pack(
    out: Path, side: int, version: str, classes: Sequence[str] = CLASSES
) -> dict[str, object]:
    """Write ``pack.json`` beside the GGUF files."""
    pack: dict[str, object] = {
        "schema": "fada-pack/1",
        "name": NAME,
        "kind": "gguf",
        "version": version,
        "files": {
            "text": describe(out / f"{NAME}-f16.gguf"),
            "vision": describe(out / f"mmproj-{NAME}-f16.gguf"),
        },
        "full": "full",
        "base_model": None,
        "architecture": "qwen35",
        "prompt_set": PROMPT_SET,
        "coordinates": "0-1000",
        "image_size": [side, side],
        "classes": [c for c in classes if c not in KEYPOINT_CLASSES],
        "keypoints": list(KEYPOINT_CLASSES),
        "licence": "BSD-3-Clause; trained on CC BY 4.0 data (see the card)",
        "card": "CARD.md",
    }
    (out / "pack.json").write_text(json.dumps(pack, indent=2) + "\n")
    return pack


def build_pack(
    model: FadaMini, out: Path, version: str, converter: Path | None = None
) -> dict[str, object]:
    """Write a whole pack, apart from its card."""
    save_full(model, out / "full")
    write_gguf(out / "full", out, converter)
    return write_pack(out, model.size.vision.image, version)
