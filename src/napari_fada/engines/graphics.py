"""Graphics cards, as the engines see them.

llama.cpp sees a card only if it was built with a backend for it. Asking it means loading that
backend, which takes memory on the card and in the process for good; so a short process of its
own asks, and only where the library has such a backend at all.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

#: Backends of ggml that compute on something else than the processor.
_BACKENDS = (
    "cuda", "hip", "vulkan", "metal", "sycl", "opencl", "musa", "cann", "webgpu", "openvino",
)  # fmt: skip
#: ggml's kinds of device that have memory of their own or share it: GPU, IGPU.
_GPU_KINDS = (1, 2)
_SHARED_KIND = 2
#: What a Mac's is called; its memory is main memory though its kind is GPU.
_UNIFIED = ("metal", "mtl")
_SECONDS = 60

_REBUILD = (
    "Reinstall it with one, for example: "
    'CMAKE_ARGS="-DGGML_CUDA=on" pip install --force-reinstall --no-cache-dir llama-cpp-python'
)


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics card; memory in bytes, 0 where the driver does not say.

    ``shared`` says that its memory is main memory (a Mac's, or a part of the processor's chip).
    """

    name: str
    description: str = ""
    free: int = 0
    total: int = 0
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Graphics:
    """Graphics cards that an engine can use; where there are none, why, and what to do."""

    gpus: tuple[Gpu, ...] = ()
    reason: str = ""
    todo: str = ""

    @property
    def free(self) -> int:
        """Free bytes of all cards that are used together; 0 where the driver does not say."""
        return sum(gpu.free for gpu in self._used)

    @property
    def shared(self) -> bool:
        """Whether what is put on the cards takes main memory."""
        return any(gpu.shared for gpu in self._used)

    @property
    def _used(self) -> tuple[Gpu, ...]:
        """Cards of their own if there are any, as llama.cpp chooses; else those that share."""
        return tuple(gpu for gpu in self.gpus if not gpu.shared) or self.gpus


def graphics() -> Graphics:
    """Return the graphics cards that llama.cpp can use."""
    folder = _library_folder()
    if folder is None:
        return Graphics(
            reason="llama.cpp is not installed",
            todo='Install it with: pip install "napari-fada[gguf]"',
        )
    if not may_have_backend(folder):
        return Graphics(
            reason="llama.cpp was built without a backend for graphics cards", todo=_REBUILD
        )
    try:
        found = json.loads(_ask_in_a_process())
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return Graphics(reason=f"llama.cpp could not be asked for graphics cards ({error})")
    if not found["offload"]:
        return Graphics(
            reason="llama.cpp was built without a backend for graphics cards", todo=_REBUILD
        )
    gpus = tuple(Gpu(**gpu) for gpu in found["gpus"])
    if not gpus:
        return Graphics(
            reason="llama.cpp finds no graphics card that its backend can use",
            todo="Check that the card's driver is installed and runs.",
        )
    return Graphics(gpus)


def torch_gpus(*, ask: bool = False) -> Graphics:
    """Return the graphics cards that PyTorch can use.

    Parameters
    ----------
    ask : bool
        Import torch for it. Otherwise it is looked at only if something else has imported it,
        because that takes seconds and hundreds of megabytes.
    """
    if "torch" not in sys.modules and not ask:
        return Graphics(reason="PyTorch is not loaded")
    if importlib.util.find_spec("torch") is None:
        return Graphics(
            reason="PyTorch is not installed",
            todo='Install it with: pip install "napari-fada[torch]"',
        )
    import torch

    if torch.cuda.is_available():
        gpus = []
        for i in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(i)
            gpus.append(Gpu(f"cuda:{i}", torch.cuda.get_device_name(i), free, total))
        return Graphics(tuple(gpus))
    if torch.backends.mps.is_available():
        total = int(torch.mps.recommended_max_memory())
        used = int(torch.mps.driver_allocated_memory())
        return Graphics((Gpu("mps", "Apple graphics", max(0, total - used), total, shared=True),))
    return Graphics(reason="PyTorch finds no graphics card (this build may be for processors only)")


def may_have_backend(folder: Path) -> bool:
    """Tell from the names of its libraries whether llama.cpp may use graphics cards.

    A build in separate libraries has one for each backend; one in a single library does not
    show what is in it, and must be asked.
    """
    names = [path.name.lower() for path in folder.iterdir()] if folder.is_dir() else []
    if not any("ggml-base" in name for name in names):
        return True
    return any(f"ggml-{backend}" in name for name in names for backend in _BACKENDS)


def report() -> None:
    """Print what llama.cpp sees as JSON; runs in a process of its own."""
    print(json.dumps({"offload": _offload(), "gpus": [asdict(gpu) for gpu in _devices()]}))


def _offload() -> bool:
    import llama_cpp

    return bool(llama_cpp.llama_supports_gpu_offload())


def _devices() -> list[Gpu]:
    """Ask ggml's registry of devices, which the Python binding does not wrap."""
    from llama_cpp import llama_backend_init
    from llama_cpp._ggml import libggml

    llama_backend_init()
    ask = _functions(libggml)
    found = []
    for i in range(ask["count"]()):
        device = ask["get"](i)
        kind = ask["type"](device)
        if kind not in _GPU_KINDS:
            continue
        free, total = ctypes.c_size_t(0), ctypes.c_size_t(0)
        ask["memory"](device, ctypes.byref(free), ctypes.byref(total))
        name, description = (
            (ask[key](device) or b"").decode("utf-8", "replace") for key in ("name", "description")
        )
        shared = kind == _SHARED_KIND or name.lower().startswith(_UNIFIED)
        found.append(Gpu(name, description, free.value, total.value, shared))
    return found


def _functions(library: Any) -> dict[str, Any]:
    """Give ctypes the C signatures (ggml-backend.h)."""
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    size = ctypes.POINTER(ctypes.c_size_t)
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "count": (ctypes.c_size_t, []),
        "get": (pointer, [ctypes.c_size_t]),
        "type": (ctypes.c_int, [pointer]),
        "name": (text, [pointer]),
        "description": (text, [pointer]),
        "memory": (None, [pointer, size, size]),
    }
    functions = {}
    for name, (result, arguments) in signatures.items():
        function = getattr(library, f"ggml_backend_dev_{name}")
        function.restype, function.argtypes = result, arguments
        functions[name] = function
    return functions


def _library_folder() -> Path | None:
    """Return the folder of llama.cpp's libraries, without importing it."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        return None
    named = os.environ.get("LLAMA_CPP_LIB_PATH")
    return Path(named) if named else Path(spec.origin).parent / "lib"


def _ask_in_a_process() -> str:
    from napari_fada.engines.host.process import interpreter

    code = (
        "import sys; sys.path[:] = sys.argv[1:]; "
        "from napari_fada.engines.graphics import report; report()"
    )
    done = subprocess.run(
        [str(interpreter()), "-P", "-c", code]
        + [entry for entry in sys.path if isinstance(entry, str)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_SECONDS,
        check=True,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    # Backends greet on the same stream; the report is the last line.
    return done.stdout.decode("utf-8", "replace").strip().rpartition("\n")[2]
