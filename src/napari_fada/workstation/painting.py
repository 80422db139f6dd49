"""What the brush paints in one viewer: what is chosen, and nothing else without a word.

No Qt in here. Choosing a structure while the brush is in the hand, or taking the brush while one
is chosen, gives the brush that structure, and its class becomes the active one. So do napari's
own ways: the picker, a label that is typed, its keys for labels.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from psygnal import Signal

from napari_fada.records.annotation import Annotation
from napari_fada.records.structures import structures
from napari_fada.workstation import napari_private as private
from napari_fada.workstation import raster

if TYPE_CHECKING:
    from napari_fada.workstation.binding_labels import LabelsBinding
    from napari_fada.workstation.session import Session


class Painting:
    """Keeps brush, choice and active class together.

    Parameters
    ----------
    session : Session
        Whose masks are painted.
    """

    changed: ClassVar[Signal] = Signal()
    """The brush paints something else, or is put down."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._heard: weakref.WeakSet[Any] = weakref.WeakSet()

    def listen(self) -> None:
        """Hear what is chosen, and which layer is active."""
        session = self._session
        session.scan_changed.connect(self._on_scan)
        session.frame_changed.connect(lambda _frame: self.changed.emit())
        session.records_changed.connect(lambda: self.changed.emit())
        session.class_changed.connect(lambda _name: self.changed.emit())
        session.reviewing.selection_changed.connect(self._on_choice)
        session.viewer.layers.selection.events.active.connect(self._on_active)

    @property
    def _masks(self) -> LabelsBinding | None:
        layers = self._session.layers
        return layers.bindings["masks"] if layers is not None else None  # type: ignore[return-value]

    @property
    def in_hand(self) -> bool:
        """Whether the masks are the active layer."""
        masks = self._masks
        return masks is not None and self._session.viewer.layers.selection.active is masks.layer

    def words(self) -> str:
        """Return what the brush paints, empty if it is not in the hand."""
        what, place = self._what()
        if not what:
            return ""
        what += f" ({place[0]} of {place[1]})" if place else ""
        return (
            f"The brush erases (X: it paints {what})."
            if self.erases
            else (f"The brush paints {what}.")
        )

    def short(self) -> str:
        """Return the same in few letters."""
        what, place = self._what()
        if not what:
            return ""
        what = what.removeprefix("a ") + (f" {place[0]}/{place[1]}" if place else "")
        return "Brush erases" if self.erases else f"Brush: {what}"

    @property
    def erases(self) -> bool:
        """Whether the brush takes pixels away."""
        masks = self._masks
        return masks is not None and masks.layer.selected_label == 0

    def _what(self) -> tuple[str, tuple[int, int] | None]:
        """Return what is painted, and which of how many of its class on this frame."""
        masks = self._masks
        if masks is None or not self.in_hand:
            return "", None
        name, record = self._session.active_class, masks.painted()
        if record is None:
            return f"a new {name}", None
        mine = [r.uid for r in masks.outlines() if r.category == name]
        return name, (mine.index(record.uid) + 1, len(mine)) if len(mine) > 1 else None

    def _tell(self) -> None:
        self.changed.emit()
        session, masks = self._session, self._masks
        record = masks.painted() if masks is not None else None
        if record is not None and record.uid in session.locked:
            session.say(
                f"{record.category} is locked: the brush cannot change it. Unlock it first.",
                "warning",
            )
        elif words := self.words():
            session.say(words)

    # What the brush is given

    def pick_up(self) -> None:
        """Let the brush paint what is in the hand, also if it erased before."""
        masks = self._masks
        if masks is not None and masks.layer.selected_label == 0:
            self._give(self._session.active_class)

    def take(self, record: Annotation) -> None:
        """Let the brush paint a structure of the frame that is shown."""
        masks = self._masks
        if masks is not None:
            masks.brush.take(self._session.frame, record)
            self._give(record.category)

    def begin(self, category: str) -> None:
        """Let the brush begin another structure of a class; what was chosen no longer is."""
        masks = self._masks
        if masks is not None:
            masks.brush.begin(self._session.frame, category)
            if self._session.reviewing.selected:
                self._session.reviewing.choose(())
            self._give(category)

    def _give(self, category: str) -> None:
        masks = self._masks
        assert masks is not None
        self._session.active_class = category
        masks.take_label(category)
        self._tell()

    # Choice

    def _on_choice(self) -> None:
        if self.in_hand:
            self._take_chosen()

    def _on_active(self, _: object = None) -> None:
        if not self.in_hand:
            self.changed.emit()
        elif not self._take_chosen():
            self._tell()

    def _take_chosen(self) -> bool:
        """Give the brush what is chosen; False if nothing is that it could paint."""
        session, masks = self._session, self._masks
        chosen = set(session.reviewing.selected)
        here = structures(session.records.get(session.frame, [])) if chosen else []
        found = next((s for s in here if chosen & set(s.uids) and not s.rejected), None)
        if found is None or masks is None:
            return False
        outline = next((r for r in masks.outlines() if r.uid in found.uids), None)
        if outline is not None:
            masks.brush.take(session.frame, outline)
        else:  # a box or keypoints: the brush begins the outline
            masks.brush.begin(session.frame, found.category)
        self._give(found.category)
        return True

    # napari's own ways

    def _on_scan(self) -> None:
        masks = self._masks
        if masks is not None and masks not in self._heard:  # layers may go through many scans
            self._heard.add(masks)
            masks.layer.events.selected_label.connect(lambda *_, b=masks: self._on_label(b))
            masks.layer.events.mode.connect(lambda *_: self.changed.emit())
            self._bind_keys(masks.layer)
        self.changed.emit()

    def _on_label(self, masks: LabelsBinding) -> None:
        """Take the label that was picked, typed or reached with a key."""
        session = self._session
        if masks.busy or masks is not self._masks:
            return
        value, picked = int(masks.layer.selected_label), str(masks.layer.mode) == "pick"
        record, name = masks.structure_at(value), raster.class_of(value)
        if value == 0 and not picked:
            self._tell()
        elif record is not None:
            self.take(record)
            if picked:
                self.choose(record)
        elif value and name is not None and not picked:
            self.begin(name)
        else:
            masks.take_label(session.active_class)
            what = "Nothing lies there." if picked else f"No class has the label {value}."
            session.say(f"{what} {self.words()}")

    def choose(self, record: Annotation) -> None:
        """Choose the structure of an outline, with its box."""
        session = self._session
        here = structures(session.records.get(session.frame, []))
        uids = next((s.uids for s in here if record.uid in s.uids), (record.uid,))
        session.reviewing.choose(uids)

    def walk(self, step: int) -> None:
        """Let the brush paint the next structure of this frame, or the one before."""
        session, masks = self._session, self._masks
        if masks is None:
            return
        found, now = masks.outlines(), masks.painted()
        if not found:
            session.say("There is no outline on this frame to paint.")
            return
        uids = [r.uid for r in found]
        at = uids.index(now.uid) + step if now is not None else min(step, 0)
        self.take(found[at % len(found)])
        self.choose(found[at % len(found)])

    def erase(self) -> None:
        """Let the brush erase, or paint again."""
        masks = self._masks
        if masks is not None and masks.layer.selected_label != 0:
            masks.layer.selected_label = 0
        else:
            self.pick_up()

    def _bind_keys(self, layer: Any) -> None:
        """Let napari's keys for labels do with structures what they do with numbers."""
        session = self._session
        does: dict[str, Callable[[], object]] = {
            "new_label": lambda: self.begin(session.active_class),
            "increase_label_id": lambda: self.walk(1),
            "decrease_label_id": lambda: self.walk(-1),
            "swap_selected_and_background_labels": self.erase,
            "delete_selected_shapes": lambda: session.say(
                "The brush is in the hand. Press Q, then Delete removes what is chosen."
            ),
        }
        for name, act in does.items():
            for key in private.keys_of(name):
                layer.bind_key(key, lambda _layer, act=act: act(), overwrite=True)
