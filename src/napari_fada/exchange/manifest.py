"""What a data set says of itself: who made it of what, how much of it there is, and its files."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_fada import __version__
from napari_fada.errors import ExchangeError
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.staging import MANIFEST, WORK

SCHEMA = "fada-dataset/1"
NOTICE = "Research and annotation only. Not a medical device."


@dataclass
class Counts:
    """Counts what goes into a data set, while it goes in."""

    frames: Counter[str] = field(default_factory=Counter)
    views: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    by_class_and_view: dict[str, Counter[str]] = field(default_factory=dict)
    states: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    raters: Counter[str] = field(default_factory=Counter)
    models: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    without_structures: int = 0
    never_seen: int = 0
    groups: set[str] = field(default_factory=set)

    def add(self, frame: FrameRecords) -> None:
        """Count a frame."""
        view = frame.view or "not stated"
        self.frames[frame.split or "all"] += 1
        self.views[view] += 1
        self.groups.add(frame.group)
        self.without_structures += not frame.annotations
        self.never_seen += not frame.seen
        if frame.answered:
            said = frame.answered
            self.models[said.model, said.model_sha256, said.prompt_set] += 1
        for a in frame.annotations:
            self.classes[a.category] += 1
            self.by_class_and_view.setdefault(a.category, Counter())[view] += 1
            self.states[a.status] += 1
            self.sources[a.source] += 1
            if a.rater:
                self.raters[a.rater] += 1

    @property
    def annotations(self) -> int:
        """How many structures there are."""
        return sum(self.classes.values())

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "frames": sum(self.frames.values()),
            "frames_by_split": dict(sorted(self.frames.items())),
            "frames_without_structures": self.without_structures,
            "frames_never_seen": self.never_seen,
            "groups": len(self.groups),
            "annotations": self.annotations,
            "by_class": dict(sorted(self.classes.items())),
            "by_view": dict(sorted(self.views.items())),
            "by_class_and_view": {
                name: dict(sorted(found.items()))
                for name, found in sorted(self.by_class_and_view.items())
            },
            "by_state": dict(sorted(self.states.items())),
            "by_source": dict(sorted(self.sources.items())),
        }


def build_manifest(
    root: Path,
    counts: Counts,
    *,
    form: str,
    project: str,
    wishes: Mapping[str, Any],
    prompts: Mapping[str, str] | None,
    left_out: Mapping[str, int],
    notes: Mapping[str, int],
    written: Mapping[str, int],
    created: str,
) -> dict[str, Any]:
    """Return the manifest of a data set whose other files lie in ``root``.

    ``project`` is a keyed name of the project, ``wishes`` what was asked for, ``prompts`` name
    and hash of the wording, ``created`` the moment.
    """
    return {
        "schema": SCHEMA,
        "notice": NOTICE,
        "form": form,
        "project": project,
        "created": created,
        "version": __version__,
        "dataset": wishes.get("dataset", ""),
        "licence": wishes.get("licence", "") or "not stated",
        "prompts": dict(prompts) if prompts else None,
        "models": [
            {"pack": pack, "sha256": sha256, "prompt_set": prompt_set, "frames": n}
            for (pack, sha256, prompt_set), n in sorted(counts.models.items())
        ],
        "raters": dict(sorted(counts.raters.items())),
        "counts": counts.to_dict(),
        "written": dict(written),
        "left_out": dict(left_out),
        "notes": dict(notes),
        "asked_for": dict(wishes),
        "files": dict(hash_files(root)),
    }


def hash_files(root: Path) -> Iterable[tuple[str, str]]:
    """Yield each file below a folder with its sha256, in the order of names."""
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        name = path.relative_to(root)
        if name.parts[0] == WORK or name.name == MANIFEST:
            continue
        with path.open("rb") as file:
            yield name.as_posix(), hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether the files of a data set are those that its manifest names."""

    missing: tuple[str, ...]
    changed: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is missing or changed."""
        return not (self.missing or self.changed)


def read_manifest(root: Path) -> dict[str, Any]:
    """Return the manifest of a data set.

    Raises
    ------
    ExchangeError
        If there is none that can be read.
    """
    try:
        found = json.loads((root / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ExchangeError(f"{root} has no manifest that can be read: {error}.") from error
    if not isinstance(found, dict) or "files" not in found:
        raise ExchangeError(f"{root / MANIFEST} is no manifest of a data set.")
    return found


def verify(root: Path) -> Verified:
    """Compare the files of a data set with its manifest.

    Raises
    ------
    ExchangeError
        If there is no manifest.
    """
    wanted: Mapping[str, str] = read_manifest(root)["files"]
    there = dict(hash_files(root))
    return Verified(
        tuple(name for name in wanted if name not in there),
        tuple(n for n, digest in wanted.items() if n in there and there[n] != digest),
        tuple(name for name in there if name not in wanted),
    )
