"""The worklist: every scan of a project with its state, filtered, ordered and walked through.

Files are listed without being opened, so that ten thousand are there in a moment;
:func:`napari_fada.indexing.index_files` opens them one after another. The states are read from
the summary that every edit keeps true (:mod:`napari_fada.records.summary`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from napari_fada.listing import LISTS, ScanProblem, iter_files, iter_list
from napari_fada.records import listed, plausibility, tables
from napari_fada.records.listed import Placed, Stamp
from napari_fada.records.plausibility import Checked
from napari_fada.records.project import Project
from napari_fada.records.rows import ScanLike
from napari_fada.records.summary import STATES, UNREVIEWED, States, unpacked
from napari_fada.records.worklist_query import (
    EVERYTHING,
    FROM,
    NO_COPY,
    ORDER_BY,
    ORDERS,
    STATE,
    Filter,
    Item,
    Order,
    condition,
    folded,
    read_rows,
)

__all__ = ["ORDERS", "STATES", "UNREVIEWED", "Filter", "Item", "Order", "States", "Worklist"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A file of the list that was opened, for :meth:`Worklist.keep`.

    ``problem`` is why its pixels cannot be shown, if that is so.
    """

    scan: ScanLike
    stamp: Stamp | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file of the list as it stands before it is opened (again)."""

    id: int
    path: Path
    stamp: Stamp | None
    sha256: str | None
    problem: str


_BATCH = 2000  # files listed in one transaction: other edits wait no more than a blink


class Worklist:
    """The worklist of an open project. Methods may be called from any thread.

    Parameters
    ----------
    project : Project
        Must stay open for as long as the worklist is used.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._store = project._store
        with self._store.read() as c:
            c.create_function("folded", 1, folded, deterministic=True)

    def add(self, paths: Iterable[Path]) -> int:
        """List files without opening them; what is listed already stays as it is.

        Parameters
        ----------
        paths : iterable of Path
            Files, folders (walked in natural order) and lists: a text file with a path on
            each line, or a table (.csv, .tsv) with a column ``file``. What cannot be reached
            gets a row that says so.

        Returns
        -------
        int
            How many rows are new.

        Raises
        ------
        ScanError
            If a list cannot be read; what came before it is listed.
        ProjectError
            If the project cannot be written.
        """
        new = 0
        for path in map(Path, paths):
            found = iter_list(path) if path.suffix.lower() in LISTS else iter_files(path)
            while batch := tuple(islice(found, _BATCH)):
                new += self._list(batch)
        return new

    def _list(self, found: Iterable[Path | ScanProblem]) -> int:
        rows = [
            (entry.path, str(entry.error)) if isinstance(entry, ScanProblem) else (entry, "")
            for entry in found
        ]
        with self._store.write() as c:
            return listed.list_files(c, rows)

    def remove(self, ids: Iterable[int]) -> int:
        """Take rows off the list; the files, and all records of their scans, stay.

        Rows of scans that someone has worked on stay on the list.

        Returns
        -------
        int
            How many rows were taken off.
        """
        with self._store.write() as c:
            before = c.total_changes
            c.executemany(
                "DELETE FROM listed WHERE id = ? AND NOT EXISTS (SELECT 1 FROM edits "
                "WHERE edits.sha256 = listed.sha256)",
                [(identifier,) for identifier in ids],
            )
            return c.total_changes - before

    def items(self, where: Filter = EVERYTHING, order: Order = "added") -> list[Item]:
        """Return the rows that a filter lets through, in order.

        ``uncertainty`` puts the lowest open score first, and scans without one last;
        ``changed`` the scan that was edited last; ``plausibility`` what fits least.
        """
        wanted, values = condition(where)
        return self._items(f"WHERE {wanted} ORDER BY {ORDER_BY[order]}", values)

    def count(self, where: Filter = EVERYTHING) -> int:
        """Return how many rows a filter lets through."""
        wanted, values = condition(where)
        return int(self._rows(f"SELECT count(*) {FROM} WHERE {wanted}", values)[0][0])

    def counts(self) -> dict[States, int]:
        """Return how many rows are in each state; all states are there."""
        rows = self._rows(f"SELECT {STATE}, count(*) {FROM} GROUP BY 1", {})
        return {**dict.fromkeys(STATES, 0), **dict(rows)}

    def next(
        self,
        after: int | None,
        where: Filter = EVERYTHING,
        order: Order = "added",
        *,
        step: int = 1,
        unreviewed: bool = True,
    ) -> Item | None:
        """Return the next row that can be opened, from a row that need not pass the filter.

        Parameters
        ----------
        after : int or None
            Row to go on from; None: before the first.
        step : int
            1 forwards, -1 backwards.
        unreviewed : bool
            Only scans that wait for their expert, each once, and after the last of them the
            first again. False: every row, and None at the end.

        Returns
        -------
        Item or None
            None if there is no other.
        """
        wanted, values = condition(where)
        usable = "l.problem = '' AND l.path IS NOT NULL"
        if unreviewed:
            waiting = ", ".join(f"'{state}'" for state in STATES if state in UNREVIEWED)
            usable += f" AND {STATE} IN ({waiting}) AND {NO_COPY}"
        rows = self._rows(
            f"SELECT l.id {FROM} WHERE ({wanted} AND {usable}) OR l.id = :after "
            f"ORDER BY {ORDER_BY[order]}",
            values | {"after": after},
        )
        ids = [row[0] for row in rows]
        if after not in ids:
            ids.insert(0 if step > 0 else len(ids), after)
        place = ids.index(after) + (1 if step > 0 else -1)
        if unreviewed:
            place %= len(ids)
        if not 0 <= place < len(ids) or ids[place] == after:
            return None
        return self.item(ids[place])

    def item(self, id: int) -> Item | None:
        """Return one row, None if there is none (its file turned out to be a moved scan)."""
        return next(iter(self._items("WHERE l.id = :id", {"id": id})), None)

    def of_scan(self, sha256: str) -> Item | None:
        """Return the row of a scan; of several files with the same bytes the first."""
        found = self._items("WHERE l.sha256 = :sha ORDER BY l.id LIMIT 1", {"sha": sha256})
        return next(iter(found), None)

    def copies(self) -> list[Item]:
        """Return the files whose bytes are those of a file that was listed before."""
        return [item for item in self.items() if item.copy_of is not None]

    def views(self) -> tuple[str, ...]:
        """Return the views that occur, to choose a filter from."""
        return self._named("views")

    def categories(self) -> tuple[str, ...]:
        """Return the classes that occur."""
        return self._named("classes")

    def raters(self) -> tuple[str, ...]:
        """Return who has worked on the project."""
        return self._named("raters")

    # For the one who opens the files

    def files(self) -> list[Listed]:
        """Return all files, those first that have never been opened."""
        rows = self._rows(
            "SELECT id, path, size, mtime_ns, sha256, problem FROM listed "
            "WHERE path IS NOT NULL ORDER BY sha256 IS NOT NULL, id",
            {},
        )
        return [
            Listed(i, Path(path), None if size is None else Stamp(size, time), sha256, problem)
            for i, path, size, time, sha256, problem in rows
        ]

    def keep(
        self, opened: Iterable[Opened], problems: Iterable[tuple[Listed, str]]
    ) -> tuple[list[Placed], list[bool]]:
        """Put opened scans into the project, and why others cannot be opened, at one stroke.

        Returns
        -------
        list of Placed
            Where each opened scan stands in the list.
        list of bool
            For each problem: whether it still is one. It is not if the scan was found elsewhere.
        """
        with self._store.write() as c:
            placed = [
                tables.put_scan(
                    c, one.scan, self.project.salt, stamp=one.stamp, problem=one.problem
                )
                for one in opened
            ]
            told = [listed.tell_problem(c, file.id, file.path, why) for file, why in problems]
        return placed, told

    # For the one who looks at what fits

    def unchecked(self, rules: str) -> list[tuple[str, int]]:
        """Return scans with their last edit that were not looked at by these rules since."""
        with self._store.read() as c:
            return plausibility.stale(c, rules)

    def keep_checked(self, rules: str, checked: Iterable[Checked]) -> None:
        """Keep what was found on scans, at one stroke."""
        with self._store.write() as c:
            plausibility.keep(c, rules, checked)

    def _named(self, column: str) -> tuple[str, ...]:
        rows = self._rows(f"SELECT DISTINCT {column} FROM summaries", {})
        return tuple(sorted({name for (text,) in rows for name in unpacked(text)}))

    def _items(self, rest: str, values: dict[str, Any]) -> list[Item]:
        with self._store.read() as c:
            found = read_rows(c, rest, {"after": None, **values})
        return found.items()  # without holding up those who write

    def _rows(self, query: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        with self._store.read() as c:
            return c.execute(query, {"after": None, **values}).fetchall()
