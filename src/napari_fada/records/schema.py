"""The tables of a project file, and the steps from each version of them to the next.

A project is one SQLite file. What was said or done is only ever added: triggers refuse to
change or delete readings, records, edits and changes. The one table that is rewritten is
``cells``, the current state, which can be derived from ``changes`` at any time
(:func:`napari_fada.records.history.replay`).
"""

from __future__ import annotations

import sqlite3

#: Stands in the header of every project file ("fada" in ASCII).
APPLICATION_ID = 0x66616461

_VERSION_1 = """
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE scans (
    sha256 TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    path TEXT,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    n_frames INTEGER NOT NULL,
    frame_time REAL,
    spacing_y REAL,
    spacing_x REAL,
    spacing_origin TEXT,
    subject TEXT NOT NULL DEFAULT '',       -- salted hash; who it is never enters the file
    added TEXT NOT NULL
);

CREATE TABLE readings (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL REFERENCES scans (sha256),
    frame INTEGER NOT NULL,
    model_sha256 TEXT NOT NULL,
    prompt_hash TEXT NOT NULL,
    created TEXT NOT NULL,
    body TEXT NOT NULL                      -- the whole reading, fada-reading/1
);
CREATE INDEX readings_of_frame ON readings (sha256, frame);

CREATE TABLE records (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL REFERENCES scans (sha256),
    frame INTEGER NOT NULL,
    reading TEXT REFERENCES readings (id),
    parent TEXT,
    place INTEGER NOT NULL,                 -- a correction keeps the place of what it corrects
    body TEXT NOT NULL                      -- the annotation as JSON
);
CREATE INDEX records_of_frame ON records (sha256, frame);

CREATE TABLE edits (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256 TEXT NOT NULL REFERENCES scans (sha256),
    frame INTEGER NOT NULL,                 -- -1 is the scan as a whole
    kind TEXT NOT NULL CHECK (kind IN ('do', 'undo', 'redo')),
    target INTEGER REFERENCES edits (id),   -- the edit that was undone or redone
    label TEXT NOT NULL,
    rater TEXT NOT NULL,
    at TEXT NOT NULL,
    CHECK ((kind = 'do') = (target IS NULL))
);
CREATE INDEX edits_of_frame ON edits (sha256, frame);

CREATE TABLE changes (
    edit INTEGER NOT NULL REFERENCES edits (id),
    name TEXT NOT NULL,
    before TEXT,                            -- NULL: the cell was not there
    after TEXT,
    PRIMARY KEY (edit, name)
) WITHOUT ROWID;

CREATE TABLE cells (
    sha256 TEXT NOT NULL REFERENCES scans (sha256),
    frame INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (sha256, frame, name)
) WITHOUT ROWID;
"""

_KEPT = ("readings", "records", "edits", "changes")

_GUARDS = "".join(
    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, '{table} are never changed'); END;\n"
    for table in _KEPT
    for verb in ("UPDATE", "DELETE")
)

#: Step i leads from version i to version i + 1; a new file takes all of them.
MIGRATIONS: tuple[str, ...] = (_VERSION_1 + _GUARDS,)


def version(connection: sqlite3.Connection) -> int:
    """Return the schema version of an open file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an open file to the present version, each step in a transaction of its own."""
    for step in range(version(connection), len(MIGRATIONS)):
        # executescript() does not roll back by itself, so the step says BEGIN and COMMIT.
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{MIGRATIONS[step]}\nPRAGMA user_version = {step + 1};\nCOMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.rollback()
            raise
