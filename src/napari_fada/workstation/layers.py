"""The layers of one scan, made together, shown together, removed together.

Four are edited and have a binding each; two only show lines (``companions``): the dashes of
proposals and what is locked, and what the model proposed where an expert has corrected it.

Our layers are recognised by a token in their metadata, never by name: a user may rename
them, and another layer may have the same name.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from napari_fada.records.annotation import Annotation
from napari_fada.workstation import napari_private as private
from napari_fada.workstation import shape_codec
from napari_fada.workstation.binding_labels import LabelsBinding
from napari_fada.workstation.binding_lines import Line, LinesBinding
from napari_fada.workstation.binding_points import PointsBinding
from napari_fada.workstation.binding_shapes import ShapesBinding
from napari_fada.workstation.desk import Desk, Records
from napari_fada.workstation.mask_frames import MaskFrames
from napari_fada.workstation.placing import Placing, place_of
from napari_fada.workstation.point_codec import FEATURES as POINT_FEATURES
from napari_fada.workstation.styles import (
    BOXES,
    KEYPOINTS,
    LOCKED,
    MARKS,
    MASKS,
    ORIGINAL,
    ORIGINALS,
    POLYGONS,
    PROPOSED,
    REJECTED,
    LinesStyle,
    is_proposal,
)

MARK = "napari_fada"
ROLES = ("masks", "boxes", "polygons", "keypoints")
COMPANIONS = ("originals", "marks")
OVER_SCAN = ("measurements", "conflict")
"""What lies on the scan for a while and is no record."""
TURN_MS = 8
"""After a layer was brought in step and after the canvas was drawn: keys and mouse are heard."""

Binding = ShapesBinding | PointsBinding | LabelsBinding


def role_of(layer: Any) -> str | None:
    """Return what a layer of ours is for: ``scan``, or of ROLES, COMPANIONS or OVER_SCAN."""
    mark = layer.metadata.get(MARK)
    return mark.get("token") if isinstance(mark, Mapping) else None


class LayerSet:
    """The layers of one scan and their bindings.

    Parameters
    ----------
    viewer : napari viewer or ViewerModel
        Gets the layers.
    image : napari Image layer
        The scan; our layers lie on it with the same scale and units.
    sha256 : str
        Of the scan.
    desk : Desk
        Takes the edits.
    """

    def __init__(self, viewer: Any, image: Any, sha256: str, desk: Desk) -> None:
        self._viewer_ref = weakref.ref(viewer)
        self.image = image
        made = _make_layers(image, desk.frame_shape, sha256)
        self.bindings: dict[str, Binding] = {
            "masks": LabelsBinding(made["masks"], desk),
            "boxes": ShapesBinding(made["boxes"], "box", BOXES, desk),
            "polygons": ShapesBinding(made["polygons"], "polygon", POLYGONS, desk),
            "keypoints": PointsBinding(made["keypoints"], desk),
        }
        self._desk = desk
        self.companions: dict[str, LinesBinding] = {
            "originals": LinesBinding(made["originals"], desk, self._beneath, ORIGINALS.width),
            "marks": LinesBinding(made["marks"], desk, self._marks, MARKS.width),
        }
        self.set_active_class(desk.active_class)
        self._open = True
        self._waiting: list[str] = []
        self._showing = False
        active = viewer.layers.selection.active
        for layer in made.values():
            viewer.layers.append(layer)
        viewer.layers.selection.active = active
        private.keep_shaders(viewer, made.values())
        private.mend_vectors(viewer, made.values())
        self._placing = Placing(image, made.values(), self._others, desk.say)

    @property
    def _viewer(self) -> Any:
        return self._viewer_ref()

    @property
    def layers(self) -> list[Any]:
        """All our layers, those that are edited first."""
        return [b.layer for b in self._all.values()]

    def layer(self, role: str) -> Any:
        """Return one of our layers."""
        return self._all[role].layer

    @property
    def _all(self) -> dict[str, Binding | LinesBinding]:
        return {**self.bindings, **self.companions}

    def _others(self) -> list[Any]:
        """Return what else of ours lies on the scan now: measurements, two raters' words."""
        return [x for x in self._viewer.layers if x not in self and role_of(x) in OVER_SCAN]

    def __contains__(self, layer: object) -> bool:
        return any(layer is mine for mine in self.layers)

    def is_whole(self) -> bool:
        """Tell whether all layers are still in the viewer (a user may delete one)."""
        return all(layer in self._viewer.layers for layer in self.layers)

    def show(self, records: Records, renamed: Mapping[str, str] | None = None) -> None:
        """Bring all layers in step with the records."""
        for binding in self._all.values():
            binding.show(records, renamed)

    def show_soon(self, records: Callable[[], Records]) -> None:
        """Bring the layers in step one after another, giving the event loop a turn between.

        Parameters
        ----------
        records : callable
            Asked when each layer's turn comes, so that none shows what is out of date.
        """
        self._waiting = list(self._all)

        def next_layer() -> None:
            if not (self._waiting and self._open):
                self._showing = False
                return
            binding = self._all[self._waiting.pop(0)]
            private.hold_canvas(self._viewer)
            try:
                binding.show(records())
            finally:
                private.later(draw, TURN_MS)

        def draw() -> None:
            private.hold_canvas(self._viewer, hold=False)
            private.later(next_layer, TURN_MS)

        if not self._showing:
            self._showing = True
            private.later(next_layer)

    @property
    def settled(self) -> bool:
        """Whether no layer is still to be brought in step."""
        return not self._waiting

    def turn_to(self, sha256: str) -> None:
        """Serve another scan of one frame, which the image layer shows already.

        Making a layer takes napari about 50 ms and taking one away 100 ms, so one set goes
        through a whole worklist. Nothing of the earlier scan stays: selections, strokes,
        napari's own undo.
        """
        self._waiting = []
        self._placing.follow()
        for role, binding in self._all.items():
            binding.layer.metadata = {MARK: {"token": role, "sha256": sha256}}
            binding.forget()

    def show_frame(self) -> None:
        """Draw the lines of the frame that is shown now."""
        for companion in self.companions.values():
            companion.show_frame()

    def _marks(self, _frame: int, records: Iterable[Annotation]) -> Iterable[Line]:
        for record in records:
            if is_proposal(record):
                yield record, PROPOSED
            if record.uid in self._desk.locked:
                yield record, LOCKED

    def _beneath(self, frame: int, _records: Iterable[Annotation]) -> Iterable[Line]:
        yield from ((record, ORIGINAL) for record in self._desk.originals(frame))
        yield from ((record, REJECTED) for record in self._desk.rejected(frame))

    def set_active_class(self, name: str) -> None:
        """Give what is drawn next this class."""
        for binding in self.bindings.values():
            binding.set_active_class(name)

    def scale_texts(self, factor: float) -> None:
        """Write class names and names of points at this multiple of their usual size."""
        for role, style in (("boxes", BOXES), ("polygons", POLYGONS), ("keypoints", KEYPOINTS)):
            text = self.bindings[role].layer.text
            if text.size != style.text_size * factor:
                text.size = style.text_size * factor

    def finish_drawing(self) -> None:
        """End whatever is being drawn in any layer."""
        for binding in self.bindings.values():
            binding.finish_drawing()

    def active_binding(self) -> Binding | None:
        """Return the binding of the layer that is active in the viewer, if it is ours."""
        active = self._viewer.layers.selection.active
        return next((b for b in self.bindings.values() if b.layer is active), None)

    def selected_uids(self) -> list[str]:
        """Return the uids selected in the active layer."""
        binding = self.active_binding()
        return binding.selected_uids() if binding else []

    def select(self, uids: Iterable[str]) -> None:
        """Select records in the layers that show them; one of these becomes the active layer.

        A brush that is in the hand stays there.
        """
        chosen = set(uids)
        holding = []
        for role in ("polygons", "boxes", "keypoints"):
            binding: Any = self.bindings[role]
            if binding.select_records(chosen):
                holding.append(binding.layer)
        selection = self._viewer.layers.selection
        masks = self.bindings["masks"].layer
        painting = selection.active is masks and str(masks.mode) != "pan_zoom"
        if holding and selection.active not in holding and not painting:
            selection.active = holding[0]

    def set_visible(self, visible: bool) -> None:
        """Show or hide all our layers."""
        for layer in self.layers:
            layer.visible = visible

    def remove(self, *, soon: bool = False) -> None:
        """Take the layers out of the viewer; the records stay in the project.

        Parameters
        ----------
        soon : bool
            Not at once: napari is just taking layers away, maybe these, too.
        """
        self._open = False
        self._placing.close()
        for binding in self._all.values():
            binding.close()
        private.keep_buffers(self._viewer, self.layers)
        if soon:  # Qt holds a method by its object weakly, and nobody else keeps this one now
            private.later(partial(LayerSet._take_out, self))
        else:
            self._take_out()

    def _take_out(self) -> None:
        viewer = self._viewer
        if viewer is None:
            return
        with private.one_scene_update(viewer):
            for layer in self.layers:
                if layer in viewer.layers:
                    viewer.layers.remove(layer)


def _make_layers(image: Any, frame_shape: tuple[int, int], sha256: str) -> dict[str, Any]:
    from napari.layers import Labels, Points, Shapes, Vectors

    ndim = image.ndim
    place = place_of(image)

    def common(role: str) -> dict[str, Any]:
        return {**place, "metadata": {MARK: {"token": role, "sha256": sha256}}}

    pixels: Any = np.zeros(frame_shape, np.uint16)
    if ndim == 3:
        pixels = MaskFrames((int(image.data.shape[0]), *frame_shape))
    masks = Labels(pixels, name=MASKS.name, opacity=MASKS.opacity, **common("masks"))

    def lines(role: str, style: LinesStyle) -> Any:
        return Vectors(
            np.empty((0, 2, ndim)),
            ndim=ndim,
            name=style.name,
            vector_style="line",
            opacity=1.0,
            **common(role),
        )

    out: dict[str, Any] = {"masks": masks, "originals": lines("originals", ORIGINALS)}
    for role, style in (("boxes", BOXES), ("polygons", POLYGONS)):
        out[role] = Shapes(
            ndim=ndim,
            name=style.name,
            features=shape_codec.features_of([]),
            text=style.text(ndim),
            opacity=1.0,
            **common(role),
        )
    out["keypoints"] = Points(
        ndim=ndim,
        name=KEYPOINTS.name,
        features={name: np.empty(0, dtype=object) for name in POINT_FEATURES},
        text=KEYPOINTS.text(ndim),
        border_width=KEYPOINTS.border_width,
        **common("keypoints"),
    )
    out["marks"] = lines("marks", MARKS)
    return out


def count_by_class(records: Iterable[Annotation]) -> dict[str, int]:
    """Return how many records there are of each class."""
    counts: dict[str, int] = {}
    for record in records:
        counts[record.category] = counts.get(record.category, 0) + 1
    return counts
