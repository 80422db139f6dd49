"""What a user may decide about how a model is loaded, and what that takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_fada.engines.hardware import Memory, memory, size_text
from napari_fada.errors import ModelError

#: The smallest image that is proposed where memory is short, in tokens.
SMALL_IMAGE = 256


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may decide about how a model is loaded; None decides by the computer.

    Parameters
    ----------
    threads : int, optional
        Processor threads.
    gpu_layers : int, optional
        Layers on the graphics card, -1 for all; None: all that fit, 0 without a card.
    context : int, optional
        Cells of the context; None: it grows as the questions need.
    image_tokens : int, optional
        The most tokens of a frame (one is 32 × 32 pixels); None: the pack's size, else 2,048.
    batch : bool, optional
        Whether the answers of one call are decoded together.
    lanes : int, optional
        How many are decoded at the same time otherwise.
    dtype : str
        Precision of a full-precision model; empty: as it is stored.
    frames : int
        Frames that are looked at one after another; the states of the last ones are kept.
    """

    threads: int | None = None
    gpu_layers: int | None = None
    context: int | None = None
    image_tokens: int | None = None
    batch: bool | None = None
    lanes: int | None = None
    dtype: str = ""
    frames: int = 12

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Options:
        """Take those among the keyword arguments of `load_engine` that matter for memory."""
        named = {"context" if k == "n_ctx" else k: v for k, v in options.items()}
        return cls(**{k: v for k, v in named.items() if k in cls.__slots__ and v is not None})


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a model will take, in bytes.

    Parameters
    ----------
    name : str
        Of the model.
    parts : mapping of str to int
        Main memory by part: program, weights, image, context, work, saved frames.
    card : mapping of str to int
        The same on the graphics card.
    reclaimable : int
        How much of ``weights`` is pages of a file that the system takes back when memory is
        short: they count in the size of the process, and not in what it needs.
    options : Options
        What was asked for, and what was decided for the rest.
    parameters, layers : int
        Of the text model.
    shared : bool
        Whether the graphics card's memory is main memory; ``needed`` has both then.
    """

    name: str
    parts: Mapping[str, int]
    card: Mapping[str, int]
    reclaimable: int
    options: Options
    parameters: int = 0
    layers: int = 0
    shared: bool = False

    @property
    def total(self) -> int:
        """Size of the process at its largest (peak RSS)."""
        return sum(self.parts.values())

    @property
    def needed(self) -> int:
        """Main memory that must be free."""
        return self.total - self.reclaimable + (self.on_card if self.shared else 0)

    @property
    def on_card(self) -> int:
        """Memory of the graphics card."""
        return sum(self.card.values())

    def fits(self, free: Memory | None = None) -> bool:
        """Whether so much memory is free (None asks the system)."""
        return self.needed <= (free or memory()).available

    def sentence(self, free: Memory | None = None) -> str:
        """Return "needs 1.4 GB, you have 5.2 GB free" (None asks the system)."""
        have = (free or memory()).available
        own = self.card and not self.shared
        card = f" and {size_text(self.on_card)} of the graphics card" if own else ""
        return f"needs {size_text(self.needed)}{card}, you have {size_text(have)} free"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, all in bytes."""
        return {
            "needed": self.needed,
            "peak": self.total,
            "parts": dict(self.parts),
            "card": dict(self.card),
        }


def does_not_fit(found: Estimate, free: Memory, helps: Sequence[str]) -> ModelError:
    """Return the error that refuses a model.

    Parameters
    ----------
    found : Estimate
        What it needs.
    free : Memory
        What there is.
    helps : sequence of str
        What would help besides closing programs or another model, as "choose …".
    """
    short = size_text(found.needed - free.available)
    where = " (the limit of its container)" if free.limited else ""
    form = f"in {found.options.dtype} " if found.options.dtype else ""
    todo = (f"Close other programs ({short} more must be free)", *helps)
    return ModelError(
        f"The model {found.name} does not fit into memory: {form}it {found.sentence(free)}{where}.",
        kept="Nothing was loaded.",
        todo=f"{', '.join(todo)}, or choose a smaller model. The check can be switched off.",
    )
