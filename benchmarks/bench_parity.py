"""Do both engines say the same? llama.cpp with float16 files, transformers in float32.

With fada-mini on real scans of two kinds: image embeddings, views, fields of the report, boxes
and outlines, and for every answer that differs the place where it first does, with how sure each
engine was there. With ``--random``, a model of random weights and the published 0.8B dimensions
(make_random_model.py --keep): the first greedy tokens of a free answer.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import napari_fada as nf
from napari_fada.comparison import Difference, difference
from napari_fada.engines.decoding import Answer, Row, log_probability
from napari_fada.engines.llama import LlamaEngine
from napari_fada.engines.llama import session as llama_session
from napari_fada.engines.protocol import Completion, EngineInfo, Image, Prompt
from napari_fada.engines.transformers import TransformersEngine
from napari_fada.engines.transformers import session as full_session
from napari_fada.records.reading import ModelRef

ROOT = Path(__file__).resolve().parents[1]
INFO = EngineInfo(ModelRef("random", "", "", "", ""))


@dataclass
class Choice:
    """One token that was chosen: its place, what was close, by how much, and how probable."""

    token: int
    second: int
    gap: float
    logprob: float


#: Of every answer: who gave it, and its choices.
CHOICES: dict[tuple[str, str, str], list[Choice]] = {}
NOW = {"engine": "", "scan": ""}


class Watched(Answer):
    """An answer that notes what was chosen, and what would have been chosen next."""

    def choose(self, row: Row) -> int:
        """Choose as always."""
        token = super().choose(row)
        if self.model.ends(token):
            return token
        rest = row.copy()
        rest[token] = -np.inf
        try:
            second = self.picker.pick(rest, self.state)
        except Exception:  # the form left one token only
            second = token
        gap = float(row[token] - row[second])
        key = (NOW["engine"], NOW["scan"], self.prompt.task)
        noted = CHOICES.setdefault(key, [])
        noted.append(Choice(token, second, gap, log_probability(row, token)))
        return token


def scans(data: Path, count: int) -> list[Path]:
    """Return so many real scans, half heads, half transperineal, spread over both sets."""
    found: list[Path] = []
    for name, share in (("hc18", count - count // 2), ("psfhs", count // 2)):
        paths = sorted((data / name / "images").glob("*.png"))
        found += [paths[int(i * len(paths) / share)] for i in range(share)]
    return found


def relative(one: Any, other: Any) -> float:
    """Return how far two embeddings are apart, as a share of the length of the second."""
    return float(np.linalg.norm(one - other) / np.linalg.norm(other))


def frame(path: Path) -> Image:
    """Return the pixels of a scan."""
    return np.asarray(nf.open_scan(path).frame(0))


def mini(paths: list[Path]) -> None:
    """Compare both engines on fada-mini."""
    llama_session.Answer = full_session.Answer = Watched  # type: ignore[misc]
    options: dict[str, Any] = {"hosted": False, "threads": 1}
    with (
        closing(nf.load_engine("fada-mini", **options)) as llama,
        closing(nf.load_engine("fada-mini", precision="full", device="cpu", **options)) as full,
    ):
        embedded, found, worst = [], [], []
        seconds: Counter[str] = Counter()
        for path in paths:
            image = frame(path)
            one, other = llama.embed(image), full.embed(image)  # type: ignore[attr-defined]
            embedded.append(relative(one, other))
            worst.append(max(relative(a, b) for a, b in zip(one, other, strict=True)))
            before = None
            for name, engine in (("full", full), ("llama", llama)):
                NOW.update(engine=name, scan=path.name)
                began = time.perf_counter()
                scan = nf.open_scan(path)
                reading = nf.read_frame(engine, scan, classes=before.mapping if before else None)
                seconds[name] += time.perf_counter() - began
                if before is not None:
                    found.append(difference(before, reading, engine="llama.cpp", path=path))
                before = reading
    kinds = [engine.info.model.quantisation for engine in (full, llama)]
    print(f"{len(paths)} scans, {kinds[0]} against {kinds[1]}")
    print(
        f"embeddings, relative: mean {np.mean(embedded):.1e}, largest {max(embedded):.1e}, "
        f"largest of one token {max(worst):.1e}"
    )
    table(found)
    for line in differing():
        print(line)
    print({name: round(s / len(paths), 2) for name, s in seconds.items()}, "seconds a scan")


def table(found: list[Difference]) -> None:
    """Print what is the same, by the kind of scan."""
    kinds = {d.path.parent.parent.name for d in found if d.path}
    groups = [
        (kind, [d for d in found if d.path and d.path.parent.parent.name == kind])
        for kind in sorted(kinds)
    ]
    groups.append(("all", found))
    print("scans | same view | same fields | boxes: pairs, apart, alone | outlines: the same")
    for name, part in groups:
        if not part:
            continue
        views, fields = sum(d.same_views for d in part), sum(d.fields for d in part)
        parts = [
            f"{name} {len(part)}",
            f"{views}",
            f"{sum(d.same_fields for d in part)} of {fields}",
        ]
        for kind in ("boxes", "outlines"):
            shapes = [getattr(d, kind) for d in part]
            pairs = sum(s.matched for s in shapes)
            total = sum(s.mean * s.matched for s in shapes if s.mean is not None)
            largest = max((s.mean for s in shapes if s.mean is not None), default=0.0)
            alone = sum(s.unmatched for s in shapes)
            parts.append(
                f"{pairs} pairs, {total / max(pairs, 1):.2f}/1000, worst scan {largest:.1f}, "
                f"{alone} alone"
            )
        print(" | ".join(parts))


def differing() -> Iterator[str]:
    """Tell of every task how many answers differ, and how sure both were where they parted."""
    tasks: dict[str, list[tuple[float, float, bool]]] = {}
    counts: Counter[str] = Counter()
    apart: dict[str, list[float]] = {}
    for (engine, scan, task), mine in CHOICES.items():
        other = CHOICES.get(("llama", scan, task))
        if engine != "full" or other is None:
            continue
        counts[task] += 1
        for a, b in zip(mine, other, strict=False):
            apart.setdefault(task, []).append(abs(a.logprob - b.logprob))
            if a.token != b.token:
                apart[task].pop()
                swapped = a.second == b.token and b.second == a.token
                tasks.setdefault(task, []).append((a.gap, b.gap, swapped))
                break
    yield "task | answers | the same | log-probability apart: mean, largest | where they part"
    for task, count in counts.items():
        parted = tasks.get(task, [])
        near = ", ".join(
            f"{a:.1e}/{b:.1e}{'' if swapped else ' (others)'}" for a, b, swapped in sorted(parted)
        )
        yield (
            f"{task} | {count} | {count - len(parted)} | {np.mean(apart[task]):.1e}, "
            f"{max(apart[task]):.1e} | {near or '-'}"
        )


def random(model: Path, paths: list[Path], size: tuple[int, int], tokens: int) -> None:
    """Compare the first greedy tokens of a free answer of the large random model."""
    llama_session.Answer = full_session.Answer = Watched  # type: ignore[misc]
    options: dict[str, Any] = {"info": INFO, "image_size": size, "threads": 2}
    prompt = Prompt("free", "Describe this fetal ultrasound scan.", max_tokens=tokens)
    text, vision = (model / "f16" / name for name in ("text-f16.gguf", "mmproj-f16.gguf"))
    loads: dict[str, Callable[[], Any]] = {
        "llama": lambda: LlamaEngine(text, vision, **options),
        "full": lambda: TransformersEngine(model / "checkpoint", device="cpu", **options),
    }
    answers: dict[tuple[str, str], list[int]] = {}
    embedded: dict[tuple[str, str], Any] = {}
    for name, load in loads.items():
        with closing(load()) as engine:
            for path in paths:
                NOW.update(engine=name, scan=path.name)
                embedded[name, path.name] = engine.embed(frame(path))
                events = list(engine.ask(frame(path), [prompt]))
                (answer,) = (e for e in events if isinstance(e, Completion))
                answers[name, path.name] = [t.id for t in answer.tokens]
    for scan in (path.name for path in paths):
        one, other = answers["full", scan], answers["llama", scan]
        parted = [k for k, pair in enumerate(zip(one, other, strict=False)) if len(set(pair)) > 1]
        same = parted[0] if parted else min(len(one), len(other))
        full, llama = CHOICES["full", scan, "free"], CHOICES["llama", scan, "free"]
        drift = [abs(a.logprob - b.logprob) for a, b in zip(full[:same], llama[:same], strict=True)]
        gaps = [choice.gap for choice in full[: max(same, 1)]]
        print(
            f"{scan}: {same} of {tokens} tokens the same ({len(set(one))} different words); "
            f"embeddings {relative(embedded['llama', scan], embedded['full', scan]):.1e} apart; "
            f"log-probabilities at most {max(drift, default=0.0):.1e} apart; gap to the second "
            f"token: smallest {min(gaps):.1e}, median {np.median(gaps):.1e}"
        )
        if parted:
            a, b = full[same], llama[same]
            swapped = a.second == b.token and b.second == a.token
            print(f"  parted at gaps of {a.gap:.1e} and {b.gap:.1e}, each the other's: {swapped}")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("NAPARI_FADA_DATA"))
    parser.add_argument("--scans", type=int, default=50)
    parser.add_argument("--random", type=Path, nargs="?", const=ROOT / ".cache" / "random-0.8b")
    parser.add_argument("--size", type=int, nargs=2, default=(512, 384), metavar=("W", "H"))
    parser.add_argument("--tokens", type=int, default=20)
    args = parser.parse_args()
    if args.data is None:
        parser.error("give --data, a folder with hc18/images and psfhs/images")
    if args.random:
        random(args.random, scans(args.data, min(args.scans, 4)), tuple(args.size), args.tokens)
    else:
        mini(scans(args.data, args.scans))
    print(json.dumps({"load": [round(x, 1) for x in os.getloadavg()]}))


if __name__ == "__main__":
    main()
