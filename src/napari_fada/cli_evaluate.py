"""The command ``evaluate``: answers against the truth, in figures with intervals."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_fada.cli_data import number_of, own_class
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
from napari_fada.errors import ExchangeError
from napari_fada.notice import NOTICE

if TYPE_CHECKING:
    from napari_fada.evaluate.evaluation import Evaluation


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("evaluate")(evaluate)


def evaluate(
    truth: Annotated[
        Path, typer.Argument(help="A project (P.fada), or a data set of any form that is read.")
    ],
    out_dir: Annotated[Path, typer.Option("--out", "-o", help="Folder for report and JSON.")],
    against: Annotated[
        Path | None, typer.Option(help="The answers: another data set or project.")
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="Or a model that is run now.")] = "",
    form: Annotated[str, typer.Option(help="Form of the truth, if nothing tells it.")] = "",
    against_form: Annotated[str, typer.Option(help="Form of the answers.")] = "",
    masks: Annotated[
        Path | None, typer.Option(help="Folder of masks; TRUTH are the images.")
    ] = None,
    category: Annotated[
        list[str] | None, typer.Option("--class", help="Only this class; may be repeated.")
    ] = None,
    value: Annotated[
        list[str] | None, typer.Option(help="What a value of masks means, like 1=fetal_head.")
    ] = None,
    class_map: Annotated[
        list[str] | None, typer.Option("--class-map", help="Their label=our class.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the truth's images.")] = None,
    spacing: Annotated[
        Path | None, typer.Option(help="Table of pixel sizes (file, pixel_size_mm), for mm.")
    ] = None,
    group_pattern: Annotated[
        str, typer.Option(help=r"What in a file name is the examination, like ^(\d+)_.")
    ] = "",
    fada: Annotated[
        bool, typer.Option("--fada", help="Also by the reference's own definitions.")
    ] = False,
    bootstrap: Annotated[int, typer.Option(min=0, help="Draws for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    report: Annotated[bool, typer.Option(help="Write the page and pictures, too.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Compare answers with the truth and write report.html, evaluation.json and the worst cases.

    A project alone: its model's proposals against its experts' corrections.
    """
    import json

    from napari_fada.evaluate.evaluation import Options, evaluate_steps
    from napari_fada.evaluate.sources import (
        DataSet,
        grouped,
        of_data_sets,
        of_model,
        of_project,
        scaled,
    )
    from napari_fada.exchange.files import write_atomic
    from napari_fada.exchange.names import Names, parse_mapping
    from napari_fada.measure import read_spacing_table

    if against is not None and model:
        raise typer.BadParameter("--against and --model exclude each other.")
    result: Evaluation | None = None
    with ExitStack() as stack:
        stack.enter_context(explained())
        classes = [own_class(name) for name in category or []]
        changed: dict[str, Any] = {
            "names": Names(parse_mapping(class_map or [])),
            "masks": masks,
            "category": classes[0] if masks and len(classes) == 1 else None,
            "values": {number_of(k): own_class(v) for k, v in parse_mapping(value or []).items()},
        }
        place = images or (truth if masks else None)
        gold = DataSet(
            *(truth, form or ("masks" if masks else "")),
            options=lambda o: replace(o, **changed),
            images=place,
        )
        if not truth.exists():
            raise ExchangeError(f"There is nothing at {truth}.", todo="Check the name.")
        if model:
            from napari_fada.models import load_engine

            engine = load_engine(model)
            stack.callback(engine.close)
            found = of_model(gold, engine, out_dir)
        elif against is not None:
            found = of_data_sets(gold, DataSet(against, against_form))
        elif gold.is_project:
            found = of_project(truth, times=bootstrap, seed=seed)
        else:
            raise typer.BadParameter("A data set needs answers: --against or --model.")
        stack.enter_context(found.stack)
        table = read_spacing_table(spacing) if spacing else None
        options = Options(
            *(bootstrap, seed, frozenset(classes) or found.categories), reference=fada
        )
        cancel = stack.enter_context(interruptible())
        progress = stack.enter_context(progress_bar(quiet=as_json))
        bar = progress.add_task("Comparing", total=found.total or None)
        steps = evaluate_steps(
            grouped(scaled(found.cases, table), group_pattern),
            options,
            title=found.title,
            left=found.left,
            editing=found.editing,
            total=found.total,
        )
        result = follow(
            steps, cancel, lambda e: progress.update(bar, completed=e.done, total=e.total)
        )
        if result is not None:
            if report:
                from napari_fada.evaluate.report import write_report

                write_report(out_dir, result)
            else:
                text = json.dumps(result.to_dict(), ensure_ascii=False, indent=1)
                write_atomic(out_dir / "evaluation.json", text.encode())
    if result is None:
        warn("Stopped. What a model has read is kept; the next run goes on from there.")
        raise typer.Exit(130)
    if as_json:
        line(**result.to_dict(), problems=found.problems)
    else:
        _tell(result, out_dir)
        for problem in found.problems[:20]:
            warn(problem)
    raise typer.Exit(1 if found.problems else 0)


def _tell(found: Evaluation, out_dir: Path) -> None:
    say(f"{found.title}: {found.frames} frames, {found.examinations} examinations.")
    for what, detection in (("boxes", found.boxes), ("outlines", found.outlines)):
        if detection:
            say(f"  {what}: AP {detection.ap.text()}, .50 {detection.ap50.text()}")
    if found.areas:
        say(f"  Dice {found.areas.dice.text()}, IoU {found.areas.iou.text()}")
    if found.views:
        say(f"  view: right {found.views.accuracy.text()}, macro F1 {found.views.macro_f1.text()}")
    if found.answers:
        say(f"  usable answers {found.answers.valid.text()}")
    if found.without_examination:
        say(
            f"  {found.without_examination} frames of no known examination (--group-pattern tells "
            "it): each scan counts as one, and intervals may be too narrow."
        )
    for reason, count in found.left_out.items():
        say(f"  left out: {count} {reason}")
    say(f"Report in {out_dir}. {NOTICE}")
