"""``napari-fada models download``: what can be had, and getting it; it asks before."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from napari_fada.cli_shared import JsonFlag, err, explained, interruptible, line, out, say, warn

if TYPE_CHECKING:
    import threading

    from napari_fada.models.download import Event, Offer


def register(models_app: typer.Typer) -> None:
    """Add the command."""
    models_app.command("download")(download_model)


def download_model(
    name: Annotated[
        str | None, typer.Argument(help="Of the model; without it, what there is is listed.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="Folder that gets the model's folder; default: yours.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Download a model of the catalogue. This uses the network, and asks before it does.

    What came before an interruption is kept, and the next attempt goes on from there. The hub is
    that of HF_ENDPOINT, a token for gated models is read from HF_TOKEN, a proxy from HTTPS_PROXY.
    """
    from napari_fada.models import list_packs
    from napari_fada.models.catalogue import user_folder
    from napari_fada.models.download import find_offer, hub, left_over

    if name is None:
        with explained():
            _list(as_json=as_json)
        return
    with explained():
        offer = find_offer(name)
        host = urlsplit(hub()).hostname
    folder = user_folder() if into is None else into.expanduser()
    for pack in list_packs():
        if pack.name == offer.name and into is None:
            if as_json:
                line(event="here", pack=pack.name, folder=pack.folder)
            else:
                say(f"{pack.name} is here already, in {pack.folder}. Nothing was downloaded.")
            return
    if not as_json:
        for title, text in offer.facts().items():
            say(f"{title + ':':<14} {text}")
        say(f"{'into:':<14} {folder / offer.name}")
        if here := left_over(offer, folder):
            say(f"{'here already:':<14} {here / 1e6:.0f} MB of an earlier attempt")
    if not yes:
        if as_json:
            raise typer.BadParameter("--json asks nothing: add --yes to use the network")
        if not typer.confirm(f"Connect to {host} and download it?"):
            say("Nothing was downloaded.")
            raise typer.Exit(1)
    with explained(), interruptible() as cancel:
        _run(offer, folder, cancel, as_json=as_json)


def _run(offer: Offer, folder: Path, cancel: threading.Event, *, as_json: bool) -> None:
    from napari_fada.models.download import Cancelled, download

    try:
        with Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
            TimeRemainingColumn(), console=err, disable=as_json,
        ) as bar:  # fmt: skip
            bar.add_task("Asking", total=None)
            for event in download(offer, folder, cancel=cancel):
                if as_json:
                    _line(event)
                else:
                    _show(event, bar)
    except Cancelled as stop:
        warn(str(stop))
        raise typer.Exit(130) from None


def _show(event: Event, bar: Progress) -> None:
    """Tell of an event on the terminal."""
    from napari_fada.models import download as d

    number = bar.tasks[0].id
    if isinstance(event, d.Step):
        bar.update(number, description=event.title)
    elif isinstance(event, d.Planned):
        bar.update(number, total=event.size or None, completed=event.here)
    elif isinstance(event, d.Transfer):
        bar.update(number, completed=event.done, total=event.size or None)
    elif isinstance(event, d.Checking):
        bar.update(number, description=f"Checking {event.file} ({event.done:.0%})")
    elif isinstance(event, d.Waiting):
        warn(
            f"{event.reason}: again in {event.seconds:.0f} s ({event.attempt} of {event.attempts})"
        )
    elif isinstance(event, d.Note):
        warn(event.text)
    else:
        bar.stop()
        size = event.pack.summary()["size"]
        say(f"{event.pack.name}: {size / 1e6:.0f} MB in {event.pack.folder}, checked.")


def _line(event: Event) -> None:
    """Tell of an event as JSON."""
    from napari_fada.models import download as d

    if isinstance(event, d.Step):
        line(event="step", title=event.title)
    elif isinstance(event, d.Planned):
        line(event="planned", files=event.files, size=event.size, here=event.here, free=event.free)
    elif isinstance(event, d.Transfer):
        left = round(event.left, 1) if math.isfinite(event.left) else None
        line(
            event="progress", file=event.file, done=event.done, size=event.size,
            speed=round(event.speed), left=left,
        )  # fmt: skip
    elif isinstance(event, d.Checking):
        line(event="checking", file=event.file, done=round(event.done, 3))
    elif isinstance(event, d.Waiting):
        line(event="waiting", reason=event.reason, seconds=event.seconds, attempt=event.attempt)
    elif isinstance(event, d.Note):
        line(event="note", text=event.text)
    else:
        line(event="packed", **event.pack.summary())


def _list(*, as_json: bool) -> None:
    """Show the catalogue; uses no network."""
    from napari_fada.models import list_packs
    from napari_fada.models.download import read_offers

    here = {pack.name for pack in list_packs()}
    table = Table("name", "size", "licence", "from", "")
    for offer in read_offers():
        if as_json:
            line(
                name=offer.name, title=offer.title, kind=offer.kind, size=offer.size,
                licence=offer.licence, repositories=offer.repositories, verified=offer.verified,
                remark=offer.remark, here=offer.name in here,
            )  # fmt: skip
            continue
        table.add_row(
            offer.name, offer.size_text, offer.licence, "\n".join(offer.repositories),
            "here" if offer.name in here else "" if offer.verified else "not verified",
        )  # fmt: skip
    if not as_json:
        out.print(table)
