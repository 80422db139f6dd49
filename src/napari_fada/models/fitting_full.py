"""Whether a model in full precision fits into main memory."""

from __future__ import annotations

from dataclasses import replace

from napari_fada.engines.hardware import Memory, cores, memory, size_text
from napari_fada.engines.llama.image import Picture
from napari_fada.models.estimates import SMALL_IMAGE, Estimate, Options, does_not_fit
from napari_fada.models.needs_torch import Checkpoint, needs_full
from napari_fada.models.pack import Pack

#: What the engine computes in on a processor unless told otherwise.
_USUAL = "float32"


def checkpoint_of(pack: Pack) -> Checkpoint:
    """Read what the files of a pack in full precision say, the adapter's among them.

    Raises
    ------
    ModelError
        If one is missing or damaged.
    """
    paths = [pack.folder / file.name for file in pack.files if file.name] or [
        file
        for part in (pack.folder, pack.adapter_path)
        if part and part.is_dir()
        for file in part.iterdir()
    ]
    weights = [path for path in paths if path.suffix == ".safetensors"]
    pickled = [path for path in paths if path.suffix in (".bin", ".pt", ".pth")]
    # Those tell nothing without being run; most are stored in two bytes a weight.
    parameters = sum(path.stat().st_size for path in pickled if path.is_file()) // 2
    return Checkpoint.of(pack.folder, weights, parameters)


def estimate_full(
    name: str,
    model: Checkpoint,
    options: Options | None = None,
    image_size: tuple[int, int] | None = None,
) -> Estimate:
    """Say how much main memory a model in full precision will take on a processor.

    Parameters
    ----------
    name : str
        As messages call it.
    model : Checkpoint
        What its files say.
    options : Options, optional
        How it would be loaded.
    image_size : (int, int), optional
        Width and height that every image is stretched to.

    Raises
    ------
    ModelError
        If there is no such precision.
    """
    options = options or Options()
    picture = Picture()
    width, height = image_size or (0, 0)
    tokens = width * height // picture.step**2 or options.image_tokens
    tokens = tokens or picture.max_area // picture.step**2
    dtype = options.dtype if options.dtype not in ("", "auto") else _USUAL
    together = True if options.batch is None else options.batch
    found = needs_full(
        model, dtype=dtype, image_tokens=tokens, together=together, frames=options.frames
    )
    decided = replace(
        options, threads=options.threads or cores().usable, gpu_layers=0, context=found.cells,
        image_tokens=tokens, batch=together, lanes=1, dtype=dtype,
    )  # fmt: skip
    layers = model.text.get("num_hidden_layers")
    return Estimate(
        name, found.parts, {}, found.reclaimable, decided, model.parameters,
        layers if isinstance(layers, int) else 0,
    )  # fmt: skip


def check_full(
    name: str,
    model: Checkpoint,
    options: Options | None = None,
    image_size: tuple[int, int] | None = None,
    *,
    free: Memory | None = None,
    force: bool = False,
) -> Estimate:
    """Refuse a model that cannot fit; see `estimate_full` and `fitting.check_fits`.

    Raises
    ------
    ModelError
        Saying how much it needs and how much is free, and what would help.
    """
    options, free = options or Options(), free or memory()
    found = estimate_full(name, model, options, image_size)
    if force or found.fits(free):
        return found
    tries = []
    if found.options.dtype == "float32":
        tries.append(("bfloat16", replace(options, dtype="bfloat16")))
    if image_size is None and (found.options.image_tokens or 0) > SMALL_IMAGE:
        tries.append(
            (f"smaller images ({SMALL_IMAGE} tokens)", replace(options, image_tokens=SMALL_IMAGE))
        )
    helps = [
        f"choose {what}, which needs {size_text(smaller.needed)}"
        for what, changed in tries
        if (smaller := estimate_full(name, model, changed, image_size)).needed < 0.95 * found.needed
    ]
    raise does_not_fit(found, free, [*helps, "choose a quantised pack of it"])
