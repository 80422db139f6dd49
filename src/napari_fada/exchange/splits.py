"""Which frames are for training, for validation and for testing.

Groups (examinations, patients, clips or folders) are put on sides, never frames. Groups that
show identical or nearly identical images are put on one side together. The sides are alike in
views and classes as far as whole groups allow.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from napari_fada.errors import ExchangeError
from napari_fada.exchange.near import near_pairs

Grouping = Literal["examination", "patient", "clip", "folder"]


@dataclass(frozen=True, slots=True)
class Member:
    """A frame that is to be put on a side.

    Parameters
    ----------
    key : str
        Tells it from all others.
    group : str
        What must stay together.
    sha256 : str
        Of its pixels: equal for identical images.
    view : str
        Empty if it is not known.
    classes : frozenset of str
        What stands on it.
    phash : int or None
        Perceptual hash; None: not compared.
    """

    key: str
    group: str
    sha256: str
    view: str = ""
    classes: frozenset[str] = frozenset()
    phash: int | None = None


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How to split.

    Parameters
    ----------
    by : str
        What a group is; for the record.
    shares : mapping of side to share
        They sum to 1; a share may be 0.
    seed : int
        Another one gives other sides.

    Raises
    ------
    ExchangeError
        If the shares are no shares.
    """

    by: Grouping
    shares: Mapping[str, float]
    seed: int = 0

    def __post_init__(self) -> None:
        values = list(self.shares.values())
        if not values or min(values) < 0 or abs(sum(values) - 1) > 1e-6:
            raise ExchangeError(
                f"The shares {dict(self.shares)} do not sum to 1.",
                todo="Say for instance 0.8, 0.2.",
            )


@dataclass(frozen=True, slots=True)
class Move:
    """A group that goes where another one goes, because they show the same.

    ``distance`` is in bits of the perceptual hash; 0 with ``identical`` for equal pixels.
    """

    group: str
    to: str
    side: str
    frames: tuple[str, str]
    distance: int
    identical: bool


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which side each frame and each group is on, and what was moved for it."""

    sides: dict[str, str]
    groups: dict[str, str]
    moved: tuple[Move, ...] = ()


def assign(
    members: Sequence[Member], plan: SplitPlan, earlier: Mapping[str, str] | None = None
) -> Assignment:
    """Put every frame on a side.

    The result depends on neither the order of the frames nor their number of repetitions.
    Whole components (groups joined by what they show) are taken largest first; each goes to the
    side that is short of frames and whose views and classes it brings closest to its share. So
    no side gets more than its share and one component.

    Parameters
    ----------
    members : sequence of Member
        The frames.
    plan : SplitPlan
        Shares and seed.
    earlier : mapping of group to side
        Groups that were put on a side before. They stay there whatever is added, and what
        shows the same goes to them.
    """
    members = sorted(members, key=lambda m: m.key)
    earlier = {g: s for g, s in (earlier or {}).items() if plan.shares.get(s, 0) > 0}
    names = sorted({m.group for m in members})
    number = {name: i for i, name in enumerate(names)}
    links = _links(members, [number[m.group] for m in members])
    parts, moved = _components(names, links, earlier, members, plan)
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    for m in members:
        labels[m.group].update(_labels(m))
    side_of = _fill(parts, labels, plan, earlier)
    found = tuple(
        Move(m.group, m.to, side_of[m.group], m.frames, m.distance, m.identical) for m in moved
    )
    return Assignment({m.key: side_of[m.group] for m in members}, side_of, found)


@dataclass(frozen=True, slots=True)
class _Link:
    """Two frames of different groups that show the same."""

    a: Member
    b: Member
    distance: int
    identical: bool


def _links(members: Sequence[Member], groups: Sequence[int]) -> list[_Link]:
    links: list[_Link] = []
    first: dict[str, Member] = {}
    for m in members:
        twin = first.setdefault(m.sha256, m)
        if twin.group != m.group:
            links.append(_Link(twin, m, 0, True))
    hashes = [m.phash for m in members]
    links += [
        _Link(members[p.a], members[p.b], p.distance, False) for p in near_pairs(hashes, groups)
    ]
    return sorted(links, key=lambda x: (x.distance, not x.identical, x.a.key, x.b.key))


def _components(
    names: Sequence[str],
    links: Iterable[_Link],
    earlier: Mapping[str, str],
    members: Sequence[Member],
    plan: SplitPlan,
) -> tuple[list[list[str]], list[Move]]:
    """Join groups along links, the closest first; two that have sides already stay apart."""
    home = {name: name for name in names}
    parts = {name: [name] for name in names}
    sides: dict[str, str] = {name: earlier[name] for name in names if name in earlier}
    size = Counter(m.group for m in members)
    moved: list[Move] = []
    for link in links:
        one, two = home[link.a.group], home[link.b.group]
        if one == two:
            continue
        if one in sides and two in sides and sides[one] != sides[two]:
            continue  # a leak that the audit will name
        stays, goes = one, two
        rank = {
            g: (g in sides, sum(size[x] for x in parts[g]), _chance(g, plan)) for g in (one, two)
        }
        if rank[two] > rank[one]:
            stays, goes = two, one
        mover, to = (link.b, link.a) if home[link.b.group] == goes else (link.a, link.b)
        moved.append(
            Move(mover.group, to.group, "", (mover.key, to.key), link.distance, link.identical)
        )
        for name in parts[goes]:
            home[name] = stays
        parts[stays] += parts.pop(goes)
        if goes in sides:
            sides.setdefault(stays, sides[goes])
    return list(parts.values()), moved


def _fill(
    parts: Iterable[list[str]],
    labels: Mapping[str, Counter[str]],
    plan: SplitPlan,
    earlier: Mapping[str, str],
) -> dict[str, str]:
    """Give every component a side."""
    total: Counter[str] = Counter()
    for found in labels.values():
        total.update(found)
    sides = [side for side, share in plan.shares.items() if share > 0]
    placed: dict[str, Counter[str]] = {side: Counter() for side in sides}
    result: dict[str, str] = {}
    waiting: list[tuple[list[str], Counter[str]]] = []

    def place(part: list[str], weight: Counter[str], side: str) -> None:
        placed[side].update(weight)
        result.update(dict.fromkeys(part, side))

    for part in parts:
        weight: Counter[str] = Counter()
        for name in part:
            weight.update(labels[name])
        known = next((earlier[name] for name in part if name in earlier), None)
        if known is not None:
            place(part, weight, known)
        else:
            waiting.append((part, weight))

    def cost(side: str, weight: Counter[str]) -> float:
        """Return how much farther from its shares a side gets by a component."""
        worse = 0.0
        for label, count in weight.items():
            short = plan.shares[side] * total[label] - placed[side][label]
            # The change of the squared miss, in parts of what there is of the label.
            worse += ((short - count) ** 2 - short**2) / total[label] / plan.shares[side]
        return worse

    waiting.sort(key=lambda w: (-w[1][_FRAMES], _chance(min(w[0]), plan)))
    for part, weight in waiting:
        short = [s for s in sides if placed[s][_FRAMES] < plan.shares[s] * total[_FRAMES]]
        place(part, weight, min(short or sides, key=lambda s: (cost(s, weight), sides.index(s))))
    return result


#: Every frame counts under this name, so that sides get their share of frames.
_FRAMES = ""


def _labels(member: Member) -> list[str]:
    return [_FRAMES, f"view {member.view}", *(f"class {name}" for name in sorted(member.classes))]


def _chance(name: str, plan: SplitPlan) -> str:
    return hashlib.sha256(f"{plan.seed}/{name}".encode()).hexdigest()
