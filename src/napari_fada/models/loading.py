"""From the name of a model to an engine that answers."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_fada import __version__
from napari_fada.engines.host import HostedEngine, Spec
from napari_fada.engines.protocol import Engine, EngineInfo
from napari_fada.errors import ModelError
from napari_fada.models.catalogue import check_pin, find_pack
from napari_fada.models.fitting import Options, check_fits
from napari_fada.models.full import FULL_ONLY, find_full, load_full
from napari_fada.models.gguf_files import GgufFile
from napari_fada.models.pack import Pack, with_digests
from napari_fada.models.profiles import Profile, profile_of
from napari_fada.records.reading import ModelRef

#: Ten minutes: a pause is shorter, and an afternoon of drawing is longer.
IDLE_SECONDS = 600.0
FACTORY = "napari_fada.models.loading:llama_engine"


def load_engine(
    name_or_path: str | Path = "fada-mini",
    *,
    vision: str | Path | None = None,
    hosted: bool = True,
    threads: int | None = None,
    prompt_set: str | None = None,
    force: bool = False,
    profile: str | None = None,
    idle_seconds: float = IDLE_SECONDS,
    precision: str = "",
    adapter: str | Path | None = None,
    **options: Any,
) -> Engine:
    """Find a model, check its files, load it and return the engine.

    Parameters
    ----------
    name_or_path, vision
        See `find_pack`.
    hosted : bool
        Run it in a child process (the default), or in this one.
    threads : int, optional
        Processor threads; the engine chooses if None.
    prompt_set : str, optional
        Name or path of the prompts to ask with, if not the pack's own.
    force : bool
        Load the model even if it seems not to fit into memory.
    profile : str, optional
        Name of the model's family, if it is not what the pack or its files say; see
        `napari_fada.models.profiles`.
    idle_seconds : float
        After so long without a question the child process is ended, which frees its memory;
        the next question starts it anew. 0: never.
    precision : str
        ``full`` takes the full-precision weights of a pack that has both.
    adapter : str or Path, optional
        A LoRA adapter, for a model in full precision.
    **options
        For the engine, see `napari_fada.engines.llama.LlamaEngine`, and
        `napari_fada.engines.transformers.TransformersEngine` (``device``, ``dtype`` …) for a
        transformers folder.

    Raises
    ------
    ModelError
        If the model is not found, one of its files is missing, damaged or of the wrong
        kind, or it does not fit into memory; says which.
    EngineError
        If the engine cannot start.
    """
    full = None if vision else find_full(name_or_path, precision=precision, adapter=adapter)
    if full is not None:
        return load_full(
            full, hosted=hosted, threads=threads, prompt_set=prompt_set, force=force,
            profile=profile, idle_seconds=idle_seconds, **options,
        )  # fmt: skip
    pack = find_pack(name_or_path, vision)
    if pack.kind != "gguf":
        raise ModelError(
            f"The model {pack.name} is of the kind {pack.kind!r}; this version runs 'gguf'.",
            todo="It may need a newer napari-fada.",
        )
    for name in FULL_ONLY & options.keys():
        raise ModelError(
            f"{name} is for models in full precision; {pack.name} runs in llama.cpp.",
            todo="Leave it out, or ask for precision='full' if the model has such weights.",
        )
    pack.verify()
    check_pin(pack)
    text, image_part = pack.inspect()
    if importlib.util.find_spec("llama_cpp") is None:
        raise ModelError(
            f"The model {pack.name} needs llama.cpp, which is not installed.",
            todo='Install it with: pip install "napari-fada[gguf]" (it is compiled on the way: '
            "a C++ compiler is needed, and some minutes).",
        )
    wanted = Options.of({"threads": threads, **options})
    fit = check_fits(pack, wanted, force=force)
    whole = with_digests(pack)
    family = profile_of(replace(pack, profile=profile or pack.profile), text, image_part)
    kwargs: dict[str, Any] = {
        "text_gguf": text.path,
        "vision_gguf": image_part.path,
        "info": _info(whole, text, prompt_set, family, wanted),
        "image_size": pack.image_size,
        "picture": family.picture,
        "template": family.template,
        "threads": threads,
        **options,
        "gpu_layers": fit.options.gpu_layers,
        "lanes": fit.options.lanes,
    }
    if not hosted:
        return llama_engine(**kwargs)

    def admit() -> None:
        """Look again before the model is loaded anew: time has passed since the first."""
        pack.verify()
        if with_digests(pack) != whole:
            raise ModelError(
                f"A file of the model {pack.name} has changed since it was loaded.",
                todo="Choose the model again, so that results name what made them.",
            )
        check_fits(pack, wanted, force=force)

    spec = Spec(FACTORY, kwargs, threads=threads)
    return HostedEngine(spec, idle_seconds=idle_seconds, admit=admit)


def llama_engine(**kwargs: Any) -> Engine:
    """Build the llama.cpp engine; in the child process this is what its spec names."""
    from napari_fada.engines.llama import LlamaEngine

    engine: Engine = LlamaEngine(**kwargs)
    return engine


def _info(
    pack: Pack, text: GgufFile, prompt_set: str | None, family: Profile, options: Options
) -> EngineInfo:
    """Say what is loaded; the hash of the prompts is for the pipeline to add."""
    digests = {pack.text_path: pack.text.sha256, pack.vision_path: pack.vision.sha256}
    sha256 = digests.pop(text.path)
    versions = {
        "napari-fada": __version__,
        "llama-cpp-python": importlib.metadata.version("llama-cpp-python"),
        "pack": pack.version,
        "mmproj-sha256": next(iter(digests.values())),
        "profile": family.name,
        "coordinates": family.convention.name,
        # what the model is shown depends on it, and so do its answers
        "image-tokens": "" if pack.image_size else str(options.image_tokens or ""),
    }
    model = ModelRef(
        pack=pack.name,
        sha256=sha256,
        prompt_set=prompt_set or pack.prompt_set,
        prompt_hash="",
        engine="llama.cpp",
        quantisation=text.quantisation,
        versions={name: value for name, value in versions.items() if value},
    )
    return EngineInfo(
        model,
        classes=pack.classes,
        keypoints=pack.keypoints,
        calibration=pack.calibration,
        convention=family.convention,
        tasks=family.tasks,
        refusal=family.refusal,
    )
