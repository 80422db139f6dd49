"""Walking through a worklist under a filter and an order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_fada.indexing import index_files
from napari_fada.records import review
from napari_fada.records.project import Project
from napari_fada.records.walk import Walk
from napari_fada.records.worklist import Filter, Worklist


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Walk]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for i in range(5):
        pixels = np.full((20, 30), i, np.uint8)
        (tmp_path / "scans").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "scans" / f"s{i}.png")
    with Project.open(tmp_path / "p.fada", rater="ann") as project:
        worklist = Worklist(project)
        worklist.add([tmp_path / "scans"])
        list(index_files(worklist))
        yield Walk(worklist, order="name")


def names(walk: Walk, step: int = 1) -> list[str]:
    out = []
    while (item := walk.next(step)) is not None and item.name not in out:
        out.append(item.name)
        walk.present = item.id
    return out


def test_it_goes_through_all_and_begins_again(walk: Walk) -> None:
    assert names(walk) == [f"s{i}.png" for i in range(5)]
    walk.present = None
    assert names(walk, -1) == [f"s{i}.png" for i in (4, 3, 2, 1, 0)]


def test_what_is_reviewed_is_passed(walk: Walk) -> None:
    third = walk.worklist.items(order="name")[2]
    assert third.sha256 is not None
    review.skip_scan(walk.worklist.project, third.sha256, 0)
    assert "s2.png" not in names(walk)


def test_what_was_foreseen_is_looked_at_again(walk: Walk) -> None:
    first, second, third = walk.worklist.items(order="name")[:3]
    walk.present = first.id
    assert walk.foresee() == second
    assert walk.next() == second
    assert second.sha256 is not None
    review.skip_scan(walk.worklist.project, second.sha256, 0)
    assert walk.next() == third


def test_what_was_foreseen_is_for_one_filter_and_place(walk: Walk) -> None:
    items = walk.worklist.items(order="name")
    walk.present = items[0].id
    walk.foresee()
    walk.where = Filter(text="s4")
    assert walk.next() == items[4]
    walk.where = Filter()
    walk.present = items[2].id
    assert walk.next() == items[3]
    assert walk.next(-1) == items[1]


def test_a_copy_that_is_shown_stays_the_present_row(walk: Walk, tmp_path: Path) -> None:
    original = walk.worklist.items(order="name")[1]
    copy = tmp_path / "scans" / "z.png"
    copy.write_bytes((tmp_path / "scans" / "s1.png").read_bytes())
    walk.worklist.add([copy])
    list(index_files(walk.worklist))
    row = next(i for i in walk.worklist.items() if i.name == "z.png")
    walk.present = row.id
    walk.arrive_at(original.sha256)
    assert walk.present == row.id
    walk.present = None
    walk.arrive_at(original.sha256)
    assert walk.present == original.id
    walk.arrive_at(None)
    assert walk.present is None
