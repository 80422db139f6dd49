"""What is still to be written before a scan can be accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_fada.records.project import Project


def missing_in_scan(project: Project, sha256: str, frame: int) -> dict[int, tuple[str, ...]]:
    """Return what the frames of a scan lack, without those that lack nothing.

    Asked of are the frame that is shown and every frame that shows a reading or holds an expert's
    words: what is exported as a report. A frame that only has structures, copied or carried along
    in a clip, needs no report of its own.
    """
    if not project.required_fields():
        return {}
    found = {}
    for at in [frame, *(f for f in project.frames(sha256) if f != frame)]:
        report = project.report(sha256, at)
        reported = report.reading or report.expert_fields or report.expert_view
        if (at == frame or reported) and (lacks := missing_fields(project, sha256, at)):
            found[at] = lacks
    return found


def missing_fields(project: Project, sha256: str, frame: int) -> tuple[str, ...]:
    """Return which of the fields that the project requires a frame lacks.

    A field counts as written when it holds anything but blanks, whoever wrote it.

    Parameters
    ----------
    project : Project
        Says what is required (:meth:`Project.required_fields`).
    sha256, frame : str, int
        The frame.

    Returns
    -------
    tuple of str
        Keys of the report, or ``view``, in the order of the report.
    """
    required = project.required_fields()
    if not required:
        return ()
    report = project.report(sha256, frame)
    written = {**report.fields, "view": report.view or ""}
    return tuple(key for key in required if not written.get(key, "").strip())
