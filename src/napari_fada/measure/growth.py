"""Sizes on growth curves: z-scores and centiles at an age that comes from elsewhere.

A size is never judged at an age that was derived from it or from other biometry of the same
scan: it would lie on the 50th centile by construction. That is refused here, for every caller.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from napari_fada.errors import MeasureError
from napari_fada.measure.ages import GestationalAge
from napari_fada.measure.formulas import NOTICE, Band, Standard, formulas
from napari_fada.measure.limits import senseless
from napari_fada.measure.results import Measurement


@dataclass(frozen=True, slots=True)
class GrowthScore:
    """Where a size lies at an age.

    ``z`` counts standard deviations from the mean, ``centile`` is 0 to 100 of a normal
    distribution; ``value``, ``mean`` and ``sd`` are in ``unit``.
    """

    standard: str
    title: str
    source: str
    size: str
    value: float
    unit: str
    age: GestationalAge
    mean: float
    sd: float
    z: float
    centile: float
    notice: str = NOTICE

    def __str__(self) -> str:
        return (
            f"{self.value:.1f} {self.unit} at {self.age}: z {self.z:+.2f}, "
            f"{self.told_centile} centile ({self.title}; age from {self.age.origin})"
        )

    @property
    def told_centile(self) -> str:
        """The centile in words: none is the 0th, and none the 100th."""
        if self.centile < 0.05:
            return "below the 0.1st"
        return "above the 99.9th" if self.centile >= 99.95 else f"{self.centile:.1f}th"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "standard": self.standard,
            "title": self.title,
            "source": self.source,
            "size": self.size,
            "value": round(self.value, 3),
            "unit": self.unit,
            "age_days": self.age.days,
            "age_origin": self.age.origin,
            "mean": round(self.mean, 3),
            "sd": round(self.sd, 4),
            "z": round(self.z, 4),
            "centile": round(self.centile, 2),
            "notice": self.notice,
        }


def growth_score(
    standard: str,
    value: float,
    age: GestationalAge,
    *,
    uids: Iterable[str] = (),
) -> GrowthScore:
    """Return z-score and centile of a size.

    Parameters
    ----------
    standard : str
        Key, see ``formulas().standards``.
    value : float
        In the standard's unit (mm; g for weights).
    age : GestationalAge
        From the last period, an earlier CRL, or typed.
    uids : iterable of str
        Records that the size was measured on.

    Raises
    ------
    MeasureError
        If the age comes from biometry or from the same record, or is outside the standard's range;
        if no fetus has that size.
    KeyError
        If there is no such standard.
    """
    curve = formulas().standards[standard]
    refuse_circular(curve.size, age, uids)
    if word := senseless(curve.size, value):
        raise MeasureError(f"There is no score: {word}.", todo="Is the scale right?")
    _in_range(curve, age)
    mean, sd = mean_sd(curve, age.days)
    z = (value - mean) / sd
    return GrowthScore(
        standard=standard,
        title=curve.title,
        source=curve.source,
        size=curve.size,
        value=value,
        unit=curve.unit,
        age=age,
        mean=mean,
        sd=sd,
        z=z,
        centile=centile(z),
    )


def scores(measured: Iterable[Measurement], age: GestationalAge) -> Iterator[GrowthScore | str]:
    """Give the score of every size and weight that has a standard, or a reason in words."""
    from napari_fada.measure.dating import NAMES, derive_all, sizes_of

    measured = list(measured)
    found = sizes_of(measured)
    for key, curve in formulas().standards.items():
        if curve.size in found:
            size = found[curve.size]
            try:
                yield growth_score(key, size.value, age, uids=size.uids)
            except MeasureError as error:
                yield f"{NAMES[curve.size]} by {curve.title}: {error.what}"
    weights = [d for d in derive_all(measured, age=age)[0] if d.task == "weight"]
    if weights:
        best = max(weights, key=lambda d: len(d.inputs))
        try:
            yield growth_score("hadlock_weight", best.value, age, uids=best.uids)
        except MeasureError as error:
            yield f"Weight ({best.title}): {error.what}"


def refuse_circular(size: str, age: GestationalAge, uids: Iterable[str] = ()) -> None:
    """Raise if an age may not be used to judge a size.

    Raises
    ------
    MeasureError
        If the age was derived from biometry, from CRL where CRL is judged, or from the record.
    """
    circular = (
        age.origin == "biometry"
        or (age.origin == "crl" and size == "crl")
        or not age.uids.isdisjoint(uids)
    )
    if circular:
        raise MeasureError(
            f"The age ({age}, {age.note or age.origin}) was derived from the same measurements: "
            "a centile at it says nothing.",
            todo="Give an age from the last period, an earlier CRL, or type one.",
        )


def mean_sd(curve: Standard, days: float) -> tuple[float, float]:
    """Return mean and standard deviation at an age in days (no range is checked)."""
    values = {"g": days / 7, "d": days}
    return curve.mean(values), curve.sd(values)


def size_at(curve: Standard, days: float, z: float) -> float:
    """Return the size at a z-score, for drawing curves.

    Raises
    ------
    MeasureError
        If the age is outside the standard's range.
    """
    _in_range(curve, GestationalAge(days))
    mean, sd = mean_sd(curve, days)
    return mean + z * sd


def band_at(band: Band, age: GestationalAge) -> dict[float, float]:
    """Return the size at each centile of a band.

    Raises
    ------
    MeasureError
        If the age is outside the band's range.
    """
    _in_range(band, age)
    values = {"g": age.weeks, "d": age.days}
    return {p: curve(values) for p, curve in band.curves.items()}


def centile(z: float) -> float:
    """Return the share of a normal distribution below z, in per cent."""
    return 50 * math.erfc(-z / math.sqrt(2))


def _in_range(curve: Standard | Band, age: GestationalAge) -> None:
    low, high = curve.weeks
    if not low - 1e-9 <= age.weeks <= high + 1e-9:
        raise MeasureError(
            f"{curve.title} holds from {low:g} to {high:g} weeks; the age is {age}.",
        )
