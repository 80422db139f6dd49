"""From sizes to a gestational age or a weight, by published formulas within their ranges.

Sizes come in millimetres under their names (``hc``, ``bpd_oi``, ``bpd_oo``, ``ac``, ``fl``,
``crl``). A formula that does not hold gives no number but a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from napari_fada.measure.ages import AgeOrigin, GestationalAge, weeks_days
from napari_fada.measure.formulas import NOTICE, TO_MM, Formula, formulas
from napari_fada.measure.results import Measurement

NAMES = {
    "hc": "HC",
    "bpd_oi": "BPD (outer to inner)",
    "bpd_oo": "BPD (outer to outer)",
    "ofd": "OFD",
    "ac": "AC",
    "fl": "FL",
    "crl": "CRL",
    "efw": "weight",
}
_PER_WEEK = {"weeks": 7.0, "days": 1.0}


@dataclass(frozen=True, slots=True)
class Derived:
    """An age or a weight with everything that must stand beside it.

    Parameters
    ----------
    formula, title, source : str
        Key, name and publication of the formula.
    task : str
        ``age`` or ``weight``.
    value : float
        In ``unit``: days for an age, g for a weight.
    unit : str
        ``days`` or ``g``.
    inputs : mapping of str to float
        The sizes in mm that went in.
    uncertainty : float or None
        Two standard deviations in ``unit``, where the source states them.
    note : str
        What the uncertainty is from.
    uids : frozenset of str
        Records that were measured.
    """

    formula: str
    title: str
    source: str
    task: str
    value: float
    unit: str
    inputs: Mapping[str, float]
    uncertainty: float | None = None
    note: str = ""
    uids: frozenset[str] = frozenset()
    notice: str = NOTICE

    def age(self) -> GestationalAge:
        """Return the age; its origin tells whether it is fit for growth (``crl``) or not.

        Raises
        ------
        ValueError
            If this is a weight.
        """
        if self.task != "age":
            raise ValueError(f"{self.title} gives no age")
        origin: AgeOrigin = "crl" if set(self.inputs) == {"crl"} else "biometry"
        return GestationalAge(self.value, origin, self.title, self.uids)

    def __str__(self) -> str:
        sizes = ", ".join(f"{NAMES[k]} {v:.1f} mm" for k, v in self.inputs.items())
        if self.task == "age":
            error = f" ± {self.uncertainty / 7:.1f} weeks" if self.uncertainty else ""
            return f"{weeks_days(self.value)} weeks{error} ({self.title}, from {sizes})"
        error = f" ± {self.uncertainty:.0f} g" if self.uncertainty else ""
        return f"{self.value:.0f} g{error} ({self.title}, from {sizes})"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "formula": self.formula,
            "title": self.title,
            "source": self.source,
            "task": self.task,
            "value": round(self.value, 4),
            "unit": self.unit,
            "inputs_mm": {k: round(v, 3) for k, v in self.inputs.items()},
            "uncertainty_2sd": None if self.uncertainty is None else round(self.uncertainty, 3),
            "note": self.note,
            "uids": sorted(self.uids),
            "notice": self.notice,
        }


@dataclass(frozen=True, slots=True)
class NotDerived:
    """A formula that gave no number, and why."""

    formula: str
    title: str
    reason: str


def derive(
    key: str,
    sizes: Mapping[str, float],
    *,
    age: GestationalAge | None = None,
    uids: Iterable[str] = (),
) -> Derived | NotDerived:
    """Apply one formula.

    Parameters
    ----------
    key : str
        Of the formula, see ``formulas().formulas``.
    sizes : mapping of str to float
        Sizes in mm; more than the formula needs may be there.
    age : GestationalAge, optional
        For formulas that hold for some ages only.
    uids : iterable of str
        Records that were measured.

    Raises
    ------
    KeyError
        If there is no such formula.
    """
    formula = formulas().formulas[key]
    missing = [size for size in formula.symbols.values() if size not in sizes]
    if missing:
        names = ", ".join(NAMES.get(size, size) for size in missing)
        return NotDerived(key, formula.title, f"needs {names}")
    inputs = {size: float(sizes[size]) for size in formula.symbols.values()}
    reason = _out_of_range(formula, inputs, age)
    if reason:
        return NotDerived(key, formula.title, reason)
    values = {s: inputs[size] / TO_MM[formula.input_unit] for s, size in formula.symbols.items()}
    result = formula.expression(values)
    low, high = formula.results or (0.0, float("inf"))
    if not low <= result <= high:
        unit = formula.unit
        return NotDerived(
            key, formula.title, f"gives {result:.1f} {unit}, outside its {low:g} to {high:g} {unit}"
        )
    error = formula.error({**values, "result": result}) if formula.error else None
    factor = _PER_WEEK.get(formula.unit, 1.0)
    return Derived(
        formula=key,
        title=formula.title,
        source=formula.source,
        task=formula.task,
        value=result * factor,
        unit="days" if formula.task == "age" else formula.unit,
        inputs=inputs,
        uncertainty=None if error is None else error * factor,
        note=formula.error_note,
        uids=frozenset(uids),
    )


def _out_of_range(formula: Formula, inputs: Mapping[str, float], age: GestationalAge | None) -> str:
    for symbol, size in formula.symbols.items():
        low, high = formula.ranges[symbol]
        factor = TO_MM[formula.input_unit]
        if not low * factor <= inputs[size] <= high * factor or inputs[size] <= 0:
            return (
                f"{NAMES[size]} of {inputs[size]:.1f} mm is outside the "
                f"{low * factor:g} to {high * factor:g} mm that it holds for"
            )
    if formula.weeks:
        low, high = formula.weeks
        if age is None:
            return f"holds from {low:g} to {high:g} weeks; the age is not known"
        if not low <= age.weeks <= high:
            return f"holds from {low:g} to {high:g} weeks; the age is {age}"
    return ""


def derive_all(
    measured: Iterable[Measurement], *, age: GestationalAge | None = None
) -> tuple[list[Derived], list[NotDerived]]:
    """Apply every formula whose sizes are there.

    Parameters
    ----------
    measured : iterable of Measurement
        What was measured; where a size is there twice the first counts.
    age : GestationalAge, optional
        For formulas that hold for some ages only.

    Returns
    -------
    derived, refused
        Formulas that lack a size are in neither.
    """
    chosen = sizes_of(measured)
    sizes = {name: m.value for name, m in chosen.items()}
    derived: list[Derived] = []
    refused: list[NotDerived] = []
    for key, formula in formulas().formulas.items():
        if not set(formula.symbols.values()) <= set(sizes):
            continue
        uids = [uid for size in formula.symbols.values() for uid in chosen[size].uids]
        found = derive(key, sizes, age=age, uids=uids)
        if isinstance(found, Derived):
            derived.append(found)
        else:
            refused.append(found)
    return derived, refused


def sizes_of(measured: Iterable[Measurement]) -> dict[str, Measurement]:
    """Return the lengths in mm by name, the first of each."""
    found: dict[str, Measurement] = {}
    for measurement in measured:
        if measurement.unit == "mm":
            found.setdefault(measurement.name, measurement)
    return found
