"""Attention of the vision tower in parts, so that a cancel need not wait for a whole layer.

Every patch of an image looks at every other: with large images that is the longest thing that
the model does in one go. The rows of its table do not depend on each other, so they are computed
some hundred at a time, with a look at the caller's cancel between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_fada.engines.transformers.library import library

NAME = "napari-fada-parts"
#: Patches that are looked from at a time.
_PART = 384
_LOOK = "napari_fada_look"


def register() -> None:
    """Make the name known to transformers; doing it again changes nothing."""
    transformers = library().transformers
    transformers.AttentionInterface.register(NAME, _in_parts)


def watch(attention: Any, look: Callable[[], None]) -> None:
    """Let ``look`` be called between the parts of a layer's attention."""
    setattr(attention, _LOOK, look)


def _in_parts(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **options: Any
) -> tuple[Any, None]:
    """Attend as transformers' own does, (batch, heads, places, width), without a mask."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    look = getattr(module, _LOOK, None)
    found = []
    for part in query.split(_PART, dim=2):
        if look is not None:
            look()
        found.append(sdpa_attention_forward(module, part, key, value, attention_mask, **options)[0])
    if len(found) == 1:
        return found[0], None
    return library().torch.cat(found, dim=1), None
