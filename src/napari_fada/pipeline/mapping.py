"""The map phase: from what a model said about a frame to the classes to ask for.

Five tiers, the first that answers wins and names itself in the result: a view label that
decides alone, a phrase in the imaging plane, a weighted count of cues over the whole report, a
view label that says little, and a fallback. Mode ``reference`` matches plain substrings, as
FADA's own program does; ``strict`` matches whole words in what the report affirms.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as MappingABC
from typing import Any, Literal, get_args

from napari_fada.pipeline.cues import Cues, cues
from napari_fada.records.reading import Mapping
from napari_fada.vocabulary import Group, vocabulary

Mode = Literal["strict", "reference"]

FALLBACK = "fallback_no_match"
MANUAL = "manual"


def map_classes(
    interpretation: MappingABC[str, Any] | None, label: str | None, mode: Mode = "strict"
) -> Mapping:
    """Choose the classes to detect and to segment.

    Parameters
    ----------
    interpretation : mapping or None
        Fields of the report. Values that are not text are flattened; what is no mapping at all
        counts as nothing said.
    label : str or None
        The view label.
    mode : {"strict", "reference"}
        Whole words without denied mentions, or plain substrings.

    Returns
    -------
    Mapping
        With the tier that answered.

    Raises
    ------
    ValueError
        If there is no such mode.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"no such mode: {mode!r}")
    table = cues(mode)
    view = label.strip() if isinstance(label, str) else ""
    fields = interpretation if isinstance(interpretation, MappingABC) else {}
    texts = {name: table.read(plain_text(fields.get(name))) for name in table.weights}
    return (
        _by_specific_label(table, view)
        or _by_plane(table, texts)
        or _by_score(table, texts)
        or _by_generic_label(table, view)
        or Mapping(table.fallback, (), FALLBACK)
    )


def view_decides(label: str | None, mode: Mode = "strict") -> bool:
    """Tell whether a view label decides the classes alone, whatever the report says."""
    return isinstance(label, str) and _by_specific_label(cues(mode), label.strip()) is not None


def manual_mapping(names: tuple[str, ...]) -> Mapping:
    """Return the mapping of a person's choice: everything detected, and outlined if possible."""
    by_name = vocabulary().by_name
    outlined = tuple(n for n in names if n in by_name and "polygon" in by_name[n].kinds)
    return Mapping(tuple(names), outlined, MANUAL)


def plain_text(value: Any, depth: int = 0) -> str:
    """Flatten a value to its words: the members of lists and objects, without their names."""
    if value is None or isinstance(value, bool) or depth > 6:
        return ""
    if isinstance(value, MappingABC):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return " ".join(plain_text(part, depth + 1) for part in value)
    return str(value)


def _whole(group: Group, tier: str, *, segment: bool = True) -> Mapping:
    return Mapping(group.detect, group.segment if segment else (), tier)


def _by_specific_label(table: Cues, view: str) -> Mapping | None:
    name = table.specific.get(view)
    if name is None:
        return None
    group = vocabulary().groups[name]
    return _whole(group, f"cls_specific_{view}", segment=view not in table.boxes_only)


def _by_plane(table: Cues, texts: MappingABC[str, str]) -> Mapping | None:
    plane = f"{texts['imaging_plane']} {texts['fetal_orientation']}"
    for phrase, group in table.plane.items():
        if table.holds(plane, phrase):
            return _whole(vocabulary().groups[group], f"plane_{phrase}")
    return None


def _by_score(table: Cues, texts: MappingABC[str, str]) -> Mapping | None:
    weights = dict(table.weights)
    biometry = texts["biometric_measurements"]
    if any(table.holds(biometry, phrase) for phrase in table.unmeasured_phrases):
        weights["biometric_measurements"] = table.unmeasured
    everything = " ".join(texts[name] for name in table.order if texts[name])

    scores: dict[str, float] = {}
    for group in vocabulary().groups.values():
        total = 0.0
        for name in group.detect:
            hits = (f for f in texts if table.holds_any(texts[f], table.cues.get(name, ())))
            total += sum(weights[field] for field in hits)
        if table.holds_any(everything, table.aliases.get(group.name, ())):
            total += table.alias
        if total > 0:
            scores[group.name] = total
    if not scores:
        return None
    # sorted() is stable: groups of equal score stay in the order of the vocabulary.
    ranked = sorted(scores, key=lambda name: -scores[name])
    first = vocabulary().groups[ranked[0]]
    if first.name == "body_full" and table.holds_any(everything, table.organs):
        first = vocabulary().groups["doppler"]
    # Only the runner-up may join: a third is never looked at.
    second = next((name for name in ranked if name != first.name), None)
    enough = second is not None and scores[second] >= table.join * scores.get(first.name, 0.0)
    if second is None or second not in first.may_join or not enough:
        return _whole(first, f"interp_{first.name}")
    return _joined(first, vocabulary().groups[second], table.most_classes)


def _joined(first: Group, second: Group, most: int) -> Mapping:
    def both(of: Callable[[Group], tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(of(first) + of(second)))[:most]

    tier = f"interp_{first.name}+{second.name}"
    return Mapping(both(lambda g: g.detect), both(lambda g: g.segment), tier)


def _by_generic_label(table: Cues, view: str) -> Mapping | None:
    if view in table.generic:
        return Mapping(table.generic[view], (), f"cls_generic_{view}")
    text = table.read(view)
    for cue, target in table.label_cues.items():
        if table.holds(text, cue):
            tier = f"cls_keyword_{cue}"
            if isinstance(target, str):
                return _whole(vocabulary().groups[target], tier)
            return Mapping(target, (), tier)
    return None
