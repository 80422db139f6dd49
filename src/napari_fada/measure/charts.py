"""Growth charts: the curves of a standard with the case on them, as a picture or a file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_fada.errors import MeasureError
from napari_fada.listing import PICTURE_MARK
from napari_fada.measure.formulas import NOTICE, formulas
from napari_fada.measure.growth import GrowthScore, size_at

#: Centiles that are drawn, with their z-scores (normal distribution) and dashes.
_CURVES = (
    (3, -1.8808, ":"),
    (10, -1.2816, "--"),
    (50, 0.0, "-"),
    (90, 1.2816, "--"),
    (97, 1.8808, ":"),
)
_STEP_DAYS = 2


def growth_chart(scores: Sequence[GrowthScore], size: tuple[float, float] = (5.6, 3.8)) -> Any:
    """Draw the curves of a standard and the sizes that were scored by it.

    Parameters
    ----------
    scores : sequence of GrowthScore
        All of one standard; at least one.
    size : (width, height)
        In inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MeasureError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MeasureError(
            "Charts need matplotlib.", todo='Install it with: pip install "napari-fada[evaluate]"'
        ) from error
    curve = formulas().standards[scores[0].standard]
    first, last = (round(7 * w) for w in curve.weeks)
    days = range(first, last + 1, _STEP_DAYS)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    for centile, z, dash in _CURVES:
        sizes = [size_at(curve, d, z) for d in days]
        axes.plot([d / 7 for d in days], sizes, dash, color="#33506f", lw=1.2)
        axes.annotate(str(centile), (days[-1] / 7, sizes[-1]), fontsize=7, va="center")
    for score in scores:
        axes.plot(score.age.weeks, score.value, "o", color="#b3261e", ms=7)
        axes.annotate(
            f"{score.value:.1f} {score.unit}, {score.told_centile}",
            (score.age.weeks, score.value),
            textcoords="offset points",
            xytext=(8, -3),
            fontsize=8,
        )
    axes.set(xlabel="gestational age, weeks", ylabel=f"{curve.size.upper()}, {curve.unit}")
    axes.set_title(f"{curve.title}\nage from {scores[0].age.origin}; {NOTICE}", fontsize=8)
    axes.grid(alpha=0.3)
    return figure


def picture(figure: Any, dpi: int = 100) -> bytes:
    """Return a chart as PNG."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=dpi)
    return out.getvalue()


def save_chart(figure: Any, path: Path) -> None:
    """Write a chart as PNG or PDF, by the ending of the name.

    Raises
    ------
    MeasureError
        If the ending is another, or it cannot be written.
    """
    if path.suffix.lower() not in (".png", ".pdf"):
        raise MeasureError(f"{path.name} is neither .png nor .pdf.", todo="Choose one of them.")
    try:
        told = {"Title": "napari-fada growth chart"}
        if path.suffix.lower() == ".png":
            told["Software"] = PICTURE_MARK  # it is never taken for a scan
        figure.savefig(path, dpi=200, metadata=told)
    except OSError as error:
        raise MeasureError(f"{path} cannot be written: {error.strerror or error}.") from error
