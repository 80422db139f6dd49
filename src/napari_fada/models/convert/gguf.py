"""One transformers folder to GGUF files: text model, image part, quantised text model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from napari_fada.engines.protocol import Cancel
from napari_fada.errors import ModelError
from napari_fada.models.convert.children import run_child
from napari_fada.models.convert.events import Event
from napari_fada.models.convert.splitters import splitter
from napari_fada.models.convert.tools import find_converter
from napari_fada.models.gguf_files import read_gguf

Part = Literal["text", "vision"]


def to_gguf(
    source: Path,
    target: Path,
    part: Part,
    *,
    precision: str = "f16",
    name: str = "",
    converter: Path | None = None,
    cancel: Cancel | None = None,
) -> Iterator[Event]:
    """Convert one half of a model with llama.cpp's converter.

    Parameters
    ----------
    source : Path
        Transformers folder: configuration, safetensors, tokenizer, image processor.
    target : Path
        The file to write; that of an image part must begin with ``mmproj-``.
    part : {"text", "vision"}
        Which half.
    precision : {"f16", "bf16", "f32", "q8_0"}
        Of the weights.
    name : str
        Of the model, for the header; empty: as the folder is called.
    converter : Path, optional
        See `find_converter`.
    cancel : Cancel, optional
        Stops it.

    Raises
    ------
    ModelError
        If there is no converter, or it fails; with its reason.
    """
    folder = find_converter(converter)
    options = ["--outfile", str(target), "--outtype", precision]
    if name:
        options += ["--model-name", name]
    if part == "vision":
        options.append("--mmproj")
    what = "text model" if part == "text" else "image part"
    yield from run_child(
        "child_gguf",
        [folder, splitter(source), source, *options],
        cancel=cancel,
        failing=f"The converter failed on the {what} of {source.name}",
    )
    if read_gguf(target).role != part:
        raise ModelError(f"The converter wrote something else than the {what} of {source.name}.")


def quantise(
    source: Path, target: Path, kind: int, *, threads: int, cancel: Cancel | None = None
) -> Iterator[Event]:
    """Quantise a text model with llama.cpp's quantiser.

    Parameters
    ----------
    source, target : Path
        GGUF files; the source is float16.
    kind : int
        llama.cpp's number of the type (``LLAMA_FTYPE_MOSTLY_...``).
    threads : int
        Processor threads.
    cancel : Cancel, optional
        Stops it.

    Raises
    ------
    ModelError
        If it fails.
    """
    yield from run_child(
        "child_quantise",
        [source, target, str(kind), str(threads)],
        cancel=cancel,
        failing=f"llama.cpp could not quantise {source.name}",
    )
    read_gguf(target)
