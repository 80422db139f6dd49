"""Readings as ``<stem>.fada.json`` files (schema ``fada-reading/1``)."""

from __future__ import annotations

import json
import os
from pathlib import Path

from napari_fada.errors import ExchangeError
from napari_fada.exchange.files import cut, write_atomic
from napari_fada.records.reading import Reading

SUFFIX = ".fada.json"


def reading_path(folder: Path, stem: str, scan_sha256: str, frame: str = "") -> Path:
    """Return where the reading of a scan goes: ``<stem>.fada.json``, if that is not another's.

    A name depends on the scan and on what lies there already, never on what else is read now:
    where another scan's reading has it, or it is too long, a part of the hash stands in it. What
    a scan has once it keeps.

    Parameters
    ----------
    folder, stem : Path, str
        Where readings go, and the name of the scan without its ending.
    scan_sha256 : str
        Of the scan.
    frame : str
        What tells its frames apart, as in ``.f0005``.
    """
    end = frame + SUFFIX
    plain = folder / (stem + end)
    apart = folder / cut(stem, f"-{scan_sha256[:8]}{end}")
    if plain.name != cut(stem, end) or _holds(apart, scan_sha256):
        return apart
    return plain if not os.path.lexists(plain) or _holds(plain, scan_sha256) else apart


def _holds(path: Path, scan_sha256: str) -> bool:
    try:
        return read_reading(path).scan.sha256 == scan_sha256
    except ExchangeError:
        return False


def write_reading(path: Path, reading: Reading) -> None:
    """Write one reading; an earlier file is replaced in one step.

    Raises
    ------
    ExchangeError
        If it cannot be written.
    """
    text = json.dumps(reading.to_dict(), ensure_ascii=False, indent=1) + "\n"
    write_atomic(path, text.encode("utf-8"))


def read_reading(path: Path) -> Reading:
    """Read one reading.

    Raises
    ------
    ExchangeError
        If the file is missing, damaged or of another form.
    """
    try:
        return Reading.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ExchangeError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExchangeError(
            f"{path} is not a reading of napari-fada, or it is damaged ({error}).",
            todo="Run the scan again to make a new one.",
        ) from error


def is_done(path: Path, *, scan_sha256: str, model_sha256: str, prompt_hash: str) -> bool:
    """Tell whether a file holds a whole reading of this scan, by this model, asked this way.

    A missing or damaged file, or a reading with a failed phase, is not done.
    """
    try:
        reading = read_reading(path)
    except ExchangeError:
        return False
    made_from = (reading.scan.sha256, reading.model.sha256, reading.model.prompt_hash)
    return made_from == (scan_sha256, model_sha256, prompt_hash) and not any(
        result.state == "failed" for result in reading.phases.values()
    )
