"""Scans that are opened before they are asked for: decoded, with their masks drawn.

Everything slow about showing a scan is done here, in a worker thread.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from napari_fada.errors import ScanError
from napari_fada.records.project import Project
from napari_fada.records.worklist import Item
from napari_fada.scans import Scan, open_scan
from napari_fada.workstation import raster
from napari_fada.workstation.reader import LayerData, to_layer_data

KEPT = 3


@dataclass(frozen=True, slots=True)
class Prepared:
    """A scan that only needs to be put on the canvas."""

    scan: Scan
    shown: LayerData


def prepare(project: Project, item: Item) -> Prepared:
    """Open a scan of the worklist, and see to it that the project knows it.

    Raises
    ------
    ScanError
        If its file is not there or cannot be opened.
    ProjectError
        If the project cannot be written.
    """
    if item.path is None:
        raise ScanError(
            f"No file is known for {item.name}.", todo="Choose “Find its file…” in its menu."
        )
    scan = open_scan(item.path)
    shown = to_layer_data(scan)
    row = project.scan(scan.sha256)
    same = row is not None and scan.path is not None and row.path == scan.path.absolute()
    if project.writable and not (same and item.sha256 == scan.sha256):
        project.add_scan(scan)
    draw_masks(project, scan)
    return Prepared(scan, shown)


def draw_masks(project: Project, scan: Scan) -> None:
    """Draw the masks of a scan's first frame, so that they are at hand."""
    raster.prepare(project.annotations(scan.sha256, 0), (scan.height, scan.width))


class PreparedScans:
    """The few scans that were opened last, by the row of the worklist.

    ``put`` and ``get`` are for one thread; ``in`` may be asked anywhere.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[int, Prepared] = OrderedDict()

    def __contains__(self, row: object) -> bool:
        return row in self._kept

    def get(self, row: int) -> Prepared | None:
        """Return a scan that was opened, if it was."""
        return self._kept.get(row)

    def put(self, row: int, ready: Prepared) -> None:
        """Keep an opened scan in the place of the one that was put first."""
        self._kept[row] = ready
        self._kept.move_to_end(row)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def drop(self, row: int) -> None:
        """Let go of a scan."""
        self._kept.pop(row, None)

    def clear(self) -> None:
        """Let go of all."""
        self._kept.clear()
