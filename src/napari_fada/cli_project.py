"""The commands about project files: the same core calls as the window, a few lines each."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from napari_fada.cli_shared import (
    JsonFlag,
    explained,
    interruptible,
    line,
    out,
    progress_bar,
    say,
    say_error,
    warn,
)
from napari_fada.cli_tables import print_merge, worklist_table
from napari_fada.errors import FadaError, ProjectError

if TYPE_CHECKING:
    from napari_fada.records.history import Entry
    from napari_fada.records.worklist import Filter, Item, Worklist

Name = TypeVar("Name", bound=str)

project_app = typer.Typer(no_args_is_help=True, help="Project files: worklist, history, merge.")

FileArgument = Annotated[Path, typer.Argument(metavar="FILE.fada", help="The project file.")]


@project_app.command("add")
def add(
    file: FileArgument,
    scans: Annotated[
        list[Path],
        typer.Argument(help="Folders, files, or lists (.txt, or .csv with a file column)."),
    ],
    index: Annotated[
        bool, typer.Option(help="Also open each file: hash, size, and whether it can be read.")
    ] = True,
    as_json: JsonFlag = False,
) -> None:
    """Put scans on the worklist of a project, which is made if there is none."""
    from napari_fada.records.project import Project
    from napari_fada.records.worklist import Worklist

    missing = [str(path) for path in scans if not path.exists()]
    if missing:
        raise typer.BadParameter(f"no such file or folder: {', '.join(missing)}")
    with explained(), interruptible() as cancel, Project.open(file) as project:
        worklist = Worklist(project)
        new = worklist.add(scans)
        if as_json:
            line(event="listed", new=new, total=worklist.count())
        else:
            out.print(f"{new} new files, {worklist.count()} on the list.", highlight=False)
        if index:
            _index(worklist, cancel, as_json)


def _index(worklist: Worklist, cancel: Any, as_json: bool) -> None:
    from napari_fada.indexing import IndexFailed, IndexFinished, index_files

    end = None
    with progress_bar(quiet=as_json) as progress:
        task = progress.add_task("Opening", total=worklist.count())
        for event in index_files(worklist, cancel=cancel):
            if isinstance(event, IndexFinished):
                end = event
                continue
            progress.update(task, completed=event.done, total=event.total)
            if isinstance(event, IndexFailed):
                if as_json:
                    line(event="failed", path=event.path, reason=str(event.error))
                else:
                    warn(f"{event.path}: {event.error}")
            elif as_json:
                _tell_indexed(event)
            elif event.moved_from is not None:
                say(f"{event.item.path}: moved; it was {event.moved_from}.")
            elif event.item.copy_of is not None:
                first = worklist.item(event.item.copy_of)
                say(f"{event.item.path}: the same bytes as {first.path if first else '?'}.")
    if end is None:  # unreachable: indexing that does not raise ends with its summary
        raise typer.Exit(3)
    if as_json:
        line(event="finished", **{name: getattr(end, name) for name in end.__slots__})
    else:
        say(
            f"{end.indexed} opened ({end.moved} moved, {end.copies} copies of others), "
            f"{end.unchanged} as before, {end.failed} cannot be opened."
        )
    if end.cancelled:
        raise typer.Exit(130)
    if end.failed:
        raise typer.Exit(1)


def _tell_indexed(event: Any) -> None:
    line(
        event="indexed",
        path=event.item.path,
        sha256=event.item.sha256,
        frames=event.item.n_frames,
        moved_from=event.moved_from,
        copy=event.item.copy_of is not None,
    )


@project_app.command("list")
def list_scans(
    file: FileArgument,
    state: Annotated[
        list[str] | None, typer.Option(help="Only these states; may be given several times.")
    ] = None,
    text: Annotated[str, typer.Option(help="Words in name, folder or comment.")] = "",
    view: Annotated[str | None, typer.Option(help="Only scans with this view.")] = None,
    category: Annotated[
        str | None, typer.Option("--class", help="Only scans with a structure of this class.")
    ] = None,
    rater: Annotated[str | None, typer.Option(help="Only scans this person worked on.")] = None,
    max_score: Annotated[
        float | None, typer.Option(help="Only scans with an open proposal of at most this score.")
    ] = None,
    problems: Annotated[
        bool | None, typer.Option(help="Only files that cannot be opened, or only the others.")
    ] = None,
    order: Annotated[
        str, typer.Option(help="added, name, uncertainty (lowest score first), state or changed.")
    ] = "added",
    limit: Annotated[int | None, typer.Option(min=1, help="So many at most.")] = None,
    counts: Annotated[bool, typer.Option("--counts", help="Only how many in each state.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Print the worklist of a project, filtered and ordered."""
    from napari_fada.records.project import Project
    from napari_fada.records.worklist import ORDERS, STATES, Filter, Worklist

    states = [_one_of(name.replace("-", "_"), STATES, "--state") for name in state or STATES]
    chosen = _one_of(order, ORDERS, "--order")
    where = Filter(text, frozenset(states), view, category, rater, max_score, problems)
    with explained(), Project.open(file, create=False) as project:
        worklist = Worklist(project)
        if counts:
            _print_counts(worklist, where, as_json)
            return
        items, total = worklist.items(where, chosen)[:limit], worklist.count()
    if as_json:
        for item in items:
            line(**_item(item))
        return
    out.print(worklist_table(items))
    say(f"{len(items)} of {total} on the list.")


def _print_counts(worklist: Worklist, where: Filter, as_json: bool) -> None:
    found: dict[str, int] = dict.fromkeys(worklist.counts(), 0)
    for item in worklist.items(where):
        found[item.state] += 1
    if as_json:
        line(**found)
    else:
        for name, count in found.items():
            say(f"{count:7} {name}")


def _item(item: Item) -> dict[str, Any]:
    found = {name: getattr(item, name) for name in item.__slots__}
    return {"id": found.pop("id"), "path": found.pop("file"), **found}


@project_app.command("accept")
def accept(
    file: FileArgument,
    state: Annotated[
        list[str] | None,
        typer.Option(help="Scans in these states; may be given several times. Default: imported."),
    ] = None,
    rater: Annotated[str, typer.Option(help="Who accepts them: kept with what is signed.")] = "",
    text: Annotated[str, typer.Option(help="Only words in name, folder or comment.")] = "",
    unseen: Annotated[bool, typer.Option(help="Also scans that nobody has looked at here.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Accept all that is open on many scans and close their review, each a step of undo.

    What would be refused in the window is left and told: open conflicts, required fields.
    """
    from napari_fada.records.bulk import BulkFinished, judge_scans
    from napari_fada.records.project import Project
    from napari_fada.records.worklist import STATES, Filter, Worklist

    names = state or ["imported"]
    states = frozenset(_one_of(name.replace("-", "_"), STATES, "--state") for name in names)
    end = None
    with ExitStack() as stack:
        stack.enter_context(explained())
        project = stack.enter_context(Project.open(file, rater=rater, create=False))
        cancel = stack.enter_context(interruptible())
        progress = stack.enter_context(progress_bar(quiet=as_json))
        task = progress.add_task("Accepting", total=None)
        items = Worklist(project).items(Filter(text=text, states=states))
        scans = [item.sha256 for item in items]
        for event in judge_scans(project, scans, "accept", unseen=unseen, cancel=cancel):
            if isinstance(event, BulkFinished):
                end = event
            else:
                progress.update(task, completed=event.done, total=event.total)
    assert end is not None
    if not (scans or as_json):
        say(f"No scan is {' or '.join(names)}: nothing was to be done. (--state names others.)")
    elif as_json:
        line(
            **{"accepted": len(end.judged), "unseen": end.unseen, "left": end.left},
            cancelled=end.cancelled,
        )
    else:
        for told in end.lines:
            say(told)
    if end.cancelled:
        raise typer.Exit(130)
    raise typer.Exit(1 if end.left else 0)


@project_app.command("history")
def history(
    file: FileArgument,
    scan: Annotated[
        str | None, typer.Option(help="Only this scan: its file name, or the begin of its sha256.")
    ] = None,
    rater: Annotated[str | None, typer.Option(help="Only what this person did.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print who did what when, oldest first; undo and redo are there, too."""
    from napari_fada.records.project import Project

    with explained(), Project.open(file, create=False) as project:
        names = {row.sha256: row.name for row in project.scans()}
        wanted = [s for s, name in names.items() if scan in (None, name) or s.startswith(scan)]
        if scan is not None and not wanted:
            raise ProjectError(
                f"No scan of {file} is called {scan}.", todo="See: napari-fada project list"
            )
        log = project.history(wanted[0] if scan is not None and len(wanted) == 1 else None)
    chosen = set(wanted)
    for entry in log:
        if entry.sha256 in chosen and rater in (None, entry.rater):
            _print_entry(entry, names[entry.sha256], as_json)


def _print_entry(entry: Entry, name: str, as_json: bool) -> None:
    from napari_fada.records.rows import WHOLE

    if as_json:
        data = {key: getattr(entry, key) for key in entry.__slots__ if key != "changes"}
        changes = [change._asdict() for change in entry.changes]
        line(**data, scan=name, changes=changes)
        return
    where = name if entry.frame == WHOLE else f"{name} frame {entry.frame + 1}"
    done = {"do": "", "undo": "undid: ", "redo": "redid: "}[entry.kind]
    say(f"{entry.at[:19]}  {entry.rater or '-'}  {where}  {done}{entry.label}")


@project_app.command("check")
def check(file: FileArgument, as_json: JsonFlag = False) -> None:
    """Check that a project file is sound. Exit code 0: it is; 1: it is not."""
    from napari_fada.records.project import Project

    if not file.exists():
        with explained():
            raise ProjectError(f"There is no project at {file}.", todo="Check the name.")
    try:
        with Project.open(file, create=False) as project:
            problems, scans = project.check(), len(project.scans())
            edits = len(project.history())
    except FadaError as error:  # refused on opening: damaged, or no project at all
        if as_json:
            line(sound=False, problems=[str(error)])
        else:
            say_error(error)
        raise typer.Exit(1) from None
    if as_json:
        line(sound=not problems, problems=problems, scans=scans, edits=edits)
    elif problems:
        for problem in problems:
            warn(problem)
    else:
        say(f"{file} is sound: {scans} scans, {edits} edits.")
    raise typer.Exit(1 if problems else 0)


@project_app.command("merge")
def merge(
    a: Annotated[Path, typer.Argument(metavar="A.fada", help="The first rater's project.")],
    b: Annotated[Path, typer.Argument(metavar="B.fada", help="The second rater's project.")],
    out_file: Annotated[Path, typer.Option("--out", "-o", help="The new project file.")],
    rater: Annotated[str, typer.Option(help="Who merges, for the history.")] = "",
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="IoU from which two outlines agree.")
    ] = 0.8,
    box_threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="IoU from which two boxes agree.")
    ] = 0.7,
    as_json: JsonFlag = False,
) -> None:
    """Merge two raters' projects into a third, and print how far they agree.

    What they disagree on is kept as open conflicts, to be decided in the window.
    """
    from napari_fada.records.merge import MergeCopying, MergeProgress, merge_projects

    end = None
    with ExitStack() as stack:
        stack.enter_context(explained())
        cancel = stack.enter_context(interruptible())
        progress = stack.enter_context(progress_bar(quiet=as_json))
        task = progress.add_task("Merging", total=None)
        events = merge_projects(
            *(a, b, out_file),
            rater=rater,
            threshold=threshold,
            box_threshold=box_threshold,
            cancel=cancel,
        )
        for event in events:
            if isinstance(event, MergeCopying | MergeProgress):
                what = "Taking over" if isinstance(event, MergeCopying) else "Merging"
                progress.update(task, description=what, completed=event.done, total=event.total)
            else:
                end = event
    if end is None or end.cancelled:
        say("Stopped; no merged project was made.")
        raise typer.Exit(130)
    if as_json:
        line(**end.to_dict())
    else:
        print_merge(end, out_file)


def _one_of(text: str, known: Collection[Name], option: str) -> Name:
    for name in known:
        if name == text:
            return name
    raise typer.BadParameter(f"{option} {text!r} is none of: {', '.join(known)}")
