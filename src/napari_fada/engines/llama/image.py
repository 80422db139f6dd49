"""From a frame to what the vision tower sees: stretched to its grid, in RGB.

llama.cpp would keep the aspect ratio and pad; the models were trained on stretched images,
and coordinates 0–999 then mean the same fraction of the frame on both axes.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

from napari_fada.engines.protocol import Image
from napari_fada.errors import EngineError

#: One image token covers 2 × 2 patches of 16 pixels.
GRID = 32
#: The published processor's lower bound on the area, in pixels.
MIN_AREA = 65_536
#: Our upper bound: 2,048 image tokens. The published one (16,384 tokens) takes minutes on a
#: processor; a 1920 × 1080 frame is not reduced by ours.
MAX_AREA = 2_097_152


def check_image(image: Image) -> None:
    """Refuse anything but a uint8 frame, grey or RGB.

    Raises
    ------
    EngineError
        With what was given instead.
    """
    right_shape = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if image.dtype != np.uint8 or not right_shape or 0 in image.shape:
        raise EngineError(
            f"The engine was given an image of shape {image.shape} and type {image.dtype}; "
            "it takes (height, width) or (height, width, 3) of type uint8."
        )


def target_size(
    height: int, width: int, *, min_area: int = MIN_AREA, max_area: int = MAX_AREA
) -> tuple[int, int]:
    """Return the (height, width) the processor of the Qwen-VL family stretches a frame to.

    Multiples of 32 near the original size, with the area between the two bounds.
    """
    new_height = max(GRID, round(height / GRID) * GRID)
    new_width = max(GRID, round(width / GRID) * GRID)
    if new_height * new_width > max_area:
        shrink = math.sqrt(height * width / max_area)
        new_height = max(GRID, math.floor(height / shrink / GRID) * GRID)
        new_width = max(GRID, math.floor(width / shrink / GRID) * GRID)
    elif new_height * new_width < min_area:
        grow = math.sqrt(min_area / (height * width))
        new_height = math.ceil(height * grow / GRID) * GRID
        new_width = math.ceil(width * grow / GRID) * GRID
    return new_height, new_width


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
