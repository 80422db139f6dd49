"""Walking through a worklist: which scans are wanted, in what order, and where one stands.

No Qt in here: the window, its keys and the tests ask the same object.
"""

from __future__ import annotations

from napari_fada.records.worklist import UNREVIEWED, Listed, Worklist
from napari_fada.records.worklist_query import EVERYTHING, Filter, Item, Order


class Walk:
    """A filter and an order over a worklist, and the row that is shown now.

    Parameters
    ----------
    worklist : Worklist
        Of the open project.
    where : Filter
        Which rows are wanted.
    order : str
        See ``Worklist.items``; the worst scans come first by default.

    Attributes
    ----------
    present : int or None
        Row of the scan that is shown.
    """

    def __init__(
        self, worklist: Worklist, where: Filter = EVERYTHING, order: Order = "uncertainty"
    ) -> None:
        self.worklist, self.where, self.order = worklist, where, order
        self.present: int | None = None
        self._foreseen: tuple[tuple[object, ...], int | None] | None = None

    def arrive_at(self, sha256: str | None) -> None:
        """Say which scan is shown now; of several files with its bytes the present one stays."""
        found = self.worklist.of_scan(sha256) if sha256 else None
        here = self.worklist.item(self.present) if self.present is not None else None
        if found is not None and here is not None and here.sha256 == sha256:
            return
        self.present = found.id if found else None

    def next(self, step: int = 1, *, after: int | None = None) -> Item | None:
        """Return the next (or with -1 the previous) scan that waits for its expert.

        Parameters
        ----------
        step : int
            1 or -1.
        after : int, optional
            Row to go on from; the present one by default.
        """
        if after is None and step == 1 and (item := self._still_foreseen()) is not None:
            return item
        start = self.present if after is None else after
        return self.worklist.next(start, self.where, self.order, step=step)

    def foresee(self) -> Item | None:
        """Find the next scan ahead, so that :meth:`next` has it at hand; for a worker thread.

        On a list of ten thousand finding it takes too long for the moment of the key press.
        What was found stays the next one until another scan is shown: a model that reads it
        meanwhile gives it a score and so another place, and would then be asked for one scan
        after another.
        """
        if (known := self._still_foreseen()) is not None:
            return known
        key = self._key()
        item = self.worklist.next(self.present, self.where, self.order)
        self._foreseen = (key, item.id if item else None)
        return item

    def _still_foreseen(self) -> Item | None:
        key, row = self._foreseen or (None, None)
        return self.still_waits(row) if key == self._key() and row is not None else None

    def _key(self) -> tuple[object, ...]:
        return (self.present, self.where, self.order)

    def note_problem(self, item: Item, why: str) -> None:
        """Keep in the list why a scan cannot be opened.

        Raises
        ------
        ProjectError
            If the project cannot be written.
        """
        if item.path is not None:
            row = Listed(item.id, item.path, None, item.sha256, item.problem)
            self.worklist.keep((), [(row, why)])

    def still_waits(self, row: int) -> Item | None:
        """Return a row as it stands now, if its scan still waits for its expert."""
        item = self.worklist.item(row)
        usable = item is not None and not item.problem and item.path is not None
        return item if item is not None and usable and item.state in UNREVIEWED else None
