"""CSV of everything, in three flat tables: structures, frames and measurements, a row for each.

For spreadsheets and statistics. Coordinates are pixels of the image, corner convention; areas come
from the outline. Cells that a spreadsheet would take for a formula begin with an apostrophe.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.measured import measured
from napari_fada.exchange.writers import Format, WriteOptions
from napari_fada.measure import Measurement
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import area, bounds, to_shapely
from napari_fada.records.reading import INTERPRETATION_KEYS
from napari_fada.vocabulary import vocabulary

ANNOTATIONS, FRAMES, MEASUREMENTS = "annotations.csv", "frames.csv", "measurements.csv"

_OF_RECORD = (
    *("image", "scan", "frame", "split", "uid", "class", "class_id", "kind", "status", "source"),
    *("rater", "score", "parent", "created", "x1_px", "y1_px", "x2_px", "y2_px", "area_px2"),
    *("area_mm2", "vertices", "geometry_wkt", "visibility"),
)
_OF_FRAME = (
    *("image", "scan", "frame", "group", "split", "width_px", "height_px", "spacing_y_mm"),
    *("spacing_x_mm", "spacing_origin", "view", "rater", "structures"),
    *INTERPRETATION_KEYS,
)


_OF_MEASUREMENT = (
    *("image", "scan", "frame", "name", "value", "unit", "uncertainty", "class", "method"),
    *("scale_origin", "uids", "note"),
)


def record_row(frame: FrameRecords, record: Annotation) -> list[Any]:
    """Return the row of a structure, in the order of the head."""
    (x1, y1), (x2, y2) = bounds(record)
    surface = None if record.kind == "keypoints" else area(record)
    mm2 = None
    if surface is not None and frame.spacing_mm:
        mm2 = round(surface * frame.spacing_mm[0] * frame.spacing_mm[1], 4)
    return [
        *(frame.image, frame.sha256, frame.frame, frame.split, record.uid, record.category),
        *(vocabulary().by_name[record.category].id, record.kind, record.status, record.source),
        *(record.rater, record.score, record.parent, record.created),
        *(round(v, 3) for v in (x1, y1, x2, y2)),
        *(None if surface is None else round(surface, 3), mm2),
        sum(len(ring) for ring in (record.points, *record.rings)),
        _wkt(record),
        " ".join(map(str, record.visibility)),
    ]


def measurement_row(frame: FrameRecords, m: Measurement) -> list[Any]:
    """Return the row of a measurement, in the order of the head."""
    return [
        *(frame.image, frame.sha256, frame.frame, m.name, round(m.value, 3), m.unit),
        *(m.uncertainty, m.category, m.method, m.scale_origin, " ".join(m.uids), m.note),
    ]


def frame_row(frame: FrameRecords) -> list[Any]:
    """Return the row of a frame, in the order of the head."""
    y, x = frame.spacing_mm or (None, None)
    return [
        *(frame.image, frame.sha256, frame.frame, frame.group, frame.split, frame.width),
        *(frame.height, y, x, frame.spacing_origin, frame.view, frame.rater),
        len(frame.annotations),
        *(frame.fields.get(key, "") for key in INTERPRETATION_KEYS),
    ]


def _wkt(record: Annotation) -> str:
    import shapely

    if record.kind == "keypoints":
        shape: Any = shapely.MultiPoint(record.points)
    else:
        shape = to_shapely(record)
    return str(shapely.to_wkt(shape, rounding_precision=3))


def safe(cells: Iterable[Any]) -> list[Any]:
    """Return cells that no spreadsheet takes for a formula.

    Numbers stay numbers; a text that begins like a formula gets an apostrophe before it.
    """
    return [f"'{c}" if isinstance(c, str) and c[:1] in tuple("=+-@\t\r") else c for c in cells]


class FlatWriter:
    """Writes the two tables row by row (see ``writers.Writer``)."""

    def __init__(self, root: Path, _options: WriteOptions) -> None:
        self._files = ExitStack()
        self._records, self._frames, self._measurements = (
            csv.writer(
                self._files.enter_context((root / name).open("w", encoding="utf-8", newline=""))
            )
            for name in (ANNOTATIONS, FRAMES, MEASUREMENTS)
        )
        self._records.writerow(_OF_RECORD)
        self._frames.writerow(_OF_FRAME)
        self._measurements.writerow(_OF_MEASUREMENT)

    def add(self, frame: FrameRecords, tally: Tally) -> None:
        """Write the rows of a frame."""
        self._frames.writerow(safe(frame_row(frame)))
        for record in frame.annotations:
            self._records.writerow(safe(record_row(frame, record)))
        found = measured(frame, tally).measured
        for measurement in found:
            self._measurements.writerow(safe(measurement_row(frame, measurement)))
        tally.written["rows"] += 1 + len(frame.annotations)
        tally.written["measurements"] += len(found)

    def finish(self, tally: Tally) -> None:
        """Close the files."""
        self._files.close()
        tally.written["tables"] += 3


FORMAT = Format(name="csv", title="CSV tables", image=lambda _stem, _split: "", writer=FlatWriter)
