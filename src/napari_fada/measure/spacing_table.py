"""A project's table of pixel sizes: a csv with a row for each file.

``file`` and ``pixel_size_mm`` are the columns; HC18's ``filename`` and ``pixel size(mm)`` are the
same thing. ``pixel_size_y_mm`` and ``pixel_size_x_mm`` stand for pixels that are not square.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from napari_fada.errors import MeasureError
from napari_fada.measure.calibration import Scale

_FILE = {"file", "filename", "file_name", "image", "image_name"}
_BOTH = {"pixel_size_mm", "pixel_size", "mm_per_pixel", "mm_per_px", "spacing_mm"}
_Y = {"pixel_size_y_mm", "spacing_y_mm"}
_X = {"pixel_size_x_mm", "spacing_x_mm"}


@dataclass(frozen=True, slots=True)
class SpacingTable:
    """Scales by file name.

    Parameters
    ----------
    name : str
        Of the table, for notes.
    scales : mapping of str to Scale
        By file name as it stands there.
    problems : tuple of str
        Rows that gave nothing: line, file and reason.
    """

    name: str
    scales: Mapping[str, Scale]
    problems: tuple[str, ...] = ()
    _by_stem: Mapping[str, Scale] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        times = Counter(Path(name).stem for name in self.scales)
        alone = {n: s for n, s in self.scales.items() if times[Path(n).stem] == 1}
        object.__setattr__(self, "_by_stem", {Path(n).stem: s for n, s in alone.items()})

    def of(self, path: Path | str) -> Scale | None:
        """Return the scale of a file: by its whole path, its end, its name, or its stem.

        A stem counts only where one row of the table has it.
        """
        path = Path(path)
        parts = path.as_posix().split("/")
        for start in range(len(parts)):
            if scale := self.scales.get("/".join(parts[start:])):
                return scale
        return self._by_stem.get(path.stem)


def read_spacing_table(path: Path) -> SpacingTable:
    """Read a table of pixel sizes.

    Raises
    ------
    MeasureError
        If it cannot be read, lacks a column, or no row gives a size.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise MeasureError(f"{path} cannot be read: {what}.") from error
    head = text.partition("\n")[0]
    delimiter = ";" if head.count(";") > head.count(",") else "," if "," in head else "\t"
    rows = csv.reader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
    columns = [_folded(c) for c in next(rows, [])]
    file_at = _find(columns, _FILE)
    both, y_at, x_at = _find(columns, _BOTH), _find(columns, _Y), _find(columns, _X)
    if file_at is None or (both is None and (y_at is None or x_at is None)):
        raise MeasureError(
            f"{path.name} has the columns {', '.join(columns) or '(none)'}: the file or the size "
            "of a pixel is missing.",
            todo="Name them file and pixel_size_mm (or as HC18 does: filename, pixel size(mm)).",
        )
    pair = (both, both) if both is not None else (y_at, x_at)
    scales: dict[str, Scale] = {}
    problems: list[str] = []
    twice: set[str] = set()
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        where = f"{path.name}, line {rows.line_num}"
        name = row[file_at].strip().replace("\\", "/") if file_at < len(row) else ""
        try:
            y, x = (_number(row[at] if at is not None and at < len(row) else "") for at in pair)
            scale = Scale(y, x, "csv", path.name)
        except (ValueError, MeasureError) as error:
            problems.append(f"{where}: {name or 'no file'}: {error}")
            continue
        if not name:
            problems.append(f"{where}: the file is missing")
        elif name in scales and scales[name] != scale:
            problems.append(f"{where}: {name} stands there twice with different sizes: none counts")
            twice.add(name)
        else:
            scales[name] = scale
    scales = {name: scale for name, scale in scales.items() if name not in twice}
    if not scales:
        what = problems[0] if problems else "it has no rows"
        raise MeasureError(f"{path.name} gives no size of a pixel: {what}.")
    return SpacingTable(path.name, scales, tuple(problems))


def _folded(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.strip().lower()).strip("_")


def _find(columns: list[str], names: set[str]) -> int | None:
    return next((i for i, column in enumerate(columns) if column in names), None)


def _number(text: str) -> float:
    text = text.strip()
    if re.fullmatch(r"\d+,\d+", text):  # a decimal comma, in tables set apart by semicolons
        text = text.replace(",", ".")
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number" if text else "no size is given") from None
