"""The whole way from an offer to a pack: asked for, fetched, checked, described, put in place.

Everything comes into a hidden folder beside the place of the pack and stays there when it stops,
so that the next attempt goes on. The pack's own folder appears in one step, when every file has
been compared with its hash; a folder that is there already is never touched.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import filelock

from napari_fada.engines.hardware import size_text
from napari_fada.engines.protocol import Cancel
from napari_fada.errors import ModelError
from napari_fada.models.convert.children import Cancelled
from napari_fada.models.convert.events import Note, Packed, Step
from napari_fada.models.download.events import Event, Planned, Transfer, Waiting
from napari_fada.models.download.hub import (
    Announced,
    address_of,
    hub,
    list_files,
    look_at,
    name_of,
    token,
)
from napari_fada.models.download.manifest import write_pack
from napari_fada.models.download.offers import Offer, OfferedFile
from napari_fada.models.download.transfer import Came, Policy, Wanted, agree, fetch
from napari_fada.models.download.web import KEPT, Broken, Web
from napari_fada.models.pack import read_pack

_SPARE = 64 << 20
_SPEED_OVER = 8.0
_TELL = 0.15
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is to come, or has come, with where it is from."""

    offered: OfferedFile
    wanted: Wanted


def work_folder(offer: Offer, into: Path) -> Path:
    """Return where an offer's files lie until all of them are there."""
    return into / f".{offer.name}.download"


def left_over(offer: Offer, into: Path) -> int:
    """Return the bytes that an unfinished download has left."""
    folder = work_folder(offer, into)
    with contextlib.suppress(OSError):
        return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    return 0


def download(
    offer: Offer, into: Path, *, cancel: Cancel | None = None, policy: Policy | None = None
) -> Iterator[Event]:
    """Download a model. This uses the network: only call it when the user has said so.

    Parameters
    ----------
    offer : Offer
        What; see `find_offer`.
    into : Path
        Folder that holds packs; the pack's own folder is made in it.
    cancel : Cancel, optional
        Stops it within a tenth of a second; what has come is kept for the next time.
    policy : Policy, optional
        How often a broken connection is tried again.

    Yields
    ------
    Event
        At last `Packed`.

    Raises
    ------
    Cancelled
        If the caller cancelled.
    ModelError
        If it cannot be had, does not fit on the disk, or is not what it should be.
    """
    policy = policy or Policy()
    endpoint = hub()
    target, work = into / offer.name, work_folder(offer, into)
    _free_place(target)
    with _alone(work):
        _free_place(target)  # another may have put it there
        web = Web(cancel, token())
        yield Step(f"Asking {urlsplit(endpoint).hostname} for {offer.title}")
        if endpoint.startswith("http:"):
            yield Note("The connection is not encrypted; the files are checked by what it says")
        files = yield from _look(offer, work, web, endpoint, policy, cancel)
        yield _plan(files, into)
        meter = _Meter(files)
        for number, file in enumerate(files, 1):
            name = file.wanted.path.name
            yield Step(f"Downloading {name} ({number} of {len(files)})")
            for event in fetch(
                file.wanted, web, policy=policy, cancel=cancel, pause=_pauser(cancel)
            ):
                if not isinstance(event, Came):
                    yield event
                elif told := meter.count(file, event.here):
                    yield told
        yield Step("Checking the model")
        write_pack(offer, [(file.offered, file.wanted.path) for file in files], work, endpoint)
        if cancel is not None and cancel.is_set():
            raise Cancelled("The download was cancelled.", kept=KEPT)
        _put_in_place(work, target)
    yield Packed(read_pack(target))


def _free_place(target: Path) -> None:
    if target.exists():
        raise ModelError(
            f"{target} is there already.",
            kept="It was not touched.",
            todo="If it is damaged, remove it first; or download into another folder.",
        )


@contextlib.contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Keep a second download of the same model out; the system forgets it when we are killed."""
    lock = filelock.FileLock(work.with_name(f"{work.name}.lock"), timeout=0)
    try:
        work.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout as error:
        raise ModelError(
            f"{work.parent} is downloaded into by another window or command right now.",
            kept="It goes on undisturbed.",
            todo="Wait for it, or cancel it there.",
        ) from error
    except OSError as error:
        raise ModelError(
            f"Nothing can be written in {work.parent}: {error.strerror or error}.",
            todo="Choose another folder.",
        ) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            work.rmdir()  # only if nothing has come
        if not work.exists():
            with contextlib.suppress(OSError):
                Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _look(
    offer: Offer, work: Path, web: Web, endpoint: str, policy: Policy, cancel: Cancel | None
) -> Generator[Event, None, list[Fetched]]:
    """Find out from the server what is not known of the files; return them all."""
    lists: dict[tuple[str, str], dict[str, Announced]] = {}
    commits: dict[tuple[str, str], str] = {}
    files = []
    for file in offer.files:
        source = file.repository, file.revision
        if not file.named:
            if source not in lists:
                lists[source] = yield from _patiently(
                    partial(list_files, *source, web, endpoint), policy, cancel
                )
            name = name_of(file, lists[source])
            yield Note(f"{file.role} model: {name} of {file.repository}")
            said = lists[source][name]
            commits.setdefault(source, said.commit)
            file = replace(file, remote=(name,))
        # all files of a repository are taken from one commit, whatever is changed meanwhile
        file = replace(file, revision=commits.get(source) or file.revision)
        looked = yield from _patiently(partial(look_at, file, web, endpoint), policy, cancel)
        if looked is None:
            continue
        file, said = looked
        commits.setdefault(source, said.commit)
        wanted = Wanted(
            address_of(file, endpoint), work / file.name, file.repository,
            file.size, file.sha256, file.git_sha1,
        )  # fmt: skip
        size = agree(wanted, said)
        sha256 = file.sha256 or said.sha256
        git_sha1 = file.git_sha1 or ("" if sha256 else said.git_sha1)
        if not sha256 and not git_sha1:
            yield Note(f"Nobody says what {file.name} must be; only its size is checked")
        files.append(Fetched(file, replace(wanted, size=size, sha256=sha256, git_sha1=git_sha1)))
    return files


def _patiently(
    call: Callable[[], _T], policy: Policy, cancel: Cancel | None
) -> Generator[Event, None, _T]:
    """Call until it does not break, and return what it returns."""
    pause = _pauser(cancel)
    for attempt in range(1, policy.attempts + 1):
        try:
            return call()
        except Broken as error:
            if attempt == policy.attempts:
                raise ModelError(
                    f"The server could not be asked: {error.reason}.",
                    kept=KEPT,
                    todo="Check the network, the proxy (HTTPS_PROXY) and HF_ENDPOINT.",
                ) from error
            seconds = error.after or policy.wait(attempt)
            yield Waiting(error.reason, seconds, attempt, policy.attempts)
            pause(seconds)
    raise AssertionError("a policy has at least one attempt")


def _plan(files: list[Fetched], into: Path) -> Planned:
    """Say what will be fetched; complain if the disk is too small for it."""
    size = sum(file.wanted.size for file in files)
    here = sum(file.wanted.here for file in files)
    free = shutil.disk_usage(into).free
    if (needed := size - here) + _SPARE > free:
        raise ModelError(
            f"The download needs {size_text(needed)} more on the disk of {into}; "
            f"{size_text(free)} are free.",
            kept=KEPT if here else "Nothing was written.",
            todo="Free some space, or choose another folder.",
        )
    return Planned(len(files), size, here, free)


def _put_in_place(work: Path, target: Path) -> None:
    _free_place(target)
    try:
        work.replace(target)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            _free_place(target)
        raise ModelError(
            f"The model cannot be put into {target}: {error.strerror or error}.",
            kept=f"All its files are in {work}.",
            todo="Try again.",
        ) from error


def _pauser(cancel: Cancel | None) -> Callable[[float], None]:
    """Return a wait that a cancel ends."""
    clock = threading.Event()

    def pause(seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if cancel is not None and cancel.is_set():
                raise Cancelled("The download was cancelled.", kept=KEPT)
            clock.wait(min(left, 0.1))

    return pause


class _Meter:
    """Adds up what has come and how fast."""

    def __init__(self, files: list[Fetched]) -> None:
        self._here = {file.wanted.path: file.wanted.here for file in files}
        self._size = sum(file.wanted.size for file in files)
        if not all(file.wanted.size for file in files):
            self._size = 0
        self._seen: deque[tuple[float, int]] = deque()
        self._came = 0

    def count(self, file: Fetched, here: int) -> Transfer | None:
        """Take note of a file's bytes; what is to be told now and then."""
        path = file.wanted.path
        self._came += max(0, here - self._here[path])
        self._here[path] = here
        now = time.monotonic()
        whole = here == file.wanted.size
        if self._seen and now - self._seen[-1][0] < _TELL and not whole:
            return None
        self._seen.append((now, self._came))
        while now - self._seen[0][0] > _SPEED_OVER:
            self._seen.popleft()
        (then, had), done = self._seen[0], sum(self._here.values())
        speed = (self._came - had) / (now - then) if now > then else 0.0
        left = (self._size - done) / speed if speed and self._size else float("inf")
        return Transfer(path.name, done, self._size, speed, left)
