"""DICOM segmentations and reports: read by highdicom, on images made anew and on the originals."""

from __future__ import annotations

import math
from dataclasses import replace

import highdicom as hd
import numpy as np
import pytest
from format_samples import SIZE, frames, picture, real_frames, written
from hypothesis import HealthCheck, given, settings
from pydicom import dcmread
from pydicom.data import get_testdata_file

from napari_fada.errors import ExchangeError
from napari_fada.exchange import dicom_seg, dicom_sr
from napari_fada.exchange.dicom_codes import class_code
from napari_fada.exchange.export import export_records
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.request import ExportRequest
from napari_fada.exchange.writers import WriteOptions
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse
from napari_fada.records.geometry import mask_to_annotation, outlines, rasterise
from napari_fada.records.project import Project
from napari_fada.scans import open_scan
from napari_fada.vocabulary import vocabulary
from record_samples import box, polygon

SCALE = {"spacing_mm": (0.2, 0.25), "spacing_origin": "dicom-region"}


def make(form, root, *found, **choices):
    return written(form, root, *found, choices=choices)


def test_segments_have_the_pixels_of_the_outlines(data_dir, tmp_path):
    real = [
        replace(f, sha256=f"s{i}", group=f"g{i}") for i, f in enumerate(real_frames(data_dir, 2))
    ]
    tally = make(dicom_seg.FORMAT, tmp_path, *real)
    assert tally.written["segments"] == sum(len(f.annotations) for f in real)
    for frame in real:
        stem = frame.image[7:-4]
        image = dcmread(tmp_path / "images" / f"{stem}.dcm")
        seg = hd.seg.segread(tmp_path / "segmentations" / f"{stem}.dcm")
        pixels = seg.get_pixels_by_source_instance([image.SOPInstanceUID])[0]
        assert pixels.shape == (frame.height, frame.width, len(frame.annotations))
        for n, record in enumerate(frame.annotations):
            assert (pixels[..., n] == rasterise(record, (frame.height, frame.width))).all()
            about = seg.get_segment_description(n + 1)
            assert about.segment_label == record.category
            assert about.tracking_id == record.uid
            assert about.segmented_property_type == class_code(record.category)
        assert not (tmp_path / frame.image).exists()  # the PNG became the DICOM image
        assert not [e for e in image if e.tag.is_private]
        scan = open_scan(tmp_path / "images" / f"{stem}.dcm")
        assert (scan.width, scan.height, scan.spacing) == (frame.width, frame.height, None)


def test_an_image_made_anew_keeps_pixels_and_scale_and_nothing_else(tmp_path):
    frame = FrameRecords("images/a.png", *SIZE, (polygon("Brain"),), group="0a1b", **SCALE)
    path = picture(tmp_path / "images" / "a.png")
    before = open_scan(path).frame(0)
    make(dicom_seg.FORMAT, tmp_path, frame)
    scan = open_scan(tmp_path / "images" / "a.dcm")
    assert (scan.frame(0) == before).all()
    assert (scan.spacing.y, scan.spacing.x) == pytest.approx((0.2, 0.25))
    data = dcmread(tmp_path / "images" / "a.dcm")
    assert (data.PatientID, data.PatientIdentityRemoved) == ("0a1b", "YES")
    assert str(data.PatientName) == data.StudyDate == data.AccessionNumber == ""


def test_who_made_an_outline_is_said(tmp_path):
    made = [
        polygon("Brain", source="expert", status="accepted"),
        polygon("Brain", source="model", status="accepted", score=0.9),
        polygon("Brain", source="model", status="corrected"),
    ]
    make(dicom_seg.FORMAT, tmp_path, FrameRecords("images/a.png", *SIZE, tuple(made)))
    seg = hd.seg.segread(tmp_path / "segmentations" / "a.dcm")
    kinds = [seg.get_segment_description(n).algorithm_type.value for n in (1, 2, 3)]
    assert kinds == ["MANUAL", "AUTOMATIC", "SEMIAUTOMATIC"]


@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(frames())
def test_every_structure_is_a_region_of_the_report(tmp_path_factory, frame):
    root = tmp_path_factory.mktemp("sr")
    tally = make(dicom_sr.FORMAT, root, frame)
    if not frame.annotations:
        assert tally.left_out[dicom_sr.WITHOUT] == 1
        return
    found = hd.sr.srread(root / "reports" / "a.dcm")
    groups = found.content.get_planar_roi_measurement_groups()
    assert len(groups) == len(frame.annotations)
    for group, record in zip(groups, frame.annotations, strict=True):
        assert group.finding_type == class_code(record.category)
        points = group.roi.value
        if record.kind == "keypoints":
            seen = [p for p, v in zip(record.points, record.visibility, strict=True) if v]
            assert np.allclose(points, seen, atol=1e-4)
        elif record.kind == "polygon":
            assert np.allclose(points[:-1], outlines(record)[0], atol=1e-4)
            assert (points[0] == points[-1]).all()


def test_a_head_is_an_ellipse_with_its_measures_in_millimetres(tmp_path):
    head = Annotation("head", "polygon", Ellipse(80, 60, 50, 40, 0.0).polygon(), source="expert")
    ends = Annotation("CRL_KP", "keypoints", ((10, 10), (40, 50)), visibility=(2, 2))
    frame = FrameRecords("images/a.png", *SIZE, (head, ends), spacing_mm=(1.0, 1.0))
    make(dicom_sr.FORMAT, tmp_path, frame)
    groups = hd.sr.srread(
        tmp_path / "reports" / "a.dcm"
    ).content.get_planar_roi_measurement_groups()
    assert groups[0].roi.graphic_type.value == "ELLIPSE"
    assert np.allclose(groups[0].roi.value, [[30, 60], [130, 60], [80, 20], [80, 100]])
    values = {m.name.meaning: (m.value, m.unit.value) for m in groups[0].get_measurements()}
    assert values["Head Circumference"] == (pytest.approx(283.617, abs=0.01), "mm")
    assert values["Biparietal Diameter"][0] == pytest.approx(80, abs=0.01)
    assert values["Occipital-Frontal Diameter"][0] == pytest.approx(100, abs=0.01)
    assert values["Area"] == (pytest.approx(math.pi * 2000, rel=0.002), "mm2")
    (length,) = groups[1].get_measurements()
    assert (length.name.value, length.value) == ("11957-8", pytest.approx(50))
    make(dicom_sr.FORMAT, tmp_path / "n", replace(frame, spacing_mm=None))
    found = hd.sr.srread(tmp_path / "n" / "reports" / "a.dcm")
    (only,) = found.content.get_planar_roi_measurement_groups()[0].get_measurements()
    assert (only.name.meaning, only.value) == ("Cephalic Index", pytest.approx(80, abs=0.01))


def test_every_class_has_a_code():
    for category in vocabulary().categories:
        code = class_code(category.name)
        assert code.value
        assert len(code.meaning) <= 64


@pytest.fixture
def clip(tmp_path):
    """Give a project with an annotated frame of a clip."""
    scan = open_scan(get_testdata_file("examples_ybr_color.dcm"))
    region = next(r for r in scan.regions if r.kind == "2d")
    mask = np.zeros((scan.height, scan.width), bool)
    mask[region.y0 + 20 : region.y0 + 60, region.x0 + 30 : region.x0 + 90] = True
    with Project.open(tmp_path / "p.fada") as project:
        project.add_scan(scan)
        record = mask_to_annotation(mask, "cardiac", source="expert", status="accepted")
        project.edit(scan.sha256, 4, add=[record])
        yield project, mask


def test_a_frame_of_a_clip_is_referred_to_in_the_original(clip, tmp_path):
    project, mask = clip
    wish = ExportRequest(keep_names=True, choices={"source": "original"})
    original = dcmread(get_testdata_file("examples_ybr_color.dcm"), stop_before_pixels=True)
    export_records(project, tmp_path / "seg", dicom_seg.FORMAT, wish)
    (path,) = (tmp_path / "seg" / "segmentations").iterdir()
    seg = hd.seg.segread(path)
    pixels = seg.get_pixels_by_source_frame(original.SOPInstanceUID, [5], combine_segments=True)
    assert (pixels[0] > 0).sum() == mask.sum()
    assert ((pixels[0] > 0) == mask).all()
    item = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0]
    assert (item.ReferencedSOPClassUID, item.ReferencedFrameNumber) == (original.SOPClassUID, 5)
    export_records(project, tmp_path / "sr", dicom_sr.FORMAT, wish)
    (path,) = (tmp_path / "sr" / "reports").iterdir()
    (group,) = hd.sr.srread(path).content.get_planar_roi_measurement_groups()
    reference = group.roi.ContentSequence[0].ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == original.SOPInstanceUID
    assert reference.ReferencedSOPClassUID == original.SOPClassUID
    assert reference.ReferencedFrameNumber == 5


def test_identifiers_of_originals_leave_only_if_asked(clip, tmp_path):
    project, _ = clip
    original = dcmread(get_testdata_file("examples_ybr_color.dcm"), stop_before_pixels=True)
    with pytest.raises(ExchangeError, match="identifiers") as error:
        export_records(
            project, tmp_path / "x", dicom_seg.FORMAT, ExportRequest(choices={"source": "original"})
        )
    assert "--keep-names" in error.value.todo
    for form in (dicom_seg.FORMAT, dicom_sr.FORMAT):
        out = tmp_path / form.name
        export_records(project, out, form, ExportRequest())
        data = b"".join(p.read_bytes() for p in out.rglob("*") if p.is_file())
        for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "StudyDate"):
            assert str(original.get(name) or "nothing of the kind").encode() not in data


def test_a_png_is_no_original(tmp_path):
    path = picture(tmp_path / "a.png")
    frame = FrameRecords("images/a.png", *SIZE, (box("LV"),), source=path)
    with pytest.raises(ExchangeError, match="no DICOM file"):
        make(dicom_seg.FORMAT, tmp_path, frame, source="original")
    writer = dicom_seg.SegWriter(tmp_path / "none", WriteOptions())
    with pytest.raises(ExchangeError, match="need images"):
        writer.add(frame, Tally())
