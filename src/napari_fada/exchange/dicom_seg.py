"""DICOM Segmentation: a file for each frame, a segment for each outline.

Segments may overlap. Boxes and keypoints have no area; the structured report has a place for them.
Precision: exact to the pixel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_fada import __version__
from napari_fada.exchange.dicom_codes import class_code, structure_code
from napari_fada.exchange.dicom_image import MANUFACTURER, Source, Sources, refer_to_clip, uid_of
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.writers import Format, WriteOptions
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import rasterise
from napari_fada.vocabulary import vocabulary

FOLDER = "segmentations"
NO_AREA = "structures without an outline (boxes, keypoints)"
EMPTY = "outlines that cover no pixel"
WITHOUT = "frames without outlines (no segmentation was written)"


def algorithm(record: Annotation) -> tuple[str, Any]:
    """Return who made an outline, as DICOM says it, and the algorithm if one had a part in it."""
    from highdicom import AlgorithmIdentificationSequence
    from pydicom.sr.codedict import codes

    if record.source == "expert" or (record.source == "import" and record.score is None):
        return "MANUAL", None
    kind = "SEMIAUTOMATIC" if record.status == "corrected" else "AUTOMATIC"
    identity = AlgorithmIdentificationSequence(
        name=f"FADA ({record.source})",
        family=codes.DCM.ArtificialIntelligence,
        version=__version__,
    )
    return kind, identity


def segmentation(frame: FrameRecords, source: Source, tally: Tally) -> Any | None:
    """Return the segmentation of a frame, None if it has no outlines."""
    from highdicom.color import CIELabColor
    from highdicom.seg import Segmentation, SegmentDescription

    outlines = [a for a in frame.annotations if a.kind == "polygon"]
    tally.left_out[NO_AREA] += len(frame.annotations) - len(outlines)
    shape = frame.height, frame.width
    masks = [(a, rasterise(a, shape)) for a in outlines]
    tally.left_out[EMPTY] += sum(not m.any() for _, m in masks)
    masks = [(a, m) for a, m in masks if m.any()]
    if not masks:
        tally.left_out[WITHOUT] += 1
        return None
    descriptions = []
    for number, (record, _) in enumerate(masks, 1):
        kind, identity = algorithm(record)
        colour = vocabulary().by_name[record.category].colour
        rgb = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        descriptions.append(
            SegmentDescription(
                segment_number=number,
                segment_label=record.category,
                segmented_property_category=structure_code(),
                segmented_property_type=class_code(record.category),
                algorithm_type=kind,
                algorithm_identification=identity,
                tracking_uid=uid_of("record", record.uid),
                tracking_id=record.uid,
                display_color=CIELabColor.from_rgb(*rgb),
            )
        )
    stem = Path(frame.image).stem
    stack = np.stack([m for _, m in masks], axis=-1)[None].astype(np.uint8)
    found = Segmentation(
        source_images=[source.dataset],
        pixel_array=stack,
        segmentation_type="BINARY",
        segment_descriptions=descriptions,
        series_instance_uid=uid_of("segmentations", frame.sha256 or stem),
        series_number=100,
        sop_instance_uid=uid_of("segmentation", stem),
        instance_number=frame.frame + 1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=__version__,
        device_serial_number="0",
        content_label="FADA",
        content_description="Research use only, not a medical device",
    )
    refer_to_clip(found, source)
    tally.written["segments"] += len(masks)
    return found


class SegWriter:
    """Writes a segmentation for each frame (see ``writers.Writer``)."""

    def __init__(self, root: Path, options: WriteOptions) -> None:
        self._folder, self._sources = root / FOLDER, Sources(root, options)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._count = 0

    def add(self, frame: FrameRecords, tally: Tally) -> None:
        """Write the image and the segmentation of a frame."""
        found = segmentation(frame, self._sources.of(frame), tally)
        if found is not None:
            found.save_as(self._folder / f"{Path(frame.image).stem}.dcm")
            self._count += 1

    def finish(self, tally: Tally) -> None:
        """Count the files."""
        tally.written["segmentations"] += self._count


FORMAT = Format(
    name="dicom-seg",
    title="DICOM Segmentation",
    image=lambda stem, split: f"images/{split}/{stem}.png" if split else f"images/{stem}.png",
    writer=SegWriter,
    choices={"source": ("copy", "original")},
)
