"""How a model writes a place in an image, and what that is on the grid of 0-1000.

Every family of models was taught to count in its own way. An answer keeps the numbers that its
model was taught, because others would be guesses; they become our grid in one place, where an
answer is parsed (`pipeline.values`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_fada.errors import ModelError

Unit = Literal["thousandths", "pixels", "fraction", "loc"]
Order = Literal["xy", "yx"]

#: Far edge of the grid that the rest of the program works on.
GRID = 1000
#: Steps between ``<loc0000>`` and the far edge (PaliGemma has 1,024 such tokens).
LOC_STEPS = 1024

_NAMES: dict[str, tuple[Unit, Order]] = {
    "0-1000": ("thousandths", "xy"),
    "0-1000-yx": ("thousandths", "yx"),
    "pixels": ("pixels", "xy"),
    "0-1": ("fraction", "xy"),
    "loc": ("loc", "yx"),
}
#: What ``pack.json`` and profiles may call a convention.
CONVENTIONS = tuple(_NAMES)

_WORDS: dict[Unit, str] = {
    "thousandths": "on a 0-1000 grid",
    "pixels": "in absolute pixels of the image",
    "fraction": "as fractions of the width and height of the image, from 0 to 1",
    "loc": "as loc tokens",
}


@dataclass(frozen=True, slots=True)
class Convention:
    """One way to write places.

    Parameters
    ----------
    unit : {"thousandths", "pixels", "fraction", "loc"}
        Whole numbers 0-1000; whole pixels of the image as the model sees it; decimals 0-1;
        ``<loc0000>`` to ``<loc1023>``.
    order : {"xy", "yx"}
        Which of the two numbers of a point comes first.
    key : str
        What JSON answers call a box.
    """

    unit: Unit = "thousandths"
    order: Order = "xy"
    key: str = "bbox_2d"

    @classmethod
    def named(cls, name: str, key: str = "bbox_2d") -> Convention:
        """Return the convention that has a name.

        Raises
        ------
        ModelError
            If there is none of that name.
        """
        if name not in _NAMES:
            raise ModelError(
                f"There is no coordinate convention {name!r}.",
                todo=f"Use one of: {', '.join(CONVENTIONS)}.",
            )
        unit, order = _NAMES[name]
        return cls(unit, order, key)

    @property
    def name(self) -> str:
        """What packs call it."""
        return next(n for n, (unit, o) in _NAMES.items() if (unit, o) == (self.unit, self.order))

    def span(self, seen: tuple[int, int]) -> tuple[float, float]:
        """Return what the far edges are in this unit: x, then y.

        Parameters
        ----------
        seen : (width, height)
            Of the image as the model sees it.
        """
        if self.unit == "pixels":
            return float(seen[0]), float(seen[1])
        far = {"thousandths": float(GRID), "fraction": 1.0, "loc": float(LOC_STEPS)}[self.unit]
        return far, far

    def to_grid(self, first: float, second: float, seen: tuple[int, int]) -> tuple[float, float]:
        """Return (x, y) on our grid, not clipped to it, of a point as the model wrote it."""
        x, y = (first, second) if self.order == "xy" else (second, first)
        wide, high = self.span(seen)
        if (wide, high) == (GRID, GRID):
            return x, y
        return x * GRID / wide, y * GRID / high

    def words(self) -> dict[str, str]:
        """Return what a prompt says about it: ``box``, ``point``, ``unit``, ``key``."""
        x_first = self.order == "xy"
        return {
            "box": "x_min, y_min, x_max, y_max" if x_first else "y_min, x_min, y_max, x_max",
            "point": "x, y" if x_first else "y, x",
            "unit": _WORDS[self.unit],
            "key": self.key,
        }
