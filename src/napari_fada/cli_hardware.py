"""``napari-fada models hardware``: what the computer has, and which models fit into it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from napari_fada.cli_shared import JsonFlag, explained, line, out

ThreadsOption = Annotated[
    int | None, typer.Option(min=1, help="Processor threads; default: by model and cores.")
]
GpuLayersOption = Annotated[
    int | None,
    typer.Option(min=-1, help="Layers on the graphics card, -1 for all; default: all that fit."),
]
ContextOption = Annotated[
    int | None, typer.Option(min=512, help="Tokens of the context; default: grows as needed.")
]
ImageTokensOption = Annotated[
    int | None,
    typer.Option(
        min=64, max=16_384,
        help="The most tokens of an image, 32 × 32 pixels each; default: 2048.",
    ),
]  # fmt: skip
CheckOption = Annotated[
    bool,
    typer.Option(
        "--check-memory/--no-check-memory", help="Refuse a model that cannot fit into memory."
    ),
]


def register(models_app: typer.Typer) -> None:
    """Add the command."""
    models_app.command("hardware")(models_hardware)


def models_hardware(
    model: Annotated[
        str | None, typer.Argument(help="Pack name, pack folder, or .gguf; default: every pack.")
    ] = None,
    threads: ThreadsOption = None,
    gpu_layers: GpuLayersOption = None,
    context: ContextOption = None,
    image_tokens: ImageTokensOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show processor, memory and graphics card, and what each model needs of them.

    Exit code 1 if a model that was named does not fit.
    """
    from napari_fada.engines.hardware import hardware
    from napari_fada.errors import ModelError
    from napari_fada.models import find_pack, list_packs
    from napari_fada.models.fitting import Options, estimate
    from napari_fada.models.fitting_text import fit_rows, hardware_rows

    options = Options(
        threads=threads, gpu_layers=gpu_layers, context=context, image_tokens=image_tokens
    )
    found = hardware()
    fits = True
    with explained():
        packs = list_packs() if model is None else [find_pack(model)]
        if model is not None:  # what is wrong with it is an error here, and a row in a list
            fits = estimate(packs[0], options, cards=found.graphics).fits(found.memory)
        table = Table(show_header=False, box=None, pad_edge=False)
        if as_json:
            line(kind="hardware", **asdict(found))
        for title, text in hardware_rows(found).items():
            table.add_row(title, text)
        for pack in packs:
            if as_json:
                try:
                    need = estimate(pack, options, cards=found.graphics)
                except ModelError as error:
                    line(kind="model", model=pack.name, problem=str(error))
                else:
                    line(
                        kind="model", model=pack.name, fits=need.fits(found.memory),
                        sentence=need.sentence(found.memory), **need.to_dict(),
                    )  # fmt: skip
                continue
            table.add_row("", "")
            for title, text in {"model": pack.name, **fit_rows(pack, found, options)}.items():
                table.add_row(title, text)
        if not as_json:
            out.print(table, highlight=False)
    if not fits:
        raise typer.Exit(1)
