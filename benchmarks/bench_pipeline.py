"""Five phases on one scan: our shared-prefix session against four chat completions.

Same model files, same scan, same answer lengths, same threads, in one run. The scan has a
size on the model's grid already, so that both sides see the same pixels. The model has random
weights (make_random_model.py): speed does not depend on them.

What makes it fair: the chat completions run free, greedy and without a grammar, to the same
number of tokens, which is the fastest they can be. Our side gives realistic answers of these
lengths (canned.py), with its grammar, log-probabilities and, where asked, forced tokens: what
is forced depends on the text, so the text must be one that a trained model would write.

On a machine that does other work too, compare the processor seconds, with one thread.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from canned import prompts
from replay import replay

from napari_fada.engines.llama import LlamaEngine
from napari_fada.engines.llama.template import QWEN
from napari_fada.engines.protocol import Completion, EngineInfo, Image
from napari_fada.records.reading import ModelRef

ROOT = Path(__file__).resolve().parents[1]
INFO = EngineInfo(ModelRef("random", "", "", "", "llama.cpp"))


def scan(data: Path | None, size: tuple[int, int]) -> Image:
    """Return a real scan stretched to (width, height), or noise without a data folder."""
    from PIL import Image as Pillow

    if data is None:
        return np.random.default_rng(0).integers(0, 255, size[::-1], dtype=np.uint8)
    path = sorted((data / "hc18" / "images").glob("*.png"))[0]
    return np.asarray(Pillow.open(path).convert("L").resize(size))


def shared(model: Path, image: Image, options: dict[str, Any]) -> dict[str, Any]:
    """Time our session as the pipeline asks: the view, which decides the classes, then the rest."""
    engine = LlamaEngine(model / "text.gguf", model / "vision.gguf", info=INFO, **options)
    asked = prompts()
    began, worked = time.perf_counter(), time.process_time()
    done = []
    for group in ([asked[1]], [asked[0], *asked[2:]]):
        found = [e for e in engine.ask(image, group) if isinstance(e, Completion)]
        done += sorted(found, key=lambda c: c.prompt)
    done[:2] = done[1::-1]  # in the order of prompts()
    seconds, work = time.perf_counter() - began, time.process_time() - worked
    engine.close()
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(work, 2),
        "image_seconds": round(sum(c.image_seconds for c in done), 2),
        "tokens": [len(c.tokens) for c in done],
        "forced": sum(t.forced for c in done for t in c.tokens),
    }


def chat(model: Path, image: Image, threads: int, lengths: list[int]) -> dict[str, Any]:
    """Time four chat completions through llama-cpp-python, of these lengths."""
    from llama_cpp import Llama
    from llama_cpp.llama_chat_format import MTMDChatHandler
    from PIL import Image as Pillow

    handler = MTMDChatHandler(str(model / "vision.gguf"), verbose=False, use_gpu=False)
    llama = Llama(
        str(model / "text.gguf"), chat_handler=handler, n_ctx=4096, n_threads=threads,
        n_threads_batch=threads, verbose=False,
    )  # fmt: skip
    llama.metadata["tokenizer.chat_template"] = (
        QWEN.before
        + "{% for part in messages[0].content %}{{ part.text }}{% endfor %}"
        + QWEN.after
    )
    buffer = io.BytesIO()
    Pillow.fromarray(image).convert("RGB").save(buffer, "PNG")
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    tokens = []
    began, worked = time.perf_counter(), time.process_time()
    for prompt, length in zip(prompts(), lengths, strict=True):
        answer = llama.create_chat_completion(
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": url}},
                        {"type": "text", "text": prompt.text},
                    ],
                }
            ],
            temperature=0.0, repeat_penalty=1.0, max_tokens=length,
        )  # fmt: skip
        tokens.append(answer["usage"]["completion_tokens"])
    seconds, work = time.perf_counter() - began, time.process_time() - worked
    llama.close()
    return {"seconds": round(seconds, 2), "cpu_seconds": round(work, 2), "tokens": tokens}


def main() -> None:
    """Parse the command line, run both sides in turn, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=ROOT / ".cache" / "random-0.8b")
    parser.add_argument("--data", type=Path, default=os.environ.get("NAPARI_FADA_DATA"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--size", type=int, nargs=2, default=(800, 544), metavar=("W", "H"))
    parser.add_argument("--skip-chat", action="store_true")
    args = parser.parse_args()
    replay()
    image = scan(args.data, tuple(args.size))
    ours = {"threads": args.threads, "batch": False, "lanes": 1, "style": "compact"}
    ways: dict[str, Any] = {
        "shared prefix": lambda: shared(args.model, image, {**ours, "forced": False}),
        "shared prefix, forced tokens in batches": lambda: shared(
            args.model, image, {**ours, "forced": True}
        ),
        "the same, all answers in one batch": lambda: shared(
            args.model, image, {**ours, "forced": True, "batch": True}
        ),
        "the same, answers in two lanes": lambda: shared(
            args.model, image, {**ours, "forced": True, "lanes": 2}
        ),
    }
    lengths: list[int] = []
    if not args.skip_chat:
        ways["four chat completions"] = lambda: chat(args.model, image, args.threads, lengths)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for _ in range(args.repeat):
        for name, run in ways.items():
            result = run()
            lengths = result["tokens"]
            result["load"] = [round(x, 1) for x in os.getloadavg()]
            results[name].append(result)
            print(name, json.dumps(result), flush=True)
    for measure in ("seconds", "cpu_seconds"):
        best = {name: min(r[measure] for r in runs) for name, runs in results.items()}
        print(measure)
        for name, seconds in best.items():
            print(f"  {name:42s} {seconds:7.1f}   {max(best.values()) / seconds:4.2f} ×")


if __name__ == "__main__":
    main()
