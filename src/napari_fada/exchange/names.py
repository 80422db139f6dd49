"""Class names of other data sets, told apart from ours and turned into ours."""

from __future__ import annotations

from collections.abc import Mapping

from napari_fada.errors import ExchangeError
from napari_fada.vocabulary import vocabulary


class Names:
    """Finds the class of the vocabulary that a label of a file means.

    Parameters
    ----------
    mapping : mapping of str to str
        The user's own words for it: their label to our class. It wins over likeness, so that
        ``head`` of a labour data set can become ``fetal_head``. An empty class means: leave
        this label out, on purpose.

    Raises
    ------
    ExchangeError
        If a class that it leads to is not in the vocabulary.
    """

    def __init__(self, mapping: Mapping[str, str] | None = None) -> None:
        self._mapping = dict(mapping or {})
        for label, name in self._mapping.items():
            if name and name not in vocabulary().by_name:
                near = vocabulary().resolve(name)
                raise ExchangeError(
                    f"The class {name!r} that {label!r} is to become is not in the vocabulary.",
                    todo=f"Did you mean {near.name}?"
                    if near
                    else f"Classes are: {', '.join(vocabulary().by_name)}.",
                )

    def category(self, text: str) -> str | None:
        """Return our class for a label, None if it is unknown or is to be left out.

        The user's mapping first, then the exact name, then the one class that is the same but
        for case and for spaces or hyphens in place of underscores.
        """
        if text in self._mapping:
            return self._mapping[text] or None
        found = vocabulary().resolve(text)
        return found.name if found else None

    def left_out(self, text: str) -> bool:
        """Tell whether the user said that this label is to be left out."""
        return self._mapping.get(text) == ""

    def view(self, text: str) -> str | None:
        """Return our view label for a text, None if it is unknown."""
        found = vocabulary().resolve_view(text)
        return found.name if found else None


def class_of_ours(text: str) -> str:
    """Return a class of the vocabulary as a user typed it; empty for what is to be left out.

    Raises
    ------
    ExchangeError
        If there is none.
    """
    return Names({text: text}).category(text) or text


def parse_mapping(pairs: list[str]) -> dict[str, str]:
    """Read ``theirs=ours`` pairs as a user types them; ``theirs=`` leaves a label out.

    Raises
    ------
    ExchangeError
        If a pair has no equals sign or a label is given twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        theirs, sign, ours = (part.strip() for part in pair.rpartition("="))
        if not sign or not theirs:
            raise ExchangeError(
                f"{pair!r} is no pair of labels.", todo="Write it as their-label=our-class."
            )
        if theirs in found:
            raise ExchangeError(f"The label {theirs!r} is given twice.", todo="Give it once.")
        found[theirs] = ours
    return found
