"""Settings of a project are shared by everybody who opens its file, and keep their history."""

from __future__ import annotations

import sqlite3

import pytest

from napari_fada.records.completeness import missing_fields, missing_in_scan
from napari_fada.records.project import Project
from record_samples import box, make_reading, make_scan


@pytest.fixture
def project(tmp_path):
    with Project.open(tmp_path / "p.fada", rater="ann") as opened:
        yield opened


def test_colleagues_share_them(project):
    project.set_required_fields(["image_quality", "view"])
    project.add_word("Kowalczyk")
    with Project.open(project.path, rater="ben") as other:
        assert other.required_fields() == ("view", "image_quality")
        assert other.words() == ("Kowalczyk",)
        other.set_required_fields([])
    assert project.required_fields() == ()
    rows = project.setting_history("required_fields")
    assert [(row.value, row.rater) for row in rows] == [
        (["view", "image_quality"], "ann"),
        (None, "ben"),
    ]


def test_a_change_is_told_once(project):
    heard = []
    project.setting_changed.connect(heard.append)
    project.add_word("falx")
    project.add_word("falx")
    assert heard == ["words"]


def test_what_was_set_is_never_changed(project):
    project.set_setting("words", ["a"])
    with project._store.write() as c, pytest.raises(sqlite3.IntegrityError):
        c.execute("UPDATE settings SET value = '[]'")


def test_a_field_that_does_not_exist(project):
    with pytest.raises(KeyError):
        project.set_required_fields(["weight"])


def test_missing_fields(project):
    scan = make_scan()
    project.add_scan(scan)
    assert missing_fields(project, scan.sha256, 0) == ()
    project.set_required_fields(["gestational_age", "view", "image_quality"])
    assert missing_fields(project, scan.sha256, 0) == ("view", "gestational_age", "image_quality")
    project.save_reading(make_reading(scan))
    assert missing_fields(project, scan.sha256, 0) == ()
    project.set_report(scan.sha256, 0, fields={"image_quality": " \n"})
    assert missing_fields(project, scan.sha256, 0) == ("image_quality",)


def test_frames_of_a_clip_that_are_reports(project):
    """The frame that is shown, and every frame that says something; not one with shapes alone."""
    scan = make_scan(n_frames=4)
    project.add_scan(scan)
    assert missing_in_scan(project, scan.sha256, 0) == {}
    project.set_required_fields(["image_quality"])
    project.edit(scan.sha256, 1, add=[box("CSP", source="expert")])
    project.set_report(scan.sha256, 2, fields={"gestational_age": "20 weeks"})
    project.set_report(scan.sha256, 3, fields={"image_quality": "good"})
    lacks = ("image_quality",)
    assert missing_in_scan(project, scan.sha256, 0) == {0: lacks, 2: lacks}
    assert missing_in_scan(project, scan.sha256, 3) == {2: lacks}
