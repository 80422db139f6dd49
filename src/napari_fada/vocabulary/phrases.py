"""Read the phrases that are offered for a report, and the words that its spelling knows."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from napari_fada.vocabulary.loader import vocabulary

ANY = "any"


@cache
def curated_phrases() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Return the curated phrases, by field and view; view ``any`` suits every view."""
    text = files(__package__).joinpath("phrases.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)
    return {
        field: {view: tuple(texts) for view, texts in by_view.items()}
        for field, by_view in found.items()
    }


@cache
def field_words() -> tuple[str, ...]:
    """Return the words of the field: listed ones, of phrases, classes and views."""
    text = files(__package__).joinpath("words.txt").read_text(encoding="utf-8")
    listed = [line for line in text.splitlines() if line and not line.startswith("#")]
    phrases = [t for views in curated_phrases().values() for texts in views.values() for t in texts]
    known = vocabulary()
    names = [c.long_name for c in known.categories] + [v.long_name for v in known.views]
    names += [c.name.replace("_", " ") for c in known.categories]
    return (*listed, *phrases, *names)
