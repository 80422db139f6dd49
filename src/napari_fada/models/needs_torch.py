"""How much memory PyTorch will take for a model in full precision, from its files' headers alone.

``config.json`` has the dimensions, the headers of the safetensors files the number of weights
and how they are stored. The factors marked *measured* come from fada-mini and a 0.8B-sized model
with torch 2.13 and transformers 5.24 on a processor (docs/engine.md).
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_fada.engines.llama.plan import SAVED_FRAMES, SAVED_PREFIXES
from napari_fada.errors import ModelError
from napari_fada.models.needs_gguf import ANSWER, QUESTION, Needs

#: Python with torch and transformers, before a model (measured).
PROGRAM = 430_000_000
#: For one token of the vocabulary: the tokenizer's tables, and ours for the forms.
_TOKEN = 800
#: How many answers at most one call decodes together.
_TOGETHER = 3
#: Activations of the vision tower and of reading a prompt, against the sum of widths (measured).
_VISION, _TEXT = 1.5, 1.0
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
_STORED = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1}
_NAMES = {4: "float32", 2: "float16"}
_MAX_HEADER = 100_000_000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the files of a model in full precision say; ``stored`` is bytes of their weights."""

    parameters: int
    stored: int
    dtype: str
    text: Mapping[str, Any]
    vision: Mapping[str, Any]

    @classmethod
    def of(
        cls, folder: Path, weights: Iterable[Path] | None = None, parameters: int = 0
    ) -> Checkpoint:
        """Read a folder.

        Parameters
        ----------
        folder : Path
            With ``config.json``.
        weights : iterable of Path, optional
            The safetensors files, those of an adapter and its base among them; None: all in the
            folder.
        parameters : int
            How many weights there are, where they lie in files of another form.

        Raises
        ------
        ModelError
            If a file is missing or damaged.
        """
        config = _read_json(folder / "config.json")
        files = sorted(folder.glob("*.safetensors")) if weights is None else list(weights)
        read = [_weights(file) for file in files]
        parameters = sum(count for count, _ in read) or parameters
        stored = sum(size for _, size in read) or 4 * parameters
        if not parameters:
            raise ModelError(
                f"{folder} holds no weights (.safetensors).", todo="Install the pack again."
            )
        text = config.get("text_config", config)
        dtype = config.get("dtype") or text.get("dtype") or config.get("torch_dtype")
        if dtype not in _BYTES:
            dtype = _NAMES.get(round(stored / parameters), "float32")
        return cls(parameters, stored, dtype, text, config.get("vision_config", {}))


def needs_full(
    model: Checkpoint, *, dtype: str, image_tokens: int, together: bool, frames: int
) -> Needs:
    """Return what a model takes in a precision; see `needs_gguf.needs` for the rest.

    Raises
    ------
    ModelError
        If there is no such precision.
    """
    wanted = dtype or model.dtype
    if wanted not in _BYTES:
        raise ModelError(
            f"There is no precision {wanted!r}.", todo=f"Use one of: {', '.join(_BYTES)}."
        )
    size, text = _BYTES[wanted], model.text
    number = _numbers(text)
    kinds = list(text.get("layer_types") or ["full_attention"] * number("num_hidden_layers"))
    full = sum("full" in kind or "sliding" in kind for kind in kinds)
    head = number("head_dim") or number("hidden_size") // max(1, number("num_attention_heads"))
    heads = number("num_key_value_heads") or number("num_attention_heads")
    cell = full * 2 * heads * head * size
    keys = number("linear_num_key_heads") * number("linear_key_head_dim")
    values = number("linear_num_value_heads") * number("linear_value_head_dim")
    channels = 2 * keys + values
    state = (len(kinds) - full) * (
        4 * number("linear_key_head_dim") * values
        + size * channels * number("linear_conv_kernel_dim")
    )
    sequences = 1 + (_TOGETHER if together else 1)
    prompt = image_tokens + QUESTION
    width = 2 * number("intermediate_size") + 2 * number("hidden_size") + 3 * channels
    width += 2 * head * number("num_attention_heads")
    vision = _numbers(model.vision)
    patches = image_tokens * (vision("spatial_merge_size") or 1) ** 2
    tower = vision("intermediate_size") + 3 * vision("hidden_size")
    weights = model.parameters * size
    copied = model.stored if wanted != model.dtype else 0
    frame = image_tokens * cell + state
    image, reading = round(_VISION * 4 * patches * tower), round(_TEXT * 4 * prompt * width)
    return Needs(
        program=PROGRAM + _TOKEN * number("vocab_size"),
        weights=weights + copied,
        image=image,
        memory=sequences * ((prompt + ANSWER) * cell + state),
        # what the image took is free again when the prompt is read
        work=max(0, reading - image) + 4 * sequences * number("vocab_size"),
        saved=min(SAVED_PREFIXES, min(frames, SAVED_FRAMES) * frame),
        reclaimable=copied,
        cells=prompt + ANSWER,
    )


def _numbers(config: Mapping[str, Any]) -> Any:
    def number(key: str) -> int:
        value = config.get(key)
        return value if isinstance(value, int) and value > 0 else 0

    return number


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(data, dict):
        raise ModelError(f"{path} is no configuration of a model.")
    return data


def _weights(path: Path) -> tuple[int, int]:
    """Return the number of weights in a safetensors file, and their bytes."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _MAX_HEADER:
                raise ValueError("its header is too long")
            header = json.loads(file.read(length))
        count = size = 0
        for name, tensor in header.items():
            if name != "__metadata__":
                elements = math.prod(tensor["shape"])
                count += elements
                size += elements * _STORED.get(tensor["dtype"], 4)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, struct.error, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path.name} is damaged or no safetensors file: {error}.",
            todo="Download or copy it again.",
        ) from error
    return count, size
