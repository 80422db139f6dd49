"""Reading every byte of a model and comparing it with what its description says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from napari_fada.engines.protocol import Cancel
from napari_fada.errors import ModelError
from napari_fada.models.digests import remember
from napari_fada.models.pack import Pack

_CHUNK = 1 << 22


@dataclass(frozen=True, slots=True)
class Verifying:
    """A file is being read: how many of its bytes, and of all files, have been."""

    file: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Verified:
    """A file was read: its SHA-256, and whether the description says which it should be."""

    file: str
    sha256: str
    known: bool


def verify_steps(pack: Pack, *, cancel: Cancel | None = None) -> Iterator[Verifying | Verified]:
    """Read all files of a pack to the last byte, whatever is remembered of them.

    Raises
    ------
    ModelError
        Naming the file that is missing, of another size, or of another content.
    """
    pack.check_present()
    if pack.kind == "gguf":
        pack.inspect()
    total = sum((pack.folder / file.name).stat().st_size for file in pack.files)
    done = 0
    for file in pack.files:
        path, digest = pack.folder / file.name, hashlib.sha256()
        before = path.stat()
        try:
            with path.open("rb") as stream:
                while part := stream.read(_CHUNK):
                    if cancel is not None and cancel.is_set():
                        return
                    digest.update(part)
                    done += len(part)
                    yield Verifying(file.name, done, total)
        except OSError as error:
            raise ModelError(
                f"{path} cannot be read: {error.strerror or error}.",
                todo="Check the drive, then import or download the model again.",
            ) from error
        found = digest.hexdigest()
        remember(path, before, found)
        pack.compare(file, found)
        yield Verified(file.name, found, bool(file.sha256))
