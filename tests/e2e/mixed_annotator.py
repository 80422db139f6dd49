"""An annotator's acts with mouse and keys, each with what it means for the records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mixed_bench import CLASSES, Bench
from mixed_ledger import Meant, by_people, corner_moved, drawn, nothing, replaced, status, stroke

from napari_fada.records.annotation import Annotation
from napari_fada.records.edits import FINISHED
from napari_fada.workstation.panels.reason_picker import ReasonPicker


class Annotator:
    """Draws, corrects, judges, takes back and goes on."""

    def __init__(self, at: Bench) -> None:
        self.at = at

    def draw_outline(self) -> Meant | None:
        if self.at.session.scan is None:
            return None
        name = self.at.random.choice(CLASSES)
        a = self.at.random.uniform(30, 70)
        spot = self.at.spot(a + 10)
        if spot is None:
            return None
        self.at.widget.classes.choose(name)
        corners = self.at.ellipse(
            *spot, a, a * self.at.random.uniform(0.5, 1), self.at.random.choice((5, 8))
        )
        near, sha = self.at.near, self.at.sha
        self.at.hands.focus()
        self.at.hands.key("U")
        self.at.hands.outline(self.at.image, corners)
        return Meant("outline", sha, drawn(name, "polygon", corners, near))

    def draw_box(self) -> Meant | None:
        if self.at.session.scan is None:
            return None
        name, a = self.at.random.choice(CLASSES), self.at.random.uniform(20, 60)
        spot = self.at.spot(a + 10)
        if spot is None:
            return None
        self.at.widget.classes.choose(name)
        (x, y), near, sha = spot, self.at.near, self.at.sha
        self.at.hands.focus()
        self.at.hands.key("J")
        self.at.hands.drag(self.at.image, (x - a, y - a / 2), (x + a, y + a / 2))
        corners = ((x - a, y - a / 2), (x + a, y + a / 2))
        zero, side = (self.at.image.data_to_world(p) for p in ((0, 0), (0, 1)))
        turned = abs(side[0] - zero[0]) > 1e-6  # on the canvas a box is upright
        return (
            Meant("box", sha, lambda _b, _a: "")
            if turned
            else Meant("box", sha, drawn(name, "box", corners, near))
        )

    def drag_corner(self) -> Meant | None:
        lines = [a for a in self.at.mine("polygon") if len(a.points) <= 16 and not a.rings]
        if not lines:
            return None
        line = self.at.random.choice(lines)
        corner = self.at.random.choice(line.points)
        others = [p for a in self.at.mine("polygon") for p in a.points if p != corner]
        clear = 14 * self.at.near
        if any(np.hypot(*np.subtract(p, corner)) < clear for p in others):
            return None
        middle = np.mean(line.points, axis=0)
        to = tuple(float(v) for v in np.add(corner, (np.subtract(corner, middle)) * 0.15))
        if not all(self.at.hands.seen(self.at.image, *p) for p in (corner, to)):
            return None
        near, sha = 2 * self.at.near, self.at.sha
        self.at.session.reviewing.choose((line.uid,))
        self.at.viewer.layers.selection.active = self.at.session.layers.bindings["polygons"].layer
        self.at.hands.focus()
        self.at.hands.key("Alt-Q")
        self.at.hands.drag(self.at.image, corner, to)
        return Meant("corner", sha, replaced(line.uid, corner_moved(corner, to, near)))

    def paint(self) -> Meant | None:
        return self._brush(erase=False)

    def erase(self) -> Meant | None:
        return self._brush(erase=True)

    def _brush(self, *, erase: bool) -> Meant | None:
        line = self.at.pick("polygon")
        if line is None:
            return None
        scan, sha, size = self.at.session.scan, self.at.sha, 14
        middle = np.mean(line.points, axis=0)
        edge = np.asarray(self.at.random.choice(line.points))
        out = (edge - middle) / max(np.linalg.norm(edge - middle), 1e-6)
        path = [tuple(edge - 6 * out), tuple(edge + 10 * out)]
        if erase:
            path = [tuple(edge + 4 * out), tuple(edge - 4 * out)]
        inside = all(20 < p[0] < scan.width - 20 and 20 < p[1] < scan.height - 20 for p in path)
        if not inside or not all(self.at.hands.seen(self.at.image, *p) for p in path):
            return None
        reach = size / 2 + self.at.near
        self.at.widget.classes.choose(self.at.random.choice(CLASSES))  # another class is active
        self.at.session.reviewing.choose((line.uid,))
        self.at.hands.focus()
        self.at.hands.key("Y")
        masks = self.at.session.layers.bindings["masks"].layer
        masks.brush_size = size
        if erase:
            masks.mode = "erase"
        self.at.hands.drag(self.at.image, *path)
        shape = (scan.height, scan.width)
        meant = replaced(line.uid, stroke(path, reach, shape, erase=erase))

        def check(before: Any, after: Any) -> str:
            # What is painted over another structure takes its pixels, which is said.
            told = any("lost pixels" in text for text in self.at.said)
            return "" if told and line.uid not in after else meant(before, after)

        return Meant("erase" if erase else "paint", sha, check)

    def accept(self) -> Meant | None:
        found = self.at.pick(states=("proposed",))
        if found is None:
            return None
        self.at.session.reviewing.choose((found.uid,))
        self.at.hands.focus()
        self.at.hands.key("Alt-A")
        return Meant("accept", self.at.sha, _judged(found, "accepted"))

    def reject(self) -> Meant | None:
        found = self.at.pick(states=("proposed", "corrected"))
        if found is None:
            return None
        self.at.session.reviewing.choose((found.uid,))
        self.at.hands.focus()
        self.at.hands.key("Alt-R")
        why = self.at.widget.findChild(ReasonPicker)
        if why is not None and not why.isHidden():
            self.at.hands.key("1", target=why.words)
        return Meant("reject", self.at.sha, _judged(found, "rejected"))

    def delete(self) -> Meant | None:
        found = self.at.pick("polygon", states=("accepted",))
        if found is None:
            return None
        layer = self.at.session.layers.bindings["polygons"].layer
        self.at.session.reviewing.choose((found.uid,))
        self.at.viewer.layers.selection.active = layer
        self.at.hands.focus()
        self.at.hands.key("Q")
        self.at.hands.key("Delete")

        def check(before: Any, after: Any) -> str:
            gone = [a for uid, a in before.items() if uid not in after]
            same = [a for a in gone if a.category != found.category]
            lost = found.uid in after
            return "the structure is still there" if lost else "took another one" if same else ""

        return Meant("delete", self.at.sha, check)

    def reclass(self) -> Meant | None:
        found = self.at.pick("polygon")
        if found is None:
            return None
        name = self.at.random.choice([c for c in CLASSES if c != found.category])
        self.at.session.reviewing.choose((found.uid,))
        self.at.widget.classes.choose(name)
        self.at.hands.focus()
        self.at.hands.key("K")

        def check(before: Any, after: Any) -> str:
            came = [a for uid, a in after.items() if uid not in before]
            gone = [a for uid, a in before.items() if uid not in after]
            one = all(a.category == name for a in came) and found.uid not in after
            return "" if one and {a.category for a in gone} == {found.category} else "mixed up"

        return Meant("reclass", self.at.sha, check)

    def undo(self) -> Meant | None:
        if self.at.session.scan is None:
            return None
        past = self.at.steps.get(self.at.sha, [])
        sha, now = self.at.sha, self.at.look()
        self.at.hands.focus()
        self.at.hands.key("Control-Z")
        self.at.settle()
        if self.at.sha != sha:  # the first undo after a scan was finished goes back to it
            return Meant("undo", self.at.sha, self.reopened(self.at.sha))

        def check(_before: Any, after: Any) -> str:
            if not past:
                return "took back what nobody did in this session"
            wanted = past.pop()
            self.at.back.setdefault(sha, []).append(now)
            same = by_people(wanted.of(sha)) == by_people(after)
            return "" if same else "is not what was there before the last act"

        return Meant("undo", sha, check)

    def reopened(self, sha: str) -> Callable[..., str]:
        """Mean that a finished scan is again what it was before that."""

        def check(_before: Any, after: Any) -> str:
            was = self.at.finished.pop(sha, None)
            if was is None:
                return "went back to a scan that was not finished in this session"
            if steps := self.at.steps.get(sha):
                steps.pop()
            same = by_people(was) == by_people(after)
            return "" if same else "is not what was there before it was finished"

        return check

    def redo(self) -> Meant | None:
        if self.at.session.scan is None:
            return None
        ahead, sha, now = self.at.back.get(self.at.sha, []), self.at.sha, self.at.look()
        self.at.hands.focus()
        self.at.hands.key("Control-Shift-Z")

        def check(_before: Any, after: Any) -> str:
            if not ahead:
                return "did again what nobody took back"
            self.at.steps.setdefault(sha, []).append(now)
            same = by_people(ahead.pop().of(sha)) == by_people(after)
            return "" if same else "is not what was there before the undo"

        return Meant("redo", sha, check)

    def finish(self) -> Meant | None:
        """Press N: what is open is accepted as it is, and the next scan comes."""
        if self.at.session.scan is None:
            return None
        sha = self.at.sha
        over = self.at.look().states.get(sha) in FINISHED  # then N only goes on
        self.at.hands.focus()
        self.at.hands.key("N")
        self.at.settle()

        def check(before: Any, after: Any) -> str:
            self.at.finished[sha] = before
            gone = [a for uid, a in before.items() if uid not in after]
            came = {a.parent: a for uid, a in after.items() if uid not in before}
            for old in gone:
                new = came.pop(old.uid, None)
                if new is None or new.status != "accepted" or old.status != "proposed":
                    return f"{old.category} {old.status} became {new and new.status}"
                if new.points != old.points:
                    return f"accepted {old.category} in another shape"
            if came:
                return "something new was accepted"
            left = any(a.status == "proposed" for a in after.values())
            return "something is still open" if left else ""

        return Meant("finish", sha, check, silent=over)

    def open_scan(self) -> Meant:
        """Open a file, as the button does."""
        self.at.session.open_path(self.at.random.choice(self.at.paths))
        return nothing("open")

    def next_scan(self) -> Meant:
        self.at.hands.focus()
        self.at.hands.key(self.at.random.choice(("Alt-Right", "Alt-Left")))
        return nothing("next")

    def run_model(self) -> Meant | None:
        if self.at.session.scan is None or self.at.widget.runner.running:
            return None
        sha = self.at.sha
        self.at.hands.focus()
        self.at.hands.key("G")
        self.at.settle()
        for button in self.at.widget.message.buttons:
            if "Replace" in button.text():
                button.click()
        self.at.settle()

        def check(before: Any, after: Any) -> str:
            judged = [a for a in before.values() if a.status != "proposed"]
            lost = [a for a in judged if a.uid not in after]
            new = [a for uid, a in after.items() if uid not in before]
            odd = [a for a in new if a.status != "proposed" or a.source != "model"]
            return "lost what was judged" if lost else "made no proposals" if odd else ""

        return Meant("run", sha, check)

    def look_around(self) -> Meant:
        """Zoom, contrast, gamma, opacity: what a reader does all day; no record is about it."""
        camera, image = self.at.viewer.camera, self.at.image
        does = self.at.random.choice(("zoom", "contrast", "gamma", "fit"))
        if does == "zoom":
            camera.zoom *= self.at.random.uniform(0.8, 1.3)
        elif does == "fit" or image is None:
            self.at.viewer.reset_view()
        elif does == "contrast" and not image.rgb:
            image.contrast_limits = (
                self.at.random.uniform(0, 30),
                self.at.random.uniform(120, 255),
            )
        elif not image.rgb:
            image.gamma = self.at.random.uniform(0.6, 1.4)
        return nothing("look around")


def _judged(found: Annotation, wanted: str) -> Callable[..., str]:
    """Mean a judgement of a structure: its other shape may be judged with it."""
    look = status(wanted)

    def check(before: Any, after: Any) -> str:
        gone = [a for uid, a in before.items() if uid not in after]
        came = {a.parent: a for uid, a in after.items() if uid not in before}
        if found.uid not in {a.uid for a in gone}:
            return "the structure was not judged"
        for old in gone:
            new = came.pop(old.uid, None)
            if new is None or old.category != found.category:
                return f"{old.category} is gone"
            if problem := look(old, new):
                return problem
        return "something came" if came else ""

    return check


PLAIN = {
    "draw_outline": 6,
    "draw_box": 3,
    "drag_corner": 5,
    "paint": 5,
    "erase": 3,
    "accept": 3,
    "reject": 2,
    "delete": 2,
    "reclass": 2,
    "undo": 4,
    "redo": 2,
    "finish": 5,
    "open_scan": 2,
    "next_scan": 2,
    "run_model": 6,
    "look_around": 3,
}
"""How often each is done, against the others."""
