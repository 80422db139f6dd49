"""What is still to be written before a scan can be accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_fada.records.project import Project


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
