"""A data set is made out of sight and appears in one step, or not at all.

It grows in a hidden folder beside its final place. What was done there before a crash or a
cancel is used again by the next export of the same project with the same wishes. A folder that
holds anything else than an earlier data set of the same project and form is never touched.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from napari_fada.errors import ExchangeError

MANIFEST, SPLITS, AUDIT, CLEANED, LEFT_OUT = (
    "manifest.json",
    "splits.json",
    "split-audit.json",
    "deidentification.json",
    "left-out.csv",
)
#: What describes a data set of any form and is no part of the form.
OWN_FILES = frozenset({MANIFEST, SPLITS, AUDIT, CLEANED, LEFT_OUT})
_WISHES = "wishes.json"
#: Names that begin so are ours while a data set is made, and are not part of it.
WORK = ".work"


class Staging:
    """The folder in which a data set is made.

    Parameters
    ----------
    out_dir : Path
        Where it is to be.
    wishes : mapping
        What is exported and how, JSON-ready; ``project`` and ``form`` in it must be those of a
        data set that is to be replaced.

    Raises
    ------
    ExchangeError
        If something else is at ``out_dir``, or another export is writing there.
    """

    def __init__(self, out_dir: Path, wishes: Mapping[str, Any]) -> None:
        self.out_dir = out_dir
        self.root = out_dir.with_name(f".{out_dir.name}.part")
        self._wishes = dict(wishes)
        refuse_other(out_dir, self._wishes)

    @property
    def work(self) -> Path:
        """A folder inside for what is not part of the data set."""
        return self.root / WORK

    @contextmanager
    def open(self) -> Iterator[Path]:
        """Give the folder; it stays for the next time unless :meth:`publish` was called."""
        with explained(self.root):
            self.root.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.root.with_name(f"{self.root.name}.lock"))
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise ExchangeError(
                    f"Another export is writing to {self.out_dir}.",
                    todo="Wait for it, or choose another folder.",
                ) from None
            try:
                self._prepare()
                yield self.root
            finally:
                lock.release()
                with suppress(OSError):
                    Path(lock.lock_file).unlink()

    def _prepare(self) -> None:
        """Keep what an earlier attempt with the same wishes left, else begin anew."""
        wishes = self.work / _WISHES
        text = json.dumps(self._wishes, sort_keys=True, indent=1)
        same = wishes.exists() and wishes.read_text("utf-8") == text
        if self.root.exists():
            for item in self.root.iterdir():
                if not (same and item.name == WORK):
                    shutil.rmtree(item) if item.is_dir() else item.unlink()
        self.work.mkdir(parents=True, exist_ok=True)
        wishes.write_text(text, "utf-8")

    def publish(self) -> None:
        """Give the data set its name; an earlier one of ours goes when the new one is there."""
        with explained(self.out_dir):
            refuse_other(self.out_dir, self._wishes)
            shutil.rmtree(self.work)
            old = self.out_dir.with_name(f".{self.out_dir.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            if self.out_dir.exists():
                self.out_dir.rename(old)
            try:
                self.root.rename(self.out_dir)
            except OSError:
                if old.exists():
                    old.rename(self.out_dir)
                raise
            shutil.rmtree(old, ignore_errors=True)


def refuse_other(out_dir: Path, wishes: Mapping[str, Any]) -> None:
    """Raise if a folder holds anything but a data set of the same project and form."""
    with explained(out_dir):
        if out_dir.is_file():
            raise ExchangeError(f"{out_dir} is a file.", todo="Choose a folder.")
        if not out_dir.exists() or not any(out_dir.iterdir()):
            return
        manifest = out_dir / MANIFEST
        found: Any = None
        with suppress(ValueError, FileNotFoundError):
            found = json.loads(manifest.read_text("utf-8"))
    if not isinstance(found, dict) or "form" not in found:
        raise ExchangeError(
            f"{out_dir} is not empty and holds no data set of napari-fada.",
            kept="Nothing in it was touched.",
            todo="Choose a new or an empty folder.",
        )
    for key, what in (("form", "form"), ("project", "project")):
        if found.get(key) != wishes[key]:
            raise ExchangeError(
                f"{out_dir} holds a data set of another {what} ({found.get(key)}).",
                kept="It is as it was.",
                todo="Choose another folder, or delete that data set yourself.",
            )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the system says into a message for the user."""
    try:
        yield
    except OSError as error:
        raise ExchangeError(
            f"{error.filename or path} cannot be written: {error.strerror or error}.",
            kept="An earlier data set there is unchanged; what was done of the new one is kept "
            "in a hidden folder beside it, and the next export goes on from there.",
            todo="Free some space or choose another folder, then do it again.",
        ) from error


def move(source: Path, target: Path) -> None:
    """Put a file of the staging folder in its place there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
