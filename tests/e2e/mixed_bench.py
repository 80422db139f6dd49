"""What the acts of a mixed session have at hand: the window, the scan on it, the dice."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hands import Hands
from mixed_ledger import Records, Snapshot, snapshot
from qtpy.QtTest import QTest

from napari_fada.records.annotation import Annotation
from napari_fada.scans import open_scan

CLASSES = ("Brain", "CSP", "LV", "thorax", "liver")


class Bench:
    """The window of a session and what is known of it without asking it.

    Parameters
    ----------
    widget : AnnotateWidget
        In a window that is shown; its project is empty.
    paths : sequence of Path
        Scans, one frame each.
    seed : int
        Of all chance.
    """

    def __init__(self, widget: Any, paths: Sequence[Path], seed: int) -> None:
        self.widget, self.session = widget, widget.session
        self.viewer = self.session.viewer
        self.hands = Hands(self.viewer)
        self.random = random.Random(seed)
        self.paths = list(paths)
        self.shas = {open_scan(p).sha256: p for p in self.paths}
        self.said: list[str] = []
        self.session.message.connect(lambda text, _level: self.said.append(text))
        self.session.question.connect(lambda text, _choices: self.said.append(text))
        self.mended: list[Callable[[], None]] = []
        self.steps: dict[str, list[Snapshot]] = {}
        self.back: dict[str, list[Snapshot]] = {}
        self.finished: dict[str, Records] = {}

    def look(self) -> Snapshot:
        return snapshot(self.session.project, self.shas)

    def settle(self) -> None:
        """Wait until what was begun has ended: opening, drawing, a run."""
        self.hands.turn(40)
        for _ in range(3000):
            layers = self.session.layers
            rest = not self.widget.runner.running and self.widget.ahead.at_rest
            if rest and (layers is None or layers.settled):
                break
            QTest.qWait(20)
        else:
            raise TimeoutError("what was begun never came to rest")
        self.hands.turn(20)

    @property
    def sha(self) -> str:
        return self.session.scan.sha256 if self.session.scan else ""

    @property
    def image(self) -> Any:
        return self.session.image

    @property
    def near(self) -> float:
        """How far a click may lie from where it was meant, in pixels of the scan."""
        a, b = (self.hands.place(self.image, x, 100.0) for x in (100.0, 200.0))
        return 80.0 / max(np.hypot(a.x() - b.x(), a.y() - b.y()), 1e-3) + 0.75

    def mine(self, *kinds: str, states: Sequence[str] = ()) -> list[Annotation]:
        if self.session.scan is None:
            return []
        found = self.session.project.annotations(self.sha, self.session.frame)
        return [
            a
            for a in found
            if a.kind in (kinds or (a.kind,)) and a.status in (states or (a.status,))
        ]

    def pick(self, *kinds: str, states: Sequence[str] = ()) -> Annotation | None:
        found = self.mine(*kinds, states=states)
        return self.random.choice(found) if found else None

    def spot(self, margin: float) -> tuple[float, float] | None:
        """Return a place on the scan that is on the canvas, or None."""
        scan = self.session.scan
        for _ in range(20):
            x = self.random.uniform(margin, scan.width - margin)
            y = self.random.uniform(margin, scan.height - margin)
            corners = ((x - margin, y - margin), (x + margin, y + margin))
            if all(self.hands.seen(self.image, *c) for c in corners):
                return x, y
        return None

    def ellipse(self, x: float, y: float, a: float, b: float, n: int = 8) -> list[Any]:
        t = np.linspace(0, 2 * np.pi, n, endpoint=False) + 0.2
        return [(float(x + a * np.cos(u)), float(y + b * np.sin(u))) for u in t]

    def later(self, mend: Callable[[], None]) -> None:
        self.mended.append(mend)
