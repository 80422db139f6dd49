"""What is only to look at: nothing is edited there, and one comes back to where one was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from PIL import Image

from napari_fada.evaluate.cases import Case, Side
from napari_fada.evaluate.evaluation import Scored
from napari_fada.evaluate.report import write_worst
from napari_fada.records.annotation import Annotation
from napari_fada.records.project import Project
from napari_fada.records.worklist import Filter
from napari_fada.scans import open_scan
from napari_fada.workstation import drawing
from napari_fada.workstation import napari_private as private
from napari_fada.workstation.desk import Edit
from napari_fada.workstation.session import Session
from napari_fada.workstation.settings import settings
from record_samples import box, make_reading, polygon


def scan_file(path: Path, seed: int, frames: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 99, (frames, 60, 90), np.uint8)
    if frames == 1:
        Image.fromarray(pixels[0]).save(path)
    else:
        import tifffile

        tifffile.imwrite(path, pixels, photometric="minisblack")
    return path


def case(path: Path, score: float) -> Scored:
    scan = open_scan(path)
    truth = Side((box("CSP", score=None, source="import", status="accepted"),), {}, "BPD_PLANE")
    return Scored(
        Case(f"{scan.sha256}/0", path.name, (90, 60), truth, Side((polygon(),)), path=path),
        score,
        f"CSP missed {score:.2f}",
    )


@pytest.fixture
def worst(tmp_path):
    """Write two worst cases, one of them a scan that the project does not have."""
    files = [scan_file(tmp_path / "scans" / f"{i}.png", i) for i in (1, 7)]
    path = tmp_path / "report" / "worst.fada"
    path.parent.mkdir()
    assert write_worst(path, [case(f, i / 10) for i, f in enumerate(files)], "own.fada: x") == 2
    return path


@pytest.fixture
def own(tmp_path):
    """Open a project with a clip of three frames and a still, the clip shown at frame 2."""
    clip = scan_file(tmp_path / "scans" / "clip.tif", 0, frames=3)
    still = scan_file(tmp_path / "scans" / "1.png", 1)
    viewer = ViewerModel()
    session = Session(viewer, Project.open(tmp_path / "own.fada", rater="ann"))
    session.change_project(Project.open(tmp_path / "own.fada", rater="ann"))
    session.said = []
    session.message.connect(lambda text, _level: session.said.append(text))
    assert session.open_path(still)
    assert session.open_path(clip)
    session.go_to_frame(2)
    yield session
    session.close()


def contents(path):
    with Project.open(path, create=False, look=True) as project:
        return [(e.label, e.rater) for e in project.history()], len(project.scans())


def test_the_first_case_is_shown_and_nothing_is_remembered(own, worst):
    assert own.open_project(worst)
    assert own.scan.name == "1.png"
    assert sorted((a.category, a.status) for a in own.records[0]) == [
        ("Brain", "proposed"),
        ("CSP", "accepted"),
    ]
    assert own.looking.text == "Worst cases of own.fada · 2 scans · only to look at"
    assert own.looking.back_to == "own.fada"
    assert Path(settings().last_project).name == "own.fada"
    # A start after that, or after a kill, opens the user's own.
    viewer = ViewerModel()
    other = Session(viewer)
    assert other.project.path.name == "own.fada"
    other.close()


def test_back_is_where_one_was(own, worst, tmp_path):
    where = Filter(states=frozenset({"new", "in_review"}))
    own.look_for(where, "name")
    private.restore_view(own.viewer, ((0.0, 20.0, 30.0), 3.25))
    before = contents(tmp_path / "own.fada")
    assert own.open_project(worst)
    assert own.next_scan()
    assert own.scan.name == "7.png"
    assert own.looking.back()
    assert (own.project.path.name, own.scan.name, own.frame) == ("own.fada", "clip.tif", 2)
    assert private.view_of(own.viewer) == ((0.0, 20.0, 30.0), 3.25)
    assert (own.walk.where, own.walk.order) == (where, "name")
    assert own.looking.text == ""
    assert contents(tmp_path / "own.fada") == before  # the case that was seen is not in it
    assert not own.looking.back()


def test_what_was_said_there_is_over_when_one_is_back(own, worst, tmp_path):
    assert own.open_path(tmp_path / "scans" / "1.png")
    assert own.open_project(worst)
    assert own.scan.name == "1.png"  # the same scan: it stays, its project goes
    over = set()
    own.messages_over.connect(over.update)
    assert own.looking.refuses()
    assert own.looking.back()
    assert own.said[-1] in over


ACTS = (
    lambda s: s.commit(Edit(0, add=[Annotation("CSP", "box", ((1, 1), (9, 9)))])),
    lambda s: s.commit(Edit(0, remove=[s.records[0][0].uid])),
    lambda s: s.set_report(fields={"image_quality": "poor"}),
    lambda s: s.tell_scan({"age": "1"}, "age"),
    lambda s: s.reviewing.accept_and_next(),
    lambda s: s.reviewing.accept_rest(),
    lambda s: s.reviewing.skip(),
    lambda s: s.reviewing.reject_scan("no"),
    lambda s: s.reviewing.comment("no"),
    lambda s: s.reviewing.score("annotation", 1),
    lambda s: s.undo(),
    lambda s: s.redo(),
    lambda s: drawing.draw(s, "boxes", "add_rectangle"),
    lambda s: drawing.paint_new(s),
)


def test_nothing_is_edited_there_and_the_way_back_is_named(own, worst):
    own.open_project(worst)
    own.looking.key = "Alt-Home"
    before = contents(worst)
    boxes, masks = (own.layers.bindings[role].layer for role in ("boxes", "masks"))
    for act in ACTS:
        own.said.clear()
        assert not act(own)
        assert "Back to my project” (Alt-Home)" in own.said[-1]
        assert own.scan.name == "1.png"
        assert (boxes.mode, masks.mode) == ("pan_zoom", "pan_zoom")
    assert contents(worst) == before
    assert not len(own.safety.pending)


def test_a_shape_that_was_drawn_there_is_taken_off_again(own, worst):
    own.open_project(worst)
    layer = own.layers.bindings["boxes"].layer
    before = len(layer.data)
    layer.add_rectangles([[5, 5], [20, 20]])
    assert len(layer.data) == before
    assert "only to look at" in own.said[-1]


def test_it_is_only_to_look_at_whoever_opens_it(worst, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    viewer = ViewerModel()
    first = Session(viewer)
    settings().last_project = str(worst)  # as an earlier version left it
    assert first.project.path.name == "default.fada"
    assert first.open_project(worst)
    assert first.project.looking
    assert first.open_project(worst)  # once more: the way back is still the first one
    assert first.looking.back_to == "default.fada"
    first.close()


def test_no_empty_project_is_made_where_ones_own_was(own, worst, tmp_path):
    own.open_project(worst)
    mine = (tmp_path / "own.fada").rename(tmp_path / "away.fada")
    assert not own.looking.back()
    assert "There is no project at" in own.said[-1]
    assert own.looking.on
    mine.rename(tmp_path / "own.fada")
    assert own.looking.back()  # the way is still known
    assert own.scan.name == "clip.tif"


def test_a_case_that_is_a_scan_of_the_project_stays_shown(own, worst, tmp_path):
    own.open_path(tmp_path / "scans" / "1.png")
    scan = own.scan.sha256
    own.project.save_reading(make_reading(own.scan, box("LV")))
    own.open_project(worst)
    assert own.scan.sha256 == scan
    assert {a.category for a in own.records[0]} == {"Brain", "CSP"}
    own.looking.back()
    assert own.scan.sha256 == scan
    assert {a.category for a in own.records[0]} == {"LV"}
    assert own.commit(Edit(0, add=[Annotation("CSP", "box", ((1, 1), (9, 9)), source="expert")]))


def test_a_file_that_is_read_only_says_so_in_its_own_words(own, tmp_path, monkeypatch):
    Project.open(tmp_path / "other.fada").close()
    from napari_fada.records.store import Store

    real = Store._connect
    monkeypatch.setattr(Store, "_connect", lambda store: (real(store)[0], False))
    assert own.open_project(tmp_path / "other.fada")
    assert own.looking.text.startswith("other.fada is read-only")
    assert not own.looking.on
    assert own.looking.back_to == "own.fada"
