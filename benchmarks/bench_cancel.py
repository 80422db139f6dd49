"""How long after a cancel the engine has told it, while it encodes, reads and answers."""

from __future__ import annotations

import argparse
import os
import threading
import time
from pathlib import Path

import numpy as np
from bench_pipeline import INFO, ROOT, scan
from canned import prompts
from replay import replay

from napari_fada.engines.llama import LlamaEngine


def delay(engine: LlamaEngine, image: np.ndarray, after: float) -> tuple[float, str]:
    """Cancel so many seconds into a question; return the seconds until all was told."""
    cancel = threading.Event()
    at: list[float] = []

    def pull() -> None:
        at.append(time.perf_counter())
        cancel.set()

    timer = threading.Timer(after, pull)
    timer.start()
    tokens, stops = 0, []
    for event in engine.ask(image, prompts(), cancel=cancel):
        if hasattr(event, "stop"):
            stops.append(event.stop)
        else:
            tokens += 1
    told = time.perf_counter()
    timer.cancel()
    return (told - at[0] if at else float("nan")), f"{stops[0]}, {tokens} tokens"


def main() -> None:
    """Parse the command line and print the delays."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=ROOT / ".cache" / "random-0.8b")
    parser.add_argument("--data", type=Path, default=os.environ.get("NAPARI_FADA_DATA"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--after", type=float, nargs="+", default=[0.3, 1, 2, 3.5, 4.5, 6, 8])
    args = parser.parse_args()
    replay()
    engine = LlamaEngine(
        args.model / "text.gguf", args.model / "vision.gguf", info=INFO, threads=args.threads,
        style="compact",
    )  # fmt: skip
    for i, after in enumerate(args.after):
        image = np.roll(scan(args.data, (800, 544)), i, axis=0)  # a new frame each time
        seconds, what = delay(engine, image, after)
        print(f"cancelled after {after:5.1f} s: told {1000 * seconds:6.0f} ms later ({what})")
    engine.close()


if __name__ == "__main__":
    main()
