"""Depth ticks: the comb of short lines along an edge of the image that a machine draws as a ruler.

What is found is a spacing in pixels. How many millimetres lie between two ticks is not written in
the picture; a length is proposed by the pattern of longer ticks and must be confirmed by a person
before anything is measured with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import grey_closing, grey_opening, uniform_filter1d
from scipy.signal import find_peaks

from napari_fada.errors import MeasureError
from napari_fada.measure.calibration import Scale
from napari_fada.records.annotation import Point

Edge = Literal["left", "right", "bottom", "top"]
EDGES: tuple[Edge, ...] = ("left", "right", "bottom", "top")

#: Lengths between two ticks that machines draw, in mm.
LENGTHS_MM = (10.0, 5.0, 1.0, 2.0, 20.0, 50.0)
#: Depths that fetal scans have, in mm.
DEPTHS_MM = (30.0, 300.0)

#: Share of the image, from an edge, in which a comb is looked for.
_STRIP = 0.15
#: Ticks are thinner than this, in px.
_THIN = 7
#: Grey levels that a tick stands out by.
_STANDS_OUT = 14.0
_LEAST_TICKS, _FAINT_TICKS = 5, 6
#: Shares: of the comb's places that hold a tick, of the peaks of the column that belong to it.
_FILLED, _EXPLAINED = 0.85, 0.75
#: Pixels between a tick and its place.
_OFF, _RMS = 1.3, 0.5
#: The same as a share of the distance of two ticks, for faint and for strong ones: what speckle
#: makes is irregular (0.02 and more) and faint; ticks that were drawn have 0.013 and less.
_RMS_SHARE, _RMS_SHARE_STRONG = 0.018, 0.05
_FAINT, _STRONG = 20.0, 60.0
#: Share of the edge that the comb covers.
_SPAN = 0.25
_LEAST_PERIOD = 4.0


@dataclass(frozen=True, slots=True)
class Comb:
    """Ticks at one distance along an edge.

    Parameters
    ----------
    edge : {"left", "right", "bottom", "top"}
        Left and right give the height of a pixel, bottom and top its width.
    spacing : float
        Pixels from tick to tick.
    places : tuple of float
        Of the ticks along the edge, in px (corner convention).
    across : float
        Where they are, across the edge, in px.
    every : tuple of int
        Which ticks are longer: ``(2, 10)`` if each second one is and each tenth is longer still.
    size : (int, int)
        Width and height of the image.
    rms : float
        Root mean square of the distance of a tick to its place, in px.
    """

    edge: Edge
    spacing: float
    places: tuple[float, ...]
    across: float
    every: tuple[int, ...]
    size: tuple[int, int]
    rms: float

    @property
    def vertical(self) -> bool:
        """Whether the ticks are counted downwards."""
        return self.edge in ("left", "right")

    @property
    def points(self) -> tuple[Point, ...]:
        """The ticks in the image, (x, y)."""
        if self.vertical:
            return tuple((self.across, p) for p in self.places)
        return tuple((p, self.across) for p in self.places)


def find_ticks(image: NDArray[np.generic]) -> tuple[Comb, ...]:
    """Find the depth ticks along the edges of an image, the most ticks first.

    Parameters
    ----------
    image : ndarray, shape (height, width) or (height, width, 3)
        One frame.

    Returns
    -------
    tuple of Comb
        At most one for each edge; empty where there are none.
    """
    grey = np.asarray(image, float)
    if grey.ndim == 3:
        grey = grey[..., :3].mean(axis=2)
    if min(grey.shape) < 4 * _THIN:
        return ()
    if grey.max() > 255:  # more than eight bits
        grey = grey * (255 / grey.max())
    found = [comb for edge in EDGES if (comb := _comb(grey, edge)) is not None]
    return tuple(sorted(found, key=lambda c: -len(c.places)))


def proposed_length(comb: Comb) -> float:
    """Return the length in mm that one tick probably stands for.

    Machines draw 5 mm with each second tick longer (1 cm), or 10 mm with each fifth or tenth
    longer. Taken is the first that gives a scan of a depth that fetal scans have. It is a
    proposal: the picture does not say it.
    """
    fives = 2 in comb.every
    usual = (5.0, 10.0) if fives else (10.0, 5.0)
    for length in (*usual, *LENGTHS_MM):
        if DEPTHS_MM[0] <= comb.size[1] * length / comb.spacing <= DEPTHS_MM[1]:
            return length
    return usual[0]


def scale_from_ticks(told: Iterable[tuple[Comb, float]], *, proposed: bool = False) -> Scale:
    """Return the scale from ticks and the length between two of them.

    Parameters
    ----------
    told : iterable of (Comb, float)
        Combs with the mm from tick to tick. Those at the left or right give the height of a
        pixel, those at the bottom or top its width; where one is not given pixels are square.
    proposed : bool
        True as long as no person has confirmed the lengths.

    Raises
    ------
    MeasureError
        If nothing is given, a length is none, or the outcome is no size of a pixel.
    """
    sizes: dict[bool, float] = {}
    words = []
    for comb, length in told:
        if not (math.isfinite(length) and length > 0):
            raise MeasureError(f"{length} mm is no length.", todo="Type a length in millimetres.")
        sizes.setdefault(comb.vertical, length / comb.spacing)
        words.append(
            f"{len(comb.places)} ticks {comb.spacing:.2f} px apart at the {comb.edge} edge, "
            f"taken as {length:g} mm each"
        )
    if not sizes:
        raise MeasureError("No ticks are chosen.", todo="Choose those of one edge at least.")
    if len(sizes) == 1:
        words.append("square pixels")
    first = next(iter(sizes.values()))
    y, x = sizes.get(True, first), sizes.get(False, first)
    return Scale(y, x, "depth-ticks", "; ".join(words), proposed=proposed)


def _comb(grey: NDArray[np.float64], edge: Edge) -> Comb | None:
    """Find the comb of one edge: the column of its strip that holds most ticks."""
    upright = grey if edge in ("left", "right") else grey.T
    width = upright.shape[1]
    strip = max(_THIN, round(_STRIP * width))
    first = 0 if edge in ("left", "top") else width - strip
    part = upright[:, first : first + strip]
    best: tuple[tuple[int, float], int, _Fit, NDArray[np.float64]] | None = None
    # Ticks are brighter than what is round them, or darker on a light rim.
    for sign in (
        part - grey_opening(part, size=(_THIN, 1)),
        grey_closing(part, size=(_THIN, 1)) - part,
    ):
        profiles = uniform_filter1d(sign, 3, axis=1)
        for column in range(1, strip - 1):
            fit = _fit(profiles[:, column])
            if fit is None:
                continue
            worth = (len(fit.places), fit.strength)
            if best is None or worth > best[0]:
                best = worth, column, fit, sign
    if best is None:
        return None
    _, column, fit, sign = best
    lengths = [_length(sign, place, column) for place in fit.places]
    size = (grey.shape[1], grey.shape[0])
    return Comb(
        edge,
        fit.spacing,
        tuple(p + 0.5 for p in fit.places),
        first + column + 0.5,
        _pattern(fit.steps, lengths),
        size,
        fit.rms,
    )


@dataclass(frozen=True, slots=True)
class _Fit:
    spacing: float
    places: tuple[float, ...]
    steps: tuple[int, ...]
    rms: float
    strength: float


def _fit(profile: NDArray[np.float64]) -> _Fit | None:
    """Fit a comb to the peaks of one column; None if they are not regular enough."""
    peaks, _ = find_peaks(profile, height=_STANDS_OUT, distance=3)
    if not _LEAST_TICKS <= len(peaks) <= len(profile) / _LEAST_PERIOD:
        return None
    y = np.array([_centre(profile, p) for p in peaks])
    gaps = np.diff(y)
    best: _Fit | None = None
    tried: set[float] = set()
    for period in np.unique(np.round(gaps[gaps >= _LEAST_PERIOD], 1)):
        if len(profile) / period < _LEAST_TICKS:
            continue
        # The gap that most others agree with, within a tenth, is a period worth trying.
        near = gaps[np.abs(gaps - period) <= max(1.5, 0.03 * period)]
        if len(near) < (_LEAST_TICKS - 1) / 2:
            continue
        if (about := float(near.mean())) in tried:
            continue
        tried.add(about)
        fit = _regress(y, about, profile)
        if fit is not None and (best is None or len(fit.places) > len(best.places)):
            best = fit
    return best


def _regress(y: NDArray[np.float64], period: float, profile: NDArray[np.float64]) -> _Fit | None:
    """Take the peaks that lie on a comb of about a period, and measure it."""
    # Start at the peak from which most others are whole steps away.
    off = (y[:, None] - y[None, :]) / period
    counts = (np.abs(off - np.round(off)) * period <= 2 * _OFF).sum(axis=0)
    start = y[int(np.argmax(counts))]
    steps = np.round((y - start) / period)
    on = np.abs(y - start - steps * period) <= 2 * _OFF
    for _ in range(3):
        if on.sum() < _LEAST_TICKS:
            return None
        slope, origin = _straight(steps[on], y[on])
        if slope < _LEAST_PERIOD:
            return None
        before = steps, on
        steps = np.round((y - origin) / slope)
        on = np.abs(y - origin - steps * slope) <= _OFF
        if (on == before[1]).all() and (steps[on] == before[0][on]).all():
            break  # the line stays as it is
    if len(set(steps[on])) < max(_LEAST_TICKS, on.sum()):
        return None
    slope, origin, rms = _line(steps[on], y[on])
    if on.sum() > _LEAST_TICKS:
        # A mark that happens to lie near the comb must not bend it.
        worst = np.flatnonzero(on)[int(np.abs(y[on] - origin - steps[on] * slope).argmax())]
        without = on.copy()
        without[worst] = False
        line = _line(steps[without], y[without])
        if line[2] < 0.5 * rms:
            on, (slope, origin, rms) = without, line
    taken = steps[on]
    low, high = taken.min(), taken.max()
    inside = (y >= y[on].min()) & (y <= y[on].max())
    if (
        rms > _RMS
        or len(taken) < _FILLED * (high - low + 1)
        or on.sum() < _EXPLAINED * inside.sum()
        or (high - low) * slope < _SPAN * len(profile)
    ):
        return None
    strength = float(np.median(profile[np.round(y[on]).astype(int)]))
    share = _RMS_SHARE_STRONG if strength >= _STRONG else _RMS_SHARE
    few = strength < _STRONG and len(taken) < _FAINT_TICKS
    if few or strength < _FAINT or rms > share * slope:
        return None
    return _Fit(
        float(slope),
        tuple(float(v) for v in y[on]),
        tuple(int(s - low) for s in taken),
        rms,
        strength,
    )


def _line(steps: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return slope, origin and root mean square of the rest of a line through ticks."""
    slope, origin = _straight(steps, y)
    rest = y - origin - steps * slope
    return slope, origin, math.sqrt(float(rest @ rest) / len(rest))


def _straight(steps: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Return slope and origin by least squares; there are thousands of these to a scan."""
    middle, height = float(steps.sum()) / len(steps), float(y.sum()) / len(y)
    off = steps - middle
    spread = float(off @ off)
    slope = float(off @ (y - height)) / spread if spread else 0.0
    return slope, height - slope * middle


def _centre(profile: NDArray[np.float64], peak: int) -> float:
    """Return the centre of gravity of a peak, in pixels."""
    low, high = max(0, peak - 2), min(len(profile), peak + 3)
    part = profile[low:high]
    part = np.where(part > 0.3 * profile[peak], part, 0.0)
    return float((part * np.arange(low, high)).sum() / part.sum())


def _length(sign: NDArray[np.float64], place: float, column: int) -> float:
    """Return how many columns a tick goes on for, both ways; one that is half as bright is half."""
    y = round(place)
    row = sign[max(0, y - 1) : y + 2].max(axis=0)
    column += int(row[column - 1 : column + 2].argmax()) - 1  # a profile is three columns wide
    on = row > 0.25 * row[column]
    left = right = column
    while left > 0 and on[left - 1]:
        left -= 1
    while right < len(on) - 1 and on[right + 1]:
        right += 1
    return float(row[left : right + 1].sum() / max(row[column], 1e-9))


def _pattern(steps: tuple[int, ...], lengths: list[float]) -> tuple[int, ...]:
    """Tell which ticks are longer: each second, fifth or tenth."""
    usual = float(np.median(lengths))
    found = []
    for every in (2, 5, 10):
        for phase in range(every):
            on = [n for s, n in zip(steps, lengths, strict=True) if s % every == phase]
            rest = [n for s, n in zip(steps, lengths, strict=True) if s % every != phase]
            if len(on) < 2 or not rest:
                continue
            # The lower quarter: tissue may hide a part of some.
            low, other = np.quantile(on, 0.25, method="lower"), np.median(rest)
            if low > other + max(0.8, 0.25 * usual):
                found.append(every)
                break
    return tuple(found)
