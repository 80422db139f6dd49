"""De-identification on the way out, and the report of what was done and what a person must see.

Names never leave: scans, groups and raters are called by keyed hashes, images carry no metadata
and are black outside the scan regions where a file states them. What cannot be decided by a
program (letters inside the region, words of a report) is flagged. The original is never written.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from napari_fada.exchange.burnt_in import Box
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import bounds
from napari_fada.scans import Frame, Region, Scan

SCHEMA = "fada-deidentification/1"

OUTSIDE = "structures outside the scan region, which is all that is exported"
UNMASKED = "images whose scan region is not known: look for burnt-in text before you share them"
TEXT = "images with what looks like burnt-in text inside: look at them before you share them"
WORDS = "reports with words that look like a name, a date or a number: read them before you share"

#: Words of a report that a person should look at. Ages and measurements are no identifiers.
_SUSPECT = {
    "date": re.compile(
        r"\b(?:\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d{2}|(?:19|20)\d{2}[./-]\d{1,2}[./-]\d{1,2}"
        r"|\d{1,2}(?:st|nd|rd|th)?\s+(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
        r"\.?\s+(?:19|20)\d{2})\b"
    ),
    "name": re.compile(r"\b(?:Mrs?|Ms|Miss|Dr|Prof|Sr|Frau|Herr|Mme)\.?\s+[A-Z][\w'-]+"),
    "labelled": re.compile(
        r"\b(?:patient(?:'s)?\s+name|name|MRN|patient\s+id|DOB|born|accession)\b\s*[:=#]", re.I
    ),
    "number": re.compile(r"\b\d{6,}\b"),
    "address": re.compile(r"\b[\w.+-]+@[\w-]+\.\w+\b"),
}


def keyed(salt: bytes, kind: str, text: str, digits: int = 16) -> str:
    """Return a hash that only a project with the same salt can retrace (keyed BLAKE2).

    Parameters
    ----------
    salt : bytes
        The project's secret.
    kind, text : str
        Equal texts of two kinds have nothing in common.
    digits : int
        Hexadecimal digits of the result; an even number.
    """
    # HMAC of OpenSSL would do as well, but lets go of the interpreter at each of these tiny
    # texts, and an export that also makes images in threads then waits for them every time.
    key = _key(salt)
    return hashlib.blake2b(f"{kind}:{text}".encode(), key=key, digest_size=digits // 2).hexdigest()


@functools.cache
def _key(salt: bytes) -> bytes:
    return hashlib.blake2b(salt).digest()


def scan_regions(scan: Scan) -> tuple[Region, ...]:
    """Return the parts of an image that show tissue, as its file states them."""
    return tuple(r for r in scan.regions if r.kind == "2d")


def masked(pixels: Frame, regions: Sequence[Region]) -> Frame:
    """Return a copy that is black outside regions."""
    out = np.zeros_like(pixels)
    for r in regions:
        out[r.y0 : r.y1, r.x0 : r.x1] = pixels[r.y0 : r.y1, r.x0 : r.x1]
    return out


def inside(frame: FrameRecords, regions: Sequence[Region], tally: Tally) -> FrameRecords:
    """Return what is said about the inside of regions: the rest is not to be seen any more."""

    def shown(annotation: Annotation) -> bool:
        (x1, y1), (x2, y2) = bounds(annotation)
        return any(r.contains((x1 + x2) / 2, (y1 + y2) / 2) for r in regions)

    kept = tuple(a for a in frame.annotations if shown(a))
    gone = {a.category for a in frame.annotations if not shown(a)}
    tally.left_out[OUTSIDE] += len(frame.annotations) - len(kept)
    asked = {
        task: tuple(tuple(c for c in names if c not in gone) for names in lists)
        for task, lists in frame.asked.items()
    }
    answers = tuple(a for a in frame.answers if shown(a))
    return replace(frame, annotations=kept, asked=asked, answers=answers)


def pseudonym(rater: str, salt: bytes) -> str:
    """Return what a rater is called outside: a keyed hash; empty for nobody."""
    return rater and f"rater-{keyed(salt, 'rater', rater, 8)}"


def pseudonymised(frame: FrameRecords, salt: bytes) -> FrameRecords:
    """Return a frame whose raters are called by keyed hashes."""
    raters = {frame.rater, *(a.rater for a in frame.annotations)}
    names = {rater: pseudonym(rater, salt) for rater in raters}
    return replace(
        frame,
        rater=names[frame.rater],
        annotations=tuple(replace(a, rater=names[a.rater]) for a in frame.annotations),
    )


def suspect_words(text: str) -> list[str]:
    """Return what kinds of identifying words a text seems to hold."""
    return [kind for kind, pattern in _SUSPECT.items() if pattern.search(text)]


class CleanedImage(Protocol):
    """The part of an image that the report tells of (``images.Picture`` fits)."""

    @property
    def stem(self) -> str: ...  # noqa: D102
    @property
    def regions(self) -> Sequence[Box]: ...  # noqa: D102
    @property
    def stated(self) -> bool: ...  # noqa: D102
    @property
    def text(self) -> Sequence[Box]: ...  # noqa: D102


@dataclass
class Cleaning:
    """Gathers what was done to each frame."""

    frames: int = 0
    masked: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    text: dict[str, list[list[int]]] = field(default_factory=dict)
    words: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def add(self, image: CleanedImage, frame: FrameRecords) -> None:
        """Take note of a frame and its image."""
        self.frames += 1
        self.masked += bool(image.regions)
        self.notes[UNMASKED] += not image.stated
        if image.text:
            self.text[image.stem] = [list(box) for box in image.text]
            self.notes[TEXT] += 1
        found = {key: kinds for key, text in frame.fields.items() if (kinds := suspect_words(text))}
        if found:
            self.words[image.stem] = found
            self.notes[WORDS] += 1

    def to_dict(self, *, names_kept: bool, images: bool, blackout: bool) -> dict[str, Any]:
        """Return the report, JSON-ready.

        Parameters
        ----------
        names_kept : bool
            Whether file names and names of raters were kept.
        images : bool
            Whether there are images.
        blackout : bool
            Whether what looked like text was blacked out.
        """
        done = [
            "no text, date or identifier of DICOM files was written",
            "patients and examinations are keyed hashes; the key stays in the project",
        ]
        done += [] if names_kept else ["names of files and raters are keyed hashes"]
        if images:
            done.append("images were encoded anew, without metadata")
            done.append(f"{self.masked} of {self.frames} are black outside the stated scan regions")
        if blackout and self.text:
            done.append(f"what looked like text was blacked out on {len(self.text)} images")
        return {
            "schema": SCHEMA,
            "frames": self.frames,
            "done": done,
            "names_kept": names_kept,
            "masked_outside_regions": self.masked,
            "look_at": {
                "no_region_known": self.notes[UNMASKED] if images else 0,
                "text_like_boxes_xyxy": self.text,
                "words": self.words,
            },
            "limits": "Text is found by its look: dim, tilted or handwritten text may be missed.",
        }
