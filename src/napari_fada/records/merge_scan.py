"""The merge of one scan: the history of both raters one after the other, then what stands."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from napari_fada.records import history, steps, tables, writing
from napari_fada.records.conflicts import Conflict
from napari_fada.records.history import SCAN, Action, Cells, Entry
from napari_fada.records.merge_rows import Taken
from napari_fada.records.merge_state import Compared, FrameMerge, Side, Thresholds
from napari_fada.records.reading import INTERPRETATION_KEYS
from napari_fada.records.rows import WHOLE, Report
from napari_fada.records.writing import Connection

_USABLE = ("accepted", "corrected")


class ScanMerge:
    """Merges one scan into the project behind a connection.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the new project, inside a transaction; it holds the rows of both.
    sha256 : str
        The scan.
    names : (str, str)
        What the two projects are called.
    rater : str
        Who merges.
    thresholds : Thresholds
        From which likeness on two structures agree.
    """

    def __init__(
        self,
        connection: Connection,
        sha256: str,
        names: tuple[str, str],
        rater: str,
        thresholds: Thresholds,
    ) -> None:
        self.connection, self.scan, self._names = connection, sha256, names
        self._rater, self._thresholds = rater, thresholds

    def run(
        self, a: sqlite3.Connection, b: sqlite3.Connection, taken: Taken, compared: Compared
    ) -> list[Conflict]:
        """Write the scan's history and what stands; return the conflicts."""
        first = history.entries(a, self.scan)
        second = [taken.entry(entry) for entry in history.entries(b, self.scan)]
        shared = _shared(first, second)
        ours, theirs = _Lines(self, taken.acts_a), _Lines(self, taken.acts_b)
        ours.take(first[:shared])
        for line, same in zip(first[:shared], second[:shared], strict=True):
            theirs.numbers[same.id] = ours.numbers[line.id]
        common = self._cells()
        ours.take(first[shared:])
        if shared == len(second):
            return []  # the second rater has done nothing of their own
        if shared == len(first):
            theirs.take(second[shared:])
            return []
        one = self._sides(first[shared:], self._names[0])
        self._bring(common, f"Set aside: {self._names[0]}, for {self._names[1]}")
        theirs.take(second[shared:])
        two = self._sides(second[shared:], self._names[1])
        for frame in one.keys() | two.keys():
            one.setdefault(frame, Side())
            two.setdefault(frame, Side())
        compared.add(one, two, self._spacing())
        return self._merge(one, two)

    def _spacing(self) -> tuple[float, float] | None:
        row = self.connection.execute(
            "SELECT spacing_y, spacing_x FROM scans WHERE sha256 = ?", (self.scan,)
        ).fetchone()
        return (row[0], row[1]) if row and row[0] and row[1] else None

    def _cells(self) -> dict[int, Cells]:
        found: dict[int, Cells] = {}
        rows = self.connection.execute(
            "SELECT frame, name, value FROM cells WHERE sha256 = ?", (self.scan,)
        )
        for frame, name, value in rows:
            found.setdefault(frame, {})[name] = value
        return found

    def _bring(self, wanted: Mapping[int, Mapping[str, str]], label: str) -> None:
        """Make these the cells of the scan, as one act."""
        now = self._cells()
        numbers = []
        with writing.by(self.connection, "merge"):
            for frame in sorted(now.keys() | wanted.keys()):
                gone = dict.fromkeys(now.get(frame, {}), None)
                entry = history.do(
                    *(self.connection, self.scan, frame, {**gone, **wanted.get(frame, {})}),
                    label=label,
                    rater=self._rater,
                )
                if entry is not None:
                    numbers.append(entry.id)
        if len(numbers) > 1:
            steps.name_act(self.connection, numbers, label)

    def _sides(self, entries: Sequence[Entry], name: str) -> dict[int, Side]:
        """Return what stands now on each frame, as the work of one rater."""
        acts = [e for e in entries if not any(change.name == "reading" for change in e.changes)]
        rater = next((e.rater for e in reversed(acts) if e.rater), name)
        cells = self._cells()
        worked = {e.frame for e in acts}
        worked |= {WHOLE for e in acts for change in e.changes if change.name.startswith(SCAN)}
        review = cells.get(WHOLE, {}).get("review")
        if review in ("rejected", "skipped"):
            worked &= {WHOLE}  # the frames of a scan that was put aside are not judged
        elif review in _USABLE and worked:
            worked |= cells.keys()  # and those of one that was accepted as it was are
        frames = cells.keys() | worked
        return {frame: self._side(frame, rater, frame in worked, cells) for frame in frames}

    def _side(self, frame: int, rater: str, judged: bool, cells: Mapping[int, Cells]) -> Side:
        here = cells.get(frame, {})
        records = tuple(r for _, r in tables.live_records(self.connection, self.scan, frame))
        roots = {r.uid: [r, *tables.ancestors(self.connection, r)][-1].uid for r in records}
        reading = (
            tables.get_reading(self.connection, here["reading"]) if "reading" in here else None
        )
        report = Report(
            model_fields=dict(reading.interpretation) if reading else {},
            model_view=reading.view if reading else None,
            expert_fields={
                k: here[f"field/{k}"] for k in INTERPRETATION_KEYS if f"field/{k}" in here
            },
            expert_view=here.get("view"),
            reading=here.get("reading"),
        )
        return Side(rater, judged, here, records, roots, report)

    def _merge(self, one: Mapping[int, Side], two: Mapping[int, Side]) -> list[Conflict]:
        size = self.connection.execute(
            "SELECT width, height FROM scans WHERE sha256 = ?", (self.scan,)
        ).fetchone()
        wanted: dict[int, dict[str, str]] = {}
        conflicts: list[Conflict] = []
        for frame in sorted(one):
            merge = FrameMerge((self.scan, frame), one[frame], two[frame], size, self._thresholds)
            wanted[frame] = merge.result.cells
            conflicts += merge.result.conflicts
        if conflicts:  # the scan is not through before the last conflict is decided
            wanted.setdefault(WHOLE, {})["review"] = "in_review"
        self._bring(wanted, f"Merged: {self._names[0]} and {self._names[1]}")
        return conflicts


class _Lines:
    """Lines of one file's history, as they come into the new one; ``numbers`` are the new ones."""

    def __init__(self, merge: ScanMerge, acts: Mapping[int, steps.Act]) -> None:
        self._c, self._scan, self._acts = merge.connection, merge.scan, acts
        self.numbers: dict[int, int] = {}

    def take(self, entries: Sequence[Entry]) -> None:
        """Write lines, in their order, and which of them were one act."""
        acts: dict[steps.Act, list[int]] = {}
        for entry in entries:
            number = self._write(entry)
            self.numbers[entry.id] = number
            if entry.id in self._acts:
                acts.setdefault(self._acts[entry.id], []).append(number)
        for act, numbers in acts.items():
            if len(numbers) > 1:
                steps.name_act(self._c, numbers, act.label)

    def _write(self, entry: Entry) -> int:
        kind: Action = entry.kind
        target = self.numbers.get(entry.target or 0)
        if kind != "do":
            # It can only be kept as an undo or redo if its step is ready for that here, too.
            ready = steps.stacks_of(self._c, self._scan, entry.frame)
            if target not in (ready.undo if kind == "undo" else ready.redo):
                kind, target = "do", None
        return history.take_over(self._c, entry, kind, target)


def _shared(first: Sequence[Entry], second: Sequence[Entry]) -> int:
    """Return how many lines both histories have in common from the beginning."""
    count = 0
    for one, two in zip(first, second, strict=False):
        same = ("frame", "kind", "label", "rater", "at", "changes")
        if any(getattr(one, name) != getattr(two, name) for name in same):
            break
        count += 1
    return count
