"""A window that edits for ever; killed by the tests. Prints a line once an edit has returned.

Usage: writer.py PROJECT SHA256
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import sys

from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def main(path: str, sha256: str) -> None:
    with Project.open(path, rater=f"process {os.getpid()}", timeout=60) as project:
        say("ready", len(project.history(sha256, 0)))
        corner = 0.0
        for turn in itertools.count():
            corner += 1
            box = Annotation("CSP", "box", ((corner, 0), (corner + 5, 5)), source="expert")
            drawn = project.edit(sha256, 0, add=[box], label="drawn")
            say("done", drawn.entry.id, drawn.added[0].uid)
            if turn % 3 == 1:
                moved = dataclasses.replace(drawn.added[0], category="LV")
                done = project.edit(sha256, 0, replace={moved.uid: moved}, label="class")
                say("done", done.entry.id, done.replaced[moved.uid].uid)
            if turn % 4 == 2:
                say("done", project.set_report(sha256, 0, view=f"{os.getpid()} {turn}").id, "-")
            # What the other process has changed since is not taken back.
            if turn % 5 == 3 and (step := project.undo(sha256, 0)) is not None:
                say("done", step.entries[0].id, "-")


main(*sys.argv[1:])
