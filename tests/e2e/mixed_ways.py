"""napari's other ways: what befalls a scan and its layers beside an annotator's acts."""

from __future__ import annotations

from typing import Any

import numpy as np
from mixed_annotator import Annotator
from mixed_bench import Bench
from mixed_ledger import Meant, by_people, nothing

from napari_fada.records.annotation import Annotation


class OtherWays:
    """Moves, hides, replaces, duplicates, deletes; none of it is an annotation."""

    def __init__(self, at: Bench) -> None:
        self.at = at

    def move_image(self) -> Meant | None:
        if self.at.image is None:
            return None
        image = self.at.image
        name = self.at.random.choice(("translate", "scale", "rotate", "affine"))
        old = getattr(image, name)
        if name == "translate":
            image.translate = [self.at.random.uniform(-40, 40) for _ in range(image.ndim)]
        elif name == "scale":
            image.scale = np.asarray(image.scale) * self.at.random.uniform(0.7, 1.2)
        elif name == "rotate":
            image.rotate = self.at.random.choice((10, 90, -30))
        else:
            image.affine = np.array([[1, 0, 20], [0.1, 1, -30], [0, 0, 1.0]])
        self.at.viewer.reset_view()
        self.at.later(lambda: setattr(image, name, np.array(old)))
        return nothing("move image")

    def move_ours(self) -> Meant | None:
        if self.at.session.layers is None:
            return None
        layer = self.at.random.choice(self.at.session.layers.layers)
        if self.at.random.random() < 0.5:
            layer.translate = [30.0] * layer.ndim
        else:
            layer.scale = np.asarray(layer.scale) * 1.2
        return nothing("move ours")

    def other_image(self) -> Meant:
        """Let another image in: dropped, a sample, another plugin's result."""
        size = self.at.random.choice(((300, 300), (1200, 1200), (100, 2000)))
        pixels = np.random.default_rng(0).integers(0, 255, size, np.uint8)
        layer = self.at.viewer.add_image(pixels, name="another image")
        self.at.later(lambda: self._take_out(layer))
        return nothing("other image")

    def _take_out(self, layer: Any) -> None:
        if layer in self.at.viewer.layers:
            self.at.viewer.layers.remove(layer)

    def replace_pixels(self) -> Meant | None:
        image = self.at.image
        if image is None:
            return None
        old = np.array(image.data)
        how = self.at.random.choice(("flip", "crop", "in place"))
        if how == "flip":
            image.data = old[::-1].copy()
        elif how == "crop":
            image.data = old[20:-20, 30:-10].copy()
        else:
            image.data[50:200, 50:200] = 255 - image.data[50:200, 50:200]
            image.refresh()
        self.at.later(lambda: self._open_again(image))
        return nothing("replace pixels")

    def _open_again(self, image: Any) -> None:
        self._take_out(image)
        self.at.settle()
        self.at.session.open_path(self.at.random.choice(self.at.paths))

    def turn_axes(self) -> Meant:
        dims = self.at.viewer.dims
        how = self.at.random.choice(("3D", "transpose", "roll"))
        if how == "3D":
            dims.ndisplay = 3
        elif how == "transpose":
            dims.transpose()
        else:
            dims.roll()
        self.at.later(self._flat)
        return nothing("turn axes")

    def _flat(self) -> None:
        self.at.viewer.dims.ndisplay = 2
        self.at.viewer.dims.order = tuple(range(self.at.viewer.dims.ndim))

    def duplicate_ours(self) -> Meant | None:
        """Duplicate one of our layers, as napari's menu does, and draw into the copy."""
        if self.at.session.layers is None:
            return None
        from napari.layers._layer_actions import _duplicate_layer

        ours = self.at.session.layers.bindings["polygons"].layer
        self.at.viewer.layers.selection = {ours}
        known = set(self.at.viewer.layers)
        _duplicate_layer(self.at.viewer.layers)
        for copy in set(self.at.viewer.layers) - known:
            self.at.later(lambda copy=copy: self._take_out(copy))
            self.at.viewer.layers.selection.active = copy
            self._draw_into(copy)
        return nothing("duplicate ours")

    def foreign_layer(self) -> Meant | None:
        if self.at.session.scan is None:
            return None
        layer = self.at.viewer.add_shapes(name="Shapes")
        self.at.later(lambda: self._take_out(layer))
        self._draw_into(layer)
        return nothing("foreign layer")

    def _draw_into(self, layer: Any) -> None:
        spot = self.at.spot(50)
        if spot is not None and self.at.image is not None:
            layer.mode = "add_polygon"
            self.at.hands.focus()
            self.at.hands.outline(self.at.image, self.at.ellipse(*spot, 40, 30, 5))

    def delete_ours(self) -> Meant | None:
        if self.at.session.layers is None:
            return None
        self.at.viewer.layers.remove(self.at.random.choice(self.at.session.layers.layers))
        return nothing("delete ours")

    def hide_ours(self) -> Meant | None:
        if self.at.session.layers is None:
            return None
        layers = self.at.session.layers
        if self.at.random.random() < 0.5:
            self.at.hands.focus()
            self.at.hands.key("H")
        else:
            layer = self.at.random.choice(layers.layers)
            layer.visible = False
        self.at.later(lambda: layers.set_visible(True))
        return nothing("hide ours")

    def label_keys(self) -> Meant | None:
        """Press napari's own keys on the masks; none of them is a stroke."""
        if self.at.session.layers is None:
            return None
        masks = self.at.session.layers.bindings["masks"].layer
        self.at.viewer.layers.selection.active = masks
        self.at.hands.focus()
        for _ in range(2):
            self.at.hands.key(
                self.at.random.choice(("M", "X", "Equal", "Minus", "3", "4", "5", "P", "B"))
            )
        return nothing("label keys")

    def all_frames(self) -> Meant | None:
        if self.at.session.layers is None:
            return None
        masks = self.at.session.layers.bindings["masks"].layer
        masks.n_edit_dimensions = masks.ndim
        masks.contiguous = not masks.contiguous
        return nothing("all frames")

    def delete_in_a_list(self) -> Meant | None:
        """Press Delete while the keys are in a list or a field, with a structure chosen."""
        from napari_fada.workstation.worklist.docking import show_worklist

        found = self.at.pick("polygon")
        if found is None:
            return None
        layer = self.at.session.layers.bindings["polygons"].layer
        self.at.session.reviewing.choose((found.uid,))
        self.at.viewer.layers.selection.active = layer
        dock = show_worklist(self.at.viewer)
        dock.table.setFocus()
        self.at.hands.turn(30)
        self.at.hands.key("Delete", target=dock.table)
        return nothing("delete in a list")

    def wrong_delete(self) -> Meant | None:
        """Select shapes and press napari's own keys for copying, pasting and locking of modes."""
        if self.at.session.layers is None:
            return None
        self.at.viewer.layers.selection.active = self.at.session.layers.bindings["boxes"].layer
        self.at.hands.focus()
        self.at.hands.key("Q")
        self.at.session.layers.bindings["boxes"].layer.selected_data = set()
        self.at.hands.key("Delete")
        return nothing("delete with nothing chosen")

    def other_program(self) -> Meant | None:
        """Let another rater write into the project, then press undo: his word stays."""
        from napari_fada.records.project import Project

        if self.at.session.scan is None or self.at.sha not in self.at.shas:
            return None
        sha, (x, y) = self.at.sha, (150.0, 150.0)
        shape = tuple(self.at.ellipse(x, y, 30, 20))
        new = Annotation("stomach", "polygon", shape, source="expert", status="accepted")
        with Project.open(self.at.session.project.path, rater="Ben") as project:
            (his,) = project.edit(sha, self.at.session.frame, add=[new], label="drawn").added
        self.at.session.project.poll()
        self.at.settle()
        self.at.said.clear()
        self.at.hands.focus()
        self.at.hands.key("Control-Z")
        self.at.settle()
        self.at.back[sha] = []
        if his.uid not in self.at.look().of(sha):
            return nothing("other program: what another rater did was taken back")
        other = self.at.sha
        # Undo may have gone back to the scan that was finished before, and left his alone.
        back = {other: Annotator(self.at).reopened(other)} if other not in ("", sha) else {}

        def check(before: Any, after: Any) -> str:
            if {u: a for u, a in after.items() if u != his.uid} == before:
                return ""
            past = self.at.steps.get(sha)
            same = past and by_people(past.pop().of(sha)) == by_people(after)
            return "" if same else "took back something else than her last act"

        return Meant("other program", sha, check, also=back)


OTHER = {
    "move_image": 3,
    "move_ours": 2,
    "other_image": 3,
    "replace_pixels": 2,
    "turn_axes": 2,
    "duplicate_ours": 1,
    "foreign_layer": 1,
    "delete_ours": 1,
    "hide_ours": 3,
    "label_keys": 3,
    "all_frames": 1,
    "delete_in_a_list": 2,
    "wrong_delete": 1,
    "other_program": 2,
}
"""How often each is done, against the others."""
