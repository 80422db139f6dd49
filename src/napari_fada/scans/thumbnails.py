"""Small pictures of scans for lists, kept in the user's cache folder by the hash of the scan.

They lie outside the project file: it stays small and quick to copy, no pixels travel with it,
and two projects with the same scans share them. The folder is bounded; a picture that was
dropped is made again when the list is opened the next time.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

import platformdirs
from PIL import Image

from napari_fada.scans.scan import Scan

#: The longer side in pixels.
SIDE = 128

#: The folder may hold this many bytes; about 60,000 pictures.
LIMIT = 256 * 2**20

_BLOCK = 4096  # what a small file takes on most drives


def thumbnail_folder() -> Path:
    """Return where the pictures lie."""
    return Path(platformdirs.user_cache_dir("napari-fada", appauthor=False)) / "thumbnails"


def thumbnail_path(sha256: str) -> Path:
    """Return where the picture of a scan lies, once it was made."""
    return thumbnail_folder() / sha256[:2] / f"{sha256}.jpg"


def make_thumbnail(scan: Scan) -> bool:
    """Make the picture of a scan's first frame.

    Returns
    -------
    bool
        False if it cannot be written (a full or read-only drive): a list does without.

    Raises
    ------
    ScanError
        If the frame cannot be decoded.
    """
    picture = Image.fromarray(scan.frame(0))
    picture.thumbnail((SIDE, SIDE), reducing_gap=2.0)
    path = thumbnail_path(scan.sha256)
    draft = path.with_name(f".{uuid.uuid4().hex}.jpg")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(draft, quality=80)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        return False
    return True


def made() -> set[str]:
    """Return the sha256 of every scan that has a picture."""
    return {entry.name[:-4] for entry in _entries() if not entry.name.startswith(".")}


def trim(limit: int = LIMIT) -> int:
    """Drop the oldest pictures until the folder holds no more than ``limit`` bytes.

    Returns
    -------
    int
        How many were dropped.
    """
    found = []
    for entry in _entries():
        with suppress(OSError):
            stat = entry.stat()
            found.append((stat.st_mtime_ns, -(-stat.st_size // _BLOCK) * _BLOCK, entry.path))
    total = sum(size for _, size, _ in found)
    dropped = 0
    for _, size, path in sorted(found):
        if total <= limit:
            break
        with suppress(OSError):
            Path(path).unlink()
            total -= size
            dropped += 1
    return dropped


def _entries() -> list[os.DirEntry[str]]:
    found: list[os.DirEntry[str]] = []
    with suppress(OSError), os.scandir(thumbnail_folder()) as folders:
        for folder in folders:
            with suppress(OSError), os.scandir(folder) as files:
                found += [entry for entry in files if entry.name.endswith(".jpg")]
    return found
