"""What an edit did, in plain words, for the history and for undo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sized

from napari_fada.records.annotation import Annotation, Ring
from napari_fada.records.rows import WHOLE

Pair = tuple[Annotation | None, Annotation | None]

_NAMED = 2
"""So many structures are named one by one; more are counted."""

_REVIEW = {
    "in_review": "in review",
    "accepted": "accepted",
    "corrected": "accepted with corrections",
    "rejected": "rejected",
    "skipped": "skipped",
}


def of_records(pairs: Iterable[Pair]) -> str:
    """Say what became of records.

    Parameters
    ----------
    pairs : iterable of (before, after)
        None before: it was drawn; None after: it was taken away.
    """
    said = [(_name(old, new), _verb(old, new)) for old, new in pairs]
    if not said:
        return ""
    if len(said) <= _NAMED:
        return ", ".join(f"{name} {verb}" for name, verb in said)
    # How a shape was corrected, and which class it has now, is told one by one only.
    counted = Counter(
        "given another class" if verb.startswith("becomes") else verb.partition(" (")[0]
        for _, verb in said
    )
    if len(counted) == 1:
        return f"{len(said)} structures {next(iter(counted))}"
    parts = ", ".join(f"{n} {verb}" for verb, n in counted.most_common())
    return f"{len(said)} structures: {parts}"


def of_report(cells: Mapping[str, str | None]) -> str:
    """Say what was changed in a report, from its cells; None stands for the model's own word."""
    parts = []
    fields = {n.removeprefix("field/"): v for n, v in cells.items() if n.startswith("field/")}
    if "view" in cells:
        view = cells["view"]
        parts.append(f"View: {view}" if view else "View taken back to the model's")
    if "mapping" in cells:
        parts.append("Classes to look for " + ("chosen" if cells["mapping"] else "as mapped"))
    names = {key: key.replace("_", " ") for key in fields}
    changed = [names[key] for key, text in fields.items() if text is not None]
    back = [names[key] for key, text in fields.items() if text is None]
    if changed:
        parts.append(f"Report: {_list(changed)} changed")
    if back:
        parts.append(f"Report: {_list(back)} taken back to the model's")
    return "; ".join(parts)


def of_state(values: Mapping[str, str | None], frame: int, classes: Mapping[str, str]) -> str:
    """Say what was changed in review state, comments, scores and locks.

    Parameters
    ----------
    values : mapping of cell to value
        What was set; None was taken away.
    frame : int
        ``WHOLE`` for the scan itself.
    classes : mapping of uid to class
        Of the structures that locks and reasons are about.
    """
    what = "Scan" if frame == WHOLE else "Frame"
    return "; ".join(_state(name, value, what, classes) for name, value in values.items())


def _state(name: str, value: str | None, what: str, classes: Mapping[str, str]) -> str:
    kind, _, rest = name.partition("/")
    structure = classes.get(rest, "a structure")
    if kind == "review":
        if value is None:
            return f"{what} to be reviewed again"
        return f"{what} {_REVIEW.get(value, 'reviewed')}"
    if kind == "comment":
        return f"Comment: {_short(value)}" if value else "Comment removed"
    if kind == "score":
        return f"Score of {rest}: {value}" if value else f"Score of {rest} removed"
    if kind == "lock":
        return f"{structure} {'locked' if value else 'unlocked'}"
    if kind == "reason":
        return f"Why {structure} was rejected: {_short(value)}" if value else "Reason removed"
    return f"{what}: {name.replace('/', ' ')} {'set' if value else 'cleared'}"


def _name(old: Annotation | None, new: Annotation | None) -> str:
    record = old or new
    assert record is not None
    return record.category


def _verb(old: Annotation | None, new: Annotation | None) -> str:
    if new is None:
        return "removed"
    if old is None:
        return "drawn" if new.source == "expert" else "added"
    if new.status == "rejected":
        return "rejected"
    same_shape = (old.points, old.rings, old.visibility) == (new.points, new.rings, new.visibility)
    if old.category != new.category:
        return f"becomes {new.category}" + ("" if same_shape else " (and its shape changed)")
    if same_shape:
        return "accepted" if new.status == "accepted" else f"{new.status}"
    return _shape(old, new)


def _shape(old: Annotation, new: Annotation) -> str:
    before, after = (old.points, *old.rings), (new.points, *new.rings)
    if _is_shift(before, after) and old.visibility == new.visibility:
        return "moved"
    if new.kind == "box":
        return "corrected (box resized)"
    if len(before) != len(after):
        return f"corrected ({_count(abs(len(after) - len(before)), 'part')} {_more(before, after)})"
    one = "point" if new.kind == "keypoints" else "vertex"
    shown = sum(map(bool, new.visibility)) - sum(map(bool, old.visibility))
    if shown:
        return f"corrected ({_count(abs(shown), one)} {'placed' if shown > 0 else 'removed'})"
    old_points = [p for ring in before for p in ring]
    new_points = [p for ring in after for p in ring]
    if len(old_points) == len(new_points):
        moved = sum(a != b for a, b in zip(old_points, new_points, strict=True))
        if not moved:
            return "corrected (visibility of points)"
        if moved > 0.7 * len(new_points) > 7:
            return "corrected (new outline)"
        return f"corrected ({_count(moved, one)} moved)"
    kept = len(set(old_points) & set(new_points))
    if kept < 0.5 * min(len(old_points), len(new_points)):
        return "corrected (new outline)"
    n = abs(len(new_points) - len(old_points))
    return f"corrected ({_count(n, one)} {_more(old_points, new_points)})"


def _is_shift(before: tuple[Ring, ...], after: tuple[Ring, ...]) -> bool:
    if [len(r) for r in before] != [len(r) for r in after]:
        return False
    pairs = [(a, b) for r, s in zip(before, after, strict=True) for a, b in zip(r, s, strict=True)]
    (x0, y0), (x1, y1) = pairs[0]
    dx, dy = x1 - x0, y1 - y0
    # A twentieth of a pixel: napari keeps vertices in single precision.
    return all(
        abs(b[0] - a[0] - dx) < 0.05 and abs(b[1] - a[1] - dy) < 0.05 for a, b in pairs
    ) and bool(dx or dy)


def _more(before: Sized, after: Sized) -> str:
    return "added" if len(after) > len(before) else "removed"


def _count(n: int, one: str) -> str:
    many = {"vertex": "vertices"}.get(one, one + "s")
    return f"{n} {one if n == 1 else many}"


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _short(text: str | None, most: int = 60) -> str:
    line = " ".join((text or "").split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
