"""The commands that convert models: ``models convert`` and ``models get-converter``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_fada.cli_shared import JsonFlag, explained, interruptible, line, progress_bar, say, warn
from napari_fada.errors import EngineError, FadaError, ModelError

if TYPE_CHECKING:
    from napari_fada.comparison import Difference
    from napari_fada.engines.protocol import Cancel, Engine
    from napari_fada.models import Pack
    from napari_fada.models.convert import Conversion, Event


def convert_model(
    folder: Annotated[
        Path, typer.Argument(help="Transformers folder of the model, or of an adapter's base.")
    ],
    out_dir: Annotated[Path, typer.Option("--out", "-o", help="Folder of the pack; new or empty.")],
    types: Annotated[
        list[str] | None,
        typer.Option("--type", "-t", help="f16, q8_0, q5_k_m or q4_k_m; may be given again."),
    ] = None,
    adapter: Annotated[
        Path | None, typer.Option(help="Folder of a LoRA adapter to merge first.")
    ] = None,
    mmproj_type: Annotated[str, typer.Option(help="Of the image part: f16 or q8_0.")] = "f16",
    check: Annotated[
        list[Path] | None,
        typer.Option(help="Scan to compare the answers on; may be given again."),
    ] = None,
    name: Annotated[str, typer.Option(help="Of the pack; default: as the folder.")] = "",
    converter: Annotated[
        Path | None, typer.Option(help="llama.cpp checkout; default: see get-converter.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Merge even if memory seems too small.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Convert a model in full precision into packs for llama.cpp, and check their answers.

    With several types, the folder gets one pack for each. Nothing is left when it fails or is
    cancelled. Uses no network.
    """
    from napari_fada.models.convert import Cancelled, Conversion, convert

    if missing := [str(p) for p in check or () if not p.exists()]:
        raise typer.BadParameter(f"no such file: {', '.join(missing)}")
    with explained(), interruptible() as cancel, ExitStack() as stack:
        job = Conversion(
            folder,
            out_dir,
            types=tuple(dict.fromkeys(t.lower() for t in types or ("q4_k_m",))),
            adapter=adapter,
            vision_type=mmproj_type.lower(),
            name=name,
            converter=converter,
            force=force,
        )
        if adapter is not None and check:
            # The merged model is the original that the packs are compared with.
            out_dir.resolve().parent.mkdir(parents=True, exist_ok=True)
            kept = stack.enter_context(
                tempfile.TemporaryDirectory(
                    prefix=f".{out_dir.name}.", suffix=".merged", dir=out_dir.resolve().parent
                )
            )
            job = replace(job, keep_merged=Path(kept) / "merged")
        try:
            packs = _show(convert(job, cancel=cancel), as_json=as_json)
        except Cancelled as stop:
            warn(str(stop))
            raise typer.Exit(130) from None
        if check:
            _check(job, packs, check, cancel, as_json=as_json)


def get_converter(as_json: JsonFlag = False) -> None:
    """Fetch llama.cpp's converter into a folder of its own. This uses the network."""
    from napari_fada.models.convert import fetch_converter

    with explained(), interruptible() as cancel:
        _show(fetch_converter(cancel=cancel), as_json=as_json)


def register(models_app: typer.Typer) -> None:
    """Add the commands to ``napari-fada models``."""
    models_app.command("convert")(convert_model)
    models_app.command("get-converter")(get_converter)


def _show(events: Iterator[Event], *, as_json: bool) -> list[Pack]:
    """Tell what happens and return the packs that were made."""
    from napari_fada.models.convert import Note, Packed, Progress, Step

    packs = []
    with progress_bar(quiet=as_json) as bar:
        task = bar.add_task("Looking at the model", total=100)
        for event in events:
            if isinstance(event, Step):
                bar.update(task, description=event.title, completed=0)
                if as_json:
                    line(event="step", title=event.title)
            elif isinstance(event, Progress):
                bar.update(task, completed=round(100 * event.done))
            elif isinstance(event, Note):
                line(event="note", text=event.text) if as_json else warn(event.text)
            elif isinstance(event, Packed):
                packs.append(event.pack)
                if as_json:
                    line(event="packed", **event.pack.summary())
    for pack in packs:
        if not as_json:
            say(f"{pack.name}: {pack.summary()['size'] / 1e6:.0f} MB in {pack.folder}")
    return packs


def _check(
    job: Conversion, packs: list[Pack], scans: list[Path], cancel: Cancel, *, as_json: bool
) -> None:
    """Compare the packs with the original, and add the result to their cards."""
    from napari_fada.comparison import Difference, compare
    from napari_fada.models import load_engine

    summaries: list[Difference] = []
    try:
        (reference, load), packs = _reference(job, packs)
        loads = {pack.name: partial(load_engine, pack.folder) for pack in packs}
        with progress_bar(quiet=as_json) as bar:
            task = bar.add_task("Comparing", total=len(scans) * (len(packs) + 1))
            for event in compare((reference, load), loads, scans, cancel=cancel):
                if not isinstance(event, Difference):
                    bar.update(task, advance=1, description=f"{event.engine}: {event.path.name}")
                    continue
                if as_json:
                    line(event="difference", reference=reference, **asdict(event))
                elif event.path is not None:
                    say(f"{event.engine}, {event.path.name}: {event.sentence()}")
                if event.path is None:
                    summaries.append(event)
    except FadaError as error:
        raise type(error)(
            f"The packs are made; comparing them failed: {error.what}",
            kept=f"The packs are in {job.out}.",
            todo=error.todo,
        ) from error
    for pack in packs:
        for found in summaries:
            if found.engine == pack.name:
                _note_in_card(pack, found, reference, scans)
                if not as_json:
                    say(f"{pack.name} and {reference}: {found.sentence()}")
    if cancel.is_set():
        raise typer.Exit(130)


def _reference(
    job: Conversion, packs: list[Pack]
) -> tuple[tuple[str, Callable[[], Engine]], list[Pack]]:
    """Return what the packs are compared with, and which of them.

    That is the original; where it cannot be run here, the float16 pack.
    """
    from napari_fada.models import load_engine

    original = job.keep_merged or job.source
    # Asked as the packs are, in images of the same size.
    load = partial(
        load_engine, original, prompt_set=packs[0].prompt_set, image_size=packs[0].image_size
    )
    try:
        engine = load()
    except (ModelError, EngineError) as error:
        precise = [pack for pack in packs if pack.text.name.endswith("-f16.gguf")]
        others = [pack for pack in packs if pack not in precise]
        if not precise or not others:
            raise ModelError(
                f"the original cannot be run here ({error.what})",
                todo="Convert to f16 and another type: then these two are compared.",
            ) from error
        warn(f"The original cannot be run here ({error.what}) The f16 pack takes its place.")
        return (precise[0].name, partial(load_engine, precise[0].folder)), others
    return (f"{job.title} in full precision", lambda: engine), packs


def _note_in_card(pack: Pack, found: Difference, reference: str, scans: list[Path]) -> None:
    with (pack.folder / "CARD.md").open("a", encoding="utf-8") as card:
        card.write(
            f"\nCompared with {reference} on {len(scans)} "
            f"scan{'' if len(scans) == 1 else 's'}: {found.sentence()}.\n"
        )
