"""One judgement of many scans: how far it is, how many it was made of, which were left and why.

Each scan is a transaction and a step of undo of its own, so it can be stopped at any time and
taken back scan by scan. What would be refused on a single scan is left, and told by reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, Protocol

from napari_fada.errors import FadaError, NotWrittenError, UndecidedError
from napari_fada.records import review
from napari_fada.records.completeness import missing_in_scan
from napari_fada.records.project import Project
from napari_fada.records.rows import Act

Judgement = Literal["accept", "reject", "skip", "reopen"]

ALREADY = "they were so already"
CONFLICTS = "two raters disagree on them and nobody has decided"
REQUIRED = "a field that the project requires is empty"
NOTHING = "no model has read them and nothing is drawn on them"
UNSEEN = "nobody has looked at them here"
EDITED = "they were edited since"
SHUT_OUT = "they were rejected or skipped: bring them back into review first"
UNOPENED = "their files have not been opened"

DONE: Mapping[Judgement, str] = {
    "accept": "accepted",
    "reject": "rejected",
    "skip": "skipped",
    "reopen": "in review again",
}


class Cancel(Protocol):
    """Says whether to stop (``threading.Event`` fits)."""

    def is_set(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """So many scans were dealt with; ``sha256`` is the last of them."""

    done: int
    total: int
    sha256: str


class Unseen(NamedTuple):
    """How many of the scans that could be accepted nobody has looked at."""

    number: int
    of: int


class Judged(NamedTuple):
    """A scan that was judged: the frame that the act is a step of, and the last edit of the act."""

    sha256: str
    frame: int
    edit: int


@dataclass(frozen=True, slots=True)
class BulkFinished:
    """What came of it: which scans were judged, how many unseen, which were left and why.

    ``what`` was done to them, in a word.
    """

    what: str
    judged: tuple[Judged, ...]
    unseen: int = 0
    left: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cancelled: bool = False

    @property
    def lines(self) -> list[str]:
        """What happened, in lines for people."""
        number = len(self.judged)
        told = [f"{_scans(number)} {'is' if number == 1 else 'are'} {self.what}."]
        if self.unseen:
            told.append(f"{self.unseen} of them nobody had looked at here; the history says so.")
        for reason, names in self.left.items():
            known = [n for n in names[:3] if n != "?"]
            more = ", …" if len(names) > 3 else ""
            named = f" ({', '.join(known)}{more})" if known else ""
            told.append(f"Left as they are: {_scans(len(names))}{named}, because {reason}.")
        if self.cancelled:
            told.append("Stopped; the rest is as it was.")
        return told


def judge_scans(
    project: Project,
    scans: Iterable[str | None],
    judgement: Judgement,
    *,
    reason: str = "",
    unseen: bool = True,
    cancel: Cancel | None = None,
) -> Iterator[BulkProgress | BulkFinished]:
    """Judge scans one after another.

    Parameters
    ----------
    project : Project
        Signed by its rater.
    scans : iterable of str
        sha256 of each; None stands for a file that was not opened yet.
    judgement : {"accept", "reject", "skip", "reopen"}
        What is said of each.
    reason : str
        Of a rejection.
    unseen : bool
        Whether to accept scans, too, that nobody has looked at here.
    cancel : Cancel, optional
        Looked at before each scan.

    Raises
    ------
    NotWrittenError
        If the project cannot be written; what was judged before stands.
    """
    given = list(scans)
    wanted = list(dict.fromkeys(s for s in given if s is not None))
    left: dict[str, list[str]] = {}
    if unopened := sum(s is None for s in given):
        left[UNOPENED] = ["?"] * unopened
    not_seen = 0
    judged: list[Judged] = []
    cancelled = False
    for number, sha256 in enumerate(wanted, 1):
        if cancel is not None and cancel.is_set():
            cancelled = True
            break
        was_seen = judgement != "accept" or looked_at(project, sha256)
        why = _objection(project, sha256, judgement, was_seen or unseen)
        frame = _frame(project, sha256)
        if not why:
            try:
                _judge(project, sha256, frame, judgement, reason, was_seen)
            except NotWrittenError:
                raise
            except UndecidedError:
                why = CONFLICTS
            except FadaError as error:
                why = error.what.rstrip(".")
        if why:
            left.setdefault(why, []).append(_name(project, sha256))
        else:
            judged.append(Judged(sha256, frame, _last_edit(project, sha256)))
            not_seen += not was_seen
        yield BulkProgress(number, len(wanted), sha256)
    told = {why: tuple(names) for why, names in left.items()}
    yield BulkFinished(DONE[judgement], tuple(judged), not_seen, told, cancelled)


def count_unseen(
    project: Project, scans: Iterable[str | None], *, cancel: Cancel | None = None
) -> Iterator[BulkProgress | Unseen]:
    """Count the scans that could be accepted and that nobody has looked at here."""
    wanted = list(dict.fromkeys(s for s in scans if s is not None))
    found = acceptable = 0
    for number, sha256 in enumerate(wanted, 1):
        if cancel is not None and cancel.is_set():
            return
        if not _objection(project, sha256, "accept", True):
            acceptable += 1
            found += not looked_at(project, sha256)
        yield BulkProgress(number, len(wanted), sha256)
    yield Unseen(found, acceptable)


def take_back(
    project: Project, judged: Iterable[Judged], *, cancel: Cancel | None = None
) -> Iterator[BulkProgress | BulkFinished]:
    """Undo a judgement of many scans; one that was edited since stays as it is."""
    judged = list(judged)
    left: list[str] = []
    done: list[Judged] = []
    cancelled = False
    for number, one in enumerate(judged, 1):
        if cancel is not None and cancel.is_set():
            cancelled = True
            break
        if _last_edit(project, one.sha256) == one.edit and project.undo(one.sha256, one.frame):
            done.append(one)
        else:
            left.append(_name(project, one.sha256))
        yield BulkProgress(number, len(judged), one.sha256)
    told = {EDITED: tuple(left)} if left else {}
    yield BulkFinished("as before", tuple(done), 0, told, cancelled)


def _name(project: Project, sha256: str) -> str:
    row = project.scan(sha256)
    return row.name if row else sha256[:12]


def _last_edit(project: Project, sha256: str) -> int:
    with project._store.read() as c:
        query = "SELECT coalesce(max(id), 0) FROM edits WHERE sha256 = ?"
        return int(c.execute(query, (sha256,)).fetchone()[0])


def looked_at(project: Project, sha256: str) -> bool:
    """Tell whether all that would be accepted of this scan was on the screen of someone here."""
    return not project.unseen(sha256)


def _objection(project: Project, sha256: str, judgement: Judgement, seen: bool) -> str:
    """Return why a scan is left as it is; empty if it is judged."""
    state = review.scan_review(project, sha256).state
    same: Mapping[Judgement, tuple[str, ...]] = {
        "accept": ("accepted", "corrected"),
        "reject": ("rejected",),
        "skip": ("skipped",),
        "reopen": ("new", "proposed", "imported", "in_review"),
    }
    if state in same[judgement]:
        return ALREADY
    if judgement != "accept":
        return ""
    checks: tuple[tuple[str, Callable[[], bool]], ...] = (
        (SHUT_OUT, lambda: state in ("rejected", "skipped")),
        (NOTHING, lambda: not project.frames(sha256)),
        (REQUIRED, lambda: bool(missing_in_scan(project, sha256, _frame(project, sha256)))),
        (UNSEEN, lambda: not seen),
    )
    return next((why for why, holds in checks if holds()), "")


def _judge(
    project: Project, sha256: str, frame: int, judgement: Judgement, reason: str, seen: bool
) -> None:
    if judgement == "reject":
        review.reject_scan(project, sha256, frame, reason)
    elif judgement == "skip":
        review.skip_scan(project, sha256, frame)
    elif judgement == "reopen":
        review.reopen(project, sha256, frame)
    else:
        with project.together(f"Scan accepted{'' if seen else ' without being looked at here'}"):
            _sign(project, sha256)
            review.finish(project, sha256, frame)


def _sign(project: Project, sha256: str) -> None:
    """Sign labels that came in without a name: whoever accepts them takes them as their own."""
    if not project.rater:
        return
    for frame, records in project.annotations_by_frame(sha256).items():
        unsigned = [a for a in records if a.source == "import" and not a.rater]
        wishes = {a.uid: replace(a, rater=project.rater, status="accepted") for a in unsigned}
        if wishes:  # a signature is no look at the frame
            act = Act(frame, replace=wishes, label="Labels accepted", by_person=False)
            project.act(sha256, act)


def _frame(project: Project, sha256: str) -> int:
    """Return the frame that stands for the scan: the first that holds anything."""
    return next(iter(project.frames(sha256)), 0)


def _scans(number: int) -> str:
    return "1 scan" if number == 1 else f"{number} scans"
