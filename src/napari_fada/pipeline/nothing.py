"""Answers that say in words, or as null, that nothing is there.

Such an answer is a finding ("empty"), not a failure: the model was asked and answered. A refusal,
a missing image or a statement about anything else is none, and stays a failure.
"""

from __future__ import annotations

import re
from typing import Any

from napari_fada.pipeline.negation import affirmed
from napari_fada.pipeline.salvage import loads

#: Longer texts are no plain "nothing there".
_LONGEST = 400
_BARE = frozenset(
    {"null", "none", "nil", "nothing", "n/a", "na", "nan", "no", "empty", "absent", "undefined"}
    | {"not applicable", "not available", "not visible", "not present", "not seen", "not found"}
    | {"not detected", "background", "0"}
)
#: Members that name what was asked for, and say nothing about whether it is there.
_NAMES = frozenset({"label", "class", "name", "category", "structure", "id", "type", "task"})
_FINDING = re.compile(
    r"\b(?:see|seen|visible|visuali[sz]\w+|detect\w*|found|find|identif\w+|present|contain\w*|"
    r"shows?|shown|includes?|included|depict\w*|display\w*|recogni[sz]\w+|locat\w+|observ\w+|"
    r"appears?|there (?:is|are|was|were)|structures?|objects?|instances?|detections?|findings?|"
    r"annotations?|anything|nothing|none|matches)\b"
)
_NOT_ABOUT_THE_SCAN = re.compile(
    r"\b(?:sorry|apolog\w+|assist\w*|help|policy|guidelines?|comply|ai|language model|advice|"
    r"diagnos\w+|professional|upload\w*|attach\w*|provid(?:e|ing)|process\w*|analy[sz]\w+|"
    r"interpret\w*|access\w*|open|load\w*|receiv\w+|blank|corrupt\w*|please|able|unable|error|"
    r"other than|except|besides|apart from|only)\b"
)
_PICTURE = r"(?:image|picture|photo|file|scan|frame|input)s?"
_NO_PICTURE = re.compile(
    rf"\b(?:no|any|an|your|without) (?:\w+ ){{0,2}}{_PICTURE}\b(?! (?:contains?|shows?))"
    rf"|\b(?:see|view|find|read|locate) (?:the|this|that) (?:\w+ )?{_PICTURE}\b"
    rf"|\b{_PICTURE} (?:was|were|is|are|has|have|can|could)(?: ?not|n't|not)? (?:be |been )?"
    r"(?:provided|visible|seen|found|available|displayed|shown|present|missing|absent)\b"
)
#: What may stand beside the denial: it affirms nothing.
_LEAD = re.compile(
    r"[^a-z]*(?:\b(?:the|this|that|these|those|an?|images?|scan|frame|picture|ultrasound|fetal|plane|"
    r"view|it|i|we|in|on|of|from|for|to|at|within|based|provided|requested|given|listed|above|"
    r"results?|answer|output|response|detections?|structures?|objects?|therefore|so|thus|hence|"
    r"and|or|any|all|is|are|was|were|there|here|as|after|looking|examination|inspection|json|"
    r"list|does|do|did|has|have|had|can|could)\b[^a-z]*)*"
)


def says_nothing(text: str) -> bool:
    """Tell whether an answer says that nothing of what was asked for is there.

    Parameters
    ----------
    text : str
        The whole answer.
    """
    bare = _plain(text)
    if is_bare(bare):
        return True
    if bare.startswith(("[", "{")):
        return value_says_nothing(loads(bare))
    return _in_words(bare)


def is_bare(text: str) -> bool:
    """Tell whether a text is one of the words for nothing, as in ``null`` or ``not visible``."""
    return _plain(text).strip(".!") in _BARE


def value_says_nothing(value: Any) -> bool:
    """Tell whether a JSON value says that nothing is there: ``{"objects": null}``."""
    if isinstance(value, str):
        return is_bare(value) or _in_words(_plain(value))
    if isinstance(value, dict):
        rest = {k: v for k, v in value.items() if str(k).lower() not in _NAMES}
        named = [v for k, v in value.items() if k not in rest]
        if rest:
            return all(_empty(v) or value_says_nothing(v) for v in rest.values())
        return bool(named) and all(v is None or (isinstance(v, str) and is_bare(v)) for v in named)
    if isinstance(value, list):
        return bool(value) and all(value_says_nothing(v) for v in value)
    return value is None


def _empty(value: Any) -> bool:
    """Tell whether a member is empty, or a place without any extent."""
    if isinstance(value, list):
        return all(_empty(v) for v in value)
    return value is None or value is False or value == 0 or value in ("", {})


def _plain(text: str) -> str:
    """Return the text in small letters without fences, quotes and needless white space."""
    text = re.sub(r"```(?:\w+)?", " ", text[: 4 * _LONGEST]).replace("’", "'").lower()
    return " ".join(text.split()).strip(" `\"'*-")


def _in_words(text: str) -> bool:
    if not text or len(text) > _LONGEST or re.search(r"[\d{}\[\]<>]", text):
        return False
    if _NOT_ABOUT_THE_SCAN.search(text) or _NO_PICTURE.search(text) or not _FINDING.search(text):
        return False
    # Scopes of denials know "no" and "not"; "none" and "nothing" are the same as subjects.
    denied = re.sub(r"\bnone\b(?: of)?|\bnothing\b", "no thing", text)
    left = affirmed(denied)
    return left != denied and _LEAD.fullmatch(left) is not None
