"""From trained weights to a model pack: transformers folder, two GGUF files, ``pack.json``.

The converter is llama.cpp's own ``convert_hf_to_gguf.py`` (a checkout, or the package
``convert-hf-to-gguf``). It recognises tokenizers by hash and cannot know ours, so it is told the
name of the splitter.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_fada.training.labels import CLASSES, KEYPOINT_CLASSES
from napari_fada.training.prompts import PROMPT_SET
from napari_fada.training.tokenizer import save_tokenizer

if TYPE_CHECKING:
    from napari_fada.training.model import FadaMini

NAME = "fada-mini"

#: Runs the converter with the splitter's name put in place of its guess.
RUNNER = """
import runpy, sys
folder, *arguments = sys.argv[1:]
if folder:
    sys.path[:0] = [folder, folder + "/gguf-py"]
from conversion.base import TextModel
TextModel.get_vocab_base_pre = lambda self, tokenizer: "llama-bpe"
sys.argv = ["convert_hf_to_gguf", *arguments]
if folder:
    runpy.run_path(folder + "/convert_hf_to_gguf.py", run_name="__main__")
else:
    runpy.run_module("convert_hf_to_gguf", run_name="__main__")
"""


def save_full(model: FadaMini, folder: Path) -> None:
    """Write the transformers folder: float16 weights, config, tokenizer, processor, template."""
    import torch

    from napari_fada.training.model import to_transformers

    folder.mkdir(parents=True, exist_ok=True)
    to_transformers(model).to(torch.float16).save_pretrained(folder)
    save_tokenizer(folder, model.size.vision.image)


def to_gguf(full: Path, out: Path, converter: Path | None = None) -> tuple[Path, Path]:
    """Convert a transformers folder to text and vision GGUF (float16).

    Parameters
    ----------
    full
        Folder written by :func:`save_full`.
    out
        Folder of the results.
    converter
        Checkout of llama.cpp, or a folder that ``convert-hf-to-gguf`` was installed into; without
        it the converter is looked for in this environment.

    Returns
    -------
    text, vision
        The two files.
    """
    made = []
    for prefix, option in (("", "--no-mtp"), ("mmproj-", "--mmproj")):
        target = out / f"{prefix}{NAME}-f16.gguf"
        command = [
            sys.executable, "-c", RUNNER, str(converter or ""), str(full),
            "--outfile", str(target), "--outtype", "f16", option,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode or not target.exists():
            raise RuntimeError(f"The converter failed on {full}:\n{done.stderr[-2000:]}")
        made.append(target)
    return made[0], made[1]


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
    to_gguf(out / "full", out, converter)
    return write_pack(out, model.size.vision.image, version)
