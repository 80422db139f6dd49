"""Bringing edits from the computer's memory onto the drive, behind the back of the window.

An edit is safe from a crash of the program the moment it is committed: the system has it. Safe
from a power cut it is when the drive has it, and a slow drive may take seconds. So a window
commits at once and a thread of this module waits for the drive; until it has answered, the edit
counts as being saved, not as saved.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

IDLE_SECONDS = 3.0
RETRY_SECONDS = 1.0
#: The log goes into the file when nobody edits for a moment. The commit after that waits for the
#: drive once, so on a drive that took longer than this it is put off until the log is this large.
SLOW_SECONDS = 0.03
LOG_BYTES = 16 * 2**20


def sync(log: Path) -> None:
    """Wait until the drive has all of a file."""
    handle = os.open(log, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Flusher:
    """One thread that brings the log of one project onto the drive, in order.

    Parameters
    ----------
    path : Path
        The project file; its log lies beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._wake = threading.Condition()
        self._committed = self._saved = 0
        self._problem = ""
        self._closing = self._is_slow = False
        self._in_file = 0
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """How many edits the drive does not have yet."""
        return self._committed - self._saved

    @property
    def problem(self) -> str:
        """Why they cannot be brought there, if that was tried."""
        return self._problem

    def committed(self) -> None:
        """Take note of an edit that was committed just now."""
        with self._wake:
            self._committed += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="napari-fada saving", daemon=True
                )
                self._thread.start()
            self._wake.notify_all()

    def close(self, timeout: float = 30.0) -> None:
        """Bring the rest onto the drive and end the thread; a drive that is gone is left."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._wake:
                if not self.waiting and not self._closing:
                    edited = self._wake.wait(IDLE_SECONDS)
                else:
                    edited = True
                upto = self._committed
                if self._closing and (upto == self._saved or self._problem):
                    return
            if upto > self._saved:
                self._flush(upto)
            elif not edited:
                self._empty_the_log()

    def _flush(self, upto: int) -> None:
        begun = time.monotonic()
        try:
            sync(self._log)
        except OSError as error:
            self._problem = error.strerror or str(error)
            with self._wake:
                if not self._closing:
                    self._wake.wait(RETRY_SECONDS)
            return
        self._is_slow = time.monotonic() - begun > SLOW_SECONDS
        with self._wake:
            self._problem = ""
            self._saved = upto
            self._wake.notify_all()

    def _empty_the_log(self) -> None:
        """Write the log into the file, through a connection of this thread's own."""
        saved = self._saved
        with suppress(OSError, sqlite3.Error):
            if self._in_file == saved or (self._is_slow and self._log.stat().st_size < LOG_BYTES):
                return
            uri = f"{self._path.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(uri, uri=True, timeout=0)) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                # Passive: it never holds up an edit.
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                self._in_file = saved
