"""What holds for an import of any form: read first, then all of it in one step, never twice."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_fada.errors import ExchangeError, ProjectError
from napari_fada.evaluate.cases import Unpaired, cases_of_project
from napari_fada.exchange.checking import MAX_VERTICES, checked
from napari_fada.exchange.fada import FORMAT
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.importing import carry_out, import_records, plan_steps
from napari_fada.exchange.names import Names, parse_mapping
from napari_fada.exchange.writers import MODULES, Format, Problem, load_format
from napari_fada.records.annotation import Annotation
from napari_fada.records.incoming import AT_WORK, PUT_ASIDE
from napari_fada.records.project import Project
from napari_fada.records.review import scan_review, skip_scan
from napari_fada.scans import open_scan
from record_samples import box, make_reading, polygon

SIZE = (160, 120)


def conversation(image, answer):
    return {
        "messages": [
            {"role": "user", "content": [{"type": "image", "image": image}]},
            {"role": "assistant", "content": json.dumps(answer)},
        ]
    }


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data" / "images").mkdir(parents=True)
    lines = []
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 255, SIZE[::-1], np.uint8)
        Image.fromarray(noise).save(tmp_path / "data" / "images" / f"{number}.png")
        answer = [{"bbox_2d": [100, 100, 400, 500], "label": "CSP"}]
        lines.append(conversation(f"images/{number}.png", answer))
    (tmp_path / "data" / "fada.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path / "data"


@pytest.fixture
def project(tmp_path):
    with Project.open(tmp_path / "p.fada", rater="Anna") as opened:
        yield opened


def test_labels_from_elsewhere_get_in_once(project, folder):
    summary = import_records(project, folder, FORMAT)
    assert (summary.images, summary.records, summary.by_class) == (3, 3, {"CSP": 3})
    again = import_records(project, folder, FORMAT)
    assert (again.records, again.known) == (0, 3)
    (record,) = project.annotations(project.scans()[0].sha256)
    assert (record.status, record.source) == ("accepted", "import")
    assert record.points == ((16.0, 12.0), (64.0, 60.0))


def test_nothing_is_touched_until_the_plan_is_carried_out(project, folder):
    steps = plan_steps(folder, FORMAT)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        plan = end.value
    assert project.scans() == []
    assert dict(plan.counts) == {"images": 3, "CSP": 3}
    with plan:
        assert carry_out(project, plan).images == 3


def test_an_import_that_fails_half_way_leaves_the_project_as_it_was(project, folder, monkeypatch):
    real, calls = Project.act, []

    def act(self, *args):
        calls.append(args)
        if len(calls) == 3:
            raise ProjectError("the disk is full")
        return real(self, *args)

    monkeypatch.setattr(Project, "act", act)
    with pytest.raises(ProjectError):
        import_records(project, folder, FORMAT)
    assert len(calls) == 3
    assert project.scans() == []
    assert project.history() == []


def test_what_stands_in_the_project_is_not_changed(project, folder):
    import_records(project, folder, FORMAT)
    row = project.scans()[0]
    (record,) = project.annotations(row.sha256)
    project.edit(row.sha256, 0, remove=[record.uid])
    import_records(project, folder, FORMAT)
    assert project.annotations(row.sha256) == []


def test_labels_that_are_reviewed_are_at_home(project, folder):
    summary = import_records(project, folder, FORMAT, reviewed=True)
    assert (summary.reviewed, summary.left_open) == (3, {})
    for row in project.scans():
        (record,) = project.annotations(row.sha256)
        assert (record.status, record.rater, record.source) == ("accepted", "Anna", "import")
        assert project.standing(row.sha256, 0).reviewed
        assert scan_review(project, row.sha256).state == "accepted"
    edits = len(project.history())
    import_records(project, folder, FORMAT, reviewed=True)
    assert len(project.history()) == edits  # a second time it says nothing new
    assert project.check() == []


def test_without_the_word_no_one_has_reviewed_them(project, folder):
    summary = import_records(project, folder, FORMAT)
    assert summary.reviewed == 0
    states = {scan_review(project, row.sha256).state for row in project.scans()}
    assert states == {"imported"}
    assert not any(project.standing(row.sha256, 0).reviewed for row in project.scans())


def test_what_a_person_has_in_hand_stays_open_and_is_told(project, folder):
    import_records(project, folder, FORMAT)
    at_work, aside, free = (row.sha256 for row in project.scans())
    project.edit(at_work, 0, add=[box("LV", 60, source="expert")])
    skip_scan(project, aside, 0)
    summary = import_records(project, folder, FORMAT, reviewed=True)
    assert (summary.reviewed, summary.left_open) == (1, {AT_WORK: 1, PUT_ASIDE: 1})
    states = [scan_review(project, sha).state for sha in (at_work, aside, free)]
    assert states == ["in_review", "skipped", "accepted"]


def test_reviewed_labels_take_the_place_of_proposals_that_nobody_touched(project, folder):
    scan = open_scan(folder / "images" / "0.png")
    project.add_scan(scan)
    project.save_reading(make_reading(scan, box("LV", score=0.9)))
    import_records(project, folder, FORMAT, reviewed=True)
    (record,) = project.annotations(scan.sha256)
    assert record.category == "CSP"
    # Neither what the model said of the view nor its report is anyone's word now.
    assert project.report(scan.sha256, 0).view is None
    assert not any(project.report(scan.sha256, 0).fields.values())
    (case,) = cases_of_project(project, Unpaired())
    assert [a.category for a in case.truth.annotations] == ["CSP"]
    assert [a.category for a in case.answer.annotations] == ["LV"]
    assert case.truth.view is None
    assert case.answer.view == "BPD_PLANE"


def test_of_a_clip_only_the_frames_that_came_in_are_closed(project, tmp_path):
    clip = np.random.default_rng(0).integers(0, 255, (3, *SIZE[::-1]), np.uint8)
    tifffile.imwrite(tmp_path / "clip.tif", clip, photometric="minisblack")

    def of(*frames):
        def read(_root, _options):
            for at in frames:
                record = box("LV", 10 + at, uid="", source="import")
                yield FrameRecords("clip.tif", *SIZE, (record,), frame=at)

        return Format("x", "X", lambda s, _p: s, reader=read)

    import_records(project, tmp_path, of(0, 2), reviewed=True)
    (row,) = project.scans()
    reviewed = [project.standing(row.sha256, at).reviewed for at in range(3)]
    assert (reviewed, scan_review(project, row.sha256).state) == ([True, False, True], "imported")
    import_records(project, tmp_path, of(1), reviewed=True)
    assert scan_review(project, row.sha256).state == "accepted"


def test_the_scale_of_a_data_set_comes_along(project, folder):
    from napari_fada.exchange.importing import ImageFinder

    def read(_root, _options):
        yield FrameRecords(
            *("images/0.png", *SIZE, (box("LV", uid="", source="import"),)),
            spacing_mm=(0.25, 0.5),
            spacing_origin="dicom-region",
        )

    import_records(project, folder, Format("x", "X", lambda s, _p: s, reader=read))
    (row,) = project.scans()
    assert row.spacing_mm is None  # the picture itself says nothing
    assert project.spacing(row) == ((0.25, 0.5), "dicom-region")
    assert ImageFinder(folder).size_of("images/0.png") == SIZE


def test_one_bad_line_does_not_stop_the_rest_unless_asked(project, folder):
    with (folder / "fada.jsonl").open("a") as file:
        file.write('\n{"messages": 3}\n')
        file.write(json.dumps(conversation("images/9.png", [])) + "\n")
    with pytest.raises(ExchangeError, match=r"line 4.*1 more problem") as error:
        import_records(project, folder, FORMAT, strict=True)
    assert error.value.kept == "Nothing was brought in."
    assert project.scans() == []
    summary = import_records(project, folder, FORMAT)
    assert summary.images == 3
    assert [text.split(":")[0] for text in summary.problems] == [
        "fada.jsonl, line 4",
        "fada.jsonl, line 5",
    ]


def test_labels_in_other_words_are_told_and_can_be_mapped(project, folder):
    text = (folder / "fada.jsonl").read_text().replace("CSP", "csp box")
    (folder / "fada.jsonl").write_text(text)
    summary = import_records(project, folder, FORMAT)
    assert summary.records == 0
    assert "unknown class 'csp box'" in summary.problems[0]

    def mapped():
        names = Names(parse_mapping(["csp box=CSP"]))
        return import_records(project, folder, FORMAT, options=lambda o: replace(o, names=names))

    assert mapped().by_class == {"CSP": 3}


def test_the_users_words_are_checked():
    assert Names().category("lv") == "LV"
    assert Names().category("Head") == "head"  # and H is never meant by it
    assert Names({"head": "fetal_head"}).category("head") == "fetal_head"
    assert Names({"junk": ""}).left_out("junk")
    with pytest.raises(ExchangeError, match="not in the vocabulary") as error:
        Names({"x": "brain"})
    assert error.value.todo == "Did you mean Brain?"
    for wrong in (["nothing"], ["a=CSP", "a=LV"]):
        with pytest.raises(ExchangeError):
            parse_mapping(wrong)


def test_an_image_of_another_size_is_not_mixed_up(project, folder):
    Image.fromarray(np.zeros((60, 60), np.uint8)).save(folder / "images" / "1.png")
    lines = (folder / "fada.jsonl").read_text().splitlines()
    data = [json.loads(line) | {"meta": {"size": list(SIZE)}} for line in lines]
    (folder / "fada.jsonl").write_text("\n".join(map(json.dumps, data)))
    summary = import_records(project, folder, FORMAT)
    assert summary.images == 2
    assert summary.problems == ("images/1.png: the image is 60×60, the labels are for 160×120",)


def test_a_form_that_can_only_be_written_and_a_name_that_is_not_there(project, tmp_path):
    with pytest.raises(ExchangeError, match="nothing at"):
        import_records(project, tmp_path / "none", FORMAT)
    only_out = Format("x", "X", lambda s, _p: s)
    with pytest.raises(ExchangeError, match="not read"):
        import_records(project, tmp_path, only_out)
    with pytest.raises(ExchangeError, match="no form called 'cocoa'") as error:
        load_format("cocoa")
    assert all(name in error.value.todo for name in MODULES)


def test_a_file_that_is_wrong_in_every_line_is_told_of_by_its_first(project, folder, monkeypatch):
    monkeypatch.setattr("napari_fada.exchange.importing.MAX_PROBLEMS", 5)

    def read(_root, _options):
        for number in range(50):
            yield Problem("x.json", f"record {number}", "is wrong")
        yield FrameRecords("images/0.png", *SIZE, annotations=(box("LV", uid="", source="import"),))

    summary = import_records(project, folder, Format("x", "X", lambda s, _p: s, reader=read))
    assert summary.images == 1
    assert len(summary.problems) == 6
    assert summary.problems[-1] == "and 45 more"


nan = float("nan")


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        (Annotation("CSP", "box", ((nan, 0), (3, 3))), "no number"),
        (Annotation("CSP", "box", ((200, 0), (300, 30))), "outside"),
        (Annotation("CSP", "box", ((0, -50), (30, -10))), "outside"),
        (Annotation("CSP", "box", ((10, 10), (10, 30))), "no area"),
        (Annotation("Brain", "polygon", ((0, 0), (9, 9))), "three corners"),
        (Annotation("Brain", "polygon", ((0, 0), (9, 9), (18, 18))), "no area"),
        (Annotation("NTKpoints", "keypoints", ((5, 5), (500, 5)), visibility=(2, 2)), "outside"),
        (
            Annotation(
                "Brain", "polygon", tuple((i % 160, i % 7) for i in range(MAX_VERTICES + 1))
            ),
            "vertices",
        ),
    ],
)
def test_shapes_that_are_no_shapes_stay_outside(annotation, says):
    found, what = checked(annotation, SIZE)
    assert found is None
    assert says in what


def test_shapes_over_the_edge_are_cut_and_said_so_and_rounding_is_forgiven():
    assert checked(box("CSP"), SIZE) == (box("CSP"), None) or checked(box("CSP"), SIZE)[1] is None
    found, what = checked(Annotation("CSP", "box", ((170.5, 20), (100, 10))), SIZE)
    assert found.points == ((100, 10), (160, 20))
    assert "10.5 px over the edge" in what
    found, what = checked(Annotation("CSP", "box", ((-0.4, 0), (30, 120.9))), SIZE)
    assert (found.points, what) == (((0, 0), (30, 120)), None)
    hidden = Annotation("CRL_KP", "keypoints", ((5, 5), (-9, -9)), visibility=(2, 0))
    assert checked(hidden, SIZE) == (hidden, None)
    hole = polygon("Brain")
    assert checked(hole, SIZE)[0] is not None
