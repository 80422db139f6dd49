"""Where packs are: those inside the program, those of the user, and bare files.

A name that is pinned stands for the pack whose files the pin names; see `models.library.pin`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from napari_fada.errors import ModelError
from napari_fada.models.digests import sha256_of
from napari_fada.models.gguf_files import gguf_in
from napari_fada.models.pack import Pack, pack_from_files, read_pack
from napari_fada.models.preferences import added_folders, pins

VARIABLE = "NAPARI_FADA_MODELS"


@dataclass(frozen=True, slots=True)
class PackProblem:
    """A folder that should be a pack and is none."""

    folder: Path
    error: ModelError


def user_folder() -> Path:
    """Return the folder for packs that the user installs."""
    return platformdirs.user_data_path("napari-fada", appauthor=False) / "models"


def folders() -> list[Path]:
    """Return the folders that are searched, in order.

    Those in the environment variable ``NAPARI_FADA_MODELS``, the user's, those that were added
    (`models.preferences`), the embedded one. Each holds packs, or is one.
    """
    named = [Path(part) for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    return list(dict.fromkeys([*named, user_folder(), *added_folders(), embedded_folder()]))


def embedded_folder() -> Path:
    """Return the folder of the packs that come with the program."""
    return Path(__file__).parent / "packs"


def iter_all(
    pinned: Mapping[str, Mapping[str, str]] | None = None,
) -> Iterator[tuple[Path, Pack | PackProblem]]:
    """Yield each folder that is searched with every pack in it, those of one name included.

    A pack whose files are those of a pin comes before others of its name.
    """
    pinned = pins() if pinned is None else pinned
    found: list[tuple[Path, Pack | PackProblem]] = []
    for folder in folders():
        for candidate in _candidates(folder):
            try:
                found.append((folder, read_pack(candidate)))
            except ModelError as error:
                found.append((folder, PackProblem(candidate, error)))
    for name, digests in pinned.items():
        at = next((i for i, (_, p) in enumerate(found) if _is_pinned(p, name, digests)), None)
        if at is not None:
            found.insert(0, found.pop(at))
    yield from found


def _is_pinned(pack: Pack | PackProblem, name: str, digests: Mapping[str, str]) -> bool:
    """Tell by the description whether a pack is the one of a pin: nothing is read for it."""
    if isinstance(pack, PackProblem) or pack.name != name:
        return False
    said = {file.name: file.sha256 for file in pack.files}
    return said.keys() == digests.keys() and all(
        not digest or digest == digests[file] for file, digest in said.items()
    )


def check_pin(pack: Pack) -> None:
    """Refuse a model whose name is pinned to other files.

    Raises
    ------
    ModelError
        If a file is another one than that which was pinned.
    """
    wanted = pins().get(pack.name)
    if wanted is None:
        return
    found = {file.name: sha256_of(pack.folder / file.name) for file in pack.files}
    if found != wanted:
        changed = sorted(f for f in found.keys() | wanted.keys() if found.get(f) != wanted.get(f))
        raise ModelError(
            f"{pack.name} is pinned, and {', '.join(changed)} is not the file that was pinned.",
            kept="Nothing was loaded.",
            todo=f"Bring the pinned files back, or run: napari-fada models unpin {pack.name}",
        )


def iter_packs() -> Iterator[Pack | PackProblem]:
    """Yield every pack that is found, and a problem for each that cannot be read.

    Of packs with one name only the first counts, in the order of `folders`.
    """
    names: set[str] = set()
    for _, pack in iter_all():
        if isinstance(pack, PackProblem):
            yield pack
        elif pack.name not in names:
            names.add(pack.name)
            yield pack


def list_packs() -> list[Pack]:
    """Return the packs on this computer; those that cannot be read are left out."""
    return [pack for pack in iter_packs() if isinstance(pack, Pack)]


def find_pack(name_or_path: str | Path, vision: str | Path | None = None) -> Pack:
    """Find a model.

    Parameters
    ----------
    name_or_path : str or Path
        Name of a pack, a pack's folder, a folder with one text model and its mmproj, or a
        ``.gguf`` file whose partner lies beside it.
    vision : str or Path, optional
        The other of two files that do not lie side by side.

    Raises
    ------
    ModelError
        If nothing is found, or something that cannot be used; says what.
    """
    path = _path(name_or_path)
    if vision is not None:
        return pack_from_files(path, _path(vision))
    if isinstance(name_or_path, str) and path.name == name_or_path:
        problems = []
        for pack in iter_packs():
            if isinstance(pack, PackProblem):
                if pack.folder.name == name_or_path:
                    problems.append(pack.error)
            elif pack.name == name_or_path:
                return pack
        if problems:
            raise problems[0]
    if path.is_dir():
        return _folder_pack(path)
    if path.suffix.lower() == ".gguf" or path.is_file():
        return pack_from_files(path)
    known = ", ".join(pack.name for pack in list_packs()) or "none"
    raise ModelError(
        f"There is no model {str(name_or_path)!r}. Models found: {known}.",
        todo="Give the name of one of these, a pack's folder, or a .gguf file; packs are "
        f"looked for in {', '.join(map(str, folders()))}.",
    )


def _path(name: str | Path) -> Path:
    # Path.expanduser raises for a user who does not exist
    return Path(os.path.expanduser(name))  # noqa: PTH111


def _candidates(folder: Path) -> list[Path]:
    try:
        if (folder / "pack.json").is_file():
            return [folder]
        # What begins with a dot is on its way in: an import or a download.
        found = (path.parent for path in folder.glob("*/pack.json"))
        return sorted(path for path in found if not path.name.startswith("."))
    except OSError:
        return []


def _folder_pack(folder: Path) -> Pack:
    if (folder / "pack.json").is_file():
        return read_pack(folder)
    files = gguf_in(folder)
    if not files:
        raise ModelError(
            f"{folder} holds no model: neither pack.json nor a .gguf file.",
            todo="Give a pack's folder, or a .gguf file.",
        )
    packs: dict[Path, Pack] = {}
    errors = []
    for file in files:
        try:
            pack = pack_from_files(file)
            packs[pack.text_path] = pack
        except ModelError as error:
            errors.append(error)
    if len(packs) > 1:
        raise ModelError(
            f"{folder} holds several models: {', '.join(path.name for path in packs)}.",
            todo="Give the .gguf file of the text model that is meant.",
        )
    if not packs:
        raise errors[0]
    return next(iter(packs.values()))
