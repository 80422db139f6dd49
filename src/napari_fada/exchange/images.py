"""The image of a data set: opened, checked, cleaned, put down, and looked at for the audit.

This is the part of an export that takes time, so it runs in several threads, and what it found
is noted beside the images: an export that was stopped does not do it twice.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from napari_fada.errors import ExchangeError, FadaError
from napari_fada.exchange import deidentify
from napari_fada.exchange.burnt_in import text_boxes, without
from napari_fada.exchange.deidentify import keyed
from napari_fada.exchange.files import write_atomic
from napari_fada.exchange.near import perceptual_hash
from napari_fada.exchange.overlay import to_png
from napari_fada.exchange.request import ExportRequest
from napari_fada.records.rows import ScanRow
from napari_fada.scans import Region, Scan, open_scan

CHANGED = "scans whose file has changed"
_NOTES = "images.jsonl"

Boxes = tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that is ready, and what the audit and the report need to know of it.

    ``stem`` is its name in the data set, ``pixels`` a hash of what it shows, ``phash`` the
    perceptual one, ``group`` what it is kept together with (hashed), ``regions`` the parts that
    were kept, ``stated`` whether its file tells of regions at all, ``text`` boxes that look like
    burnt-in text, ``png`` the hash of its file.
    """

    stem: str
    pixels: str
    phash: int | None
    group: str
    regions: Boxes = ()
    text: Boxes = ()
    stated: bool = False
    png: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Picture:
        """Rebuild it."""
        boxes = {k: tuple(tuple(b) for b in data[k]) for k in ("regions", "text")}
        return cls(**{**data, **boxes})


class UnreadableError(ExchangeError):
    """A scan cannot be opened, or its frame cannot be decoded."""


class ChangedError(UnreadableError):
    """A file is no longer the one that was annotated."""


@dataclass
class Studio:
    """Makes the images of one export.

    Parameters
    ----------
    work : Path
        Where images and notes lie until they get their place.
    request : ExportRequest
        What is asked for.
    salt : bytes
        The project's secret.
    open_row : callable
        How to get the pixels of a scan.
    images : bool
        Whether the form has images; without them only what the audit needs is worked out.
    doubles : frozenset of str
        Names that several scans have: where names are kept, these get a part of the hash.
    """

    work: Path
    request: ExportRequest
    salt: bytes
    open_row: Callable[[ScanRow], Scan]
    images: bool = True
    doubles: frozenset[str] = frozenset()
    _known: dict[str, Picture] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _held: threading.local = field(default_factory=threading.local)

    def __post_init__(self) -> None:
        with suppress(FileNotFoundError):
            for line in (self.work / _NOTES).read_text("utf-8").splitlines():
                with suppress(ValueError, KeyError, TypeError):  # the last line may be cut off
                    key, data = json.loads(line)
                    self._known[key] = Picture.from_dict(data)

    def path(self, picture: Picture) -> Path:
        """Return where an image lies until it gets its place."""
        return self.work / f"{picture.stem}.png"

    def prepare(self, row: ScanRow, frame: int) -> Picture:
        """Make the image of a frame, or take the one of an earlier attempt.

        Raises
        ------
        UnreadableError
            If the scan cannot be opened, its frame cannot be decoded, or the file is no longer
            the one that was annotated.
        ExchangeError
            If the image cannot be written.
        """
        key = f"{row.sha256}/{frame}/{_stamp(row)}"
        known = self._known.get(key)
        if known is not None and (not self.images or self.path(known).exists()):
            return known
        with _reading(row):
            scan = self._scan(row)
        if scan.sha256 != row.sha256:
            raise ChangedError(f"{row.name} is no longer the file that was annotated")
        picture = self._make(row, scan, frame)
        with self._lock, (self.work / _NOTES).open("a", encoding="utf-8") as notes:
            notes.write(json.dumps([key, picture.to_dict()]) + "\n")
        return picture

    def _scan(self, row: ScanRow) -> Scan:
        # Frames of a clip come one after another: a thread keeps the scan it had last.
        held: Scan | None = getattr(self._held, "scan", None)
        if held is None or self._held.key != row.sha256:
            held = self.open_row(row)
            self._held.scan, self._held.key = held, row.sha256
        return held

    def _make(self, row: ScanRow, scan: Scan, frame: int) -> Picture:
        request = self.request
        group = keyed(self.salt, "group", request.group(row, scan.identity))
        regions: tuple[Region, ...] = ()
        if request.mask_outside:
            regions = deidentify.scan_regions(scan)
        boxes = tuple((r.x0, r.y0, r.x1, r.y1) for r in regions)
        stem = keyed(self.salt, "image", f"{row.sha256}/{frame}/{boxes}", 20)
        if request.keep_names:
            number = f"_{frame:04d}" if scan.n_frames > 1 else ""
            own = Path(row.name).stem
            stem = f"{own}{number}{f'_{stem[:6]}' if own in self.doubles else ''}"
        if not (self.images or request.shares):
            return Picture(stem, f"{row.sha256}/{frame}", None, group, boxes)
        with _reading(row):
            pixels = scan.frame(frame)
        if regions:
            pixels = deidentify.masked(pixels, regions)
        text = text_boxes(pixels) if self.images else ()
        if text and request.blackout:
            pixels = without(pixels, text)
        shown = keyed(self.salt, "pixels", hashlib.sha256(pixels.tobytes()).hexdigest())
        phash = perceptual_hash(pixels) if request.shares else None
        picture = Picture(stem, shown, phash, group, boxes, text, bool(scan.regions))
        if not self.images:
            return picture
        data = to_png(pixels)
        write_atomic(self.path(picture), data, flush=False)
        return Picture(
            *(stem, shown, phash, group, boxes, text, bool(scan.regions)),
            hashlib.sha256(data).hexdigest(),
        )


@contextmanager
def _reading(row: ScanRow) -> Iterator[None]:
    """Tell errors of the scan from those of the data set."""
    try:
        yield
    except (FadaError, OSError, IndexError) as error:
        text = error.what if isinstance(error, FadaError) else str(error)
        raise UnreadableError(f"{row.name}: {text}") from error


def open_row(row: ScanRow) -> Scan:
    """Open a scan where it was last seen.

    Raises
    ------
    ExchangeError
        If it has no file.
    ScanError
        If its file cannot be opened.
    """
    if row.path is None:
        raise ExchangeError(f"{row.name} has no file (it was annotated from a layer).")
    return open_scan(row.path)


def _stamp(row: ScanRow) -> str:
    """Return what changes when the file does."""
    if row.path is None:
        return ""
    with suppress(OSError):
        status = row.path.stat()
        return f"{status.st_size}/{status.st_mtime_ns}"
    return "gone"
