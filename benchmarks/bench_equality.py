"""On how many answers the ways of decoding agree token for token, on fada-mini and real scans.

Compared with our session one token at a time: separate calls through llama.cpp's own sampler and
grammar (tests/engines/plain_calls.py), answers side by side, and forced tokens in batches.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from bench_pipeline import INFO, ROOT
from canned import prompts

from napari_fada.engines.llama import LlamaEngine
from napari_fada.engines.protocol import Completion, Image, Prompt
from napari_fada.models import find_pack


def ask(engine: LlamaEngine, image: Image, asked: list[Prompt]) -> list[Completion]:
    """Return the answers in the order of the prompts."""
    found = [e for e in engine.ask(image, asked) if isinstance(e, Completion)]
    return sorted(found, key=lambda completion: completion.prompt)


def main() -> None:
    """Parse the command line and print the table."""
    from PIL import Image as Pillow

    sys.path.insert(0, str(ROOT / "tests" / "engines"))
    from plain_calls import PlainCalls

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("NAPARI_FADA_DATA"))
    parser.add_argument("--scans", type=int, default=10)
    args = parser.parse_args()
    pack = find_pack("fada-mini")

    def load(**options: bool) -> LlamaEngine:
        return LlamaEngine(
            pack.text_path, pack.vision_path, info=INFO, image_size=pack.image_size,
            style="compact", **options,
        )  # fmt: skip

    asked: list[Prompt] = prompts(
        dict.fromkeys(("interpret", "classify", "detect", "segment"), 1024)
    )
    files = sorted((args.data / "hc18" / "images").glob("*.png"))
    base, together, forced = load(forced=False), load(forced=False, batch=True), load(forced=True)
    plain = PlainCalls(base)
    differ = dict.fromkeys(("separate calls", "side by side", "forced in batches"), 0)
    answers = tokens = certain = 0
    for path in files[:: max(1, len(files) // args.scans)][: args.scans]:
        image = np.asarray(Pillow.open(path).convert("L"))

        expected = [[t.id for t in c.tokens] for c in ask(base, image, asked)]
        others = {
            "separate calls": [plain.answer(image, prompt) for prompt in asked],
            "side by side": [[t.id for t in c.tokens] for c in ask(together, image, asked)],
            "forced in batches": [[t.id for t in c.tokens] for c in ask(forced, image, asked)],
        }
        for name, found in others.items():
            differ[name] += sum(a != b for a, b in zip(expected, found, strict=True))
        answers += len(asked)
        tokens += sum(map(len, expected))
        certain += sum(t.forced for c in ask(base, image, asked) for t in c.tokens)
    print(f"{pack.name} {pack.version}: {answers} answers, {tokens} tokens, {certain} forced")
    for name, n in differ.items():
        print(f"  {name:20s} {n} answers differ")
    plain.close()


if __name__ == "__main__":
    main()
