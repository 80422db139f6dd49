"""``napari-fada models …``: the library of models on this computer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from napari_fada.cli_shared import (
    JsonFlag,
    err,
    explained,
    interruptible,
    line,
    out,
    progress_bar,
    say,
    warn,
)
from napari_fada.errors import ModelError

if TYPE_CHECKING:
    from napari_fada.models.library import Entry

models_app = typer.Typer(no_args_is_help=True, help="Models on this computer.")
folders_app = typer.Typer(help="The folders in which models are looked for.")
prompts_app = typer.Typer(no_args_is_help=True, help="The wording with which models are asked.")
models_app.add_typer(folders_app, name="folders")
models_app.add_typer(prompts_app, name="prompts")

NameArgument = Annotated[str, typer.Argument(help="Name of the model; see `models list`.")]
_MARKS = {"ok": ("✓", "green"), "note": ("–", "yellow"), "bad": ("✕", "red")}


@models_app.command("list")
def list_models(as_json: JsonFlag = False) -> None:
    """List the models that are found, each with its state."""
    from napari_fada.engines.hardware import size_text
    from napari_fada.models.library import Library

    table = Table("model", "kind", "version", "state", "size", "licence", "folder")
    for entry in Library().entries():
        if as_json:
            line(**entry.to_dict())
            continue
        pack = entry.pack
        state = "not taken" if entry.shadowed else entry.state.replace("_", " ")
        state += ", pinned" if entry.pinned else ""
        row = (entry.name, pack.kind if pack else "", pack.version if pack else "", state)
        licence = pack.licence if pack else ""
        table.add_row(*map(Text, (*row, size_text(entry.size), licence, str(entry.home))))
    if not as_json:
        out.print(table)


@models_app.command("info")
def info(name: NameArgument, as_json: JsonFlag = False) -> None:
    """Show what is known of a model, and what it needs of this computer."""
    from napari_fada.engines.hardware import hardware, size_text
    from napari_fada.models.fitting_text import fit_rows
    from napari_fada.models.library import Library

    with explained():
        entry = Library().entry(name)
        pack = entry.pack
        if as_json:
            line(**entry.to_dict(), **({"pack": pack.to_dict()} if pack else {}))
            return
        rows = {"model": entry.name, "state": entry.state.replace("_", " ")}
        if entry.problem:
            rows["problem"] = entry.problem
        rows["folder"] = str(entry.home)
        if pack is not None:
            rows |= {"files in": str(pack.folder)} if pack.manifest else {}
            rows |= {
                "kind": pack.kind,
                "version": pack.version,
                "size": size_text(entry.size),
                "base model": pack.base_model,
                "adapter": pack.adapter,
                "family": pack.profile,
                "prompts": pack.prompt_set,
                "classes": str(len(pack.classes)) if pack.classes else "not stated",
                "keypoints": ", ".join(pack.keypoints),
                "licence": pack.licence or "not stated",
                "card": str(pack.card_path or ""),
                "pinned": "yes" if entry.pinned else "",
            }
            for file in pack.files:
                rows[f"{file.role or 'file'} file"] = f"{file.name}  {file.sha256[:16]}"
            if entry.state in ("present", "too_large"):
                rows |= fit_rows(pack, hardware())
        table = Table(show_header=False, box=None, pad_edge=False)
        for title, text in rows.items():
            if text:
                table.add_row(title, Text(text))
        out.print(table)


@models_app.command("import")
def import_files(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="A .gguf (its mmproj beside it, or as the second file), a folder with them, a "
            "folder in full precision, a LoRA adapter's folder, or a base and its adapter."
        ),
    ],
    name: Annotated[str, typer.Option(help="Of the model; default: as the files.")] = "",
    into: Annotated[Path | None, typer.Option(help="Folder of models; default: yours.")] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place/--copy", help="Point to the files where they lie.")
    ] = False,
    prompt_set: Annotated[str, typer.Option(help="Name of the prompts to ask with.")] = "",
    profile: Annotated[str, typer.Option(help="Family, if the files do not say.")] = "",
    licence: Annotated[str, typer.Option(help="To be shown with the model.")] = "",
    allow_pickle: Annotated[
        bool,
        typer.Option(help="Accept weights that are not safetensors: reading them can run code."),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Bring a model into the library. Your files are never changed, moved or deleted."""
    from napari_fada.models.convert import Cancelled, Packed, Progress, Step
    from napari_fada.models.found import Wish
    from napari_fada.models.importing import import_model

    wish = Wish(
        tuple(paths), name, into, in_place, prompt_set, profile, licence, allow_pickle=allow_pickle
    )
    with explained(), interruptible() as cancel, progress_bar(quiet=as_json) as bar:
        if prompt_set:
            from napari_fada.pipeline import PromptSet

            PromptSet.load(prompt_set)
        task = bar.add_task("Looking", total=100)
        try:
            for event in import_model(wish, cancel=cancel):
                if isinstance(event, Step):
                    bar.update(task, description=event.title)
                elif isinstance(event, Progress):
                    bar.update(task, completed=round(100 * event.done))
                elif isinstance(event, Packed):
                    pack = event.pack
                    if as_json:
                        line(event="imported", **pack.summary())
                    else:
                        say(f"{pack.name} is in {pack.home}. Use it with --model {pack.name}.")
        except Cancelled as stop:
            warn(str(stop))
            raise typer.Exit(130) from None


@models_app.command("verify")
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Models; default: all.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Read every byte of the models and compare it with their descriptions.

    Exit code 1 if a file is missing or has changed in one byte.
    """
    from napari_fada.models.library import Library

    sound = True
    with explained(), interruptible() as cancel:
        library = Library()
        entries = [library.entry(n) for n in names] if names else library.entries()
        for entry in entries:
            problem, unknown = _verify(entry, cancel, quiet=as_json)
            if cancel.is_set():
                raise typer.Exit(130)
            sound &= not problem
            if as_json:
                line(model=entry.name, sound=not problem, problem=problem, unknown=unknown)
            elif problem:
                warn(f"{entry.name}: {problem}")
            else:
                note = f" (not stated, so not compared: {', '.join(unknown)})" if unknown else ""
                say(f"{entry.name}: every byte is as it should be{note}.")
    raise typer.Exit(0 if sound else 1)


def _verify(entry: Entry, cancel: object, *, quiet: bool) -> tuple[str, list[str]]:
    """Return what is wrong with a model, and the files whose hash nothing states."""
    from napari_fada.models.verifying import Verified, verify_steps

    if entry.pack is None:
        return entry.problem, []
    unknown = []
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task(entry.name, total=100)
        try:
            for event in verify_steps(entry.pack, cancel=cancel):  # type: ignore[arg-type]
                if isinstance(event, Verified):
                    unknown += [] if event.known else [event.file]
                else:
                    bar.update(task, completed=100 * event.done // max(1, event.total))
        except ModelError as error:
            return str(error), unknown
    return "", unknown


@models_app.command("remove")
def remove_model(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before.")] = False,
) -> None:
    """Remove a model that napari-fada put there; of one imported in place only the description."""
    from napari_fada.engines.hardware import size_text
    from napari_fada.models.library import Library, remove

    with explained():
        entry = Library().entry(name)
        if entry.removable and not yes:
            only = entry.pack is not None and entry.pack.manifest is not None
            what = "forget it (your files stay)" if only else f"delete {size_text(entry.size)}"
            if not typer.confirm(f"{name} in {entry.home}: {what}?"):
                say("Nothing was removed.")
                raise typer.Exit(1)
        left = remove(entry)
        say(f"{name} was removed.")
        for path in left:
            say(f"  not ours, so it stays: {path}")


@models_app.command("pin")
def pin_model(name: NameArgument) -> None:
    """Load only these very files under this name from now on."""
    from napari_fada.models.library import Library, pin

    with explained():
        for file, digest in pin(Library().entry(name)).items():
            say(f"{name} is pinned to {file}  {digest}")


@models_app.command("unpin")
def unpin_model(name: NameArgument) -> None:
    """Take a pin away."""
    from napari_fada.models.library import unpin

    with explained():
        unpin(name)
        say(f"{name} is no longer pinned.")


@models_app.command("doctor")
def doctor(as_json: JsonFlag = False) -> None:
    """Say what is installed, which engines work, and what to do about the rest.

    Exit code 0 when at least one engine and one model work.
    """
    from napari_fada.models.doctor import examine

    mark = "bad"
    for finding in examine():
        mark = finding.mark
        if as_json:
            line(**finding.to_dict())
            continue
        sign, colour = _MARKS[finding.mark]
        out.print(Text(f"{sign} ", colour), end="")
        say(f"{finding.name}: {finding.text}")
        if finding.todo:
            say(f"    {finding.todo}")
    raise typer.Exit(0 if mark == "ok" else 1)


# Folders


@folders_app.callback(invoke_without_command=True)
def show_folders(context: typer.Context) -> None:
    """Show the folders, in the order in which they are looked into."""
    from napari_fada.models.library import Library

    if context.invoked_subcommand is None:
        for folder in Library().folders:
            say(f"{folder}{'' if folder.is_dir() else '  (not there now)'}")


@folders_app.command("add")
def add(folder: Annotated[Path, typer.Argument(help="Holds models in sub-folders.")]) -> None:
    """Look for models in another folder, too: a shared one, or a USB stick."""
    from napari_fada.models.preferences import add_folder

    with explained():
        add_folder(folder)
        say(f"Models are looked for in {folder}, too.")


@folders_app.command("remove")
def drop(folder: Annotated[Path, typer.Argument(help="One that was added.")]) -> None:
    """Look in a folder no longer; what is in it stays."""
    from napari_fada.models.preferences import remove_folder

    with explained():
        remove_folder(folder)
        say(f"{folder} is no longer looked into; nothing in it was changed.")


# Prompts


@prompts_app.command("list")
def list_prompts(as_json: JsonFlag = False) -> None:
    """List the prompt sets, and which models are asked with them."""
    from napari_fada.models.library import Library
    from napari_fada.pipeline.prompts import PromptSet, prompt_sets

    used: dict[str, list[str]] = {}
    for entry in Library().entries():
        if entry.pack is not None and not entry.shadowed:
            used.setdefault(entry.pack.prompt_set, []).append(entry.name)
    table = Table("prompt set", "hash", "models")
    for name in prompt_sets():
        try:
            digest = PromptSet.load(name).hash
        except ModelError as error:
            err.print(Text(str(error)))
            continue
        if as_json:
            line(name=name, hash=digest, models=used.get(name, []))
        table.add_row(name, digest[:16], ", ".join(used.get(name, [])))
    if not as_json:
        out.print(table)


@prompts_app.command("show")
def show_prompts(name: Annotated[str, typer.Argument(help="Name or file.")]) -> None:
    """Show the wording of a prompt set."""
    from napari_fada.pipeline import PromptSet

    with explained():
        found = PromptSet.load(name)
        say(f"{found.name}  {found.hash}")
        for task, text in found.prompts.items():
            say(f"\n[{task}]\n{text}")


@prompts_app.command("import")
def import_upstream(
    constants: Annotated[Path, typer.Argument(help="Your copy of upstream's constants.py.")],
    inference: Annotated[Path, typer.Argument(help="Your copy of upstream's inference.py.")],
    model: Annotated[str, typer.Option("--pack", help="Ask this model with it.")] = "",
) -> None:
    """Read the upstream wording from two files of known hash; they are never executed."""
    from napari_fada.pipeline.prompt_import import NAME, import_prompts

    with explained():
        file = import_prompts(constants, inference)
        say(f"The prompt set {NAME} is in {file}.")
        if model:
            _use(NAME, model)


@prompts_app.command("use")
def use_prompts(
    name: Annotated[str, typer.Argument(help="Name of the prompt set.")],
    model: Annotated[str, typer.Argument(help="Name of the model.")],
) -> None:
    """Ask a model with another prompt set from now on."""
    from napari_fada.pipeline import PromptSet

    with explained():
        PromptSet.load(name)
        _use(name, model)


def _use(name: str, model: str) -> None:
    from napari_fada.models.library import Library, set_prompts

    set_prompts(Library().entry(model), name)
    say(f"{model} is asked with {name} from now on.")
