"""The upstream wording of prompts, read from the user's own copy of two upstream files.

FADA's checkpoints were trained on fixed wording, which this project does not ship. It is read
with ``ast``, never executed, from files whose SHA-256 is known, and kept as a prompt set in the
user's data folder. Facts and hashes: docs/models.md, "Prompt sets".
"""

from __future__ import annotations

import ast
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import tomli_w

from napari_fada.errors import ModelError
from napari_fada.pipeline.prompts import PLACE, PromptSet, user_prompts

NAME = "fada-upstream-1"
COMMIT = "c9441244a9198d44995c9c8bd9425e5aaf40ea33"
#: SHA-256 of the two files at that commit of the upstream repository.
CONSTANTS_SHA256 = "fda44008d22b5c5af6960518f44883a4ace622397a09bb0822b7b976613dffce"
INFERENCE_SHA256 = "9b1f4684daf0f1a4da0d101d6d3103d7cd719c1ded391ab62246c6c83d19290c"
_STRINGS = {"interpret": "INTERPRET_PROMPT", "classify": "CLASSIFY_PROMPT"}
_FUNCTIONS = {
    "detect": "build_detect_prompt",
    "segment": "build_segment_prompt",
    "keypoints": "build_keypoint_prompt",
}
_LARGEST = 4 << 20


def import_prompts(
    constants: Path,
    inference: Path,
    *,
    name: str = NAME,
    digests: Mapping[str, str] | None = None,
) -> Path:
    """Read the upstream wording and keep it as a prompt set; returns its file.

    Parameters
    ----------
    constants, inference : Path
        Copies of upstream's ``webapp/constants.py`` and ``webapp/inference.py``, in any order.
    name : str
        Of the prompt set.
    digests : mapping of str to str, optional
        The SHA-256 expected of ``constants`` and ``inference``; None: those of the commit known
        here.

    Raises
    ------
    ModelError
        If a file is another one, does not hold what it should, or the set cannot be kept.
    """
    wanted = digests or {"constants": CONSTANTS_SHA256, "inference": INFERENCE_SHA256}
    texts = [_read(path) for path in (constants, inference)]
    if [digest for _, digest in texts] == [wanted["inference"], wanted["constants"]]:
        texts.reverse()
        constants, inference = inference, constants
    for path, (_, found), key in zip(
        (constants, inference), texts, ("constants", "inference"), strict=True
    ):
        if found != wanted[key]:
            raise ModelError(
                f"{path} is not the file that is known: its SHA-256 begins with {found[:12]} "
                f"instead of {wanted[key][:12]}.",
                kept="Nothing was read from it.",
                todo=f"Take webapp/{key}.py of upstream's commit {COMMIT[:12]}, unchanged.",
            )
    prompts = strings_of(texts[0][0], constants) | templates_of(texts[1][0], inference)
    data = {"name": name, "prompts": prompts}
    PromptSet.from_dict(data)  # complains before anything is written
    return _keep(name, data, f"Upstream's wording, commit {COMMIT}; read from your copy of it.")


def strings_of(source: str, path: Path) -> dict[str, str]:
    """Return the prompts that are module-level strings; nothing is executed.

    Raises
    ------
    ModelError
        If one is missing, or is more than a string.
    """
    found: dict[str, str] = {}
    for node in _parse(source, path).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and target.id in _STRINGS.values():
                value = node.value  # type: ignore[attr-defined]
                text = _constant(value)
                if text is None:
                    raise ModelError(f"{target.id} in {path} is not a plain string.")
                found[target.id] = text
    missing = [name for name in _STRINGS.values() if name not in found]
    if missing:
        raise ModelError(f"{path} does not hold {' and '.join(missing)}.")
    return {task: found[name] for task, name in _STRINGS.items()}


def templates_of(source: str, path: Path) -> dict[str, str]:
    """Return the prompts that functions build, with ``{classes}`` where the classes go.

    Raises
    ------
    ModelError
        If a function is missing, or does more than put its argument into a text.
    """
    functions = {
        node.name: node
        for node in _parse(source, path).body
        if isinstance(node, ast.FunctionDef) and node.name in _FUNCTIONS.values()
    }
    missing = [name for name in _FUNCTIONS.values() if name not in functions]
    if missing:
        raise ModelError(f"{path} does not hold {' and '.join(missing)}.")
    return {task: _template(functions[name], path) for task, name in _FUNCTIONS.items()}


def _template(function: ast.FunctionDef, path: Path) -> str:
    arguments = [a.arg for a in function.args.args]
    returned = [n.value for n in ast.walk(function) if isinstance(n, ast.Return)]
    if not arguments or len(returned) != 1 or returned[0] is None:
        raise ModelError(f"{function.name} in {path} does not return one text of its argument.")
    # What is made of the argument before the text is written counts as the argument.
    known = {arguments[0]}
    for node in function.body:
        if isinstance(node, ast.Assign) and known & _names(node.value):
            known |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    text = _filled(returned[0], known)
    if text is None or text.count(PLACE) != 1:
        raise ModelError(f"{function.name} in {path} does more than put its classes into one text.")
    return text


def _filled(node: ast.expr, known: set[str]) -> str | None:
    if (text := _constant(node)) is not None:
        return text
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _filled(node.left, known), _filled(node.right, known)
        return None if left is None or right is None else left + right
    if not isinstance(node, ast.JoinedStr):
        return PLACE if _names(node) and _names(node) <= known else None
    parts = []
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            if not _names(part.value) or not _names(part.value) <= known:
                return None
            parts.append(PLACE)
        else:
            parts.append(_constant(part) or "")
    return "".join(parts)


def _names(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def _constant(node: ast.expr | None) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _constant(node.left), _constant(node.right)
        return None if left is None or right is None else left + right
    return None


def _parse(source: str, path: Path) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ModelError(f"{path} is not Python that can be read: {error}.") from error


def _read(path: Path) -> tuple[str, str]:
    try:
        if path.stat().st_size > _LARGEST:
            raise ModelError(f"{path} is far too large to be the file that is known.")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    return data.decode("utf-8", errors="replace"), hashlib.sha256(data).hexdigest()


def _keep(name: str, data: Mapping[str, object], remark: str) -> Path:
    file = user_prompts() / f"{name}.toml"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=file.parent, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(f"# {remark}\n\n{tomli_w.dumps(data)}")
        Path(draft).replace(file)
    except OSError as error:
        raise ModelError(
            f"The prompt set cannot be kept in {file}: {error.strerror or error}."
        ) from error
    return file
