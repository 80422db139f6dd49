"""HC18's table: the ellipse of the head of each scan in millimetres.

Columns as the challenge wants them: ``filename, center_x_mm, center_y_mm, semi_axes_a_mm,
semi_axes_b_mm, angle_rad``. The ellipse is that of ``measure.ellipse``: through the corners of an
outline, from the second moments of a painted mask, in millimetres either way. Centres are those of
HC18: in the corner convention of the image. Precision: written to a thousandth of a millimetre.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from napari_fada.errors import ExchangeError, FadaError, MeasureError
from napari_fada.exchange.checking import checked
from napari_fada.exchange.extras import with_about
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.measured import scale_of_frame
from napari_fada.exchange.writers import Format, Problem, ReadOptions, WriteOptions
from napari_fada.measure import SpacingTable, read_spacing_table
from napari_fada.measure.ellipse import measured_ellipse
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse

FILE = "hc18.csv"
HEAD = ("filename", "center_x_mm", "center_y_mm", "semi_axes_a_mm", "semi_axes_b_mm", "angle_rad")
#: Outlines of a head, the first that is there.
CLASSES = ("head", "fetal_head", "Brain")

NO_SCALE = "heads without a scale: there are no millimetres"
NO_HEAD = "frames without the outline of a head"
NO_ELLIPSE = "outlines of heads that are no ellipse"


def head_of(frame: FrameRecords) -> Annotation | None:
    """Return the outline of the head of a frame."""
    outlines = {a.category: a for a in reversed(frame.annotations) if a.kind == "polygon"}
    return next((outlines[name] for name in CLASSES if name in outlines), None)


class Hc18Writer:
    """Writes the table row by row (see ``writers.Writer``)."""

    def __init__(self, root: Path, _options: WriteOptions) -> None:
        self._file = (root / FILE).open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(HEAD)

    def add(self, frame: FrameRecords, tally: Tally) -> None:
        """Write the row of a frame."""
        head = head_of(frame)
        if head is None:
            tally.left_out[NO_HEAD] += 1
        elif (scale := scale_of_frame(frame)) is None:
            tally.left_out[NO_SCALE] += 1
        else:
            try:
                found = measured_ellipse(head, scale, (frame.width, frame.height)).mm
            except MeasureError:
                tally.left_out[NO_ELLIPSE] += 1
                return
            numbers = (found.x, found.y, found.a, found.b, found.angle)
            self._rows.writerow([Path(frame.image).name, *(f"{v:.4f}" for v in numbers)])
            tally.written["rows"] += 1

    def finish(self, tally: Tally) -> None:
        """Close the file."""
        self._file.close()
        tally.written["tables"] += 1


def read(root: Path, options: ReadOptions) -> Iterator[FrameRecords | Problem]:
    """Read ellipses back as outlines; a table of pixel sizes must lie beside theirs.

    The class is ``options.category``, or ``head``.

    Raises
    ------
    ExchangeError
        If a table is missing.
    """
    folder = root if root.is_dir() else root.parent
    tables = [root] if root.is_file() else sorted(folder.glob("*.csv"))
    found = next((t for t in tables if set(HEAD) <= set(_columns(t))), None)
    if found is None:
        raise ExchangeError(f"There is no table with {', '.join(HEAD)} in {root}.")
    sizes = pixel_sizes(folder)
    category = options.category or "head"
    with found.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, skipinitialspace=True):
            name = row["filename"]
            try:
                scale = sizes.of(name)
                if scale is None:
                    raise KeyError(name)
                x, y, a, b, angle = (float(row[key]) for key in HEAD[1:])
                size = options.size_of(name)
            except KeyError:
                yield Problem(found.name, name, "no table gives its size of a pixel")
                continue
            except (FadaError, OSError, ValueError, TypeError) as error:
                what = error.what if isinstance(error, FadaError) else str(error)
                yield Problem(found.name, name, what)
                continue
            ring = scale.to_pixels(Ellipse(x, y, a, b, angle).polygon())
            record = with_about(Annotation(category, "polygon", ring), {})
            kept, wrong = checked(record, size)
            if wrong:
                yield Problem(found.name, name, wrong)
            records = (kept,) if kept else ()
            frame = FrameRecords(name, *size, records)
            yield replace(frame, spacing_mm=(scale.y, scale.x), spacing_origin=scale.origin)


def pixel_sizes(folder: Path) -> SpacingTable:
    """Return the sizes of pixels that a table in a folder gives.

    Raises
    ------
    ExchangeError
        If there is no such table.
    """
    for table in sorted(folder.glob("*.csv")):
        with suppress(MeasureError):  # a table of something else
            return read_spacing_table(table)
    raise ExchangeError(
        f"No table in {folder} gives sizes of pixels.",
        todo="Put a csv with the columns filename and pixel size(mm) there.",
    )


def _columns(table: Path) -> list[str]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file, skipinitialspace=True), [])
    except (OSError, UnicodeDecodeError) as error:
        raise ExchangeError(f"{table} cannot be read: {error}.") from error


FORMAT = Format(
    name="hc18",
    title="HC18's table of ellipses",
    image=lambda _stem, _split: "",
    writer=Hc18Writer,
    reader=read,
)
