"""A small grammar machine: which bytes may follow, and what is certain to follow.

Forms are built from five parts (text, byte class, sequence, choice, repetition) and are
walked byte by byte. A state is immutable, so that a token can be tried without undoing
anything. Repetitions count down in the state itself, which keeps "at most 50 objects of at
most 64 vertices" as cheap as a single object.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property


class Part:
    """A piece of a form. Parts are compared by identity; build each once and share it."""

    __slots__ = ()


class Text(Part):
    """Exactly these bytes."""

    def __init__(self, value: bytes) -> None:
        if not value:
            raise ValueError("a text part needs at least one byte; use Sequence_() for nothing")
        self.value = value

    @cached_property
    def rest(self) -> Text:
        """What is left after the first byte (only asked for when there is more)."""
        return Text(self.value[1:])


class ByteClass(Part):
    """One byte out of a set; ``gbnf`` is how the set is written for llama.cpp."""

    def __init__(self, values: Iterable[int], gbnf: str) -> None:
        self.values = frozenset(values)
        self.gbnf = gbnf


class Sequence_(Part):  # noqa: N801 - the abstract base class has the plain name
    """Parts one after another."""

    def __init__(self, *parts: Part) -> None:
        self.parts = parts


class Choice(Part):
    """One of several parts. ``gbnf`` replaces the derived rule where bytes are not characters."""

    def __init__(self, *options: Part, gbnf: str | None = None) -> None:
        self.options = options
        self.gbnf = gbnf


class Repeat(Part):
    """The same part ``low`` to ``high`` times."""

    def __init__(self, body: Part, low: int, high: int) -> None:
        if not 0 <= low <= high:
            raise ValueError(f"cannot repeat {low} to {high} times")
        self.body, self.low, self.high = body, low, high

    @cached_property
    def rest(self) -> Repeat:
        """The repetition after one more round."""
        return Repeat(self.body, max(self.low - 1, 0), self.high - 1)


#: What is still to come, innermost first: ``(part, what follows it)``; None is the end.
Stack = tuple[Part, "Stack"] | None


def _expand(stack: Stack, out: list[Stack]) -> None:
    """Unfold a stack until a text or byte class, or the end, is on top of each branch."""
    if stack is None:
        out.append(None)
        return
    part, after = stack
    if isinstance(part, Sequence_):
        for inner in reversed(part.parts):
            after = (inner, after)
        _expand(after, out)
    elif isinstance(part, Choice):
        for option in part.options:
            _expand((option, after), out)
    elif isinstance(part, Repeat):
        if part.high > 0:
            _expand((part.body, (part.rest, after)), out)
        if part.low == 0:
            _expand(after, out)
    else:
        out.append(stack)


@dataclass(frozen=True)
class State:
    """Where in a form we are: every branch that the bytes so far leave open."""

    branches: tuple[Stack, ...]

    @property
    def ended(self) -> bool:
        """Whether the text so far is a whole answer (more may be allowed)."""
        return None in self.branches

    @property
    def complete(self) -> bool:
        """Whether the text so far is a whole answer and nothing may follow."""
        return bool(self.branches) and all(b is None for b in self.branches)

    @cached_property
    def allowed(self) -> frozenset[int]:
        """The bytes that may come next."""
        found: set[int] = set()
        for branch in self.branches:
            if branch is None:
                continue
            part = branch[0]
            if isinstance(part, Text):
                found.add(part.value[0])
            elif isinstance(part, ByteClass):
                found |= part.values
        return frozenset(found)

    def step(self, byte: int) -> State | None:
        """Return the state after one byte, or None where that byte may not come."""
        out: list[Stack] = []
        for branch in self.branches:
            if branch is None:
                continue
            part, after = branch
            if isinstance(part, Text):
                if part.value[0] == byte:
                    if len(part.value) > 1:
                        out.append((part.rest, after))
                    else:
                        _expand(after, out)
            elif isinstance(part, ByteClass) and byte in part.values:
                _expand(after, out)
        if not out:
            return None
        # Branches that have met again are kept once.
        return State(tuple(dict.fromkeys(out)) if len(out) > 1 else tuple(out))

    def feed(self, piece: bytes) -> State | None:
        """Return the state after several bytes, or None where they may not come."""
        state: State | None = self
        for byte in piece:
            if state is None:
                return None
            state = state.step(byte)
        return state

    def certain(self) -> tuple[bytes, State]:
        """Return the bytes that must follow, and the state after them."""
        found = bytearray()
        state = self
        while not state.ended and len(state.allowed) == 1:
            (byte,) = state.allowed
            following = state.step(byte)
            assert following is not None  # the byte was allowed
            found.append(byte)
            state = following
        return bytes(found), state


class Form:
    """A whole form; ``start`` is the state before the first byte."""

    def __init__(self, root: Part) -> None:
        self.root = root

    @cached_property
    def start(self) -> State:
        """The state before the first byte."""
        out: list[Stack] = []
        _expand((self.root, None), out)
        return State(tuple(out))

    def matches(self, data: bytes) -> bool:
        """Whether the bytes are a whole answer of this form."""
        state = self.start.feed(data)
        return state is not None and state.ended


def separated(item: Part, separator: Part, low: int, high: int) -> Part:
    """``low`` to ``high`` items with a separator between them."""
    if high < 1:
        return Sequence_()
    more = Repeat(Sequence_(separator, item), max(low - 1, 0), high - 1)
    some = Sequence_(item, more)
    return some if low > 0 else Choice(some, Sequence_())


def one_of(texts: Sequence[str]) -> Part:
    """One of several texts."""
    return Choice(*(Text(text.encode()) for text in dict.fromkeys(texts)))
