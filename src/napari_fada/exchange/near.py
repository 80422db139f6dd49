"""Images that show nearly the same: perceptual hashes and the pairs that are close."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

#: Bits of the hash: 16 × 16 low frequencies. 8 × 8 is too coarse for grey ultrasound: heads of
#: different examinations come as close as a scan and its own copy (docs/decisions/0020).
BITS = 256
#: Hashes with at most so many bits of difference count as nearly the same image.
NEAR = 32
#: Rows that are compared with all others at a time; keeps memory flat.
_BLOCK = 256


class Pair(NamedTuple):
    """Two groups with the two images of theirs that are the closest, and how close they are."""

    a: int
    b: int
    distance: int


def perceptual_hash(pixels: npt.NDArray[np.uint8]) -> int:
    """Return the perceptual hash of an image: a number of ``BITS`` bits.

    Copies that were scaled, compressed or brightened have hashes that differ in a few bits.
    Mirrored ones do not: left and right are different views.

    Parameters
    ----------
    pixels : uint8 array, (H, W) or (H, W, 3)
    """
    import imagehash
    from PIL import Image

    found = imagehash.phash(Image.fromarray(pixels).convert("L"), hash_size=16)
    return int.from_bytes(np.packbits(found.hash.ravel()).tobytes(), "big")


def distance(a: int, b: int) -> int:
    """Return in how many bits two hashes differ."""
    return (a ^ b).bit_count()


def near_pairs(
    hashes: Sequence[int | None], groups: Sequence[int], *, within: int = NEAR
) -> Iterator[Pair]:
    """Yield the closest pair of images of any two groups that come within a distance.

    Parameters
    ----------
    hashes : sequence of int or None
        Of the images; None is close to nothing.
    groups : sequence of int
        The group of each image. Images of one group are not compared.
    within : int
        Greatest distance in bits.

    Yields
    ------
    Pair
        Places of two images in the sequences.
    """
    best: dict[tuple[int, int], Pair] = {}
    for rows, columns, apart in _blocks(hashes, groups):
        hits = np.nonzero(apart <= within)
        for i, j, d in zip(rows[hits[0]], columns[hits[1]], apart[hits], strict=True):
            one, two = int(min(i, j)), int(max(i, j))
            a, b = groups[one], groups[two]
            key = (min(a, b), max(a, b))
            if key not in best or d < best[key].distance:
                best[key] = Pair(one, two, int(d))
    yield from sorted(best.values())


def nearest(hashes: Sequence[int | None], groups: Sequence[int]) -> Pair | None:
    """Return the two images of different groups that are the closest, None if there are none."""
    best: Pair | None = None
    for rows, columns, apart in _blocks(hashes, groups):
        place = int(apart.argmin())
        d = int(apart.flat[place])
        if d <= BITS and (best is None or d < best.distance):
            i, j = divmod(place, apart.shape[1])
            one, two = int(rows[i]), int(columns[j])
            best = Pair(min(one, two), max(one, two), d)
    return best


def _blocks(
    hashes: Sequence[int | None], groups: Sequence[int]
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.uint16]]]:
    """Yield distances of blocks of images to all later ones; more than ``BITS``: not compared."""
    known = np.array([i for i, h in enumerate(hashes) if h is not None], dtype=np.intp)
    if len(known) < 2:
        return
    raw = b"".join(h.to_bytes(BITS // 8, "big") for h in hashes if h is not None)
    words = np.frombuffer(raw, dtype=np.uint64).reshape(len(known), -1)
    group = np.asarray(groups, dtype=np.int64)[known]
    for start in range(0, len(known), _BLOCK):
        mine = slice(start, start + _BLOCK)
        apart = np.zeros((len(known[mine]), len(known) - start), np.uint16)
        for word in range(words.shape[1]):
            differ = words[mine, word, None] ^ words[None, start:, word]
            apart += np.bitwise_count(differ)
        apart[group[mine, None] == group[None, start:]] = BITS + 1
        yield known[mine], known[start:], apart
