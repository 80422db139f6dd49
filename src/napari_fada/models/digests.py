"""SHA-256 of model files, remembered, so that half a gigabyte is not read at every start."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import platformdirs

_CHUNK = 1 << 22


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    It is computed again only when size or time of change differ from those remembered.
    """
    path = path.resolve()
    status = path.stat()
    stamp = [status.st_size, status.st_mtime_ns]
    remembered = _load().get(str(path))
    if isinstance(remembered, list) and remembered[:2] == stamp and len(remembered) == 3:
        return str(remembered[2])
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            digest.update(part)
    remember(path, status, digest.hexdigest())
    return digest.hexdigest()


def remember(path: Path, status: os.stat_result, digest: str) -> None:
    """Remember the SHA-256 of a file that was read when it had this size and time of change."""
    _save(str(path.resolve()), [status.st_size, status.st_mtime_ns, digest])


def _memory() -> Path:
    return platformdirs.user_cache_path("napari-fada", appauthor=False) / "sha256.json"


def _load() -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        data = json.loads(_memory().read_text(encoding="utf-8"))
        if isinstance(data, dict):
            return data
    return {}


def _save(key: str, entry: list[Any]) -> None:
    # Best effort: without a writable cache the file is read again next time.
    with contextlib.suppress(OSError):
        file = _memory()
        file.parent.mkdir(parents=True, exist_ok=True)
        known = {k: v for k, v in _load().items() if Path(k).exists()} | {key: entry}
        handle, name = tempfile.mkstemp(dir=file.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(known, out)
        Path(name).replace(file)
