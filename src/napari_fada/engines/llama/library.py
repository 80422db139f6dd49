"""The llama.cpp library: imported when first needed, kept quiet, and asked for its versions."""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
from dataclasses import dataclass
from functools import cache
from typing import Any

from napari_fada.errors import EngineError


@dataclass(frozen=True)
class Library:
    """The two halves of the binding: ``core`` (llama.h) and ``media`` (mtmd.h)."""

    core: Any
    media: Any


#: ctypes frees a callback with its last Python reference, and llama.cpp goes on calling it:
#: whatever was handed over stays here until the process ends.
_KEPT: list[Any] = []
#: What llama.cpp said last at level warning or above; the reason of a failure is in there.
_LAST: list[str] = []
_WARN = 3


@cache
def library() -> Library:
    """Import llama.cpp once, without its log on the terminal.

    Raises
    ------
    EngineError
        If llama-cpp-python is missing or too old for what we need of it.
    """
    try:
        core = importlib.import_module("llama_cpp")
        media = importlib.import_module("llama_cpp.mtmd_cpp")
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineError(
            f"llama.cpp cannot be loaded ({error}).",
            todo='Install it with: pip install "napari-fada[gguf]"',
        ) from error
    for owner, name in ((media, "mtmd_helper_decode_image_chunk"), (core, "llama_memory_seq_cp")):
        if not hasattr(owner, name):
            raise EngineError(
                f"llama-cpp-python {version('llama-cpp-python')} is too old ({name} is missing).",
                todo='Install a newer one with: pip install -U "llama-cpp-python>=0.3.36"',
            )

    def hear(level: int, text: bytes | None, _: object) -> None:
        if level >= _WARN and text:
            _LAST.append(text.decode("utf-8", "replace").strip())
            del _LAST[:-8]

    callback = core.llama_log_callback(hear)
    _KEPT.append(callback)
    nothing = ctypes.c_void_p(0)
    core.llama_log_set(callback, nothing)
    media.mtmd_log_set(callback, nothing)
    media.mtmd_helper_log_set(callback, nothing)
    core.llama_backend_init()
    return Library(core, media)


def last_words() -> str:
    """Return what llama.cpp said last, and forget it; an empty text if it said nothing."""
    words = "; ".join(dict.fromkeys(_LAST))
    _LAST.clear()
    return words


def version(package: str) -> str:
    """Return the installed version of a package, or an empty text."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
