"""Review in one viewer: which structures are chosen, and what is judged about them.

No Qt in here. The rules are in ``records.review``; this says what was done, keeps list and
layers on the same choice, and moves on to the next scan.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from psygnal import Signal

from napari_fada.records import linking, review
from napari_fada.records.annotation import Annotation
from napari_fada.records.edits import LOCK
from napari_fada.records.linking import UNLINKED
from napari_fada.records.pending import Pending, WaitingReport, WaitingRule
from napari_fada.records.rows import Edit
from napari_fada.records.staleness import stale_phases
from napari_fada.records.waiting import over_records
from napari_fada.workstation.desk import Busy
from napari_fada.workstation.signing import Signing

if TYPE_CHECKING:
    from napari_fada.records.reading import Mapping as Classes
    from napari_fada.records.reading import Phase
    from napari_fada.workstation.session import Session

SELECTABLE = ("boxes", "polygons", "keypoints")


class Reviewing:
    """What one viewer's session knows and does about review.

    Parameters
    ----------
    session : Session
        Whose scan is reviewed.
    """

    selection_changed: ClassVar[Signal] = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self.selected: tuple[str, ...] = ()
        self.locked: frozenset[str] = frozenset()
        self.signing = Signing(session)
        self.originals_shown = False
        self.rejected_shown = False
        self._heard: weakref.WeakSet[Any] = weakref.WeakSet()
        self._roots: dict[str, Annotation | None] = {}
        self._busy = Busy()
        session.scan_changed.connect(self._on_scan)
        session.frame_changed.connect(lambda _frame: self.choose(()))

    # What there is

    def follow(self, renamed: Mapping[str, str]) -> None:
        """Follow the chosen records to those that took their place, and see what is locked."""
        session = self._session
        assert session.scan is not None
        sha256 = session.scan.sha256
        locked = frozenset(session.project.cells_named(sha256, LOCK))
        self.locked = self._pending.over_locked(sha256, locked)
        now = [renamed.get(uid, uid) for uid in self.selected]
        gone = {uid for uid in now if session.find(uid) is None}
        if gone:  # what was rejected just now is no longer chosen: the next act is not about it
            gone -= {a.uid for a in self._all_rejected(session.frame)} - set(renamed.values())
        self.selected = tuple(uid for uid in now if uid not in gone)

    def _all_rejected(self, frame: int) -> list[Annotation]:
        session = self._session
        if session.scan is None:
            return []
        sha256 = session.scan.sha256
        found = session.project.annotations(sha256, frame, include_rejected=True)
        apart = session.project.cells_named(sha256, UNLINKED) if self._pending.waiting else {}
        shown = over_records(self._pending.waiting, sha256, frame, found, apart)
        return [a for a in shown if a.status == "rejected"]

    def scan_review(self) -> review.ScanReview:
        """Return how far the review of the scan is."""
        session = self._session
        if session.scan is None:
            return review.ScanReview()
        sha256 = session.scan.sha256
        return self._pending.over_scan(sha256, review.scan_review(session.project, sha256))

    def frame_review(self) -> review.FrameReview:
        """Return the structures of the frame that is shown."""
        session = self._session
        if session.scan is None:
            return review.FrameReview()
        at = (session.scan.sha256, session.frame)
        return self._pending.over_frame(*at, review.frame_review(session.project, *at))

    @property
    def _pending(self) -> Pending:
        return self._session.safety.pending

    def stale(self) -> dict[Phase, str]:
        """Return the phases of the frame that are out of date, each with why."""
        session = self._session
        if session.scan is None:
            return {}
        return stale_phases(session.project.state(session.scan.sha256, session.frame))

    def rejected(self, frame: int) -> list[Annotation]:
        """Return the rejected structures that are to be seen on the canvas."""
        return self._all_rejected(frame) if self.rejected_shown else []

    def originals(self, frame: int) -> list[Annotation]:
        """Return what the model proposed where an expert has corrected it, if that is shown."""
        if not self.originals_shown:
            return []
        corrected = (r for r in self._session.records.get(frame, []) if r.status == "corrected")
        return [root for root in map(self._root, corrected) if root is not None]

    def _root(self, record: Annotation) -> Annotation | None:
        """Return the proposal that a record goes back to; None if it lies just the same."""
        if record.uid not in self._roots:
            root = [record, *self._session.project.ancestors(record)][-1]
            same = (root.points, root.rings) == (record.points, record.rings)
            self._roots[record.uid] = None if same else root
        return self._roots[record.uid]

    def show_originals(self, shown: bool | None = None) -> None:
        """Show or hide the model's proposals beneath corrections; None: the other way round."""
        self.originals_shown = not self.originals_shown if shown is None else shown
        self._draw_lines()
        session = self._session
        if self.originals_shown and not self.originals(session.frame):
            session.say("No shape here differs from what the model proposed.")

    def show_rejected(self, shown: bool) -> None:
        """Show or hide rejected structures on the canvas."""
        self.rejected_shown = shown
        self._draw_lines()

    def _draw_lines(self) -> None:
        if self._session.layers is not None:
            self._session.layers.show_frame()

    # What is chosen

    def choose(self, uids: Iterable[str]) -> None:
        """Choose structures; they are then selected in their layers, too."""
        self.selected = tuple(uids)
        layers = self._session.layers
        if layers is not None:
            with self._busy():
                layers.select(self.selected)
        self.selection_changed.emit()

    def _on_scan(self) -> None:
        self.selected = ()
        self._roots.clear()
        layers = self._session.layers
        for role in SELECTABLE if layers is not None else ():
            binding: Any = layers.bindings[role]  # type: ignore[union-attr]
            if binding not in self._heard:  # layers may go through many scans
                self._heard.add(binding)
                events = binding.layer.selected_data.events
                events.items_changed.connect(lambda *_, b=binding: self._on_canvas(b))
        self.selection_changed.emit()

    def _on_canvas(self, binding: Any) -> None:
        """Take what was selected on the canvas; what is selected in other layers no longer is."""
        layers = self._session.layers
        if self._busy or binding.busy or layers is None or binding not in layers.bindings.values():
            return
        self.selected = tuple(binding.selected_uids())
        with self._busy():
            for role in SELECTABLE:
                other: Any = layers.bindings[role]
                if other is not binding and other.layer.selected_data:
                    other.layer.selected_data = set()
        self.selection_changed.emit()

    # What is judged

    def accept(self) -> bool:
        """Accept the chosen structures."""
        return self._session.canvas.shows_annotations() and self._judge(review.accept)

    def reject(self, reason: str = "", uids: tuple[str, ...] = ()) -> bool:
        """Reject structures: the chosen ones, if no others are named."""
        self.selected = uids or self.selected
        return self._judge(review.reject, reason)

    def reclass(self, uids: tuple[str, ...], name: str) -> bool:
        """Give structures another class."""
        self.choose(uids)
        return self._session.reclass(uids, name)

    def bring_back(self) -> bool:
        """Take the rejection of the chosen structures back."""
        return self._judge(review.bring_back)

    def toggle_lock(self) -> bool:
        """Lock the chosen structures; unlock them if all are locked."""
        return self._judge(review.set_locked, not self.locked.issuperset(self.selected))

    def fit_boxes(self, frames: Iterable[int], which: linking.Which = linking.apart) -> bool:
        """Put boxes of frames around their outlines, where they lie off them."""
        session = self._session
        if session.scan is None:
            return False
        sha256, frames = session.scan.sha256, list(frames)
        done = session.carry_out(lambda: review.fit_boxes(session.project, sha256, frames, which))
        if done:
            session.say("Each box lies around its outline now, and follows it.")
        return done

    def set_classes(self, mapping: Classes | None) -> bool:
        """Say which classes are to be asked for on this frame; None: those of the model."""
        session = self._session
        if session.scan is None:
            return False
        at = (session.scan.sha256, session.frame)
        waiting = WaitingReport(*at, {"mapping": mapping})
        return session.carry_out(lambda: waiting.make(session.project), waiting=waiting)

    def accept_rest(self) -> bool:
        """Accept all that is open on this frame."""
        return self.signing.may_close(whole=False) and self._do(review.accept_rest, self._looks())

    def accept_and_next(self) -> bool:
        """Accept all that is open, finish the review and go to the next scan.

        What speaks against it is said first, and then nothing is done (see ``signing``).
        """
        may = self.signing.may_close(whole=True)
        return may and self._do(review.finish, self._looks()) and self._next()

    def accept_seen(self) -> bool:
        """Accept what is open on the frames that were looked at, and show the first other one."""
        session = self._session
        if not self._do(review.accept_seen, self._looks()) or session.scan is None:
            return False
        left = session.project.unseen(session.scan.sha256)
        if left:
            session.undoing.leave(session.scan.sha256, session.frame)
            session.go_to_frame(min(left))
            are = "frame is" if len(left) == 1 else "frames are"
            session.say(f"What you looked at is accepted. {len(left)} {are} left.")
        return True

    def _looks(self) -> tuple[tuple[int, str], ...]:
        return self._session.frames_seen.of_scan()

    def skip(self) -> bool:
        """Leave the scan, and go to the next one."""
        return self._do(review.skip_scan) and self._next()

    def reject_scan(self, reason: str = "") -> bool:
        """Say that the scan cannot be used, and go to the next one."""
        return self._do(review.reject_scan, reason) and self._next()

    def reopen(self) -> bool:
        """Review a finished scan again."""
        return self._do(review.reopen)

    def comment(self, text: str) -> bool:
        """Keep a comment on the scan."""
        return self._do(review.set_comment, text)

    def score(self, of: review.ScoreOf, value: int | None) -> bool:
        """Keep a score of the scan."""
        return self._do(review.set_score, of, value)

    def _judge(self, rule: Callable[..., Edit], *more: Any) -> bool:
        if not self.selected:
            self._session.say("Choose a structure first, in the list or on the canvas.")
            return False
        return self._do(rule, self.selected, *more)

    def _do(self, rule: Callable[..., Any], *more: Any) -> bool:
        session = self._session
        if session.scan is None:
            session.say("Open or choose a scan first.")
            return False
        if session.layers is not None:
            session.layers.finish_drawing()
        if not session.canvas.shows_scan():
            return False
        at = (session.scan.sha256, session.frame)
        waiting = WaitingRule(*at, rule.__name__, more)
        return session.carry_out(lambda: rule(session.project, *at, *more), waiting=waiting)

    def _next(self) -> bool:
        session = self._session
        assert session.scan is not None
        left = session.undoing.leave(session.scan.sha256, session.frame)
        if session.next_scan() and left:
            session.undoing.offer_back()
        return True
