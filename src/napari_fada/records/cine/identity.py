"""Which structure is which over the frames of a clip.

A record that was copied, interpolated, followed or corrected keeps the ``track`` of what it was
made from, so two structures of a class that cross stay what they are. Where nothing is known (both
were drawn anew) they are paired by place, and it is told where that is no more than a guess. An
expert says otherwise with :func:`swapped`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from napari_fada.records.annotation import Annotation
from napari_fada.records.cine.matching import pairs, unsure
from napari_fada.records.structures import NONE, Structure, boxes, structures

Identities = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Unsure:
    """Structures of a class on two frames that were paired by place, which may be wrong."""

    category: str
    first: int
    last: int

    def text(self, key: str) -> str:
        """Return what was assumed, and how to say otherwise."""
        a, b = self.first + 1, self.last + 1
        return (
            f"Nothing says which {self.category} of frame {a} is which on frame {b}: the nearest "
            f"were taken. If they changed places, choose both on frame {b}, swap them ({key}) and "
            "do this again."
        )


def identities(records: Iterable[Annotation], unlinked: Mapping[str, str] = NONE) -> dict[str, str]:
    """Return which structure each record of a frame is, by uid; a box is what its outline is."""
    records = list(records)
    found = {a.uid: a.identity for a in records}
    for outline, box in boxes(records, unlinked).items():
        found[box.uid] = found[outline]
    return found


def doubts(
    first: tuple[int, Sequence[Annotation]],
    last: tuple[int, Sequence[Annotation]],
    same: Identities,
) -> list[Unsure]:
    """Return what is paired by place alone between two frames, though it might be otherwise.

    Parameters
    ----------
    first, last : (int, sequence of Annotation)
        The frames, and what stands there in the order in which it was drawn.
    same : mapping of uid to str
        What is known; see :func:`identities`.
    """
    return [Unsure(name, first[0], last[0]) for name in unsure(first[1], last[1], same)]


def swapped(
    here: Sequence[Annotation],
    chosen: Collection[str],
    key_frames: Iterable[Sequence[Annotation]],
    unlinked: Mapping[str, str] = NONE,
) -> dict[str, Annotation]:
    """Return the records of two structures with each other's identity; empty if it is not two.

    Parameters
    ----------
    here : sequence of Annotation
        What stands on the frame.
    chosen : collection of uid
        Shapes of two structures of one class.
    key_frames : iterable of sequence of Annotation
        Other frames, the nearest first: the two become what they are not taken for on the first
        of these that has two of their class.
    unlinked : mapping of uid to uid
        Boxes that were set apart, each with its outline.
    """
    found = [s for s in structures(here, unlinked) if set(s.uids) & set(chosen)]
    if len(found) != 2 or found[0].category != found[1].category:
        return {}
    heads = [s.records[0] for s in found]
    one, other = (a.identity for a in heads)
    for there in key_frames:
        taken = {a.uid: b.identity for a, b in pairs(heads, there)}
        if len(taken) == 2:
            one, other = (taken[a.uid] for a in heads)
            break
    now = ((found[0], other), (found[1], one))
    return {a.uid: replace(a, track=track) for s, track in now for a in s.records}


def numbers(
    records: Mapping[int, Iterable[Annotation]], here: Iterable[Structure]
) -> dict[str, int]:
    """Return numbers for structures of a frame that has several of a class, by their first uid.

    One that has the same number on another frame is the same structure there.
    """
    heads = [s.records[0] for s in here if not s.rejected]
    names = [(a.category, a.kind) for a in heads]
    found: dict[str, int] = {}
    for key in {name for name in names if names.count(name) > 1}:
        every = (a for frame in sorted(records) for a in records[frame])
        known = dict.fromkeys(a.identity for a in every if (a.category, a.kind) == key)
        rank = {identity: i for i, identity in enumerate(known, start=1)}
        found |= {
            a.uid: rank[a.identity]
            for a in heads
            if (a.category, a.kind) == key and a.identity in rank
        }
    return found
