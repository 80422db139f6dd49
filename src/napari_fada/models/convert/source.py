"""What lies in the folder that is to be converted, looked at before anything is done to it."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_fada.errors import ModelError
from napari_fada.models.gguf_files import gguf_in

_BYTES = {"F64": 8, "F32": 4, "BF16": 2, "F16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1}
_LARGEST_HEADER = 1 << 28
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


@dataclass(frozen=True, slots=True)
class Source:
    """A transformers folder.

    Parameters
    ----------
    folder : Path
        Where it is.
    architecture : str
        As its configuration names it.
    parameters : int
        Number of weights.
    size : int
        Bytes of the weights as they are stored.
    """

    folder: Path
    architecture: str
    parameters: int
    size: int


def read_source(folder: Path, *, allow_pickle: bool = False) -> Source:
    """Look at a transformers folder.

    Parameters
    ----------
    folder : Path
        Where it is.
    allow_pickle : bool
        Accept weights that are not safetensors; their number is then not known.

    Raises
    ------
    ModelError
        If something is missing, or the weights are in a form that is not read.
    """
    config = _json(folder, "config.json")
    if config is None:
        if (folder / "adapter_config.json").is_file():
            raise ModelError(
                f"{folder} is a LoRA adapter, not a model.",
                todo="Give the folder of its base model, and this one with --adapter.",
            )
        if gguf_in(folder):
            raise ModelError(
                f"{folder} holds GGUF files: it is converted already.",
                todo="Give the folder with config.json and .safetensors files.",
            )
        raise ModelError(
            f"{folder} is no transformers folder: config.json is missing.",
            todo="Give the folder with config.json and .safetensors files.",
        )
    parameters = size = 0
    for file in [] if allow_pickle and _pickled(folder) else _weights(folder):
        count, length = _measure(file)
        parameters, size = parameters + count, size + length
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise ModelError(
            f"{folder} has no tokenizer ({', '.join(_TOKENIZERS)}).",
            todo="Copy the tokenizer files of the base model into it.",
        )
    if "vision_config" not in config:
        raise ModelError(
            f"The model in {folder.name} takes no images: its configuration has no vision_config.",
            todo="Give a vision-language model.",
        )
    if not any(
        (folder / name).is_file() for name in ("preprocessor_config.json", "processor_config.json")
    ):
        raise ModelError(
            f"{folder} does not say how images are processed: preprocessor_config.json is missing.",
            todo="Copy it from the base model.",
        )
    names = config.get("architectures") or [""]
    return Source(folder, str(names[0]), parameters, size)


def read_adapter(folder: Path, *, allow_pickle: bool = False) -> str:
    """Look at a LoRA adapter's folder and return the name of its base model.

    Parameters
    ----------
    folder : Path
        What peft wrote.
    allow_pickle : bool
        Accept weights that are not safetensors.

    Raises
    ------
    ModelError
        If it is none, or of another kind.
    """
    config = _json(folder, "adapter_config.json")
    if config is None:
        raise ModelError(
            f"{folder} is no adapter: adapter_config.json is missing.",
            todo="Give the folder that peft wrote.",
        )
    if config.get("peft_type") != "LORA":
        raise ModelError(
            f"The adapter in {folder} is of the kind {config.get('peft_type')!r}; only LoRA can be "
            "merged.",
        )
    file = folder / "adapter_model.safetensors"
    pickled = (folder / "adapter_model.bin").is_file()
    if not file.is_file() and not (pickled and allow_pickle):
        raise ModelError(
            f"{folder} has no adapter_model.safetensors"
            + (", only a .bin file, which could run code when it is read." if pickled else "."),
            todo="Save the adapter again with safetensors.",
        )
    if file.is_file():
        _measure(file)
    return str(config.get("base_model_name_or_path") or "")


def _pickled(folder: Path) -> bool:
    """Whether a folder's weights are pickled, and only so."""
    return not any(folder.glob("*.safetensors")) and any(
        any(folder.glob(pattern)) for pattern in _PICKLES
    )


def _weights(folder: Path) -> list[Path]:
    index = _json(folder, "model.safetensors.index.json")
    if index is not None:
        names = index.get("weight_map")
        wanted = sorted(set(names.values())) if isinstance(names, dict) else []
        missing = [name for name in wanted if not (folder / name).is_file()]
        if missing:
            raise ModelError(
                f"{folder} is incomplete: {', '.join(missing[:3])} "
                f"{'is' if len(missing) == 1 else 'are'} missing.",
                todo="Copy or download it again.",
            )
        return [folder / name for name in wanted]
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        if _pickled(folder):
            raise ModelError(
                f"The weights in {folder} are pickled; reading them could run code.",
                todo="Save the model again with safetensors.",
            )
        raise ModelError(f"{folder} holds no weights (.safetensors).")
    return files


def _measure(file: Path) -> tuple[int, int]:
    """Return the number of weights in a safetensors file, and their bytes."""
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > _LARGEST_HEADER:
                raise ValueError("its header is too long")
            header = json.loads(stream.read(length))
        tensors = [t for name, t in header.items() if name != "__metadata__"]
        end = max((int(t["data_offsets"][1]) for t in tensors), default=0)
        if file.stat().st_size < 8 + length + end:
            raise ValueError("it is cut short")
        counts = [(math.prod(t["shape"]), _BYTES.get(t["dtype"], 2)) for t in tensors]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise ModelError(
            f"{file.name} is no whole safetensors file ({error}).",
            todo="Copy or download it again.",
        ) from error
    return sum(n for n, _ in counts), sum(n * size for n, size in counts)


def _json(folder: Path, name: str) -> dict[str, Any] | None:
    try:
        data = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / name} cannot be read: {error}.") from error
    return data if isinstance(data, dict) else None
