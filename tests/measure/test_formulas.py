"""Dating, weight and growth against the worked examples of the publications and tables."""

from __future__ import annotations

import math
from datetime import date

import pytest

from napari_fada.errors import MeasureError
from napari_fada.measure import (
    NOTICE,
    Derived,
    GestationalAge,
    Measurement,
    NotDerived,
    age_from_lmp,
    band_at,
    derive,
    derive_all,
    formulas,
    growth_score,
    scores,
    size_at,
    weeks_days,
)
from napari_fada.measure.expression import Expression

ROWS = [(4.8, 17.5, 15.0, 3.2), (7.2, 26.5, 24.0, 5.3), (9.1, 32.8, 33.0, 7.0)]
HADLOCK = {
    "B": (20.52, 28.90, 36.91),
    "H": (20.02, 28.85, 37.26),
    "A": (20.25, 28.29, 36.91),
    "F": (19.96, 28.16, 35.90),
    "HA": (19.76, 27.98, 35.93),
    "HF": (19.71, 27.99, 35.89),
    "HAF": (19.81, 28.04, 36.17),
    "BHAF": (19.95, 28.13, 36.27),
    "BA": (20.24, 28.47, 36.96),
    "BH": (20.06, 28.38, 36.25),
    "BF": (20.07, 28.31, 36.34),
    "AF": (19.92, 28.10, 36.29),
    "BHA": (19.63, 27.76, 36.56),
    "BHF": (20.00, 28.27, 36.37),
    "BAF": (20.02, 28.18, 36.53),
}
WEIGHT = {
    "AF": (334, 1230, 3015),
    "BAF": (338, 1222, 3029),
    "HAF": (331, 1212, 2987),
    "BHAF": (333, 1212, 3008),
}


def sizes(row: tuple[float, ...]) -> dict[str, float]:
    """Hadlock's sizes in mm."""
    return dict(zip(("bpd_oi", "hc", "ac", "fl"), (10 * v for v in row), strict=True))


@pytest.mark.parametrize("key", HADLOCK)
@pytest.mark.parametrize("i", range(3))
def test_hadlock_1984(key: str, i: int) -> None:
    found = derive(f"hadlock1984-{key}", sizes(ROWS[i]))
    assert isinstance(found, Derived)
    assert found.unit == "days"
    assert found.value / 7 == pytest.approx(HADLOCK[key][i], abs=0.006)
    assert found.uncertainty == pytest.approx(0.08 * found.value)
    assert "Radiology 1984" in found.source
    assert found.notice == NOTICE == "Not for clinical use."


@pytest.mark.parametrize("key", WEIGHT)
@pytest.mark.parametrize("i", range(3))
def test_hadlock_1985_weight(key: str, i: int) -> None:
    found = derive(f"hadlock1985-{key}", sizes(ROWS[i]))
    assert isinstance(found, Derived)
    assert found.unit == "g"
    assert found.value == pytest.approx(WEIGHT[key][i], abs=0.6)


def test_every_combination_of_the_four_is_there() -> None:
    keys = {k.partition("-")[2] for k in formulas().formulas if k.startswith("hadlock1984-")}
    assert keys == set(HADLOCK)


@pytest.mark.parametrize(
    ("hc", "fl", "alone", "both"), [(180, 31, 144.5, 141.5), (262, 52, 198.8, 199.3)]
)
def test_intergrowth_late_biometry(hc: float, fl: float, alone: float, both: float) -> None:
    one = derive("intergrowth2016-H", {"hc": hc})
    two = derive("intergrowth2016-HF", {"hc": hc, "fl": fl})
    assert isinstance(one, Derived)
    assert isinstance(two, Derived)
    assert (one.value, two.value) == pytest.approx((alone, both), abs=0.06)


@pytest.mark.parametrize(
    ("crl", "ig", "rf", "hadlock"),
    [(45, 78.18, 78.73, 79.29), (60, 86.75, 87.24, 87.35), (84, 99.69, 98.88, 100.30)],
)
def test_crown_rump_length(crl: float, ig: float, rf: float, hadlock: float) -> None:
    keys = ("intergrowth_crl-C", "robinson_fleming-C", "hadlock1992-C")
    found = [derive(key, {"crl": crl}) for key in keys]
    assert [f.value for f in found if isinstance(f, Derived)] == pytest.approx(
        [ig, rf, hadlock], abs=0.006
    )
    assert isinstance(found[0], Derived)
    assert found[0].uncertainty == pytest.approx(2 * (2.39102 + 0.0193474 * crl))


def test_intergrowth_weight_holds_only_for_known_ages() -> None:
    two = {"ac": 240.0, "hc": 265.0}
    unknown = derive("intergrowth_weight-HA", two)
    assert isinstance(unknown, NotDerived)
    assert "age is not known" in unknown.reason
    found = derive("intergrowth_weight-HA", two, age=GestationalAge(28 * 7))
    assert isinstance(found, Derived)
    assert found.value == pytest.approx(1163, abs=0.6)
    early = derive("intergrowth_weight-HA", {"ac": 150, "hc": 175}, age=GestationalAge(140))
    assert isinstance(early, NotDerived)
    assert "22 to 40 weeks" in early.reason


@pytest.mark.parametrize(
    ("key", "given", "word"),
    [
        ("hadlock1984-H", {"hc": 79.0}, "80 to 360 mm"),
        ("hadlock1984-B", {"bpd_oi": 101.0}, "23 to 100 mm"),
        ("hadlock1984-BF", {"bpd_oi": 30.0}, "needs FL"),
        ("intergrowth_crl-C", {"crl": 10.0}, "15 to 95 mm"),
        ("robinson_fleming-C", {"crl": 84.1}, "5 to 84 mm"),
        ("hadlock1992-C", {"crl": 160.0}, "0 to 121 mm"),
        ("hadlock1992-C", {"crl": 0.0}, "outside"),
        ("hadlock1984-F", {"fl": 10.0}, "outside its 14 to 42 weeks"),
        ("intergrowth2016-H", {"hc": 40.0}, "outside"),
    ],
)
def test_outside_of_its_range_a_formula_gives_a_reason(
    key: str, given: dict[str, float], word: str
) -> None:
    found = derive(key, given)
    assert isinstance(found, NotDerived)
    assert word in found.reason


@pytest.mark.parametrize(
    ("key", "weeks", "mean", "sd"),
    [
        ("hc", 20, 172.48, 7.44),
        ("bpd", 20, 48.446, 2.298),
        ("ofd", 20, 60.69, 2.777),
        ("ac", 20, 147.725, 7.628),
        ("fl", 20, 31.292, 1.776),
        ("hc", 28, 260.359, 8.935),
        ("bpd", 28, 73.49, 2.946),
        ("ofd", 28, 91.80, 3.657),
        ("ac", 28, 233.303, 11.295),
        ("fl", 28, 51.278, 2.125),
        ("hc", 36, 319.399, 10.761),
        ("ac", 36, 312.841, 17.03),
        ("fl", 36, 66.397, 2.723),
        ("hc", 40, 333.948, 12.924),
    ],
)
def test_intergrowth_growth_curves(key: str, weeks: int, mean: float, sd: float) -> None:
    found = growth_score(f"intergrowth_{key}", mean, GestationalAge(weeks * 7))
    assert found.mean == pytest.approx(mean, abs=0.006)
    assert found.sd == pytest.approx(sd, abs=0.006)
    assert found.centile == pytest.approx(50, abs=0.2)


@pytest.mark.parametrize(
    ("key", "value", "days", "z", "centile"),
    [
        ("hc", 180, 143, 0.310, 62.2),
        ("bpd", 72, 196, -0.506, 30.7),
        ("ac", 300, 252, -0.754, 22.5),
        ("fl", 30, 140, -0.727, 23.3),
        ("ofd", 92, 196, 0.054, 52.1),
    ],
)
def test_worked_z_scores(key: str, value: float, days: int, z: float, centile: float) -> None:
    found = growth_score(f"intergrowth_{key}", value, GestationalAge(days, "lmp"))
    assert found.z == pytest.approx(z, abs=0.0006)
    assert found.centile == pytest.approx(centile, abs=0.06)
    assert size_at(formulas().standards[f"intergrowth_{key}"], days, found.z) == pytest.approx(
        value
    )


@pytest.mark.parametrize(
    ("value", "told"), [(199.0, "above the 99.9th"), (130.0, "below the 0.1st"), (165.0, "15.7th")]
)
def test_no_size_lies_on_the_hundredth_centile(value: float, told: str) -> None:
    found = growth_score("intergrowth_hc", value, GestationalAge(140))
    assert f", {told}" in str(found)


def test_weight_standard() -> None:
    for weeks, median in ((20, 331), (28, 1210), (36, 2813), (40, 3619)):
        found = growth_score("hadlock_weight", median, GestationalAge(weeks * 7))
        assert found.mean == pytest.approx(median, abs=0.6)
    curve = formulas().standards["hadlock_weight"]
    assert size_at(curve, 196, -1.2816) == pytest.approx(1013, abs=1)
    assert size_at(curve, 196, 1.2816) == pytest.approx(1407, abs=1)


def test_who_band() -> None:
    band = formulas().bands["who_hc"]
    for weeks, low, middle, high in (
        (14, 85.6, 99.5, 112.3),
        (20, 157.0, 173.4, 188.5),
        (28, 243.1, 263.6, 283.4),
        (36, 296.3, 320.8, 344.1),
    ):
        found = band_at(band, GestationalAge(weeks * 7))
        assert found == pytest.approx({2.5: low, 50.0: middle, 97.5: high}, abs=0.06)
    with pytest.raises(MeasureError, match="holds from 14"):
        band_at(band, GestationalAge(13 * 7))


def test_crl_for_age_is_the_way_back_of_age_for_crl_within_its_range() -> None:
    curve = formulas().standards["intergrowth_crl"]
    assert size_at(curve, curve.weeks[0] * 7, 0) == pytest.approx(15, abs=0.2)
    assert size_at(curve, curve.weeks[1] * 7, 0) == pytest.approx(95, abs=0.2)


def test_no_growth_outside_the_standard() -> None:
    for days in (13 * 7, 40 * 7 + 1):
        with pytest.raises(MeasureError, match="holds from 14 to 40 weeks"):
            growth_score("intergrowth_hc", 100, GestationalAge(days))


def measured(name: str, value: float, uid: str = "a") -> Measurement:
    return Measurement(name, value, "mm", "by hand", "Brain", "expert", "csv", (uid,))


def test_a_size_is_never_judged_at_an_age_derived_from_it() -> None:
    derived = derive("hadlock1984-H", {"hc": 175.0}, uids=["a"])
    assert isinstance(derived, Derived)
    with pytest.raises(MeasureError, match="derived from the same"):
        growth_score("intergrowth_hc", 175.0, derived.age())
    # Nor another size at it: all of them grow together.
    with pytest.raises(MeasureError, match="derived from the same"):
        growth_score("intergrowth_fl", 30.0, derived.age(), uids=["b"])


def test_an_age_from_crl_judges_a_later_head_and_never_the_crl() -> None:
    derived = derive("intergrowth_crl-C", {"crl": 84.0}, uids=["early"])
    assert isinstance(derived, Derived)
    age = derived.age()
    assert age.origin == "crl"
    assert growth_score("intergrowth_hc", 100.0, age, uids=["late"]).z == pytest.approx(0, abs=1.5)
    with pytest.raises(MeasureError):
        growth_score("intergrowth_crl", 84.0, age)
    with pytest.raises(MeasureError):
        growth_score("intergrowth_hc", 100.0, age, uids=["early"])


def test_scores_of_all_that_was_measured() -> None:
    sizes = [measured("hc", 180.0), measured("bpd_oo", 50.0), measured("bpd_oi", 48.0)]
    found = list(scores(sizes, GestationalAge(143, "lmp")))
    assert [f if isinstance(f, str) else f.size for f in found] == ["hc", "bpd_oo"]
    reasons = list(scores(sizes, GestationalAge(90, "lmp")))
    assert all(isinstance(r, str) and "holds from" in r for r in reasons)


def test_all_formulas_whose_sizes_are_there() -> None:
    derived, refused = derive_all([measured("hc", 175.0), measured("bpd_oi", 48.0)])
    assert {d.formula for d in derived} == {
        "hadlock1984-B",
        "hadlock1984-H",
        "hadlock1984-BH",
        "intergrowth2016-H",
    }
    assert not refused
    assert all(d.uids == {"a"} for d in derived)
    _, refused = derive_all([measured("hc", 60.0)])
    assert "80 to 360" in refused[0].reason


def test_ages() -> None:
    assert age_from_lmp(date(2026, 1, 1), date(2026, 5, 24)).days == 143
    assert weeks_days(143) == "20+3"
    assert weeks_days(139.6) == "20+0"
    for days in (0, -3, 400, math.nan):
        with pytest.raises(MeasureError):
            GestationalAge(days)


@pytest.mark.parametrize(
    "text", ["__import__('os')", "a.b", "x if y else z", "f(x)", "exp(x, y)", "'a'", "x[0]", "1 +"]
)
def test_a_formula_is_arithmetic_and_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match=r"formula|arithmetic"):
        Expression(text)
