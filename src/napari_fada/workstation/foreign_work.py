"""Work in layers that nothing keeps: said once, with an offer to take it into the scan.

A layer of napari's own, made with its buttons or as a copy of one of ours, looks like ours and
has nothing to do with the project.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_fada.records.rows import Act
from napari_fada.workstation import napari_private as private
from napari_fada.workstation.desk import Busy
from napari_fada.workstation.foreign_layers import KINDS, Found, Piece, Reader, keys_of
from napari_fada.workstation.layers import COMPANIONS, ROLES, role_of
from napari_fada.workstation.mask_frames import MaskFrames
from napari_fada.workstation.scan_layers import disown

if TYPE_CHECKING:
    from napari_fada.workstation.session import Session

TYPES = {
    **{"masks": "Labels", "boxes": "Shapes", "polygons": "Shapes", "keypoints": "Points"},
    **dict.fromkeys(COMPANIONS, "Vectors"),
    **dict.fromkeys(("measurements", "conflict"), "Shapes"),
}
"""Of our layers, by what they are for: one that was converted is ours no longer."""


class ForeignWork:
    """Watches the layers of one viewer that are not ours.

    Parameters
    ----------
    session : Session
        Whose scan is annotated.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._watched: weakref.WeakKeyDictionary[Any, _Layer] = weakref.WeakKeyDictionary()
        for layer in session.viewer.layers:
            self._watch(layer)
        session.viewer.layers.events.inserted.connect(lambda event: self._watch(event.value))
        session.scan_changed.connect(self._on_scan)

    def _watch(self, layer: Any) -> None:
        copied = self._is_copy(layer)
        if copied:
            disown(layer)
        if type(layer).__name__ not in KINDS or role_of(layer) is not None:
            return
        self._watched[layer] = _Layer(layer, self._session, copied=copied)
        if copied and self._session.scan is not None:
            self._session.say(
                f"“{layer.name}” is a copy: it shows what was there, and what is changed in it is "
                "not kept."
            )

    def _is_copy(self, layer: Any) -> bool:
        """Tell whether a layer came by our mark with what it was copied or made from."""
        role, layers = role_of(layer), self._session.layers
        if role not in TYPES:  # the scan itself, and what is not ours
            return False
        mine = (*ROLES, *COMPANIONS)
        doubled = layers is not None and role in mine and layer not in layers
        parent = layer.source.parent is not None
        return parent or doubled or type(layer).__name__ != TYPES[role]

    def _on_scan(self) -> None:
        for watched in list(self._watched.values()):
            watched.begin()


class _Layer:
    """What was drawn in one layer since the scan was opened, or the layer came."""

    def __init__(self, layer: Any, session: Session, *, copied: bool) -> None:
        self._layer, self._session = weakref.ref(layer), session
        self._copied = copied  # of our masks: what was there is no work
        self._kind = type(layer).__name__
        self._busy = Busy()
        self._told = False
        self._asked: tuple[Any, ...] = ()
        self._before: set[Hashable] = set()
        self._plane: Any = None
        self._drawn: dict[Hashable, Piece] = {}
        self.begin()
        if self._kind == "Labels":
            layer.events.paint.connect(lambda *_: private.later(self._look))
            return
        layer.events.data.connect(self._on_data)
        if self._kind == "Shapes":  # what is pasted tells of its features only
            layer.events.features.connect(lambda *_: private.later(self._look))

    @property
    def layer(self) -> Any:
        return self._layer()

    def begin(self) -> None:
        """Take what is there for what was there before."""
        asked, self._asked, self._told = self._asked, (), False
        if asked:
            self._session.question_over.emit(asked)
        self._drawn.clear()
        layer = self.layer
        if layer is None:
            return
        if self._kind != "Labels":
            self._before = set(keys_of(layer))
        elif self._copied and layer.ndim == 2:
            self._plane = np.array(layer.data)

    def _on_data(self, event: Any) -> None:
        action = str(getattr(event.action, "value", event.action))
        if action in ("added", "changed"):
            self._look()

    def _look(self) -> None:
        """Note what is new, and tell of the first of it."""
        layer, session = self.layer, self._session
        here = layer is not None and layer in session.viewer.layers
        if self._busy or not here or session.scan is None:
            return
        if self._kind == "Labels":
            self._look_at_labels(layer)
        else:
            present = keys_of(layer)
            for key in present:
                if key not in self._before and key not in self._drawn:
                    self._drawn[key] = Piece(key, session.frame)
            for key in self._drawn.keys() - set(present):
                del self._drawn[key]
        if self._drawn and not self._told:
            self._told = True
            self._ask(
                f"What is drawn in “{layer.name}” is not kept: it is no layer of the scan. Take "
                "it into the scan, as annotations of the class that is active?"
            )

    def _ask(self, text: str) -> None:
        take = "What was drawn becomes annotations of the class that is active then"
        leave = "It stays in its layer and is not kept"
        self._asked = (
            ("Take it into the scan", take, self.take),
            ("Leave it", leave, lambda: None),
        )
        self._session.ask(text, self._asked)

    def _look_at_labels(self, layer: Any) -> None:
        """Note the label that was just painted, on the frames that it may have reached."""
        value = int(layer.selected_label)
        if value == 0 or str(layer.mode) == "erase":
            return
        frames = [-1]
        if layer.ndim == 3:
            at = round(float(layer.world_to_data(self._session.viewer.dims.point)[0]))
            frames = [at] if layer.n_edit_dimensions < 3 else list(range(layer.data.shape[0]))
        for frame in frames:
            key = (frame, value)
            before = self._plane if frame < 0 else None
            if self._copied and isinstance(layer.data, MaskFrames):
                before = layer.data.draw(frame)
            before = None if before is None else before == value
            self._drawn[key] = Piece(key, self._session.frame, frame, value, before)

    def take(self) -> None:
        """Make annotations of what was drawn; what became one leaves the layer."""
        session, layer = self._session, self.layer
        self._asked = ()
        if session.scan is None or layer is None:
            return
        reader = Reader(
            *(layer, session.image, session.frame_shape, session.active_class, session.rater),
            session.find,
        )
        found = reader.read(self._pieces(layer))
        if not found.pieces and found.words:
            self._ask(" ".join(found.words))
            return
        self._told = False  # what is drawn later is told again
        if found.pieces and not self._commit(found):
            return
        with self._busy():
            self._remove(layer, found)
        words = []
        if found.add:
            self._turn_to(found)
            count = sum(map(len, found.add.values()))
            words.append(f"{count} taken into the scan as {session.active_class}.")
        if found.replace:
            words.append(f"{sum(map(len, found.replace.values()))} corrected.")
        session.say(" ".join([*words, *found.words]) or "Nothing was drawn there.")

    def _pieces(self, layer: Any) -> list[Piece]:
        if self._kind == "Labels":
            return [p for p in self._drawn.values() if p.value]
        present = keys_of(layer)
        return [
            Piece(key, self._drawn[key].frame, index)
            for index, key in enumerate(present)
            if key in self._drawn
        ]

    def _commit(self, found: Found) -> bool:
        session = self._session
        assert session.scan is not None
        frames = sorted({*found.add, *found.replace})
        if not session.canvas.shows_scan(*frames):
            return False
        sha256, label = session.scan.sha256, f"taken from “{self.layer.name}”"
        acts = [
            Act(
                *(frame, tuple(found.add.get(frame, ())), found.replace.get(frame, {}), ()),
                label=label,
            )
            for frame in frames
        ]
        return session.carry_out(partial(session.project.act, sha256, *acts))

    def _remove(self, layer: Any, found: Found) -> None:
        if self._kind == "Labels":
            for piece in found.pieces:
                plane = layer.data[piece.index] if layer.ndim == 3 else layer.data
                gone = np.asarray(plane) == piece.value
                if piece.before is not None:
                    gone &= ~piece.before
                plane[gone] = 0
            layer.refresh()
        else:
            layer.selected_data = {piece.index for piece in found.pieces}
            layer.remove_selected()
        for piece in found.pieces:
            self._drawn.pop(piece.key, None)

    def _turn_to(self, found: Found) -> None:
        """Make the layer active in which the same is kept."""
        layers = self._session.layers
        kinds = {r.kind for new in found.add.values() for r in new}
        role = {"box": "boxes", "polygon": "polygons", "keypoints": "keypoints"}
        if layers is not None:
            layer = layers.layer(role[next(iter(kinds))])
            self._session.viewer.layers.selection.active = layer
