"""From a frame to what the vision tower sees: stretched to its grid, in RGB.

llama.cpp would keep the aspect ratio and pad; the models that give places were trained on
stretched images, and a coordinate then means the same fraction of the frame on both axes.
Models that cut a frame into tiles get it whole and are left to it.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_fada.engines.protocol import Image

#: One image token covers 2 × 2 patches of 16 pixels.
GRID = 32
#: The published processor's lower bound on the area, in pixels.
MIN_AREA = 65_536
#: Our upper bound: 2,048 image tokens. The published one (16,384 tokens) takes minutes on a
#: processor; a 1920 × 1080 frame is not reduced by ours.
MAX_AREA = 2_097_152


def target_size(
    height: int,
    width: int,
    *,
    step: int = GRID,
    min_area: int = MIN_AREA,
    max_area: int = MAX_AREA,
) -> tuple[int, int]:
    """Return the (height, width) the processor of the Qwen-VL family stretches a frame to.

    Multiples of ``step`` near the original size, with the area between the two bounds.
    """
    new_height = max(step, round(height / step) * step)
    new_width = max(step, round(width / step) * step)
    if new_height * new_width > max_area:
        shrink = math.sqrt(height * width / max_area)
        new_height = max(step, math.floor(height / shrink / step) * step)
        new_width = max(step, math.floor(width / shrink / step) * step)
    elif new_height * new_width < min_area:
        grow = math.sqrt(min_area / (height * width))
        new_height = math.ceil(height * grow / step) * step
        new_width = math.ceil(width * grow / step) * step
    return new_height, new_width


@dataclass(frozen=True, slots=True)
class Picture:
    """What is done to a frame before a model's own processing of it.

    Parameters
    ----------
    fit : {"grid", "square", "whole"}
        ``grid``: stretched to multiples of ``step`` near its own size (Qwen-VL). ``square``:
        stretched to ``side`` x ``side``. ``whole``: left as it is, but for frames above
        ``max_area``, which are reduced; llama.cpp cuts it into tiles or pads it.
    step, side : int
        In pixels.
    min_area, max_area : int
        In pixels; the lower bound is for ``grid``.
    """

    fit: Literal["grid", "square", "whole"] = "grid"
    step: int = GRID
    side: int = 0
    max_area: int = MAX_AREA
    min_area: int = MIN_AREA

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) that the model is given a frame in."""
        if self.fit == "square" and self.side:
            return self.side, self.side
        if self.fit == "grid":
            return target_size(
                height, width, step=self.step, min_area=self.min_area, max_area=self.max_area
            )
        shrink = math.sqrt(min(1.0, self.max_area / (height * width)))
        return max(1, round(height * shrink)), max(1, round(width * shrink))

    def tokens(self, size: tuple[int, int]) -> int | None:
        """Return how many tokens an image of (height, width) takes; None if llama.cpp decides."""
        if self.fit != "grid":
            return None
        return (size[0] // self.step) * (size[1] // self.step)


def prepare(image: Image, size: tuple[int, int]) -> Image:
    """Stretch a frame to (height, width) with Pillow's bicubic filter and return it as RGB."""
    from PIL import Image as Pillow

    height, width = size
    pixels = np.ascontiguousarray(image)
    if pixels.shape[:2] != (height, width):
        resized = Pillow.fromarray(pixels).resize((width, height), Pillow.Resampling.BICUBIC)
        pixels = np.asarray(resized, dtype=np.uint8)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    return np.ascontiguousarray(pixels)


def fingerprint(image: Image) -> str:
    """Return a key that is the same for the same pixels."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()
