"""What a model needs and what the computer has, in rows for people."""

from __future__ import annotations

from napari_fada.engines.graphics import Graphics
from napari_fada.engines.hardware import Hardware, size_text
from napari_fada.errors import ModelError
from napari_fada.models.fitting import Estimate, Options, estimate
from napari_fada.models.pack import Pack

_PARTS = {
    "program": "program and vocabulary", "weights": "weights", "image": "image part",
    "context": "context", "work": "computing", "saved": "saved frames",
}  # fmt: skip


def fit_rows(pack: Pack, found: Hardware, options: Options | None = None) -> dict[str, str]:
    """Return rows that say whether and how a model fits; the first one is the verdict.

    Parameters
    ----------
    pack : Pack
        The model.
    found : Hardware
        What the computer has.
    options : Options, optional
        How it would be loaded.
    """
    try:
        need = estimate(pack, options, cards=found.graphics)
    except ModelError as error:
        return {"memory": str(error)}
    fits = need.fits(found.memory)
    verdict = need.sentence(found.memory) + ("" if fits else ": it does not fit")
    return {
        "memory": verdict,
        "memory by part": parts_text(need),
        "options": options_text(need),
    }


def parts_text(need: Estimate) -> str:
    """Return "weights 4 MB, image part 6 MB, …", the largest first."""
    parts = sorted(need.parts.items(), key=lambda item: -item[1])
    text = ", ".join(f"{_PARTS[name]} {size_text(count)}" for name, count in parts)
    if need.reclaimable:
        text += f" (of it {size_text(need.reclaimable)} that the system can take back)"
    if need.card:
        card = ", ".join(f"{_PARTS[name]} {size_text(count)}" for name, count in need.card.items())
        text += f"; on the graphics card: {card}"
    return text


def options_text(need: Estimate) -> str:
    """Return the options that a model would be loaded with, in words."""
    options = need.options
    if options.batch:
        answers = "answers in one batch"
    else:
        answers = (
            f"{options.lanes} answers at a time" if options.lanes != 1 else "one answer at a time"
        )
    layers = options.gpu_layers or 0
    where = (
        f"{layers} of {need.layers + 1} layers on the graphics card"
        if layers
        else "on the processor"
    )
    threads = f"{options.threads} thread{'s' if options.threads != 1 else ''}"
    return (
        f"{threads}, {answers}, {where}; context up to {options.context} tokens, "
        f"images up to {options.image_tokens} tokens"
    )


def hardware_rows(found: Hardware) -> dict[str, str]:
    """Return rows that say what the computer has."""
    cores, memory = found.cores, found.memory
    words = f"{cores.physical} cores, {cores.logical} threads"
    if cores.usable != cores.physical or cores.quota is not None:
        words += f"; this program may use {cores.usable}"
        words += f" (granted {cores.quota:g})" if cores.quota is not None else ""
    limited = " (the limit of its container)" if memory.limited else ""
    return {
        "processor": words,
        "memory": f"{size_text(memory.available)} free of {size_text(memory.total)}{limited}",
        "graphics card": _cards(found.graphics),
    }


def _cards(cards: Graphics) -> str:
    if not cards.gpus:
        return f"none: {cards.reason}"
    return ", ".join(
        f"{gpu.description or gpu.name}"
        + (f" ({size_text(gpu.free)} free of {size_text(gpu.total)})" if gpu.total else "")
        for gpu in cards.gpus
    )
