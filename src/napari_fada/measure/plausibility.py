"""What does not fit together: sizes and the stated age, sizes and each other, words and both.

Findings are hints to look again, in words with their numbers; they judge nobody and nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from scipy.optimize import brentq

from napari_fada.errors import MeasureError
from napari_fada.measure.ages import GestationalAge, stated_age, weeks_days
from napari_fada.measure.dating import NAMES, derive_all, sizes_of
from napari_fada.measure.formulas import formulas
from napari_fada.measure.growth import band_at, growth_score, mean_sd
from napari_fada.measure.limits import limits, senseless_sizes
from napari_fada.measure.results import Measurement
from napari_fada.measure.stated import stated_sizes

#: Changed with what is found or how it is said: what was kept of scans is made anew then.
RULES = "2"
#: Fields of the report in which an age is looked for, in this order.
FIELDS = ("gestational_age", "biometric_measurements", "anatomical_structures")
#: Cephalic index of 95 % of 125 heads of HC18 (computed from its published ellipses).
CEPHALIC_INDEX = (69.3, 87.9)
#: Without a stated error an age by formula is taken to be right to two weeks.
_ERROR_DAYS = 14.0
#: Share, and mm, by which a size in the report may differ from the measured one; two people who
#: measure the same scan differ by less.
_DIFFERS, _DIFFERS_MM = 0.1, 2.0
#: What no fetus has comes before all that is only unusual.
_NO_SENSE = 10.0
#: Standard deviations beyond which a size is worth a second look.
_FAR = 3.0
#: Sizes other than HC (it has its band), by the standard that they are compared with.
_COMPARED = {
    "bpd_oo": "intergrowth_bpd",
    "ac": "intergrowth_ac",
    "fl": "intergrowth_fl",
    "crl": "intergrowth_crl",
}
#: How they are called in a finding.
_CALLED = {**NAMES, "bpd_oo": "BPD", "nt": "NT"}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not fit.

    Parameters
    ----------
    name : str
        ``no_sense``, ``hc_band``, ``size_band``, ``cephalic_index``, ``fl_hc``, ``stated_size`` or
        ``stated_age``.
    severity : float
        How far it is off, in units of what would just be let pass: above 1, the more the worse.
    text : str
        In words, with the numbers.
    size : str
        The measurement that it is about, where there are several of the kind.
    """

    name: str
    severity: float
    text: str
    size: str = ""

    def __str__(self) -> str:
        return self.text


def findings(
    measured: Iterable[Measurement],
    fields: Mapping[str, str],
    age: GestationalAge | None = None,
) -> tuple[Finding, ...]:
    """Return what does not fit together, the worst first.

    Parameters
    ----------
    measured : iterable of Measurement
        Of one frame, or of all frames of one scan.
    fields : mapping of str to str
        The report.
    age : GestationalAge, optional
        Known from elsewhere; else the age that the report states is taken.
    """
    measured = list(measured)
    said = next((s for f in FIELDS if (s := stated_age(fields.get(f, "")))), None)
    at = age or (said.age() if said else None)
    found = [
        *findings_of_size(measured),
        *_hc_band(measured, at),
        *_size_bands(measured, at),
        *_cephalic_index(measured),
        *_femur_and_head(measured),
        *_sizes_against_words(measured, fields.values()),
    ]
    if said is not None:
        found += _against_words(measured, said.low, said.high, said.words)
    return tuple(sorted(found, key=lambda f: -f.severity))


def findings_of_size(measured: Iterable[Measurement]) -> tuple[Finding, ...]:
    """Return what no fetus has at any age, as one finding; none where all sizes make sense."""
    off = senseless_sizes(measured)
    if not off:
        return ()
    known = limits()
    told = {m.name: f"{known[m.name].title} {m.value:.1f} mm" for m, _ in off}
    if "bpd_oo" in told:
        told.pop("bpd_oi", None)  # the same line
    first = known[off[0][0].name]
    text = (
        f"{', '.join(told.values())}: no fetus has that at any age ({first.title} is {first.low:g} "
        f"to {first.high:g} mm). Is the scale right, and the outline?"
    )
    return (Finding("no_sense", _NO_SENSE * max(times for _, times in off), text),)


def _hc_band(measured: list[Measurement], age: GestationalAge | None) -> Iterator[Finding]:
    """Compare HC with the 2.5th to 97.5th centile of the WHO curves at an age."""
    hc = sizes_of(measured).get("hc")
    if hc is None or age is None or age.origin == "biometry":
        return
    band = formulas().bands["who_hc"]
    try:
        sizes = band_at(band, age)
    except MeasureError:
        return
    low, high = min(sizes.values()), max(sizes.values())
    if low <= hc.value <= high:
        return
    half = (high - low) / 2
    off = abs(hc.value - (low + high) / 2) / half
    side = "below" if hc.value < low else "above"
    yield Finding(
        "hc_band",
        off,
        f"HC {hc.value:.1f} mm lies {side} {low:.0f} to {high:.0f} mm, the middle 95 % at "
        f"{age} weeks ({band.title}; age: {age.note or age.origin}).",
    )


def _cephalic_index(measured: list[Measurement]) -> Iterator[Finding]:
    index = next((m for m in measured if m.name == "cephalic_index"), None)
    if index is None:
        return
    low, high = CEPHALIC_INDEX
    if low <= index.value <= high:
        return
    middle, half = (low + high) / 2, (high - low) / 2
    yield Finding(
        "cephalic_index",
        abs(index.value - middle) / half,
        f"The head is {'long' if index.value < low else 'round'}: BPD is {index.value:.1f} % of "
        f"OFD, most heads have {low:.0f} to {high:.0f} %. Is the outline whole?",
    )


def _size_bands(measured: list[Measurement], age: GestationalAge | None) -> Iterator[Finding]:
    """Compare the other sizes with their standard at an age."""
    if age is None or age.origin == "biometry":
        return
    sizes = sizes_of(measured)
    for name, standard in _COMPARED.items():
        if (size := sizes.get(name)) is None or (name == "bpd_oo" and "hc" in sizes):
            continue  # a BPD beside its HC comes from the same ellipse: HC speaks for both
        try:
            score = growth_score(standard, size.value, age, uids=size.uids)
        except MeasureError:  # outside the range of the standard, or of the same records
            continue
        if abs(score.z) <= _FAR:
            continue
        yield Finding(
            "size_band",
            abs(score.z) / _FAR,
            f"{_CALLED[name]} {size.value:.1f} mm is {abs(score.z):.1f} standard deviations "
            f"{'below' if score.z < 0 else 'above'} the mean of {score.mean:.0f} mm at {age} weeks "
            f"({score.title}; age: {age.note or age.origin}).",
            name,
        )


def _femur_and_head(measured: list[Measurement]) -> Iterator[Finding]:
    """Compare FL/HC with that of the INTERGROWTH-21st means at the age that HC is the mean of."""
    sizes = sizes_of(measured)
    fl, hc = sizes.get("fl"), sizes.get("hc")
    if fl is None or hc is None:
        return
    head, femur = (formulas().standards[f"intergrowth_{name}"] for name in ("hc", "fl"))
    first, last = (7 * weeks for weeks in head.weeks)
    if not mean_sd(head, first)[0] <= hc.value <= mean_sd(head, last)[0]:
        return
    days = brentq(lambda day: mean_sd(head, day)[0] - hc.value, first, last)
    (of_head, head_sd), (of_femur, femur_sd) = mean_sd(head, days), mean_sd(femur, days)
    usual, ratio = of_femur / of_head, fl.value / hc.value
    # The spread of a ratio of two sizes that vary on their own: wider than the true one, as they
    # vary together, so that what is found is far off indeed.
    off = abs(ratio / usual - 1) / (_FAR * math.hypot(head_sd / of_head, femur_sd / of_femur))
    if off > 1:
        yield Finding(
            "fl_hc",
            off,
            f"FL/HC is {ratio:.3f} ({fl.value:.1f} and {hc.value:.1f} mm), usual for this HC is "
            f"about {usual:.3f}. Do femur and head have the right outline and scale?",
        )


def _sizes_against_words(measured: list[Measurement], texts: Iterable[str]) -> Iterator[Finding]:
    """Compare the sizes that a report states with those that are measured."""
    sizes = sizes_of(measured)
    told: set[str] = set()
    for text in texts:
        for said in stated_sizes(text):
            size = sizes.get(said.name)
            if size is None or said.name in told:
                continue
            told.add(said.name)
            off = abs(said.value - size.value) / max(_DIFFERS * size.value, _DIFFERS_MM)
            if off > 1:
                yield Finding(
                    "stated_size",
                    off,
                    f"The report says “{said.words}”, {_CALLED[said.name]} measures "
                    f"{size.value:.1f} mm. Is the scale right, the outline, or the report?",
                    said.name,
                )


def _against_words(
    measured: list[Measurement], low: float, high: float, words: str
) -> Iterator[Finding]:
    """Compare the age that a report states with the ages that formulas give."""
    derived, _ = derive_all(measured)
    ages = [d for d in derived if d.task == "age"]
    if not ages:
        return
    # The formula with the most sizes says most; of those the one that states its error.
    best = max(ages, key=lambda d: (len(d.inputs), d.uncertainty is not None))
    error = best.uncertainty or _ERROR_DAYS
    gap = max(low - best.value, best.value - high, 0.0)
    if gap <= error:
        return
    yield Finding(
        "stated_age",
        gap / error,
        f"The report says “{words}”, what is measured says {weeks_days(best.value)} weeks "
        f"± {error / 7:.1f} ({best.title}). Is the scale right, or the report?",
    )
