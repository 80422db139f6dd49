"""The tables of a project file, and the steps from each version of them to the next.

A project is one SQLite file. What was said or done is only ever added: triggers refuse to
change or delete readings, records, edits, changes and signatures. What is rewritten is ``looks``,
who had a frame on the screen last; ``cells``, the current state, which can be derived from
``changes`` at any time (:func:`napari_fada.records.history.replay`); ``frames`` and
``summaries``, which are derived from ``cells`` (:mod:`napari_fada.records.summary`);
``plausibility``, which is derived from what is measured
(:mod:`napari_fada.records.plausibility`); and ``listed``, the worklist's files.
"""

from __future__ import annotations

import sqlite3

from napari_fada.records import listed, summary

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


def guards(*tables: str) -> str:
    """Return the triggers that refuse to change or delete rows of tables."""
    return "".join(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} are never changed'); END;\n"
        for table in tables
        for verb in ("UPDATE", "DELETE")
    )


_VERSION_2 = """
CREATE TABLE listed (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT UNIQUE,                       -- absolute; NULL: no file is known
    name TEXT NOT NULL,
    name_key TEXT NOT NULL DEFAULT '',      -- sorts frame2 before frame10
    size INTEGER,
    mtime_ns INTEGER,
    sha256 TEXT REFERENCES scans (sha256),  -- NULL: not opened yet
    problem TEXT NOT NULL DEFAULT '',       -- why the file cannot be opened
    added TEXT NOT NULL
);
CREATE INDEX listed_scans ON listed (sha256, id);
INSERT OR IGNORE INTO listed (path, name, sha256, added)
    SELECT path, name, sha256, added FROM scans ORDER BY added, rowid;
INSERT INTO listed (name, sha256, added)
    SELECT name, sha256, added FROM scans
    WHERE sha256 NOT IN (SELECT sha256 FROM listed) ORDER BY added, rowid;

CREATE TABLE frames (
    sha256 TEXT NOT NULL REFERENCES scans (sha256),
    frame INTEGER NOT NULL,
    shown INTEGER NOT NULL,                 -- 1: a row is there if anything stands
    open INTEGER NOT NULL,                  -- proposals that no one has judged
    classes TEXT NOT NULL,                  -- of what stands; each line a name
    score REAL,                             -- the lowest of the open proposals
    worst REAL,                             -- the lowest of all that stands
    view TEXT,
    PRIMARY KEY (sha256, frame)
) WITHOUT ROWID;

CREATE TABLE summaries (
    sha256 TEXT PRIMARY KEY REFERENCES scans (sha256),
    state TEXT NOT NULL,
    view TEXT,                              -- of the first frame that has one
    views TEXT NOT NULL,
    classes TEXT NOT NULL,
    open INTEGER NOT NULL,
    score REAL,
    worst REAL,
    rater TEXT NOT NULL,                    -- who worked on it last
    raters TEXT NOT NULL,
    comment TEXT NOT NULL,
    changed INTEGER NOT NULL                -- the last edit
) WITHOUT ROWID;
"""

_VERSION_3 = """
CREATE TABLE acts (                         -- edits first to last are one act of a person
    first INTEGER PRIMARY KEY REFERENCES edits (id),
    last INTEGER NOT NULL REFERENCES edits (id),
    label TEXT NOT NULL
);
CREATE INDEX edits_turned ON edits (target) WHERE target IS NOT NULL;
"""

_VERSION_4 = """
CREATE TABLE settings (                     -- of the project; the latest row of a name counts
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    value TEXT,                             -- JSON; NULL: back to the default
    rater TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX settings_by_name ON settings (name, seq);
CREATE INDEX cells_of_reports ON cells (sha256, frame, name)
    WHERE name >= 'field/' AND name < 'field0';
"""

_VERSION_5 = """
CREATE TABLE plausibility (                 -- a row for each scan that was looked at
    sha256 TEXT PRIMARY KEY REFERENCES scans (sha256),
    edit INTEGER NOT NULL,                  -- the last edit then; a later one: look again
    rules TEXT NOT NULL,                    -- by which rules; others: look again
    severity REAL NOT NULL,                 -- of the worst finding; 0: all fits
    worst REAL NOT NULL,                    -- the highest severity there ever was
    words TEXT NOT NULL                     -- the findings, each on a line
) WITHOUT ROWID;
"""

_VERSION_6 = ""  # labels that came in have a state of their own: what is derived is derived again

#: Which window made an edit, and which part of the program where it was no person. The parts of
#: an act are named one by one: where it takes long, others may edit in between.
_VERSION_7 = """
ALTER TABLE edits ADD COLUMN window TEXT NOT NULL DEFAULT '';
ALTER TABLE edits ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
DROP TRIGGER edits_no_update;
UPDATE edits SET made_by = 'run' WHERE kind = 'do' AND id IN
    (SELECT edit FROM changes WHERE name = 'reading' AND before IS NULL);
UPDATE edits SET made_by = 'import' WHERE kind = 'do' AND label GLOB 'Imported from *';
UPDATE edits SET made_by = 'merge' WHERE kind = 'do' AND EXISTS
    (SELECT 1 FROM meta WHERE name = 'merge')
    AND (label GLOB 'Merged: * and *' OR label GLOB 'Set aside: *, for *');
CREATE TRIGGER edits_no_update BEFORE UPDATE ON edits
    BEGIN SELECT RAISE(ABORT, 'edits are never changed'); END;

CREATE TABLE parts (                        -- edits that are one act; most edits are one alone
    edit INTEGER PRIMARY KEY REFERENCES edits (id),
    act INTEGER NOT NULL REFERENCES edits (id)  -- the first of them
);
CREATE INDEX parts_of_acts ON parts (act);
INSERT INTO parts SELECT e.id, max(a.first) FROM acts a CROSS JOIN edits e
    ON e.id BETWEEN a.first AND a.last GROUP BY e.id;
CREATE TABLE named_acts (
    first INTEGER PRIMARY KEY REFERENCES edits (id),
    label TEXT NOT NULL
);
INSERT INTO named_acts SELECT first, label FROM acts;
DROP TABLE acts;
ALTER TABLE named_acts RENAME TO acts;
"""

#: Who looked at what, and the names that were given after the first edits.
_VERSION_8 = """
CREATE TABLE looks (                        -- which frames were on the screen of whom
    sha256 TEXT NOT NULL REFERENCES scans (sha256),
    frame INTEGER NOT NULL,
    rater TEXT NOT NULL,
    window TEXT NOT NULL,                   -- of a rater without a name; empty: rater says it
    how TEXT NOT NULL,                      -- screen, told (reviewed elsewhere) or earlier
    last TEXT NOT NULL,                     -- the last moment
    UNIQUE (sha256, frame, rater, window)
);
-- Of a project that is older: where someone edited, and the frame on which a scan was finished.
INSERT INTO looks
    SELECT e.sha256, e.frame, e.rater, '', 'earlier', max(e.at)
    FROM edits e JOIN changes c ON c.edit = e.id
    WHERE e.frame >= 0 AND e.kind = 'do' AND e.made_by = '' AND c.name = 'review' AND (
        c.after = 'in_review' OR (c.after IN ('accepted', 'corrected')
        AND NOT EXISTS (SELECT 1 FROM parts p WHERE p.edit = e.id AND p.act < e.id))
    )
    GROUP BY e.sha256, e.frame, e.rater;

CREATE TABLE unsigned_records (             -- written by someone who had given no name
    uid TEXT NOT NULL UNIQUE REFERENCES records (uid),
    window TEXT NOT NULL,
    after INTEGER NOT NULL                  -- the last edit then
);
CREATE TABLE signatures (                   -- whose a window's edits without a name are
    window TEXT NOT NULL,
    upto INTEGER NOT NULL,                  -- the last edit that this name is given to
    rater TEXT NOT NULL,
    at TEXT NOT NULL,
    UNIQUE (window, upto)
);
CREATE VIEW signed_edits AS
    SELECT id, sha256, frame, kind, target, label,
        CASE rater WHEN '' THEN coalesce((
            SELECT s.rater FROM signatures s WHERE s.window = edits.window AND s.upto >= edits.id
            ORDER BY s.upto LIMIT 1
        ), '') ELSE rater END AS rater,
        at, window, made_by
    FROM edits;
CREATE VIEW signed_records AS
    SELECT r.seq, r.uid, r.sha256, r.frame, r.reading, r.parent, r.place,
        CASE WHEN u.uid IS NULL THEN r.body ELSE json_set(r.body, '$.rater', coalesce((
            SELECT s.rater FROM signatures s WHERE s.window = u.window AND s.upto > u.after
            ORDER BY s.upto LIMIT 1
        ), '')) END AS body
    FROM records r LEFT JOIN unsigned_records u ON u.uid = r.uid;
"""

#: Step i leads from version i to version i + 1; a new file takes all of them.
MIGRATIONS: tuple[str, ...] = (
    _VERSION_1 + guards(*_KEPT),
    _VERSION_2,
    _VERSION_3 + guards("acts"),
    _VERSION_4 + guards("settings"),
    _VERSION_5,
    _VERSION_6,
    _VERSION_7 + guards("acts", "parts"),
    _VERSION_8 + guards("unsigned_records", "signatures"),
)


def version(connection: sqlite3.Connection) -> int:
    """Return the schema version of an open file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an open file to the present version, each step in a transaction of its own.

    With the last step, what is derived is derived again: its rules may be newer than the file.
    """
    for step in range(version(connection), len(MIGRATIONS)):
        # executescript() does not roll back by itself, so the step says BEGIN and COMMIT.
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{MIGRATIONS[step]}\nPRAGMA user_version = {step + 1};"
            )
            if step + 1 == len(MIGRATIONS):
                summary.rebuild(connection)
                listed.fill_name_keys(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise
