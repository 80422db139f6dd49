"""Dragging a line of a measurement: what was dragged is measured there, and the rest stays."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fada.errors import MeasureError
from napari_fada.measure import Measurement, Scale, measure_frame
from napari_fada.measure.dragging import caliper_dragged, ellipse_dragged, moved
from napari_fada.measure.results import Shape
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse
from napari_fada.records.geometry import mask_to_annotation

SIZE = (800, 600)
SQUARE = Scale(0.2, 0.2, "user")
OBLONG = Scale(0.3, 0.2, "user")


def head(a: float = 150.0, b: float = 115.0, angle: float = 0.3) -> Annotation:
    ring = Ellipse(400, 300, a, b, angle).polygon()
    return Annotation("Brain", "polygon", ring, source="expert", status="accepted")


def bumpy() -> Annotation:
    """Draw a head by hand: twenty corners, none of them quite on the ellipse."""
    rng = np.random.default_rng(3)
    ring = Ellipse(400, 300, 150, 115, 0.3).polygon(20)
    return replace(
        head(), points=tuple((x + rng.normal(0, 2), y + rng.normal(0, 2)) for x, y in ring)
    )


def painted() -> Annotation:
    y, x = np.mgrid[:600, :800] + 0.5
    found = mask_to_annotation(((x - 400) / 150) ** 2 + ((y - 300) / 115) ** 2 <= 1, "Brain")
    assert found is not None
    return found


def measure(record: Annotation, name: str, scale: Scale = SQUARE) -> Measurement:
    found = measure_frame([record], scale, SIZE).get(name)
    assert found is not None, name
    return found


def line(record: Annotation, name: str, scale: Scale = SQUARE) -> Shape:
    return next(s for s in measure(record, name, scale).shapes if s.kind == "caliper")


def drag(
    record: Annotation, name: str, by: tuple[float, float], scale: Scale = SQUARE
) -> Annotation:
    """Drag the second end of a caliper."""
    shape = line(record, name, scale)
    a, b = shape.points
    return caliper_dragged(record, shape, (a, (b[0] + by[0], b[1] + by[1])), scale, SIZE)


@pytest.mark.parametrize("scale", [SQUARE, OBLONG])
@pytest.mark.parametrize("record", [head(), bumpy(), painted()], ids=["exact", "bumpy", "painted"])
@pytest.mark.parametrize("name", ["bpd_oo", "ofd"])
def test_the_axis_is_where_it_was_let_go(name: str, record: Annotation, scale: Scale) -> None:
    shape = line(record, name, scale)
    a, b = shape.points
    to = (b[0] + 14.0, b[1] - 9.0)
    new = caliper_dragged(record, shape, (a, to), scale, SIZE)
    value = measure(new, name, scale).value
    assert value == pytest.approx(scale.length(a, to), abs=0.02)
    ends = line(new, name, scale).points
    for wanted in (a, to):
        assert min(math.dist(wanted, end) for end in ends) < 0.1


@pytest.mark.parametrize("scale", [SQUARE, OBLONG])
def test_what_lies_across_stays_as_it_was(scale: Scale) -> None:
    record = head()
    shape = line(record, "bpd_oo", scale)
    (a, b), across = shape.points, measure(record, "ofd", scale).value
    (x1, y1), (x2, y2) = a, b
    to = (x1 + 0.9 * (x2 - x1), y1 + 0.9 * (y2 - y1))  # shorter, in the same direction
    new = caliper_dragged(record, shape, (a, to), scale, SIZE)
    assert measure(new, "bpd_oo", scale).value == pytest.approx(0.9 * scale.length(a, b), rel=1e-4)
    assert measure(new, "ofd", scale).value == pytest.approx(across, rel=1e-4)


@given(st.floats(-40, 40), st.floats(-40, 40))
@settings(max_examples=40, deadline=None)
def test_any_drag_of_an_axis_is_measured_as_it_was_dragged(dx: float, dy: float) -> None:
    record = bumpy()
    shape = line(record, "ofd")
    a, b = shape.points
    to = (b[0] + dx, b[1] + dy)
    new = caliper_dragged(record, shape, (a, to), SQUARE, SIZE)
    assert len(new.points) == len(record.points)
    values = [measure(new, name).value for name in ("ofd", "bpd_oo")]
    assert min(abs(v - SQUARE.length(a, to)) for v in values) < 0.05


def test_a_short_axis_dragged_beyond_the_long_one_becomes_the_long_one() -> None:
    record = head()
    shape = line(record, "bpd_oo")
    (x1, y1), (x2, y2) = shape.points
    to = (x1 + 1.6 * (x2 - x1), y1 + 1.6 * (y2 - y1))
    new = caliper_dragged(record, shape, ((x1, y1), to), SQUARE, SIZE)
    assert measure(new, "ofd").value == pytest.approx(1.6 * 46.0, rel=1e-3)
    assert measure(new, "bpd_oo").value == pytest.approx(60.0, rel=1e-3)


def test_nothing_dragged_changes_nothing() -> None:
    for record in (head(), bumpy()):
        shape = line(record, "bpd_oo")
        same = caliper_dragged(record, shape, (shape.points[0], shape.points[1]), SQUARE, SIZE)
        assert np.allclose(same.points, record.points, atol=1e-9)


def test_two_points_go_where_they_are_put() -> None:
    ends = ((100.0, 200.0), (300.0, 210.0), (50.0, 50.0))
    record = Annotation(
        "CRL_KP", "keypoints", ends, visibility=(2, 2, 0), source="expert", status="accepted"
    )
    shape = line(record, "crl")
    to = ((110.0, 190.0), (320.0, 240.0))
    new = caliper_dragged(record, shape, to, OBLONG, SIZE)
    assert new.points == (*to, (50.0, 50.0))  # a point that is absent stays
    assert measure(new, "crl", OBLONG).value == pytest.approx(OBLONG.length(*to))


def test_a_femur_is_turned_and_stretched_along_itself() -> None:
    ring = ((200.0, 290.0), (400.0, 290.0), (400.0, 310.0), (200.0, 310.0))
    record = Annotation("legs", "polygon", ring, source="expert", status="accepted")
    before = measure(record, "area").value
    shape = line(record, "fl")
    (x1, y1), (x2, y2) = shape.points
    to = (x1 + 1.25 * (x2 - x1), y1 + 1.25 * (y2 - y1))
    new = caliper_dragged(record, shape, ((x1, y1), to), SQUARE, SIZE)
    assert measure(new, "fl").value == pytest.approx(1.25 * SQUARE.length((x1, y1), (x2, y2)))
    assert measure(new, "area").value == pytest.approx(1.25 * before)


@pytest.mark.parametrize("scale", [SQUARE, OBLONG])
def test_holes_go_with_their_outline(scale: Scale) -> None:
    hole = ((380.0, 280.0), (420.0, 280.0), (420.0, 320.0))
    record = replace(head(), rings=(hole,))
    new = drag(record, "ofd", (20.0, 6.0), scale)
    (now,) = new.rings
    # One affine map for both: the hole lies among the corners as before.
    old = np.c_[np.asarray(record.points), np.ones(len(record.points))]
    matrix, *_ = np.linalg.lstsq(old, np.asarray(new.points), rcond=None)
    assert np.allclose(np.c_[np.asarray(hole), np.ones(3)] @ matrix, now, atol=1e-6)


@pytest.mark.parametrize("scale", [SQUARE, OBLONG])
def test_an_ellipse_grows_about_its_centre(scale: Scale) -> None:
    record = head()
    hc = measure(record, "hc", scale)
    shape = hc.shapes[0]
    grabbed = shape.points[10]
    to = tuple(c + 1.1 * (g - c) for c, g in zip((400.0, 300.0), grabbed, strict=True))
    new = ellipse_dragged(record, shape, grabbed, (to[0], to[1]), scale, SIZE)
    assert measure(new, "hc", scale).value == pytest.approx(1.1 * hc.value, rel=1e-4)
    assert np.allclose(np.mean(new.points, axis=0), (400, 300), atol=1e-6)
    with pytest.raises(MeasureError, match="inside out"):
        ellipse_dragged(record, shape, grabbed, (400.0, 300.0), scale, SIZE)


def test_a_whole_structure_moves() -> None:
    record = replace(head(), rings=(((390.0, 290.0), (410.0, 290.0), (410.0, 310.0)),))
    new = moved(record, (7.0, -3.0))
    assert np.allclose(np.subtract(new.points, record.points), (7, -3))
    assert np.allclose(np.subtract(new.rings[0], record.rings[0]), (7, -3))
    assert measure(new, "hc").value == pytest.approx(measure(record, "hc").value)


def test_both_ends_on_one_spot_are_refused() -> None:
    record = head()
    shape = line(record, "bpd_oo")
    a, _ = shape.points
    with pytest.raises(MeasureError, match="cannot be the same"):
        caliper_dragged(record, shape, (a, (a[0] + 1.0, a[1])), SQUARE, SIZE)


def test_the_symphysis_and_the_head_in_labour_can_be_dragged_without_a_scale() -> None:
    bone = Annotation("pubic_symphysis", "polygon", Ellipse(200, 180, 60, 22, 0.5).polygon())
    skull = Annotation("fetal_head", "polygon", Ellipse(420, 330, 160, 130, 0.2).polygon())
    aop = measure_frame([bone, skull], None, SIZE).get("aop")
    assert aop is not None
    axis, tangent, ellipse = aop.shapes
    assert (axis.uid, tangent.uid, ellipse.uid) == (bone.uid, "", skull.uid)
    a, b = axis.points
    new = caliper_dragged(bone, axis, (a, (b[0], b[1] + 10)), None, SIZE)
    after = measure_frame([new, skull], None, SIZE).get("aop")
    assert after is not None
    assert np.allclose(after.shapes[0].points, (a, (b[0], b[1] + 10)), atol=0.1)
