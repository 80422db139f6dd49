"""The proof that the sides of a split do not know each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from napari_fada.exchange.near import BITS, NEAR, near_pairs, nearest
from napari_fada.exchange.splits import Member, Move, SplitPlan

SCHEMA = "fada-split-audit/1"

LeakKind = Literal["group", "identical image", "near-identical image"]


@dataclass(frozen=True, slots=True)
class Leak:
    """Two frames on different sides that should not be, and why not.

    ``distance`` is in bits of the perceptual hash, None for a group.
    """

    kind: LeakKind
    a: str
    b: str
    sides: tuple[str, str]
    distance: int | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """What was looked at and what was found.

    ``reached`` are the shares of frames that the sides have, ``counts`` the frames by side, view
    and class, ``nearest`` the two closest images of different sides.
    """

    leaks: tuple[Leak, ...]
    wanted: Mapping[str, float]
    reached: Mapping[str, float]
    counts: Mapping[str, Mapping[str, Mapping[str, int]]]
    groups: Mapping[str, int]
    compared: int
    nearest: tuple[str, str, int] | None = None
    moved: tuple[Move, ...] = field(default=())

    @property
    def clean(self) -> bool:
        """Whether nothing stands on two sides."""
        return not self.leaks

    def told(self) -> str:
        """Return the leaks in words: how many of each kind, and the first one."""
        if not self.leaks:
            return "nothing stands on two sides"
        kinds = Counter(leak.kind for leak in self.leaks)
        first = self.leaks[0]
        counted = ", ".join(f"{n} × {kind}" for kind, n in kinds.items())
        return (
            f"{counted} on two sides ({first.a} on {first.sides[0]}, {first.b} on {first.sides[1]})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "schema": SCHEMA,
            "clean": self.clean,
            "leaks": [
                {
                    "kind": leak.kind,
                    "frames": [leak.a, leak.b],
                    "sides": list(leak.sides),
                    "distance_bits": leak.distance,
                }
                for leak in self.leaks
            ],
            "moved": [
                {
                    "group": m.group,
                    "to_the_side_of": m.to,
                    "side": m.side,
                    "frames": list(m.frames),
                    "distance_bits": m.distance,
                    "identical": m.identical,
                }
                for m in self.moved
            ],
            "shares_wanted": dict(self.wanted),
            "shares_reached": dict(self.reached),
            "groups": dict(self.groups),
            "counts": {k: {n: dict(v) for n, v in c.items()} for k, c in self.counts.items()},
            "method": {
                "hash": f"perceptual hash (DCT) of {BITS} bits",
                "near_identical_bits": NEAR,
                "frames_compared": self.compared,
                "nearest_on_two_sides": None
                if self.nearest is None
                else {"frames": list(self.nearest[:2]), "distance_bits": self.nearest[2]},
            },
        }


def audit(
    members: Sequence[Member],
    sides: Mapping[str, str],
    plan: SplitPlan,
    moved: Sequence[Move] = (),
) -> Audit:
    """Look for groups, identical and nearly identical images on two sides.

    It takes nothing of how the sides were made on trust, so it can be asked about any split.

    Parameters
    ----------
    members : sequence of Member
        All frames.
    sides : mapping of key to side
        Where they are.
    plan : SplitPlan
        What was wanted.
    moved : sequence of Move
        For the record.
    """
    order = sorted(members, key=lambda m: m.key)
    leaks = [*_told_twice(order, sides, "group"), *_told_twice(order, sides, "identical image")]
    names = sorted(set(sides.values()))
    number = [names.index(sides[m.key]) for m in order]
    hashes = [m.phash for m in order]
    seen = {frozenset((x.a, x.b)) for x in leaks}
    # Pairs are looked for between groups and not between sides, so that each is named.
    groups = sorted({m.group for m in order})
    places = {name: i for i, name in enumerate(groups)}
    for pair in near_pairs(
        hashes, [places[m.group] * len(names) + n for m, n in zip(order, number, strict=True)]
    ):
        a, b = order[pair.a], order[pair.b]
        if sides[a.key] != sides[b.key] and frozenset((a.key, b.key)) not in seen:
            leaks.append(
                Leak(
                    *("near-identical image", a.key, b.key, (sides[a.key], sides[b.key])),
                    pair.distance,
                )
            )
    closest = nearest(hashes, number)
    total = len(order) or 1
    frames = Counter(sides[m.key] for m in order)
    return Audit(
        tuple(leaks),
        dict(plan.shares),
        {side: frames[side] / total for side in plan.shares},
        _counts(order, sides),
        Counter({s: len({m.group for m in order if sides[m.key] == s}) for s in plan.shares}),
        sum(h is not None for h in hashes),
        (order[closest.a].key, order[closest.b].key, closest.distance) if closest else None,
        tuple(moved),
    )


def _told_twice(
    order: Sequence[Member], sides: Mapping[str, str], kind: Literal["group", "identical image"]
) -> list[Leak]:
    first: dict[str, dict[str, Member]] = {}
    for m in order:
        name = m.group if kind == "group" else m.sha256
        first.setdefault(name, {}).setdefault(sides[m.key], m)
    found = []
    for there in first.values():
        (side, one), *others = there.items()
        found += [
            Leak(kind, one.key, m.key, (side, other), None if kind == "group" else 0)
            for other, m in others
        ]
    return found


def _counts(
    order: Sequence[Member], sides: Mapping[str, str]
) -> dict[str, dict[str, dict[str, int]]]:
    found: dict[str, dict[str, Counter[str]]] = {}
    for m in order:
        side = found.setdefault(sides[m.key], {"by_view": Counter(), "by_class": Counter()})
        side["by_view"][m.view or "not stated"] += 1
        side["by_class"].update(m.classes)
    return {
        side: {kind: dict(sorted(c.items())) for kind, c in kinds.items()}
        for side, kinds in sorted(found.items())
    }
