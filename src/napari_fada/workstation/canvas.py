"""What is shown is what is recorded: one place that says whether the canvas shows the scan.

Everything that records or judges asks here first: edits, acceptance, runs. What stands in the
way is said, with a way out; nothing is recorded before it is out of the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from napari_fada.workstation import napari_private as private
from napari_fada.workstation import scan_layers
from napari_fada.workstation.covering import has_blank_shapes, hiding, is_seen, other_images
from napari_fada.workstation.desk import Busy
from napari_fada.workstation.layer_pixels import LayerPixels
from napari_fada.workstation.layers import role_of
from napari_fada.workstation.styles import is_proposal

Way = tuple[str, str, Callable[[], object]]
"""Label, tooltip, and what it does."""

NAMES = {
    "boxes": "boxes",
    "polygons": "outlines",
    "keypoints": "keypoints",
    "marks": "dashes of proposals",
}


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why the canvas does not show the scan as it is, and the ways out."""

    short: str
    text: str
    ways: tuple[Way, ...] = field(default=(), compare=False)


LOST = Hindrance("", "The pixels of the scan's layer were changed.")
SHOWN = (
    "Annotations were hidden: they are shown now, and nothing is accepted yet. Look at them, then "
    "accept again."
)


def frame_not_shown(viewer: Any) -> Hindrance | None:
    """Return what keeps a frame from being seen as one: a view in 3D, or along other axes.

    Rows and columns may change places: a frame is still one then.
    """
    dims = viewer.dims

    def show_frames() -> None:
        dims.ndisplay, dims.order = 2, tuple(range(dims.ndim))

    way = (("Show frames", "The usual view: two axes, rows and columns", show_frames),)
    if dims.ndisplay != 2:
        return Hindrance(
            "3D view: nothing is recorded", "In the 3D view no frame can be edited.", way
        )
    if sorted(dims.displayed) != [dims.ndim - 2, dims.ndim - 1]:
        return Hindrance(
            "No frame is shown: nothing is recorded",
            "The axes are rolled: what is shown is no frame, but a cut through the clip.",
            way,
        )
    return None


class Canvas:
    """What one viewer shows of the scan in review.

    Parameters
    ----------
    session : Session
        Whose scan it is.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._pixels: LayerPixels | None = None
        self._image: Any = None
        self._asked: tuple[Way, ...] = ()
        self._word = private.CanvasText(session.viewer)
        self._busy = Busy()
        self._lost = self._settling = False
        self._hide_key = ""
        layers = session.viewer.layers
        layers.events.inserted.connect(self._on_inserted)
        layers.events.removed.connect(self.look)
        layers.events.reordered.connect(self._on_reordered)
        private.grid(session.viewer).events.enabled.connect(self.look)
        session.viewer.dims.events.ndisplay.connect(self.look)
        session.viewer.dims.events.order.connect(self.look)
        for layer in layers:
            self._listen(layer)
        session.records_changed.connect(self.look)
        session.frame_changed.connect(self.look)

    def name_key(self, key: str) -> None:
        """Say which key hides and shows annotations now."""
        self._hide_key = key
        self.look()

    @property
    def text(self) -> str:
        """What is written on the canvas now."""
        return self._word.text

    # What is asked

    def shows_scan(self, *frames: int) -> bool:
        """Tell whether the scan is what the canvas shows; if not, say why and offer a way out.

        Parameters
        ----------
        *frames : int
            Frames that are written about, besides the one that is shown.
        """
        return self.ask(frames, "Nothing was recorded.")

    def ask(
        self, frames: Iterable[int] = (), so: str = "Until that is settled nothing is recorded."
    ) -> bool:
        """Say what keeps the scan from being seen, with ways out; True if nothing does."""
        found = self.found(frames)
        if found is not None and found is not LOST:  # that is said when the scan was closed
            self._session.ask(f"{found.text} {so}", found.ways)
        return found is None

    def found(self, frames: Iterable[int] = ()) -> Hindrance | None:
        """Return why the canvas does not show the scan; its question ends with its reason."""
        if not self.same_pixels(frames):
            return LOST
        found = self.hindrance() if not self._settling else None
        if found is not None:
            self._withdraw()
            self._asked = found.ways
        return found

    def shows_annotations(self) -> bool:
        """Tell whether all that would be accepted can be seen; else show it and say so."""
        hidden = self.uncover()
        if hidden:
            self._session.say(SHOWN, "warning")
        return not hidden

    def uncover(self) -> list[str]:
        """Show what is hidden of the annotations; returns which of our layers that were."""
        hidden, layers = self.hidden(), self._session.layers
        with self._busy():
            if hidden and not any(is_seen(layer) for layer in layers.layers):
                layers.set_visible(True)  # as the key does that hid them
            for role in hidden:
                self._show(role)
        if hidden:
            self.look()
        return hidden

    def hindrance(self) -> Hindrance | None:
        """Return what keeps the scan from being seen as it is, if anything does."""
        session, image = self._session, self._session.image
        viewer = session.viewer
        if session.scan is None or image not in viewer.layers:
            return None
        name = session.scan.name
        grid = private.grid(viewer)
        if grid.enabled:
            return Hindrance(
                "Grid view: annotations do not lie on the scan",
                "Grid view lays the layers side by side, so that annotations do not lie on the "
                "scan.",
                (("Turn grid view off", "", lambda: setattr(grid, "enabled", False)),),
            )
        if (turned := frame_not_shown(viewer)) is not None:
            return turned
        margins = (*viewer.dims.margin_left, *viewer.dims.margin_right)
        if image.ndim > 2 and any(margins) and str(image.projection_mode) != "none":
            return Hindrance(
                "Thick slices: several frames are shown at once",
                f"{name} is shown in thick slices, several frames at once.",
                (("Show single frames", "", lambda: setattr(image, "projection_mode", "none")),),
            )
        if not is_seen(image):
            return Hindrance(
                "The scan is hidden",
                f"The scan {name} is hidden.",
                (("Show it", "Show the layer of the scan", lambda: self._show_layer(image)),),
            )
        over = hiding(viewer, image)
        if not over:
            return None
        names = ", ".join(f"“{layer.name}”" for layer in over)
        can_be_scan = [x for x in other_images(viewer, image) if scan_layers.may_be_scan(x)][-1:]
        ways: list[Way] = [
            (
                f"Hide {names}" if len(over) == 1 else f"Hide {len(over)} layers",
                "See the scan that is annotated",
                lambda: self._hide(over),
            )
        ]
        ways += [
            (f"Work on “{x.name}”", "Take it as the scan", partial(session.use_layer, x))
            for x in can_be_scan
        ]
        covers = "cover" if len(over) > 1 else "covers"
        return Hindrance(
            f"{names} {covers} the scan: nothing is recorded",
            f"{names} {covers} {name}, the scan that is annotated.",
            tuple(ways),
        )

    def hidden(self) -> list[str]:
        """Return which of our layers hold something of this scan and cannot be seen.

        Masks are outlines once more: they may be hidden while the outlines are seen.
        """
        session = self._session
        if session.layers is None or not session.layers.is_whole():
            return []
        records = [r for found in session.records.values() for r in found]
        kinds = {r.kind for r in records}
        holding = [
            role
            for role, kind in (
                ("boxes", "box"),
                ("polygons", "polygon"),
                ("keypoints", "keypoints"),
            )
            if kind in kinds
        ]
        if any(is_proposal(r) or r.uid in session.locked for r in records):
            holding.append("marks")
        layers = {role: session.layers.layer(role) for role in holding}
        return [r for r, layer in layers.items() if not is_seen(layer) or has_blank_shapes(layer)]

    # The pixels

    def follow(self, image: Any, pixels: LayerPixels | None) -> None:
        """Look after the layer of another scan; None: there is no scan now.

        Parameters
        ----------
        image : napari Image layer or None
            The scan.
        pixels : LayerPixels, optional
            What it shows.
        """
        if self._image is not None:
            self._image.events.data.disconnect(self._on_pixels)
            self._image.events.set_data.disconnect(self._on_pixels)
            self._image.events.scale.disconnect(self._on_scale)
            self._image.events.units.disconnect(self._on_scale)
        self._image, self._pixels, self._lost = image, pixels, False
        self._withdraw()
        if image is not None:
            image.events.data.connect(self._on_pixels)
            image.events.set_data.connect(self._on_pixels)
            image.events.scale.connect(self._on_scale)
            image.events.units.connect(self._on_scale)
        self.look()

    def same_pixels(self, frames: Iterable[int] = ()) -> bool:
        """Tell whether the scan's layer has the pixels that it was taken with; else close it."""
        session = self._session
        if self._lost:
            return False
        if self._pixels is None or session.scan is None or self._busy:
            return True
        if self._pixels.are_shown(session.image, {session.frame, *frames}):
            return True
        self._lost = True
        private.later(self._close_lost)
        return False

    def _on_pixels(self, _event: Any = None) -> None:
        self.same_pixels()

    def _on_scale(self, _event: Any = None) -> None:
        self._session.rescale()

    def _close_lost(self) -> None:
        """Close a scan whose layer shows other pixels now; what was recorded stays recorded."""
        session = self._session
        if not self._lost or session.scan is None:
            return
        scan, image = session.scan, session.image
        session.lose_scan()
        ways: list[Way] = [
            (
                f"Work on “{image.name}” as it is",
                "Take the changed pixels as a scan of its own",
                lambda: session.use_layer(image),
            )
        ]
        self._asked = (*self._open_again(scan), *ways)
        session.ask(
            f"The pixels of “{image.name}” were changed: it no longer shows {scan.name}, which "
            "was closed. Its annotations are kept; nothing more goes to it. Open it again, or "
            "choose the layer to work on the changed pixels as a scan of its own.",
            self._asked,
        )

    def tell_gone(self, scan: Any, image: Any) -> None:
        """Say that the layer of the scan was taken away, and how to go on."""
        self._session.ask(
            f"“{image.name}” was the layer of {scan.name}, which is closed now. Its annotations "
            "are kept in the project: open it again to go on.",
            self._open_again(scan),
        )

    def _open_again(self, scan: Any) -> tuple[Way, ...]:
        if scan.path is None:
            return ()
        show = partial(self._session.open_path, scan.path)
        return ((f"Open {scan.name}", "Show the file", show),)

    # Order and what is hidden

    def exactly_one(self, image: Any) -> None:
        """Let the scan be seen, and no other image over or around it."""
        with self._busy():
            for other in other_images(self._session.viewer, image):
                other.visible = False
            self._show_layer(image)
        self.look()

    def look(self, _event: Any = None) -> None:
        """Write on the canvas what its reader has to know: that something covers or is hidden."""
        if self._busy:
            return
        session = self._session
        still = session.image is not None and session.image.ndim == 2
        private.show_sliders(session.viewer, shown=not still)
        word = ""
        found = self.hindrance() if session.scan is not None else None
        if found is not None:
            word = found.short
        elif session.scan is not None and (hidden := self.hidden()):
            word = self._hidden_word(hidden)
        self._word.show(word)
        if found is None and session.scan is not None:
            self._withdraw()

    def _hidden_word(self, hidden: list[str]) -> str:
        session = self._session
        mine = session.layers.layers
        if not any(is_seen(layer) for layer in mine):
            key = f", {self._hide_key} shows them" if self._hide_key else ""
            return f"Annotations hidden{key}"
        named = [NAMES[role] for role in hidden]
        return f"Hidden: {', '.join(named)}"

    def _on_inserted(self, event: Any) -> None:
        self._listen(event.value)
        layers = self._session.layers
        if layers is not None and role_of(event.value) is None:
            self._settling = True  # what was begun was begun on the scan, before this came
            try:
                layers.finish_drawing()
            finally:
                self._settling = False
        self._on_reordered()

    def _listen(self, layer: Any) -> None:
        layer.events.visible.connect(self.look)
        layer.events.opacity.connect(self.look)
        layer.events.projection_mode.connect(self.look)

    def _on_reordered(self, _event: Any = None) -> None:
        """Keep the scan beneath its annotations."""
        session = self._session
        layers, image = session.viewer.layers, session.image
        if image is None or session.layers is None or image not in layers or self._busy:
            return
        mine = [layers.index(x) for x in session.layers.layers if x in layers]
        at = layers.index(image)
        if mine and at > min(mine):
            with self._busy():
                layers.move(at, min(mine))
            session.say("The scan lies beneath its annotations and was put back there.")
        self.look()

    def _show(self, role: str) -> None:
        layer = self._session.layers.layer(role)
        self._show_layer(layer)
        if has_blank_shapes(layer):
            self._session.layers.bindings[role].repaint()

    def _show_layer(self, layer: Any) -> None:
        layer.visible = True
        if not is_seen(layer):
            layer.opacity = 1.0

    def _hide(self, layers: Iterable[Any]) -> None:
        for layer in layers:
            layer.visible = False

    # Questions

    def _withdraw(self) -> None:
        asked, self._asked = self._asked, ()
        if asked:
            self._session.question_over.emit(asked)
