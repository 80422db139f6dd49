"""Where packs are: those inside the program, those of the user, and bare files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from napari_fada.errors import ModelError
from napari_fada.models.pack import Pack, pack_from_files, read_pack

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

    Those in the environment variable ``NAPARI_FADA_MODELS``, the user's, the embedded one.
    Each holds packs, or is one.
    """
    named = [Path(part) for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    return [*named, user_folder(), Path(__file__).parent / "packs"]


def iter_packs() -> Iterator[Pack | PackProblem]:
    """Yield every pack that is found, and a problem for each that cannot be read.

    Of packs with one name only the first counts, in the order of `folders`.
    """
    names: set[str] = set()
    for folder in folders():
        for candidate in _candidates(folder):
            try:
                pack = read_pack(candidate)
            except ModelError as error:
                yield PackProblem(candidate, error)
                continue
            if pack.name not in names:
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
        return sorted(path.parent for path in folder.glob("*/pack.json"))
    except OSError:
        return []


def _folder_pack(folder: Path) -> Pack:
    if (folder / "pack.json").is_file():
        return read_pack(folder)
    files = sorted(folder.glob("*.gguf"))
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
