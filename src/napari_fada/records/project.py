"""The project: where scans, readings, corrections and their whole history are kept."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from napari_fada.records import (
    deriving,
    edits,
    history,
    looks,
    signatures,
    standing,
    steps,
    tables,
    wording,
    writing,
)
from napari_fada.records.annotation import Annotation
from napari_fada.records.base import default_path
from napari_fada.records.deriving import Derived
from napari_fada.records.history import Entry
from napari_fada.records.looks import How, Look
from napari_fada.records.project_settings import ProjectSettings
from napari_fada.records.reading import PHASES, Phase, Reading
from napari_fada.records.reading import Mapping as ClassMapping
from napari_fada.records.rows import WHOLE, Act, Edit, Report, ScanRow, Standing
from napari_fada.records.standing import KEEP, Keep
from napari_fada.records.steps import Growing
from napari_fada.records.structures import NONE

__all__ = ["KEEP", "STATE_NAMES", "WHOLE", "Project", "default_path"]

Show = Literal["first", "replace", "add", "no"]

#: First parts of the names of cells that :meth:`Project.set_state` may write.
STATE_NAMES = (
    *("review", "unseen", "comment", "score", "lock", "reason", "unlinked", "asked", "stale"),
    *("scale", "age"),
)


class Project(ProjectSettings):
    """A project file. Open it with ``Project.open``; use it as a context manager.

    Every method that changes something is one transaction: when it returns, the change is on
    the disk and survives a crash, a kill or a power cut; when it raises, nothing was changed.
    There is no unsaved state. Methods may be called from any thread, one at a time; ``changed``
    is emitted in the thread that made the change, after it is on the disk.
    """

    def save_reading(
        self,
        reading: Reading,
        *,
        show: Show = "first",
        ran: Collection[Phase] = PHASES,
        again: bool = False,
    ) -> str:
        """Keep a reading for ever and return its id.

        Parameters
        ----------
        reading : Reading
            Kept whole, as it is.
        show : {"first", "replace", "add", "no"}
            What becomes of its proposals, in the same transaction: ``first`` shows them if the
            frame shows no reading yet; ``replace`` and ``add`` are :meth:`replace_proposals`
            and :meth:`add_proposals`; ``no`` only keeps the reading.
        ran : collection of str
            The phases that were run for it; the others were taken over from an earlier reading.
        again : bool
            A person asked for another reading of a frame that showed one: this is a step of
            undo. What a model is the first to say of a frame is none.
        """
        ref = reading.scan
        entry = None
        with self._store.write() as c, writing.by(c, "" if again else "run"):
            identifier, _ = tables.put_reading(c, reading)
            shown = "reading" in history.cells(c, ref.sha256, ref.frame)
            if show in ("replace", "add") or (show == "first" and not shown):
                entry = standing.show_reading(
                    *(c, ref.sha256, ref.frame, identifier),
                    drop_untouched=show == "replace",
                    ran=ran,
                    label=f"{reading.model.pack or 'model'} read the frame",
                    rater=self.rater,
                )
        self._tell(entry)
        return identifier

    def replace_proposals(
        self, sha256: str, frame: int, reading_id: str, *, keep_expert: bool = True
    ) -> Entry | None:
        """Show a reading in place of the proposals that no one has touched.

        What an expert drew, accepted, corrected or rejected stays, and is not proposed again.
        With ``keep_expert=False`` that goes too (one undo brings it back), but for what is locked.
        """
        return self._show(sha256, frame, reading_id, True, not keep_expert, "Proposals replaced")

    def add_proposals(self, sha256: str, frame: int, reading_id: str) -> Entry | None:
        """Show a reading's proposals beside what is there."""
        return self._show(sha256, frame, reading_id, False, False, "Proposals added")

    def _show(
        self, sha256: str, frame: int, reading_id: str, drop: bool, expert: bool, label: str
    ) -> Entry | None:
        with self._store.write() as c:
            entry = standing.show_reading(
                *(c, sha256, frame, reading_id),
                drop_untouched=drop,
                drop_expert=expert,
                label=label,
                rater=self.rater,
            )
        self._tell(entry)
        return entry

    # Who looked, and who it was

    def note_looks(self, sha256: str, seen: Iterable[Look], *, how: How = "screen") -> None:
        """Keep that frames were on the screen of the rater; this is no edit.

        Parameters
        ----------
        sha256 : str
            Of the scan.
        seen : iterable of (frame, moment)
            Each with the last moment at which it was there (:func:`~.annotation.now`).
        how : {"screen", "told", "earlier"}
            ``told``: they were reviewed elsewhere, as the one says who brings that in.
        """
        seen = list(seen)
        if seen:
            with self._store.write(edit=False) as c:
                looks.note(c, sha256, seen, rater=self.rater, how=how)

    def unseen(
        self, sha256: str, seen: Mapping[int, str] | None = None, *, also: Iterable[int] = ()
    ) -> set[int]:
        """Return the frames with something on them that nobody has looked at as it stands.

        ``seen`` are frames that were on the screen, each with the moment, and are not kept yet;
        ``also`` are frames that count though nothing is on them.
        """
        with self._store.read() as c:
            return looks.unseen(c, sha256, looks=seen, also=also)

    def seen_by(self, sha256: str, frame: int) -> list[str]:
        """Return who has looked at a frame, the latest last; an empty name is one not given."""
        with self._store.read() as c:
            return looks.raters_of(c, sha256, frame)

    def sign(self, rater: str, window: str = "") -> int:
        """Sign what a window did here before it gave a name; return how many edits these are.

        Parameters
        ----------
        rater : str
            Whose work it is.
        window : str
            The present one (:attr:`window`), if not given.
        """
        with self._store.write() as c:
            done = signatures.sign(c, window or self.window, rater)
        for key in done:
            self.changed.emit(*key)
        return sum(done.values())

    # Annotations

    def annotations(
        self, sha256: str, frame: int | None = None, *, include_rejected: bool = False
    ) -> list[Annotation]:
        """Return the records that stand now: proposals not yet judged, and the expert's."""
        with self._store.read() as c:
            found = tables.live_records(c, sha256, frame)
        return [a for _, a in found if include_rejected or a.status != "rejected"]

    def annotations_by_frame(
        self, sha256: str, *, include_rejected: bool = False
    ) -> dict[int, list[Annotation]]:
        """Return the records that stand now, by frame."""
        with self._store.read() as c:
            found = tables.live_records(c, sha256, None)
        out: dict[int, list[Annotation]] = {}
        for frame, annotation in found:
            if include_rejected or annotation.status != "rejected":
                out.setdefault(frame, []).append(annotation)
        return out

    def record(self, uid: str) -> Annotation | None:
        """Return any record ever written, for instance the parent of a correction."""
        with self._store.read() as c:
            return tables.find_record(c, uid)

    def ancestors(self, record: Annotation) -> list[Annotation]:
        """Return what a record corrects, and what that corrects, up to the first."""
        with self._store.read() as c:
            return list(tables.ancestors(c, record))

    def edit(
        self,
        sha256: str,
        frame: int,
        *,
        add: Iterable[Annotation] = (),
        replace: Mapping[str, Annotation] | None = None,
        remove: Iterable[str] = (),
        label: str = "",
    ) -> Edit:
        """Change the records of a frame: one transaction, one step of undo.

        Parameters
        ----------
        add : iterable of Annotation
            New records. A uid that is taken (a pasted copy) gets a new one; what an expert
            drew counts as accepted.
        replace : mapping of uid to Annotation
            The new record gets a uid of its own and the old one as ``parent``. With another
            shape or class it is a correction by the expert; with the same and status
            ``accepted`` or ``rejected`` it is that judgement; with nothing new it is skipped.
        remove : iterable of uid
            Taking away what a model proposed (or a correction of it) writes a rejection; what
            the expert drew, and what was carried over from other frames, is just no longer there.
        label : str
            What was done, for the history; made up from the changes if it is not given ("Brain
            corrected (3 vertices moved)").

        Returns
        -------
        Edit
            The records as they were written.

        Raises
        ------
        ProjectError
            If a uid does not stand now (another window changed it), or nothing can be written.
        LockedError
            If a structure is locked and more would be done to it than accepting it.
        """
        act = Act(frame, tuple(add), replace or {}, tuple(remove), label=label)
        return self.act(sha256, act)[0]

    def act(self, sha256: str, *acts: Act) -> list[Edit]:
        """Carry out acts on frames of one scan: one transaction, one step of undo.

        Raises
        ------
        ProjectError, LockedError
            As :meth:`edit` does; then none of the acts is done.
        ValueError
            If the name of a state does not begin with one of ``STATE_NAMES``.
        """
        for act in acts:
            _check_names((*act.states, *act.scan_states))
        with self.together(acts[0].label if acts else ""), self._store.write() as c:
            done = [edits.edit(c, sha256, act, rater=self.rater) for act in acts]
            self._tell(*(one.entry for one in done))
        return done

    def derive(
        self,
        sha256: str,
        frame: int,
        wishes: Iterable[Annotation],
        *,
        label: str,
        act: Growing | None = None,
        unlinked: Mapping[str, str] = NONE,
    ) -> Derived:
        """Put proposals on a frame that were made from other frames: one step of undo.

        With ``act`` it is a part of that one, whatever else is done in between.

        They take the place of untouched proposals of the same structures. What an expert said,
        locked or reviewed stays as it is; what the result has in ``left`` was not put there.
        ``unlinked`` are boxes among them that are set apart, each with its outline.

        Raises
        ------
        ValueError
            If a wish is not an untouched proposal with a source of its own.
        """
        with self._store.write() as c:
            done = deriving.derive(
                *(c, sha256, frame, wishes), label=label, rater=self.rater, unlinked=unlinked
            )
            if act is not None and done.entry is not None:
                act.grow(c, done.entry.id)
        self._tell(done.entry)
        return done

    # Report, view and review

    def report(self, sha256: str, frame: int) -> Report:
        """Return report, view and classes of a frame, the model's part and the expert's."""
        with self._store.read() as c:
            return standing.report(c, history.cells(c, sha256, frame))

    def shown_reading(self, sha256: str, frame: int) -> Reading | None:
        """Return the reading that a frame shows, as the model gave it."""
        with self._store.read() as c:
            return standing.reading(c, history.cells(c, sha256, frame))

    def set_report(
        self,
        sha256: str,
        frame: int,
        *,
        fields: Mapping[str, str | None] | None = None,
        view: str | Keep | None = KEEP,
        mapping: ClassMapping | Keep | None = KEEP,
        label: str = "",
        by_person: bool = True,
    ) -> Entry | None:
        """Set fields of the report, the view or the classes as the expert's word.

        None, or the model's own, takes the expert's word back. Fields that are not named stay
        as they are. Phases that were made from what changes are marked as out of date; an
        import (not ``by_person``) brings nothing into review.

        Raises
        ------
        KeyError
            If a field is none of the eight.
        """
        with self._store.write() as c:
            tables.require_scan(c, sha256)
            wanted = standing.said(
                c, sha256, frame, fields=fields or {}, view=view, mapping=mapping
            )
            if wanted and by_person:
                wanted |= edits.reviewing(frame)
            label = label or wording.of_report(wanted)
            entry = history.do(c, sha256, frame, wanted, label=label, rater=self.rater)
        self._tell(entry)
        return entry

    def join_report_edits(self, sha256: str, frame: int, field: str, count: int) -> bool:
        """Make one step of undo of the last edits of a frame: the pieces of one typing.

        Nothing is joined where anything else lies between them.
        """
        with self._store.write() as c:
            return steps.join_typing(c, sha256, frame, f"field/{field}", count)

    def report_texts(
        self, after: tuple[str, int, str], limit: int, *, of: tuple[str, int] | None = None
    ) -> list[tuple[str, int, str, str, str | None]]:
        """Return fields that experts wrote: scan, frame, name, text and the view of the frame.

        At most ``limit`` of them after one, in the order of scan, frame and name; ``of`` names
        the one frame to look at.
        """
        with self._store.read() as c:
            return standing.report_texts(c, after, limit, of)

    def state(self, sha256: str, frame: int) -> dict[str, str]:
        """Return review state, comments, scores and locks of a frame (or of ``WHOLE``)."""
        with self._store.read() as c:
            cells = history.cells(c, sha256, frame)
        return {n: v for n, v in cells.items() if n.partition("/")[0] in STATE_NAMES}

    def standing(self, sha256: str, frame: int) -> Standing:
        """Return all that stands on a frame, in one look."""
        with self._store.read() as c:
            cells = history.cells(c, sha256, frame)
            whole = history.cells(c, sha256, WHOLE)
            reading = standing.reading(c, cells)
            records = tuple(a for _, a in tables.live_records(c, sha256, frame))
            report = standing.report(c, cells, reading)
            seen = looks.is_seen(c, sha256, frame)
        return Standing(
            records,
            report,
            {n: v for n, v in cells.items() if n.partition("/")[0] in STATE_NAMES},
            edits.is_closed(cells, whole),
            reading,
            seen,
        )

    def told_scale(self, sha256: str) -> dict[str, Any] | None:
        """Return what a person or a table said of a scan's scale (``Scale.to_dict``), if any."""
        told = self.state(sha256, WHOLE).get("scale")
        return json.loads(told) if told else None

    def told_age(self, sha256: str) -> dict[str, Any] | None:
        """Return the gestational age that a person stated for a scan (days, origin, note)."""
        told = self.state(sha256, WHOLE).get("age")
        return json.loads(told) if told else None

    def spacing(self, scan: ScanRow) -> tuple[tuple[float, float] | None, str]:
        """Return the size of a pixel (y, x) in mm and where it came from.

        What a person or a table said about the scan goes before what its file says.
        """
        told = self.told_scale(scan.sha256)
        if told:
            y, x = told["spacing_mm"]
            return (float(y), float(x)), str(told["origin"])
        return scan.spacing_mm, scan.spacing_origin or ""

    def cells_named(self, sha256: str, first: str) -> dict[str, str]:
        """Return the cells of all frames of a scan whose names begin alike, without that part."""
        with self._store.read() as c:
            rows = c.execute(
                "SELECT substr(name, ?), value FROM cells WHERE sha256 = ? AND name GLOB ?",
                (len(first) + 1, sha256, f"{first}*"),
            )
            return dict(rows.fetchall())

    def set_state(
        self, sha256: str, frame: int, values: Mapping[str, str | None], *, label: str = ""
    ) -> Entry | None:
        """Set review state, comments, scores or locks; None takes a value away.

        Raises
        ------
        ValueError
            If a name does not begin with one of ``STATE_NAMES``.
        """
        act = Act(frame, states=values, label=label, by_person=False)
        return self.act(sha256, act)[0].entry


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if name.partition("/")[0] not in STATE_NAMES:
            raise ValueError(f"no state is called {name!r}")
