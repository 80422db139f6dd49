"""Weights from a folder: only safetensors, only this architecture, nothing from anywhere else."""

from __future__ import annotations

import json
import math
import pickle
import warnings
from pathlib import Path
from typing import Any

from napari_fada.engines.transformers import attention
from napari_fada.engines.transformers.library import explained, library, version
from napari_fada.errors import EngineError

ARCHITECTURE = "Qwen3_5ForConditionalGeneration"
_AGAIN = "Copy or download the model again."


def read_config(folder: Path) -> Any:
    """Read ``config.json`` and say if the model is of another architecture.

    Raises
    ------
    EngineError
        If it is missing, malformed, or of another architecture.
    """
    path = folder / "config.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        names = data.get("architectures") or [""]
        kind = data.get("model_type")
    except FileNotFoundError as error:
        raise EngineError(
            f"{folder} is no model: config.json is missing.",
            todo="Give the folder with config.json and .safetensors files.",
        ) from error
    except (OSError, ValueError, AttributeError) as error:
        raise EngineError(f"{path} cannot be read ({error}).", todo=_AGAIN) from error
    if ARCHITECTURE not in names:
        raise EngineError(
            f"The model in {folder.name} is of the architecture {names[0] or kind!r}; this engine "
            f"runs {ARCHITECTURE}.",
            todo="Convert it with `napari-fada models convert`: llama.cpp runs many others.",
        )
    try:
        return library().transformers.Qwen3_5Config.from_dict(data)
    except Exception as error:  # a configuration is checked in many ways, all of them damage here
        raise EngineError(
            f"{path} is malformed ({str(error).strip().splitlines()[-1][:200]}).", todo=_AGAIN
        ) from error


def load_model(folder: Path, config: Any, *, dtype: Any, allow_pickle: bool = False) -> Any:
    """Load the weights of a folder into memory.

    Parameters
    ----------
    folder : Path
        With ``config.json`` and safetensors files.
    config : Qwen3_5Config
        From :func:`read_config`.
    dtype : torch.dtype
        What they are turned into.
    allow_pickle : bool
        Read ``.bin`` files where there is no safetensors file (weights only, in PyTorch's
        restricted reader).

    Raises
    ------
    EngineError
        If a file is missing or damaged, weights are missing, or memory runs out.
    """
    transformers = library().transformers
    safe = any(folder.glob("*.safetensors"))
    if not safe and not allow_pickle:
        raise EngineError(
            f"{folder} holds no .safetensors file; pickled weights could run code when read.",
            todo="Save the model again with safetensors, or allow it with allow_pickle=True if "
            "you trust where it comes from.",
        )
    attention.register()
    ways = {"": "sdpa", "vision_config": attention.NAME}
    with explained(f"loading {folder.name}"):
        try:
            model, said = transformers.Qwen3_5ForConditionalGeneration.from_pretrained(
                folder, config=config, dtype=dtype, attn_implementation=ways,
                local_files_only=True, trust_remote_code=False, use_safetensors=safe,
                output_loading_info=True,
            )  # fmt: skip
        except (RuntimeError, MemoryError):
            raise
        except pickle.UnpicklingError as error:
            raise EngineError(
                f"The weights in {folder} hold more than tensors and were not read.",
                todo="Save the model again with safetensors.",
            ) from error
        except Exception as error:  # each format of weights has errors of its own
            raise _damaged(folder, error) from error
    missing = sorted(said["missing_keys"])
    wrong = [key for key, *_ in said["mismatched_keys"]]
    if missing or wrong:
        raise EngineError(
            f"The weights in {folder.name} do not fit its config.json: "
            + ", ".join((missing or wrong)[:3])
            + (f" and {len(missing or wrong) - 3} more" if len(missing or wrong) > 3 else "")
            + (" missing." if missing else " of another shape."),
            todo=_AGAIN,
        )
    return model.eval()


def _damaged(folder: Path, error: Exception) -> EngineError:
    reason = " ".join(str(error).split())[:300]
    return EngineError(f"The weights in {folder} cannot be read ({reason}).", todo=_AGAIN)


def with_adapter(model: Any, folder: Path, *, merge: bool, allow_pickle: bool = False) -> Any:
    """Put a LoRA adapter into a model, and see that all of it found its place.

    Parameters
    ----------
    model : Qwen3_5ForConditionalGeneration
        The base model; it is changed.
    folder : Path
        What peft wrote.
    merge : bool
        Add the adapter to the weights, which costs nothing later. Otherwise both are kept.
    allow_pickle : bool
        Read ``adapter_model.bin`` where there is no safetensors file.

    Raises
    ------
    EngineError
        If it is damaged, or of another base model.
    """
    safe = (folder / "adapter_model.safetensors").is_file()
    if not (folder / "adapter_config.json").is_file():
        raise EngineError(
            f"{folder} is no adapter: adapter_config.json is missing.",
            todo="Give the folder that peft wrote.",
        )
    if not safe and not ((folder / "adapter_model.bin").is_file() and allow_pickle):
        raise EngineError(
            f"{folder} has no adapter_model.safetensors"
            + (
                "; the .bin file could run code when it is read."
                if (folder / "adapter_model.bin").is_file()
                else "."
            ),
            todo="Save the adapter again with safetensors.",
        )
    try:
        from peft import PeftModel
    except ImportError as error:
        raise EngineError(
            "A LoRA adapter needs peft, which is not installed.",
            todo='Install it with: pip install "napari-fada[torch]"',
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what peft warns of is looked at below
            found = PeftModel.from_pretrained(
                model, str(folder), use_safetensors=safe, local_files_only=True
            )
    except Exception as error:  # peft raises whatever the layers of the other model raise
        raise _other_base(folder, " ".join(str(error).split())[:300]) from error
    if safe:
        _check_places(found, folder)
    if not merge:
        return model
    with explained(f"merging the adapter {folder.name}"), library().torch.inference_mode():
        try:
            return found.merge_and_unload(safe_merge=True).eval()
        except ValueError as error:
            raise EngineError(
                f"The adapter {folder.name} cannot be merged ({error}).", todo=_AGAIN
            ) from error


def _check_places(found: Any, folder: Path) -> None:
    """Compare what the file holds with what the model got: peft only warns of a difference."""
    from safetensors import safe_open

    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        keys = [key for key in file.keys() if ".lora_B." in key]  # noqa: SIM118 - no mapping
        there = sum(float(file.get_tensor(key).double().abs().sum()) for key in keys)
    placed = [p for name, p in found.named_parameters() if ".lora_B." in name]
    here = sum(float(p.detach().double().abs().sum()) for p in placed)
    if len(placed) != len(keys) or not math.isclose(here, there, rel_tol=1e-2, abs_tol=1e-6):
        raise _other_base(
            folder, f"it has weights for {len(keys)} layers; those of {len(placed)} were found"
        )


def _other_base(folder: Path, reason: str) -> EngineError:
    try:
        data = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        base = str(data.get("base_model_name_or_path") or "")
    except (OSError, ValueError, AttributeError):
        base = ""
    return EngineError(
        f"The adapter {folder.name} does not fit the base model ({reason}).",
        todo=f"It was made from {base}: give that one." if base else "Give its own base model.",
    )


def versions(adapter: bool) -> dict[str, str]:
    """Return the versions that belong into the provenance of an answer."""
    names = ["torch", "transformers", *(["peft"] if adapter else [])]
    return {name: version(name) for name in names}
