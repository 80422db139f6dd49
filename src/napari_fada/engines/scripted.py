"""An engine that answers from a table: for tests and for trying the window without a model."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_fada.engines.protocol import (
    Cancel,
    Completion,
    EngineInfo,
    Image,
    Prompt,
    Stop,
    Token,
)
from napari_fada.errors import EngineError
from napari_fada.records.reading import ModelRef

_TOKEN = re.compile(r"\d+|[^\W\d]+|\s+|.", re.DOTALL)
_SLICE = 0.005


@dataclass(frozen=True, slots=True)
class Script:
    """One scripted answer.

    Parameters
    ----------
    text : str
        The answer; it is streamed in pieces (words, numbers, signs).
    delay : float
        Seconds before each token; a cancel is heeded meanwhile.
    stuck : float
        Seconds before the first token during which a cancel goes unheard, as inside a
        long image encoding.
    logprob : float
        Given to every token.
    error : Exception, optional
        Raised after the text.
    """

    text: str = ""
    delay: float = 0.0
    stuck: float = 0.0
    logprob: float = -0.1
    error: Exception | None = None


Answer = str | Script
Key = str | tuple[str, ...]
Table = Mapping[Key, Answer]


def image_key(image: Image) -> str:
    """Return the hash by which a table may tell images apart."""
    shape = "x".join(map(str, image.shape)).encode()
    return hashlib.sha256(shape + np.ascontiguousarray(image).tobytes()).hexdigest()


class ScriptedEngine:
    """Implements `protocol.Engine` from a table or a function.

    Parameters
    ----------
    script : mapping or callable
        A function of (image, prompt) that returns the answer, or a table. Its keys, the
        first that is present is taken: ``(image_key, task, *labels)``,
        ``(image_key, task)``, ``(task, *labels)``, ``task``.
    info : EngineInfo, optional
        What `info` returns.
    interleaved : bool
        Whether the answers arrive token by token in turn, or one after another.
    image_seconds : float
        What an image costs the first time it is asked about.
    """

    def __init__(
        self,
        script: Table | Callable[[Image, Prompt], Answer],
        *,
        info: EngineInfo | None = None,
        interleaved: bool = False,
        image_seconds: float = 0.0,
    ) -> None:
        self._script = script
        self._info = info or EngineInfo(
            ModelRef("scripted", "0" * 64, "napari-fada-1", "", engine="scripted")
        )
        self._interleaved = interleaved
        self._image_seconds = image_seconds
        self._image = ""
        self.asked: list[tuple[str, Prompt]] = []
        """Every prompt so far with the hash of its image."""

    @property
    def info(self) -> EngineInfo:
        """What stands for the model."""
        return self._info

    def ask(
        self, image: Image, prompts: Sequence[Prompt], *, cancel: Cancel | None = None
    ) -> Iterator[Token | Completion]:
        """Answer from the script, token by token."""
        key = image_key(image)
        self.asked += [(key, prompt) for prompt in prompts]
        encoding = 0.0 if key == self._image else self._image_seconds
        answers = [
            _answer(number, prompt, self._look_up(image, key, prompt), encoding, cancel)
            for number, prompt in enumerate(prompts)
        ]
        _pause(encoding, cancel)
        self._image = key
        while answers:
            for answer in list(answers):
                for item in answer:
                    yield item
                    if self._interleaved:
                        break
                else:
                    answers.remove(answer)

    def close(self) -> None:
        """Nothing to free."""

    def _look_up(self, image: Image, key: str, prompt: Prompt) -> Script:
        answer: Answer | None = None
        if callable(self._script):
            answer = self._script(image, prompt)
        else:
            for name in (
                (key, prompt.task, *prompt.labels),
                (key, prompt.task),
                (prompt.task, *prompt.labels),
                prompt.task,
            ):
                if (answer := self._script.get(name)) is not None:
                    break
        if answer is None:
            raise EngineError(f"The script has no answer to the task {prompt.task}.")
        return Script(answer) if isinstance(answer, str) else answer


def _answer(
    number: int, prompt: Prompt, script: Script, image_seconds: float, cancel: Cancel | None
) -> Iterator[Token | Completion]:
    began = time.perf_counter()
    tokens: list[Token] = []
    stop: Stop = "end"
    time.sleep(script.stuck)
    for piece in _TOKEN.findall(script.text):
        if len(tokens) == prompt.max_tokens:
            stop = "limit"
            break
        if _pause(script.delay, cancel):
            break
        tokens.append(Token(number, piece, script.logprob))
        yield tokens[-1]
    if cancel is not None and cancel.is_set():
        stop = "cancelled"
    elif script.error is not None:
        raise script.error
    text = "".join(token.text for token in tokens)
    seconds = time.perf_counter() - began
    yield Completion(number, text, tuple(tokens), stop, seconds, image_seconds)


def _pause(seconds: float, cancel: Cancel | None) -> bool:
    """Wait unless cancelled; return whether it was."""
    end = time.perf_counter() + seconds
    while not (cancel is not None and cancel.is_set()):
        left = end - time.perf_counter()
        if left <= 0:
            return False
        time.sleep(min(left, _SLICE))
    return True
