"""Models in full precision: from a transformers folder, or a pack with one, to an engine."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_fada import __version__
from napari_fada.engines.host import HostedEngine, Spec
from napari_fada.engines.protocol import Engine, EngineInfo
from napari_fada.errors import ModelError
from napari_fada.models.catalogue import check_pin, find_pack
from napari_fada.models.convert.source import read_adapter, read_source
from napari_fada.models.digests import sha256_of
from napari_fada.models.estimates import Options
from napari_fada.models.fitting_full import check_full
from napari_fada.models.needs_torch import Checkpoint
from napari_fada.models.pack import Pack, PackFile, read_pack
from napari_fada.models.profiles import find_profile, with_pack
from napari_fada.records.reading import ModelRef

FACTORY = "napari_fada.models.full:transformers_engine"
FAMILY = "qwen3.5"
_MODULES = ("torch", "transformers", "safetensors", "tokenizers")
#: What only llama.cpp knows.
_OTHERS = ("gpu_layers", "lanes")
#: What only this engine knows.
FULL_ONLY = frozenset({"device", "dtype", "merge", "allow_pickle"})
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")


@dataclass(frozen=True, slots=True)
class FullModel:
    """A model in full precision.

    Parameters
    ----------
    pack : Pack
        What is known of it.
    folder : Path
        The transformers folder: the model, or the base of the adapter.
    adapter : Path, optional
        A LoRA adapter.
    """

    pack: Pack
    folder: Path
    adapter: Path | None = None


def find_full(
    name_or_path: str | Path, *, precision: str = "", adapter: str | Path | None = None
) -> FullModel | None:
    """Find a model in full precision; None where one for llama.cpp is meant.

    Parameters
    ----------
    name_or_path : str or Path
        A transformers folder, an adapter's folder whose base lies where it says, or a pack.
    precision : str
        ``full`` takes the full-precision weights of a pack that has both.
    adapter : str or Path, optional
        A LoRA adapter for the model.

    Raises
    ------
    ModelError
        If full precision is meant and not there.
    """
    if precision not in ("", "full", "gguf"):
        raise ModelError(
            f"There is no precision {precision!r}.",
            todo="Use full or gguf; the number format of full precision is dtype=.",
        )
    path = Path(name_or_path).expanduser()
    lora = None if adapter is None else Path(adapter).expanduser()
    if path.is_dir() and not (path / "pack.json").is_file():
        if (path / "config.json").is_file():
            return FullModel(_pack_of(path), path, lora)
        if (path / "adapter_config.json").is_file() and lora is None:
            base = _base_of(path)
            return FullModel(replace(_pack_of(base), name=path.name), base, path)
    if precision != "full" and lora is None and path.is_file():
        return None
    try:
        pack = find_pack(name_or_path)
    except ModelError:
        if precision == "full" or lora is not None:
            raise
        return None  # llama.cpp's way tells what is wrong
    if pack.kind == "transformers":
        return FullModel(pack, pack.folder, lora or pack.adapter_path)
    if precision != "full" and lora is None:
        return None
    folder = pack.full_path
    if folder is None:
        raise ModelError(
            f"The model {pack.name} comes without full-precision weights.",
            todo="Give the folder with config.json and .safetensors files.",
        )
    return FullModel(pack, folder, lora)


def load_full(
    model: FullModel,
    *,
    hosted: bool,
    threads: int | None,
    prompt_set: str | None,
    force: bool,
    profile: str | None,
    idle_seconds: float,
    **options: Any,
) -> Engine:
    """Check the files of a model and load it; parameters as for `load_engine`.

    Raises
    ------
    ModelError
        If a file is missing, damaged or of the wrong kind, or memory is too small.
    EngineError
        If the engine cannot start.
    """
    if model.pack.allow_pickle:
        options = {"allow_pickle": True, **options}
    if model.pack.kind == "transformers" and model.pack.parts:
        model.pack.verify()
        check_pin(model.pack)
    pickled = bool(options.get("allow_pickle"))
    options = {name: value for name, value in options.items() if value is not None}
    for name in _OTHERS:
        if name in options:
            raise ModelError(
                f"{name} is for llama.cpp; the model {model.pack.name} is in full precision.",
                todo="Leave it out; device= says where a model in full precision computes.",
            )
    source = read_source(model.folder, allow_pickle=pickled)
    if model.adapter is not None:
        read_adapter(model.adapter, allow_pickle=pickled)
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    if model.adapter is not None and importlib.util.find_spec("peft") is None:
        missing.append("peft")
    if missing:
        raise ModelError(
            f"The model {model.pack.name} needs {', '.join(missing)}, not installed here.",
            todo='Install what full precision needs with: pip install "napari-fada[torch]"',
        )
    digests = _digests(model)
    family = with_pack(find_profile(profile or model.pack.profile or FAMILY), model.pack)
    kwargs: dict[str, Any] = {
        "folder": model.folder,
        "adapter": model.adapter,
        "info": _info(model, digests, prompt_set, profile or model.pack.profile or FAMILY),
        "image_size": model.pack.image_size,
        "template": family.template,
        "threads": threads,
        "parameters": 0 if force else source.parameters,
        **options,
    }
    kwargs["info"] = replace(
        kwargs["info"], convention=family.convention, tasks=family.tasks, refusal=family.refusal
    )
    if not hosted:
        return transformers_engine(**kwargs)
    spec = Spec(FACTORY, kwargs, threads=threads)
    return HostedEngine(spec, idle_seconds=idle_seconds, admit=_unchanged(model, digests))


def transformers_engine(*, parameters: int = 0, **kwargs: Any) -> Engine:
    """Build the engine; in the child process this is what its spec names.

    ``parameters`` (0: unknown) is how many weights there are: what they take is compared with
    the free memory here, where it is known what they will be turned into, and where they go.
    """
    from napari_fada.engines.transformers import TransformersEngine
    from napari_fada.engines.transformers.library import device, precision

    where = device(kwargs.get("device", "auto"))
    kind = precision(kwargs.get("dtype", "auto"), where)
    if parameters and where.type == "cpu":
        folder, adapter = kwargs["folder"], kwargs.get("adapter")
        weights = [
            *folder.glob("*.safetensors"),
            *(adapter.glob("*.safetensors") if adapter else ()),
        ]
        wanted = Options.of({**kwargs, "dtype": str(kind).removeprefix("torch.")})
        check_full(
            kwargs["info"].model.pack,
            Checkpoint.of(folder, weights, parameters),
            wanted,
            kwargs.get("image_size"),
        )
    engine: Engine = TransformersEngine(**kwargs)
    return engine


def _unchanged(model: FullModel, digests: dict[str, str]) -> Callable[[], None]:
    """Return a look at the files before the model is loaded anew: time has passed by then."""

    def look() -> None:
        if _digests(model) != digests:
            raise ModelError(
                f"A file of the model {model.pack.name} has changed since it was loaded.",
                todo="Choose the model again, so that results name what made them.",
            )

    return look


def _pack_of(folder: Path) -> Pack:
    """Return what is known of a transformers folder: of the pack that it is part of, if any."""
    if (folder.parent / "pack.json").is_file():
        pack = read_pack(folder.parent)
        if pack.full == folder.name:
            return pack
    family = find_profile(FAMILY)
    return Pack(
        name=folder.resolve().name,
        folder=folder,
        text=PackFile(""),
        vision=PackFile(""),
        kind="transformers",
        profile=family.name,
        prompt_set=family.prompt_set,
    )


def _base_of(adapter: Path) -> Path:
    named = read_adapter(adapter)
    for base in (Path(named).expanduser(), adapter.parent / Path(named).name):
        if named and (base / "config.json").is_file():
            return base
    raise ModelError(
        f"{adapter.name} is a LoRA adapter of {named or 'an unnamed base model'}, which is not "
        "here.",
        todo=f"Give the base model's folder, and adapter={str(adapter)!r}.",
    )


def _digests(model: FullModel) -> dict[str, str]:
    """Return the SHA-256 of the weights, of the configuration, and of the adapter."""
    weights = sorted(model.folder.glob("*.safetensors")) or sorted(model.folder.glob("*.bin"))
    found = {"weights": _together(weights), "config": sha256_of(model.folder / "config.json")}
    if model.adapter is not None:
        files = [model.adapter / name for name in _ADAPTER_FILES]
        found["adapter"] = _together([path for path in files if path.is_file()])
    return found


def _together(paths: list[Path]) -> str:
    """Return the digest of a file, or of the digests of several with their names."""
    if len(paths) == 1:
        return sha256_of(paths[0])
    lines = "".join(f"{sha256_of(path)}  {path.name}\n" for path in paths)
    return hashlib.sha256(lines.encode()).hexdigest()


def _info(
    model: FullModel, digests: dict[str, str], prompt_set: str | None, family: str
) -> EngineInfo:
    """Say what is loaded; precision, device and versions are for the engine to add."""
    pack = model.pack
    versions = {
        "napari-fada": __version__,
        "pack": pack.version,
        "adapter": model.adapter.name if model.adapter else "",
        "adapter-sha256": digests.get("adapter", ""),
        "profile": family,
    }
    ref = ModelRef(
        pack=pack.name,
        sha256=digests["weights"],
        prompt_set=prompt_set or pack.prompt_set,
        prompt_hash="",
        engine="transformers",
        quantisation="",
        versions={name: value for name, value in versions.items() if value},
    )
    return EngineInfo(
        ref, classes=pack.classes, keypoints=pack.keypoints, calibration=pack.calibration
    )
