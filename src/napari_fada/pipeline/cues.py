"""The cues of the map phase, as each mode sees them (data in ``mapping_cues.toml``)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from napari_fada.pipeline.negation import affirmed

# Reports are a few sentences; what is longer is a model that runs on.
_MAX_STRICT = 4000


@dataclass(frozen=True, slots=True, eq=False)
class Cues:
    """Tables of one mode, and how this mode reads and matches text."""

    strict: bool
    weights: Mapping[str, float]
    order: tuple[str, ...]
    alias: float
    unmeasured: float
    join: float
    most_classes: int
    unmeasured_phrases: tuple[str, ...]
    organs: tuple[str, ...]
    specific: Mapping[str, str]
    boxes_only: frozenset[str]
    plane: Mapping[str, str]
    cues: Mapping[str, tuple[str, ...]]
    aliases: Mapping[str, tuple[str, ...]]
    generic: Mapping[str, tuple[str, ...]]
    label_cues: Mapping[str, str | tuple[str, ...]]
    fallback: tuple[str, ...]
    phrases: Mapping[str, str]

    def read(self, text: str) -> str:
        """Prepare a text for matching.

        Strict: what it affirms, with the phrases taken out whose words mean something else; a
        phrase that counts for a class leaves the first cue of that class in its place.
        """
        if not self.strict:
            return text.lower()
        out = affirmed(text[:_MAX_STRICT].replace("_", " ")).lower()
        for phrase, category in self.phrases.items():
            out = _word(phrase).sub(self.cues[category][0] if category else "|", out)
        return out

    def holds(self, text: str, cue: str) -> bool:
        """Tell whether a prepared text holds a cue."""
        if self.strict:
            return _word(cue).search(text) is not None
        return cue.rstrip("*") in text

    def holds_any(self, text: str, cues: Iterable[str]) -> bool:
        """Tell whether a prepared text holds any of some cues."""
        return any(self.holds(text, cue) for cue in cues)


@lru_cache(maxsize=512)
def _word(cue: str) -> re.Pattern[str]:
    """Return the pattern of a cue as whole words."""
    words = [re.escape(word) for word in re.split(r"[\s-]+", cue.strip().rstrip("*"))]
    ending = r"\w*" if cue.endswith("*") else r"(?:s|es)?"
    return re.compile(r"(?<!\w)" + r"[\s-]+".join(words) + ending + r"(?!\w)")


@cache
def cues(mode: str) -> Cues:
    """Return the tables of a mode (``strict`` or ``reference``)."""
    text = files(__package__).joinpath("mapping_cues.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    strict = mode == "strict"
    if strict:
        _make_strict(data)
    scoring = data["scoring"]
    return Cues(
        strict=strict,
        weights=data["weights"],
        order=tuple(scoring["order"]),
        alias=scoring["alias"],
        unmeasured=scoring["unmeasured"],
        join=scoring["join"],
        most_classes=scoring["most_classes"],
        # Strict skips the denied measurement itself and keeps the others.
        unmeasured_phrases=() if strict else tuple(scoring["unmeasured_phrases"]),
        organs=tuple(scoring["organs"]),
        specific=data["specific"],
        boxes_only=frozenset(data["specific_boxes_only"]["labels"]),
        plane=data["plane"],
        cues={name: tuple(found) for name, found in data["cues"].items()},
        aliases={name: tuple(found) for name, found in data["aliases"].items()},
        generic={name: tuple(found) for name, found in data["generic"].items()},
        label_cues={
            cue: target if isinstance(target, str) else tuple(target)
            for cue, target in data["label_cues"].items()
        },
        fallback=tuple(data["fallback"]["detect"]),
        phrases=data["strict"]["phrases"] if strict else {},
    )


def _make_strict(data: dict[str, Any]) -> None:
    changes = data["strict"]
    for table in ("cues", "aliases"):
        gone = set(changes["without"][table])
        for name, found in data[table].items():
            added = changes[table].get(name, [])
            data[table][name] = [cue for cue in found if cue not in gone] + added
    for phrase in changes["without"]["plane"]:
        del data["plane"][phrase]
    # The strict cues come first: they are the more telling ones.
    data["label_cues"] = {**changes["label_cues"], **data["label_cues"]}
