"""The models on this computer, each with its state, and what may be done with it.

Packs lie in several folders: those of the environment variable ``NAPARI_FADA_MODELS``, the
user's, those that were added (a shared one that cannot be written, a USB stick that may be
away), and the embedded one. A folder can be moved: nothing in a pack says where it lies, but for
one that was imported in place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from napari_fada.errors import ModelError, ModelMissingError
from napari_fada.models.catalogue import PackProblem, embedded_folder, folders, iter_all
from napari_fada.models.fitting import Options, check_fits
from napari_fada.models.pack import Pack
from napari_fada.models.preferences import pins, set_pin
from napari_fada.models.verifying import Verified, verify_steps

State = Literal["present", "missing", "corrupt", "too_large"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of the library.

    Parameters
    ----------
    name : str
        Of the pack; of its folder where the description cannot be read.
    pack : Pack or None
        None where its description cannot be read.
    state : {"present", "missing", "corrupt", "too_large"}
        Whether it can be used: ``missing`` files or drive, ``corrupt`` files or description,
        ``too_large`` for the memory that is free now.
    problem : str
        Why it cannot be used; empty if it can.
    home : Path
        Folder of the description.
    library : Path
        The folder in which it was found.
    shadowed : bool
        Whether another pack of the same name, found before, is taken in its place.
    pinned : bool
        Whether only these very files are loaded under this name.
    writable, embedded : bool
        Whether its folder can be written, and whether it came with the program.
    """

    name: str
    pack: Pack | None
    state: State
    problem: str
    home: Path
    library: Path
    shadowed: bool = False
    pinned: bool = False
    writable: bool = False
    embedded: bool = False

    @property
    def size(self) -> int:
        """Bytes on the disk, of what is there."""
        if self.pack is None:
            return 0
        total = 0
        for file in self.pack.files:
            with suppress(OSError):
                total += (self.pack.folder / file.name).stat().st_size
        return total

    @property
    def removable(self) -> bool:
        """Whether ``remove`` may take it away: this program put it there, or only points to it."""
        pack = self.pack
        return pack is not None and self.writable and bool(pack.made_by or pack.manifest)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``models list --json`` prints of it."""
        summary = self.pack.summary() if self.pack else {"name": self.name}
        return {
            **summary,
            "size": self.size,
            "state": self.state,
            "problem": self.problem,
            "folder": str(self.home),
            "files_in": str(self.pack.folder) if self.pack else "",
            "shadowed": self.shadowed,
            "pinned": self.pinned,
            "writable": self.writable,
            "embedded": self.embedded,
            "removable": self.removable,
            "prompt_set": self.pack.prompt_set if self.pack else "",
            "made_by": self.pack.made_by if self.pack else "",
        }


class Library:
    """What is in the folders now; nothing is remembered between two looks.

    Parameters
    ----------
    options : Options, optional
        How models would be loaded, for telling whether they fit.
    """

    def __init__(self, options: Options | None = None) -> None:
        self._options = options

    @property
    def folders(self) -> list[Path]:
        """The folders that are looked into, in order; some may be away."""
        return folders()

    def entries(self) -> list[Entry]:
        """Return every model that is found, in the order in which names are looked up."""
        found: list[Entry] = []
        taken: set[str] = set()
        pinned = pins()
        for library, one in iter_all(pinned):
            entry = self._entry(library, one, pinned, taken)
            found.append(entry)
            if entry.pack is not None:
                taken.add(entry.name)
        return found

    def entry(self, name: str) -> Entry:
        """Return the model that is taken under a name.

        Raises
        ------
        ModelError
            If there is none.
        """
        entries = self.entries()
        for entry in entries:
            if entry.name == name and not entry.shadowed:
                return entry
        known = ", ".join(e.name for e in entries if not e.shadowed) or "none"
        raise ModelError(
            f"There is no model {name!r}. Models found: {known}.",
            todo="Give one of these names; `napari-fada models folders` shows where is looked.",
        )

    def _entry(
        self,
        library: Path,
        one: Pack | PackProblem,
        pinned: Mapping[str, Mapping[str, str]],
        taken: set[str],
    ) -> Entry:
        embedded = library == embedded_folder()
        if isinstance(one, PackProblem):
            return Entry(
                one.folder.name, None, "corrupt", str(one.error), one.folder, library,
                writable=_writable(one.folder), embedded=embedded,
            )  # fmt: skip
        state, problem = self._look(one)
        return Entry(
            one.name, one, state, problem, one.home, library,
            shadowed=one.name in taken, pinned=one.name in pinned and one.name not in taken,
            writable=not embedded and _writable(one.home), embedded=embedded,
        )  # fmt: skip

    def _look(self, pack: Pack) -> tuple[State, str]:
        try:
            pack.check_present()
        except ModelMissingError as error:
            return "missing", str(error)
        except ModelError as error:
            return "corrupt", str(error)
        try:
            if pack.kind == "gguf":
                pack.inspect()
        except ModelError as error:
            return "corrupt", str(error)
        try:
            check_fits(pack, self._options)
        except ModelError as error:
            return "too_large", str(error)
        return "present", ""


def pin(entry: Entry) -> dict[str, str]:
    """Pin a name to the files that it stands for now, read to the last byte; returns their SHA-256.

    From then on `load_engine` takes, under this name, only a pack with these very files: another
    pack of the name is passed over, and one that has changed is refused.

    Raises
    ------
    ModelError
        If its files are not whole.
    """
    pack = entry.pack
    if pack is None or entry.state in ("missing", "corrupt"):
        raise ModelError(f"{entry.name} cannot be pinned: {entry.problem}")
    digests = {e.file: e.sha256 for e in verify_steps(pack) if isinstance(e, Verified)}
    set_pin(pack.name, digests)
    return digests


def unpin(name: str) -> None:
    """Take a pin away.

    Raises
    ------
    ModelError
        If the name is not pinned.
    """
    if name not in pins():
        raise ModelError(f"{name} is not pinned.")
    set_pin(name, None)


def set_prompts(entry: Entry, name: str) -> None:
    """Ask a model with another prompt set from now on; its description says so.

    Raises
    ------
    ModelError
        If its description cannot be changed.
    """
    pack, path = entry.pack, entry.home / "pack.json"
    if pack is None or not entry.writable:
        raise ModelError(
            f"The description of {entry.name} cannot be changed: {entry.problem or path}",
            todo="Give the prompts when it is run (--prompt-set), or import the model anew.",
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8")) | {"prompt_set": name}
        draft = path.with_suffix(".new")
        text = json.dumps(content, indent=2, ensure_ascii=False)
        draft.write_text(text + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be written: {error.strerror or error}.") from error


def remove(entry: Entry) -> list[Path]:
    """Take a model away; returns what stays in its folder.

    Only files that this program has put there are removed, and of a model that was imported in
    place only the description. What else lies in the folder stays.

    Raises
    ------
    ModelError
        If it is not this program's to remove, or cannot be removed.
    """
    pack = entry.pack
    if entry.embedded:
        raise ModelError(f"{entry.name} comes with the program; it cannot be removed.")
    if pack is None or not (pack.made_by or pack.manifest):
        raise ModelError(
            f"{entry.name} was not put there by napari-fada, so it is not removed.",
            kept="Nothing was changed.",
            todo=f"Delete {entry.home} yourself if you no longer want it.",
        )
    names = [] if pack.manifest else [file.name for file in pack.files]
    names += [name for name in (pack.card,) if name and not pack.manifest]
    try:
        # The description goes first: without it the rest is no model, whatever happens then.
        (entry.home / "pack.json").unlink()
        for name in names:
            (pack.folder / name).unlink(missing_ok=True)
        for inner in sorted({(pack.folder / n).parent for n in names}, reverse=True):
            if inner != entry.home:
                with suppress(OSError):
                    inner.rmdir()
        with suppress(OSError):
            entry.home.rmdir()
    except OSError as error:
        raise ModelError(
            f"{entry.name} cannot be removed: {error.strerror or error} ({error.filename}).",
            todo="Check your rights in that folder.",
        ) from error
    if entry.pinned:
        set_pin(entry.name, None)
    return sorted(p for p in entry.home.rglob("*") if p.is_file()) if entry.home.is_dir() else []


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK) and os.access(folder.parent, os.W_OK)
