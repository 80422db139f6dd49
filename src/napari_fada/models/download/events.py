"""What a download tells while it goes on; steps, notes and the end are told as by a conversion."""

from __future__ import annotations

from dataclasses import dataclass

from napari_fada.models.convert.events import Note, Packed, Step


@dataclass(frozen=True, slots=True)
class Planned:
    """The server was asked: this is what will be fetched.

    Parameters
    ----------
    files : int
        How many.
    size : int
        Bytes of all of them; those whose size is unknown count nothing.
    here : int
        Bytes that an earlier attempt has left.
    free : int
        Bytes that are free on the disk they go to.
    """

    files: int
    size: int
    here: int
    free: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """How far the download is.

    Parameters
    ----------
    file : str
        What comes at present.
    done, size : int
        Bytes of the whole download; ``size`` 0 when nobody knows.
    speed : float
        Bytes a second, over the last seconds.
    left : float
        Seconds until the end at this speed; infinite when nothing comes.
    """

    file: str
    done: int
    size: int
    speed: float
    left: float


@dataclass(frozen=True, slots=True)
class Checking:
    """A file that has come is read again and compared with its hash; ``done`` is 0-1."""

    file: str
    done: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """The connection broke; it is tried again after ``seconds``."""

    reason: str
    seconds: float
    attempt: int
    attempts: int


Event = Step | Note | Planned | Transfer | Checking | Waiting | Packed
