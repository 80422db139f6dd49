"""Does a model fit into this computer? Told from the files alone, before anything is loaded.

``estimate`` says how many bytes a model will take, by part; ``check_fits`` refuses what cannot
fit with the reason and what would help. How near the estimates come to what is measured stands
in docs/engine.md.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from napari_fada.engines.graphics import Graphics, graphics
from napari_fada.engines.hardware import Memory, cores, memory, size_text
from napari_fada.engines.llama.image import Picture
from napari_fada.engines.llama.plan import SMALL, Plan
from napari_fada.errors import ModelError
from napari_fada.models.estimates import SMALL_IMAGE, Estimate, Options, does_not_fit
from napari_fada.models.fitting_full import check_full, checkpoint_of, estimate_full
from napari_fada.models.gguf_header import read_header
from napari_fada.models.needs_gguf import Needs, Text, Vision, needs
from napari_fada.models.pack import Pack
from napari_fada.models.profiles import profile_of

__all__ = ["Estimate", "Options", "check_fits", "estimate"]

#: Bytes of a weight in the smallest quantisation that is offered (Q4_K_M).
_SMALLEST = 0.7
#: The smallest context that is proposed, in tokens.
_SMALL_CONTEXT = 2048
#: Tiles that llama.cpp cuts a frame into at most, the whole among them (Idefics3: 4 × 4 and one).
_TILES = 17
#: Share of a graphics card's free memory that is used.
_CARD_SHARE = 0.9


def estimate(
    pack: Pack, options: Options | None = None, *, cards: Graphics | None = None
) -> Estimate:
    """Say how much memory a model will take.

    Parameters
    ----------
    pack : Pack
        The model; only the headers of its files are read.
    options : Options, optional
        How it would be loaded.
    cards : Graphics, optional
        Graphics cards; None asks llama.cpp, if the model is not a small one.

    Raises
    ------
    ModelError
        If a file is missing or damaged, or if the options ask for a graphics card that
        cannot be used, or for more layers than fit on it.
    """
    options = options or Options()
    if pack.kind == "transformers":
        return estimate_full(pack.name, checkpoint_of(pack), options, pack.image_size)
    text_file, vision_file = pack.inspect()
    text, vision = _text(*_stamp(text_file.path)), _vision(*_stamp(vision_file.path))
    tokens = _image_tokens(pack, options, profile_of(pack, text_file, vision_file).picture, vision)

    def with_layers(layers: int) -> Estimate:
        plan = Plan.make(
            text.parameters, cores().usable, threads=options.threads, gpu=layers > 0,
            batch=options.batch, lanes=options.lanes,
        )  # fmt: skip
        found = needs(
            text, vision, plan,
            image_tokens=tokens, context=options.context, frames=options.frames,
        )  # fmt: skip
        decided = replace(
            options, threads=plan.threads, gpu_layers=layers, context=found.cells,
            image_tokens=tokens, batch=plan.together, lanes=plan.lanes,
        )  # fmt: skip
        main, card = _split(text, found, layers)
        return Estimate(
            pack.name, main, card, found.reclaimable if layers == 0 else 0, decided,
            text.parameters, text.layers, layers > 0 and cards is not None and cards.shared,
        )  # fmt: skip

    wanted = options.gpu_layers
    if wanted == 0 or (wanted is None and text.parameters < SMALL):
        return with_layers(0)  # the steps of a small model are too short for a card
    cards = graphics() if cards is None else cards
    if not cards.gpus:
        if wanted is None:
            return with_layers(0)
        raise ModelError(
            f"{pack.name} cannot be put on a graphics card: {cards.reason}.",
            kept="Nothing was loaded.",
            todo=f"Leave out the GPU layers (it runs on the processor). {cards.todo}".strip(),
        )
    most = text.layers + 1  # the output layer counts as one
    room = round(cards.free * _CARD_SHARE) if cards.free else None  # unknown: try
    fitting = next(
        (n for n in range(most, 0, -1) if room is None or with_layers(n).on_card <= room), 0
    )
    if wanted is None:
        return with_layers(fitting)
    wanted = most if wanted < 0 else min(wanted, most)
    if wanted > fitting:
        raise ModelError(
            f"{wanted} layers of {pack.name} need {size_text(with_layers(wanted).on_card)} on the "
            f"graphics card, which has {size_text(cards.free)} free.",
            kept="Nothing was loaded.",
            todo=f"{fitting} of {most} layers fit; without a number as many as fit are put there.",
        )
    return with_layers(wanted)


def check_fits(
    pack: Pack,
    options: Options | None = None,
    *,
    free: Memory | None = None,
    cards: Graphics | None = None,
    force: bool = False,
) -> Estimate:
    """Refuse a model that cannot fit; nothing has been loaded then.

    Where it fits only with one answer at a time, that is decided (``options.lanes`` of what is
    returned), unless the options say otherwise.

    Parameters
    ----------
    pack, options, cards
        See `estimate`.
    free : Memory, optional
        None asks the system.
    force : bool
        Load it all the same.

    Returns
    -------
    Estimate
        If it fits, or is forced.

    Raises
    ------
    ModelError
        Saying how much it needs and how much is free, and what would help.
    """
    options, free = options or Options(), free or memory()
    if pack.kind == "transformers":
        model, size = checkpoint_of(pack), pack.image_size
        return check_full(pack.name, model, options, size, free=free, force=force)
    found = estimate(pack, options, cards=cards)
    if force or found.fits(free):
        return found
    if options.lanes is None and not found.options.batch:
        one = estimate(pack, replace(options, lanes=1), cards=cards)
        if one.fits(free):
            return one
    raise does_not_fit(found, free, _advice(pack, found, options, cards))


def _stamp(path: Path) -> tuple[Path, int, int]:
    """Return a file and what changes with it: a large header takes a tenth of a second to read."""
    status = path.stat()
    return path, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=64)
def _text(path: Path, _size: int, _changed: int) -> Text:
    return Text.of(read_header(path))


@lru_cache(maxsize=64)
def _vision(path: Path, _size: int, _changed: int) -> Vision:
    return Vision.of(read_header(path))


def _image_tokens(pack: Pack, options: Options, picture: Picture, vision: Vision) -> int:
    """Return the most tokens that a frame will take."""
    if picture.fit == "grid":
        width, height = pack.image_size or (0, 0)
        fixed = width * height // picture.step**2
        return fixed or options.image_tokens or picture.max_area // picture.step**2
    return vision.fixed * (_TILES if picture.fit == "whole" else 1)


def _split(text: Text, found: Needs, layers: int) -> tuple[dict[str, int], dict[str, int]]:
    """Divide the parts between main memory and the card; the card's is empty without layers."""
    parts = found.parts
    if layers <= 0:
        return parts, {}
    share = min(1.0, layers / (text.layers + 1))
    # Weights on the card are neither copied nor kept here; the embeddings are looked up here.
    weights = text.bytes - text.embeddings
    card = {
        "weights": round(weights * share) + (text.embeddings if share == 1.0 else 0),
        "image": found.image,
        "context": round(found.memory * share),
        "work": found.work,
    }
    main = parts | {
        "weights": round(found.weights - weights * share - found.reclaimable * share),
        "image": 0,
        "context": found.memory - card["context"],
    }
    return {k: v for k, v in main.items() if v}, card


def _advice(pack: Pack, found: Estimate, options: Options, cards: Graphics | None) -> list[str]:
    """Say what would help, with what each would need."""
    helps = []
    weights = found.parts.get("weights", 0) - found.reclaimable
    if (saved := weights - round(found.parameters * _SMALLEST)) > found.needed // 10:
        helps.append(
            f"choose a smaller quantisation (Q4_K_M needs about {size_text(found.needed - saved)})"
        )
    tries: list[tuple[str, Options]] = []
    if (options.context or 0) > _SMALL_CONTEXT:
        tries.append(
            (f"a smaller context ({_SMALL_CONTEXT})", replace(options, context=_SMALL_CONTEXT))
        )
    if not pack.image_size and (found.options.image_tokens or 0) > SMALL_IMAGE:
        tries.append(
            (f"smaller images ({SMALL_IMAGE} tokens)", replace(options, image_tokens=SMALL_IMAGE))
        )
    for what, smaller in tries:
        need = estimate(pack, smaller, cards=cards).needed
        if need < found.needed * 0.95:
            helps.append(f"choose {what}, which needs {size_text(need)}")
    return helps
