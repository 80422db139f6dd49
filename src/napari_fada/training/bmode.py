"""A drawing of echo levels, and its development into something that looks like a B-mode scan.

Lengths are in units of the image height, x to the right and y down, so circles stay circles
whatever the aspect. The look is drawn at random: field of view, speckle, attenuation, shadows,
gain; what must be learned is the anatomy, not one machine.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from skimage.draw import polygon as fill_polygon
from skimage.filters import gaussian

FloatArray = npt.NDArray[np.float64]


class Pose:
    """Where a scene's own coordinates lie in the image: turn, size, place."""

    def __init__(
        self, centre: tuple[float, float], scale: float, degrees: float, mirror: bool = False
    ) -> None:
        t = np.deg2rad(degrees)
        flip = np.diag([-1.0 if mirror else 1.0, 1.0])
        turn = np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
        self.linear = scale * turn @ flip
        self.centre = np.asarray(centre, dtype=np.float64)

    def __call__(self, points: npt.ArrayLike) -> FloatArray:
        """Map ``(n, 2)`` scene points into the image."""
        return np.asarray(points, dtype=np.float64) @ self.linear.T + self.centre


def oval(
    x: float, y: float, rx: float, ry: float, degrees: float = 0.0, count: int = 64
) -> FloatArray:
    """Ellipse with half axes ``rx`` and ``ry``, turned by ``degrees``."""
    t = 2 * np.pi * np.arange(count) / count
    a = np.deg2rad(degrees)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    points = np.stack([rx * np.cos(t), ry * np.sin(t)], axis=1) @ turn.T
    return np.asarray(points + np.array([x, y]), dtype=np.float64)


def tube(points: npt.ArrayLike, width: float, count: int = 24) -> FloatArray:
    """Outline of a thick line through the points."""
    p = np.asarray(points, dtype=np.float64)
    s = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(p, axis=0).T))])
    at = np.linspace(0, s[-1], count)
    line = np.stack([np.interp(at, s, p[:, 0]), np.interp(at, s, p[:, 1])], axis=1)
    along = np.gradient(line, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    normal /= np.hypot(*normal.T)[:, None] + 1e-9
    return np.concatenate([line + normal * width / 2, (line - normal * width / 2)[::-1]])


class Canvas:
    """Echo levels (0 is fluid, 1 is bone) on a grid."""

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        self.rng = rng
        self.shape = (height, width)
        self.aspect = width / height
        # A dark gain draw makes structures hard to see in life, too; keep the mean moderate.
        self.level = np.full(self.shape, rng.uniform(0.25, 0.5))
        self.transmission = np.ones(self.shape)
        #: Scale bar to burn in: x, top, bottom.
        self.ruler: tuple[float, float, float] | None = None
        #: 1 inside the field of view of the developed image.
        self.sight = np.ones(self.shape)
        self.level += self._cloud(5) * rng.uniform(0.02, 0.1)

    def _cloud(self, cells: int) -> FloatArray:
        from skimage.transform import resize

        coarse = self.rng.normal(size=(cells, max(2, int(cells * self.aspect))))
        return np.asarray(resize(coarse, self.shape, order=1, mode="edge"), dtype=np.float64)

    def _pixels(self, outline: FloatArray) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        h = self.shape[0]
        rows, cols = fill_polygon(outline[:, 1] * h - 0.5, outline[:, 0] * h - 0.5, self.shape)
        return rows, cols

    def fill(self, outline: FloatArray, level: float, texture: float = 0.04) -> None:
        """Fill a closed outline with one level and some unevenness."""
        at = self._pixels(outline)
        self.level[at] = level
        if texture:
            self.level[at] += self._cloud(10)[at] * texture

    def stroke(self, points: FloatArray, level: float, width: float, facing: float = 0.0) -> None:
        """Draw a line; with ``facing`` it fades where it runs along the beam (downwards)."""
        for a, b in pairwise(points):
            step = b - a
            length = float(np.hypot(*step)) + 1e-9
            across = abs(step[0]) / length
            strength = level * (1 - facing + facing * across)
            normal = np.array([-step[1], step[0]]) / length * width / 2
            on = step / length * width * 0.3
            quad = np.array([a + normal - on, b + normal + on, b - normal + on, a - normal - on])
            at = self._pixels(quad)
            self.level[at] = np.maximum(self.level[at], strength)

    def ring(self, outline: FloatArray, level: float, width: float, facing: float = 0.5) -> None:
        """Draw a closed outline."""
        self.stroke(np.concatenate([outline, outline[:1]]), level, width, facing)

    def shadow(self, outline: FloatArray, strength: float) -> None:
        """Darken everything below an outline."""
        h = self.shape[0]
        top = outline[:, 1].min()
        left, right = outline[:, 0].min(), outline[:, 0].max()
        spread = 0.08 * (1.0 - top)
        quad = np.array([[left, outline[:, 1].mean()], [right, outline[:, 1].mean()],
                         [right + spread, 1.1], [left - spread, 1.1]])  # fmt: skip
        mask = np.zeros(self.shape)
        mask[self._pixels(quad)] = 1.0
        self.transmission *= 1 - strength * gaussian(mask, 0.012 * h)

    def _field_of_view(self) -> FloatArray:
        rng, (h, w) = self.rng, self.shape
        y, x = np.mgrid[0:h, 0:w] / h
        middle = self.aspect / 2
        if rng.random() < 0.25:
            inset = rng.uniform(0.0, 0.12)
            inside = (x > inset) & (x < self.aspect - inset) & (y > rng.uniform(0, 0.04))
        else:
            apex = rng.uniform(-0.7, -0.05)
            half = np.arctan(rng.uniform(0.75, 1.3) * middle / (1 - apex))
            angle = np.arctan2(x - middle, y - apex)
            radius = np.hypot(x - middle, y - apex)
            inside = (np.abs(angle) < half) & (radius > rng.uniform(0.02, 0.1) - apex)
            inside &= radius < rng.uniform(0.98, 1.1) - apex
        return np.asarray(gaussian(inside.astype(np.float64), 0.7), dtype=np.float64)

    def seen(self, outline: FloatArray) -> float:
        """Share of an outline's points inside the field of view."""
        at = (outline * self.shape[0]).astype(int)
        inside = ((at >= 0) & (at < self.shape[::-1])).all(axis=1)
        sight = np.zeros(len(at))
        sight[inside] = self.sight[at[inside, 1], at[inside, 0]]
        return float(sight.mean())

    def _burn_ruler(self, image: FloatArray, ruler: tuple[float, float, float]) -> None:
        h, w = self.shape
        x, top, bottom = (round(v * h) for v in ruler)
        image[top:bottom, max(0, x - 1) : x + 1] = 0.9
        for y in np.linspace(top, bottom - 1, 6).round().astype(int):
            image[y : y + 2, max(0, x - 4) : min(w, x + 4)] = 0.9

    def develop(self) -> npt.NDArray[np.uint8]:
        """Speckle, attenuation, shadows, gain and the field of view: levels to grey values."""
        rng, (h, w) = self.rng, self.shape
        level = np.clip(gaussian(self.level, rng.uniform(0.002, 0.006) * h), 0.0, 1.3)
        grain = rng.uniform(0.0025, 0.006) * h
        noise = [
            gaussian(rng.normal(size=self.shape), (grain * 0.7, grain * rng.uniform(1, 2)))
            for _ in range(2)
        ]
        speckle = np.hypot(noise[0] / noise[0].std(), noise[1] / noise[1].std()) / 1.25
        amount = rng.uniform(0.3, 0.75)
        image = level * (1 - amount + amount * speckle)
        depth = np.arange(h)[:, None] / h
        image *= np.exp(-rng.uniform(0.0, 1.2) * depth) * (0.85 + 0.3 * depth)
        for _ in range(rng.integers(0, 3)):
            column = rng.uniform(0, w)
            band = np.exp(-(((np.arange(w) - column) / (rng.uniform(0.02, 0.08) * w)) ** 2))
            start = rng.uniform(0.0, 0.6)
            image *= 1 - rng.uniform(0.2, 0.8) * band[None] * (depth > start)
        image *= self.transmission
        image = np.clip(image * rng.uniform(0.75, 1.35), 0, 1) ** rng.uniform(0.7, 1.2)
        self.sight = self._field_of_view()
        image *= self.sight
        if self.ruler is not None:
            self._burn_ruler(image, self.ruler)
        return np.asarray(np.clip(image * 255 + rng.normal(0, 1.5, self.shape), 0, 255), np.uint8)
