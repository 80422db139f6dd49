"""The session of one viewer: its project, its scan, its layers, and what is edited.

No Qt in here: panels listen to its signals, and tests drive it with a ViewerModel.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from napari_fada.errors import FadaError, LockedError, NotWrittenError
from napari_fada.records.annotation import Annotation
from napari_fada.records.linking import following
from napari_fada.records.pending import Waiting, WaitingEdit, WaitingReport
from napari_fada.records.project import KEEP, Project
from napari_fada.records.rows import WHOLE, Report
from napari_fada.records.rows import Edit as Done
from napari_fada.records.steps import Step
from napari_fada.vocabulary import vocabulary
from napari_fada.workstation import frame_window
from napari_fada.workstation.desk import Edit, corrected
from napari_fada.workstation.foreign_work import ForeignWork
from napari_fada.workstation.frames_seen import FramesSeen
from napari_fada.workstation.keys import KeyTable
from napari_fada.workstation.painting import Painting
from napari_fada.workstation.point_codec import point_names
from napari_fada.workstation.reviewing import Reviewing
from napari_fada.workstation.session_list import ListSession
from napari_fada.workstation.styles import is_proposal
from napari_fada.workstation.undoing import Undoing

_sessions: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()


def session_of(viewer: Any) -> Session:
    """Return the session of a viewer, made when it is first asked for."""
    viewer = getattr(viewer, "__wrapped__", viewer)  # widgets get a proxy of the viewer
    if viewer not in _sessions:
        _sessions[viewer] = Session(viewer)
    return _sessions[viewer]


class Session(ListSession):
    """Everything about one viewer that is not a widget."""

    _window = 0  # the frame about which the layers hold structures
    _reach = frame_window.REACH

    def __init__(self, viewer: Any, project: Project | None = None) -> None:
        self.reviewing = Reviewing(self)
        self.undoing = Undoing(self)
        self.painting = Painting(self)
        super().__init__(viewer, project)
        self.painting.listen()
        self.foreign = ForeignWork(self)
        self.frames_seen = FramesSeen(self)

    @property
    def locked(self) -> frozenset[str]:
        """Records that are locked."""
        return self.reviewing.locked

    @property
    def chosen(self) -> tuple[str, ...]:
        """Records that are chosen, in the list or on the canvas."""
        return self.reviewing.selected

    def ancestors(self, record: Annotation) -> list[str]:
        """Return the uids that a record goes back to, the latest first."""
        return [older.uid for older in self.project.ancestors(record)]

    def originals(self, frame: int) -> list[Annotation]:
        """Return what the model proposed where an expert has corrected it, if that is shown."""
        return self.reviewing.originals(frame)

    def rejected(self, frame: int) -> list[Annotation]:
        """Return the rejected structures of a frame that are to be seen."""
        return self.reviewing.rejected(frame)

    # Records

    def refresh(
        self,
        renamed: Mapping[str, str] | None = None,
        *,
        soon: bool = False,
        frame: int | Collection[int] | None = None,
    ) -> None:
        """Read the records of the scan from the project and show them.

        Parameters
        ----------
        renamed : mapping of uid to uid, optional
            Which record took the place of which.
        soon : bool
            Show one layer after another while the event loop goes on.
        frame : int or collection of int, optional
            What changed, if it is known; a long clip is not read whole then.
        """
        if self.scan is None:
            return
        try:
            frames = [frame] if isinstance(frame, int) else frame
            if frames is None:
                self.records = self.project.annotations_by_frame(self.scan.sha256)
            else:
                for one in frames:
                    self.records.pop(one, None)
                    if found := self.project.annotations(self.scan.sha256, one):
                        self.records[one] = found
            self.reviewing.follow(renamed or {})
        except FadaError as error:
            self.say_error(error)
            return
        self.safety.show_waiting(self.records, self.scan.sha256, frames)
        if frames is None or any(frame_window.holds(self._window, f) for f in frames):
            self._show_layers(renamed, soon=soon)
        self.records_changed.emit()

    def _show(self, renamed: Mapping[str, str] | None = None, *, soon: bool = False) -> None:
        self._show_layers(renamed, soon=soon)
        self.records_changed.emit()

    def _show_layers(self, renamed: Mapping[str, str] | None = None, *, soon: bool = False) -> None:
        self._window = self.frame
        if self.layers is not None and soon:
            self.layers.show_soon(self._shown)
        elif self.layers is not None:
            self.layers.show(self._shown(), renamed)

    def _shown(self) -> dict[int, list[Annotation]]:
        """Return what the layers are to show: records near this frame, and what is coming."""
        shown = frame_window.near(self.records, self._window, self._reach)
        if self._preview is not None:
            frame, coming, instead = self._preview
            if not frame_window.holds(self._window, frame):
                return shown
            here = [r for r in shown.get(frame, []) if not (instead and is_proposal(r))]
            shown[frame] = following([*here, *coming])
        if self.past is not None:
            shown[self.past.frame] = list(self.past.records)
        return shown

    # Looking back

    def look_back(self, frame: int, edit: int) -> bool:
        """Show a frame as it was just after an edit; nothing can be edited meanwhile."""
        if self.scan is None:
            return False
        if self.layers is not None:
            self.layers.finish_drawing()
        self.go_to_frame(frame)
        try:
            self.past = self.project.at(self.scan.sha256, frame, edit)
        except FadaError as error:
            self.say_error(error)
            return False
        self._show()
        return True

    def end_look_back(self) -> None:
        """Show the present again."""
        if self.past is not None:
            self.past = None
            self._show()

    def _only_looks(self) -> bool:
        """Tell whether nothing can be edited here and now, and say why."""
        if self.past is not None:
            self.say("This is an earlier state: restore it or go back, then edit.", "warning")
        return self.past is not None or self.looking.refuses()

    def _on_step(self) -> None:
        before = self.frame
        super()._on_step()
        if self.frame != before and self.past is not None:
            self.end_look_back()
        elif self.frame != before and frame_window.is_left(self._window, self.frame):
            if not frame_window.holds(self._window, self.frame):
                self._reach = 0  # a leap: this frame now, its neighbours in a moment
                self._show_layers()
                self._reach = frame_window.REACH
            self._show_layers(soon=True)

    def preview(self, frame: int, coming: Iterable[Annotation], *, instead: bool) -> None:
        """Show what a run has found so far; it is in the project when the run ends.

        Parameters
        ----------
        frame : int
            Of the run.
        coming : iterable of Annotation
            Proposals so far.
        instead : bool
            Whether they will take the place of proposals that no one has touched.
        """
        self._preview = (frame, tuple(coming), instead)
        if self.layers is not None:
            self.layers.show_soon(self._shown)

    def show_for_now(self, record: Annotation) -> None:
        """Show a polygon in another form, until records are shown again; nothing is written."""
        shown = self._shown()
        for frame, records in shown.items():
            shown[frame] = [record if r.uid == record.uid else r for r in records]
        if self.layers is not None:
            self.layers.bindings["polygons"].show(shown)

    @property
    def has_preview(self) -> bool:
        """Whether the layers show what a run has found so far."""
        return self._preview is not None

    def end_preview(self) -> None:
        """Show what is in the project and nothing else."""
        self._preview = None
        self.refresh(soon=True)

    def find(self, uid: str) -> tuple[int, Annotation] | None:
        """Return a record of the scan and its frame."""
        pairs = ((f, r) for f, rs in self.records.items() for r in rs)
        return next(((f, r) for f, r in pairs if r.uid == uid), None)

    def commit(self, edit: Edit) -> bool:
        """Write an edit to the project; if it is refused, say so and change nothing.

        An edit that cannot be written now stays on the canvas and waits, which is said.
        """
        if self.scan is None or self._only_looks():
            return False
        coming = {r.uid for r in self._preview[1]} if self._preview else set()
        if coming & {*edit.replace, *edit.remove}:
            self.say("This structure is still being read; edit it when the run has ended.")
            return False
        if not self.canvas.shows_scan(edit.frame):
            return False
        place = (self.scan.sha256, edit.frame)
        return self.carry_out(
            lambda: self.project.edit(
                *place,
                add=edit.add,
                replace=edit.replace,
                remove=edit.remove,
                label=edit.label,
            ),
            frame=edit.frame,
            waiting=WaitingEdit(
                *(*place, tuple(edit.add), dict(edit.replace), tuple(edit.remove), edit.label)
            ),
        )

    def carry_out(
        self,
        does: Callable[[], Any],
        *,
        frame: int | None = None,
        waiting: Waiting | None = None,
    ) -> bool:
        """Do something to the project and show what came of it; False if it was refused.

        Parameters
        ----------
        does : callable
            What it returns may be the outcome of an edit: then rows stay where they are.
        frame : int, optional
            The one frame that it may change.
        waiting : WaitingEdit, WaitingReport or WaitingRule, optional
            The same as something that stays on the screen and waits if it cannot be written now.
        """
        if self._only_looks():
            return False
        self._committing = True
        try:
            done = None if waiting and self.safety.must_wait(waiting) else does()
        except LockedError as error:
            self.say(str(error), "warning")
            return False
        except NotWrittenError as error:
            if waiting is None:
                self.say_error(error)
                return False
            self.safety.wait(waiting, error)
            done = None
        except FadaError as error:
            self.say_error(error)
            self.refresh(frame=frame)  # what another window did is seen
            return False
        finally:
            self._committing = False
        changed = {**done.replaced, **done.rejected} if isinstance(done, Done) else {}
        if isinstance(done, Done):
            self._say_linked(done)
        if done is None and isinstance(waiting, WaitingEdit):
            changed = dict(waiting.replace)
        self.refresh({old: new.uid for old, new in changed.items()}, frame=frame)
        return True

    def _say_linked(self, done: Done) -> None:
        """Say what an edit did to other halves of structures, where it is no matter of course."""
        names = _names(done.apart)
        if names:
            key = KeyTable()["to_box"]
            self.say(
                f"The box of {names} no longer follows its outline. Undo, or put it around the "
                f"outline again ({key}), and it does."
            )
        if names := _names(a for a in done.fitted if a.kind == "box"):
            self.say(f"The box of {names} lies around its outline and follows it.")
        if names := _names(done.along):
            self.say(f"{names}: outline and box are one structure; both were removed.")

    def undo(self) -> None:
        """Undo one's own last step on this frame."""
        self.undoing.undo()

    def redo(self) -> None:
        """Redo what was undone last on this frame."""
        self.undoing.redo()

    def turned(self, does: Callable[[], Step | None], sha256: str) -> Step | None:
        """Undo or redo something of a scan, and show all that it changed at once."""
        self._committing = True
        try:
            step = does()
        finally:
            self._committing = False
        if step is not None and self.scan is not None and self.scan.sha256 == sha256:
            self.refresh(frame=step.frames)
        return step

    # Classes

    @property
    def active_class(self) -> str:
        """Class that is drawn next."""
        return self._active_class

    @active_class.setter
    def active_class(self, name: str) -> None:
        if name == self._active_class or name not in vocabulary().by_name:
            return
        self._active_class = name
        if self.layers is not None:
            self.layers.set_active_class(name)
        self.class_changed.emit(name)

    def reclass_selection(self, name: str) -> bool:
        """Give the selected structures another class, as one edit."""
        uids = self.layers.selected_uids() if self.layers else []
        chosen = self.reviewing.selected
        if chosen and (self.painting.in_hand or set(uids) <= set(chosen)):
            uids = list(chosen)  # a structure may have a shape in two layers
        return self.reclass(uids, name)

    def reclass(self, uids: Iterable[str], name: str) -> bool:
        """Give structures another class, as one edit."""
        found = [pair for pair in map(self.find, uids) if pair]
        edit = Edit(found[0][0] if found else 0)
        for _, record in found:
            if record.kind == "keypoints" and len(point_names(name)) != len(record.points):
                self.say(f"{name} does not have the {len(record.points)} points of this one.")
                continue
            if record.category != name:
                edit.replace[record.uid] = corrected(record, self._rater, category=name)
        return bool(edit) and self.commit(edit)

    def tell_scan(self, values: Mapping[str, str | None], label: str) -> bool:
        """Keep what a person says of the scan as a whole; False (and why) if that cannot be."""
        if self.scan is None or self.looking.refuses() or not self.canvas.shows_scan():
            return False
        try:
            self.project.set_state(self.scan.sha256, WHOLE, values, label=label)
        except FadaError as error:
            self.say_error(error)
            return False
        return True

    # Report

    def report(self) -> Report:
        """Return the report of the frame that is shown (an empty one without a scan)."""
        if self.scan is None:
            return Report()
        if self.past is not None and self.past.frame == self.frame:
            return self.past.report
        try:
            report = self.project.report(self.scan.sha256, self.frame)
            return self.safety.pending.over_report(self.scan.sha256, self.frame, report)
        except FadaError as error:
            self.say_error(error)
            return Report()

    def set_report(
        self, *, fields: Mapping[str, str | None] | None = None, view: Any = KEEP, frame: int = -1
    ) -> bool:
        """Set report fields or the view as the expert's word."""
        if self.scan is None or self._only_looks():
            return False
        at = self.frame if frame < 0 else frame
        said = {} if view is KEEP else {"view": view}
        waiting = WaitingReport(self.scan.sha256, at, {"fields": dict(fields or {}), **said})
        try:
            if not self.safety.must_wait(waiting):
                self.project.set_report(self.scan.sha256, at, **waiting.more)
        except NotWrittenError as error:
            self.safety.wait(waiting, error)
        except FadaError as error:
            self.say_error(error)
            return False
        return True


def _names(records: Iterable[Annotation]) -> str:
    return ", ".join(dict.fromkeys(a.category for a in records))
