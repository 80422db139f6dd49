"""Which of llama.cpp's text splitters a tokenizer uses, from ``tokenizer.json``.

The converter knows tokenizers by a hash over what they make of a test text, so it does not know
one whose vocabulary was trained anew or enlarged. How text is split before the vocabulary is
looked at is what llama.cpp needs to be told, and that can be read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_SPLIT = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
_REST = r"[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
#: Patterns of ``Split``, as tokenizers are published with them, by llama.cpp's names.
_PATTERNS = {
    _SPLIT + r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+" + _REST: "llama-bpe",
    _SPLIT + r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+" + _REST: "qwen2",
    _SPLIT + r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+" + _REST: "qwen35",
}


def splitter(folder: Path) -> str:
    """Return llama.cpp's name for how a tokenizer splits text, empty if it is not recognised.

    Parameters
    ----------
    folder : Path
        Holds ``tokenizer.json``.
    """
    try:
        data = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    stage = data.get("pre_tokenizer") if isinstance(data, dict) else None
    stages = stage.get("pretokenizers", [stage]) if isinstance(stage, dict) else []
    kinds = [s.get("type") for s in stages if isinstance(s, dict)]
    if kinds == ["Split", "ByteLevel"] and not stages[1].get("use_regex", True):
        return _PATTERNS.get(_pattern(stages[0]), "")
    if kinds == ["Digits", "ByteLevel"] and stages[0].get("individual_digits"):
        return "smollm" if stages[1].get("use_regex", True) else ""
    if kinds == ["ByteLevel"] and stages[0].get("use_regex", True):
        return "gpt-2"
    return ""


def _pattern(stage: dict[str, Any]) -> str:
    pattern = stage.get("pattern")
    found = pattern.get("Regex") if isinstance(pattern, dict) else None
    return found if isinstance(found, str) and stage.get("behavior") == "Isolated" else ""
