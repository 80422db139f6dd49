"""A folder whose files are the frames of one scan."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_fada.errors import ScanError
from napari_fada.scans.scaling import Array, to_rgb
from napari_fada.scans.scan import Identity
from napari_fada.scans.source import Source

_EACH = "Open its files one by one, or run over the folder with iter_scans."


@dataclass(frozen=True, slots=True)
class Part:
    """One opened file of a folder."""

    path: Path
    source: Source
    sha256: str


def join(folder: Path, parts: Sequence[Part]) -> tuple[Source, str]:
    """Make one source of files that are frames, and the hash of the whole.

    Raises
    ------
    ScanError
        If they are not: clips among them, other sizes, another patient.
    """
    first = parts[0]
    for part in parts:
        source = part.source
        if source.n_frames > 1:
            raise ScanError(
                f"{folder.name} is not one scan: {part.path.name} is a clip of "
                f"{source.n_frames} frames by itself.",
                todo=_EACH,
            )
        if (source.width, source.height) != (first.source.width, first.source.height):
            raise ScanError(
                f"{folder.name} is not one scan: {part.path.name} has {source.width} × "
                f"{source.height} pixels, {first.path.name} {first.source.width} × "
                f"{first.source.height}.",
                todo=_EACH,
            )
    patients = {p.source.identity.patient for p in parts}
    studies = {p.source.identity.study for p in parts}
    if len(patients) > 1 or len(studies) > 1:
        raise ScanError(
            f"{folder.name} is not one scan: its files belong to several patients or examinations.",
            todo=_EACH,
        )

    sources = [p.source for p in parts]
    rgb = any(s.rgb for s in sources)
    problems = [f"{p.path.name}: {text}" for p in parts for text in p.source.problems]
    spacing, regions = first.source.spacing, first.source.regions
    if any((s.spacing, s.regions) != (spacing, regions) for s in sources):
        spacing, regions = None, ()
        problems.append("its files differ in scale, so there are no millimetres for the folder")

    def raw(index: int) -> Array:
        source = sources[index]
        array = source.raw(0)
        if source.limits is not None and array.dtype != np.uint8:
            array = source.limits.apply(array)
        return to_rgb(array) if rgb else array

    digest = hashlib.sha256("\n".join(p.sha256 for p in parts).encode()).hexdigest()
    source = Source(
        width=first.source.width,
        height=first.source.height,
        n_frames=len(parts),
        rgb=rgb,
        raw=raw,
        spacing=spacing,
        regions=regions,
        identity=Identity(patients.pop(), studies.pop(), folder.name),
        problems=tuple(problems),
    )
    return source, digest
