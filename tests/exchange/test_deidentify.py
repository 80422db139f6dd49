"""What leaves a project, and what a person is told to look at."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import deid_data
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file

from napari_fada.exchange import deidentify
from napari_fada.exchange.burnt_in import text_boxes, without
from napari_fada.exchange.deidentify import suspect_words
from napari_fada.exchange.export import export_records
from napari_fada.exchange.fada import FORMAT
from napari_fada.exchange.request import ExportRequest, Selection
from napari_fada.pipeline import PromptSet
from napari_fada.records.project import Project
from napari_fada.records.reading import INTERPRETATION_KEYS
from napari_fada.scans import open_scan
from record_samples import box

ULTRASOUNDS = Path(deid_data.__file__).parent / "data" / "ultrasounds"
SAMPLES = (
    *map(
        get_testdata_file,
        (
            "examples_rgb_color.dcm",
            "examples_palette.dcm",
            "examples_ybr_color.dcm",
            "examples_jpeg2k.dcm",
        ),
    ),
    str(ULTRASOUNDS / "GREYSCALE_IMAGE.dcm"),
    str(ULTRASOUNDS / "RGB_IMAGE.dcm"),
)


def export(project, out, **more):
    request = ExportRequest(Selection(), prompts=PromptSet.load(), **more)
    return export_records(project, out, FORMAT, request)


def secrets_of(path):
    """Return every text of a DICOM file that could name somebody or a day."""
    found = set()
    for element in dcmread(path).iterall():
        if element.VR in ("PN", "DA", "TM", "DT", "UI", "LO", "SH", "ST", "LT", "UT", "AS"):
            found.add(str(element.value))
    return {text for text in found if len(text) > 5}


@pytest.mark.parametrize("source", SAMPLES, ids=lambda s: Path(s).name)
def test_no_text_of_a_dicom_file_is_in_the_data_set(tmp_path, source):
    path = tmp_path / "DOE^JANE 1980.dcm"
    path.write_bytes(Path(source).read_bytes())
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    scan = open_scan(path)
    regions = deidentify.scan_regions(scan)
    x, y = (regions[0].x0 + 5, regions[0].y0 + 5) if regions else (5, 5)
    with Project.open(tmp_path / "p.fada", rater="Anna Berg") as project:
        project.add_scan(scan)
        project.edit(scan.sha256, 0, add=[box("CSP", x, y, 20, source="expert")])
        fields = dict.fromkeys(INTERPRETATION_KEYS, "Mrs Smith, seen on 12.03.2021, MRN: 123456789")
        project.set_report(scan.sha256, 0, fields=fields)
        summary = export(project, tmp_path / "out", shares={"train": 0.5, "val": 0.5})
    assert summary.images == 1
    written = b"".join(
        p.name.encode() + p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()
    )
    for secret in (*secrets_of(path), "DOE", "JANE", "Anna", scan.sha256):
        assert secret.encode() not in written, secret
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    report = json.loads((tmp_path / "out" / "deidentification.json").read_text())
    (words,) = report["look_at"]["words"].values()
    assert set(words["image_quality"]) == {"date", "name", "labelled", "number"}
    assert summary.notes[deidentify.WORDS] == 1


def test_letters_are_flagged_and_blacked_out_if_asked(tmp_path):
    scan = open_scan(get_testdata_file("examples_jpeg2k.dcm"))
    boxes = text_boxes(scan.frame(0))
    assert len(boxes) >= 6  # the column of settings on the left
    with Project.open(tmp_path / "p.fada") as project:
        project.add_scan(scan)
        project.edit(scan.sha256, 0, add=[box("CSP", 200, 200, 90, source="expert")])
        summary = export(project, tmp_path / "flagged", mask_outside=False)
        assert summary.notes[deidentify.TEXT] == 1
        export(project, tmp_path / "black", mask_outside=False, blackout=True)
    pixels = {}
    for name in ("flagged", "black"):
        (image,) = (tmp_path / name / "images").iterdir()
        pixels[name] = np.asarray(Image.open(image))
        report = json.loads((tmp_path / name / "deidentification.json").read_text())
        assert report["look_at"]["text_like_boxes_xyxy"] == {image.stem: [list(b) for b in boxes]}
    assert (pixels["flagged"] == scan.frame(0)).all()
    assert (pixels["black"] == without(scan.frame(0), boxes)).all()
    for x1, y1, x2, y2 in boxes:
        assert not pixels["black"][y1:y2, x1:x2].any()


def test_text_is_found_on_real_scans_and_tissue_is_seldom_taken_for_it(data_dir):
    def flagged(folder, step):
        paths = sorted((data_dir / folder / "images").glob("*.png"))[::step]
        return sum(bool(text_boxes(np.asarray(Image.open(p)))) for p in paths), len(paths)

    found, there = flagged("planes", 4)  # all of these show settings of the machine
    assert found == there
    false, there = flagged("psfhs", 20)  # none of these has text
    assert false <= there * 0.1
    hc18 = data_dir / "hc18/images"
    assert text_boxes(np.asarray(Image.open(hc18 / "236_HC.png")))  # "Cine 210", "8.2 sec"


def test_names_and_dates_in_the_pixels_are_found():
    scan = open_scan(ULTRASOUNDS / "RGB_IMAGE.dcm")
    boxes = text_boxes(scan.frame(0))
    # "ZZZDOWNTIME,MARY", "8:48:26 AM 4/14/2020" and "00047431395" at the top, outside the region.
    for x1, x2, y in ((5, 220, 15), (510, 710, 15), (5, 130, 43)):
        assert any(b[0] <= x1 + 6 and b[2] >= x2 - 6 and b[1] <= y <= b[3] for b in boxes)
    (region,) = deidentify.scan_regions(scan)
    assert all(y < region.y0 for y in (15, 43))


def test_an_empty_and_a_plain_image_have_no_text():
    assert text_boxes(np.zeros((40, 40), np.uint8)) == ()
    assert text_boxes(np.full((40, 40, 3), 255, np.uint8)) == ()


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Head at 20 weeks 3 days, HC 176.3 mm, BPD 48/62", []),
        ("Patient name: Smith", ["labelled"]),
        ("scanned 2021-03-12", ["date"]),
        ("seen by Dr. Berg on 3rd March 2021", ["date", "name"]),
        ("see 20210312", ["number"]),
        ("write to a.b@clinic.org", ["address"]),
    ],
)
def test_words_that_a_person_should_read(text, kinds):
    assert suspect_words(text) == kinds


def test_raters_have_one_pseudonym_for_a_project_and_another_in_another(tmp_path):
    names = []
    for number in range(2):
        with Project.open(tmp_path / f"{number}.fada", rater="Anna") as project:
            salt = project.salt
        frame = deidentify.pseudonymised(
            dataclasses.replace(_frame(), annotations=(box(rater="Anna"), box("LV", rater=""))),
            salt,
        )
        assert frame.annotations[0].rater == frame.rater
        assert frame.annotations[1].rater == ""
        names.append(frame.rater)
    assert len(set(names)) == 2
    assert all(name.startswith("rater-") for name in names)


def _frame():
    from napari_fada.exchange.frames import FrameRecords

    return FrameRecords("a.png", 100, 100, rater="Anna")
