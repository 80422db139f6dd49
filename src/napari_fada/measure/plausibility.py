"""What does not fit together: sizes and the stated age, sizes and each other, words and both.

Findings are hints to look again, in words with their numbers; they judge nobody and nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from napari_fada.errors import MeasureError
from napari_fada.measure.ages import GestationalAge, stated_age, weeks_days
from napari_fada.measure.dating import derive_all, sizes_of
from napari_fada.measure.formulas import formulas
from napari_fada.measure.growth import band_at
from napari_fada.measure.results import Measurement

#: Fields of the report in which an age is looked for, in this order.
FIELDS = ("gestational_age", "biometric_measurements", "anatomical_structures")
#: Cephalic index of 95 % of 125 heads of HC18 (computed from its published ellipses).
CEPHALIC_INDEX = (69.3, 87.9)
#: Without a stated error an age by formula is taken to be right to two weeks.
_ERROR_DAYS = 14.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not fit.

    Parameters
    ----------
    name : str
        ``hc_band``, ``cephalic_index`` or ``stated_age``.
    severity : float
        How far it is off, in units of what would just be let pass: above 1, the more the worse.
    text : str
        In words, with the numbers.
    """

    name: str
    severity: float
    text: str

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
        Of one frame.
    fields : mapping of str to str
        The report.
    age : GestationalAge, optional
        Known from elsewhere; else the age that the report states is taken.
    """
    measured = list(measured)
    said = next((s for f in FIELDS if (s := stated_age(fields.get(f, "")))), None)
    found = [
        *_hc_band(measured, age or (said.age() if said else None)),
        *_cephalic_index(measured),
    ]
    if said is not None:
        found += _against_words(measured, said.low, said.high, said.words)
    return tuple(sorted(found, key=lambda f: -f.severity))


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
