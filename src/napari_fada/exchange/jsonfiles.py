"""Reading JSON that others wrote: broken, huge, or packed to be huge."""

from __future__ import annotations

import gzip
import json
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, cast

from napari_fada.errors import ExchangeError

_CHUNK = 1 << 20


def read_json(path: Path, max_bytes: int) -> Any:
    """Return what a JSON file holds; ``.gz`` and ``.zip`` (with one file inside) are unpacked.

    Raises
    ------
    ExchangeError
        If it cannot be read, is larger than ``max_bytes`` once unpacked, or is broken (with line
        and column).
    """
    try:
        data = _bytes(path, max_bytes)
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise ExchangeError(
            f"{path.name} is broken in line {error.lineno}, column {error.colno}: {error.msg}.",
            todo="Mend it there, or write the file again.",
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise ExchangeError(f"{path.name} is no JSON that can be read: {error}.") from error
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        what = getattr(error, "strerror", None) or error
        raise ExchangeError(f"{path} cannot be read: {what}.") from error


def _bytes(path: Path, max_bytes: int) -> bytes:
    with path.open("rb") as file:
        begin = file.read(4)
        file.seek(0)
        if begin[:2] == b"\x1f\x8b":
            with gzip.open(file) as unpacked:
                return _limited(cast(IO[bytes], unpacked), path, max_bytes)
        if begin == b"PK\x03\x04":
            with zipfile.ZipFile(file) as archive:
                inside = [i for i in archive.infolist() if not i.is_dir()]
                if len(inside) != 1:
                    raise ExchangeError(f"{path.name} holds {len(inside)} files and not one.")
                with archive.open(inside[0]) as member:
                    return _limited(member, path, max_bytes)
        return _limited(file, path, max_bytes)


def _limited(file: IO[bytes], path: Path, max_bytes: int) -> bytes:
    """Read a file; what the header says of its size is not believed."""
    parts, size = [], 0
    while chunk := file.read(_CHUNK):
        parts.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise ExchangeError(
                f"{path.name} holds more than {max_bytes:,} bytes once it is unpacked.",
                kept="Nothing of it was read.",
                todo="Split it into smaller files.",
            )
    return b"".join(parts)


def as_object(value: Any, what: str) -> dict[str, Any]:
    """Return a JSON object.

    Raises
    ------
    ValueError
        If it is something else.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    return value


def as_list(value: Any, what: str) -> list[Any]:
    """Return a JSON array.

    Raises
    ------
    ValueError
        If it is something else.
    """
    if not isinstance(value, list):
        raise ValueError(f"{what} is no list")
    return value


def as_number(value: Any, what: str) -> float:
    """Return a number (numbers in quotes are taken, NaN passes: shapes are checked later).

    Raises
    ------
    ValueError
        If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{what} is no number")
    return float(value)
