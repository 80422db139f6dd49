"""Answers one after another against side by side, for several numbers of threads.

Interpret and classify do not depend on each other, nor do detect and segment: each pair can
be decoded as one batch. Whether that is faster depends on the cores; the engine's default
(BATCH_FROM_THREADS in engines/llama/plan.py) follows from the table printed here.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from bench_pipeline import INFO, ROOT, scan
from canned import prompts
from replay import replay

from napari_fada.engines.llama import LlamaEngine


def measure(model: Path, data: Path | None, threads: int, batch: bool) -> tuple[float, float]:
    """Return wall and processor seconds of the two pairs, without the image."""
    image = scan(data, (800, 544))
    engine = LlamaEngine(
        model / "text.gguf", model / "vision.gguf", info=INFO, threads=threads, batch=batch,
        style="compact",
    )  # fmt: skip
    asked = prompts()
    list(engine.ask(image, asked[1:2]))  # the image prefix stands after this
    began, worked = time.perf_counter(), time.process_time()
    for pair in (asked[:2], asked[2:]):
        list(engine.ask(image, pair))
    result = time.perf_counter() - began, time.process_time() - worked
    engine.close()
    return result


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=ROOT / ".cache" / "random-0.8b")
    parser.add_argument("--data", type=Path, default=os.environ.get("NAPARI_FADA_DATA"))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    replay()
    print("threads  batch   seconds  cpu seconds  load")
    for threads in args.threads:
        for batch in (False, True):
            wall, work = measure(args.model, args.data, threads, batch)
            load = os.getloadavg()[0]
            print(f"{threads:7d}  {batch!s:5s}  {wall:8.1f}  {work:11.1f}  {load:4.1f}", flush=True)


if __name__ == "__main__":
    main()
