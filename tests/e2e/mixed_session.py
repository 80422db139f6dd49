"""A long session with everything mixed in: what was meant is compared with every record kept.

A window is used with mouse and keys as an annotator would, scan after scan; between the acts,
at random, napari's other ways are taken: layers moved, turned, hidden, duplicated and deleted,
pixels replaced, other images put on top, axes rolled, label keys pressed, another program
writing into the project. After each act the project file is read: it must hold what the act
meant, or what it held before with a word of why. At the end the file is opened anew.

    python tests/e2e/mixed_session.py FOLDER [--scans 40] [--acts 500] [--seed 1]

needs a display (``xvfb-run -a -s "-screen 0 1280x1024x24"``).
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mixed_annotator import PLAIN, Annotator
from mixed_bench import Bench
from mixed_ledger import Meant, judge, nothing, snapshot
from mixed_ways import OTHER, OtherWays

from napari_fada.indexing import index_files
from napari_fada.records.project import Project

NO_STEP = ("undo", "redo", "other_program")
"""Acts that are not taken back by the next undo."""


@dataclass
class Outcome:
    """What came of a session."""

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


class MixedSession:
    """The random order of the acts, and the ledger of what they meant.

    Parameters
    ----------
    widget, paths, seed
        As ``Bench`` takes them.
    """

    def __init__(self, widget: Any, paths: Sequence[Path], seed: int) -> None:
        self.bench = Bench(widget, paths, seed)
        self.annotator, self.other = Annotator(self.bench), OtherWays(self.bench)
        self.crashes: list[str] = []
        self.aloud = False
        self.outcome = Outcome()

    def run(self, acts: int) -> Outcome:
        self.begin()
        for number in range(acts):
            self.one(number)
        self.end()
        return self.outcome

    def begin(self) -> None:
        bench = self.bench
        worklist = bench.session.walk.worklist
        worklist.add(bench.paths)
        for _ in index_files(worklist):
            pass
        bench.session.open_path(bench.paths[0])
        bench.settle()
        bench.hands.focus()

    def one(self, number: int) -> None:
        """Do one act, and compare the file with what it meant."""
        bench, outcome = self.bench, self.outcome
        before = bench.look()
        bench.said.clear()
        act = self.choose()
        name = act.__name__
        try:
            meant = act() or nothing(name)  # None: there was nothing to do it with
            bench.settle()
        except Exception as error:
            traceback.print_exc()
            meant = nothing(name)
            outcome.wrong.append(f"{number} {name}: raised {error!r}")
        said = [*bench.said, *filter(None, [bench.session.canvas.text])]
        problem, done = judge(meant, before, bench.look(), said)
        words = "; ".join(s.splitlines()[0][:110] for s in bench.said[-2:])
        outcome.log.append(f"{number} {name}: {'done' if done else 'left'}. {words}")
        if self.aloud:
            print(outcome.log[-1], problem, flush=True)
        if done:
            outcome.done[name] += 1
        elif not meant.silent:
            outcome.refused[name] += 1
        if problem:
            outcome.wrong.append(f"{number} {name}: {problem} (said: {words})")
        while self.crashes:
            outcome.wrong.append(f"{number} {name}: unhandled {self.crashes.pop()}")
        if done and meant.sha and name not in NO_STEP:
            bench.steps.setdefault(meant.sha, []).append(before)
            bench.back[meant.sha] = []

    def choose(self) -> Callable[[], Meant | None]:
        bench = self.bench
        if bench.mended and bench.random.random() < 0.5:
            return self.put_right
        if bench.sha not in bench.shas:
            return bench.random.choice([self.annotator.open_scan, self.annotator.draw_outline])
        plain = bench.random.random() < 0.6
        table: dict[str, int] = PLAIN if plain else OTHER
        (name,) = bench.random.choices(list(table), list(table.values()))
        return getattr(self.annotator if plain else self.other, name)

    def put_right(self) -> Meant:
        """Take back one of napari's other ways, as a user who read the word would."""
        self.bench.mended.pop()()
        return nothing("put right")

    def end(self) -> None:
        """Compare what a fresh look into the file gives with what the last act left."""
        kept, path = self.bench.look(), self.bench.session.project.path
        with Project.open(path, rater="checker") as project:
            if not snapshot(project, self.bench.shas).same(kept):
                self.outcome.wrong.append("end: the file holds something else than the window")
            self.outcome.wrong.extend(f"end: {problem}" for problem in project.check())


def main() -> int:
    parser = argparse.ArgumentParser(description="Use a window at random and compare.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scans", type=int, default=40)
    parser.add_argument("--acts", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", action="store_true", help="print every act")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mixed-session-"))
    for name in ("DATA", "CONFIG", "CACHE", "STATE"):
        os.environ[f"XDG_{name}_HOME"] = str(folder / name.lower())
    os.environ["NAPARI_CONFIG"] = str(folder / "napari.yaml")
    import napari
    from answering import answers

    from napari_fada.engines.scripted import ScriptedEngine
    from napari_fada.workstation.runner import Engines
    from napari_fada.workstation.session import session_of
    from napari_fada.workstation.widget import AnnotateWidget

    files = sorted(asked.folder.glob("*.png"))
    paths = random.Random(asked.seed).sample(files, min(asked.scans, len(files)))
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    session_of(viewer).adopt(Project.open(folder / "project.fada", rater="Anna"))
    widget = AnnotateWidget(viewer)
    viewer.window.add_dock_widget(widget, name="FADA annotate", area="right")
    widget.runner.engines = Engines(lambda _name: ScriptedEngine(answers()))
    mixed = MixedSession(widget, paths, asked.seed)
    sys.excepthook = lambda kind, value, trace: (
        mixed.crashes.append(f"{kind.__name__}: {value}"),
        traceback.print_exception(kind, value, trace),
    )[0]
    mixed.aloud = asked.log
    found = mixed.run(asked.acts)
    print("\n".join(found.wrong))
    count = sum(found.done.values())
    print("done:", dict(found.done), "\nrefused with a word:", dict(found.refused))
    print(
        f"{asked.acts} acts on {len(paths)} scans (seed {asked.seed}): {count} changed records, "
        f"{sum(found.refused.values())} refused with a word, {len(found.wrong)} wrong"
    )
    sys.stdout.flush()
    os._exit(1 if found.wrong else 0)


if __name__ == "__main__":
    raise SystemExit(main())
