"""What every engine asks of a frame, told before anything is computed or sent anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_fada.errors import EngineError

#: More than any scanner gives; every copy of such a frame is 300 MB in RGB.
MAX_PIXELS = 100_000_000


def check_image(image: Any) -> None:
    """Refuse anything but a uint8 frame, grey or RGB, of a sensible size.

    Raises
    ------
    EngineError
        With what was given instead.
    """
    if not isinstance(image, np.ndarray):
        raise EngineError(f"The engine was given a {type(image).__name__} instead of an image.")
    right_shape = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if image.dtype != np.uint8 or not right_shape or 0 in image.shape:
        raise EngineError(
            f"The engine was given an image of shape {image.shape} and type {image.dtype}; "
            "it takes (height, width) or (height, width, 3) of type uint8."
        )
    height, width = image.shape[:2]
    if height * width > MAX_PIXELS:
        raise EngineError(
            f"The image of {width} × {height} pixels is too large: {MAX_PIXELS // 10**6} "
            "million pixels are the most.",
            todo="Reduce it, or crop it to the scan.",
        )
