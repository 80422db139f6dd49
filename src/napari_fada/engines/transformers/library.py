"""PyTorch and transformers: imported when first needed, kept quiet and off the network."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from napari_fada.errors import EngineError

#: Set before the libraries are imported: nothing of theirs may look for a network.
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
_INSTALL = 'Install it with: pip install "napari-fada[torch]"'


@dataclass(frozen=True)
class Library:
    """The two modules."""

    torch: Any
    transformers: Any


@cache
def library() -> Library:
    """Import both once.

    Raises
    ------
    EngineError
        If one of them is missing or too old for models of this architecture.
    """
    os.environ.update(_OFFLINE)
    try:
        torch = importlib.import_module("torch")
        transformers = importlib.import_module("transformers")
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineError(f"PyTorch cannot be loaded ({error}).", todo=_INSTALL) from error
    if not hasattr(transformers, "Qwen3_5ForConditionalGeneration"):
        raise EngineError(
            f"transformers {version('transformers')} is too old: it does not know Qwen3.5.",
            todo='Install a newer one with: pip install -U "transformers>=5.23"',
        )
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return Library(torch, transformers)


def version(package: str) -> str:
    """Return the installed version of a package, or an empty text."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def device(name: str) -> Any:
    """Return the device of a name; ``auto`` takes a graphics card where there is one.

    Raises
    ------
    EngineError
        If there is no such device here.
    """
    torch = library().torch
    if name == "auto":
        if torch.cuda.is_available():
            name = "cuda"
        else:
            name = "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        found = torch.device(name)
        torch.zeros(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().split("\n")[0]
        raise EngineError(
            f"PyTorch {torch.__version__} cannot compute on {name!r} here ({reason}).",
            todo="Choose the device cpu or auto.",
        ) from error
    return found


#: By the names that are accepted.
DTYPES = {
    "float32": "float32", "f32": "float32", "fp32": "float32",
    "bfloat16": "bfloat16", "bf16": "bfloat16",
    "float16": "float16", "f16": "float16", "fp16": "float16", "half": "float16",
}  # fmt: skip


def precision(name: str, on: Any) -> Any:
    """Return the type that is computed in; ``auto`` decides by the device.

    float32 on a processor, whose matrix units gain little from less; bfloat16 on a card that has
    it, else float16.

    Raises
    ------
    EngineError
        If the name says nothing.
    """
    torch = library().torch
    if name in ("", "auto"):
        if on.type == "cpu":
            return torch.float32
        bf16 = (
            torch.cuda.is_bf16_supported()
            if on.type == "cuda"
            else torch.backends.mps.is_macos_or_newer(14, 0)
        )
        return torch.bfloat16 if bf16 else torch.float16
    if name.lower() not in DTYPES:
        raise EngineError(
            f"There is no precision {name!r}.", todo="Use float32, bfloat16, float16 or auto."
        )
    return getattr(torch, DTYPES[name.lower()])


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on the processor's side or a card's."""
    if isinstance(error, MemoryError | library().torch.OutOfMemoryError):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in words or "out of memory" in words or "not enough memory" in words
    )


@contextlib.contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn what PyTorch raises into an EngineError that says what to do."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        if out_of_memory(error):
            raise EngineError(
                f"Memory ran out while {doing} ({reason[:200]}).",
                todo="Close other programs, choose a smaller precision or image, or a smaller "
                "model.",
            ) from error
        raise EngineError(
            f"PyTorch failed while {doing}: {reason[:300]}",
            todo="Try again; if it happens again, load the model anew.",
        ) from error
