"""What is measured on a frame, with which reasons where it cannot be, and how it is drawn."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from napari_fada.errors import MeasureError
from napari_fada.measure import Scale, Scales, measure_frame
from napari_fada.measure.ellipse import circumference
from napari_fada.measure.progression import angle_of_progression
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse
from napari_fada.records.geometry import mask_to_annotation, rasterise

SIZE = (800, 540)
MM = Scale(0.2, 0.2, "csv")
TALL = Scale(0.25, 0.2, "dicom-region")


def outline(category: str, *e: float, **fields: object) -> Annotation:
    x, y, a, b, angle = e
    return Annotation(category, "polygon", Ellipse(x, y, a, b, angle).polygon(), **fields)


def test_a_head() -> None:
    found = measure_frame([outline("Brain", 400, 270, 220, 175, 0.3)], MM, SIZE)
    values = {m.name: m.value for m in found.measured}
    assert values["hc"] == pytest.approx(0.2 * circumference(220, 175), rel=1e-4)
    assert values["ofd"] == pytest.approx(88, rel=1e-4)
    assert values["bpd_oo"] == pytest.approx(70, rel=1e-4)
    assert values["bpd_oi"] == pytest.approx(-0.403458 + 0.9714153 * 70, rel=1e-4)
    assert values["cephalic_index"] == pytest.approx(100 * 175 / 220, rel=1e-4)
    assert values["area"] == pytest.approx(math.pi * 44 * 35, rel=0.002)
    assert values["perimeter"] == pytest.approx(values["hc"], rel=0.001)
    assert not found.unmeasured
    hc = found.get("hc")
    assert hc is not None
    assert (hc.unit, hc.scale_origin, hc.category) == ("mm", "csv", "Brain")
    assert hc.shapes[0].kind == "ellipse"
    bpd = found.get("bpd_oo")
    assert bpd is not None
    assert MM.length(*bpd.shapes[0].points) == pytest.approx(70, rel=1e-4)
    assert bpd.to_dict()["shapes"][0]["role"] == "bpd"


def test_without_a_scale_there_are_no_millimetres_but_ratios() -> None:
    found = measure_frame([outline("Brain", 400, 270, 220, 175, 0.3)], None, SIZE)
    assert {m.name for m in found.measured} == {"cephalic_index"}
    assert "square" in found.measured[0].note
    assert {(u.name, u.reason) for u in found.unmeasured} == {
        ("hc", "there is no scale: no millimetres"),
        ("area", "there is no scale: no millimetres"),
    }


def test_pixels_that_are_not_square() -> None:
    truth = Ellipse(80, 60, 40, 30, 0.7)
    record = Annotation("head", "polygon", TALL.to_pixels(truth.polygon(20)))
    found = measure_frame([record], TALL, SIZE)
    hc, ofd = found.get("hc"), found.get("ofd")
    assert hc is not None
    assert ofd is not None
    assert hc.value == pytest.approx(circumference(40, 30), rel=5e-4)
    assert ofd.value == pytest.approx(80, rel=5e-4)


def test_the_record_that_an_expert_judged_is_measured() -> None:
    model = outline("Brain", 400, 270, 240, 175, 0.3, score=0.9)
    expert = outline("Brain", 400, 270, 200, 160, 0.3, status="corrected", source="expert")
    rejected = outline("Brain", 400, 270, 100, 90, 0.3, status="rejected")
    for records in ([model, expert, rejected], [rejected, expert, model]):
        hc = measure_frame(records, MM, SIZE).get("hc")
        assert hc is not None
        assert hc.uids == (expert.uid,)
        assert hc.source == "expert"


def test_a_box_is_no_ellipse_and_an_outline_wins_over_it() -> None:
    box = Annotation("Brain", "box", ((100, 100), (500, 400)))
    found = measure_frame([box], MM, SIZE)
    assert [(u.name, u.reason) for u in found.unmeasured] == [
        ("hc", "Brain is a box: an ellipse needs an outline")
    ]
    both = measure_frame([box, outline("head", 300, 250, 150, 120, 0)], MM, SIZE)
    assert both.get("hc") is not None


def test_an_outline_at_the_edge_of_the_image_is_told() -> None:
    record = outline("Brain", 200, 270, 200, 175, 0.0)
    hc = measure_frame([record], MM, SIZE).get("hc")
    assert hc is not None
    assert "edge of the image" in hc.note


def test_an_abdomen() -> None:
    found = measure_frame([outline("abdomen", 400, 270, 200, 180, 0.3)], MM, SIZE)
    values = {m.name: m.value for m in found.measured}
    assert values["ac"] == pytest.approx(0.2 * circumference(200, 180), rel=1e-4)
    assert (values["tad"], values["apad"]) == pytest.approx((80, 72), rel=1e-4)
    tad = found.get("tad")
    assert tad is not None
    assert "which axis" in tad.note


def bar(category: str, length: float, width: float, angle: float) -> Annotation:
    c, s = math.cos(angle), math.sin(angle)
    corners = [(0, 0), (length, 0), (length, width), (0, width)]
    points = tuple((300 + c * u - s * v, 200 + s * u + c * v) for u, v in corners)
    return Annotation(category, "polygon", points)


def test_a_femur_is_its_largest_diameter_and_only_in_a_femur_view() -> None:
    record = bar("legs", 200, 15, 0.4)
    for view in (None, "FL_PLANE", "FL"):
        fl = measure_frame([record], MM, SIZE, view=view).get("fl")
        assert fl is not None
        assert fl.value == pytest.approx(0.2 * math.hypot(200, 15))
        assert MM.length(*fl.shapes[0].points) == pytest.approx(fl.value)
    other = measure_frame([record], MM, SIZE, view="legs")
    assert other.get("fl") is None
    assert "femur view" in other.unmeasured[0].reason
    whole = measure_frame([record, outline("abdomen", 400, 300, 90, 80, 0)], MM, SIZE)
    assert whole.get("fl") is None
    points = Annotation("legs", "keypoints", ((0, 0), (30, 40)), visibility=(2, 2))
    fl = measure_frame([points], MM, SIZE).get("fl")
    assert fl is not None
    assert fl.value == pytest.approx(10)


def test_crown_rump_and_nuchal_translucency_with_its_window() -> None:
    crl = Annotation("CRL_KP", "keypoints", ((100, 100), (400, 100)), visibility=(2, 1))
    nt = Annotation("NTKpoints", "keypoints", ((50, 50), (50, 60)), visibility=(2, 2))
    found = measure_frame([crl, nt], TALL, SIZE)
    values = {m.name: m for m in found.measured}
    assert values["crl"].value == pytest.approx(60)
    assert values["nt"].value == pytest.approx(2.5)  # along y, where pixels are taller
    assert "lies in the window" in values["nt"].note
    far = measure_frame([nt], MM, SIZE, crl_mm=90).get("nt")
    assert far is not None
    assert "outside the window" in far.note
    alone = measure_frame([nt], MM, SIZE).get("nt")
    assert alone is not None
    assert "CRL is not known" in alone.note
    assert "centile" not in str(alone.to_dict())
    one = replace(crl, visibility=(2, 0))
    assert "1 visible points" in measure_frame([one], MM, SIZE).unmeasured[0].reason


def test_thickness_of_outlines() -> None:
    lens = outline("NT", 400, 270, 60, 10, 0.5)
    nt = measure_frame([lens], MM, SIZE).get("nt")
    assert nt is not None
    assert nt.value == pytest.approx(0.2 * 20, rel=0.01)
    assert MM.length(*nt.shapes[0].points) == pytest.approx(nt.value, rel=1e-6)
    ventricle = measure_frame([bar("LV", 100, 40, 0.3)], MM, SIZE).get("lv_width")
    assert ventricle is not None
    assert ventricle.value == pytest.approx(8, rel=0.001)
    boxed = measure_frame([Annotation("LV", "box", ((0, 0), (50, 20)))], MM, SIZE)
    assert "outline it" in boxed.unmeasured[0].reason


def test_cardiothoracic_ratio() -> None:
    heart, thorax = (
        outline("cardiac", 400, 270, 60, 50, 1),
        outline("thorax", 400, 270, 120, 110, 0),
    )
    for scale in (MM, None):
        found = measure_frame([heart, thorax], scale, SIZE)
        circles, areas = found.get("ctr_circumference"), found.get("ctr_area")
        assert circles is not None
        assert areas is not None
        assert circles.value == pytest.approx(
            circumference(60, 50) / circumference(120, 110), rel=1e-4
        )
        assert areas.value == pytest.approx(60 * 50 / (120 * 110), rel=1e-4)
        assert circles.uids == (heart.uid, thorax.uid)


EXAMPLES = [
    (
        *(Ellipse(100, 80, 30, 10, 0), Ellipse(110, 170, 60, 50, 0)),
        *((130, 80), (165.38, 150.77), 116.57, 41.19),
    ),
    (
        *(Ellipse(80, 60, 25, 9, math.radians(35)), Ellipse(75, 160, 70, 52.5, math.radians(20))),
        *((100.48, 74.34), (137.62, 147.95), 151.77, 63.64),
    ),
]


@pytest.mark.parametrize(("bone", "head", "vertex", "touch", "degrees", "other"), EXAMPLES)
def test_angle_of_progression(
    bone: Ellipse,
    head: Ellipse,
    vertex: tuple[float, float],
    touch: tuple[float, float],
    degrees: float,
    other: float,
) -> None:
    found = angle_of_progression(bone, head)
    assert found.degrees == pytest.approx(degrees, abs=0.006)
    assert found.other == pytest.approx(other, abs=0.02)
    assert found.vertex == pytest.approx(vertex, abs=0.006)
    assert found.touch == pytest.approx(touch, abs=0.006)
    assert angle_of_progression(bone, head, tangent="challenge") == found
    flipped = [Ellipse(256 - e.x, e.y, e.a, e.b, math.pi - e.angle) for e in (bone, head)]
    mirrored = angle_of_progression(*flipped, mirrored=True)
    assert mirrored.degrees == pytest.approx(degrees, abs=0.006)
    assert mirrored.touch == pytest.approx((256 - touch[0], touch[1]), abs=0.006)


def test_the_challenge_may_take_the_other_tangent() -> None:
    draw = random.Random(1).uniform
    differ = compared = 0
    for _ in range(400):
        bone = Ellipse(draw(60, 140), draw(40, 100), 30, 10, draw(0, 1))
        head = Ellipse(draw(60, 220), draw(140, 190), 60, 45, draw(0, math.pi))
        try:
            larger = angle_of_progression(bone, head)
        except MeasureError:
            continue
        challenge = angle_of_progression(bone, head, tangent="challenge").degrees
        assert challenge in (larger.degrees, larger.other)
        compared += 1
        if head.x < larger.vertex[0]:
            assert challenge == larger.degrees
        differ += challenge != larger.degrees
    assert compared > 300
    assert 0 < differ < compared / 3


def test_no_tangent_from_inside_the_head() -> None:
    with pytest.raises(MeasureError, match="no tangent"):
        angle_of_progression(Ellipse(100, 100, 30, 10, 0), Ellipse(130, 100, 50, 40, 0))


def test_labels_of_a_transperineal_scan() -> None:
    masks = [
        mask_to_annotation(rasterise(outline(name, *e), (256, 256)), name)
        for name, e in (
            ("pubic_symphysis", (100, 80, 30, 10, 0)),
            ("fetal_head", (110, 170, 60, 50, 0)),
        )
    ]
    records = [m for m in masks if m is not None]
    found = measure_frame(records, None, (256, 256))
    aop = found.get("aop")
    assert aop is not None
    assert aop.value == pytest.approx(116.57, abs=0.3)
    assert aop.unit == "deg"
    assert {s.kind for s in aop.shapes} == {"caliper", "tangent", "ellipse"}
    assert "square" in aop.note
    # The head in labour is not in the plane of HC.
    assert found.get("hc") is None
    assert any(u.name == "hc" and "labour" in u.reason for u in found.unmeasured)
    # Pixels that are not square change the angle: it is measured in mm.
    stretched = [replace(r, points=tuple((2 * x, y) for x, y in r.points)) for r in records]
    same = measure_frame(stretched, Scale(0.2, 0.1, "user"), (512, 256)).get("aop")
    assert same is not None
    assert same.value == pytest.approx(aop.value, abs=0.6)


def test_a_mirrored_scan_is_asked_about() -> None:
    records = [
        outline("pubic_symphysis", 180, 60, 30, 10, 2.8),
        outline("fetal_head", 100, 170, 60, 50, 0),
    ]
    found = measure_frame(records, None, (256, 256))
    assert found.get("aop") is None
    assert any("mirrored" in u.reason for u in found.unmeasured)
    assert measure_frame(records, None, (256, 256), mirrored=True).get("aop") is not None


def test_the_border_of_a_painted_mask_is_not_too_long() -> None:
    painted = mask_to_annotation(
        rasterise(outline("liver", 300, 250, 100, 80, 0.4), (540, 800)), "liver"
    )
    assert painted is not None
    found = measure_frame([painted], MM, SIZE)
    perimeter, area = found.get("perimeter"), found.get("area")
    assert perimeter is not None
    assert area is not None
    assert perimeter.value == pytest.approx(0.2 * circumference(100, 80), rel=0.01)
    assert area.value == pytest.approx(math.pi * 20 * 16, rel=0.005)


def test_nothing_there_and_a_proposed_scale_measure_nothing() -> None:
    assert measure_frame([], MM, SIZE) == measure_frame([], None, SIZE)
    ticks = Scales([replace(MM, origin="depth-ticks", proposed=True)])
    assert measure_frame([outline("Brain", 400, 270, 220, 175, 0)], ticks, SIZE).get("hc") is None


def test_any_outline_and_any_pair_of_points_has_a_length() -> None:
    ring = ((100.0, 100.0), (180.0, 100.0), (180.0, 160.0), (100.0, 160.0))
    outline = Annotation("thorax", "polygon", ring, source="expert", status="accepted")
    points = ((50.0, 50.0), (80.0, 90.0), (0.0, 0.0))
    pair = Annotation(
        "vein", "keypoints", points, visibility=(2, 1, 0), source="expert", status="accepted"
    )
    found = measure_frame([outline, pair], Scale(0.5, 0.5, "user"), (400, 300))
    lengths = {m.category: m for m in found.measured if m.name == "length"}
    assert lengths["thorax"].value == pytest.approx(50.0)  # its diagonal
    assert lengths["vein"].value == pytest.approx(25.0)
    (shape,) = lengths["vein"].shapes
    assert (shape.kind, shape.uid) == ("caliper", pair.uid)
    # Points with a name of their own are not measured twice, and the bar of the scale not at all.
    for name in ("CRL_KP", "ScaleBarKpoints"):
        other = Annotation(name, "keypoints", points[:2], source="expert", status="accepted")
        again = measure_frame([other], Scale(0.5, 0.5, "user"), (400, 300))
        assert again.get("length") is None
