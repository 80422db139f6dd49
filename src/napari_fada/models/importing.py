"""Bringing a user's model files into the library: looked into, copied or pointed to, described.

What is imported appears in one step: everything comes into a hidden folder beside the place of
the pack, which then gets its name. The files that were given are never changed, moved or deleted.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import filelock

from napari_fada.engines.hardware import size_text
from napari_fada.engines.protocol import Cancel
from napari_fada.errors import ModelError
from napari_fada.models.catalogue import user_folder
from napari_fada.models.convert.children import Cancelled
from napari_fada.models.convert.events import Event, Packed, Progress, Step
from napari_fada.models.found import Found, Wish, is_pickle, look
from napari_fada.models.pack import Pack, PackFile, read_pack
from napari_fada.models.profiles import find_profile

_SPARE = 64 << 20
_CHUNK = 1 << 22
_UNFIT = re.compile(r"[^\w.+-]+")
_LOCK = ".lock"


def import_model(wish: Wish, *, cancel: Cancel | None = None) -> Iterator[Event]:
    """Import a model; the last event is ``Packed``.

    Raises
    ------
    Cancelled
        If the caller cancelled; nothing is left then.
    ModelError
        If the files are no model, the name is taken, or the disk is too small.
    """
    found = look(tuple(Path(os.path.expanduser(p)) for p in wish.paths), wish)  # noqa: PTH111
    name = _UNFIT.sub("-", wish.name or found.pack.name).strip("-.") or "model"
    into = wish.into.expanduser() if wish.into else user_folder()
    target = into / name
    if target.exists():
        raise ModelError(
            f"There is a model {name} in {into} already.",
            kept="It was not touched, and nothing was imported.",
            todo="Give another name, or remove that one first.",
        )
    _make(into)
    _clear_left_over(into)
    if not wish.in_place:
        _check_disk(into, found)
    pack = replace(
        found.pack,
        name=name,
        licence=wish.licence or found.pack.licence,
        prompt_set=wish.prompt_set or found.pack.prompt_set,
        profile=wish.profile or found.pack.profile,
        version=found.pack.version or datetime.now(UTC).date().isoformat(),
        allow_pickle=wish.allow_pickle and any(is_pickle(p) for _, p, _ in found.files),
        made_by="import",
    )
    if pack.profile:
        find_profile(pack.profile)
    with _scratch(into, name) as work:
        yield Step(f"Looking at {name}" if wish.in_place else f"Copying {name}")
        try:
            if wish.in_place:
                pack = yield from _point(pack, found, work, cancel)
            else:
                pack = yield from _copy(pack, found, work, cancel)
            _describe(pack, work)
            (work / _LOCK).unlink(missing_ok=True)
            work.replace(target)
        except OSError as error:
            what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or error
            raise ModelError(
                f"{name} cannot be imported into {into}: {what}.",
                kept="Nothing was imported; your files are as they were.",
                todo="Free some space or choose another folder, then import it again.",
            ) from error
    yield Packed(read_pack(target))


# Into the library


def _copy(
    pack: Pack, found: Found, work: Path, cancel: Cancel | None
) -> Generator[Progress, None, Pack]:
    """Copy the files and return the pack that they make (as the value of ``yield from``)."""
    total = sum(path.stat().st_size for _, path, _ in found.files) or 1
    done = 0
    copied = []
    for role, path, name in found.files:
        target = work / name
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with path.open("rb") as source, target.open("wb") as out:
            while part := source.read(_CHUNK):
                _stop(cancel)
                digest.update(part)
                out.write(part)
                done += len(part)
                yield Progress(done / total)
            out.flush()
            os.fsync(out.fileno())
        _compare(pack, name, digest.hexdigest())
        copied.append(PackFile(name, digest.hexdigest(), target.stat().st_size, role))
    card = ""
    if found.card is not None:
        card = "CARD.md"
        shutil.copyfile(found.card, work / card)
    return _with(replace(pack, folder=work, card=card), copied)


def _point(
    pack: Pack, found: Found, work: Path, cancel: Cancel | None
) -> Generator[Progress, None, Pack]:
    """Describe the files where they lie; every byte is read for its hash."""
    place = Path(os.path.abspath(found.pack.folder))  # noqa: PTH100 - a link stays a link
    total = sum(path.stat().st_size for _, path, _ in found.files) or 1
    done = 0
    seen = []
    for role, path, _ in found.files:
        digest = hashlib.sha256()
        with path.open("rb") as source:
            while part := source.read(_CHUNK):
                _stop(cancel)
                digest.update(part)
                done += len(part)
                yield Progress(done / total)
        where = Path(os.path.abspath(path))  # noqa: PTH100
        name = where.relative_to(place).as_posix() if where.is_relative_to(place) else str(where)
        seen.append(PackFile(name, digest.hexdigest(), path.stat().st_size, role))
    if pack.adapter:
        first = next(path for role, path, _ in found.files if role == "adapter")
        pack = replace(pack, adapter=str(Path(os.path.abspath(first)).parent))  # noqa: PTH100
    return _with(replace(pack, folder=place, manifest=work, card=""), seen)


def _with(pack: Pack, files: Iterable[PackFile]) -> Pack:
    parts = tuple(files)
    if pack.kind == "transformers":
        return replace(pack, parts=parts)
    by_role = {file.role: file for file in parts}
    return replace(pack, text=by_role["text"], vision=by_role["vision"])


def _compare(pack: Pack, name: str, digest: str) -> None:
    """Hold a file against the description that was there already, if there was one."""
    for file in pack.files:
        if file.name == name:
            pack.compare(file, digest)


def _describe(pack: Pack, work: Path) -> None:
    path = work / "pack.json"
    with path.open("w", encoding="utf-8") as out:
        json.dump(pack.to_dict(), out, indent=2, ensure_ascii=False)
        out.write("\n")
        out.flush()
        os.fsync(out.fileno())
    read_pack(work)  # what was written can be read


def _stop(cancel: Cancel | None) -> None:
    if cancel is not None and cancel.is_set():
        raise Cancelled("The import was cancelled.", kept="Nothing was imported.")


def _make(into: Path) -> None:
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(
            f"{into} cannot be made: {error.strerror or error}.", todo="Choose another folder."
        ) from error


def _check_disk(into: Path, found: Found) -> None:
    needed = sum(path.stat().st_size for _, path, _ in found.files) + _SPARE
    free = shutil.disk_usage(into).free
    if needed > free:
        raise ModelError(
            f"The model takes {size_text(needed)} on the disk of {into}; {size_text(free)} are "
            "free.",
            kept="Nothing was copied.",
            todo="Free some space, choose another folder, or import it in place.",
        )


@contextlib.contextmanager
def _scratch(into: Path, name: str) -> Iterator[Path]:
    """Give a hidden folder beside the place of the pack, gone afterwards."""
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".import", dir=into))
    except OSError as error:
        raise ModelError(
            f"Nothing can be written in {into}: {error.strerror or error}.",
            todo="Choose another folder, or one that is not read-only.",
        ) from error
    lock = filelock.FileLock(work / _LOCK)
    try:
        with lock:
            yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _clear_left_over(into: Path) -> None:
    """Remove what an import left that was killed; one that goes on holds its lock."""
    for work in into.glob(".*.import"):
        with contextlib.suppress(filelock.Timeout, OSError):
            with filelock.FileLock(work / _LOCK).acquire(timeout=0):
                pass
            shutil.rmtree(work, ignore_errors=True)
