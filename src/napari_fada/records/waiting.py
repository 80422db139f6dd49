"""What can wait for a project that takes no edits: each kind, as JSON and as it is shown.

An edit of structures and of the report waits as what it changes; a judgement waits as the rule of
``records.review`` that was asked for, because what it does depends on the edits before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from napari_fada.records import linking, review
from napari_fada.records.annotation import Annotation, Status
from napari_fada.records.edits import removal_rejects
from napari_fada.records.project import Project
from napari_fada.records.reading import Mapping as ClassMapping
from napari_fada.records.rows import Act, Report
from napari_fada.records.structures import NONE

#: Rules whose first argument names structures.
_OF_STRUCTURES = ("accept", "reject", "bring_back", "set_locked")
_SCAN_STATES: Mapping[str, Any] = {
    "reject_scan": "rejected",
    "skip_scan": "skipped",
    "reopen": "in_review",
}


@dataclass(frozen=True, slots=True)
class WaitingEdit:
    """An edit of the records of a frame. See ``Project.edit``."""

    sha256: str
    frame: int
    add: tuple[Annotation, ...] = ()
    replace: Mapping[str, Annotation] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    label: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold of it."""
        return {
            "kind": "edit",
            "sha256": self.sha256,
            "frame": self.frame,
            "add": [a.to_dict() for a in self.add],
            "replace": {uid: a.to_dict() for uid, a in self.replace.items()},
            "remove": list(self.remove),
            "label": self.label,
        }

    def renamed(self, now: Mapping[str, str]) -> WaitingEdit:
        """Return it with the uids that the project has given to earlier edits' records."""
        return replace(
            self,
            replace={now.get(uid, uid): a for uid, a in self.replace.items()},
            remove=tuple(now.get(uid, uid) for uid in self.remove),
        )

    def make(self, project: Project) -> dict[str, str]:
        """Make it; returns the uids that the project gave to records, by those they had here."""
        done = project.edit(
            *(self.sha256, self.frame),
            add=self.add,
            replace=self.replace,
            remove=self.remove,
            label=self.label,
        )
        # A piece of what was split has a box beyond those that were asked for.
        added = {wish.uid: a.uid for wish, a in zip(self.add, done.added, strict=False)}
        return added | {
            self.replace[u].uid if u in self.replace else u: record.uid
            for u, record in done.replaced.items()
        }


@dataclass(frozen=True, slots=True)
class WaitingReport:
    """What an expert wrote in a report. ``more`` are arguments of ``Project.set_report``."""

    sha256: str
    frame: int
    more: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold of it."""
        more = {k: v.to_dict() if isinstance(v, ClassMapping) else v for k, v in self.more.items()}
        return {"kind": "report", "sha256": self.sha256, "frame": self.frame, "more": more}

    def renamed(self, _now: Mapping[str, str]) -> WaitingReport:
        """Return it: a report names no records."""
        return self

    def make(self, project: Project) -> dict[str, str]:
        """Make it."""
        project.set_report(self.sha256, self.frame, **self.more)
        return {}


@dataclass(frozen=True, slots=True)
class WaitingRule:
    """A judgement: a rule of ``records.review`` by its name, with what follows the frame."""

    sha256: str
    frame: int
    rule: str
    arguments: tuple[Any, ...] = ()

    @property
    def uids(self) -> tuple[str, ...]:
        """The structures it is about, if it is about structures."""
        return tuple(self.arguments[0]) if self.rule in _OF_STRUCTURES else ()

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold of it."""
        return {
            "kind": "rule",
            "sha256": self.sha256,
            "frame": self.frame,
            "rule": self.rule,
            "arguments": [list(a) if isinstance(a, tuple) else a for a in self.arguments],
        }

    def renamed(self, now: Mapping[str, str]) -> WaitingRule:
        """Return it with the uids that the project has given to earlier edits' records."""
        if self.rule not in _OF_STRUCTURES:
            return self
        uids = tuple(now.get(uid, uid) for uid in self.uids)
        return replace(self, arguments=(uids, *self.arguments[1:]))

    def make(self, project: Project) -> dict[str, str]:
        """Make it, as the project stands then; what it judges may get new uids."""
        done = review.RULES[self.rule](project, self.sha256, self.frame, *self.arguments)
        return {old: a.uid for old, a in getattr(done, "replaced", {}).items()} | {
            old: a.uid for old, a in getattr(done, "rejected", {}).items()
        }


Waiting = WaitingEdit | WaitingReport | WaitingRule


def from_dict(data: Mapping[str, Any]) -> Waiting:
    """Rebuild a waiting edit from its JSON form.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is malformed.
    """
    at = (str(data["sha256"]), int(data["frame"]))
    if data["kind"] == "rule":
        arguments = (tuple(a) if isinstance(a, list) else a for a in data["arguments"])
        if data["rule"] not in review.RULES:
            raise ValueError(f"no rule is called {data['rule']!r}")
        return WaitingRule(*at, data["rule"], tuple(arguments))
    if data["kind"] == "report":
        more = dict(data["more"])
        if isinstance(more.get("mapping"), Mapping):
            more["mapping"] = ClassMapping.from_dict(more["mapping"])
        return WaitingReport(*at, more)
    return WaitingEdit(
        *at,
        add=tuple(map(Annotation.from_dict, data["add"])),
        replace={uid: Annotation.from_dict(a) for uid, a in data["replace"].items()},
        remove=tuple(data["remove"]),
        label=data["label"],
    )


# As it is shown


def over_records(
    waiting: Iterable[Waiting],
    sha256: str,
    frame: int,
    records: Iterable[Annotation],
    unlinked: Mapping[str, str] = NONE,
) -> list[Annotation]:
    """Return the records of a frame, rejected ones too, as they will be.

    ``unlinked`` are boxes of the frame that are set apart, each with its outline.
    """
    found, free = list(records), dict(unlinked)
    for one in waiting:
        if one.sha256 != sha256 or isinstance(one, WaitingReport):
            continue
        if isinstance(one, WaitingRule):
            if one.frame == frame or one.rule == "finish":
                found = _judged(one, found, free)
        elif one.frame == frame:
            here = {a.uid: a for a in found}  # some may be made already
            wishes = {u: wish for u, wish in one.replace.items() if u in here}
            act = Act(frame, one.add, wishes, tuple(u for u in one.remove if u in here))
            act = linking.whole(act, here, free)
            # What follows keeps its uid until the project gives it another.
            now = {u: wish.uid for u, wish in act.replace.items() if u in one.replace}
            free = {
                now.get(box, box): now.get(outline, outline)
                for box, outline in linking.after(free, act.states).items()
            }
            gone = [a for a in found if a.uid in act.remove]
            found = [act.replace.get(a.uid, a) for a in found if a not in gone]
            found += act.add
            found += [replace(a, status="rejected") for a in gone if removal_rejects(a.source)]
    return linking.following(found, free)


def _judged(
    one: WaitingRule, records: list[Annotation], free: Mapping[str, str]
) -> list[Annotation]:
    """Return records with a judgement on them; it is one on both halves of a structure."""
    wishes = {a.uid: replace(a, status=s) for a in records if (s := _verdict(one, a)) is not None}
    act = linking.whole(Act(one.frame, replace=wishes), {a.uid: a for a in records}, free)
    return [act.replace.get(a.uid, a) for a in records]


def _verdict(one: WaitingRule, record: Annotation) -> Status | None:
    if one.rule in ("accept_rest", "finish"):
        return "accepted" if record.status == "proposed" else None
    if record.uid not in one.uids:
        return None
    if one.rule == "accept":
        return "accepted" if record.status in ("proposed", "rejected") else None
    if one.rule == "reject":
        return "rejected"
    return "proposed" if one.rule == "bring_back" and record.status == "rejected" else None


def over_report(waiting: Iterable[Waiting], sha256: str, frame: int, report: Report) -> Report:
    """Return the report of a frame as it will be."""
    for one in waiting:
        if not isinstance(one, WaitingReport) or (one.sha256, one.frame) != (sha256, frame):
            continue
        fields = {**report.expert_fields, **(one.more.get("fields") or {})}
        kept = {key: text for key, text in fields.items() if text is not None}
        view = one.more.get("view", report.expert_view)
        view = view if isinstance(view, str) or view is None else report.expert_view
        mapping = one.more.get("mapping", report.expert_mapping)
        report = replace(
            report, expert_fields=kept, expert_view=view, expert_mapping=mapping or None
        )
    return report


def over_scan(
    waiting: Sequence[Waiting], sha256: str, found: review.ScanReview
) -> review.ScanReview:
    """Return what is said about a scan as it will be."""
    changed = False
    for one in (w for w in waiting if w.sha256 == sha256):
        if not isinstance(one, WaitingRule):
            changed = True
        elif one.rule == "finish":
            state: Any = "corrected" if changed or found.state == "corrected" else "accepted"
            found = replace(found, state=state)
        elif one.rule in _SCAN_STATES:
            reason = one.arguments[0] if one.rule == "reject_scan" and one.arguments else ""
            found = replace(found, state=_SCAN_STATES[one.rule], reason=reason)
        elif one.rule == "set_comment":
            found = replace(found, comment=one.arguments[0].strip())
        elif one.rule == "set_score":
            of, value = one.arguments
            scores = {**found.scores, of: value}
            found = replace(found, scores={k: v for k, v in scores.items() if v is not None})
    return found


def over_locked(waiting: Iterable[Waiting], sha256: str, locked: frozenset[str]) -> frozenset[str]:
    """Return which structures of a scan will be locked."""
    for one in waiting:
        if isinstance(one, WaitingRule) and one.sha256 == sha256 and one.rule == "set_locked":
            locked = locked | set(one.uids) if one.arguments[1] else locked - set(one.uids)
    return locked


def over_frame(
    waiting: Sequence[Waiting], sha256: str, frame: int, found: review.FrameReview
) -> review.FrameReview:
    """Return the structures of a frame, and what was said about them, as they will be."""
    reasons = dict(found.reasons)
    state = found.state
    for one in waiting:
        if isinstance(one, WaitingRule) and one.sha256 == sha256:
            if one.rule == "reject" and one.frame == frame:
                reasons |= dict.fromkeys(one.uids, one.arguments[1] if one.arguments[1:] else "")
            elif one.rule == "finish" or (one.rule == "accept_rest" and one.frame == frame):
                state = "accepted"
    return replace(
        found,
        records=tuple(over_records(waiting, sha256, frame, found.records, found.unlinked)),
        locked=over_locked(waiting, sha256, found.locked),
        reasons=reasons,
        state=state,
    )
