"""Where millimetres come from, in which order, and that none are made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_fada.errors import MeasureError
from napari_fada.measure import (
    Scale,
    Scales,
    measure_frame,
    read_spacing_table,
    scale_from_bar,
    scale_from_points,
    scale_of,
)
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse
from napari_fada.scans import Region, Scan, Spacing, scan_from_array


def scan_with(*regions: Region, spacing: Spacing | None = None) -> Scan:
    scan = scan_from_array(np.zeros((200, 300), np.uint8), name="a.dcm")
    return replace(scan, regions=regions, spacing=spacing)


def test_the_region_that_holds_the_object_gives_the_scale() -> None:
    left = Region(0, 0, 150, 200, "2d", Spacing(0.3, 0.2, "dicom-region"))
    right = Region(150, 0, 300, 200, "2d", Spacing(0.5, 0.4, "dicom-region"))
    scales = Scales(scan=scan_with(left, right, spacing=left.spacing))
    heads = [
        Annotation("Brain", "polygon", Ellipse(x, 100, 50, 40, 0).polygon()) for x in (75, 225)
    ]
    values = [measure_frame([h], scales, (300, 200)).get("ofd") for h in heads]
    assert [v and v.value for v in values] == pytest.approx([24, 40], rel=1e-4)
    assert values[0] is not None
    assert values[0].scale_origin == "dicom-region"


def test_what_spans_regions_of_different_scales_is_not_compared() -> None:
    left = Region(0, 0, 150, 200, "2d", Spacing(0.3, 0.3, "dicom-region"))
    right = Region(150, 0, 300, 200, "2d", Spacing(0.4, 0.4, "dicom-region"))
    records = [
        Annotation("cardiac", "polygon", Ellipse(75, 100, 30, 25, 0).polygon()),
        Annotation("thorax", "polygon", Ellipse(225, 100, 60, 55, 0).polygon()),
    ]
    scales = Scales(scan=scan_with(left, right, spacing=left.spacing))
    found = measure_frame(records, scales, (300, 200))
    assert found.get("ctr_area") is None
    assert any("different scales" in u.reason for u in found.unmeasured)


def test_a_trace_has_no_millimetres_even_if_a_table_says_so() -> None:
    trace = Region(0, 100, 300, 200, "spectral")
    image = Region(0, 0, 300, 100, "2d", Spacing(0.2, 0.2, "dicom-region"))
    scales = Scales([Scale(0.1, 0.1, "csv")], scan=scan_with(image, trace, spacing=image.spacing))
    assert scales.at(10, 150) is None
    found = scales.at(10, 50)
    assert found is not None
    assert found.origin == "dicom-region"
    assert "table of the project says 0.1000 mm" in found.note
    assert scales.main == found


def test_order_of_origins_and_a_person_who_says_otherwise() -> None:
    bar, table = Scale(0.2, 0.2, "scale-bar"), Scale(0.201, 0.201, "csv", "t.csv")
    typed = Scale(0.3, 0.3, "two-points")
    found = Scales([typed, bar, None, table]).main
    assert found is not None
    assert found.origin == "csv"
    assert "scale bar" not in found.note  # within 2 %
    assert "two points" in found.note
    assert "t.csv" in found.note
    first = Scales([typed, bar, table], first="two-points").main
    assert first is not None
    assert first.origin == "two-points"
    assert Scales([]).main is None


def test_what_is_only_proposed_measures_nothing() -> None:
    proposed = Scale(0.2, 0.2, "depth-ticks", proposed=True)
    scales = Scales([proposed])
    assert scales.main is None
    assert scales.proposed == (proposed,)


def test_two_points_and_a_length() -> None:
    found = scale_from_points((10, 10), (110, 10), 50)
    assert (found.y, found.x, found.origin) == (0.5, 0.5, "two-points")
    assert "1.4 %" in found.note
    for a, b, length in (
        ((0, 0), (1, 0), 10),
        ((0, 0), (100, 0), 0),
        ((0, 0), (100, 0), float("nan")),
        ((0, 0), (100, 0), 5000),
    ):
        with pytest.raises(MeasureError):
            scale_from_points(a, b, length)


def test_a_scale_bar_needs_its_length() -> None:
    ends = Annotation("ScaleBarKpoints", "keypoints", ((5, 100), (5, 200)), visibility=(2, 2))
    assert scale_from_bar([ends], None) is None
    found = scale_from_bar([ends], 10)
    assert found is not None
    assert (found.x, found.origin) == (0.1, "scale-bar")
    assert scale_from_bar([replace(ends, status="rejected")], 10) is None
    assert scale_from_bar([replace(ends, visibility=(2, 0))], 10) is None


def test_a_scale_that_no_scan_has_is_refused() -> None:
    for size in (0.0, -0.1, 10.0, float("nan"), float("inf")):
        with pytest.raises(MeasureError):
            Scale(size, size, "user")
    assert scale_of(Spacing(20.0, 20.0, "dicom-pixel-spacing")) is None
    assert scale_of(None) is None


@pytest.mark.parametrize(
    "text",
    [
        "file,pixel_size_mm\na.png,0.1\nsub/b.png,0.2\n",
        "filename,pixel size(mm),head circumference (mm)\na.png,0.1,44.3\nsub/b.png,0.2,\n",
        "\ufefffile;pixel_size_mm\r\na.png;0,1\r\nsub\\b.png;0,2\r\n",
        "image\tmm per pixel\na.png\t0.1\nsub/b.png\t0.2\n\n",
    ],
)
def test_tables_of_several_hands(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    table = read_spacing_table(path)
    assert not table.problems
    sizes = [table.of(p) for p in ("/data/a.png", Path("/x/sub/b.png"), "a.dcm", "c.png")]
    assert [s and s.x for s in sizes] == [0.1, 0.2, 0.1, None]
    assert sizes[0] is not None
    assert (sizes[0].origin, sizes[0].note) == ("csv", "t.csv")


def test_a_table_of_pixels_that_are_not_square(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("file,pixel_size_y_mm,pixel_size_x_mm\na.png,0.3,0.2\n", encoding="utf-8")
    scale = read_spacing_table(path).of("a.png")
    assert scale is not None
    assert (scale.y, scale.x) == (0.3, 0.2)


def test_odd_rows_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = ["file,pixel_size_mm", "a.png,0.1", "b.png,", "c.png,wide", "d.png,44", ",0.1"]
    rows += ["e.png,0.1", "e.png,0.2", "e.png,0.1"]
    path.write_text("\n".join(rows), encoding="utf-8")
    table = read_spacing_table(path)
    assert set(table.scales) == {"a.png"}
    text = "\n".join(table.problems)
    for word in (
        "line 3: b.png: no size is given",
        "line 4: c.png: 'wide' is no number",
        "line 5: d.png: 44 × 44 mm is no size of a pixel",
        "line 6: the file is missing",
        "line 8: e.png stands there twice",
    ):
        assert word in text


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "file,pixel_size_mm\n", "file,pixel_size_mm\na,x"]
)
def test_a_table_that_says_nothing_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MeasureError, match=r"t\.csv"):
        read_spacing_table(path)
    with pytest.raises(MeasureError, match="cannot be read"):
        read_spacing_table(tmp_path / "none.csv")
