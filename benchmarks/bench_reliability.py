"""A thousand requests to the hosted fada-mini while everything that can go wrong does.

Cancels at random moments, iterators that are closed early, kill -9 of the child in an answer and
between two, bad images, bad packs, files that are truncated or deleted while the model is loaded,
closing while it answers, loading another pack, idle unloading. Every plain answer must be the
one that an undisturbed engine gave. At the end: no zombie, no leaked descriptor, thread, shared
memory or semaphore, memory of parent and child flat within 5 percent, and a working engine.

How memory is measured. Parent: resident size after a garbage collection, every 25 requests; the
median of the second fifth of the run (the first is warm-up) against that of the last fifth.
Child: the last 300 requests go to one process without kills; its resident size over requests 50
to 100 of them against the last 50.

Exit code 1 if anything is not as it should be. ``--json`` prints the report as one object.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from napari_fada.engines.host import HostedEngine
from napari_fada.engines.protocol import Completion, Prompt
from napari_fada.errors import EngineError, FadaError, ModelError
from napari_fada.models import find_pack, load_engine
from napari_fada.records.reading import INTERPRETATION_KEYS

DATA = Path(os.environ.get("NAPARI_FADA_DATA", "../shared/data"))
CLASSES = ("Brain", "fetal_head", "CSP", "LV")
STEADY = 0.3
"""Share of the requests that one child gets at the end."""
PROMPTS = (
    Prompt("interpret", "Read this fetal ultrasound scan.", keys=INTERPRETATION_KEYS),
    Prompt("classify", "Name the view of this fetal ultrasound scan.", labels=("head", "abdomen")),
    Prompt("detect", f"Find every instance of: {', '.join(CLASSES)}.", labels=CLASSES),
    Prompt("segment", f"Outline every instance of: {', '.join(CLASSES)}.", labels=CLASSES),
)
BAD_IMAGES: tuple[Any, ...] = (
    np.zeros((64, 64), np.float32),
    np.full((64, 64), np.nan),
    np.zeros((64, 64), np.uint16),
    np.zeros((64, 64, 4), np.uint8),
    np.zeros((3, 64, 64, 3), np.uint8),
    np.zeros((0, 64), np.uint8),
    np.zeros((64,), np.uint8),
    np.broadcast_to(np.zeros((1, 1), np.uint8), (30_000, 30_000)),
    None,
)
#: What happens, and how often (in a thousand).
WEIGHTS = {
    "plain": 400, "cancel": 200, "close early": 110, "bad image": 90, "bad pack": 70,
    "kill in answer": 40, "kill idle": 15, "two at once": 20, "unload": 15,
    "close while running": 15, "other pack": 15, "file deleted": 5, "file truncated": 5,
}  # fmt: skip
GENTLE = ("plain", "cancel", "close early", "bad image", "two at once")


class Wrong(Exception):  # noqa: N818 - what the run is there to find
    """Something was not as it should be."""


@dataclass
class Report:
    """What came of a run. Memory in MB."""

    requests: int = 0
    seconds: float = 0.0
    outcomes: dict[str, int] = field(default_factory=dict)
    children: int = 0
    parent_mb: list[float] = field(default_factory=list)
    child_mb: list[float] = field(default_factory=list)
    parent_growth: float = 0.0
    child_growth: float = 0.0
    leaks: dict[str, list[int]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Storm:
    """One run.

    Parameters
    ----------
    folder : Path
        Where packs are copied to and harmed.
    seed : int
        Of everything that happens.
    threads : int
        Of the engine; from two on it answers in lanes.
    """

    def __init__(self, folder: Path, seed: int, threads: int = 1) -> None:
        self.threads = threads
        self.chance = random.Random(seed)
        self.report = Report()
        self.folder = folder
        source = find_pack("fada-mini").folder
        keep = shutil.ignore_patterns("full")
        self.packs = [
            shutil.copytree(source, folder / name, ignore=keep) for name in ("one", "two")
        ]
        self.pack, self.broken = self.packs[0], folder / "broken"
        self.frames = _frames()
        self.reference: dict[tuple[int, int], str] = {}
        self.pids: set[int] = set()
        self.timers: list[threading.Timer] = []
        self.engine = self.load()

    def load(self) -> HostedEngine:
        """Load the present pack."""
        engine = load_engine(self.pack, threads=self.threads)
        assert isinstance(engine, HostedEngine)
        return engine

    def learn(self) -> None:
        """Note what an undisturbed engine answers."""
        for f, frame in enumerate(self.frames):
            for item in self.engine.ask(frame, PROMPTS):
                if isinstance(item, Completion):
                    self.reference[f, item.prompt] = item.text

    def run(self, requests: int) -> Report:
        """Ask, disturb, measure."""
        began = time.monotonic()
        outcomes: Counter[str] = Counter()
        self.learn()
        before = _held()
        steady = round(requests * (1 - STEADY))
        for number in range(requests):
            names = tuple(WEIGHTS) if number < steady else GENTLE
            weights = [WEIGHTS[name] for name in names]
            action = self.chance.choices(names, weights)[0]
            try:
                outcome = getattr(self, "_" + action.replace(" ", "_"))()
            except (Wrong, FadaError, AssertionError) as error:
                outcome = "wrong"
                text = f"{number} {action}: {type(error).__name__}: {error}"
                self.report.wrong.append(text)
                print(text, file=sys.stderr, flush=True)
            outcomes[f"{action}: {outcome}"] += 1
            if self.engine.pid is not None:
                self.pids.add(self.engine.pid)
            if number % 25 == 0:
                gc.collect()
                self.report.parent_mb.append(_megabytes(psutil.Process().memory_info().rss))
            if number >= steady and number % 5 == 0 and self.engine.pid is not None:
                self.report.child_mb.append(_megabytes(self.engine.ping().rss_bytes))
        if self._plain() != "answered":
            self.report.wrong.append("the engine does not work at the end")
        # One engine was there when `before` was counted, and one is there now.
        self._compare(before, "with an engine loaded")
        self.engine.close()
        for timer in self.timers:
            timer.join()
        self._compare({**before, "children": 0}, "after closing", only=("children", "zombies"))
        self.report.requests, self.report.outcomes = requests, dict(sorted(outcomes.items()))
        self.report.children = len(self.pids)
        self.report.parent_growth = _growth(self.report.parent_mb, 0.2, 0.4)
        self.report.child_growth = _growth(self.report.child_mb, 0.17, 0.34)
        for who in ("parent", "child"):
            if (growth := getattr(self.report, f"{who}_growth")) > 0.05:
                self.report.wrong.append(f"memory of the {who} grew by {growth:.1%}")
        self.report.seconds = time.monotonic() - began
        return self.report

    def _compare(self, before: dict[str, int], when: str, only: tuple[str, ...] = ()) -> None:
        names = only or tuple(before)
        _until(lambda: all(_held()[name] <= before[name] for name in names))
        now = _held()
        for name in names:
            self.report.leaks[f"{name} {when}"] = [before[name], now[name]]
            if now[name] > before[name]:
                self.report.wrong.append(f"{name} {when}: {before[name]} became {now[name]}")

    # What happens: each returns the outcome in a word or two.

    def _some(self) -> tuple[int, list[int]]:
        frame = self.chance.randrange(len(self.frames))
        return frame, self.chance.sample(range(len(PROMPTS)), self.chance.choice((1, 1, 2, 4)))

    def _items(self, frame: int, asked: list[int], cancel: threading.Event | None = None) -> Any:
        prompts = [PROMPTS[i] for i in asked]
        return self.engine.ask(self.frames[frame], prompts, cancel=cancel)

    def _judge(self, frame: int, asked: list[int], items: list[Any]) -> str:
        """See that each prompt has one completion, and that a whole answer is the right one."""
        done = [item for item in items if isinstance(item, Completion)]
        if sorted(item.prompt for item in done) != list(range(len(asked))):
            raise Wrong(f"completions for {[item.prompt for item in done]} of {len(asked)}")
        for item in done:
            right = self.reference[frame, asked[item.prompt]]
            if item.stop == "cancelled":
                if not right.startswith(item.text):
                    raise Wrong("the beginning of an answer differs")
            elif item.text != right:
                raise Wrong(f"another answer: {item.text[:60]!r} instead of {right[:60]!r}")
        return "cancelled" if any(item.stop == "cancelled" for item in done) else "answered"

    def _plain(self) -> str:
        frame, asked = self._some()
        return self._judge(frame, asked, list(self._items(frame, asked)))

    def _cancel(self) -> str:
        cancel = threading.Event()
        frame, asked = self._some()
        self._later(cancel.set, 0.12)
        return self._judge(frame, asked, list(self._items(frame, asked, cancel)))

    def _close_early(self) -> str:
        frame, asked = self._some()
        items = self._items(frame, asked)
        for _ in range(self.chance.randrange(1, 12)):
            if next(items, None) is None:
                break
        items.close()
        return "closed"

    def _bad_image(self) -> str:
        image = self.chance.choice(BAD_IMAGES)
        try:
            list(self.engine.ask(image, PROMPTS[:1]))
        except EngineError:
            return "refused"
        raise Wrong(f"an image of {getattr(image, 'shape', None)} was taken")

    def _two_at_once(self) -> str:
        frame, asked = self._some()
        items = self._items(frame, asked)
        first = next(items)
        try:
            list(self._items(frame, asked))
        except EngineError:
            self._judge(frame, asked, [first, *items])
            return "refused"
        raise Wrong("two questions at once were taken")

    def _kill_in_answer(self) -> str:
        frame, asked = self._some()
        items = self._items(frame, asked)
        heard = [next(items)]
        os.kill(self._pid(), signal.SIGKILL)
        try:
            heard += items
        except EngineError as error:
            if "SIGKILL" not in error.what:
                raise Wrong(f"the wrong reason: {error}") from error
            return "told"
        self._judge(frame, asked, heard)
        return "had answered"

    def _kill_idle(self) -> str:
        os.kill(self._pid(), signal.SIGKILL)
        try:
            return self._plain()
        except EngineError as error:
            # After a cancel it may still have been loading, and that is worth a word.
            if "while starting" not in error.what:
                raise
            return f"told, then {self._plain()}"

    def _unload(self) -> str:
        self.engine.idle_seconds = 0.001
        if not _until(lambda: self.engine.rest is not None):
            raise Wrong("it was not unloaded")
        self.engine.idle_seconds = 600
        return self._plain()

    def _close_while_running(self) -> str:
        frame, asked = self._some()
        items = self._items(frame, asked)
        heard = [next(items)]
        self._later(self.engine.close, 0.05)
        heard += items
        self._judge(frame, asked, heard)
        self.engine.close()
        self.engine = self.load()
        return self._plain()

    def _other_pack(self) -> str:
        self.engine.close()
        self.pack = self.packs[1 - self.packs.index(self.pack)]
        self.engine = self.load()
        return self._plain()

    def _bad_pack(self) -> str:
        shutil.rmtree(self.broken, ignore_errors=True)
        shutil.copytree(self.pack, self.broken)
        how = self.chance.choice(("truncated", "swapped", "flipped", "missing", "empty", "json"))
        text, vision = sorted(self.broken.glob("*.gguf"))
        if how == "truncated":
            os.truncate(text, self.chance.randrange(1, text.stat().st_size))
        elif how == "swapped":
            text.rename(self.broken / "x")
            vision.rename(text)
            (self.broken / "x").rename(vision)
        elif how == "flipped":
            with text.open("r+b") as file:
                file.seek(self.chance.randrange(text.stat().st_size))
                byte = file.read(1)
                file.seek(-1, 1)
                file.write(bytes([byte[0] ^ 0xFF]))
        elif how == "missing":
            vision.unlink()
        elif how == "empty":
            vision.write_bytes(b"")
        else:
            (self.broken / "pack.json").write_text('{"schema": ', encoding="utf-8")
        try:
            load_engine(self.broken, threads=1).close()
        except ModelError:
            return f"{how}, refused"
        raise Wrong(f"a pack that is {how} was loaded")

    def _file_deleted(self) -> str:
        """Take the model's files away while it is loaded; it works on, and says so when killed."""
        aside = self.folder / "aside"
        self.pack.rename(aside)
        try:
            os.kill(self._pid(), signal.SIGKILL)
            return self._refused_then(lambda: aside.rename(self.pack))
        finally:
            if aside.exists():
                aside.rename(self.pack)

    def _file_truncated(self) -> str:
        """Cut the file that the child has mapped: whatever it does, the parent lives on."""
        text, _ = sorted(self.pack.glob("*.gguf"))
        whole = shutil.copy2(text, self.folder / "whole")
        os.truncate(text, 4096)

        def mend() -> None:
            shutil.copy2(whole, text)

        try:
            frame, asked = self._some()
            with contextlib.suppress(FadaError):
                list(self._items(frame, asked))
            if (pid := self.engine.pid) is not None:
                os.kill(pid, signal.SIGKILL)
            return self._refused_then(mend)
        finally:
            mend()

    def _refused_then(self, mend: Callable[[], Any]) -> str:
        try:
            self._plain()
        except FadaError:
            mend()
            return f"told, then {self._plain()}"
        raise Wrong("a model without its files was loaded")

    def _pid(self) -> int:
        pid = self.engine.pid
        if pid is None:  # as after an error: the next question starts it
            self._plain()
            pid = self.engine.pid
        assert pid is not None
        return pid

    def _later(self, call: Callable[[], Any], most: float) -> None:
        self.timers = [timer for timer in self.timers if timer.is_alive()]
        timer = threading.Timer(self.chance.random() * most, call)
        self.timers.append(timer)
        timer.start()


def _frames() -> list[Any]:
    from PIL import Image

    paths = sorted((DATA / "hc18" / "images").glob("*.png"))[:120:10]
    if paths:
        return [np.asarray(Image.open(path).convert("L")) for path in paths]
    chance = np.random.default_rng(0)
    return [chance.integers(0, 255, (180, 240), dtype=np.uint8) for _ in range(12)]


def _held() -> dict[str, int]:
    """Count what a process can leak."""
    me = psutil.Process()
    children = me.children(recursive=True)
    shared = Path("/dev/shm")
    counts = {
        "children": len(children),
        "zombies": sum(_is_zombie(child) for child in children),
        "threads": me.num_threads(),
        "shared memory and semaphores": len(list(shared.iterdir())) if shared.is_dir() else 0,
    }
    with contextlib.suppress(AttributeError):
        counts["descriptors"] = me.num_fds()
    return counts


def _is_zombie(child: psutil.Process) -> bool:
    try:
        return bool(child.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _growth(values: list[float], begin: float, end: float) -> float:
    """Return how much the end of a series lies above an early part of it, as a fraction."""
    part = values[round(len(values) * begin) : max(1, round(len(values) * end))]
    last = values[-max(1, len(values) // 6) :]
    if not part or not last:
        return 0.0
    return statistics.median(last) / statistics.median(part) - 1


def _megabytes(count: int) -> float:
    return round(count / 1e6, 2)


def _until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@contextlib.contextmanager
def _own_folders() -> Iterator[Path]:
    """Keep the user's caches and packs out of it."""
    with tempfile.TemporaryDirectory() as name:
        for variable in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
            os.environ[variable] = str(Path(name) / variable)
        os.environ.pop("NAPARI_FADA_MODELS", None)
        yield Path(name)


def main() -> None:
    """Run and print the report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with _own_folders() as folder:
        report = Storm(folder, args.seed, args.threads).run(args.requests)
    if args.json:
        print(json.dumps(asdict(report)))
    else:
        for outcome, count in report.outcomes.items():
            print(f"{count:5} {outcome}")
        print(f"{report.requests} requests, {report.children} processes, {report.seconds:.0f} s")
        for name, (before, after) in report.leaks.items():
            print(f"  {name}: {before} before, {after} after")
        for who in ("parent", "child"):
            values = getattr(report, f"{who}_mb")
            growth = getattr(report, f"{who}_growth")
            print(f"  memory of the {who}: {values[0]} to {values[-1]} MB, {growth:+.1%}")
        for text in report.wrong:
            print(f"WRONG {text}")
    sys.exit(bool(report.wrong))


if __name__ == "__main__":
    main()
