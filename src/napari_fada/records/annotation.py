"""One annotated structure: what it is, where it is, who said so.

Records are the truth of the product; napari layers and files are projections of them.
Coordinates are original-image pixels, x then y, corner convention: pixel i covers [i, i+1].
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Point = tuple[float, float]
Ring = tuple[Point, ...]
Kind = Literal["box", "polygon", "keypoints"]
Status = Literal["proposed", "accepted", "corrected", "rejected"]
Source = Literal["model", "expert", "import", "copy", "interpolation", "flow"]

#: Sources of what was made from another frame's structures: neither the model's nor the
#: expert's word, until an expert judges it.
DERIVED = frozenset({"copy", "interpolation", "flow"})


def new_uid() -> str:
    """Return a fresh identifier for a record (32 hexadecimal digits)."""
    return uuid.uuid4().hex


def now() -> str:
    """Return the present moment as ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class Annotation:
    """A structure on one frame. Immutable: a change is a new record that replaces it.

    Parameters
    ----------
    category : str
        Class name from the vocabulary (case matters). Written as ``class`` in JSON.
    kind : {"box", "polygon", "keypoints"}
        A box has two points, (x1, y1) the upper left and (x2, y2) the lower right corner.
        A polygon has at least three vertices and no repeated closing vertex.
    points : tuple of (x, y)
        Original-image pixels, corner convention.
    rings : tuple of rings
        Further rings of a polygon: holes and separate parts, by the even-odd rule.
    visibility : tuple of int
        One value for each keypoint: 0 absent, 1 hidden, 2 visible. Empty for other kinds.
    score : float or None
        Confidence of the model in 0-1; None for what a person drew.
    source : {"model", "expert", "import", "copy", "interpolation", "flow"}
        Who said so first; the last three are made from another frame's structures.
    parent : str or None
        uid of the record that this one corrects.
    status : {"proposed", "accepted", "corrected", "rejected"}
        State of review.
    rater : str
        Name of the person who made or last judged it; empty for an unseen proposal.
    track : str
        Which structure it is, over the frames of a clip and through corrections: the uid of the
        first record of that structure. Empty where it is the first itself.
    """

    category: str
    kind: Kind
    points: Ring
    uid: str = field(default_factory=new_uid)
    rings: tuple[Ring, ...] = ()
    visibility: tuple[int, ...] = ()
    score: float | None = None
    source: Source = "model"
    parent: str | None = None
    status: Status = "proposed"
    rater: str = ""
    created: str = field(default_factory=now)
    track: str = ""

    @property
    def identity(self) -> str:
        """Which structure it is: the same for all records of it, on all frames."""
        return self.track or self.uid

    @property
    def seen(self) -> tuple[int, ...]:
        """The visibility of each point: 2, visible, where nothing is said."""
        return self.visibility or (2,) * len(self.points)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form (schema ``fada-reading/1``, member of ``annotations``)."""
        out: dict[str, Any] = {
            "uid": self.uid,
            "class": self.category,
            "kind": self.kind,
            "points": [list(p) for p in self.points],
            "score": self.score,
            "source": self.source,
            "parent": self.parent,
            "status": self.status,
            "rater": self.rater,
            "created": self.created,
        }
        if self.rings:
            out["rings"] = [[list(p) for p in ring] for ring in self.rings]
        if self.visibility:
            out["visibility"] = list(self.visibility)
        if self.track:
            out["track"] = self.track
        return out

    @classmethod
    def from_dict(cls, data: MappingABC[str, Any]) -> Annotation:
        """Rebuild a record from its JSON form.

        Raises
        ------
        KeyError
            If ``class``, ``kind`` or ``points`` is missing.
        """
        known = {k: data[k] for k in ("uid", "created") if data.get(k)}
        return cls(
            category=data["class"],
            kind=data["kind"],
            points=_ring(data["points"]),
            rings=tuple(_ring(r) for r in data.get("rings", ())),
            visibility=tuple(int(v) for v in data.get("visibility", ())),
            score=data.get("score"),
            source=data.get("source", "import"),
            parent=data.get("parent"),
            status=data.get("status", "proposed"),
            rater=data.get("rater", ""),
            track=str(data.get("track") or ""),
            **known,
        )


def _ring(points: Any) -> Ring:
    return tuple((float(x), float(y)) for x, y in points)
