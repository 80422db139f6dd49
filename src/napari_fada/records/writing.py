"""Who writes into a project: which window, and whether a person or a part of the program.

Both are kept with every edit. Undo asks for them: it takes back what a person did, and what was
done in another window only when told to.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

MadeBy = Literal["", "run", "import", "merge"]
"""What made an edit: a person (empty), a model's run, an import, a merge of two raters' files."""


class Connection(sqlite3.Connection):
    """A connection that knows who writes through it."""

    window = ""
    made_by: MadeBy = ""


@contextmanager
def by(connection: Connection, part: MadeBy) -> Iterator[None]:
    """Sign all edits of a block as made by a part of the program."""
    before, connection.made_by = connection.made_by, part or connection.made_by
    try:
        yield
    finally:
        connection.made_by = before


def window(connection: sqlite3.Connection) -> str:
    """Return which window writes; empty where nobody said."""
    return str(getattr(connection, "window", ""))


def made_by(connection: sqlite3.Connection) -> str:
    """Return which part of the program writes; empty if it is a person."""
    return str(getattr(connection, "made_by", ""))
