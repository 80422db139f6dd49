"""What a form of data set has to bring: a writer, perhaps a reader, and where its images go."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from napari_fada.errors import ExchangeError
from napari_fada.exchange.conversations import Prompts
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.names import Names

#: Files to be read may be this large once they are unpacked.
MAX_BYTES = 1024**3


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a writer is told beside the records.

    Parameters
    ----------
    prompts : Prompts or None
        The wording of the questions, for the forms that hold conversations.
    licence, dataset : str
        As they are to stand in the files; may be empty.
    info : mapping
        Further facts for forms that have a place for them (version, date of writing).
    choices : mapping of str to str
        What a form lets one choose (``task`` of YOLO, ``segmentation`` of COCO).
    """

    prompts: Prompts | None = None
    licence: str = ""
    dataset: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a reader is told beside the place.

    Parameters
    ----------
    size_of : callable
        Gives (width, height) of an image by its path relative to the data set's root; raises
        a ``FadaError`` or ``OSError`` where it cannot be opened.
    names : Names
        Turns labels into classes.
    category : str or None
        The class of masks that say only "something" and "nothing".
    max_bytes : int
        Refuse files that are larger once unpacked.
    masks : Path or None
        Where masks lie, if not in the data set's root.
    values : mapping of int to str
        What the values of label images mean, where no file says so.
    """

    size_of: Callable[[str], tuple[int, int]]
    names: Names = field(default_factory=Names)
    category: str | None = None
    max_bytes: int = MAX_BYTES
    masks: Path | None = None
    values: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that could not be read: which file, where in it, what is wrong."""

    file: str
    where: str
    what: str

    def __str__(self) -> str:
        return (
            f"{self.file}, {self.where}: {self.what}"
            if self.where
            else (f"{self.file}: {self.what}")
        )


def told(error: Exception) -> str:
    """Return what was wrong with a record, in words: what is missing, or what does not fit."""
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)


class Writer(Protocol):
    """Writes one data set, a frame at a time, into a folder that no one sees until it is whole.

    The images that frames refer to are in the folder when :meth:`finish` is called.
    """

    def add(self, frame: FrameRecords, tally: Tally) -> None:
        """Take a frame; what cannot be written is counted in ``tally``."""

    def finish(self, tally: Tally) -> None:
        """Write what is left to write."""


Reader = Callable[[Path, ReadOptions], Iterator[FrameRecords | Problem]]


@dataclass(frozen=True, slots=True)
class Format:
    """A form of data set.

    Parameters
    ----------
    name, title : str
        The word of the command line, and the one for people.
    image : callable
        Path of an image within the data set, from its stem and its split (may be empty); gives
        an empty text if the form has no images of its own.
    writer, reader : callable or None
        None where the form cannot be written or not be read back.
    wants : callable or None
        Whether the form has anything to say about a frame; None: about every one. A frame that
        it has nothing to say about gets no image.
    count : callable or None
        How many images the reader will find, where that is known at once; raises what it raises.
    choices : mapping of str to the allowed values
        What ``WriteOptions.choices`` may hold; the first value is the default.
    """

    name: str
    title: str
    image: Callable[[str, str], str]
    writer: Callable[[Path, WriteOptions], Writer] | None = None
    reader: Reader | None = None
    wants: Callable[[FrameRecords, WriteOptions], bool] | None = None
    count: Callable[[Path, ReadOptions], int] | None = None
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


#: Each module has a ``FORMAT``. They are imported when they are asked for: some need libraries
#: that take a while, or that only an extra brings.
MODULES: Mapping[str, str] = {
    "coco": "coco",
    "yolo": "yolo",
    "labelme": "labelme",
    "voc": "voc",
    "cvat": "cvat",
    "masks": "masks",
    "geojson": "geojson",
    "csv": "flat",
    "hc18": "hc18",
    "dicom-seg": "dicom_seg",
    "dicom-sr": "dicom_sr",
    "fada": "fada",
    "llama-factory": "llama_factory",
    "swift": "swift",
    "trl": "trl",
}


def load_format(name: str) -> Format:
    """Return a form by its name.

    Raises
    ------
    ExchangeError
        If there is no such form, or what it needs is not installed.
    """
    if name not in MODULES:
        raise ExchangeError(
            f"There is no form called {name!r}.", todo=f"Choose one of: {', '.join(MODULES)}."
        )
    try:
        module = importlib.import_module(f"napari_fada.exchange.{MODULES[name]}")
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("napari_fada"):
            raise
        raise ExchangeError(
            f"The form {name} needs {error.name}, which is not installed.",
            todo='Install it with: pip install "napari-fada[dicom]"',
        ) from error
    found: Format = module.FORMAT
    return found
