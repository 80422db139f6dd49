"""DICOM images for annotations in DICOM to refer to.

Two ways. By default each exported frame becomes a new ultrasound image: the cleaned pixels, its
scale, and nothing of the file it came from; patient and study are keyed hashes. Or annotations
refer to the original files, for whoever keeps those beside them; then their identifiers leave,
and the user has to say so.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_fada import __version__
from napari_fada.errors import ExchangeError
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.writers import WriteOptions

US_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"
MANUFACTURER = "napari-fada"


def uid_of(*parts: str) -> str:
    """Return a DICOM identifier that depends on texts (a UUID under 2.25, PS3.5 B.2)."""
    digest = hashlib.sha256("/".join(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


@dataclass(frozen=True, slots=True)
class Source:
    """What an annotation refers to.

    ``dataset`` stands for one frame: of a clip it is a still with the clip's identifier,
    ``sop_class`` is then the clip's and ``frame_number`` counts from 1.
    """

    dataset: Any
    sop_class: str
    frame_number: int | None = None


class Sources:
    """Gives the DICOM image of a frame, and writes it where it is a new one.

    Parameters
    ----------
    root : Path
        The data set's folder.
    options : WriteOptions
        ``choices["source"]`` is ``copy`` or ``original``.
    """

    def __init__(self, root: Path, options: WriteOptions) -> None:
        self._root = root
        self._original = options.choices.get("source") == "original"

    def of(self, frame: FrameRecords) -> Source:
        """Return what annotations of a frame refer to.

        Raises
        ------
        ExchangeError
            If the originals are wanted and this is none, or there are no images.
        """
        if self._original:
            return _original(frame)
        path = self._root / frame.image
        if not path.exists():
            raise ExchangeError(
                "DICOM annotations need images to refer to.", todo="Leave --no-images away."
            )
        with Image.open(path) as picture:
            dataset = us_image(frame, np.asarray(picture))
        path.unlink()
        dataset.save_as(path.with_suffix(".dcm"), enforce_file_format=True)
        return Source(dataset, US_IMAGE)


def us_image(frame: FrameRecords, pixels: np.ndarray[Any, Any]) -> Any:
    """Return a DICOM ultrasound image of a frame.

    Parameters
    ----------
    frame : FrameRecords
        Its hashes become the identifiers, its scale an ultrasound region.
    pixels : uint8 array, (H, W) or (H, W, 3)
    """
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = UID(US_IMAGE)
    stem = Path(frame.image).stem
    d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID = UID(uid_of("image", stem))
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.StudyInstanceUID = uid_of("study", frame.group or frame.sha256 or stem)
    d.SeriesInstanceUID = uid_of("series", frame.sha256 or stem)
    for name in ("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"):
        setattr(d, name, "")
    for name in ("ReferringPhysicianName", "AccessionNumber", "StudyID", "Laterality"):
        setattr(d, name, "")
    d.PatientID = frame.group
    d.PatientIdentityRemoved = "YES"
    d.DeidentificationMethod = "made anew from pixels; keyed hashes as identifiers"
    d.Modality, d.SeriesNumber, d.InstanceNumber = "US", 1, frame.frame + 1
    d.ImageType = ["DERIVED", "SECONDARY"]
    d.Manufacturer, d.ManufacturerModelName = MANUFACTURER, MANUFACTURER
    d.SoftwareVersions = __version__
    d.PatientOrientation = ""
    d.LossyImageCompression = "00"
    d.Rows, d.Columns = pixels.shape[:2]
    colour = pixels.ndim == 3
    d.SamplesPerPixel = 3 if colour else 1
    d.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        d.PlanarConfiguration = 0
    d.BitsAllocated = d.BitsStored = 8
    d.HighBit, d.PixelRepresentation = 7, 0
    data = np.ascontiguousarray(pixels, np.uint8).tobytes()
    d.PixelData = data + b"\0" * (len(data) % 2)
    if frame.spacing_mm:
        d.SequenceOfUltrasoundRegions = [_region(frame)]
    return d


def _region(frame: FrameRecords) -> Any:
    from pydicom import Dataset

    assert frame.spacing_mm is not None
    r = Dataset()
    r.RegionSpatialFormat, r.RegionDataType, r.RegionFlags = 1, 1, 0
    r.RegionLocationMinX0 = r.RegionLocationMinY0 = 0
    r.RegionLocationMaxX1, r.RegionLocationMaxY1 = frame.width - 1, frame.height - 1
    r.PhysicalUnitsXDirection = r.PhysicalUnitsYDirection = 3  # centimetres
    r.PhysicalDeltaY, r.PhysicalDeltaX = (v / 10 for v in frame.spacing_mm)
    return r


def _original(frame: FrameRecords) -> Source:
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    if frame.source is None:
        raise ExchangeError(
            "Annotations that refer to the original files name those files' identifiers.",
            kept="Nothing was written.",
            todo="Say that you want that: --keep-names. Or let images be made anew (source=copy).",
        )
    try:
        dataset = dcmread(frame.source, stop_before_pixels=True)
        sop_class = str(dataset.SOPClassUID)
    except (InvalidDicomError, OSError, AttributeError) as error:
        raise ExchangeError(
            f"{frame.source.name} is no DICOM file that annotations could refer to.",
            todo="Let images be made anew: --choice source=copy",
        ) from error
    frames = int(getattr(dataset, "NumberOfFrames", 1) or 1)
    if frames <= 1:
        return Source(dataset, sop_class)
    # Segmentations of clips without a frame of reference cannot be made as such
    # (highdicom #284): a still with the clip's identifier stands for the frame.
    still = copy.copy(dataset)
    still.SOPClassUID = US_IMAGE
    del still.NumberOfFrames
    return Source(still, sop_class, frame.frame + 1)


def refer_to_clip(dataset: Any, source: Source) -> None:
    """Let a finished object refer to the frame of a clip that a still stood for.

    Parameters
    ----------
    dataset : pydicom.Dataset
        A segmentation; changed in place.
    source : Source
        What it was made from.
    """
    if source.frame_number is None:
        return
    for item in _references(dataset):
        if item.ReferencedSOPInstanceUID == source.dataset.SOPInstanceUID:
            item.ReferencedSOPClassUID = source.sop_class
            item.ReferencedFrameNumber = source.frame_number


def _references(dataset: Any) -> Sequence[Any]:
    found = []
    for element in dataset.iterall():
        if element.keyword in ("SourceImageSequence", "ReferencedInstanceSequence"):
            found += list(element.value)
    return found
