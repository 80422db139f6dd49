"""A structure followed from one frame to the next by optical flow, or not followed any further.

Flow is worked out both ways on frames made small. A structure moves by the affine motion that
most of its textured pixels agree on; corners of outlines may leave that motion by what the flow
around them says. It is lost, with a reason, where forward and backward flow disagree, where it
changes its size by leaps, leaves the picture, or looks unlike what it was at the beginning: drift
adds up, and a wrong outline costs more time than none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fada.records import geometry
from napari_fada.records.annotation import Annotation, Ring

Array = npt.NDArray[Any]

SIDE = 320
"""Longest side in pixels of the frames that flow is worked out on."""

AGREED = 0.5
"""Share of a structure's texture for which flow must be the same forward and backward."""

LEAP = 1.25
"""Factor by which a structure may grow or shrink along any direction from frame to frame."""

ALIKE = 0.5
"""Least correlation of a structure with itself on the frame it was followed from."""

_TOLERANCE, _RELATIVE = 0.4, 0.05  # pixels of the small frame, and share of the motion
_MARGIN = 3  # pixels around a structure that count as its own: its edge is where the texture is
_MOST = 3000
_FEW = 60


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame made small: grey values in 0-1, and small pixels for each original one (x, y)."""

    grey: Array
    scale: Array
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Motion:
    """Flow from one picture to the next.

    ``flow`` is (row, column) for each pixel of the small picture, ``error`` how far one is off
    after going there and back, ``texture`` in 0-1 how much there is to hold on to.
    """

    flow: Array
    error: Array
    texture: Array
    scale: Array
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Track:
    """A structure on the way: where it is, and what it looked like at the beginning."""

    annotation: Annotation
    places: Array
    looks: Array


@dataclass(frozen=True, slots=True)
class Lost:
    """Why a structure is not followed any further."""

    reason: str


def look(frame: npt.NDArray[np.uint8]) -> Picture:
    """Make a frame small and grey.

    Parameters
    ----------
    frame : uint8 array, (H, W) or (H, W, 3)
        As ``Scan.frame`` gives it.
    """
    from skimage.transform import resize_local_mean

    grey = frame.mean(axis=-1) if frame.ndim == 3 else frame
    height, width = grey.shape
    share = min(1.0, SIDE / max(height, width))
    shape = (max(8, round(height * share)), max(8, round(width * share)))
    small = resize_local_mean(grey.astype(np.float32), shape) / 255
    scale = np.array([shape[1] / width, shape[0] / height])
    return Picture(small.astype(np.float32), scale, (width, height))


def motion(before: Picture, after: Picture) -> Motion:
    """Work out the flow between two pictures, there and back (about half a second)."""
    from scipy.ndimage import gaussian_gradient_magnitude, map_coordinates
    from skimage.registration import optical_flow_ilk

    def flow(a: Array, b: Array) -> Array:
        found: Array = optical_flow_ilk(a, b, radius=7, num_warp=5, gaussian=True)
        return found

    there, back = flow(before.grey, after.grey), flow(after.grey, before.grey)
    height, width = before.grey.shape
    at = np.mgrid[:height, :width] + there
    returned = [map_coordinates(back[k], at, order=1, mode="nearest") for k in (0, 1)]
    error = np.hypot(there[0] + returned[0], there[1] + returned[1])
    error[(at[0] < 0) | (at[0] > height - 1) | (at[1] < 0) | (at[1] > width - 1)] = np.inf
    slope = gaussian_gradient_magnitude(before.grey, 1.5)
    return Motion(there, error, slope / (slope + 0.02), before.scale, before.size)


def begin(annotation: Annotation, picture: Picture) -> Track:
    """Take up a structure on the frame where it is known."""
    rows, columns = _pixels_of(annotation, picture.grey.shape, picture.scale)
    places = (np.column_stack([columns, rows]) + 0.5) / picture.scale
    return Track(annotation, places, picture.grey[rows, columns])


def step(track: Track, moved: Motion, after: Picture) -> Track | Lost:
    """Follow a structure to the next frame.

    Parameters
    ----------
    track : Track
        Where it is now.
    moved : Motion
        From that frame to the next.
    after : Picture
        The next frame.

    Returns
    -------
    Track or Lost
        The annotation with other points and the same other fields; or why not.
    """
    old = track.annotation
    rows, columns = _pixels_of(old, moved.error.shape, moved.scale)
    if not len(rows):
        return Lost("it lies outside the picture")
    vectors = moved.flow[::-1, rows, columns].T  # x, y
    texture = moved.texture[rows, columns]
    within = _TOLERANCE + _RELATIVE * np.hypot(*vectors.T)
    good = moved.error[rows, columns] < within
    if texture.sum() < 3:
        return Lost("there is nothing in it that flow could hold on to")
    agreed = float(texture[good].sum() / texture.sum())
    if agreed < AGREED:
        return Lost(f"forward and backward flow agree on only {agreed:.0%} of it")
    at = np.column_stack([columns, rows]).astype(float)
    affine = _fit(at[good], vectors[good], texture[good])
    stretch = np.linalg.svd(affine.linear, compute_uv=False)
    if stretch.max() > LEAP or stretch.min() < 1 / LEAP:
        return Lost("it changes its size by leaps")

    def placed(points: Any, *, local: bool) -> Array:
        small = np.array(points, float).reshape(-1, 2) * moved.scale - 0.5
        there = affine(small)
        if local:
            rest = vectors[good] - (affine(at[good]) - at[good])
            there = there + _around(small, at[good], rest, texture[good])
        big: Array = (there + 0.5) / moved.scale
        return big

    found = _moved(old, placed, affine)
    places = placed(track.places, local=False)
    if not _is_inside(found, moved.size):
        return Lost("it leaves the picture")
    if (alike := _alike(track.looks, places, after)) < ALIKE:
        return Lost(f"it no longer looks as it did (correlation {alike:.2f})")
    return Track(_clipped(found, moved.size), places, track.looks)


@dataclass(frozen=True, slots=True)
class _Affine:
    """Where a point of the small picture goes: linear about a centre, and a shift."""

    centre: Array
    linear: Array
    shift: Array

    def __call__(self, points: Array) -> Array:
        there: Array = (points - self.centre) @ self.linear.T + self.centre + self.shift
        return there


def _fit(at: Array, vectors: Array, weight: Array) -> _Affine:
    """Fit an affine motion to flow, so that what does not go along counts little."""
    centre = at.mean(axis=0)
    shift = np.median(vectors, axis=0)
    if len(at) < _FEW:
        return _Affine(centre, np.eye(2), shift)
    terms = np.column_stack([at - centre, np.ones(len(at))])
    solved = np.vstack([np.zeros((2, 2)), shift])
    for _ in range(6):
        apart = np.hypot(*(vectors - terms @ solved).T)
        w = weight / (1 + (apart / 0.5) ** 2)
        held = terms * w[:, None]
        # A little stiffness: a structure with texture in one corner only is not bent by it.
        stiff = np.diag([0.01 * w.sum(), 0.01 * w.sum(), 0.0])
        solved = np.linalg.solve(terms.T @ held + stiff, held.T @ vectors)
    return _Affine(centre, np.eye(2) + solved[:2].T, solved[2])


def _around(points: Array, at: Array, rest: Array, weight: Array) -> Array:
    """Return what the flow around each point adds to the common motion."""
    size = float(np.ptp(at, axis=0).max())
    reach = min(max(0.12 * size, 3.0), 10.0)
    # Flow that is far from the common motion is more likely wrong than the structure bent.
    trusted = weight / (1 + (np.hypot(*rest.T) / 1.5) ** 4)
    near = np.exp(-((points[:, None] - at[None]) ** 2).sum(axis=2) / (2 * reach**2)) * trusted
    added: Array = near @ rest / (near.sum(axis=1) + 2.0)[:, None]
    return added


def _pixels_of(a: Annotation, shape: Any, scale: Array) -> tuple[Array, Array]:
    """Return the pixels of the small picture that belong to a structure and its edge."""
    from scipy.ndimage import binary_dilation

    def small(ring: Ring) -> Ring:
        return tuple((x * float(scale[0]), y * float(scale[1])) for x, y in ring)

    shrunk = replace(a, points=small(a.points), rings=tuple(map(small, a.rings)))
    mask = geometry.rasterise(shrunk, (int(shape[0]), int(shape[1])))
    grow = 2 * _MARGIN if a.kind == "keypoints" else _MARGIN
    rows, columns = np.nonzero(binary_dilation(mask, iterations=grow) if mask.any() else mask)
    every = -(-len(rows) // _MOST) or 1
    return rows[::every], columns[::every]


def _moved(old: Annotation, placed: Any, affine: _Affine) -> Annotation:
    if old.kind == "box":
        # Corners that turn would make an upright box larger with every frame.
        first, second = np.array(geometry.ordered_box(old.points))
        (centre,) = placed([(first + second) / 2], local=False)
        half = (second - first) / 2 * np.abs(np.diag(affine.linear))
        return replace(old, points=_ring(np.array([centre - half, centre + half])))
    rings = tuple(_ring(placed(ring, local=True)) for ring in old.rings)
    return replace(old, points=_ring(placed(old.points, local=True)), rings=rings)


def _is_inside(a: Annotation, size: tuple[int, int]) -> bool:
    """Tell whether at least half of the box around a structure lies in the picture."""
    (x1, y1), (x2, y2) = geometry.bounds(a)
    wide = min(x2, size[0]) - max(x1, 0.0)
    high = min(y2, size[1]) - max(y1, 0.0)
    return min(wide, high) > 0 and wide * high >= (x2 - x1) * (y2 - y1) / 2


def _clipped(a: Annotation, size: tuple[int, int]) -> Annotation:
    def within(ring: Ring) -> Ring:
        return tuple(
            (min(max(x, 0.0), float(size[0])), min(max(y, 0.0), float(size[1]))) for x, y in ring
        )

    return replace(a, points=within(a.points), rings=tuple(map(within, a.rings)))


def _alike(looks: Array, places: Array, picture: Picture) -> float:
    """Return the correlation of what a structure looked like with what lies there now."""
    from scipy.ndimage import map_coordinates

    at = (places * picture.scale - 0.5).T[::-1]
    now = map_coordinates(picture.grey, at, order=1, mode="nearest")
    if looks.std() < 1e-3 or now.std() < 1e-3:
        return 0.0
    return float(np.corrcoef(looks, now)[0, 1])


def _ring(points: Array) -> Ring:
    return tuple((float(x), float(y)) for x, y in points)
