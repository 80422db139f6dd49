"""What is looked at before a review is closed: one list of checks, asked in one order.

No Qt in here. Whoever accepts a scan or the rest of a frame goes by :class:`Signing`; what speaks
against it is said, and nothing is accepted. Accepted once more, it goes on in spite of what was
said, unless that is to be mended first.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from napari_fada.errors import FadaError
from napari_fada.records import conflicts, linking, review
from napari_fada.records.completeness import missing_in_scan
from napari_fada.records.conflicts import Conflict
from napari_fada.records.edits import CLOSED
from napari_fada.records.history import WHOLE
from napari_fada.workstation.canvas import SHOWN, Way
from napari_fada.workstation.keys import KeyTable

if TYPE_CHECKING:
    from napari_fada.records.project import Project
    from napari_fada.workstation.session import Session


@dataclass(frozen=True)
class Closing:
    """What is to be accepted: all frames of the scan, or only the one that is shown."""

    session: Session
    sha256: str
    frame: int
    whole: bool

    @property
    def project(self) -> Project:
        """Where the scan is."""
        return self.session.project

    @cached_property
    def frames(self) -> list[int]:
        """The frames whose review is to be closed, the one that is shown first."""
        others = self.project.frames(self.sha256) if self.whole else []
        return [self.frame, *(f for f in others if f != self.frame)]

    @cached_property
    def reviews(self) -> dict[int, review.FrameReview]:
        """What stands on each of them."""
        return {f: review.frame_review(self.project, self.sha256, f) for f in self.frames}


@dataclass(frozen=True, slots=True)
class Objection:
    """What speaks against closing a review now.

    Parameters
    ----------
    text : str
        What is the matter and what can be done about it, in whole sentences.
    facts : hashable
        What it rests on: with other facts it is another objection and is said again.
    passes : bool
        Whether accepting once more goes on in spite of it. If not, it has to be mended.
    offers : tuple
        Buttons beside the text.
    """

    text: str
    facts: Hashable = ()
    passes: bool = True
    offers: tuple[Way, ...] = ()


Check = Callable[[Closing], Objection | None]


def scan_not_shown(closing: Closing) -> Objection | None:
    """Object where the canvas shows something else than the scan. Only mending ends that."""
    found = closing.session.canvas.found(closing.frames)
    if found is None:
        return None
    return Objection(f"{found.text} Nothing is accepted.", passes=False, offers=found.ways)


def being_read(closing: Closing) -> Objection | None:
    """Object while a run reads what is to be accepted: what it finds is not in the project yet."""
    at = closing.session.reviewing.signing.reading_now()
    if at is None or at[0] != closing.sha256 or not (closing.whole or at[1] == closing.frame):
        return None
    where = "here" if at[1] == closing.frame else f"on frame {at[1] + 1}"
    return Objection(
        f"A run goes on {where}, and what it finds is not in the project yet. Wait for its end, or "
        f"cancel it ({KeyTable()['cancel']}). Nothing is accepted.",
        passes=False,
    )


def changed_elsewhere(closing: Closing) -> Objection | None:
    """Show what another window has changed since the canvas was drawn, and object."""
    changed = closing.project.poll()  # what it finds is shown
    about = set(closing.frames) | ({WHOLE} if closing.whole else set())
    if not {frame for sha256, frame in changed if sha256 == closing.sha256} & about:
        return None
    return Objection(
        "Another window has just changed this scan; it is shown as it stands now. Look at it, and "
        "accept once more. Nothing is accepted yet.",
        facts=object(),  # the next change is another one
    )


def annotations_hidden(closing: Closing) -> Objection | None:
    """Show annotations that were hidden, and object: nobody has looked at them."""
    hidden = closing.session.canvas.uncover()
    return Objection(SHOWN) if hidden else None


def open_conflicts(closing: Closing) -> Objection | None:
    """Object where two raters disagree and nobody has decided. Only deciding ends that."""
    found = conflicts.open_conflicts(closing.project, closing.sha256)
    if not closing.whole:
        found = [c for c in found if c.frame == closing.frame]
    if not found:
        return None
    table = KeyTable()
    keys = ", ".join(table[name] for name in ("side_a", "side_b", "both_sides", "redraw"))
    raters = " and ".join(dict.fromkeys(r for c in found for r in (c.rater_a, c.rater_b) if r))
    show = closing.session.reviewing.signing.show_conflict
    first = found[0]
    offers = (("Decide now", "Show the first of them in FADA adjudicate", lambda: show(first)),)
    return Objection(
        f"{raters or 'Two raters'} disagree here, and it is not decided: "
        f"{conflicts.named(found)}. Decide it in FADA adjudicate ({keys}). Nothing is accepted.",
        passes=False,
        offers=offers,
    )


def required_fields(closing: Closing) -> Objection | None:
    """Object where a field that the project requires is empty."""
    if not closing.whole:
        return None
    missing = missing_in_scan(closing.project, closing.sha256, closing.frame)
    if not missing:
        return None
    at, keys = next(iter(missing.items()))
    names = ", ".join(key.replace("_", " ") for key in keys)
    where = "here" if at == closing.frame else f"on frame {at + 1}"
    more = f" ({len(missing) - 1} more frames lack something)" if len(missing) > 1 else ""
    return Objection(
        f"This project requires what is empty {where}: {names}{more}. Write it (F2), or accept "
        "once more to go on without it. Nothing is accepted yet.",
        facts=tuple(missing.items()),
    )


def boxes_apart(closing: Closing) -> Objection | None:
    """Object where a box lies off its outline, and nobody set it apart."""
    return _boxes_off(
        closing,
        linking.apart,
        "The box of {name}{where} lies {most:.0f} px off its outline{more}. A structure has one "
        "place: let the box follow, or accept once more to keep it (exports take the box around "
        "the outline). Nothing is accepted yet.",
    )


def boxes_in_doubt(closing: Closing) -> Objection | None:
    """Object where a box and an outline of a class meet, too little to be told as one."""
    return _boxes_off(
        closing,
        linking.meeting,
        "A box of {name}{where} lies {most:.0f} px off an outline of {name}{more}. One structure? "
        "Let the box follow. Two? Accept once more. Nothing is accepted yet.",
    )


def _boxes_off(closing: Closing, which: linking.Which, text: str) -> Objection | None:
    found = []
    for frame, shown in closing.reviews.items():
        off = which(shown.records, shown.unlinked)
        found += [(frame, outline.category, linking.distance(outline, box)) for outline, box in off]
    if not found:
        return None
    frame, name, most = max(found, key=lambda one: one[2])
    where = "" if frame == closing.frame else f" on frame {frame + 1}"
    more = f"; so do {len(found) - 1} more" if len(found) > 1 else ""
    frames = sorted({frame for frame, _, _ in found})
    follow = closing.session.reviewing.fit_boxes
    return Objection(
        text.format(name=name, where=where, most=most, more=more),
        facts=tuple(found),
        offers=(
            (
                "Let the boxes follow" if len(found) > 1 else "Let the box follow",
                "Put the box around the outline, here and on the other frames: one step of undo",
                lambda: follow(frames, which),
            ),
        ),
    )


def never_seen(closing: Closing) -> Objection | None:
    """Object where something would be accepted that was never on the screen."""
    if not closing.whole:
        return None  # it is on the screen now
    session = closing.session
    looks = dict(session.frames_seen.of_scan())
    states = closing.project.frame_states(closing.sha256)
    signed = {f for f, s in states.items() if s.unseen and s.review in CLOSED}  # asked then
    unseen = closing.project.unseen(closing.sha256, looks) - signed
    if not unseen:
        return None
    doing, first = session.reviewing, min(unseen)
    are = "frames was" if len(unseen) == 1 else "frames were"
    return Objection(
        f"{len(unseen)} of {len(closing.frames)} {are} never on the screen with what is to be "
        "accepted there. Look at them, accept only what you saw, or accept once more to take them "
        "unseen: the record will say so. Nothing is accepted yet.",
        facts=frozenset(unseen),
        offers=(
            ("Show the first", "Go to the first of them", lambda: session.go_to_frame(first)),
            ("Only what I saw", "Accept the other frames; these stay open", doing.accept_seen),
            ("Accept all", "Accept these, too, as never looked at", doing.accept_and_next),
        ),
    )


#: In the order in which they are asked: what is seen and stands as it is seen, what is disputed,
#: what does not fit together, what is missing, what nobody looked at.
CHECKS: tuple[Check, ...] = (
    *(scan_not_shown, being_read, changed_elsewhere, annotations_hidden, open_conflicts),
    *(boxes_apart, boxes_in_doubt, required_fields, never_seen),
)


class Signing:
    """The checks of one viewer's session, and what was said already.

    Parameters
    ----------
    session : Session
        Whose scan is accepted.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._told: dict[tuple[Check, bool], Objection] = {}
        self.show_conflict: Callable[[Conflict], object] = lambda _conflict: None
        """Opens a conflict where it is decided; the window sets it."""
        self.reading_now: Callable[[], tuple[str, int] | None] = lambda: None
        """Tells the scan and frame that a run reads now, if one goes on; the runner sets it."""
        session.scan_changed.connect(self.forget)
        session.frame_changed.connect(self.forget)
        session.review_changed.connect(self.forget)

    def may_close(self, *, whole: bool) -> bool:
        """Tell whether the scan, or the frame that is shown, can be accepted; else say why not."""
        session = self._session
        if session.scan is None:
            return True  # said by whoever accepts
        closing = Closing(session, session.scan.sha256, session.frame, whole)
        told, self._told = self._told, {}
        _withdraw(session, told)
        for check in CHECKS:
            try:
                objection = check(closing)
            except FadaError as error:
                session.say_error(error)
                return False
            if objection is None:
                continue
            known = told.get((check, whole))
            self._told[check, whole] = objection
            if not objection.passes or known is None or known.facts != objection.facts:
                self._say(objection)
                return False
        self._told = {}
        return True

    def forget(self, _frame: int = 0) -> None:
        """Forget what was said, and put its question away: it was about what was shown then."""
        told, self._told = self._told, {}
        _withdraw(self._session, told)

    def _say(self, objection: Objection) -> None:
        self._session.ask(objection.text, objection.offers)


def _withdraw(session: Session, told: Mapping[tuple[Check, bool], Objection]) -> None:
    for objection in told.values():
        if objection.offers:
            session.question_over.emit(objection.offers)
