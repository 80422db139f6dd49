"""Opening, creating and guarding the SQLite file under a project.

Whatever SQLite reports is turned into a :class:`ProjectError` that says what happened, what
was kept and what to do. A file that is not a sound project is refused before anything is
written to it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_fada.errors import NotWrittenError, ProjectDamagedError, ProjectError
from napari_fada.records import schema, writing
from napari_fada.records.annotation import now
from napari_fada.records.flushing import Flusher

#: Files up to this size are checked whole when they are opened (about 0.1 s).
CHECKED_WHOLE = 32 * 2**20

_HEADER = b"SQLite format 3\0"
_WHOLE = ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
_PART = ("SAVEPOINT part", "RELEASE part", "ROLLBACK TO part")
_KEPT = "Every edit before this one is in the file."


class Store:
    """One connection to one project file.

    It may be used from any thread: a lock lets one thread in at a time. Other processes may
    have the same file open; SQLite lets one of them write at a time, and a writer waits up to
    ``timeout`` seconds for its turn.

    Parameters
    ----------
    path : Path
        The project file; made if there is none.
    timeout : float
        Seconds to wait while another window writes.
    look : bool
        Only look: nothing is written.
    """

    def __init__(self, path: Path, *, timeout: float = 5.0, look: bool = False) -> None:
        self.path = path
        self.look = look
        self.lock = threading.RLock()
        self._timeout = timeout
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        if not path.exists():
            self._create()
        _require_project(path)
        with _explained(path):
            self._inspect()
            self.connection, self.writable = self._connect()
        self._inode = path.stat().st_ino
        self.flusher: Flusher | None = None

    def flush_soon(self) -> None:
        """Let a thread wait for the drive from now on, instead of each edit.

        Where the file system has no shared memory (no WAL), edits wait as before.
        """
        with self.lock, _explained(self.path):
            mode = self.connection.execute("PRAGMA journal_mode").fetchone()[0]
            if self.writable and self.flusher is None and mode == "wal":
                self.connection.execute("PRAGMA synchronous = NORMAL")
                self.connection.execute("PRAGMA wal_autocheckpoint = 0")
                self.flusher = Flusher(self.path)

    def close(self) -> None:
        """Close the connection; calling it twice is allowed."""
        if self.flusher is not None:
            self.flusher.close()
        with self.lock:
            self.connection.close()
            if self._copy is not None:
                self._copy.cleanup()
                self._copy = None

    @contextmanager
    def read(self) -> Iterator[writing.Connection]:
        """Give the connection for looking, with errors explained."""
        with self.lock, _explained(self.path):
            yield self.connection

    @contextmanager
    def write(self, *, edit: bool = True) -> Iterator[writing.Connection]:
        """Give the connection inside a transaction: all of it is kept, or nothing is.

        Inside another such block of the same thread it is a part of that one's transaction.
        What is no edit (``edit=False``) waits for no other window, and need not be on the drive
        before the next edit is.

        Raises
        ------
        ProjectError
            If the file cannot be written. The file is then as it was before.
        """
        with self.lock:
            if self.look:
                raise NotWrittenError(
                    f"{self.path.name} is only to look at.",
                    kept="Nothing was changed.",
                    todo="Go back to your own project to edit.",
                )
            if not self.writable:
                raise NotWrittenError(
                    f"{self.path} is open for looking only: the file or its folder is read-only.",
                    kept="Nothing in the file was changed; this edit was not made.",
                    todo="Copy the project to a folder you may write to and open the copy.",
                )
            inner = self.connection.in_transaction
            if not inner:
                self._require_present()
            begin, end, back = _PART if inner else _WHOLE
            with _explained(self.path), self._waiting(edit or inner):
                self.connection.execute(begin)
                try:
                    yield self.connection
                    self.connection.execute(end)
                except BaseException:
                    if self.connection.in_transaction:  # SQLite may have rolled back itself
                        self.connection.execute(back)
                        if inner:
                            self.connection.execute(end)
                    raise
            if edit and not inner and self.flusher is not None:
                self.flusher.committed()

    @contextmanager
    def _waiting(self, wait: bool) -> Iterator[None]:
        """Wait for another window that writes, or refuse at once."""
        if wait:
            yield
            return
        self.connection.execute("PRAGMA busy_timeout = 0")
        try:
            yield
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {round(self._timeout * 1000)}")

    @property
    def is_present(self) -> bool:
        """Whether the file still is where it was opened."""
        with suppress(OSError):
            return self.path.stat().st_ino == self._inode
        return False

    def _require_present(self) -> None:
        # SQLite would go on writing to a file that was deleted or whose drive is gone.
        if self.is_present:
            return
        # What is in the log still goes into the file, wherever that is now.
        with suppress(sqlite3.Error):
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        raise NotWrittenError(
            f"The project file is no longer at {self.path} (moved, deleted, or the drive is gone).",
            kept="Edits made before that are in the file, wherever it is now; this one was "
            "not made.",
            todo="Bring the file or the drive back, then open the project again.",
        )

    def _create(self) -> None:
        """Make a new project beside its final name, then give it that name in one step."""
        draft = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex[:8]}")
        with _explained(self.path):
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                connection = sqlite3.connect(draft, isolation_level=None)
                try:
                    connection.execute("PRAGMA synchronous = FULL")
                    connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
                    schema.migrate(connection)
                    meta = (
                        ("project", uuid.uuid4().hex),
                        ("salt", os.urandom(32)),
                        ("created", now()),
                    )
                    connection.executemany("INSERT INTO meta VALUES (?, ?)", meta)
                    # Stays in the file; where WAL cannot be, SQLite keeps its older journal.
                    connection.execute("PRAGMA journal_mode = WAL")
                finally:
                    connection.close()
                _put_log_aside(self.path)
                publish(draft, self.path)
            except OSError as error:
                raise ProjectError(
                    f"No project can be made at {self.path}: {error.strerror}.",
                    todo="Choose a folder that exists and that you may write to.",
                ) from error
            finally:
                with suppress(OSError):
                    draft.unlink()

    def _inspect(self) -> None:
        """Look at version and integrity through a connection that cannot write."""
        connection = self._open_to_look()
        try:
            found = schema.version(connection)
            if found > len(schema.MIGRATIONS):
                raise ProjectError(
                    f"{self.path} was written by a newer napari-fada (file version {found}, "
                    f"this program knows {len(schema.MIGRATIONS)}).",
                    kept="The file was not touched.",
                    todo="Open it with that version, or update this one.",
                )
            if self.path.stat().st_size <= CHECKED_WHOLE:
                verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
                if verdict != "ok":
                    raise _damaged(self.path, str(verdict))
            connection.execute("SELECT value FROM meta WHERE name = 'salt'").fetchone()[0]
        except (TypeError, sqlite3.OperationalError) as error:
            if isinstance(error, sqlite3.OperationalError) and "no such table" not in str(error):
                raise
            raise _damaged(self.path, "tables are missing") from error
        finally:
            connection.close()

    def _connect(self) -> tuple[writing.Connection, bool]:
        """Open for writing if that is possible, else for looking."""
        if self.look:
            return self._brought_up_to_look(), False
        connection = self._open(f"{self.path.absolute().as_uri()}?mode=rw")
        try:
            # A read-only file or folder shows itself only when something is to be written.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("UPDATE meta SET value = value WHERE name = ''")
        except sqlite3.OperationalError as error:
            connection.close()
            if _code(error) not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                raise
            return self._brought_up_to_look(), False
        found = schema.version(connection)
        if found < len(schema.MIGRATIONS):
            # The old file is kept whole beside the new one.
            old = self.path.with_name(f"{self.path.name}.v{found}")
            if not old.exists():
                connection.execute("VACUUM INTO ?", (str(old),))
            schema.migrate(connection)
        return connection, True

    def _brought_up_to_look(self) -> writing.Connection:
        """Open for looking; an older file that cannot be written is brought up in a copy."""
        connection = self._open_to_look()
        if schema.version(connection) == len(schema.MIGRATIONS):
            return connection
        copy = self._copy_folder() / f"present-{self.path.name}"
        connection.execute("VACUUM INTO ?", (str(copy),))
        connection.close()
        connection = self._open(f"{copy.as_uri()}?mode=rw")
        schema.migrate(connection)
        return connection

    def _copy_folder(self) -> Path:
        if self._copy is None:
            self._copy = tempfile.TemporaryDirectory(prefix="napari-fada-")
        return Path(self._copy.name)

    def _open_to_look(self) -> writing.Connection:
        uri = self.path.absolute().as_uri()
        try:
            connection = self._open(f"{uri}?mode=ro")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            connection.close()
            if _code(error) not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                raise
        else:
            return connection
        # A WAL file needs its two companions, which a read-only folder does not let SQLite make.
        log = self.path.with_name(self.path.name + "-wal")
        if not log.exists() or log.stat().st_size == 0:
            return self._open(f"{uri}?mode=ro&immutable=1")
        # Edits wait in the log of a window that was killed: read them from a copy.
        copy = self._copy_folder() / self.path.name
        for source in (self.path, log):
            shutil.copyfile(source, copy.with_name(source.name))
        return self._open(f"{copy.as_uri()}?mode=rw")

    def _open(self, uri: str) -> writing.Connection:
        return sqlite3.connect(
            uri,
            uri=True,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,  # self.lock lets one thread in at a time
            factory=writing.Connection,
        )


def _put_log_aside(path: Path) -> None:
    """Rename the log of a project that was deleted without it.

    SQLite would write what stands in it into the new project of the same name.
    """
    if path.exists():
        return
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    log = path.with_name(path.name + "-wal")
    with suppress(FileNotFoundError):
        log.rename(log.with_name(f"{log.name}.left-{uuid.uuid4().hex[:8]}"))


def publish(draft: Path, path: Path) -> bool:
    """Give a finished file its name without ever replacing one that has it already.

    Returns
    -------
    bool
        False if there is such a file (another window made it in the same moment).
    """
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    except OSError:
        if path.exists():  # file systems without hard links (FAT, some network drives)
            return False
        draft.rename(path)
    return True


def _require_project(path: Path) -> None:
    """Read the header ourselves: SQLite must not touch a file that is not a project."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise ProjectError(
            f"{path} cannot be read: {error.strerror}.", todo="Choose a project file (*.fada)."
        ) from error
    if len(header) == 100 and header.startswith(_HEADER):
        if int.from_bytes(header[68:72], "big") == schema.APPLICATION_ID:
            return
        what = f"{path} is a database of another program, not a napari-fada project."
    else:
        what = f"{path} is not a napari-fada project, or its beginning is damaged."
    raise ProjectError(
        what, kept="The file was not touched.", todo="Choose another file, or a new name."
    )


def _damaged(path: Path, detail: str) -> ProjectDamagedError:
    return ProjectDamagedError(
        f"The project file {path} is damaged ({detail}).",
        kept="It was not changed any further.",
        todo="Save what can be read into a new file, restore a backup, or start a new project.",
    )


def _code(error: sqlite3.Error) -> int:
    """Return the primary result code of SQLite (the low byte of the extended one)."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours; what is a defect of the program stays as it is."""
    try:
        yield
    except sqlite3.Error as error:
        code = _code(error)
        if code == sqlite3.SQLITE_FULL:
            raise NotWrittenError(
                f"There is no space left for the project {path}.",
                kept=f"{_KEPT} This one was not made.",
                todo="Free some space on that drive, then do it again.",
            ) from error
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise NotWrittenError(
                f"Another program keeps the project {path} locked.",
                kept=f"{_KEPT} This one was not made.",
                todo="Wait for it to finish or close it, then do it again.",
            ) from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise _damaged(path, str(error)) from error
        if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise NotWrittenError(
                f"The project {path} cannot be reached or written ({error}).",
                kept=f"{_KEPT} This one was not made.",
                todo="Check the drive, the space on it and your rights there, then open the "
                "project again.",
            ) from error
        raise
