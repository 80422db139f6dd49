"""Which structures a tool works on.

The selection; else what lies under the cursor; else the only one that can be meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shapely import Point as ShapelyPoint

from napari_fada.records.annotation import Annotation, Point
from napari_fada.records.edits import locked_uids
from napari_fada.records.geometry import area, to_shapely
from napari_fada.workstation.coordinates import from_layer
from napari_fada.workstation.session import Session

NONE = "Select a structure first, or point at it and press the key."


def here(session: Session, *kinds: str) -> list[Annotation]:
    """Return the structures of these kinds on the frame that is shown."""
    return [r for r in session.records.get(session.frame, []) if r.kind in kinds]


def selected(session: Session, *kinds: str) -> list[Annotation]:
    """Return the structures of these kinds that are selected in the active layer.

    With the brush in the hand those that are chosen: what it happens to paint is no selection.
    """
    layers = session.layers
    if layers is None:
        return []
    uids = list(session.chosen) if session.painting.in_hand else layers.selected_uids()
    return sorted(
        (r for r in here(session, *kinds) if r.uid in uids), key=lambda r: uids.index(r.uid)
    )


def chosen(session: Session, *kinds: str) -> list[Annotation]:
    """Return the structures that a tool is to work on; none are left out silently."""
    found = selected(session, *kinds)
    if not found:
        all_here = here(session, *kinds)
        under = at(all_here, cursor(session))
        mine = [r for r in all_here if r.category == session.active_class]
        found = [under] if under else mine if len(mine) == 1 else all_here
        if len(found) != 1:
            session.say(NONE if all_here else f"There is no {' or '.join(kinds)} on this frame.")
            return []
    return unlocked(session, found)


def unlocked(session: Session, records: Iterable[Annotation]) -> list[Annotation]:
    """Return the records that are not locked; say which are."""
    records = list(records)
    if session.scan is None or not records:
        return []
    locked = locked_uids(session.project.state(session.scan.sha256, session.frame))
    held = [r.category for r in records if r.uid in locked]
    if held:
        session.say(f"{', '.join(held)} is locked and was not changed. Unlock it first.", "warning")
    return [r for r in records if r.uid not in locked]


def at(records: Sequence[Annotation], point: Point | None) -> Annotation | None:
    """Return the smallest structure that a point lies in."""
    if point is None:
        return None
    inside = [r for r in records if to_shapely(r).covers(ShapelyPoint(point))]
    return min(inside, key=area, default=None)


def cursor(session: Session) -> Point | None:
    """Return where the mouse is on the scan, in the records' coordinates."""
    if session.scan is None or session.image is None:
        return None
    position = session.viewer.cursor.position
    if len(position) < session.image.ndim:
        return None
    return from_layer([session.image.world_to_data(position)])[0]
