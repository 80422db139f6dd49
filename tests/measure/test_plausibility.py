"""What does not fit together is told in words, and nothing else is."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import pytest

from napari_fada.errors import MeasureError
from napari_fada.measure import (
    GestationalAge,
    Measurement,
    Scale,
    age_from_lmp,
    formulas,
    growth_score,
    measure_frame,
    size_at,
)
from napari_fada.measure.ages import stated_age
from napari_fada.measure.limits import limits, senseless_scale
from napari_fada.measure.plausibility import findings
from napari_fada.measure.stated import stated_sizes
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse

SIZE = (600, 500)


def head(hc_mm: float, index: float = 0.78) -> list:
    """Measure a head of a circumference, at half a millimetre a pixel."""
    a = 100.0
    ring = Ellipse(300, 250, a, a * index, 0.2).polygon()
    record = Annotation("head", "polygon", ring, source="expert", status="accepted")
    found = measure_frame([record], Scale(0.5, 0.5, "user"), SIZE)
    hc = found.get("hc")
    assert hc is not None
    scale = 0.5 * hc_mm / hc.value
    return list(measure_frame([record], Scale(scale, scale, "user"), SIZE).measured)


def test_a_head_that_fits_says_nothing() -> None:
    # WHO, 20 weeks: 157.0 to 188.5 mm.
    assert findings(head(173.4), {"gestational_age": "20 weeks"}) == ()
    assert findings(head(173.4), {}) == ()


@pytest.mark.parametrize(("hc", "side"), [(150.0, "below"), (195.0, "above")])
def test_a_head_outside_the_band_at_the_stated_age(hc: float, side: str) -> None:
    found = findings(head(hc), {"gestational_age": "20 weeks"})
    (band,) = [f for f in found if f.name == "hc_band"]
    assert side in band.text
    assert "middle 95 %" in band.text
    assert band.severity > 1


def test_words_against_the_ruler() -> None:
    found = findings(head(99.5), {"gestational_age": "about 20 weeks"})  # a head of 14 weeks
    assert found[0].name in ("hc_band", "stated_age")
    (words,) = [f for f in found if f.name == "stated_age"]
    assert "says “20 weeks”" in words.text
    assert "14+" in words.text
    assert found == tuple(sorted(found, key=lambda f: -f.severity))


def test_sizes_that_no_fetus_has_are_told_without_an_age() -> None:
    for hc in (15.7, 29.0, 401.0, 1100.0):
        measured = head(hc)
        found = findings(measured, {})
        assert found[0].name == "no_sense"
        assert f"HC {hc:.1f} mm" in found[0].text
        assert "HC is 30 to 400 mm" in found[0].text
        assert found[0].severity > 10
        noted = {m.name for m in measured if "no fetus has" in m.note}
        assert "hc" in noted
        assert "cephalic_index" not in noted
    for hc in (31.0, 44.3, 173.4, 346.4, 399.0):  # the smallest and largest of HC18 among them
        assert findings(head(hc), {}) == ()


def test_ten_times_the_size_is_worse_than_a_little_too_much() -> None:
    severities = [findings(head(hc), {})[0].severity for hc in (420.0, 800.0, 1100.0)]
    assert severities == sorted(severities)


def test_limits_hold_every_growth_standard_and_the_heads_of_hc18(data_dir: Path) -> None:
    known = limits()
    for curve in formulas().standards.values():
        limit = known.get(curve.size)
        if limit is None:
            assert curve.size == "efw"
            continue
        for week in curve.weeks:
            for z in (-3.0, 3.0):
                assert limit.off(size_at(curve, 7 * week, z)) == 0, (curve.title, week, z)
    with (data_dir / "hc18" / "measurements.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert known["hc"].off(float(row["head_circumference_mm"])) == 0
        pixel = float(row["pixel_size_mm"])
        assert senseless_scale(Scale(pixel, pixel, "csv"), (800, 540)) == ""
    assert all(limit.source for limit in known.values())


@pytest.mark.parametrize("size", [1.3, 0.01])
def test_a_scale_of_no_image_is_told(size: float) -> None:
    word = senseless_scale(Scale(size, size, "user"), (800, 540))
    assert f"{800 * size:.0f} × {540 * size:.0f} mm" in word


def test_no_score_for_a_size_that_no_fetus_has() -> None:
    with pytest.raises(MeasureError, match="no fetus has HC 2042"):
        growth_score("intergrowth_hc", 2042.0, GestationalAge(140))


@pytest.mark.parametrize("days", [21, 27, 309, 420, -5, float("nan")])
def test_ages_that_are_none(days: float) -> None:
    with pytest.raises(MeasureError, match="no gestational age"):
        GestationalAge(days)


def test_dates_that_make_no_age() -> None:
    today = date.today()
    with pytest.raises(MeasureError, match="begins after the examination"):
        age_from_lmp(today, today - timedelta(days=100))
    with pytest.raises(MeasureError, match="lies in the future"):
        age_from_lmp(today, today + timedelta(days=100))
    assert str(age_from_lmp(today - timedelta(days=143), today)) == "20+3"


def test_a_known_age_goes_before_the_words() -> None:
    assert findings(head(99.5), {}, GestationalAge(14 * 7)) == ()
    (band,) = findings(head(99.5), {}, GestationalAge(20 * 7))
    assert band.name == "hc_band"
    # An age that came from the same sizes says nothing about them.
    assert findings(head(99.5), {}, GestationalAge(20 * 7, "biometry")) == ()


def test_a_head_of_an_odd_shape() -> None:
    (found,) = findings(head(173.4, 0.6), {})
    assert (found.name, "long" in found.text) == ("cephalic_index", True)
    (found,) = findings(head(173.4, 0.95), {})
    assert "round" in found.text


def test_ages_outside_the_curves_are_no_finding() -> None:
    assert findings(head(173.4), {}, GestationalAge(8 * 7)) == ()


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("20 3/7 weeks", 143, 143),
        ("20 weeks 3/7", 143, 143),
        ("20+3", 143, 143),
        ("20w3d", 143, 143),
        ("20 to 22 weeks", 140, 160),
    ],
)
def test_an_age_in_words_is_read_in_days(text: str, low: float, high: float) -> None:
    found = stated_age(text)
    assert found is not None
    assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HC 176 mm, BPD 48.2 mm", {"hc": 176.0, "bpd_oo": 48.2}),
        ("Femur length (FL) of 3.3 cm", {"fl": 33.0}),
        ("The biparietal diameter measures about 4,8 cm.", {"bpd_oo": 48.0}),
        ("crown-rump length: 62 mm; NT = 1.8mm", {"crl": 62.0, "nt": 1.8}),
        ("head circumference is 17.6 cm; HC 180 mm", {"hc": 176.0}),
        ("AC 15", {}),
        ("FL/HC 18 mm", {}),
        ("HC area 30 mm²", {}),
        ("HC and AC are normal at 20 weeks; scan depth 12 cm", {}),
    ],
)
def test_sizes_in_words_are_read_in_millimetres(text: str, expected: dict[str, float]) -> None:
    assert {s.name: pytest.approx(s.value) for s in stated_sizes(text)} == expected


def test_a_size_in_the_report_against_the_measured_one() -> None:
    assert findings(head(173.4), {"biometric_measurements": "HC 170 mm"}) == ()
    (found,) = findings(head(173.4), {"biometric_measurements": "HC 23.1 cm"})
    assert found.name == "stated_size"
    assert "“HC 23.1 cm”" in found.text
    assert "173.4 mm" in found.text
    assert found.severity > 1


def femur(mm: float) -> Measurement:
    """Return a femur length as if it had been measured."""
    return Measurement("fl", mm, "mm", "distance of two points", "legs", "expert", "user", ("f",))


def test_a_femur_that_does_not_go_with_the_head() -> None:
    # INTERGROWTH-21st at 20 weeks: HC 175 mm, FL 31 mm.
    assert findings([*head(175.0), femur(31.0)], {}) == ()
    (found,) = findings([*head(175.0), femur(17.0)], {})
    assert found.name == "fl_hc"
    assert "0.097" in found.text


def test_a_femur_that_does_not_go_with_the_age() -> None:
    age = GestationalAge(20 * 7)
    assert findings([femur(32.0)], {}, age) == ()
    (found,) = findings([femur(60.0)], {}, age)
    assert (found.name, "above the mean" in found.text) == ("size_band", True)
    assert findings([femur(60.0)], {}, GestationalAge(20 * 7, "biometry")) == ()
