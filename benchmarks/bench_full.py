"""Five phases in full precision: our engine, llama.cpp, and transformers used the plain way.

One scan, one run, the same number of threads. On a machine that does other work too, compare the
processor seconds, with one thread. The plain way is ``generate()`` for each of the four questions,
with the image encoded each time, free and greedy, to the same number of tokens.
``--model`` names a folder made by make_random_model.py --keep, whose engines give the answers of
canned.py; without it fada-mini answers for itself.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import canned
import numpy as np

from napari_fada.engines.llama import LlamaEngine
from napari_fada.engines.llama.image import prepare
from napari_fada.engines.protocol import Completion, EngineInfo, Image, Prompt
from napari_fada.engines.transformers import TransformersEngine
from napari_fada.models import find_pack
from napari_fada.records.reading import ModelRef

INFO = EngineInfo(ModelRef("model", "", "", "", ""))
Lengths = list[int]


THREADS: dict[str, Any] = {}
SHARE = {"of": 1.0}


def prompts() -> list[Prompt]:
    """Return the four questions, with the share of their lengths that is asked for."""
    lengths = {k: max(12, round(n * SHARE["of"])) for k, n in canned.LENGTHS.items()}
    return canned.prompts(lengths)


def ask(engine: Any, image: Image, lengths: Lengths) -> dict[str, float]:
    """Ask as the pipeline does: the view, which decides the classes, then the rest."""
    asked = prompts()
    with closing(engine):
        began, worked = time.perf_counter(), time.process_time()
        done: list[Completion] = []
        for group in ([asked[1]], [asked[0], *asked[2:]]):
            found = (e for e in engine.ask(image, group) if isinstance(e, Completion))
            done += sorted(found, key=lambda c: c.prompt)
        seconds, work = time.perf_counter() - began, time.process_time() - worked
    done[:2] = done[1::-1]  # in the order of prompts()
    lengths[:] = [len(c.tokens) for c in done]
    return {"seconds": seconds, "cpu": work, "image": sum(c.image_seconds for c in done)}


def plain(folder: Path, image: Image, size: tuple[int, int], lengths: Lengths) -> dict[str, float]:
    """Generate four answers of these lengths, each from the pixels on."""
    import torch
    from transformers import Qwen3_5ForConditionalGeneration

    engine = TransformersEngine(folder, info=INFO, image_size=size, device="cpu", **THREADS)
    patching, words = engine._model.patching, engine._model.vocabulary
    engine.close()
    model = Qwen3_5ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    pixels = prepare(image, (size[1], size[0]))
    down, across = patching.grid(pixels)
    marks = "<|vision_start|>" + "<|image_pad|>" * (down * across // 4) + "<|vision_end|>"
    began, worked = time.perf_counter(), time.process_time()
    for prompt, length in zip(prompts(), lengths, strict=True):
        text = f"<|im_start|>user\n{marks}{prompt.text}<|im_end|>\n<|im_start|>assistant\n"
        numbers = torch.tensor([words.tokenise(text.encode(), special=True)])
        model.generate(
            input_ids=numbers, attention_mask=torch.ones_like(numbers),
            pixel_values=torch.from_numpy(patching.cut(pixels)),
            image_grid_thw=torch.tensor([[1, down, across]]),
            mm_token_type_ids=(numbers == model.config.image_token_id).long(),
            min_new_tokens=length, max_new_tokens=length, do_sample=False, pad_token_id=0,
        )  # fmt: skip
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - worked}


def main() -> None:
    """Parse the command line, run every way once, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--data", type=Path, default=os.environ.get("NAPARI_FADA_DATA"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, nargs=2, default=(800, 544), metavar=("W", "H"))
    parser.add_argument("--skip", nargs="*", default=[], help="parts of the names of ways")
    parser.add_argument("--share", type=float, default=1.0, help="of the usual answer lengths")
    args = parser.parse_args()
    SHARE["of"] = args.share
    THREADS["threads"] = args.threads
    if args.model:
        from replay import replay

        replay()
        folder, size = args.model / "checkpoint", tuple(args.size)
        files = [args.model / "text.gguf", args.model / "vision.gguf"]
        f16 = [args.model / "f16" / "text-f16.gguf", args.model / "f16" / "mmproj-f16.gguf"]
    else:
        pack = find_pack("fada-mini")
        assert pack.full_path
        assert pack.image_size
        folder, size, files, f16 = pack.full_path, pack.image_size, [], []
        f16 = [pack.text_path, pack.vision_path]
    image = np.random.default_rng(0).integers(0, 255, (544, 800), dtype=np.uint8)
    if args.data:
        from PIL import Image as Pillow

        path = sorted((args.data / "hc18" / "images").glob("*.png"))[0]
        image = np.asarray(Pillow.open(path).convert("L"))
    lengths: Lengths = []
    options: dict[str, Any] = {"info": INFO, "image_size": size, "style": "compact", **THREADS}

    def full(**more: Any) -> Callable[[], dict[str, float]]:
        def run() -> dict[str, float]:
            engine = TransformersEngine(folder, device="cpu", **options, **more)
            if not args.model:
                list(engine.ask(np.zeros((64, 64), np.uint8), prompts()[1:2]))  # the first is slow
            return ask(engine, image, lengths)

        return run

    ways: dict[str, Callable[[], dict[str, float]]] = {
        "float32, one batch": full(batch=True),
        "float32, one after another": full(batch=False),
        "bfloat16, one batch": full(dtype="bfloat16", batch=True),
        "llama.cpp, float16": lambda: ask(LlamaEngine(*f16, **options), image, []),
        "generate() four times": lambda: plain(folder, image, size, lengths),
    }
    if files:
        ways["llama.cpp, Q4_K_M"] = lambda: ask(LlamaEngine(*files, **options), image, [])
    found = {}
    for name, run in ways.items():
        if not any(part in name for part in args.skip):
            found[name] = run()
            rounded = {k: round(v, 2) for k, v in found[name].items()}
            print(name, json.dumps(rounded), lengths, flush=True)
    for measure in ("seconds", "cpu"):
        base = found["float32, one batch"][measure]
        print("processor seconds" if measure == "cpu" else measure)
        for name, result in found.items():
            print(f"  {name:30s} {result[measure]:7.2f}  {result[measure] / base:5.2f} ×")
    print("load", [round(x, 1) for x in os.getloadavg()])


if __name__ == "__main__":
    main()
