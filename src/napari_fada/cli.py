"""The command line: each command a few lines over the core (exit codes: see cli_shared)."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from napari_fada import __version__
from napari_fada.cli_benchmark import benchmark_app
from napari_fada.cli_convert import register as register_convert
from napari_fada.cli_data import register as register_data
from napari_fada.cli_download import register as register_download
from napari_fada.cli_evaluate import register as register_evaluate
from napari_fada.cli_full import AdapterOption, DeviceOption, DtypeOption, PrecisionOption
from napari_fada.cli_hardware import (
    CheckOption,
    ContextOption,
    GpuLayersOption,
    ImageTokensOption,
    ThreadsOption,
)
from napari_fada.cli_hardware import (
    register as register_hardware,
)
from napari_fada.cli_measure import register as register_measure
from napari_fada.cli_models import models_app
from napari_fada.cli_project import project_app
from napari_fada.cli_shared import (
    JsonFlag,
    err,
    explained,
    interruptible,
    line,
    out,
    print_anything,
    progress_bar,
    say,
    warn,
)
from napari_fada.errors import ModelError
from napari_fada.notice import NOTICE

app = typer.Typer(
    no_args_is_help=True,
    help=f"Annotate fetal ultrasound with a FADA model, offline. {NOTICE}",
    pretty_exceptions_enable=False,
)
train_app = typer.Typer(no_args_is_help=True, help="Train the embedded model again.")
register_data(app)
register_measure(app)
register_evaluate(app)
app.add_typer(models_app, name="models")
register_convert(models_app)
register_download(models_app)
register_hardware(models_app)
app.add_typer(train_app, name="train")
app.add_typer(benchmark_app, name="benchmark")
app.add_typer(project_app, name="project")

ModelOption = Annotated[
    str, typer.Option("--model", "-m", help="Pack name, pack folder, or .gguf with its mmproj.")
]


def _version(show: bool) -> None:
    if show:
        out.print(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that stand before a command."""
    print_anything()


@app.command()
def demo(
    scan: Annotated[
        Path | None, typer.Argument(help="Default: a phantom made on the spot.")
    ] = None,
    out_dir: Annotated[Path, typer.Option("--out", help="Where the results go.")] = Path(
        "demo-output"
    ),
    show: Annotated[
        bool | None, typer.Option(help="Leave the window open; default: where there is a display.")
    ] = None,
) -> None:
    """Open napari on a sample scan and run the pipeline with the embedded model.

    Without a display the window is drawn on a virtual one (Xvfb), and the screenshot,
    the reading and the export are left in the folder.
    """
    if not _has_display():
        _begin_again_under_xvfb()
    with explained():
        from napari_fada.workstation.demo import run_demo

        for path in run_demo(out_dir, scan=scan, show=show is not False):
            say(str(path))


def _has_display() -> bool:
    return not sys.platform.startswith("linux") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


def _begin_again_under_xvfb() -> None:
    """Replace this process by the same command on a virtual display; it does not return."""
    program = shutil.which("xvfb-run")
    if program is None:
        err.print("There is no display, and no xvfb-run to draw on a virtual one.")
        err.print("  Install it (Debian: apt-get install xvfb xauth) or use a desktop.")
        raise typer.Exit(3)
    screen = ["-a", "-s", "-screen 0 1280x1024x24"]
    os.execv(program, [program, *screen, sys.executable, *sys.argv, "--no-show"])


@app.command()
def run(
    scans: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    out_dir: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")],
    model: ModelOption = "fada-mini",
    frames: Annotated[
        str, typer.Option(help="first, middle, all, every:N, or indices like 0,5,10-20.")
    ] = "first",
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many files.")] = None,
    overlay: Annotated[bool, typer.Option(help="Also write a picture with the findings.")] = False,
    mode: Annotated[str, typer.Option(help="Map phase: strict or reference.")] = "strict",
    prompt_set: Annotated[
        str, typer.Option(help="Name or file of the prompts; default: the model's own.")
    ] = "",
    project: Annotated[
        Path | None, typer.Option("--project", "-p", help="Keep the readings in this project too.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Read again what an earlier run has done.")] = False,
    profile: Annotated[
        str | None,
        typer.Option(help="Family of the model, if its files do not say (docs/models.md)."),
    ] = None,
    threads: ThreadsOption = None,
    gpu_layers: GpuLayersOption = None,
    context: ContextOption = None,
    image_tokens: ImageTokensOption = None,
    precision: PrecisionOption = "",
    adapter: AdapterOption = None,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    check_memory: CheckOption = True,
    as_json: JsonFlag = False,
) -> None:
    """Run the five phases on scans and write one <stem>.fada.json for each.

    A second run with the same model and prompts skips what is done.
    """
    from napari_fada import batch

    missing = [str(path) for path in scans if not os.path.exists(path)]  # noqa: PTH110 (may raise)
    if missing:
        raise typer.BadParameter(f"no such file or folder: {', '.join(missing)}")
    try:
        batch.parse_frames(frames)
        chosen = _mode(mode)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    from napari_fada.models import load_engine
    from napari_fada.pipeline import PromptSet
    from napari_fada.records.project import Project
    from napari_fada.scans import iter_files

    full: dict[str, Any] = {"device": device, "dtype": dtype}
    end = None
    with explained(), interruptible() as cancel, ExitStack() as stack:
        kept = stack.enter_context(Project.open(project)) if project else None
        engine = load_engine(
            model,
            profile=profile,
            threads=threads,
            gpu_layers=gpu_layers,
            n_ctx=context,
            image_tokens=image_tokens,
            force=not check_memory,
            precision=precision,
            adapter=adapter,
            prompt_set=prompt_set or None,
            **{name: value for name, value in full.items() if value is not None},
        )
        try:
            prompts = PromptSet.load(engine.info.model.prompt_set)
            if not as_json:
                err.print(
                    f"{engine.info.model.pack}, asked with {prompts.name} ({prompts.hash[:8]})",
                    highlight=False,
                )
            events = batch.run_scans(
                engine,
                scans,
                out_dir,
                frames=frames,
                overlay=overlay,
                project=kept,
                prompts=prompts,
                mode=chosen,
                force=force,
                limit=limit,
                cancel=cancel,
            )
            files = sum(1 for path in scans for _ in iter_files(path))
            total = min(limit or files, files)
            with progress_bar(quiet=as_json) as progress:
                task = progress.add_task("Reading", total=total)
                for event in events:
                    if isinstance(event, batch.BatchFinished):
                        end = event
                        continue
                    progress.update(task, advance=1, description=event.path.name[:32])
                    _report(event, as_json)
        finally:
            engine.close()
    if end is None:  # unreachable: a run that does not raise ends with its summary
        raise typer.Exit(3)
    if as_json:
        line(event="finished", **{name: getattr(end, name) for name in end.__slots__})
    else:
        say(
            f"{end.done} read, {end.incomplete} incomplete, {end.skipped} skipped as done, "
            f"{end.failed} failed. Results in {out_dir}. {NOTICE}"
        )
    if end.cancelled:
        raise typer.Exit(130)
    raise typer.Exit(1 if end.failed or end.incomplete else 0)


def _mode(text: str) -> Literal["strict", "reference"]:
    if text == "strict":
        return "strict"
    if text == "reference":
        return "reference"
    raise ValueError(f"--mode {text!r} is none of: strict, reference")


def _report(event: Any, as_json: bool) -> None:
    """Tell of one event: a JSON line, or a line on stderr for what went wrong."""
    from napari_fada import batch

    if isinstance(event, batch.ScanFailed):
        if as_json:
            line(event="failed", path=event.path, reason=str(event.error))
        else:
            warn(f"{event.path.name}: {event.error}")
    elif isinstance(event, batch.ScanSkipped):
        if as_json:
            line(event="skipped", path=event.path, frame=event.frame, output=event.output)
    elif as_json:
        line(
            event="done",
            path=event.path,
            frame=event.frame,
            output=event.output,
            seconds=round(event.seconds, 3),
            failed_phases=event.failed_phases,
            view=event.reading.view,
            annotations=len(event.reading.annotations),
        )
    elif event.failed_phases:
        phases = ", ".join(event.failed_phases)
        warn(f"{event.path.name}: failed: {phases} (reasons in {event.output.name})")


@train_app.command("mini")
def train_mini(
    data: Annotated[Path, typer.Option(help="Folder with hc18, psfhs and brain.")],
    out_dir: Annotated[Path, typer.Option("--out", "-o", help="Folder of the new pack.")],
    work: Annotated[Path, typer.Option(help="Folder of checkpoints; a run goes on from them.")],
    converter: Annotated[
        Path | None, typer.Option(help="Folder of llama.cpp's converter (docs/fada-mini.md).")
    ] = None,
    start: Annotated[
        Path | None, typer.Option(help="Folder of a pack to go on from; default: from nothing.")
    ] = None,
) -> None:
    """Train fada-mini by the recipe that made the shipped weights."""
    with explained():
        if importlib.util.find_spec("torch") is None:
            raise ModelError(
                "Training needs PyTorch, which is not installed.",
                todo='Install it with: pip install "napari-fada[train]"',
            )
        from napari_fada.training.recipe import train_mini as train

        train(data, out_dir, work, converter, start=start)
