"""Plots of an evaluation as SVG, drawn without any window."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from napari_fada.errors import ExchangeError
from napari_fada.evaluate.detection import Detection
from napari_fada.evaluate.points import Calibration
from napari_fada.evaluate.words import Views
from napari_fada.vocabulary import vocabulary

#: Lines are told apart by dashes as well as by colour.
_DASHES = ("-", "--", ":", "-.")


def figure_svg(draw: Callable[[Any], None], size: tuple[float, float]) -> str:
    """Return a plot as an ``<svg>`` element.

    Parameters
    ----------
    draw : callable
        Draws on the axes that it is given.
    size : (width, height)
        In inches.

    Raises
    ------
    ExchangeError
        If matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ExchangeError(
            "The report needs matplotlib.",
            todo='Install it with: pip install "napari-fada[evaluate]"',
        ) from error
    # No dates and no random names, so that one evaluation gives one file.
    with rc_context({"svg.hashsalt": "napari-fada", "font.size": 9, "svg.fonttype": "none"}):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def precision_recall(found: Detection) -> str:
    """Plot precision by recall at IoU .50, a line for each class."""

    def draw(axes: Any) -> None:
        recalls = [i / 100 for i in range(101)]
        for number, row in enumerate(found.classes):
            axes.plot(
                recalls,
                row.curve,
                _DASHES[number % len(_DASHES)],
                color=_dark(vocabulary().by_name[row.category].colour),
                label=f"{row.category} ({row.ap50.value:.2f})",
            )
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="lower left")

    return figure_svg(draw, (5, 3.6))


def confusion(found: Views) -> str:
    """Plot the confusion matrix with its numbers."""

    def draw(axes: Any) -> None:
        rows = [[n / (sum(row) or 1) for n in row] for row in found.matrix]
        axes.imshow(rows, cmap="Blues", vmin=0, vmax=1)
        places = range(len(found.labels))
        axes.set_xticks(places, found.labels, rotation=60, ha="right")
        axes.set_yticks(places, found.labels)
        axes.set(xlabel="answer", ylabel="truth")
        for i, row in enumerate(found.matrix):
            for j, n in enumerate(row):
                if n:
                    ink = "white" if rows[i][j] > 0.5 else "black"
                    axes.text(j, i, str(n), ha="center", va="center", color=ink, fontsize=8)

    side = max(3.0, 0.42 * len(found.labels) + 1.6)
    return figure_svg(draw, (side, side))


def reliability(found: Calibration) -> str:
    """Plot the share of right boxes by score; the width of marks says how many there are."""

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], ":", color="grey", label="as it should be")
        rows = [b for b in found.bins if b.score is not None]
        sizes = [20 + 280 * b.count / found.boxes for b in rows]
        axes.plot([b.score for b in rows], [b.right for b in rows], "-", color="#20508c")
        axes.scatter(
            [b.score for b in rows], [b.right for b in rows], s=sizes, color="#20508c", alpha=0.6
        )
        for b in rows:
            axes.annotate(str(b.count), (b.score, b.right), fontsize=7, ha="center", va="bottom")
        axes.set(xlabel="score", ylabel="share with IoU ≥ 0.5", xlim=(0, 1), ylim=(0, 1.05))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper left")

    return figure_svg(draw, (4.2, 3.6))


def _dark(colour: str) -> str:
    """Return a colour of the vocabulary, made for black scans, dark enough for paper."""
    parts = (int(int(colour[i : i + 2], 16) * 0.7) for i in (1, 3, 5))
    return "#{:02x}{:02x}{:02x}".format(*parts)
