"""Tokens that need not be asked for, because the form leaves only one continuation.

They are fed to the model in one batch, like a prompt. The answer must not change by that:
the text is cut into tokens by the model's own tokeniser, as in training, and where a longer
token could reach beyond the certain text, the model is asked from there on.
"""

from __future__ import annotations

from collections.abc import Callable

from napari_fada.engines.forms.machine import State
from napari_fada.engines.forms.tokens import TokenTable


def forced_tokens(
    state: State, table: TokenTable, tokenise: Callable[[bytes], list[int]]
) -> list[int]:
    """Return the tokens that are certain from this state on.

    Parameters
    ----------
    state : State
        Where the answer is.
    table : TokenTable
        The vocabulary.
    tokenise : callable
        Bytes of text to token ids, without any special tokens.
    """
    text, after = state.certain()
    if not text:
        return []
    tokens = tokenise(text)
    pieces = [table.pieces[t] for t in tokens]
    if b"".join(pieces) != text:
        return []  # a tokeniser that changes text; nothing is certain about its tokens
    if after.complete:
        return tokens
    rest = text
    for i, piece in enumerate(pieces):
        if table.crosses(rest, after):
            return tokens[:i]
        rest = rest[len(piece) :]
    return tokens
