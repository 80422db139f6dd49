"""The long things that are done with models, told in one way. Runs in a thread."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_fada.engines.hardware import size_text

if TYPE_CHECKING:
    from napari_fada.models.download import Offer
    from napari_fada.models.found import Wish
    from napari_fada.models.library import Entry

_TELL = 0.1


@dataclass(frozen=True, slots=True)
class Told:
    """How far the work is: a line, and 0-1 or None where that is not known."""

    text: str
    done: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The work is done.

    Parameters
    ----------
    text : str
        For the user.
    name : str
        Of the model that should be chosen now.
    damaged : tuple of (Path, str)
        Folder of a model and what is wrong with it, or nothing is.
    stopped : bool
        Whether the user has stopped it.
    """

    text: str
    name: str = ""
    damaged: tuple[Path, str] | None = None
    stopped: bool = False


Work = Callable[[threading.Event], Iterator[Told | Ended]]


def download(offer: Offer, into: Path) -> Work:
    """Return the work of downloading a model. It uses the network."""

    def work(cancel: threading.Event) -> Iterator[Told | Ended]:
        from napari_fada.models import download as d

        seldom, notes = _Seldom(), []
        try:
            for event in d.download(offer, into, cancel=cancel):
                if isinstance(event, d.Note):
                    notes.append(event.text)
                elif isinstance(event, d.Packed):
                    text = f"{event.pack.name} is here, whole and checked."
                    yield Ended("\n".join([text, *notes]), event.pack.name)
                elif seldom.now(isinstance(event, d.Transfer | d.Checking)) and (
                    told := _of_download(event)
                ):
                    yield told
        except d.Cancelled as stop:
            yield Ended(str(stop), stopped=True)

    return work


def _of_download(event: Any) -> Told | None:
    from napari_fada.models import download as d

    if isinstance(event, d.Step):
        return Told(event.title)
    if isinstance(event, d.Transfer):
        return Told(transfer_text(event), event.done / event.size if event.size else None)
    if isinstance(event, d.Checking):
        return Told(f"Checking {event.file}", event.done)
    if isinstance(event, d.Waiting):
        return Told(
            f"{event.reason}: again in {event.seconds:.0f} s "
            f"({event.attempt} of {event.attempts})".capitalize()
        )
    return None


def transfer_text(event: Any) -> str:
    """Return "120 MB of 711 MB, 4 MB/s, 2 min left"."""
    of = f" of {size_text(event.size)}" if event.size else ""
    speed = f"{event.speed / 1e6:.1f}" if event.speed < 9.5e6 else f"{event.speed / 1e6:.0f}"
    left = f", {duration(event.left)} left" if math.isfinite(event.left) else ""
    return f"{size_text(event.done)}{of}, {speed} MB/s{left}"


def duration(seconds: float) -> str:
    """Return seconds as people say them: 40 s, 3 min, 2 h 5 min."""
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def bring_in(wish: Wish) -> Work:
    """Return the work of importing files."""

    def work(cancel: threading.Event) -> Iterator[Told | Ended]:
        from napari_fada.models.convert.children import Cancelled
        from napari_fada.models.convert.events import Packed, Progress, Step
        from napari_fada.models.importing import import_model

        seldom, title = _Seldom(), "Importing"
        try:
            for event in import_model(wish, cancel=cancel):
                if isinstance(event, Step):
                    title = event.title
                    yield Told(title)
                elif isinstance(event, Progress) and seldom.now(True):
                    yield Told(title, event.done)
                elif isinstance(event, Packed):
                    yield Ended(f"{event.pack.name} is imported.", event.pack.name)
        except Cancelled as stop:
            yield Ended(str(stop), stopped=True)

    return work


def verify(entry: Entry) -> Work:
    """Return the work of reading every byte of a model."""

    def work(cancel: threading.Event) -> Iterator[Told | Ended]:
        from napari_fada.errors import ModelError
        from napari_fada.models.verifying import Verified, Verifying, verify_steps

        assert entry.pack is not None
        seldom, unknown = _Seldom(), []
        try:
            for event in verify_steps(entry.pack, cancel=cancel):
                if isinstance(event, Verifying) and seldom.now(True):
                    yield Told(f"Reading {event.file}", event.done / max(1, event.total))
                elif isinstance(event, Verified) and not event.known:
                    unknown.append(event.file)
        except ModelError as error:
            yield Ended(str(error), entry.name, (entry.home, str(error)))
            return
        if cancel.is_set():
            yield Ended("Verifying was stopped.", entry.name, stopped=True)
        elif unknown:
            names = ", ".join(unknown)
            yield Ended(
                f"{entry.name} can be read to the last byte; nobody says what {names} should be.",
                entry.name, (entry.home, ""),
            )  # fmt: skip
        else:
            yield Ended(f"{entry.name} is whole: every byte was read.", entry.name,
                        (entry.home, ""))  # fmt: skip

    return work


def pin(entry: Entry) -> Work:
    """Return the work of pinning a model, or of taking its pin away."""

    def work(_cancel: threading.Event) -> Iterator[Told | Ended]:
        from napari_fada.models import library

        if entry.pinned:
            library.unpin(entry.name)
            yield Ended(f"{entry.name} is no longer pinned.", entry.name)
            return
        yield Told(f"Reading {entry.name}")
        library.pin(entry)
        yield Ended(f"{entry.name} is pinned: only these very files are loaded.", entry.name)

    return work


def remove(entry: Entry) -> Work:
    """Return the work of removing a model."""

    def work(_cancel: threading.Event) -> Iterator[Told | Ended]:
        from napari_fada.models import library

        yield Told(f"Removing {entry.name}")
        left = library.remove(entry)
        kept = f" What else lies in {entry.home} was kept." if left else ""
        yield Ended(f"{entry.name} is removed.{kept}")

    return work


class _Seldom:
    """Lets one event through now and then, and those that are not of a kind always."""

    def __init__(self) -> None:
        self._last = 0.0

    def now(self, often: bool) -> bool:
        now = time.monotonic()
        if often and now - self._last < _TELL:
            return False
        self._last = now
        return True
