"""One question after another: what every engine that runs a model in this process does alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from napari_fada.engines.brake import Brake
from napari_fada.engines.images import check_image
from napari_fada.engines.protocol import Cancel, Completion, EngineInfo, Image, Prompt, Token
from napari_fada.errors import EngineError


class TurnEngine(ABC):
    """Answers of an earlier turn end when something else is asked, or the engine is closed.

    Parameters
    ----------
    brake : Brake
        Stops what is being computed when the caller cancels.
    """

    _info: EngineInfo

    def __init__(self, brake: Brake) -> None:
        self._brake = brake
        self._closed = False
        self._turn = 0

    @property
    def info(self) -> EngineInfo:
        """What is loaded."""
        return self._info

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the memory. Calling it twice is allowed."""
        self._closed = True
        self._turn += 1
        self._leave()
        self._free()

    def ask(
        self, image: Image, prompts: Sequence[Prompt], *, cancel: Cancel | None = None
    ) -> Iterator[Token | Completion]:
        """Answer prompts about one image, streaming (see :class:`protocol.Engine`)."""
        check_image(image)
        if self._closed:
            raise EngineError("The model was closed.", todo="Load it again.")
        self._turn += 1
        return self._ask(image, prompts, cancel, self._turn)

    def _ask(
        self, image: Image, prompts: Sequence[Prompt], cancel: Cancel | None, turn: int
    ) -> Iterator[Token | Completion]:
        """Pass the events on as long as nothing else was asked in between."""
        if self._turn == turn:
            self._leave()
            self._brake.hold(cancel)
        try:
            events = self._events(image, prompts)
            while self._turn == turn:
                event = next(events, None)
                if event is None:
                    return
                yield event
            raise EngineError(
                "The engine was asked something else, or closed, before this answer was read.",
                todo="Read each answer to its end before the next question.",
            )
        finally:
            if self._turn == turn:
                self._leave()

    @abstractmethod
    def _events(self, image: Image, prompts: Sequence[Prompt]) -> Iterator[Token | Completion]:
        """Answer the prompts of the present turn."""

    def _leave(self) -> None:  # noqa: B027 - most have nothing to leave
        """End what an answer that was not read to its end may still hold or compute."""

    @abstractmethod
    def _free(self) -> None:
        """Free the memory of the model."""
