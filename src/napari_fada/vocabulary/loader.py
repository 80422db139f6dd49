"""Read and check ``vocabulary.toml``; the rest of the product sees only these types."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

KINDS: tuple[str, ...] = ("box", "polygon", "keypoints")


class VocabularyError(ValueError):
    """The vocabulary file contradicts itself: a defect of the program, not of the user's data."""


@dataclass(frozen=True, slots=True)
class Category:
    """One class of structure.

    Parameters
    ----------
    id : int
        Frozen for ever, 1 or more (0 is the background of a Labels layer).
    name : str
        As the models write it; case matters (``head`` is not ``H``).
    long_name : str
        For people.
    group : tuple of str
        Groups that it may be asked for with; the first is its home.
    kinds : frozenset of {"box", "polygon", "keypoints"}
        What an annotation of this class may be.
    colour : str
        ``#rrggbb``, frozen.
    key : str
        The key that chooses it in the class palette.
    points : tuple of str
        Names of its keypoints, in order.
    manual : bool
        True if the map phase never chooses it: only a person does.
    round : bool
        True if it is measured as an ellipse: its outline is a curve through its corners.
    """

    id: int
    name: str
    long_name: str
    group: tuple[str, ...]
    kinds: frozenset[str]
    colour: str
    key: str = ""
    points: tuple[str, ...] = ()
    manual: bool = False
    round: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """One label of the classify phase."""

    id: int
    name: str
    long_name: str


@dataclass(frozen=True, slots=True)
class Group:
    """Classes that are asked for together.

    ``detect`` and ``segment`` are what the map phase asks for, in order; ``may_join`` the
    groups that may be added when this one leads; ``keypoints`` the keypoint classes that
    belong to its view.
    """

    name: str
    long_name: str
    detect: tuple[str, ...]
    segment: tuple[str, ...] = ()
    may_join: tuple[str, ...] = ()
    keypoints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a structure was rejected: ``name`` is kept in projects, ``long_name`` is for people."""

    name: str
    long_name: str


_Named = TypeVar("_Named", Category, View)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All classes, views, groups and reasons of rejection, with ways to look them up."""

    categories: tuple[Category, ...]
    views: tuple[View, ...]
    groups: Mapping[str, Group]
    reasons: tuple[Reason, ...] = ()
    by_name: Mapping[str, Category] = field(init=False, repr=False)
    by_id: Mapping[int, Category] = field(init=False, repr=False)
    _folded: Mapping[str, Category] = field(init=False, repr=False)
    _folded_views: Mapping[str, View] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        put = object.__setattr__  # frozen; these are derived once
        put(self, "by_name", {c.name: c for c in self.categories})
        put(self, "by_id", {c.id: c for c in self.categories})
        put(self, "_folded", _unique_folds(self.categories))
        put(self, "_folded_views", _unique_folds(self.views))

    def resolve(self, text: str) -> Category | None:
        """Find the class that a text names.

        The exact name wins; else the one class whose name is the same but for case and for
        spaces or hyphens in place of underscores. Nothing is guessed: ``head`` never gives
        ``H``, and a long name gives nothing.
        """
        return self.by_name.get(text) or self._folded.get(_fold(text))

    def resolve_view(self, text: str) -> View | None:
        """Find the view label that a text names, by the same rule as :meth:`resolve`."""
        exact = next((v for v in self.views if v.name == text), None)
        return exact or self._folded_views.get(_fold(text))

    def reason_text(self, reason: str) -> str:
        """Return a reason of rejection for people; a free text is its own."""
        return next((r.long_name for r in self.reasons if r.name == reason), reason)

    def groups_of(self, name: str) -> tuple[Group, ...]:
        """Return the groups that a class may be asked for with (none if it is unknown)."""
        category = self.by_name.get(name)
        return tuple(self.groups[g] for g in category.group) if category else ()


@cache
def vocabulary() -> Vocabulary:
    """Return the vocabulary of the product (read and checked once)."""
    text = files(__package__).joinpath("vocabulary.toml").read_text(encoding="utf-8")
    return read_vocabulary(tomllib.loads(text))


def read_vocabulary(data: Mapping[str, Any]) -> Vocabulary:
    """Build a vocabulary from its parsed TOML form.

    Raises
    ------
    VocabularyError
        If identifiers, names, colours or keys repeat, or one part names something that
        another does not have.
    """
    categories = tuple(
        Category(
            id=entry["id"],
            name=entry["name"],
            long_name=entry["long_name"],
            group=tuple(entry["group"]),
            kinds=frozenset(entry["kinds"]),
            colour=entry["colour"],
            key=entry.get("key", ""),
            points=tuple(entry.get("points", ())),
            manual=entry.get("manual", False),
            round=entry.get("round", False),
        )
        for entry in data["categories"]
    )
    views = tuple(View(**entry) for entry in data["views"])
    groups = {
        name: Group(
            name=name,
            long_name=entry["long_name"],
            detect=tuple(entry["detect"]),
            segment=tuple(entry.get("segment", ())),
            may_join=tuple(entry.get("may_join", ())),
            keypoints=tuple(entry.get("keypoints", ())),
        )
        for name, entry in data["groups"].items()
    }
    reasons = tuple(Reason(**entry) for entry in data.get("reasons", ()))
    found = Vocabulary(categories, views, groups, reasons)
    _check(found)
    return found


def _check(v: Vocabulary) -> None:
    named: tuple[tuple[str, list[Any]], ...] = (
        ("class id", [c.id for c in v.categories]),
        ("class name", [c.name for c in v.categories]),
        ("colour", [c.colour.lower() for c in v.categories]),
        ("key", [c.key for c in v.categories if c.key]),
        ("view id", [w.id for w in v.views]),
        ("view name", [w.name for w in v.views]),
        ("reason", [r.name for r in v.reasons]),
    )
    for what, values in named:
        twice = {x for x in values if values.count(x) > 1}
        _require(not twice, f"{what} given twice: {sorted(map(str, twice))}")
    for c in v.categories:
        _require(c.id >= 1, f"{c.name}: id {c.id} is below 1")
        _require(bool(c.kinds) and c.kinds <= set(KINDS), f"{c.name}: unknown kinds")
        _require(("keypoints" in c.kinds) == bool(c.points), f"{c.name}: keypoints need names")
        _require(bool(re.fullmatch("#[0-9a-f]{6}", c.colour)), f"{c.name}: colour {c.colour}")
        _require(bool(c.group) and set(c.group) <= set(v.groups), f"{c.name}: unknown group")
    for g in v.groups.values():
        for name in (*g.detect, *g.segment, *g.keypoints):
            category = v.by_name.get(name)
            _require(category is not None, f"group {g.name}: unknown class {name}")
            assert category is not None
            _require(g.name in category.group, f"{name} does not name its group {g.name}")
            _require(category.manual == (name in g.keypoints), f"group {g.name}: {name} is manual")
        for name in g.segment:
            _require("polygon" in v.by_name[name].kinds, f"group {g.name}: {name} has no polygon")
        _require(set(g.may_join) <= set(v.groups), f"group {g.name}: unknown group to join")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise VocabularyError(message)


def _fold(text: str) -> str:
    return re.sub(r"[\s_-]+", "_", text.strip()).casefold()


def _unique_folds(entries: Iterable[_Named]) -> dict[str, _Named]:
    folded: dict[str, list[_Named]] = {}
    for entry in entries:
        folded.setdefault(_fold(entry.name), []).append(entry)
    return {key: found[0] for key, found in folded.items() if len(found) == 1}
