"""The command ``benchmark``: public benchmarks, from folders in their own layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_fada.cli_shared import (
    JsonFlag,
    explained,
    follow,
    interruptible,
    line,
    progress_bar,
    say,
    warn,
)

if TYPE_CHECKING:
    from napari_fada.engines.protocol import Engine

benchmark_app = typer.Typer(
    no_args_is_help=True, help="Score a model by public benchmarks (their data lie with you)."
)

DataArgument = Annotated[Path, typer.Argument(help="The folder of the data.")]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="Folder for readings and figures.")]
ModelOption = Annotated[str, typer.Option("--model", "-m", help="The model.")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Stop after so many images.")]
BootstrapOption = Annotated[int, typer.Option(min=0, help="Draws for the intervals.")]

_Steps = Generator[Any, None, dict[str, Any]]


@benchmark_app.command("u2")
def u2(
    data: DataArgument,
    out_dir: OutOption,
    model: ModelOption = "fada-mini",
    limit: LimitOption = None,
    as_json: JsonFlag = False,
) -> None:
    """U2-BENCH: its fetal tasks from its TSV files, by its own metrics, task by task."""

    def steps(engine: Engine) -> _Steps:
        from napari_fada.evaluate.u2run import u2_steps

        result = yield from u2_steps(data, engine, out_dir, limit=limit)
        return result.to_dict()

    found = _run(model, out_dir, steps, as_json)
    if not as_json:
        for task, sets in found["scores"].items():
            for name, figures in sets.items():
                numbers = ", ".join(
                    f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}"
                    for key, value in figures.items()
                )
                say(f"  {task}, {name}: {numbers}")
        say(found["licence"])
    _end(found, as_json)


@benchmark_app.command("hc18")
def hc18(
    data: DataArgument,
    out_dir: OutOption,
    model: ModelOption = "fada-mini",
    limit: LimitOption = None,
    bootstrap: BootstrapOption = 1000,
    as_json: JsonFlag = False,
) -> None:
    """HC18: head circumference in mm, Dice and Hausdorff distance."""
    from napari_fada.evaluate.challenge_runs import hc18_steps

    steps = partial(hc18_steps, data, out_dir=out_dir, limit=limit, times=bootstrap)
    _tell(_run(model, out_dir, steps, as_json), as_json)


@benchmark_app.command("aop")
def aop(
    data: DataArgument,
    out_dir: OutOption,
    model: ModelOption = "fada-mini",
    limit: LimitOption = None,
    bootstrap: BootstrapOption = 1000,
    as_json: JsonFlag = False,
) -> None:
    """FH-PS-AOP: symphysis, head and the angle of progression, by the challenge's sum."""
    from napari_fada.evaluate.challenge_runs import labour_steps

    steps = partial(labour_steps, data, out_dir=out_dir, limit=limit, times=bootstrap)
    _tell(_run(model, out_dir, steps, as_json), as_json)


def _run(
    model: str, out_dir: Path, work: Callable[[Engine], _Steps], as_json: bool
) -> dict[str, Any]:
    from napari_fada.exchange.files import write_atomic
    from napari_fada.models import load_engine

    found: dict[str, Any] | None = None
    with ExitStack() as stack:
        stack.enter_context(explained())
        engine = load_engine(model)
        stack.callback(engine.close)
        cancel = stack.enter_context(interruptible())
        progress = stack.enter_context(progress_bar(quiet=as_json))
        bar = progress.add_task("Asking", total=None)
        found = follow(
            work(engine),
            cancel,
            lambda e: progress.update(bar, completed=e.done, total=e.total),
        )
        if found is not None:
            text = json.dumps(found, ensure_ascii=False, indent=1)
            write_atomic(out_dir / "benchmark.json", text.encode())
    if found is None:
        warn("Stopped. What the model has read is kept; the next run goes on from there.")
        raise typer.Exit(130)
    return found


def _tell(found: dict[str, Any], as_json: bool) -> None:
    from napari_fada.evaluate.bootstrap import Figure

    if not as_json:
        say(f"{found['benchmark']}, {found['model']}: {found['images']} images.")
        for name, figure in found["figures"].items():
            interval = figure["interval_95"] or ()
            say(f"  {name} {Figure(figure['value'], *interval).text()}")
        say(found["notice"])
    _end(found, as_json)


def _end(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        line(**found)
    else:
        for problem in found["problems"][:20]:
            warn(problem)
    raise typer.Exit(1 if found["problems"] else 0)
