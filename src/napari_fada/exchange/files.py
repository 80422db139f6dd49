"""Writing files whole or not at all."""

from __future__ import annotations

import errno
import os
import uuid
from contextlib import suppress
from pathlib import Path

from napari_fada.errors import ExchangeError, UnfitNameError

#: Too long, or with signs that a drive of another system does not take.
_FOR_THE_NAME = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL})


#: Bytes of a name that we make of another: drives take 255.
LONGEST = 240


def cut(stem: str, end: str) -> str:
    """Return as much of a name as fits with its end, without half a sign."""
    return os.fsencode(stem)[: LONGEST - len(os.fsencode(end))].decode(errors="ignore") + end


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
    UnfitNameError
        If it is the name that the drive does not take.
    """
    # A name of its own, no longer than any other: that of the file may be as long as can be.
    draft = path.with_name(f".{uuid.uuid4().hex[:12]}.part")
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
        if error.errno in _FOR_THE_NAME:
            raise UnfitNameError(
                f"The name {path.name[:40]}… cannot be written in {path.parent.name}: "
                f"{error.strerror}.",
                todo="Give the scan a shorter and plainer name, or choose another drive.",
            ) from error
        there = os.path.exists(path)  # noqa: PTH110 (Path.exists() may raise)
        kept = "The file that was there before is unchanged." if there else ""
        raise ExchangeError(
            f"{path} cannot be written: {error.strerror or error}.",
            kept=kept,
            todo="Free some space or choose another folder, then do it again.",
        ) from error
