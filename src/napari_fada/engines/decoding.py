"""One answer in the making: which token comes next, and what is certain after it."""

from __future__ import annotations

import codecs
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from napari_fada.engines.forms import Form, State, TokenTable, forced_tokens
from napari_fada.engines.prefixes import Prefix
from napari_fada.engines.protocol import Completion, Prompt, Stop, Token
from napari_fada.errors import EngineError

#: How many tokens are tried in the order of their logits before the form is asked for all
#: that it allows, which takes seconds where that is most of a large vocabulary.
_FIRST = (32, 4096)
#: States that allow more bytes than this are inside a text, where most tokens are allowed.
_OPEN = 40

#: More than the markers behind an image take.
_TAIL = 8


#: The scores of all tokens, as the model gives them.
Row = npt.NDArray[np.float32]


@dataclass
class Piece:
    """Tokens of one sequence to decode next, from position ``start`` on."""

    sequence: int
    start: int
    tokens: Sequence[int]


class Vocabulary(Protocol):
    """What an answer needs to know of a model's tokens."""

    @property
    def table(self) -> TokenTable:
        """The bytes of all tokens; empty for those that are not text."""
        ...

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """All tokens that end an answer."""
        ...

    @property
    def splits_bytes(self) -> bool:
        """Whether text is cut into tokens without being changed."""
        ...

    def piece(self, token: int) -> bytes:
        """Return the bytes of a token; empty for control tokens."""
        ...

    def ends(self, token: int) -> bool:
        """Whether a token ends the answer."""
        ...

    def tokenise(self, text: bytes, *, special: bool = False) -> list[int]:
        """Cut text into tokens; ``special`` lets it name control tokens."""
        ...


class Picker:
    """Chooses tokens.

    Parameters
    ----------
    model : Vocabulary
        Whose tokens.
    temperature : float
        0 takes the most probable token that is allowed; above, tokens are drawn.
    seed : int
        Of the draws.
    """

    def __init__(self, model: Vocabulary, temperature: float = 0.0, seed: int = 0) -> None:
        self.model = model
        self.temperature = temperature
        self._random = np.random.default_rng(seed)

    def pick(self, row: Row, state: State | None) -> int:
        """Return the next token: the best one that the state allows (None allows all)."""
        if self.temperature > 0:
            # Adding Gumbel noise turns the best of a set into a draw from its distribution.
            row = (row / self.temperature + self._random.gumbel(size=row.shape)).astype(np.float32)
        best = int(row.argmax())
        if state is None or self._allows(state, best):
            return best
        if len(state.allowed) > _OPEN:
            for count in _FIRST:
                few = np.argpartition(row, -min(count, row.size))[-count:]
                for token in few[np.argsort(row[few])[::-1]]:
                    if self._allows(state, int(token)):
                        return int(token)
        legal = self.model.table.legal(state)
        if state.ended:
            ends = [t for t in self.model.end_tokens if row[t] > -math.inf]
            legal = np.append(legal, ends).astype(np.int64)
        if not len(legal):
            raise EngineError("No token of the vocabulary continues the answer in its form.")
        return int(legal[row[legal].argmax()])

    def _allows(self, state: State, token: int) -> bool:
        if self.model.ends(token):
            return state.ended
        piece = self.model.piece(token)
        return bool(piece) and state.feed(piece) is not None


def log_probability(row: Row, token: int) -> float:
    """Return the natural logarithm of a token's probability under the raw logits."""
    top = float(row.max())
    return float(row[token]) - top - math.log(float(np.exp(row - top).sum()))


class Answer:
    """The answer to one prompt while it grows in one sequence.

    Parameters
    ----------
    index : int
        Place of the prompt in the call.
    prompt : Prompt
        What is asked.
    form : Form or None
        What the answer must look like.
    picker : Picker
        Chooses the tokens.
    question : list of int
        The tokens between the image and the answer.
    force : bool
        Whether certain tokens are fed without asking the model.
    seen : (width, height)
        Of the image as the model sees it.
    """

    def __init__(
        self,
        index: int,
        prompt: Prompt,
        form: Form | None,
        picker: Picker,
        *,
        question: list[int],
        force: bool,
        seen: tuple[int, int],
    ) -> None:
        self.index, self.prompt = index, prompt
        self.picker, self.model = picker, picker.model
        self.state = form.start if form else None
        self.force = force
        self.seen = seen
        self.tokens: list[Token] = []
        self.stop: Stop | None = None
        self.told = False
        self.image_seconds = 0.0
        self.sequence = 0
        self.position = 0
        self.pending = question
        self._news: list[Token] = []
        self._certain: list[int] = []
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._began: float | None = None

    @property
    def cells(self) -> int:
        """Room that the question and the longest answer take behind the image."""
        return len(self.pending) + self.prompt.max_tokens + _TAIL

    def begin(self, sequence: int, prefix: Prefix) -> Iterator[Token]:
        """Start behind the image prefix; gives the tokens that are certain already."""
        self.sequence, self.position = sequence, prefix.position
        self.pending = [*prefix.tail, *self.pending]
        self._began = time.perf_counter()
        self._go_on()
        return self.news()

    def piece(self) -> Piece:
        """Return what to decode next for this answer."""
        return Piece(self.sequence, self.position, self.pending)

    def choose(self, row: Row) -> int:
        """Return the next token."""
        return self.picker.pick(row, self.state)

    def absorb(self, row: Row) -> None:
        """Take the logits after the pending tokens, and choose how the answer goes on."""
        self.position += len(self.pending)
        self.pending = []
        token = self.choose(row)
        if self.model.ends(token):
            self.stop = "end"
            return
        certain = bool(self._certain) and token == self._certain[0]
        self._certain = self._certain[1:] if certain else []
        self._add(token, log_probability(row, token), forced=certain)
        self._go_on()

    def news(self) -> Iterator[Token]:
        """Give the tokens that came since the last time."""
        news, self._news = self._news, []
        yield from news

    def _add(self, token: int, logprob: float, *, forced: bool) -> None:
        piece = self.model.piece(token)
        if self.state is not None:
            self.state = self.state.feed(piece)
            assert self.state is not None  # the picker allows nothing else
        added = Token(self.index, self._text.decode(piece), logprob, forced, token)
        self.tokens.append(added)
        self._news.append(added)
        self.pending.append(token)
        if self.state is not None and self.state.complete:
            self.stop = "end"
        elif len(self.tokens) >= self.prompt.max_tokens:
            self.stop = "limit"

    def _go_on(self) -> None:
        """Add the tokens that are certain now, or remember them where they are not forced."""
        if self.state is None or self.stop or self._certain or not self.model.splits_bytes:
            return
        certain = forced_tokens(self.state, self.model.table, self.model.tokenise)
        if not self.force:
            self._certain = certain
            return
        for token in certain:
            if not self.stop:
                self._add(token, 0.0, forced=True)

    def completion(self) -> Completion:
        """Return the answer as it stands; this is the last that is told of it."""
        self.told = True
        rest = self._text.decode(b"", final=True)
        return Completion(
            prompt=self.index,
            text="".join(t.text for t in self.tokens) + rest,
            tokens=tuple(self.tokens),
            stop=self.stop or "cancelled",
            seconds=time.perf_counter() - self._began if self._began is not None else 0.0,
            image_seconds=self.image_seconds,
            seen=self.seen,
        )
