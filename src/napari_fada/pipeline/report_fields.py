"""The report of the interpret phase: an object of text fields, whole or damaged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from napari_fada.pipeline.salvage import loads
from napari_fada.pipeline.values import clean

_STRING = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL)
_MAX_DEPTH = 6
CUT_MARK = "…"


def read_fields(text: str, keys: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Read the fields of a report, in the order of ``keys``.

    A field that is cut off is kept and ends in an ellipsis. Returns the fields, without those
    that are missing, and the problems.
    """
    problems: list[str] = []
    members = _whole(text, keys)
    if members is None:
        members = _pieces(text, keys, problems)
        if members:
            problems.insert(0, "the report is not valid JSON; its fields were picked out")
    if not members:
        return {}, ("no report could be read in the answer",)
    by_name = {_normal(key): key for key in reversed(members)}
    fields = {key: as_text(members[by_name[key]]) for key in keys if key in by_name}
    unknown = [key for key in members if _normal(key) not in keys]
    if unknown:
        problems.append("unknown fields left out: " + ", ".join(clean(k) for k in unknown[:5]))
    if missing := [key for key in keys if key not in fields]:
        problems.append("fields missing: " + ", ".join(missing))
    if not fields:
        problems.append("no report could be read in the answer")
    return fields, tuple(problems)


def as_text(value: Any, depth: int = 0) -> str:
    """Flatten a value to text: lists by commas, objects as ``name: value`` by semicolons."""
    if value is None:
        return ""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if depth >= _MAX_DEPTH:
        return CUT_MARK
    if isinstance(value, dict):
        parts = [(str(k), as_text(v, depth + 1)) for k, v in value.items()]
        # {"value": "38 weeks"} is only a wrapping.
        bare = ("value", "text", "description")
        return "; ".join(v if k in bare else f"{k}: {v}" for k, v in parts if v)
    if isinstance(value, list):
        return ", ".join(t for t in (as_text(v, depth + 1) for v in value) if t)
    return str(value)


def _normal(key: str) -> str:
    return re.sub(r"[\s-]+", "_", key.strip()).lower()


def _whole(text: str, keys: Sequence[str]) -> dict[str, Any] | None:
    start = text.find("{")
    if start < 0:
        return None
    value = loads(text[start:])
    # {"report": {...}}: the fields may stand one level down.
    for _ in range(3):
        if not isinstance(value, dict):
            return None
        if any(_normal(key) in keys for key in value):
            return value
        value = next((v for v in value.values() if isinstance(v, dict)), None)
    return None


def _pieces(text: str, keys: Sequence[str], problems: list[str]) -> dict[str, Any]:
    """Pick fields out by their names: a value reaches to the next name, or to the end."""
    if not keys:
        return {}
    name = "|".join(re.escape(key).replace("_", r"[_\s-]") for key in keys)
    matches = list(re.finditer(rf"""["']({name})["']\s*:\s*""", text, re.IGNORECASE))
    out: dict[str, Any] = {}
    stops = [match.start() for match in matches[1:]] + [len(text)]
    for match, stop in zip(matches, stops, strict=False):
        key = _normal(match.group(1))
        if key in out:
            break  # the report starts again: the first one stays
        value, cut = _piece(text[match.end() : stop])
        if value or not cut:
            out[key] = value
        if cut:
            problems.append(f"{key} is cut off")
    return out


def _piece(raw: str) -> tuple[Any, bool]:
    raw = raw.strip()
    string = _STRING.match(raw)
    if string:
        value = loads(string.group())
        return (value if isinstance(value, str) else string.group(1)), False
    bare = raw.strip("`").rstrip().rstrip("}").rstrip().rstrip(",").rstrip()
    if bare.startswith(("[", "{")):
        value = loads(bare if bare.startswith("[") else bare + "}" * (bare.count("{")))
        if value is not None:
            return value, False
    elif re.fullmatch(r"null|true|false|-?\d+(\.\d+)?", bare):
        return loads(bare), False
    partial = bare.lstrip("\"'[{ ").rstrip("\\ ")
    return (partial + CUT_MARK if partial else ""), True
