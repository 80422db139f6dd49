"""Runs llama.cpp's quantiser; a script of its own. Arguments: source, target, type, threads."""

from __future__ import annotations

import ctypes
import sys


def main() -> None:
    """Quantise one text model."""
    source, target, kind, threads = sys.argv[1:]
    import llama_cpp

    fallbacks = 0

    def hear(_level: int, text: bytes | None, _data: object) -> None:
        nonlocal fallbacks
        said = (text or b"").decode("utf-8", "replace")
        fallbacks += "fallback" in said and "tensor" not in said
        print(said, end="", flush=True)

    callback = llama_cpp.llama_log_callback(hear)
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread = int(kind), int(threads)
    code = llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params))
    if fallbacks:
        print("\nNOTE: Some layers are too narrow for this type and are kept more precise.")
    sys.exit(code)


if __name__ == "__main__":
    main()
