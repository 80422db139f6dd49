"""Read ``formulas.toml``: which formulas there are, from where, in which units and ranges."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from napari_fada.measure.expression import Expression

NOTICE = "Not for clinical use."
"""Stands beside every derived number."""

TO_MM = {"mm": 1.0, "cm": 10.0}
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Formula:
    """One published formula from sizes to an age or a weight.

    Parameters
    ----------
    key : str
        Like ``hadlock1984-BHAF``; frozen, it stands in results.
    title, source : str
        Name for people, and the publication.
    task : {"age", "weight"}
        What comes out.
    unit : str
        Of the result: ``weeks``, ``days`` or ``g``.
    expression : Expression
        Over ``symbols``.
    symbols : mapping of str to str
        What each symbol is (``hc``, ``bpd_oi``…).
    input_unit : {"mm", "cm"}
        Of every symbol.
    ranges : mapping of str to (low, high)
        Of the symbols, in their unit; nothing is computed outside.
    results : (low, high) or None
        Of the result, in its unit.
    weeks : (low, high) or None
        Of the age that must be known from elsewhere.
    error : Expression or None
        Two standard deviations in the unit of the result, over the symbols and ``result``.
    error_note : str
        Where it is from.
    """

    key: str
    title: str
    source: str
    task: Literal["age", "weight"]
    unit: str
    expression: Expression
    symbols: Mapping[str, str]
    input_unit: str
    ranges: Mapping[str, Range]
    results: Range | None = None
    weeks: Range | None = None
    error: Expression | None = None
    error_note: str = ""


@dataclass(frozen=True, slots=True)
class Standard:
    """Mean and standard deviation of a size by age.

    ``mean`` and ``sd`` are over ``g`` (exact weeks) and ``d`` (days), in ``unit``; ``weeks`` is
    the range of ages that they hold for.
    """

    key: str
    title: str
    source: str
    size: str
    unit: str
    weeks: Range
    mean: Expression
    sd: Expression


@dataclass(frozen=True, slots=True)
class Band:
    """Curves of single centiles of a size by age (``g``, exact weeks)."""

    key: str
    title: str
    source: str
    size: str
    unit: str
    weeks: Range
    curves: Mapping[float, Expression]


@dataclass(frozen=True, slots=True)
class Formulas:
    """All of them by key."""

    formulas: Mapping[str, Formula]
    standards: Mapping[str, Standard]
    bands: Mapping[str, Band]


@cache
def formulas() -> Formulas:
    """Return the formulas of the product (read and checked once).

    Raises
    ------
    ValueError
        If the table contradicts itself: a defect of the program.
    """
    text = files(__package__).joinpath("formulas.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    windows = {size: _range(pair) for size, pair in data["windows"].items()}
    found = [
        _formula(name, key, text, family, windows)
        for name, family in data["families"].items()
        for key, text in family["formulas"].items()
    ]
    return Formulas(
        {f.key: f for f in found},
        {key: _standard(key, entry) for key, entry in data["standards"].items()},
        {key: _band(key, entry) for key, entry in data["bands"].items()},
    )


def _formula(
    family: str, key: str, text: str, data: Mapping[str, Any], windows: Mapping[str, Range]
) -> Formula:
    expression = Expression(text)
    symbols = {s: data["symbols"][s] for s in key}  # a key names its symbols
    if expression.symbols != set(symbols):
        raise ValueError(f"{family}-{key}: it is over {sorted(expression.symbols)}")
    stated = data.get("ranges", {})
    scale = TO_MM["cm"] / TO_MM[data["input_unit"]]
    ranges = {}
    for symbol, size in symbols.items():
        low, high = windows.get(size, (0.0, float("inf")))
        ranges[symbol] = _range(stated.get(symbol, (low * scale, high * scale)))
    error = data.get("error", {})
    text = error.get("expression") or (f"{error['relative']}*result" if error else "")
    return Formula(
        key=f"{family}-{key}",
        title=data["title"],
        source=data["source"],
        task=data["task"],
        unit=data["unit"],
        expression=expression,
        symbols=symbols,
        input_unit=data["input_unit"],
        ranges=ranges,
        results=_range(data["results"]) if "results" in data else None,
        weeks=_range(data["weeks"]) if "weeks" in data else None,
        error=Expression(text) if text else None,
        error_note=error.get("note", ""),
    )


def _standard(key: str, data: Mapping[str, Any]) -> Standard:
    mean, sd = Expression(data["mean"]), Expression(data["sd"])
    _over_age(key, mean, sd)
    head = (data["title"], data["source"], data["size"], data["unit"], _range(data["weeks"]))
    return Standard(key, *head, mean, sd)


def _band(key: str, data: Mapping[str, Any]) -> Band:
    curves = {
        float(name[1:].replace("_", ".")): Expression(text)
        for name, text in data.items()
        if name[0] == "p" and name[1].isdigit()
    }
    _over_age(key, *curves.values())
    head = (data["title"], data["source"], data["size"], data["unit"], _range(data["weeks"]))
    return Band(key, *head, dict(sorted(curves.items())))


def _over_age(key: str, *expressions: Expression) -> None:
    for expression in expressions:
        if not expression.symbols <= {"g", "d"}:
            raise ValueError(f"{key}: a curve is over {sorted(expression.symbols)}")


def _range(pair: Any) -> Range:
    low, high = (float(v) for v in pair)
    if not low < high:
        raise ValueError(f"{pair} is no range")
    return low, high
