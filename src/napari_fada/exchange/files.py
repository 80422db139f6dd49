"""Writing files whole or not at all."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

from napari_fada.errors import ExchangeError


def write_atomic(path: Path, data: bytes, *, flush: bool = True) -> None:
    """Write a file in one step: whoever looks sees the old one or the new one, never a part.

    Folders are made as needed.

    Parameters
    ----------
    path, data : Path, bytes
        Where and what.
    flush : bool
        Wait for the drive. Not for files of a folder that no one sees yet, by the thousand.

    Raises
    ------
    ExchangeError
        If it cannot be written (full disk, no permission). An old file is then still there.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(data)
            if flush:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        kept = "The file that was there before is unchanged." if path.exists() else ""
        raise ExchangeError(
            f"{path} cannot be written: {error.strerror or error}.",
            kept=kept,
            todo="Free some space or choose another folder, then do it again.",
        ) from error
