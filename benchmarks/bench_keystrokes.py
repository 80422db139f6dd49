"""Keystrokes and clicks for the standard cases of a correction, through the real window.

A scripted session with a project of three scans, each with a proposed box and polygon of a head.
Every key goes through Qt to the canvas and every click and drag through the canvas; after each
case the project is asked whether it holds what was to be done, so that what is counted is what
is enough. Cases, each up to the scan being finished:

- the proposals are accepted as they are;
- the polygon and the box get another class;
- three corners of the polygon are moved.

    xvfb-run -a -s "-screen 0 1280x1024x24" python benchmarks/bench_keystrokes.py SCAN SCAN SCAN
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import napari
import numpy as np
from bench_event_loop import _turn
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_fada.records.annotation import Annotation
from napari_fada.records.linking import distance
from napari_fada.records.project import Project
from napari_fada.records.reading import Mapping, ModelRef, PhaseResult, Reading
from napari_fada.records.structures import pairs
from napari_fada.workstation.session import session_of
from napari_fada.workstation.widget import AnnotateWidget

NONE, ALT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.AltModifier


class Hands:
    """Presses keys and moves the mouse, and counts both."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._canvas = viewer.window._qt_viewer.canvas.native
        self.count: Counter[str] = Counter()
        self.done: list[str] = []

    def key(self, name: str) -> None:
        """Press a key of our table, written as there."""
        *modifiers, letter = name.split("-")
        flags = NONE
        for modifier in modifiers:
            flags |= getattr(Qt.KeyboardModifier, f"{modifier}Modifier")
        QTest.keyClick(self._canvas, getattr(Qt.Key, f"Key_{letter}"), flags)
        self.count["keys"] += 1
        self.done.append(name)
        _turn(0.15)

    def click(self, layer: Any, vertex: Any) -> None:
        """Click on a point of a layer, (row, column)."""
        QTest.mouseClick(self._canvas, Qt.MouseButton.LeftButton, NONE, self._at(layer, vertex))
        self.count["clicks"] += 1
        self.done.append("click")
        _turn(0.15)

    def drag(self, layer: Any, start: Any, end: Any) -> None:
        """Drag from a point of a layer to another."""
        first, last = self._at(layer, start), self._at(layer, end)
        QTest.mouseMove(self._canvas, first)
        _turn(0.05)
        QTest.mousePress(self._canvas, Qt.MouseButton.LeftButton, NONE, first)
        for share in (0.3, 0.7, 1.0):
            QTest.mouseMove(self._canvas, first + (last - first) * share)
            _turn(0.03)
        QTest.mouseRelease(self._canvas, Qt.MouseButton.LeftButton, NONE, last)
        self.count["drags"] += 1
        self.done.append("drag")
        _turn(0.15)

    def _at(self, layer: Any, vertex: Any) -> QPoint:
        canvas = self._viewer.window._qt_viewer.canvas
        node = canvas.layer_to_visual[layer].node
        world = node.get_transform("visual", "canvas").map(np.asarray(vertex, float)[::-1])
        return QPoint(round(float(world[0])), round(float(world[1])))


def main(paths: list[Path]) -> int:
    """Print one line of JSON for each case; exit code 1 if a case was not done."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1280, 800)
    session = session_of(viewer)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CONFIG_HOME"] = folder
        session.adopt(Project.open(Path(folder) / "bench.fada", rater="Dr Example"))
        widget = AnnotateWidget(viewer)
        viewer.window.add_dock_widget(widget, name="FADA annotate", area="right")
        _turn(1.0)
        for path, case in zip(paths, (_as_it_is, _class_changed, _three_corners), strict=False):
            session.open_path(path)
            _propose(session)
            _turn(1.0)
            viewer.window._qt_window.activateWindow()
            viewer.window._qt_viewer.canvas.native.setFocus()
            sha256 = session.scan.sha256
            hands = Hands(viewer)
            case(hands, widget)
            records = session.project.annotations(sha256, 0)
            line = {
                "case": case.__doc__.rstrip("."),
                **{name: hands.count[name] for name in ("keys", "clicks", "drags")},
                "done": " ".join(hands.done),
                "box_off_px": max((distance(*p) for p in pairs(records)), default=-1.0),
                "corners_moved": sum(
                    _moved(session.project, r) for r in records if r.kind == "polygon"
                ),
                "state": session.project.state(sha256, -1).get("review"),
                "records": [f"{r.kind} {r.category} {r.status}" for r in records],
            }
            failed += not _right(case, line)
            print(json.dumps(line))
        widget.close_session()
    viewer.close()
    return int(failed > 0)


def _as_it_is(hands: Hands, widget: AnnotateWidget) -> None:
    """Proposals accepted as they are."""
    hands.key(widget.keys.table["finish"])


def _class_changed(hands: Hands, widget: AnnotateWidget) -> None:
    """One class changed."""
    layer = widget.session.layers.bindings["polygons"].layer
    hands.key(widget.keys.table["edit"])
    hands.click(layer, np.mean(layer.data[0], axis=0))
    hands.key(widget.keys.table["class_2"])
    hands.key(widget.keys.table["reclass"])
    hands.key(widget.keys.table["finish"])


def _three_corners(hands: Hands, widget: AnnotateWidget) -> None:
    """One polygon corrected by three vertices."""
    layer = widget.session.layers.bindings["polygons"].layer
    hands.key(widget.keys.table["vertices"])
    hands.click(layer, np.mean(layer.data[0], axis=0))
    for i in (0, 2, 4):
        corner = np.array(layer.data[0][i])
        hands.drag(layer, corner, corner + 12)
    hands.key(widget.keys.table["finish"])


def _right(case: Any, line: dict[str, Any]) -> bool:
    states = {_as_it_is: "accepted", _class_changed: "corrected", _three_corners: "corrected"}
    records = line["records"]
    good = line["state"] == states[case]
    if case is _class_changed:
        good = good and not any("Brain" in r for r in records)
    if case is _three_corners:
        good = good and line["corners_moved"] == 3
    return good and line["box_off_px"] == 0


def _moved(project: Project, record: Annotation) -> int:
    """Return how many corners of a corrected polygon are not where the model had them."""
    first = record
    while first.parent is not None and (older := project.record(first.parent)) is not None:
        first = older
    return sum(a != b for a, b in zip(first.points, record.points, strict=True))


def _propose(session: Any) -> None:
    scan = session.scan
    width, height = scan.width, scan.height
    around = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    points = tuple(
        (width * (0.5 + 0.25 * float(np.cos(t))), height * (0.5 + 0.3 * float(np.sin(t))))
        for t in around
    )
    box = ((width * 0.25, height * 0.2), (width * 0.75, height * 0.8))
    reading = Reading(
        scan=scan.ref(0),
        model=ModelRef("bench", "0" * 64, "napari-fada-1", "0" * 64, "scripted"),
        phases={"detect": PhaseResult("done"), "segment": PhaseResult("done")},
        interpretation={},
        view="BPD_PLANE",
        mapping=Mapping(("Brain", "CSP"), ("Brain",), "exact"),
        annotations=(
            Annotation("Brain", "box", box, score=0.9),
            Annotation("Brain", "polygon", points, score=0.9),
        ),
    )
    session.project.save_reading(reading, show="replace")


if __name__ == "__main__":
    raise SystemExit(main([Path(p) for p in sys.argv[1:]]))
