"""DICOM structured report (TID 1500): a file for each frame, a group for each structure.

Regions are points of the image in DICOM's convention, which is ours: (0, 0) is the corner of the
first pixel. An outline is a closed polyline, or an ellipse if it is exactly one; keypoints that
are there are an open one (or a point); a box is the polyline around it. Groups carry what was
measured on their structure (``measure``), with LOINC codes where there are some; millimetres only
where there is a scale. Precision: float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_fada import __version__
from napari_fada.exchange.dicom_codes import class_code, measurement_code, structure_code
from napari_fada.exchange.dicom_image import MANUFACTURER, Source, Sources, uid_of
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.measured import by_record
from napari_fada.exchange.writers import Format, WriteOptions
from napari_fada.measure import Measurement
from napari_fada.records.annotation import Annotation, Ring
from napari_fada.records.ellipse import ellipse_of
from napari_fada.records.geometry import outlines

FOLDER = "reports"
#: Units of measurements as UCUM has them.
_UNITS = {
    "mm": ("mm", "UCUM", "millimeter"),
    "mm²": ("mm2", "UCUM", "square millimeter"),
    "deg": ("deg", "UCUM", "degree"),
    "%": ("%", "UCUM", "percent"),
    "ratio": ("1", "UCUM", "no units"),
}
RINGS = "outlines in parts or with holes (the region is the largest ring)"
WITHOUT = "frames without structures (no report was written)"


def region(record: Annotation, source: Source) -> Any:
    """Return the region of a record on its image."""
    from highdicom.sr import ImageRegion, SourceImageForRegion

    image = SourceImageForRegion(
        source.sop_class,
        str(source.dataset.SOPInstanceUID),
        [source.frame_number] if source.frame_number else None,
    )
    if record.kind == "keypoints":
        seen = record.seen
        points = [p for p, v in zip(record.points, seen, strict=True) if v]
        kind = "POINT" if len(points) == 1 else "POLYLINE"  # a region may not be a MULTIPOINT
        return ImageRegion(kind, np.array(points, float), image)
    ellipse = ellipse_of(record)
    if ellipse is not None:
        c, s = math.cos(ellipse.angle), math.sin(ellipse.angle)
        centre = np.array([ellipse.x, ellipse.y])
        long, short = ellipse.a * np.array([c, s]), ellipse.b * np.array([-s, c])
        ends = np.array([centre - long, centre + long, centre - short, centre + short])
        return ImageRegion("ELLIPSE", ends, image)
    ring: Ring = outlines(record)[0]
    return ImageRegion("POLYLINE", np.array([*ring, ring[0]], float), image)


def measurements(found: Sequence[Measurement]) -> list[Any]:
    """Return what was measured on a record as DICOM has it."""
    from highdicom.sr import CodedConcept
    from highdicom.sr import Measurement as Item

    rows = []
    for m in found:
        if m.unit not in _UNITS:
            continue
        unit = CodedConcept(*_UNITS[m.unit])
        rows.append(Item(name=measurement_code(m.name), value=round(m.value, 4), unit=unit))
    return rows


def report(frame: FrameRecords, source: Source, tally: Tally) -> Any | None:
    """Return the report of a frame, None if nothing stands on it."""
    from highdicom.sr import (
        CodedConcept,
        ComprehensiveSR,
        DeviceObserverIdentifyingAttributes,
        MeasurementReport,
        ObservationContext,
        ObserverContext,
        PlanarROIMeasurementsAndQualitativeEvaluations,
        TrackingIdentifier,
    )
    from pydicom.sr.codedict import codes

    if not frame.annotations:
        tally.left_out[WITHOUT] += 1
        return None
    groups = []
    known = by_record(frame, tally)
    for record in frame.annotations:
        tally.notes[RINGS] += bool(record.rings)
        numbers = measurements(known.get(record.uid, ()))
        groups.append(
            PlanarROIMeasurementsAndQualitativeEvaluations(
                tracking_identifier=TrackingIdentifier(
                    uid=uid_of("record", record.uid), identifier=record.category
                ),
                referenced_region=region(record, source),
                finding_type=class_code(record.category),
                finding_category=structure_code(),
                measurements=numbers or None,
            )
        )
        tally.written["measurements"] += len(numbers)
    stem = Path(frame.image).stem
    observer = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=uid_of("observer", MANUFACTURER, __version__), name=MANUFACTURER
        ),
    )
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=CodedConcept("268445003", "SCT", "Ultrasound scan - obstetric"),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    evidence = source.dataset
    if source.frame_number is not None:
        import copy

        evidence = copy.copy(source.dataset)
        evidence.SOPClassUID = source.sop_class
    tally.written["regions"] += len(groups)
    return ComprehensiveSR(
        evidence=[evidence],
        content=content[0],
        series_instance_uid=uid_of("reports", frame.sha256 or stem),
        series_number=200,
        sop_instance_uid=uid_of("report", stem),
        instance_number=frame.frame + 1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
    )


class SrWriter:
    """Writes a report for each frame (see ``writers.Writer``)."""

    def __init__(self, root: Path, options: WriteOptions) -> None:
        self._folder, self._sources = root / FOLDER, Sources(root, options)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._count = 0

    def add(self, frame: FrameRecords, tally: Tally) -> None:
        """Write the image and the report of a frame."""
        found = report(frame, self._sources.of(frame), tally)
        if found is not None:
            found.save_as(self._folder / f"{Path(frame.image).stem}.dcm")
            self._count += 1

    def finish(self, tally: Tally) -> None:
        """Count the files."""
        tally.written["reports"] += self._count


FORMAT = Format(
    name="dicom-sr",
    title="DICOM structured report (TID 1500)",
    image=lambda stem, split: f"images/{split}/{stem}.png" if split else f"images/{stem}.png",
    writer=SrWriter,
    choices={"source": ("copy", "original")},
)
