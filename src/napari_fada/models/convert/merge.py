"""A LoRA adapter into its base model, with the memory that it takes said beforehand."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

from napari_fada.engines.hardware import memory
from napari_fada.engines.protocol import Cancel
from napari_fada.errors import ModelError
from napari_fada.models.convert.children import run_child
from napari_fada.models.convert.events import Event, Note
from napari_fada.models.convert.source import Source

#: Python, torch and transformers themselves, in bytes.
_PROGRAM = 800_000_000
#: The weights, the pages of their file, and the copy of one shard while it is written: what was
#: measured on a model of 1.7 GB.
_SHARE = 1.5
#: What stands beside the weights and is needed to convert them.
_BESIDE = (
    "tokenizer*", "vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json",
    "chat_template*", "*processor_config.json", "generation_config.json",
)  # fmt: skip


def require(*modules: str) -> None:
    """Complain about a missing part of ``napari-fada[torch]``.

    Raises
    ------
    ModelError
        If a module is not installed.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(
            f"Converting a model needs {', '.join(missing)}.",
            todo='Install it with: pip install "napari-fada[torch]"',
        )


def merging_needs(base: Source, adapter: Path) -> int:
    """Return how many bytes of memory merging will take (an estimate)."""
    added = (adapter / "adapter_model.safetensors").stat().st_size
    return int(base.size * _SHARE) + added + _PROGRAM


def merge_adapter(
    base: Source, adapter: Path, out: Path, *, force: bool = False, cancel: Cancel | None = None
) -> Iterator[Event]:
    """Merge a LoRA adapter and write a transformers folder.

    Parameters
    ----------
    base : Source
        The base model.
    adapter : Path
        The folder that peft wrote.
    out : Path
        Folder of the result.
    force : bool
        Try it even if memory seems too small.
    cancel : Cancel, optional
        Stops it.

    Raises
    ------
    ModelError
        If there is too little memory, or the adapter does not fit; with the reason.
    """
    require("torch", "transformers", "peft", "safetensors")
    needed, free = merging_needs(base, adapter), memory().available
    said = f"Merging needs about {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free"
    if needed > free and not force:
        raise ModelError(
            f"{said}.",
            kept="Nothing was written.",
            todo="Close other programs, use a larger computer, or try it anyway with --force.",
        )
    yield Note(said)
    yield from run_child(
        "child_merge",
        [base.folder, adapter, out],
        cancel=cancel,
        failing=f"The adapter {adapter.name} could not be merged into {base.folder.name}",
    )
    for pattern in _BESIDE:
        for file in base.folder.glob(pattern):
            if file.is_file():
                shutil.copy2(file, out / file.name)
