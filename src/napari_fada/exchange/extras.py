"""What we say beyond a form, in the places where forms let one say more.

Other programs leave it aside; an import here takes it and gives the same records back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import AskTask
from napari_fada.records.annotation import Annotation
from napari_fada.records.reading import INTERPRETATION_KEYS

_STATES = ("proposed", "accepted", "corrected", "rejected")
_SOURCES = ("model", "expert", "import", "copy", "interpolation", "flow")


def about_record(record: Annotation) -> dict[str, Any]:
    """Return what is known of a record beside class and shape, without empty values."""
    found = {
        "uid": record.uid,
        "status": record.status,
        "source": record.source,
        "rater": record.rater,
        "score": record.score,
        "parent": record.parent,
    }
    return {key: value for key, value in found.items() if value not in ("", None)}


def with_about(record: Annotation, about: Mapping[str, Any]) -> Annotation:
    """Return a record with what :func:`about_record` said; anything odd is left aside."""
    known: dict[str, Any] = {"uid": "", "status": "accepted", "source": "import", "rater": ""}
    uid = about.get("uid")
    if isinstance(uid, str) and 8 <= len(uid) <= 64 and uid.isalnum():
        known["uid"] = uid
    if about.get("status") in _STATES:
        known["status"] = about["status"]
    if about.get("source") in _SOURCES:
        known["source"] = about["source"]
    for key in ("rater", "parent"):
        if isinstance(about.get(key), str):
            known[key] = about[key]
    score = about.get("score")
    try:
        number = float(score) if score not in (None, "") else None
    except (TypeError, ValueError):
        number = None
    if number is not None and 0 <= number <= 1:
        known["score"] = number
    return replace(record, **known)


def about_frame(frame: FrameRecords) -> dict[str, Any]:
    """Return what is known of an image beside its structures, without empty values."""
    found = {
        "view": frame.view,
        "fields": dict(frame.fields),
        "asked": {task: [list(names) for names in lists] for task, lists in frame.asked.items()},
        "subject": frame.subject,
        "group": frame.group,
        "split": frame.split,
        "rater": frame.rater,
        "scan": frame.sha256,
        "frame": frame.frame,
        "spacing_mm_yx": list(frame.spacing_mm) if frame.spacing_mm else None,
        "spacing_origin": frame.spacing_origin,
        "unlinked": dict(frame.unlinked),
    }
    return {key: value for key, value in found.items() if value or key == "frame"}


def frame_with_about(frame: FrameRecords, about: Mapping[str, Any]) -> FrameRecords:
    """Return a frame with what :func:`about_frame` said; anything odd is left aside.

    ``frame`` itself (the index) is not taken over: in a data set every image is one still.
    """
    texts = {
        ours: about[theirs]
        for ours, theirs in (
            ("subject", "subject"),
            ("group", "group"),
            ("split", "split"),
            ("rater", "rater"),
            ("sha256", "scan"),
            ("spacing_origin", "spacing_origin"),
        )
        if isinstance(about.get(theirs), str)
    }
    fields = about.get("fields")
    told = fields if isinstance(fields, dict) else {}
    spacing = about.get("spacing_mm_yx")
    mm = None
    if (
        isinstance(spacing, list)
        and len(spacing) == 2
        and all(isinstance(v, int | float) and 0 < v < 100 for v in spacing)
    ):
        mm = float(spacing[0]), float(spacing[1])
    return replace(
        frame,
        view=about["view"] if isinstance(about.get("view"), str) else frame.view,
        fields={k: told[k] for k in INTERPRETATION_KEYS if isinstance(told.get(k), str)},
        asked=_asked(about.get("asked")),
        spacing_mm=mm,
        unlinked=_texts(about.get("unlinked")),
        **texts,
    )


def _texts(value: Any) -> dict[str, str]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {k: v for k, v in pairs if isinstance(k, str) and isinstance(v, str)}


def notes_by_image(path: Path) -> dict[str, Mapping[str, Any]]:
    """Return what one of our exports says of its images, from a file with a line for each.

    Lines that cannot be read are left aside: what counts are the labels, this only stands beside
    them. No file gives nothing.
    """
    found: dict[str, Mapping[str, Any]] = {}
    if path.exists():
        for line in path.read_text("utf-8").splitlines():
            with suppress(ValueError, KeyError, TypeError):
                row = json.loads(line)
                found[row["image"]] = row
    return found


def _asked(value: Any) -> dict[AskTask, tuple[tuple[str, ...], ...]]:
    found: dict[AskTask, tuple[tuple[str, ...], ...]] = {}
    if not isinstance(value, dict):
        return found
    tasks: tuple[AskTask, ...] = ("detect", "segment", "keypoints")
    for task in tasks:
        lists = value.get(task)
        if isinstance(lists, list):
            good = [x for x in lists if isinstance(x, list) and all(isinstance(n, str) for n in x)]
            found[task] = tuple(tuple(names) for names in good)
    return found
