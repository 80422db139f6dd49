"""What was found on scans: kept beside the list, made anew after an edit, ordered and told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_fada.checking import CheckingFinished, Looked, age_of, check_scans, scan_findings
from napari_fada.indexing import index_files
from napari_fada.measure import GestationalAge, Scale
from napari_fada.measure.plausibility import RULES
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse
from napari_fada.records.project import WHOLE, Project
from napari_fada.records.worklist import Worklist

HEAD = Ellipse(100, 80, 50, 40, 0.0).polygon()


def head() -> Annotation:
    return Annotation("head", "polygon", HEAD, source="expert", status="accepted")


def listed(project: Project, paths: list[Path]) -> Worklist:
    worklist = Worklist(project)
    worklist.add(paths)
    list(index_files(worklist))
    return worklist


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Give a project with five scans, all with the same head; the pixel is half a millimetre."""
    paths = [tmp_path / f"{k}.png" for k in range(5)]
    for k, path in enumerate(paths):
        Image.fromarray(np.full((160, 200), k, np.uint8)).save(path)
    with Project.open(tmp_path / "p.fada", rater="ann") as project:
        listed(project, paths)
        for row in project.scans():
            project.edit(row.sha256, 0, add=[head()])
            scale(project, row.sha256)
        yield project


def scale(project: Project, sha256: str, size: float = 0.5) -> None:
    told = json.dumps(Scale(size, size, "user").to_dict())
    project.set_state(sha256, WHOLE, {"scale": told})


def say(project: Project, name: str, text: str) -> str:
    row = next(r for r in project.scans() if r.name == name)
    project.set_report(row.sha256, 0, fields={"gestational_age": text})
    return row.sha256


def test_the_worst_come_first_and_say_why(project: Project) -> None:
    worklist = Worklist(project)
    say(project, "2.png", "about 20 weeks")  # HC 141.8 mm is one of 17 weeks
    say(project, "4.png", "30 weeks")
    say(project, "1.png", "17 weeks")
    *looked, end = check_scans(worklist)
    assert all(isinstance(event, Looked) for event in looked)
    assert end == CheckingFinished(5, 5, False)
    items = worklist.items(order="plausibility")
    assert [item.name for item in items] == ["4.png", "2.png", "0.png", "1.png", "3.png"]
    assert items[0].severity > items[1].severity > 1
    assert "The report says “30 weeks”" in items[0].odd
    assert (items[2].severity, items[2].odd) == (0.0, "")


def test_a_scan_is_looked_at_again_only_after_an_edit(project: Project) -> None:
    worklist = Worklist(project)
    list(check_scans(worklist))
    assert worklist.unchecked(RULES) == []
    assert list(check_scans(worklist)) == [CheckingFinished(0, 0, False)]
    sha256 = say(project, "3.png", "30 weeks")
    assert [s for s, _ in worklist.unchecked(RULES)] == [sha256]
    assert len(worklist.unchecked("other rules")) == 5
    looked, _ = check_scans(worklist)
    assert looked == Looked((sha256,), 1, 1)
    item = worklist.of_scan(sha256)
    assert item is not None
    assert item.odd


def test_next_goes_on_from_where_a_mended_scan_was(project: Project) -> None:
    worklist = Worklist(project)
    for name, weeks in (("0.png", 38), ("1.png", 34), ("2.png", 30)):
        say(project, name, f"{weeks} weeks")
    list(check_scans(worklist))
    first, second, third, *_ = worklist.items(order="plausibility")
    assert (first.name, second.name, third.name) == ("0.png", "1.png", "2.png")
    say(project, "1.png", "17 weeks")
    list(check_scans(worklist))
    found = worklist.next(second.id, order="plausibility")
    assert found is not None
    assert found.id == third.id
    assert worklist.items(order="plausibility")[0].id == first.id


def test_a_stopped_look_goes_on_where_it_was(project: Project) -> None:
    cancel = threading.Event()
    cancel.set()
    worklist = Worklist(project)
    assert list(check_scans(worklist, cancel=cancel)) == [CheckingFinished(0, 5, True)]
    assert len(worklist.unchecked(RULES)) == 5


def test_the_age_that_a_person_stated_goes_before_the_report(project: Project) -> None:
    sha256 = say(project, "0.png", "17 weeks")
    assert scan_findings(project, sha256) == ()
    told = GestationalAge(30 * 7, "lmp", "by the last period")
    project.set_state(sha256, WHOLE, {"age": json.dumps(told.to_dict())})
    assert age_of(project, sha256) == told
    (found, *_) = scan_findings(project, sha256)
    assert found.name == "hc_band"
    assert "at 30+0 weeks" in found.text
    assert "by the last period" in found.text
    project.set_state(sha256, WHOLE, {"age": '{"days": 9999, "origin": "lmp", "note": ""}'})
    assert age_of(project, sha256) is None  # no age to be believed


def test_sizes_of_frames_of_one_scan_are_put_together(tmp_path: Path) -> None:
    path = tmp_path / "clip.tif"
    tifffile.imwrite(path, np.zeros((4, 160, 200), np.uint8), photometric="minisblack")
    with Project.open(tmp_path / "p.fada", rater="ann") as project:
        listed(project, [path])
        sha256 = project.scans()[0].sha256
        scale(project, sha256, 0.6)  # HC 170 mm
        project.edit(sha256, 0, add=[head()])
        ends = ((20.0, 80.0), (45.0, 80.0))  # 15 mm, where 30 mm go with the head
        legs = Annotation("legs", "keypoints", ends, source="expert", status="accepted")
        project.edit(sha256, 2, add=[legs])
        (found,) = scan_findings(project, sha256)
        assert found.name == "fl_hc"


def test_without_a_scale_or_records_nothing_is_odd(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((160, 200), np.uint8)).save(tmp_path / "a.png")
    with Project.open(tmp_path / "p.fada", rater="ann") as project:
        listed(project, [tmp_path / "a.png"])
        sha256 = project.scans()[0].sha256
        assert scan_findings(project, sha256) == ()
        project.edit(sha256, 0, add=[head()])
        project.set_report(sha256, 0, fields={"gestational_age": "30 weeks"})
        assert scan_findings(project, sha256) == ()
