"""Copies of a project that are made by themselves: one a day, the newest few are kept.

They lie in the user's data folder, away from the project: what befalls its drive or its folder
does not befall them. A copy is made through SQLite, so that it is whole while somebody edits,
and it is checked before it takes its place among the others.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import platformdirs

KEEP = 5
EVERY = timedelta(hours=20)
MOST_BYTES = 2 * 2**30
"""All copies of one project together; of a large one fewer are kept."""
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of a project and when it was made."""

    path: Path
    made: datetime


def folder_of(project: Path) -> Path:
    """Return where the copies of a project lie, whether there are any or not."""
    whole = str(project.absolute()).encode()
    name = f"{project.stem[:40]}-{hashlib.sha256(whole).hexdigest()[:12]}"
    data = platformdirs.user_data_dir("napari-fada", appauthor=False)
    return Path(data) / "backups" / name


def backups(project: Path) -> list[Backup]:
    """Return the copies of a project, the newest first."""
    found = []
    for path in folder_of(project).glob("*.fada"):
        with suppress(ValueError):
            made = datetime.strptime(path.stem, _STAMP).replace(tzinfo=UTC)
            found.append(Backup(path, made))
    return sorted(found, key=lambda b: b.made, reverse=True)


def back_up(project: Path, *, now: datetime | None = None) -> Backup | None:
    """Copy a project if its newest copy is a day old; None if none was due or can be made.

    May take long for a large project: call it from a thread of its own.

    Raises
    ------
    OSError, sqlite3.Error
        If the project cannot be read or the copy cannot be written; the older copies stay.
    """
    now = now or datetime.now(UTC)
    known = backups(project)
    if known and now - known[0].made < EVERY:
        return None
    size = project.stat().st_size
    folder = folder_of(project)
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < 3 * size:
        return None
    draft = folder / f".{uuid.uuid4().hex}"
    try:
        copy(project, draft)
        final = folder / f"{now.strftime(_STAMP)}.fada"
        draft.replace(final)
    finally:
        draft.unlink(missing_ok=True)
    keep = max(1, min(KEEP, MOST_BYTES // max(1, size)))
    for old in backups(project)[keep:]:
        old.path.unlink(missing_ok=True)
    return Backup(final, now)


class _Cancel(Protocol):
    def is_set(self) -> bool: ...


class _CancelledError(Exception):
    pass


def copy(project: Path, target: Path, *, cancel: _Cancel | None = None) -> bool:
    """Copy a project that may be in use, and check the copy; False if cancelled (no file).

    Raises
    ------
    sqlite3.Error
        If either file is damaged or cannot be reached.
    """
    uri = f"{project.absolute().as_uri()}?mode=ro"

    def look(*_pages: int) -> None:
        if cancel is not None and cancel.is_set():
            raise _CancelledError

    try:
        with closing(sqlite3.connect(uri, uri=True)) as source:
            copy_from(source, target, look)
        look()
    except _CancelledError:
        target.unlink(missing_ok=True)
        return False
    return True


def copy_from(
    source: sqlite3.Connection, target: Path, look: Callable[..., None] | None = None
) -> None:
    """Copy what a connection sees into a new file, and check the copy."""
    with closing(sqlite3.connect(target)) as made:
        source.backup(made, pages=1024 if look else -1, progress=look)
        verdict = made.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"the copy is not sound: {verdict}")
