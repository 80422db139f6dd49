"""Fetching one file: resumed where it stopped, tried again, and compared with its hash.

What comes is appended to ``NAME.part``; beside it ``NAME.part.json`` says what it is a part of, so
that it is only continued if the server still has the same file. Small files, not worth continuing,
are left to pooch.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from napari_fada.engines.protocol import Cancel
from napari_fada.errors import ModelError
from napari_fada.models.convert.children import Cancelled
from napari_fada.models.convert.events import Note
from napari_fada.models.download.events import Checking, Waiting
from napari_fada.models.download.hub import Announced, announced, check_status
from napari_fada.models.download.web import KEPT, Broken, Reply, Web

#: Files up to this size come in one go.
AT_ONCE = 1 << 20
_READ = 1 << 22


@dataclass(frozen=True, slots=True)
class Policy:
    """How often a broken connection is tried again.

    Parameters
    ----------
    attempts : int
        Times without progress after which it is given up.
    first_wait, longest_wait : float
        Seconds; each wait is twice the one before.
    """

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0

    def wait(self, failures: int) -> float:
        """Return the seconds to wait after so many failures."""
        return min(self.longest_wait, self.first_wait * 2.0 ** (failures - 1))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that is to be fetched.

    Parameters
    ----------
    url : str
        Where it is.
    path : Path
        Where it will lie when it is whole.
    repository : str
        For messages.
    size : int
        0 when not known.
    sha256, git_sha1 : str
        Empty when not known.
    """

    url: str
    path: Path
    repository: str
    size: int = 0
    sha256: str = ""
    git_sha1: str = ""

    @property
    def part(self) -> Path:
        """What has come of it."""
        return self.path.with_name(self.path.name + ".part")

    @property
    def notes(self) -> Path:
        """What the part is a part of."""
        return self.path.with_name(self.path.name + ".part.json")

    @property
    def here(self) -> int:
        """Bytes that are here already."""
        for path in (self.path, self.part):
            with contextlib.suppress(OSError):
                return path.stat().st_size
        return 0


@dataclass(frozen=True, slots=True)
class Came:
    """So many bytes of the file are here now."""

    here: int


_Event = Came | Waiting | Checking | Note


class _Damaged(Exception):  # noqa: N818 - named for what happened
    """What came is not what it should be."""


def fetch(
    wanted: Wanted,
    web: Web,
    *,
    policy: Policy,
    cancel: Cancel | None,
    pause: Callable[[float], None],
) -> Iterator[_Event]:
    """Fetch a file; afterwards it lies at its path and is what it should be.

    Raises
    ------
    Cancelled
        If the caller cancelled.
    ModelError
        If it cannot be had, or is another file than it should be.
    """
    wanted.path.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    afresh = False
    while True:
        before = wanted.here
        try:
            yield from _come(wanted, web)
            yield from _check(wanted, wanted.part if wanted.part.exists() else wanted.path, cancel)
        except Broken as error:
            failures = 1 if wanted.here > before else failures + 1
            if failures >= policy.attempts:
                raise ModelError(
                    f"{wanted.path.name} could not be downloaded: {error.reason}, "
                    f"{policy.attempts} times.",
                    kept=KEPT,
                    todo="Check the network and try again.",
                ) from error
            seconds = error.after or policy.wait(failures)
            yield Waiting(error.reason, seconds, failures, policy.attempts)
            pause(seconds)
            continue
        except _Damaged as error:
            _forget(wanted)
            if before and not afresh:  # parts of two files may have met
                afresh = True
                yield Note(f"{wanted.path.name} did not go together; it is fetched anew")
                continue
            raise ModelError(
                f"{wanted.path.name} is not the file it should be: {error}.",
                kept="What came of it was deleted; files that were whole before are kept.",
                todo="Try again. If it happens again, the server or something in between changes "
                "the file: do not use it.",
            ) from None
        except OSError as error:
            raise _disk_error(error, wanted) from error
        break
    if wanted.part.exists():
        wanted.part.replace(wanted.path)
    wanted.notes.unlink(missing_ok=True)


def _digest(path: Path, git: bool, cancel: Cancel | None) -> Iterator[float | str]:
    """Read a file and yield how far it is, 0-1; at last its SHA-256, or git's hash of it."""
    size = path.stat().st_size
    digest = hashlib.sha1(b"blob %d\0" % size) if git else hashlib.sha256()
    done = 0
    with path.open("rb") as file:
        while part := file.read(_READ):
            if cancel is not None and cancel.is_set():
                raise Cancelled("The download was cancelled.", kept=KEPT)
            digest.update(part)
            done += len(part)
            yield done / size
    yield digest.hexdigest()


def _come(wanted: Wanted, web: Web) -> Iterator[_Event]:
    """Let the bytes come, one attempt."""
    if wanted.path.exists():
        yield Came(wanted.here)
        return
    if 0 < wanted.size <= AT_ONCE and not wanted.part.exists():
        _with_pooch(wanted, web)
        yield Came(wanted.size)
        return
    offset = _offset(wanted)
    if wanted.size and offset == wanted.size:
        yield Came(offset)
        return
    headers = {}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if not (wanted.sha256 or wanted.git_sha1):  # otherwise the hash tells, when it is whole
            headers["If-Range"] = str(_read(wanted.notes).get("etag"))
    with web.ask("GET", wanted.url, headers) as reply:
        if reply.status == 416:  # there is nothing after what is here
            if reply.headers.get("Content-Range", "") == f"bytes */{offset}":
                yield Came(offset)
                return
            _forget(wanted)
            raise Broken("the server has another file than before")
        check_status(reply, wanted.repository, f"{wanted.path.name} of {wanted.repository}")
        size = agree(wanted, announced(reply))
        if offset and not _continues(reply, offset):
            yield Note(f"The server begins {wanted.path.name} anew")
            offset = 0
        _write_notes(wanted, reply, size)
        with wanted.part.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.truncate()
            yield Came(offset)
            for chunk in reply.chunks():
                offset += len(chunk)
                if size and offset > size:
                    raise _Damaged(f"it is longer than {size:,} bytes")
                write(file, chunk)
                yield Came(offset)
            file.flush()
            os.fsync(file.fileno())
    if size and offset < size:
        raise Broken("the connection was cut")


def write(file: IO[bytes], chunk: bytes) -> None:
    """Write what has come."""
    file.write(chunk)


def _with_pooch(wanted: Wanted, web: Web) -> None:
    import pooch

    def stream(url: str, output: Any, _pooch: Any) -> None:
        with web.ask("GET", url) as reply:
            check_status(reply, wanted.repository, f"{wanted.path.name} of {wanted.repository}")
            with Path(output).open("wb") as file:
                for chunk in reply.chunks():
                    if file.tell() + len(chunk) > wanted.size:
                        raise _Damaged(f"it is longer than {wanted.size:,} bytes")
                    write(file, chunk)
                if file.tell() < wanted.size:
                    raise Broken("the connection was cut")

    pooch.get_logger().setLevel("ERROR")
    try:
        pooch.retrieve(
            wanted.url, f"sha256:{wanted.sha256}" if wanted.sha256 else None,
            wanted.path.name, wanted.path.parent,
            downloader=stream,
        )  # fmt: skip
    except ValueError as error:  # pooch's word for a wrong hash
        raise _Damaged("its SHA-256 is another") from error


def agree(wanted: Wanted, said: Announced) -> int:
    """Return the size of the file; complain if the server speaks of another one.

    Raises
    ------
    ModelError
        Saying what differs.
    """
    for name in ("sha256", "git_sha1", "size"):
        expected, found = getattr(wanted, name), getattr(said, name)
        if expected and found and expected != found:
            raise ModelError(
                f"The server has another {wanted.path.name} than the one that is wanted: its "
                f"{name} is {found} instead of {expected}.",
                kept=KEPT,
                todo="Try a newer napari-fada, whose catalogue may know the new file.",
            )
    return wanted.size or said.size


def _continues(reply: Reply, offset: int) -> bool:
    return reply.status == 206 and reply.headers.get("Content-Range", "").startswith(
        f"bytes {offset}-"
    )


def _offset(wanted: Wanted) -> int:
    """Return how much of the file is here and can be continued."""
    notes = _read(wanted.notes)
    here = wanted.part.stat().st_size if wanted.part.exists() else 0
    if known := wanted.sha256 or wanted.git_sha1:
        same = notes.get("hash") == known
    else:
        same = notes.get("url") == wanted.url and bool(notes.get("etag"))
    return here if same and not (wanted.size and here > wanted.size) else 0


def _write_notes(wanted: Wanted, reply: Reply, size: int) -> None:
    said = announced(reply)
    notes = {
        "url": wanted.url,
        "hash": wanted.sha256 or wanted.git_sha1,
        "etag": said.etag or reply.headers.get("Last-Modified", ""),
        "size": size,
    }
    fresh = wanted.notes.with_name(wanted.notes.name + ".new")
    fresh.write_text(json.dumps(notes), encoding="utf-8")
    fresh.replace(wanted.notes)


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        data = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(data, dict):
            return data
    return {}


def _check(wanted: Wanted, path: Path, cancel: Cancel | None) -> Iterator[Checking]:
    """Read the whole file again and compare it with what is known of it."""
    if wanted.size and (size := path.stat().st_size) != wanted.size:
        raise _Damaged(f"it has {size:,} bytes instead of {wanted.size:,}")
    expected = wanted.sha256 or wanted.git_sha1
    if not expected:
        return
    for item in _digest(path, not wanted.sha256, cancel):
        if isinstance(item, float):
            yield Checking(wanted.path.name, item)
        elif item != expected:
            kind = "SHA-256" if wanted.sha256 else "git hash"
            raise _Damaged(f"its {kind} begins with {item[:12]} instead of {expected[:12]}")


def _forget(wanted: Wanted) -> None:
    for path in (wanted.path, wanted.part, wanted.notes):
        path.unlink(missing_ok=True)


def _disk_error(error: OSError, wanted: Wanted) -> ModelError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    folder = wanted.path.parent
    return ModelError(
        f"{wanted.path.name} cannot be written in {folder}: "
        + ("the disk is full." if full else f"{error.strerror or error}."),
        kept=KEPT,
        todo="Free some space, or choose another folder." if full else "Choose another folder.",
    )
