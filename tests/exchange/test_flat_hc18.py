"""Tables: CSV of everything, and HC18's ellipses in millimetres."""

from __future__ import annotations

import csv
import math
from dataclasses import replace

import numpy as np
import pytest
from format_samples import SIZE, frames, picture, read_back, real_frames, written
from hypothesis import HealthCheck, given, settings
from shapely import from_wkt

from napari_fada.errors import ExchangeError
from napari_fada.exchange import flat, hc18
from napari_fada.exchange.frames import FrameRecords
from napari_fada.measure import Scale
from napari_fada.measure.ellipse import measured_ellipse
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse
from napari_fada.records.geometry import area
from record_samples import box, polygon

RELAXED = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@RELAXED
@given(frames())
def test_every_structure_and_frame_is_a_row(tmp_path_factory, frame):
    root = tmp_path_factory.mktemp("csv")
    frame = replace(frame, fields={"image_quality": 'good, "very"\nclear'})
    tally = written(flat.FORMAT, root, frame)
    assert tally.written["rows"] == 1 + len(frame.annotations)
    rows = rows_of(root / "annotations.csv")
    assert [r["uid"] for r in rows] == [a.uid for a in frame.annotations]
    for row, record in zip(rows, frame.annotations, strict=True):
        shape = from_wkt(row["geometry_wkt"])
        if record.kind == "keypoints":
            assert row["area_px2"] == ""
            assert len(shape.geoms) == len(record.points)
        else:
            assert shape.area == pytest.approx(area(record), abs=0.2)
            assert float(row["area_px2"]) == pytest.approx(area(record), abs=1e-3)
            if frame.spacing_mm:
                mm2 = area(record) * frame.spacing_mm[0] * frame.spacing_mm[1]
                assert float(row["area_mm2"]) == pytest.approx(mm2, abs=1e-3)
            else:
                assert row["area_mm2"] == ""
    (row,) = rows_of(root / "frames.csv")
    assert row["image_quality"] == 'good, "very"\nclear'
    assert (row["view"], row["group"]) == (frame.view or "", frame.group)


@pytest.mark.parametrize("text", ["=1+2", "+cmd", "-2", "@sum", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(text):
    assert flat.safe([text, -2.5, 3, None, "fine"]) == [f"'{text}", -2.5, 3, None, "fine"]


def test_what_is_measured_is_a_row_with_method_and_scale(tmp_path):
    head = Annotation("head", "polygon", Ellipse(80, 60, 50, 40, 0.0).polygon(), source="expert")
    frame = FrameRecords(
        *("images/a.png", *SIZE, (head,)), spacing_mm=(0.5, 0.5), spacing_origin="csv"
    )
    written(flat.FORMAT, tmp_path, frame)
    rows = {r["name"]: r for r in rows_of(tmp_path / "measurements.csv")}
    assert float(rows["hc"]["value"]) == pytest.approx(283.617 / 2, abs=0.01)
    assert (rows["hc"]["unit"], rows["hc"]["class"], rows["hc"]["scale_origin"]) == (
        *("mm", "head", "csv"),
    )
    assert rows["hc"]["uids"] == head.uid
    assert rows["hc"]["method"]
    written(flat.FORMAT, tmp_path, replace(frame, spacing_mm=None))
    assert "hc" not in {r["name"] for r in rows_of(tmp_path / "measurements.csv")}


def test_real_heads_have_the_published_circumference(data_dir, tmp_path):
    published = {r["file"]: r for r in rows_of(data_dir / "hc18" / "measurements.csv")}
    real = [f for f in real_frames(data_dir, 30) if f.image.endswith("HC.png")]
    size = {f.image[7:]: float(published[f.image[7:]]["pixel_size_mm"]) for f in real}
    real = [replace(f, spacing_mm=(size[f.image[7:]],) * 2) for f in real]
    written(hc18.FORMAT, tmp_path, *real)
    rows = rows_of(tmp_path / "hc18.csv")
    assert len(rows) == len(real)
    off = []
    for row in rows:
        a, b = float(row["semi_axes_a_mm"]), float(row["semi_axes_b_mm"])
        h = ((a - b) / (a + b)) ** 2
        hc = math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))  # Ramanujan's second
        # The masks hold the drawn outline: their perimeter is 5.85 px longer (edge fit).
        off.append(
            hc
            - 5.85 * size[row["filename"]]
            - float(published[row["filename"]]["head_circumference_mm"])
        )
    assert np.abs(off).mean() < 0.5


def test_what_cannot_be_measured_is_counted(tmp_path):
    head = replace(polygon("head"), points=Ellipse(60, 60, 40, 30, 0.3).polygon())
    flat_one = replace(head, points=((0, 0), (50, 0), (50, 1), (25, 1), (0, 1), (0, 0.5)))
    scale = {"spacing_mm": (0.2, 0.2)}
    tally = written(
        hc18.FORMAT,
        tmp_path,
        FrameRecords("images/a.png", *SIZE, (box("CSP"),), **scale),
        FrameRecords("images/b.png", *SIZE, (head,)),
        FrameRecords("images/c.png", *SIZE, (flat_one,), **scale),
        FrameRecords("images/d.png", *SIZE, (head,), **scale),
    )
    assert dict(tally.left_out) == {hc18.NO_HEAD: 1, hc18.NO_SCALE: 1, hc18.NO_ELLIPSE: 1}
    (row,) = rows_of(tmp_path / "hc18.csv")
    assert row["filename"] == "d.png"


def test_the_table_comes_back_as_outlines(tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "hc18.csv").write_text(
        f"{','.join(hc18.HEAD)}\na.png,12,12,8,6,0.5\nb.png,1,1,1,1,0\na.png,x,1,1,1,0\n"
    )
    with pytest.raises(ExchangeError, match="sizes of pixels"):
        read_back(hc18.FORMAT, tmp_path)
    (tmp_path / "pixel.csv").write_text("filename,pixel size(mm)\na.png,0.2\n")
    (frame,), problems = read_back(hc18.FORMAT, tmp_path, category="Brain")
    (record,) = frame.annotations
    assert (record.category, frame.spacing_mm) == ("Brain", (0.2, 0.2))
    assert measured_ellipse(record, Scale(0.2, 0.2, "csv")).mm.a == pytest.approx(8, rel=1e-4)
    assert [(p.where, p.what) for p in problems] == [
        ("b.png", "no table gives its size of a pixel"),
        ("a.png", "could not convert string to float: 'x'"),
    ]
    (tmp_path / "none").mkdir()
    with pytest.raises(ExchangeError, match="no table"):
        read_back(hc18.FORMAT, tmp_path / "none")
