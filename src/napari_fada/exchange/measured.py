"""What is measured on a frame of a data set: the numbers that go out beside the shapes."""

from __future__ import annotations

from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.measure import FrameMeasurements, Measurement, Scale, measure_frame
from napari_fada.measure.calibration import scale_of_size
from napari_fada.measure.limits import senseless_sizes

SENSELESS = "frames with sizes that no fetus has at any age (is their scale right?)"


def scale_of_frame(frame: FrameRecords) -> Scale | None:
    """Return the scale of a frame; None if it has none that a scan can have."""
    return scale_of_size(frame.spacing_mm, frame.spacing_origin)


def measured(frame: FrameRecords, tally: Tally) -> FrameMeasurements:
    """Return all that can be measured on a frame; sizes that no fetus has are counted."""
    found = measure_frame(
        frame.annotations, scale_of_frame(frame), (frame.width, frame.height), view=frame.view
    )
    tally.notes[SENSELESS] += bool(senseless_sizes(found.measured))
    return found


def by_record(frame: FrameRecords, tally: Tally) -> dict[str, list[Measurement]]:
    """Return measurements by the records that they were made on."""
    found: dict[str, list[Measurement]] = {}
    for measurement in measured(frame, tally).measured:
        for uid in measurement.uids:
            found.setdefault(uid, []).append(measurement)
    return found
