"""From the stretched frame to the patches that the vision tower takes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fada.engines.llama.image import MAX_AREA, MIN_AREA, Picture
from napari_fada.engines.protocol import Image
from napari_fada.errors import EngineError

_NAMES = ("preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True, slots=True)
class Patching:
    """How a frame is cut up and scaled, from the processor's configuration.

    Parameters
    ----------
    patch, merge, frames : int
        Side of a patch in pixels; patches on a side that become one token; images that are
        stacked in time (a still is repeated).
    mean, spread : tuple of float
        Of the three colours, on the scale 0–1: what is taken off, and what is divided by.
    min_area, max_area : int
        Bounds on a frame's area in pixels.
    """

    patch: int = 16
    merge: int = 2
    frames: int = 2
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    spread: tuple[float, ...] = (0.5, 0.5, 0.5)
    min_area: int = MIN_AREA
    max_area: int = MAX_AREA

    @property
    def picture(self) -> Picture:
        """What is done to a frame before: both engines stretch it to the same size."""
        return Picture(
            step=self.patch * self.merge,
            min_area=self.min_area,
            max_area=min(self.max_area, MAX_AREA),
        )

    def grid(self, image: Image) -> tuple[int, int]:
        """Return the patches of a stretched frame, down and across."""
        return image.shape[0] // self.patch, image.shape[1] // self.patch

    def cut(self, image: Image) -> npt.NDArray[np.float32]:
        """Return the patches, (patches, colours × frames × side × side).

        The patches that become one token stand together.

        Parameters
        ----------
        image : uint8 array, (H, W, 3)
            Stretched to multiples of ``patch × merge``.
        """
        pixels = image.astype(np.float32) / np.float32(255)
        mean, spread = (np.array(v, dtype=np.float32) for v in (self.mean, self.spread))
        pixels = (pixels - mean) / spread
        down, across = self.grid(image)
        m, p = self.merge, self.patch
        # rows of tokens, patch in token, pixel; the same across; colour
        parts = pixels.reshape(down // m, m, p, across // m, m, p, 3)
        parts = parts.transpose(0, 3, 1, 4, 6, 2, 5)[:, :, :, :, :, None]
        parts = np.broadcast_to(parts, (*parts.shape[:5], self.frames, p, p))
        return np.ascontiguousarray(parts).reshape(down * across, -1)


def read_patching(folder: Path) -> Patching:
    """Read the processor's configuration of a model's folder.

    Raises
    ------
    EngineError
        If there is none, or it is malformed.
    """
    for name in _NAMES:
        path = folder / name
        if not path.is_file():
            continue
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return _patching(data.get("image_processor", data))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise EngineError(
                f"{path} does not say how images are processed ({error}).",
                todo="Copy it again from the base model.",
            ) from error
    raise EngineError(
        f"{folder} does not say how images are processed: {_NAMES[0]} is missing.",
        todo="Copy it from the base model.",
    )


def _patching(data: dict[str, Any]) -> Patching:
    size = data.get("size") or {}
    usual = Patching()
    return Patching(
        patch=int(data.get("patch_size", usual.patch)),
        merge=int(data.get("merge_size", usual.merge)),
        frames=int(data.get("temporal_patch_size", usual.frames)),
        mean=tuple(map(float, data.get("image_mean", usual.mean))),
        spread=tuple(map(float, data.get("image_std", usual.spread))),
        min_area=int(size.get("shortest_edge", usual.min_area)),
        max_area=int(size.get("longest_edge", usual.max_area)),
    )
