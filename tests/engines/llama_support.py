"""Names and small helpers of the tests of the llama.cpp engine."""

from __future__ import annotations

from collections.abc import Iterable

from napari_fada.engines.protocol import Completion, EngineInfo, Token
from napari_fada.records.reading import ModelRef

INFO = EngineInfo(ModelRef("fada-mini", "", "napari-fada-1", "", "llama.cpp"))
CLASSES = ("Brain", "CSP", "LV")
VIEWS = ("BPD_PLANE", "Abd_plane", "FL_PLANE", "V sign", "Other")


def completions(events: Iterable[Token | Completion]) -> list[Completion]:
    """Run an answer to its end and return the completions in the order of the prompts."""
    return sorted((e for e in events if isinstance(e, Completion)), key=lambda c: c.prompt)


def ids(completion: Completion) -> list[int]:
    """Return the numbers of its tokens."""
    return [token.id for token in completion.tokens]
