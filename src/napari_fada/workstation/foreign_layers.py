"""What was drawn in a layer that is not ours, as annotations: no viewer and no project in sight.

A layer may lie elsewhere than the scan and have other axes: everything goes through the world.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fada.errors import ShapeError
from napari_fada.records import repair
from napari_fada.records.annotation import Annotation, Kind, Ring
from napari_fada.records.strokes import drawn_outline
from napari_fada.workstation import shape_codec as codec
from napari_fada.workstation.coordinates import frame_of, from_layer, to_layer
from napari_fada.workstation.desk import corrected
from napari_fada.workstation.point_codec import VISIBLE, point_names

KINDS = ("Shapes", "Points", "Labels")
"""Types of layers that one can draw in."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing that was drawn: what a layer knows it by, and what it is.

    ``value`` is the label that was painted, ``frame`` the frame of the scan that was shown then,
    ``before`` what had that label already.
    """

    key: Hashable
    frame: int
    index: int = -1
    value: int = 0
    before: npt.NDArray[np.bool_] | None = field(default=None, compare=False)


@dataclass(slots=True)
class Found:
    """Annotations by frame, the pieces that they take the place of, and words on the rest."""

    add: dict[int, list[Annotation]] = field(default_factory=dict)
    replace: dict[int, dict[str, Annotation]] = field(default_factory=dict)
    pieces: list[Piece] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


def keys_of(layer: Any) -> list[Hashable]:
    """Return what tells the shapes or points of a layer from others, in their order."""
    if type(layer).__name__ == "Shapes":
        shapes = zip(layer.shape_type, layer.data, strict=True)
        return [(kind, np.asarray(vertices, np.float32).tobytes()) for kind, vertices in shapes]
    return [row.tobytes() for row in np.asarray(layer.data, np.float32)]


class Reader:
    """Turns pieces of one layer into annotations of a scan.

    Parameters
    ----------
    layer : napari Shapes, Points or Labels layer
        Where they were drawn.
    image : napari Image layer
        The scan.
    frame_shape : (height, width)
        Of a frame.
    name : str
        The class that they get.
    rater : str
        Who drew them.
    known : callable
        Gives the record of a uid and its frame: a copy of our layers may hold changed ones.
    """

    def __init__(
        self,
        layer: Any,
        image: Any,
        frame_shape: tuple[int, int],
        name: str,
        rater: str,
        known: Callable[[str], tuple[int, Annotation] | None],
    ) -> None:
        self._layer, self._image, self._shape = layer, image, frame_shape
        self._name, self._rater, self._known = name, rater, known
        self._moving = image.ndim == 3

    def read(self, pieces: Iterable[Piece]) -> Found:
        """Return what pieces stand for; each that stands for nothing has a word."""
        found = Found()
        read = getattr(self, f"_read_{type(self._layer).__name__.lower()}")
        read(list(pieces), found)
        return found

    def on_scan(self, rows: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return positions of the layer as positions on the image's own axes."""
        layer, image = self._layer, self._image
        rows = np.atleast_2d(np.asarray(rows, float))
        world = np.array([layer.data_to_world(row) for row in rows])
        lacking = image.ndim - world.shape[1]
        if lacking > 0:
            world = np.pad(world, ((0, 0), (lacking, 0)))
        return np.array([image.world_to_data(row[-image.ndim :]) for row in world])

    def frame_at(self, rows: npt.NDArray[np.float64], shown: int) -> int:
        """Return the frame that positions on the image lie on; without one the frame shown."""
        if not self._moving:
            return 0
        if self._layer.ndim < self._image.ndim:
            return shown
        return int(np.clip(frame_of(rows), 0, self._image.data.shape[0] - 1))

    def _inside(self, rows: npt.NDArray[np.float64]) -> Ring:
        return codec.clamp(from_layer(rows), self._shape)

    def _add(self, found: Found, frame: int, kind: Kind, points: Ring, **more: Any) -> None:
        new = Annotation(
            *(self._name, kind, points),
            source="expert",
            status="accepted",
            rater=self._rater,
            **more,
        )
        found.add.setdefault(frame, []).append(new)

    def _read_shapes(self, pieces: list[Piece], found: Found) -> None:
        lines = empty = 0
        for piece in pieces:
            if self._changed(piece, found):
                continue
            kind = str(self._layer.shape_type[piece.index])
            rows = self.on_scan(self._layer.data[piece.index])
            frame = self.frame_at(rows, piece.frame)
            if kind in ("line", "path"):
                lines += 1
                continue
            if kind == "rectangle" and _is_upright(rows):
                box = self._box(rows)
                if codec.is_degenerate_box(box, 0.0):
                    empty += 1
                    continue
                self._add(found, frame, "box", box)
            else:
                ring = codec.clamp(codec.ring_from_shape(rows, kind), self._shape)
                try:
                    shaped = repair.repaired(Annotation(self._name, "polygon", ring))
                except ShapeError:
                    empty += 1
                    continue
                found.words += [shaped.word] * bool(shaped.word)
                outline = shaped.record
                self._add(found, frame, "polygon", outline.points, rings=outline.rings)
            found.pieces.append(piece)
        if lines:
            found.words.append(f"{_count(lines, 'line')} left where it is: it encloses nothing.")
        if empty:
            found.words.append(f"{_count(empty, 'shape')} without an area on the scan left out.")

    def _changed(self, piece: Piece, found: Found) -> bool:
        """Take a changed copy of a structure as its correction; False if it is none."""
        features = self._layer.features
        uid = str(features["uid"].iloc[piece.index]) if "uid" in features else ""
        known = self._known(uid) if uid else None
        if known is None or known[1].kind == "keypoints":
            return False
        frame, record = known
        draft = found.replace.get(frame, {}).get(uid, record)
        rows = self.on_scan(self._layer.data[piece.index])
        if record.kind == "box":
            new = corrected(record, self._rater, points=self._box(rows))
        else:
            ring = codec.clamp(
                codec.ring_from_shape(rows, str(self._layer.shape_type[piece.index])), self._shape
            )
            part = int(features["part"].iloc[piece.index])
            try:
                shaped = repair.change_rings(draft, {part: ring}).record
            except ShapeError as error:
                found.words.append(str(error))
                return True
            new = corrected(record, self._rater, points=shaped.points, rings=shaped.rings)
        found.replace.setdefault(frame, {})[uid] = new
        found.pieces.append(piece)
        return True

    def _box(self, rows: npt.NDArray[np.float64]) -> Ring:
        return codec.clamp(codec.box_from_shape(rows), self._shape)

    def _read_points(self, pieces: list[Piece], found: Found) -> None:
        wanted = len(point_names(self._name))
        if not wanted:
            found.words.append(
                f"{self._name} has no keypoints: choose a class that has, then take them."
            )
            return
        frames: dict[int, list[tuple[Piece, Ring]]] = {}
        for piece in pieces:
            rows = self.on_scan(self._layer.data[piece.index])
            at = self.frame_at(rows, piece.frame)
            frames.setdefault(at, []).append((piece, self._inside(rows)))
        for frame, placed in frames.items():
            if len(placed) != wanted:
                found.words.append(
                    f"{self._name} has {_count(wanted, 'keypoint')}, and {len(placed)} were placed"
                    f"{f' on frame {frame + 1}' if self._moving else ''}: they stay where they are."
                )
                continue
            points = tuple(point for _, ring in placed for point in ring)
            self._add(found, frame, "keypoints", points, visibility=(VISIBLE,) * wanted)
            found.pieces += [piece for piece, _ in placed]

    def _read_labels(self, pieces: list[Piece], found: Found) -> None:
        layer = self._layer
        for piece in pieces:
            plane = np.asarray(layer.data[piece.index] if layer.ndim == 3 else layer.data)
            mask = plane == piece.value
            if piece.before is not None:
                mask &= ~piece.before
            outline, word = drawn_outline(mask, self._name)
            found.words += [word] * bool(word)
            if outline is None:
                continue
            at = piece.index if layer.ndim == 3 else None
            rings = [self.on_scan(to_layer(r, at)) for r in (outline.points, *outline.rings)]
            frame = self.frame_at(rings[0], piece.frame)
            points, *others = (self._inside(rows) for rows in rings)
            if codec.is_degenerate_ring(points):
                continue
            self._add(found, frame, "polygon", points, rings=tuple(others))
            found.pieces.append(piece)


def _is_upright(rows: npt.NDArray[np.float64]) -> bool:
    """Tell whether a rectangle has its sides along rows and columns."""
    sides = np.diff(np.vstack([rows, rows[:1]])[:, -2:], axis=0)
    return bool(np.isclose(sides, 0, atol=1e-3).any(axis=1).all())


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"
