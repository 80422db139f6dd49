"""The command ``measure``: millimetres of many scans as a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_fada.cli_data import MaskClassOption, MaskValuesOption, number_of, own_class
from napari_fada.cli_shared import JsonFlag, explained, interruptible, line, progress_bar, say, warn
from napari_fada.errors import MeasureError

if TYPE_CHECKING:
    from napari_fada.measuring import Measured, MeasuringFinished


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("measure")(measure)


def measure(
    folder: Annotated[Path, typer.Argument(help="Folder of the scans, or one scan.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The table to be written (csv).")],
    model: Annotated[
        str, typer.Option("--model", "-m", help="Pack name, pack folder, or .gguf with its mmproj.")
    ] = "fada-mini",
    masks: Annotated[
        Path | None, typer.Option(help="Folder of existing masks, instead of a model.")
    ] = None,
    category: MaskClassOption = None,
    value: MaskValuesOption = None,
    spacing: Annotated[
        Path | None,
        typer.Option(help="Table of pixel sizes: file, pixel_size_mm (HC18's form is read too)."),
    ] = None,
    frames: Annotated[
        str, typer.Option(help="first, middle, all, every:N, or indices like 0,5,10-20.")
    ] = "first",
    edge: Annotated[
        bool, typer.Option(help="Move heads and abdomens to the edge in the scan first.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Measure what a model, or existing masks, show on scans: HC, BPD, OFD, AC, FL, AoP and more.

    Without a scale there are no millimetres: the reason stands in the row. Not for clinical use.
    """
    from napari_fada import measuring
    from napari_fada.batch import parse_frames
    from napari_fada.exchange.flat import safe
    from napari_fada.exchange.names import parse_mapping
    from napari_fada.measure import NOTICE, read_spacing_table
    from napari_fada.scans import iter_files

    if not folder.exists():
        raise typer.BadParameter(f"no such file or folder: {folder}")
    try:
        parse_frames(frames)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    end: MeasuringFinished | None = None
    odd = 0
    with ExitStack() as stack:
        stack.enter_context(explained())
        table = read_spacing_table(spacing) if spacing else None
        for problem in table.problems if table else ():
            warn(problem)
        cancel = stack.enter_context(interruptible())
        events: Iterator[Measured | MeasuringFinished]
        if masks is not None:
            meanings = parse_mapping(value or [])
            if not folder.is_dir():
                raise typer.BadParameter("with --masks the scans are a folder.")
            events = measuring.measure_masks(
                folder,
                masks,
                category=own_class(category) if category else None,
                values={number_of(k): own_class(v) for k, v in meanings.items()},
                table=table,
                edge=edge,
                cancel=cancel,
            )
        else:
            from napari_fada.models import load_engine

            engine = load_engine(model)
            stack.callback(engine.close)
            events = measuring.measure_scans(
                engine, folder, table=table, frames=frames, edge=edge, cancel=cancel
            )
        writing = out.with_name(f".{out.name}.part")  # hidden: FOLDER may hold it
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            with (
                writing.open("w", encoding="utf-8", newline="") as file,
                progress_bar(quiet=as_json) as progress,
            ):
                rows = csv.writer(file)
                rows.writerow(measuring.HEAD)
                bar = progress.add_task("Measuring", total=sum(1 for _ in iter_files(folder)))
                for event in events:
                    if isinstance(event, measuring.MeasuringFinished):
                        end = event
                        continue
                    odd += event.senseless
                    rows.writerow(safe([event.row[name] for name in measuring.HEAD]))
                    progress.update(bar, advance=1, description=event.file[-32:])
                    if as_json:
                        found = event.found
                        line(
                            event="measured",
                            **event.row,
                            measurements=[m.to_dict() for m in found.measured],
                        )
            writing.replace(out)
        except OSError as error:
            raise MeasureError(
                f"{out} cannot be written: {error.strerror or error}.",
                todo="Choose another place with --out.",
            ) from error
        finally:
            writing.unlink(missing_ok=True)
    if end is None:  # unreachable: a run that does not raise ends with its summary
        raise typer.Exit(3)
    if odd:
        warn(f"{odd} of them with sizes that no fetus has: is the scale right? See {out}.")
    if as_json:
        names = end.__slots__
        line(event="finished", **{n: getattr(end, n) for n in names}, path=out, notice=NOTICE)
    else:
        say(
            f"{end.measured} measured, {end.without} without a measurement, {end.failed} failed: "
            f"reasons in {out}. {NOTICE}"
        )
    if end.cancelled:
        warn("Stopped: the table holds what was measured until then.")
        raise typer.Exit(130)
    raise typer.Exit(1 if end.failed else 0)
