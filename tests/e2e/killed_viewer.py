"""A viewer in which somebody edits without a pause, killed at random moments again and again.

Usage: killed_viewer.py MODE FOLDER KILLS SEED

MODE ``model`` edits through session and layers of a ViewerModel, ``window`` in a real window
with the widget, ``typing`` types into the report there. napari is imported once; each viewer is
a forked child. A child writes the number of an edit to a pipe after the call that made it has
returned. After each kill the file is checked here; the first thing that is wrong ends the run
with a text and exit code 1.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
from pathlib import Path

import numpy as np
from napari.components import ViewerModel

from napari_fada.records import review
from napari_fada.records.project import WHOLE, Project
from napari_fada.workstation.session import Session, session_of

A_FILE = 20
"""So many viewers in turn work on one project: each shows what those before it left."""
PIXELS = np.random.default_rng(0).integers(0, 99, (120, 160), np.uint8)


class Editor:
    """Somebody who does one thing after another to the scan of a session."""

    def __init__(self, session: Session, rng: random.Random, out: int) -> None:
        self.session, self.rng, self.out = session, rng, out

    def layer(self, role: str):
        return self.session.layers.bindings[role].layer

    def say(self, *words: object) -> None:
        os.write(self.out, (" ".join(map(str, words)) + "\n").encode())

    def shown(self) -> list[str]:
        """Return the uids of boxes and polygons on the canvas."""
        found = []
        for role in ("boxes", "polygons"):
            found += self.layer(role).features["uid"].tolist()
        return sorted(found)

    def step(self) -> None:
        before = self.last()
        getattr(self, self.rng.choice(KINDS))()
        after = self.last()
        if after > before:
            self.say("done", after)

    def last(self) -> int:
        with self.session.project._store.read() as c:
            return c.execute("SELECT coalesce(max(id), 0) FROM edits").fetchone()[0]

    def corner(self) -> np.ndarray:
        return np.array([self.rng.uniform(0, 80), self.rng.uniform(0, 100)])

    def draw_box(self) -> None:
        at = self.corner()
        corners = at + np.array([[0, 0], [0, 30], [20, 30], [20, 0]])
        self.layer("boxes").add(corners, shape_type="rectangle")

    def draw_polygon(self) -> None:
        at = self.corner()
        corners = at + np.array([[0, 0], [3, 30], [20, 25], [25, 4]])
        self.layer("polygons").add(corners, shape_type="polygon")

    def move(self) -> None:
        layer = self.layer(self.rng.choice(["boxes", "polygons"]))
        data = [np.array(v) for v in layer.data]
        if data:
            data[self.rng.randrange(len(data))] += self.rng.uniform(-3, 3)
            layer.data = data

    def remove(self) -> None:
        layer = self.layer("boxes")
        if len(layer.data):
            layer.selected_data = {self.rng.randrange(len(layer.data))}
            layer.remove_selected()

    def reclass(self) -> None:
        layer = self.layer("boxes")
        if len(layer.data):
            self.session.viewer.layers.selection.active = layer
            layer.selected_data = {0}
            self.session.reclass_selection(self.rng.choice(["CSP", "LV", "Brain"]))

    def report(self) -> None:
        self.session.set_report(fields={"image_quality": f"words {self.rng.random()}"})

    def comment(self) -> None:
        scan = self.session.scan
        review.set_comment(self.session.project, scan.sha256, 0, f"{self.rng.random()}")

    def score(self) -> None:
        scan = self.session.scan
        score = self.rng.choice([1, 2, 3])
        review.set_score(self.session.project, scan.sha256, 0, "annotation", score)

    def finish(self) -> None:
        review.finish(self.session.project, self.session.scan.sha256, 0)

    def undo(self) -> None:
        self.session.undo()

    def redo(self) -> None:
        self.session.redo()


KINDS = (
    *("draw_box", "draw_polygon", "move", "move", "remove", "reclass", "report", "comment"),
    *("score", "finish", "undo", "undo", "redo"),
)


class Typist(Editor):
    """Somebody who types into the report and never stops."""

    TEXT = "Skull outline whole, midline seen, cavum seen; far field in shadow. "

    def __init__(self, session: Session, rng: random.Random, out: int, widget) -> None:
        super().__init__(session, rng, out)
        widget.tabs.setCurrentWidget(widget.report)
        self.field = widget.report.fields["image_quality"]
        self.field.setFocus()
        cursor = self.field.textCursor()
        cursor.movePosition(cursor.MoveOperation.End)
        self.field.setTextCursor(cursor)
        self.known = self.last()

    def step(self) -> None:
        from qtpy.QtTest import QTest

        typed = len(self.field.text())
        QTest.keyClicks(self.field, self.TEXT[typed % len(self.TEXT)])
        if self.last() > self.known:  # a part of it was handed over since the last look
            self.known = self.last()
            self.say("done", self.known)


def edit_model(session: Session, path: Path, seed: int, out: int) -> None:
    session.adopt(Project.open(path, rater="killed"))
    session._remember_scan()
    session.refresh()
    editor = Editor(session, random.Random(seed), out)
    editor.say("ready", *editor.shown())
    while True:
        editor.step()


def edit_window(path: Path, seed: int, out: int, typing: bool = False) -> None:
    import napari
    from qtpy.QtCore import QTimer

    from napari_fada.workstation.widget import AnnotateWidget

    viewer = napari.Viewer(show=True)
    session = session_of(viewer)
    session.adopt(Project.open(path, rater="killed"))
    widget = AnnotateWidget(viewer)
    viewer.window.add_dock_widget(widget, name="FADA annotate", area="right")
    session.use_layer(viewer.add_image(PIXELS, name="scan", rgb=False))
    rng = random.Random(seed)
    editor = Typist(session, rng, out, widget) if typing else Editor(session, rng, out)
    editor.say("ready", *editor.shown())
    timer = QTimer()
    timer.timeout.connect(editor.step)
    timer.start(20 if typing else 0)
    napari.run()


def viewer_killed(run, rng: random.Random, most: int) -> tuple[list[str], list[int]]:
    """Fork a viewer, kill it at a random moment; return what it showed first and its edits."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        try:
            run(theirs)
        except BaseException:
            import traceback

            traceback.print_exc()
        os._exit(3)
    os.close(theirs)
    text = b""
    wanted = 1 + rng.randint(0, most)
    while text.count(b"\n") < wanted:
        piece = os.read(ours, 4096)
        if not piece:
            break
        text += piece
    # Up to 20 ms more, or the next line: anywhere inside the next edit.
    select.select([ours], [], [], rng.random() * 0.02)
    os.kill(child, signal.SIGKILL)
    while piece := os.read(ours, 65536):
        text += piece
    os.close(ours)
    _, status = os.waitpid(child, 0)
    lines = text.decode().split("\n")[:-1]
    if os.WIFEXITED(status) or not lines or not lines[0].startswith("ready"):
        raise AssertionError(f"the viewer ended by itself, after {lines[-3:]}")
    return lines[0].split()[1:], [int(line.split()[1]) for line in lines[1:]]


def verify(path: Path, sha256: str, promised: list[int]) -> list[str]:
    """Return the uids that stand, having checked that everything promised is in the file."""
    with Project.open(path) as project:
        kept = {entry.id for entry in project.history()}
        lost = set(promised) - kept
        assert not lost, f"edits {sorted(lost)} were acknowledged and are lost"
        assert sorted(kept) == list(range(1, len(kept) + 1)), "the log has gaps"
        problems = project.check()
        assert problems == [], problems
        project.state(sha256, WHOLE)
        text = project.report(sha256, 0).fields.get("image_quality", "")
        if not text.startswith("words"):
            whole = Typist.TEXT * (1 + len(text) // len(Typist.TEXT))
            assert whole.startswith(text), f"what was typed is not what is kept: {text!r}"
        return sorted(a.uid for a in project.annotations(sha256, 0) if a.kind != "keypoints")


def main(mode: str, folder: Path, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    viewer = ViewerModel()
    session = Session(viewer)
    image = viewer.add_image(PIXELS, name="scan", rgb=False)
    session.adopt(Project.open(folder / "first.fada"))
    session.use_layer(image)
    sha256 = session.scan.sha256
    session._project.close()
    session._project = None
    edits = 0
    path, promised, standing = folder / "first.fada", [], []
    for kill in range(kills):
        if kill % A_FILE == 0:
            path, promised, standing = folder / f"{mode}{kill}.fada", [], []
        turn = rng.randrange(2**31)
        if mode == "model":
            seen, done = viewer_killed(
                lambda out, at=path, turn=turn: edit_model(session, at, turn, out), rng, 5
            )
        else:
            seen, done = viewer_killed(
                lambda out, at=path, turn=turn: edit_window(at, turn, out, mode == "typing"),
                rng,
                3 if mode == "typing" else 12,
            )
        if promised:
            assert seen == standing, f"kill {kill}: reopening showed {seen}, not {standing}"
        promised += done
        edits += len(done)
        standing = verify(path, sha256, promised)
    print(f"{kills} kills, {edits} edits acknowledged, none lost")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
