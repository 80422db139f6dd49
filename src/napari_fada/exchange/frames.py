"""One image of a data set and all that is said of it: what each form is written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from napari_fada.exchange.items import AskTask
from napari_fada.records import structures
from napari_fada.records.annotation import Annotation
from napari_fada.records.linking import APART, distance


@dataclass(frozen=True, slots=True)
class Answered:
    """What a model said of a frame in words, beside its structures.

    ``asked`` are the classes that it was asked for and gave a usable answer about.
    """

    model: str = ""
    model_sha256: str = ""
    prompt_set: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    view: str | None = None
    asked: Mapping[AskTask, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FrameRecords:
    """What is known about one image.

    Parameters
    ----------
    image : str
        Path of the image as it stands in the files of the data set, relative to its root.
    width, height : int
        Size in pixels.
    annotations : tuple of Annotation
        In the order of the project.
    fields : mapping of str to str
        The report; a variant is asked for if all its fields have a text.
    view : str or None
        View label.
    asked : mapping of task to class lists
        Which classes to ask for together. A list may hold classes that are not there: that
        they are absent is then part of the answer.
    subject : str
        Salted hash that groups images of one person.
    rater : str
        Who stands for report and view.
    sha256 : str
        Of the scan's file, or a keyed hash of it where it leaves the project.
    frame : int
        Index in the scan; 0 for a still.
    group : str
        What a split keeps on one side: a salted hash of examination, patient, clip or folder.
    split : str
        ``train``, ``val`` or ``test``; empty: the data set is not split.
    spacing_mm : (y, x) or None
        Size of a pixel; None without a scale.
    spacing_origin : str
        Where the scale came from.
    answers : tuple of Annotation
        What the model proposed, as it said it.
    answered : Answered or None
        What the model said in words; None if it has not read the frame.
    said : mapping of str to str
        What the files call a class, where that is a number: value of a mask to class.
    source : Path or None
        The scan's own file, for forms that refer to it. It is no part of any data set.
    seen : bool
        Whether it was on the screen of someone before what stands was accepted.
    empty : bool
        Where there are no structures: whether someone has said so. Only then an image without
        structures may be made of it.
    unlinked : mapping of uid to uid
        Boxes that an expert set apart, each with its outline.
    """

    image: str
    width: int
    height: int
    annotations: tuple[Annotation, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    view: str | None = None
    asked: Mapping[AskTask, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    subject: str = ""
    rater: str = ""
    sha256: str = ""
    frame: int = 0
    group: str = ""
    split: str = ""
    spacing_mm: tuple[float, float] | None = None
    spacing_origin: str = ""
    answers: tuple[Annotation, ...] = ()
    answered: Answered | None = None
    source: Path | None = None
    seen: bool = True
    empty: bool = True
    said: Mapping[str, str] = field(default_factory=dict)
    unlinked: Mapping[str, str] = field(default_factory=dict)

    @property
    def boxes(self) -> dict[str, Annotation]:
        """The boxes of outlines, by the uid of the outline: they show the same structure."""
        return structures.boxes(self.annotations, self.unlinked)

    @property
    def doubles(self) -> frozenset[str]:
        """The boxes that say no more than the outline beside them."""
        found = structures.pairs(self.annotations, self.unlinked)
        return frozenset(box.uid for outline, box in found if distance(outline, box) <= APART)
