"""What a person may ask of an export: which records, which sides, what leaves and how."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from napari_fada.errors import ExchangeError
from napari_fada.exchange.conversations import Prompts
from napari_fada.exchange.splits import Grouping
from napari_fada.records.rows import ScanRow
from napari_fada.scans import Identity
from napari_fada.vocabulary import vocabulary

Images = Literal["write", "none"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records and frames are taken. Rejected proposals never are.

    Parameters
    ----------
    proposals : bool
        Also what no one has judged yet.
    raters : frozenset of str
        Only structures that one of these people made or judged last; empty: everybody's.
    views : frozenset of str
        Only frames with one of these views; empty: any.
    categories : frozenset of str
        Only these classes; empty: all.
    reviewed : bool
        Only frames whose review is closed (accepted or corrected).
    negatives : bool
        Also frames on which nothing stands and whose review is closed.
    seen : bool
        Only frames that were on the screen of someone before what stands was accepted.
    """

    proposals: bool = False
    raters: frozenset[str] = frozenset()
    views: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    reviewed: bool = False
    negatives: bool = True
    seen: bool = False

    def __post_init__(self) -> None:
        for name in self.categories - vocabulary().by_name.keys():
            near = vocabulary().resolve(name)
            raise ExchangeError(
                f"There is no class {name!r}.",
                todo=f"Did you mean {near.name}?" if near else "See docs/export.md for the list.",
            )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "proposals": self.proposals,
            "raters": sorted(self.raters),
            "views": sorted(self.views),
            "categories": sorted(self.categories),
            "reviewed": self.reviewed,
            "negatives": self.negatives,
            "seen": self.seen,
        }


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is asked of an export.

    Parameters
    ----------
    selection : Selection
        Which records.
    by : str
        What stays together: ``examination``, ``patient``, ``clip`` or ``folder``.
    group_pattern : str
        A regular expression; what it finds in a file name (its first group, if it has one)
        takes the place of the examination. For files whose names say it, as HC18's do.
    shares : mapping of str to float, or None
        How much of the frames goes to each side; None: the data set is not split.
    seed : int
        Of the split.
    force : bool
        Write even if a leak remains between the sides.
    images : {"write", "none"}
        ``none`` leaves the images out; the paths in the files are then those they would have.
    mask_outside, blackout : bool
        Black out what lies outside the scan regions; and what looks like text inside.
    keep_names : bool
        Keep the names of files and raters. They may name people.
    licence, dataset : str
        As they are to stand in the files.
    prompts : Prompts or None
        The wording of questions.
    choices : mapping
        What the form lets one choose.
    """

    selection: Selection = field(default_factory=Selection)
    by: Grouping = "examination"
    group_pattern: str = ""
    shares: Mapping[str, float] | None = None
    seed: int = 0
    force: bool = False
    images: Images = "write"
    mask_outside: bool = True
    blackout: bool = False
    keep_names: bool = False
    licence: str = ""
    dataset: str = ""
    prompts: Prompts | None = None
    choices: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            re.compile(self.group_pattern)
        except re.error as error:
            raise ExchangeError(
                f"{self.group_pattern!r} is no regular expression: {error}.",
                todo=r"For names like 010_2HC.png write: ^(\d+)_",
            ) from None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form: what makes two exports the same wish."""
        return {
            "selection": self.selection.to_dict(),
            "by": self.by,
            "group_pattern": self.group_pattern,
            "shares": dict(self.shares) if self.shares else None,
            "seed": self.seed,
            "images": self.images,
            "mask_outside": self.mask_outside,
            "blackout": self.blackout,
            "keep_names": self.keep_names,
            "licence": self.licence,
            "dataset": self.dataset,
            "prompts": self.prompts.hash if self.prompts else None,
            "choices": dict(self.choices),
        }

    def group(self, row: ScanRow, identity: Identity) -> str:
        """Return what a scan is kept together with, in words that stay on this computer.

        The kind that is asked for, else the next best that is known, at last the scan itself.
        """
        found = re.search(self.group_pattern, row.name) if self.group_pattern else None
        if found:
            return f"pattern:{found.group(1) if found.re.groups else found.group()}"
        if self.by == "folder" and row.path is not None:
            return f"folder:{row.path.parent}"
        order = {
            "patient": ("patient", "study"),
            "examination": ("study", "patient"),
        }.get(self.by, ())
        for kind in order:
            if value := getattr(identity, kind):
                return f"{kind}:{value}"
        if order and row.subject:  # brought in with labels that said which belong together
            return f"subject:{row.subject}"
        return f"scan:{row.sha256}"
