"""What the user has chosen about models: further folders to look in, and pinned files.

One small JSON file in the user's configuration folder. A file that cannot be read counts as
empty and is kept beside the new one when something is chosen anew.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from napari_fada.errors import ModelError


def preferences_file() -> Path:
    """Return where the choices are kept."""
    return platformdirs.user_config_path("napari-fada", appauthor=False) / "models.json"


def added_folders() -> list[Path]:
    """Return the folders that the user added, in their order; one may be away (a USB stick)."""
    found = _read().get("folders", [])
    return [Path(f) for f in found if isinstance(f, str)] if isinstance(found, list) else []


def add_folder(folder: Path) -> None:
    """Look for packs in another folder, too.

    Raises
    ------
    ModelError
        If it is no folder, or the choice cannot be kept.
    """
    folder = Path(os.path.abspath(folder.expanduser()))  # noqa: PTH100 - a link stays a link
    if not folder.is_dir():
        raise ModelError(f"{folder} is no folder.", todo="Give a folder that holds packs.")
    if folder not in added_folders():
        _write({"folders": [*map(str, added_folders()), str(folder)]})


def remove_folder(folder: Path) -> None:
    """Look in a folder no longer; what is in it stays.

    Raises
    ------
    ModelError
        If it is none of those that were added.
    """
    folder = Path(os.path.abspath(folder.expanduser()))  # noqa: PTH100
    left = [f for f in added_folders() if f != folder]
    if len(left) == len(added_folders()):
        known = ", ".join(map(str, added_folders())) or "none"
        raise ModelError(f"{folder} was not added. Folders that were: {known}.")
    _write({"folders": [str(f) for f in left]})


def pins() -> dict[str, dict[str, str]]:
    """Return the SHA-256 of each file of the models that are pinned, by name and file."""
    found = _read().get("pins", {})
    if not isinstance(found, dict):
        return {}
    return {
        name: {str(file): str(digest) for file, digest in files.items()}
        for name, files in found.items()
        if isinstance(files, dict)
    }


def set_pin(name: str, digests: Mapping[str, str] | None) -> None:
    """Pin a model to the SHA-256 of its files; None: take the pin away."""
    known = {n: d for n, d in pins().items() if n != name}
    _write({"pins": known if digests is None else {**known, name: dict(digests)}})


def _read() -> dict[str, Any]:
    with suppress(OSError, ValueError):
        data = json.loads(preferences_file().read_text(encoding="utf-8"))
        if isinstance(data, dict):
            return data
    return {}


def _write(changes: Mapping[str, Any]) -> None:
    file = preferences_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file() and not _read() and file.stat().st_size > 2:
            file.replace(file.with_suffix(".broken.json"))
        content = json.dumps({**_read(), **changes}, indent=2, ensure_ascii=False)
        handle, name = tempfile.mkstemp(dir=file.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(content + "\n")
        Path(name).replace(file)
    except OSError as error:
        raise ModelError(
            f"The choice cannot be kept in {file}: {error.strerror or error}.",
            kept="Nothing was changed.",
        ) from error
