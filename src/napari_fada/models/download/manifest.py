"""What is written into a downloaded pack: ``pack.json`` with the hashes, and a card.

The files are looked into first: a web page instead of a model, or two image parts, make no pack.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_fada import __version__
from napari_fada.models.convert.source import read_adapter, read_source
from napari_fada.models.download.offers import Offer, OfferedFile
from napari_fada.models.full import FAMILY
from napari_fada.models.pack import Pack, PackFile, pack_from_files
from napari_fada.models.profiles import find_profile


def write_pack(
    offer: Offer, files: Iterable[tuple[OfferedFile, Path]], folder: Path, endpoint: str
) -> None:
    """Describe the files of a pack.

    Parameters
    ----------
    offer : Offer
        What was downloaded.
    files : iterable of (OfferedFile, Path)
        Each file, with the commit it is from, and where it lies.
    folder : Path
        Of the pack.
    endpoint : str
        Address of the hub.

    Raises
    ------
    ModelError
        If the files are not a model.
    """
    files = list(files)
    pack = _gguf(files) if offer.kind == "gguf" else _full(files, folder)
    pack = replace(
        pack,
        name=offer.name,
        base_model=offer.base_model or pack.base_model,
        licence=offer.licence,
        profile=offer.profile or pack.profile,
        prompt_set=offer.prompt_set or find_profile(offer.profile or pack.profile).prompt_set,
        version=datetime.now(UTC).date().isoformat(),
        card="CARD.md",
        made_by="download",
    )
    sources = {f.repository: f"{endpoint}/{f.repository}/tree/{f.revision}" for f, _ in files}
    (folder / "CARD.md").write_text(_card(offer, pack, sources, files), encoding="utf-8")
    content: dict[str, Any] = pack.to_dict() | {"downloaded_from": list(sources.values())}
    fresh = folder / "pack.json.new"
    fresh.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    fresh.replace(folder / "pack.json")


def _gguf(files: list[tuple[OfferedFile, Path]]) -> Pack:
    """Describe a pair of GGUF files by what is in them."""
    text = next(path for file, path in files if file.role == "text")
    vision = next(path for file, path in files if file.role == "vision")
    found = pack_from_files(text, vision)
    return replace(found, text=PackFile.of(found.text_path), vision=PackFile.of(found.vision_path))


def _full(files: list[tuple[OfferedFile, Path]], folder: Path) -> Pack:
    """Describe a transformers folder, and the adapter in it."""
    source = read_source(folder)
    adapters = {path.parent for file, path in files if file.role == "adapter"}
    for adapter in adapters:
        read_adapter(adapter)
    parts = tuple(
        replace(PackFile.of(path), name=path.relative_to(folder).as_posix(), role=file.role)
        for file, path in files
        if file.role != "card"
    )
    return Pack(
        name=folder.name,
        folder=folder,
        text=PackFile(""),
        vision=PackFile(""),
        kind="transformers",
        architecture=source.architecture,
        parts=parts,
        adapter=next((adapter.name for adapter in adapters), ""),
        profile=FAMILY,
    )


def _card(
    offer: Offer, pack: Pack, sources: dict[str, str], files: list[tuple[OfferedFile, Path]]
) -> str:
    """Write where the model is from, and below it the publisher's own card, if it came."""
    lines = [
        f"# {offer.title}",
        "",
        f"{offer.about or offer.title}.",
        "",
        f"Downloaded by napari-fada {__version__} on {pack.version} from:",
        "",
        *(f"- {address}" for address in sources.values()),
        "",
        f"Licence: {offer.licence or 'not stated; see there'}. Base model: {pack.base_model}.",
    ]
    if not offer.verified and offer.remark:
        lines += ["", f"Not verified: {offer.remark}"]
    for file, path in files:
        if file.role == "card":
            lines += ["", "---", "", path.read_text(encoding="utf-8", errors="replace")]
            path.unlink()
    return "\n".join(lines).rstrip() + "\n"
