"""Options of the command line for models in full precision."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PrecisionOption = Annotated[
    str, typer.Option(help="full: the full-precision weights of a pack that has both.")
]
AdapterOption = Annotated[
    Path | None, typer.Option(help="Folder of a LoRA adapter, for a model in full precision.")
]
DeviceOption = Annotated[
    str | None, typer.Option(help="Of a model in full precision: auto, cpu, cuda or mps.")
]
DtypeOption = Annotated[
    str | None,
    typer.Option(help="Of a model in full precision: auto, float32, bfloat16 or float16."),
]
