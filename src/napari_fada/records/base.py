"""Opening a project file, and the scans and readings in it."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import platformdirs
from psygnal import Signal

from napari_fada.errors import ProjectError
from napari_fada.records import backups, history, steps, summary, tables, writing
from napari_fada.records.history import Entry
from napari_fada.records.listed import Stamp
from napari_fada.records.reading import Reading
from napari_fada.records.rows import FrameState, ScanLike, ScanRow
from napari_fada.records.store import Store

#: Mark of a project that is only to look at; it holds what it shows ("Worst cases of a.fada").
LOOK = "look"


def default_path() -> Path:
    """Return where the project lies that is used when none is named."""
    return Path(platformdirs.user_data_dir("napari-fada", appauthor=False)) / "default.fada"


class ProjectFile:
    """What :class:`~napari_fada.records.project.Project` stands on: the file and what is kept.

    Attributes
    ----------
    rater : str
        Who works now; written into every edit.
    identifier : str
        Of the project; a copy of the file has the same.
    changed : signal (sha256, frame)
        Something about this frame changed (frame -1: about the scan as a whole).
    """

    changed: ClassVar[Signal] = Signal(str, int)

    def __init__(self, store: Store, *, rater: str = "") -> None:
        self.rater = rater
        self._store = store
        self._local = threading.local()
        with store.read() as c:
            row = c.execute("SELECT value FROM meta WHERE name = 'salt'").fetchone()
            self._salt = bytes(row[0])
            row = c.execute("SELECT value FROM meta WHERE name = 'project'").fetchone()
            self.identifier = str(row[0])
            self._seen = self._opened_at = _last_edit(c)
        self.window = uuid.uuid4().hex

    @classmethod
    def open(
        cls,
        path: str | Path | None = None,
        *,
        rater: str = "",
        timeout: float = 5.0,
        create: bool = True,
        look: bool = False,
    ) -> Self:
        """Open a project, or make a new one where there is no file.

        Parameters
        ----------
        path : path, optional
            The default is :func:`default_path`.
        rater : str
            Who works now.
        timeout : float
            Seconds that an edit waits while another window writes.
        create : bool
            False: a file that is not there is an error (a mistyped name, for instance).
        look : bool
            Only look: nothing is written, whatever the file allows.

        Raises
        ------
        ProjectError
            If the file is not a project, is damaged, or was written by a newer version (the
            file is not touched), or cannot be reached. A file that cannot be written is opened
            for looking: ``writable`` is False.
        """
        chosen = default_path() if path is None else Path(path)
        if not create and not chosen.exists():
            raise ProjectError(
                f"There is no project at {chosen}.", todo="Check the name, or make one there first."
            )
        return cls(Store(chosen, timeout=timeout, look=look), rater=rater)

    def close(self) -> None:
        """Close the file; there is nothing to save. Calling it twice is allowed."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The project file."""
        return self._store.path

    @property
    def window(self) -> str:
        """The window that works in the project; written into every edit."""
        with self._store.read() as c:
            return writing.window(c)

    @window.setter
    def window(self, name: str) -> None:
        self._store.connection.window = name

    @property
    def writable(self) -> bool:
        """False if the file or its folder is read-only: edits raise, looking works."""
        return self._store.writable

    @property
    def looking(self) -> bool:
        """Whether it was opened only to look at."""
        return self._store.look

    @property
    def is_present(self) -> bool:
        """False if the file was moved or deleted, or its drive is gone: edits raise."""
        return self._store.is_present

    def flush_soon(self) -> None:
        """Let a thread wait for the drive, instead of each edit; for windows.

        An edit that has returned survives a crash or a kill of the program as before. It
        survives a power cut when ``unsaved`` is back to 0.
        """
        self._store.flush_soon()

    @property
    def unsaved(self) -> int:
        """How many edits the drive does not have yet (only after :meth:`flush_soon`)."""
        return self._store.flusher.waiting if self._store.flusher else 0

    @property
    def saving_problem(self) -> str:
        """Why the drive does not take them; empty if it does."""
        return self._store.flusher.problem if self._store.flusher else ""

    def copy_to(self, path: Path) -> None:
        """Write the project as it is now into a new file; the project stays as it is.

        This works as long as the open file can be read, even if it was moved or deleted.

        Raises
        ------
        ProjectError
            If there is a file already, or the copy cannot be written.
        """
        if path.exists():
            raise ProjectError(f"{path} exists already.", todo="Choose a new name.")
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        try:
            with self._store.read() as c:
                backups.copy_from(c, draft)
            draft.rename(path)
        except OSError as error:
            raise ProjectError(
                f"No copy can be made at {path}: {error.strerror}.", todo="Choose another folder."
            ) from error
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    @property
    def salt(self) -> bytes:
        """Secret of this project, for hashing what must not leave. Never export it."""
        return self._salt

    def mark(self, name: str) -> str | None:
        """Return a mark that :meth:`set_mark` left, None if there is none."""
        with self._store.read() as c:
            row = c.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_mark(self, name: str, value: str) -> None:
        """Leave a mark in the file: how far something outside of it has come.

        Inside :meth:`together` it is there exactly if the edits of that block are.
        """
        with self._store.write() as c:
            c.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    # Scans and readings

    def add_scan(self, scan: ScanLike) -> None:
        """Remember a scan. A known one (same sha256) gets its new name and place."""
        stamp = Stamp.of(scan.path) if scan.path else None
        with self._store.write() as c:
            tables.put_scan(c, scan, self._salt, stamp=stamp)

    def scans(self) -> list[ScanRow]:
        """Return all scans in the order they were added."""
        with self._store.read() as c:
            return tables.scan_rows(c)

    def scan(self, sha256: str) -> ScanRow | None:
        """Return what is known of one scan, None if it is not in the project."""
        with self._store.read() as c:
            return next(iter(tables.scan_rows(c, sha256)), None)

    def frames(self, sha256: str) -> list[int]:
        """Return the frames of a scan that hold anything, in order."""
        with self._store.read() as c:
            rows = c.execute(
                "SELECT DISTINCT frame FROM cells WHERE sha256 = ? AND frame >= 0 ORDER BY frame",
                (sha256,),
            )
            return [row[0] for row in rows]

    def frame_states(self, sha256: str) -> dict[int, FrameState]:
        """Return review and trouble of the frames of a scan that have any, in one look."""
        with self._store.read() as c:
            return tables.frame_states(c, sha256)

    def readings(self, sha256: str, frame: int | None = None) -> list[Reading]:
        """Return the readings of a frame (or of all frames), oldest first."""
        return [reading for _, reading in self.readings_by_id(sha256, frame)]

    def readings_by_id(self, sha256: str, frame: int | None = None) -> list[tuple[str, Reading]]:
        """Return the readings with their ids, oldest first."""
        with self._store.read() as c:
            return tables.reading_rows(c, sha256, frame)

    def poll(self) -> set[tuple[str, int]]:
        """Find what other windows changed since the last look, and emit ``changed`` for it."""
        with self._store.read() as c:
            rows = c.execute(
                "SELECT sha256, frame FROM edits WHERE id > ?1 AND window <> ?4 UNION "
                "SELECT e.sha256, ?2 FROM edits e JOIN changes c ON c.edit = e.id "
                "WHERE e.id > ?1 AND e.window <> ?4 AND c.name GLOB ?3",
                (self._seen, history.WHOLE, f"{history.SCAN}*", self.window),
            ).fetchall()
            self._seen = _last_edit(c)
        for sha256, frame in rows:
            self.changed.emit(sha256, frame)
        return set(rows)

    @contextmanager
    def together(self, label: str, *, made_by: writing.MadeBy = "") -> Iterator[None]:
        """Make everything that is done inside one transaction and one step of undo.

        It may touch several frames and the scan as a whole; if anything inside raises, nothing
        of it was done. ``changed`` is emitted when all of it is on the disk. Inside another such
        block it is a part of that one.

        Parameters
        ----------
        label : str
            What the person did, for the history ("Copied to 4 frames").
        made_by : str
            The part of the program that does it, if it is no person: it is no step then.
        """
        held = getattr(self._local, "held", None)
        if held is not None:
            yield
            return
        self._local.held = held = []
        try:
            with self._store.write() as c, writing.by(c, made_by):
                first = _last_edit(c) + 1
                yield
                steps.put_act(c, first, label)
        finally:
            self._local.held = None
        self._tell(*held)

    def check(self) -> list[str]:
        """Check the file thoroughly; return what is wrong with it (empty: it is sound)."""
        with self._store.read() as c:
            problems = [r[0] for r in c.execute("PRAGMA integrity_check") if r[0] != "ok"]
            problems += [
                f"a row of {table} points to a row of {parent} that is not there"
                for table, _, parent, _ in c.execute("PRAGMA foreign_key_check")
            ]
            stored: dict[tuple[str, int], history.Cells] = {}
            for sha256, frame, name, value in c.execute("SELECT * FROM cells"):
                stored.setdefault((sha256, frame), {})[name] = value
            derived = history.replay(c)
            for key in sorted(stored.keys() | derived.keys()):
                if stored.get(key) != derived.get(key):
                    problems.append(f"frame {key[1]} of {key[0][:12]}… differs from its history")
            bodies = "SELECT body FROM readings UNION ALL SELECT body FROM records"
            problems += [f"not JSON: {body[:40]}" for (body,) in c.execute(bodies) if _broken(body)]
            if not problems:  # derived from the rest, so it says nothing more if that is wrong
                problems += [
                    f"the worklist's summary of {sha256[:12]}… differs from its records"
                    for sha256 in summary.differing(c)
                ]
        return problems

    def _tell(self, *entries: Entry | None) -> None:
        """Emit ``changed``, once a frame, now or when the block of ``together`` has ended."""
        found = [entry for entry in entries if entry is not None]
        held: list[Entry] | None = getattr(self._local, "held", None)
        if held is not None:
            held += found
            return
        keys: dict[tuple[str, int], None] = {}
        for entry in found:
            if entry.id == self._seen + 1:
                self._seen = entry.id  # ours; anything between is another window's, for poll()
            keys[entry.sha256, entry.frame] = None
        for entry in found:
            if any(change.name.startswith(history.SCAN) for change in entry.changes):
                keys[entry.sha256, history.WHOLE] = None
        for key in keys:
            self.changed.emit(*key)


def _last_edit(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM edits").fetchone()[0])


def _broken(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return True
    return False
