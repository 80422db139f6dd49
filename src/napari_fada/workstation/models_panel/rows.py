"""What the panel lists: models on this computer and those of the catalogue. Runs in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_fada.engines.hardware import size_text

if TYPE_CHECKING:
    from napari_fada.models.download import Offer
    from napari_fada.models.library import Entry

#: Words of a state, and the chip that shows it (see `theme.CHIPS`).
STATES = {
    "present": ("present", "accepted"),
    "missing": ("missing", "rejected"),
    "corrupt": ("damaged", "rejected"),
    "too_large": ("does not fit", "skipped"),
    "shadowed": ("not taken", "new"),
    "offered": ("to download", "proposed"),
    "begun": ("begun", "in_review"),
}
_KINDS = {"gguf": "llama.cpp", "transformers": "full precision"}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list.

    Parameters
    ----------
    name, title : str
        Name of the model, and what is shown for it.
    state : str
        Key of `STATES`.
    entry : Entry or None
        The model on this computer.
    offer : Offer or None
        What can be downloaded.
    problem, memory : str
        Why it cannot be used; what it needs of memory.
    here : int
        Bytes of it on the disk.
    """

    name: str
    title: str
    state: str
    entry: Entry | None = None
    offer: Offer | None = None
    problem: str = ""
    memory: str = ""
    here: int = 0

    @property
    def key(self) -> str:
        """What tells this row from others, also after the list was read anew."""
        return f"entry {self.entry.home}" if self.entry else f"offer {self.name}"

    @property
    def second_line(self) -> str:
        """Kind, size and licence in few words."""
        if self.offer is not None:
            parts = [_KINDS[self.offer.kind], self.offer.size_text, self.offer.licence]
            if self.here:
                parts.insert(2, f"{size_text(self.here)} here")
        else:
            pack = self.entry.pack if self.entry else None
            parts = [
                _KINDS.get(pack.kind, pack.kind) if pack else "",
                size_text(self.here) if self.here else "",
                pack.licence if pack else "",
            ]
        return " · ".join(part for part in parts if part)

    @property
    def facts(self) -> dict[str, str]:
        """What is known of it, by title; nothing that is empty."""
        found = self._offered() if self.offer is not None else self._of_entry()
        return {title: text for title, text in found.items() if text}

    def _of_entry(self) -> dict[str, str]:
        entry = self.entry
        if entry is None or entry.pack is None:
            return {"Folder": str(entry.home) if entry else ""}
        pack = entry.pack
        kind = _KINDS.get(pack.kind, pack.kind)
        return {
            "Kind": f"{kind}, {pack.architecture}" if pack.architecture else kind,
            "Size": f"{size_text(self.here)} in {len(pack.files)} files",
            "Memory": self.memory,
            "Licence": pack.licence or "not stated",
            "Base model": pack.base_model,
            "Prompts": pack.prompt_set,
            "Version": pack.version,
            "Pinned": "yes: only these very files are loaded" if entry.pinned else "",
            "Folder": str(entry.home),
            "Files in": str(pack.folder) if pack.folder != entry.home else "",
        }

    def _offered(self) -> dict[str, str]:
        offer = self.offer
        assert offer is not None
        return {
            "About": offer.about,
            "Kind": _KINDS[offer.kind],
            "Size": offer.size_text,
            "Here": f"{size_text(self.here)} of an earlier attempt" if self.here else "",
            "Licence": offer.licence or "not stated",
            "From": ", ".join(offer.repositories),
            "Not verified": "" if offer.verified else offer.remark,
        }


@dataclass(frozen=True, slots=True)
class Listed:
    """All rows, in order."""

    rows: tuple[Row, ...]


def list_models(
    options: dict[str, Any], damaged: dict[Path, str], cancel: threading.Event
) -> Iterator[Listed]:
    """Look at every model and yield the list.

    Parameters
    ----------
    options : dict
        How models would be loaded, as `load_engine` takes them.
    damaged : dict
        What was found when models were read to the last byte, by their folder.
    cancel : threading.Event
        Ends it without a list.
    """
    from napari_fada.engines.hardware import hardware
    from napari_fada.errors import ModelError
    from napari_fada.models.catalogue import user_folder
    from napari_fada.models.download import left_over, read_offers
    from napari_fada.models.fitting import Options
    from napari_fada.models.fitting_text import fit_rows
    from napari_fada.models.library import Library

    chosen = Options.of(options)
    rows = []
    computer = hardware()
    for entry in Library(chosen).entries():
        if cancel.is_set():
            return
        state, problem = entry.state, entry.problem
        if state in ("present", "too_large") and entry.home in damaged:
            state, problem = "corrupt", damaged[entry.home]
        memory = ""
        if entry.pack is not None and state in ("present", "too_large"):
            memory = fit_rows(entry.pack, computer, chosen)["memory"]
            memory = memory[:1].upper() + memory[1:]
        if entry.shadowed:
            problem = problem or "Another model of this name is taken: it was found before."
        rows.append(
            Row(
                entry.name,
                entry.name,
                "shadowed" if entry.shadowed else state,
                entry,
                problem=problem,
                memory=memory,
                here=entry.size,
            )
        )
    names = {row.name for row in rows}
    try:
        offers = [offer for offer in read_offers() if offer.name not in names]
    except ModelError as error:  # a catalogue of the user's: the models are shown all the same
        rows.append(Row("catalogue", "Catalogue", "corrupt", problem=str(error)))
        offers = []
    for offer in offers:
        here = left_over(offer, user_folder())
        rows.append(
            Row(offer.name, offer.title, "begun" if here else "offered", offer=offer, here=here)
        )
    yield Listed(tuple(rows))
