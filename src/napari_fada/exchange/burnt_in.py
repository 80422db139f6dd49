"""Text that a machine wrote into the pixels: found so that a person looks at it.

Letters are small, brighter than everything close to them, and stand in rows. What is found is a
hint and no proof, either way: docs/deidentification.md has the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

#: Strokes are thinner than this.
_PEN = 9
#: How much brighter than around them strokes are on tissue, and on black.
_ON_TISSUE, _INK, _ON_BLACK, _BLACK = 90, 150, 55, 12
#: Height of letters in pixels.
_LOW, _HIGH = 5, 40
#: Fewer letters than this in a row are no word: speckle makes pairs.
_WORD = 3

Box = tuple[int, int, int, int]


class _Glyph(NamedTuple):
    x1: int
    y1: int
    x2: int
    y2: int

    @property
    def height(self) -> int:
        return self.y2 - self.y1


def text_boxes(pixels: npt.NDArray[np.uint8]) -> tuple[Box, ...]:
    """Return boxes around what looks like a row of letters.

    Parameters
    ----------
    pixels : uint8 array, (H, W) or (H, W, 3)

    Returns
    -------
    tuple of (x1, y1, x2, y2)
        Pixels, x2 and y2 exclusive; from top to bottom.
    """
    glyphs = sorted(_glyphs(pixels if pixels.ndim == 2 else pixels.max(-1)))
    used: set[int] = set()
    found = []
    for first in range(len(glyphs)):
        if first in used:
            continue
        row = _row(glyphs, first, used)
        if len(row) >= _WORD:
            used.update(row)
            corners = np.array([glyphs[i] for i in row])
            low, high = corners.min(0), corners.max(0)
            found.append((int(low[0]), int(low[1]), int(high[2]), int(high[3])))
    return tuple(sorted(found, key=lambda box: (box[1], box[0])))


def without(pixels: npt.NDArray[np.uint8], boxes: Sequence[Box]) -> npt.NDArray[np.uint8]:
    """Return a copy that is black inside boxes, and one pixel around them."""
    out = pixels.copy()
    for x1, y1, x2, y2 in boxes:
        out[max(y1 - 1, 0) : y2 + 1, max(x1 - 1, 0) : x2 + 1] = 0
    return out


def _glyphs(light: npt.NDArray[np.uint8]) -> list[_Glyph]:
    from scipy import ndimage

    around = ndimage.grey_opening(light, size=(_PEN, _PEN))
    above = light.astype(np.int16) - around
    strokes = ((above >= _ON_TISSUE) & (light >= _INK)) | (
        (above >= _ON_BLACK) & (around <= _BLACK)
    )
    names, count = ndimage.label(strokes, np.ones((3, 3)))
    if not count:
        return []
    areas = ndimage.sum_labels(strokes, names, range(1, count + 1))
    found = []
    for (rows, columns), area in zip(ndimage.find_objects(names), areas, strict=True):
        glyph = _Glyph(columns.start, rows.start, columns.stop, rows.stop)
        wide, high = glyph.x2 - glyph.x1, glyph.height
        inked = area >= max(6, 0.12 * wide * high)
        if _LOW <= high <= _HIGH and wide <= 4 * high and inked:
            found.append(glyph)
    return found


def _row(glyphs: Sequence[_Glyph], first: int, used: set[int]) -> list[int]:
    """Return the letters that follow one another on a line, of one height and on one base."""
    row = [first]
    for i in range(first + 1, len(glyphs)):
        last, new = glyphs[row[-1]], glyphs[i]
        high, low = max(last.height, new.height), min(last.height, new.height)
        if new.x1 - last.x2 > 1.3 * _HIGH:
            break
        if i in used or new.x1 - last.x2 > 1.3 * high:
            continue
        shared = min(last.y2, new.y2) - max(last.y1, new.y1)
        if shared >= 0.6 * low and high <= 1.6 * low and abs(last.y2 - new.y2) <= 0.25 * high + 1:
            row.append(i)
    return row
