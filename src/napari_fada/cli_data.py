"""The commands ``export`` and ``import``: data sets of every form out of and into a project."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

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
from napari_fada.errors import ExchangeError

if TYPE_CHECKING:
    from napari_fada.exchange.export import ExportProgress, ExportSummary
    from napari_fada.exchange.importing import ImportPlan

PROMPTS = "napari-fada-1"

ProjectOption = Annotated[
    Path | None, typer.Option("--project", "-p", help="Project file; default: your own.")
]
MaskClassOption = Annotated[
    str | None, typer.Option("--class", help="The class that masks of one value show.")
]
MaskValuesOption = Annotated[
    list[str] | None,
    typer.Option(help="What a value of label images means, like 1=pubic_symphysis."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("export")(export)
    app.command("import")(bring_in)


def export(
    form: Annotated[
        str, typer.Argument(help="coco, yolo, labelme, … ; `napari-fada export list` names all.")
    ],
    out_dir: Annotated[
        Path | None, typer.Option("--out", "-o", help="A new folder for the data set.")
    ] = None,
    project: ProjectOption = None,
    proposals: Annotated[
        bool, typer.Option(help="Also proposals that no one has judged yet.")
    ] = False,
    reviewed: Annotated[bool, typer.Option(help="Only frames whose review is closed.")] = False,
    negatives: Annotated[
        bool, typer.Option(help="Also reviewed frames on which nothing stands.")
    ] = True,
    seen: Annotated[
        bool,
        typer.Option("--seen-only", help="Only frames that were on the screen before acceptance."),
    ] = False,
    rater: Annotated[
        list[str] | None, typer.Option(help="Only this person's structures; may be repeated.")
    ] = None,
    view: Annotated[
        list[str] | None, typer.Option(help="Only frames with this view; may be repeated.")
    ] = None,
    category: Annotated[
        list[str] | None, typer.Option("--class", help="Only this class; may be repeated.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="Shares of train, val and test in per cent, like 80,10,10.")
    ] = "",
    by: Annotated[
        str, typer.Option(help="What stays on one side: examination, patient, clip or folder.")
    ] = "examination",
    group_pattern: Annotated[
        str, typer.Option(help=r"What in a file name is the examination, like ^(\d+)_.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    force: Annotated[bool, typer.Option(help="Write even if the sides know each other.")] = False,
    images: Annotated[bool, typer.Option(help="Write the images, too.")] = True,
    mask_outside: Annotated[
        bool, typer.Option(help="Black out what lies outside the scan regions.")
    ] = True,
    blackout: Annotated[
        bool, typer.Option(help="Black out what looks like text inside them, too.")
    ] = False,
    keep_names: Annotated[
        bool, typer.Option(help="Keep names of files and raters (they may name people).")
    ] = False,
    licence: Annotated[str, typer.Option(help="Licence of the data set, for its files.")] = "",
    dataset: Annotated[str, typer.Option("--name", help="Name of the data set.")] = "",
    prompt_set: Annotated[
        str, typer.Option(help="Name or file of the prompts, for conversations.")
    ] = PROMPTS,
    task: Annotated[str, typer.Option(help="yolo: detect, segment or pose.")] = "",
    choice: Annotated[
        list[str] | None, typer.Option(help="A choice of the form as name=value.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write accepted and corrected records as a data set."""
    if form == "list":
        _list_forms(as_json)
        return
    if out_dir is None:
        raise typer.BadParameter("--out is missing: a new folder for the data set.")
    from napari_fada.exchange.export import export_steps
    from napari_fada.exchange.names import parse_mapping
    from napari_fada.exchange.request import ExportRequest, Selection
    from napari_fada.exchange.writers import load_format
    from napari_fada.pipeline import PromptSet
    from napari_fada.records.project import Project

    summary: ExportSummary | None = None
    with ExitStack() as stack:
        stack.enter_context(explained())
        chosen = load_format(form)
        choices = parse_mapping(choice or []) | ({"task": task} if task else {})
        request = ExportRequest(
            selection=Selection(
                *(proposals, frozenset(rater or ()), frozenset(view or ())),
                *(frozenset(category or ()), reviewed, negatives),
                seen=seen,
            ),
            by=one_of_groups(by),
            group_pattern=group_pattern,
            shares=parse_shares(split),
            seed=seed,
            force=force,
            images="write" if images else "none",
            mask_outside=mask_outside,
            blackout=blackout,
            keep_names=keep_names,
            licence=licence,
            dataset=dataset,
            prompts=PromptSet.load(prompt_set),
            choices=choices,
        )
        opened = stack.enter_context(Project.open(project, create=False))
        cancel = stack.enter_context(interruptible())
        progress = stack.enter_context(progress_bar(quiet=as_json))
        bar = progress.add_task("Images", total=None)
        steps = export_steps(opened, out_dir, chosen, request)

        def show(event: ExportProgress) -> None:
            what = "Images" if event.stage == "images" else "Files"
            progress.update(bar, description=what, completed=event.done, total=event.total)

        summary = follow(steps, cancel, show)
    if summary is None:
        warn("Stopped. Nothing was written; the next export of this kind goes on from here.")
        raise typer.Exit(130)
    if as_json:
        line(**summary.to_dict())
    else:
        _tell_export(summary)
    raise typer.Exit(1 if summary.problems else 0)


def _tell_export(summary: ExportSummary) -> None:
    counts = [f"{n} {what}" for what, n in summary.written.items()]
    sides = [f"{side} {n}" for side, n in summary.splits.items()]
    say(f"{summary.images} frames, {summary.annotations} structures in {summary.path}.")
    for text in (", ".join(counts), ", ".join(sides)):
        if text:
            say(f"  {text}")
    for title, found in (("left out", summary.left_out), ("note", summary.notes)):
        for reason, count in found.items():
            say(f"  {title}: {count} {reason}")
    for problem in summary.problems:
        warn(problem)


def _list_forms(as_json: bool) -> None:
    from napari_fada.exchange.writers import MODULES, load_format

    for name in MODULES:
        try:
            form = load_format(name)
        except ExchangeError as error:
            if as_json:
                line(name=name, problem=str(error))
            else:
                say(f"{name:15} {error.what}")
            continue
        ways = [w for w, there in (("export", form.writer), ("import", form.reader)) if there]
        if as_json:
            choices = {key: list(values) for key, values in form.choices.items()}
            line(name=name, title=form.title, ways=ways, choices=choices)
        else:
            options = "; ".join(f"{k}={'|'.join(v)}" for k, v in form.choices.items())
            say(f"{name:15} {form.title}: {', '.join(ways)}{'; ' if options else ''}{options}")


def bring_in(
    form: Annotated[str, typer.Argument(help="masks, coco, yolo, labelme, fada, …")],
    source: Annotated[
        Path | None,
        typer.Argument(help="The file or folder. masks: the images' folder, or say --images."),
    ] = None,
    project: ProjectOption = None,
    masks: Annotated[Path | None, typer.Option(help="The folder of the masks.")] = None,
    category: MaskClassOption = None,
    value: MaskValuesOption = None,
    class_map: Annotated[
        list[str] | None,
        typer.Option("--class-map", help="Their label=our class; label= leaves it out."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images, if not where the files say.")
    ] = None,
    reviewed: Annotated[
        bool, typer.Option(help="These labels are reviewed: accepted, their review closed.")
    ] = False,
    rater: Annotated[str, typer.Option(help="Who reviewed them, where they do not say.")] = "",
    strict: Annotated[bool, typer.Option(help="All of it or nothing.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be brought in.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Bring existing labels and their images into a project, to be corrected there.

    Everything is read and checked first; the project is changed in one step, or not at all.
    """
    from napari_fada.exchange.importing import carry_out, plan_steps, refuse_problems
    from napari_fada.exchange.names import Names, parse_mapping
    from napari_fada.exchange.writers import load_format
    from napari_fada.records.project import Project

    if source is None:
        if form != "masks" or images is None or masks is None:
            raise typer.BadParameter("name the file or folder; of masks, --images and --masks do.")
        source = images
    if rater and not reviewed:
        raise typer.BadParameter("--rater says who reviewed the labels: give --reviewed, too.")
    plan: ImportPlan | None = None
    with ExitStack() as stack:
        stack.enter_context(explained())
        chosen = load_format(form)
        if form == "masks":  # the folder that is named holds the images
            images = images or source
        changed: dict[str, Any] = {
            "names": Names(parse_mapping(class_map or [])),
            "masks": masks,
            "category": category and own_class(category),
            "values": {number_of(k): own_class(v) for k, v in parse_mapping(value or []).items()},
        }
        cancel = stack.enter_context(interruptible())
        with progress_bar(quiet=as_json) as progress:
            bar = progress.add_task("Reading", total=None)
            steps = plan_steps(
                source, chosen, options=lambda o: replace(o, **changed), images=images
            )
            plan = follow(
                steps,
                cancel,
                lambda e: progress.update(bar, completed=e.done, total=e.total or None),
            )
        if plan is None:
            warn("Stopped. Nothing was brought in.")
            raise typer.Exit(130)
        stack.enter_context(plan)
        if strict:
            refuse_problems(plan)
        if dry_run:
            _tell_plan(plan, as_json)
            raise typer.Exit(1 if plan.problems else 0)
        opened = stack.enter_context(Project.open(project, rater=rater))
        summary = carry_out(opened, plan, reviewed=reviewed)
    if as_json:
        line(**summary.to_dict())
    else:
        say(
            f"{summary.images} images, {summary.records} records brought in, "
            f"{summary.known} were here already."
        )
        _tell_classes(summary.by_class)
        if reviewed:
            say(f"{summary.reviewed} images are reviewed now.")
        elif summary.records:
            say("No one has reviewed them here: bring in with --reviewed, or: project accept")
        if summary.fitted:
            say(f"  {summary.fitted} boxes lay off their outlines: they lie around them now")
        for reason, count in summary.left_open.items():
            say(f"  left open: {count} images, {reason}")
        for problem in summary.problems:
            warn(problem)
    raise typer.Exit(1 if summary.problems else 0)


def _tell_plan(plan: ImportPlan, as_json: bool) -> None:
    counts = dict(plan.counts)
    images = counts.pop("images", 0)
    if as_json:
        problems = [str(problem) for problem in plan.problems]
        line(dry_run=True, images=images, by_class=counts, problems=problems)
        return
    say(f"{images} images, {sum(counts.values())} records could be brought in.")
    _tell_classes(counts)
    for problem in plan.problems:
        warn(str(problem))


def _tell_classes(counts: dict[str, int]) -> None:
    for name, count in sorted(counts.items()):
        say(f"  {count:7} {name}")


def own_class(text: str) -> str:
    """Return a class of the vocabulary as a user typed it.

    Raises
    ------
    ExchangeError
        If there is none.
    """
    from napari_fada.exchange.names import class_of_ours

    return class_of_ours(text)


def one_of_groups(text: str) -> Any:
    """Return a way of grouping as a user typed it."""
    from napari_fada.exchange.splits import Grouping

    known = get_args(Grouping)
    if text not in known:
        raise typer.BadParameter(f"--by {text!r} is none of: {', '.join(known)}")
    return text


def parse_shares(text: str) -> dict[str, float] | None:
    """Read shares like ``80,10,10`` (per cent of train, val and test); empty: no split."""
    if not text:
        return None
    try:
        parts = [float(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"--split {text!r} is no list of numbers.") from None
    if not 2 <= len(parts) <= 3 or min(parts) < 0 or abs(sum(parts) - 100) > 1e-6:
        raise typer.BadParameter("--split takes two or three shares that sum to 100.")
    names: Sequence[str] = ("train", "val", "test")
    return {name: part / 100 for name, part in zip(names, parts, strict=False)}


def number_of(text: str) -> int:
    """Return a value of an image as a user typed it.

    Raises
    ------
    ExchangeError
        If it is no number.
    """
    try:
        return int(text)
    except ValueError:
        raise ExchangeError(
            f"{text!r} is no value of an image.", todo="Write --value 1=fetal_head"
        ) from None
