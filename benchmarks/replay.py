"""Let an engine with random weights give chosen answers, at the cost of a trained one."""

from __future__ import annotations

from typing import Any

from canned import answers

from napari_fada.engines.decoding import Answer, Row
from napari_fada.engines.llama import session
from napari_fada.engines.transformers import session as full_session

TEXTS = {task: text.encode() for task, text in answers().items()}


class Replayed(Answer):
    """An answer whose next token is that of a given text.

    The logits are computed, the form is asked and the log-probability is taken as always;
    only the winner is changed, as if the model were sure of it. Tokens that the form forces
    are not asked for, as always.
    """

    def choose(self, row: Row) -> int:
        """Return the token of the text that comes next."""
        said = b"".join(self.model.piece(t.id) for t in self.tokens)
        whole = TEXTS[self.prompt.task]
        assert whole.startswith(said), "the engine has left the text"
        token = self.model.tokenise(whole[len(said) :])[0]
        row = row.copy()
        row[token] = row.max() + 10.0
        chosen = self.picker.pick(row, self.state)
        assert chosen == token, "the form refuses the text"
        return chosen


def replay() -> Any:
    """Make every engine of this process give the chosen answers."""
    session.Answer = full_session.Answer = Replayed  # type: ignore[misc]
    return Replayed
