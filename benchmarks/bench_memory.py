"""The estimate of memory against what the engine's process really takes (its peak RSS).

For each setting a model is loaded in a process of its own, asked questions about frames of the
size named, and the peak is read from the system. With ``--random DIR`` also the model of
published size (``benchmarks/make_random_model.py``), which takes minutes.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_fada.engines.host import HostedEngine
from napari_fada.engines.protocol import Prompt
from napari_fada.models import find_pack, load_engine
from napari_fada.models.fitting import Options, estimate
from napari_fada.models.needs_gguf import ANSWER, QUESTION


@dataclass(frozen=True)
class Setting:
    """What is loaded and what it is asked; frames are (height, width)."""

    model: str
    frame: tuple[int, int]
    frames: int = 1
    questions: int = 3
    options: tuple[tuple[str, Any], ...] = ()


def measure(setting: Setting, answer: int) -> tuple[int, int]:
    """Return the estimate and the peak, in bytes."""
    options = dict(setting.options)
    pack = find_pack(setting.model)
    tokens = None if pack.image_size else setting.frame[0] * setting.frame[1] // 1024
    # The answers are short here, to be quick: the context is made as long as it would get.
    together = setting.questions if options.get("batch") else 1
    cells = (tokens or 36) + (QUESTION + ANSWER) * together
    options.setdefault("n_ctx", -(-cells // 256) * 256)
    wanted = Options.of({**options, "image_tokens": tokens, "frames": setting.frames})
    expected = estimate(pack, wanted)
    engine = load_engine(setting.model, **options)
    assert isinstance(engine, HostedEngine)
    try:
        chance = np.random.default_rng(0)
        text = "Outline every instance of the structures named here. " * 20
        prompts = [Prompt("free", text, max_tokens=answer)] * setting.questions
        for _ in range(setting.frames):
            list(engine.ask(chance.integers(0, 255, setting.frame, dtype=np.uint8), prompts))
        peak = engine.ping().peak_bytes
    finally:
        engine.close()
    assert peak is not None
    return expected.total, peak


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--random", type=Path, help="folder of the random 0.8B model")
    parser.add_argument("--answer", type=int, default=12, help="tokens of each answer")
    parser.add_argument("--only", type=int, help="number of one setting")
    args = parser.parse_args()
    settings = [
        Setting("fada-mini", (540, 800)),
        Setting("fada-mini", (540, 800), frames=12),
        Setting("fada-mini", (540, 800), options=(("threads", 2), ("lanes", 2))),
    ]
    if args.random:
        name = str(args.random)
        settings += [
            Setting(name, (544, 800), frames=2),
            Setting(name, (544, 800), options=(("lanes", 1),)),
            Setting(name, (256, 256), frames=14, options=(("lanes", 1),)),
            Setting(name, (256, 256), options=(("lanes", 1), ("n_ctx", 16_384))),
            Setting(name, (544, 800), options=(("batch", True),)),
            Setting(name, (1088, 1920), questions=1, options=(("lanes", 1),)),
        ]
    print("| model | frame | frames | options | estimate MB | measured MB | ratio | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for number, setting in enumerate(settings):
        if args.only not in (None, number):
            continue
        began = time.monotonic()
        expected, peak = measure(setting, args.answer)
        options = ", ".join(f"{key} {value}" for key, value in setting.options) or "default"
        print(
            f"| {Path(setting.model).name} | {setting.frame[1]} × {setting.frame[0]} "
            f"| {setting.frames} | {options} | {expected / 1e6:.0f} | {peak / 1e6:.0f} "
            f"| {expected / peak:.2f} | {time.monotonic() - began:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
