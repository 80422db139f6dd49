"""What an engine is: it answers prompts about one image, token by token.

The rest of the product knows engines only through this module, so that llama.cpp,
transformers, the child process around either, and the scripted engine of the tests
can stand in for each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from napari_fada.engines.conventions import Convention
from napari_fada.records.reading import ModelRef

Image = npt.NDArray[np.uint8]
Task = Literal["interpret", "classify", "detect", "segment", "keypoints", "free"]
Stop = Literal["end", "limit", "cancelled"]

#: What an engine can be asked, but for free questions, which any can be asked.
TASKS: tuple[Task, ...] = ("interpret", "classify", "detect", "segment", "keypoints")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question about an image, with the form its answer must take.

    Parameters
    ----------
    task : str
        Decides the grammar of the answer. ``free`` has none (follow-up questions).
    text : str
        What is asked, without chat markers and without the image.
    keys : tuple of str
        ``interpret``: the keys of the object, in order.
    labels : tuple of str
        ``classify``: the view labels allowed; ``detect``, ``segment``, ``keypoints``:
        the class names asked for, the only ones allowed.
    max_tokens : int
        Where the answer is cut (reported as stop ``limit``).
    """

    task: Task
    text: str
    keys: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    max_tokens: int = 1024


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of an answer as it arrives.

    ``logprob`` is the natural logarithm of the model's probability for it (before the
    grammar), ``forced`` tells that the grammar left no choice; then the model need not have
    been asked, and ``logprob`` is 0. ``text`` may be empty: a character can take two tokens.
    ``id`` is the token's number in the vocabulary, -1 where there is none.
    """

    prompt: int
    text: str
    logprob: float
    forced: bool = False
    id: int = -1


@dataclass(frozen=True, slots=True)
class Completion:
    """The whole answer to one prompt, sent after its last token.

    ``seconds`` is wall time for this prompt, without the image; ``image_seconds`` what the
    image prefix cost in this call (0 when it was already encoded). The first prompt carries
    it, so that the sum over a call is right. ``seen`` is the width and height of the image as
    the model saw it, None where the engine does not say.
    """

    prompt: int
    text: str
    tokens: tuple[Token, ...]
    stop: Stop
    seconds: float
    image_seconds: float = 0.0
    seen: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What is loaded, for provenance and for choosing what may be asked.

    ``classes`` and ``keypoints`` are empty when the pack does not say (then everything may
    be asked, but keypoints are not asked for). ``calibration`` is (slope, offset) for turning
    a mean log-probability into a score, see ``pipeline.scores``. ``convention`` is how places
    are written in its answers. ``tasks`` are what it was made for; ``refusal`` says
    why the others are not asked.
    """

    model: ModelRef
    classes: tuple[str, ...] = ()
    keypoints: tuple[str, ...] = ()
    calibration: tuple[float, float] | None = None
    convention: Convention = field(default_factory=Convention)
    tasks: tuple[Task, ...] = TASKS
    refusal: str = ""


class Cancel(Protocol):
    """Anything with ``is_set``: threading.Event, multiprocessing.Event, or ours."""

    def is_set(self) -> bool:
        """Return True once the work should stop."""
        ...


@runtime_checkable
class Engine(Protocol):
    """Answers prompts about an image. Not thread-safe: one caller at a time."""

    @property
    def info(self) -> EngineInfo:
        """What is loaded."""
        ...

    def ask(
        self, image: Image, prompts: Sequence[Prompt], *, cancel: Cancel | None = None
    ) -> Iterator[Token | Completion]:
        """Answer prompts about one image, streaming.

        The image is encoded once; asking again about the same pixels continues from the
        same prefix. Every prompt ends with exactly one Completion, also when cancelled
        (stop ``cancelled``; text and tokens hold what had arrived).

        Parameters
        ----------
        image : uint8 array, (H, W) or (H, W, 3) RGB
            The original frame; the engine stretches it to the model's grid.
        prompts : sequence of Prompt
            Independent questions; their answers may arrive interleaved.
        cancel : Cancel, optional
            Looked at between tokens and between image batches.

        Raises
        ------
        EngineError
            If the engine fails; it can be asked again afterwards.
        """
        ...

    def close(self) -> None:
        """Free the memory. Calling it twice is allowed."""
        ...
