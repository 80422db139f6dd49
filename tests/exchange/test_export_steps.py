"""What holds for an export of any form: whole or not there, resumable, counted, selected."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from napari_fada.errors import ExchangeError
from napari_fada.exchange import export as exporting
from napari_fada.exchange import images as pictures
from napari_fada.exchange import selection
from napari_fada.exchange.export import export_records, export_steps
from napari_fada.exchange.fada import FORMAT
from napari_fada.exchange.manifest import read_manifest, verify
from napari_fada.exchange.request import ExportRequest, Selection
from napari_fada.exchange.writers import MODULES, load_format
from napari_fada.pipeline import PromptSet
from napari_fada.records import review
from napari_fada.records.annotation import new_uid, now
from napari_fada.records.project import Project
from napari_fada.records.rows import Act
from napari_fada.scans import open_scan
from record_samples import box, make_reading, polygon

PROMPTS = PromptSet.load()


def scan_file(folder, name, seed=0, size=(120, 160)):
    noise = np.random.default_rng(seed).integers(0, 255, size, np.uint8)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise).save(path)
    return open_scan(path)


@pytest.fixture
def project(tmp_path):
    with Project.open(tmp_path / "p.fada", rater="Anna") as opened:
        for number in range(6):
            scan = scan_file(tmp_path / "scans", f"{number:03d}_HC.png", number)
            opened.add_scan(scan)
            opened.edit(scan.sha256, 0, add=[box("CSP", source="expert")])
        yield opened


def request(selection=None, **more):
    return ExportRequest(selection=selection or Selection(), prompts=PROMPTS, **more)


def tree(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_manifest_says_what_is_in_it_and_names_every_file(project, tmp_path):
    out = tmp_path / "out"
    summary = export_records(
        project, out, FORMAT, request(licence="CC BY 4.0", dataset="Heads", keep_names=True)
    )
    found = read_manifest(out)
    assert summary.images == found["counts"]["frames"] == 6
    assert found["counts"]["by_class"] == {"CSP": 6}
    assert found["counts"]["by_class_and_view"] == {"CSP": {"not stated": 6}}
    assert found["raters"] == {"Anna": 6}
    assert found["prompts"] == {"name": PROMPTS.name, "hash": PROMPTS.hash}
    assert (found["licence"], found["dataset"], found["form"]) == ("CC BY 4.0", "Heads", "fada")
    assert verify(out).sound
    assert set(found["files"]) == {str(p) for p in tree(out)} - {"manifest.json"}
    victim = next((out / "images").iterdir())
    victim.write_bytes(victim.read_bytes() + b"x")
    (out / "fada.jsonl").unlink()
    checked = verify(out)
    assert (checked.missing, checked.changed) == (("fada.jsonl",), (f"images/{victim.name}",))


def test_nothing_is_seen_before_it_is_whole_and_a_stopped_export_goes_on(
    project, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    made: Counter[str] = Counter()
    real = pictures.to_png
    monkeypatch.setattr(pictures, "to_png", lambda p: made.update(["png"]) or real(p))
    steps = export_steps(project, out, FORMAT, request())
    while next(steps).done < 5:
        assert not out.exists()
    steps.close()
    assert not out.exists()
    before = made["png"]
    assert before >= 4
    whole = export_records(project, out, FORMAT, request())
    assert whole.images == 6
    assert made["png"] == 6  # none was made twice
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".out")] == []
    # With other wishes the images of before are not taken for the new ones.
    steps = export_steps(project, tmp_path / "b", FORMAT, request())
    next(steps)
    steps.close()
    made.clear()
    export_records(project, tmp_path / "b", FORMAT, request(blackout=True))
    assert made["png"] == 6


def test_a_scan_that_changed_since_an_export_was_stopped_is_looked_at_again(project, tmp_path):
    out = tmp_path / "out"
    steps = export_steps(project, out, FORMAT, request())
    while next(steps).done < 6:
        pass
    steps.close()
    row = project.scans()[0]
    Image.fromarray(np.zeros((120, 160), np.uint8)).save(row.path)
    summary = export_records(project, out, FORMAT, request())
    assert summary.images == 5
    assert summary.left_out[pictures.CHANGED] == 1


@pytest.mark.parametrize("there", ["file", "strange", "other project", "other form", "broken"])
def test_another_data_set_is_never_overwritten(project, tmp_path, there):
    out = tmp_path / "out"
    if there == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "precious.txt").write_text("mine")
        manifest = {"form": "fada", "project": "other", "files": {}}
        if there == "other form":
            export_records(project, tmp_path / "x", FORMAT, request())
            manifest = read_manifest(tmp_path / "x") | {"form": "coco"}
        if there in ("other project", "other form"):
            (out / "manifest.json").write_text(json.dumps(manifest))
        if there == "broken":
            (out / "manifest.json").write_text('{"form": "fa')
    before = tree(out) if out.is_dir() else out.read_bytes()
    with pytest.raises(ExchangeError) as error:
        export_records(project, out, FORMAT, request())
    assert error.value.todo
    assert (tree(out) if out.is_dir() else out.read_bytes()) == before


def test_a_second_export_to_the_same_place_waits_for_nobody(project, tmp_path):
    steps = export_steps(project, tmp_path / "out", FORMAT, request())
    next(steps)
    with pytest.raises(ExchangeError, match="Another export"):
        export_records(project, tmp_path / "out", FORMAT, request())
    steps.close()
    assert export_records(project, tmp_path / "out", FORMAT, request()).images == 6


def test_an_update_takes_the_place_of_the_earlier_one(project, tmp_path):
    out = tmp_path / "out"
    export_records(project, out, FORMAT, request())
    first = tree(out)
    row = project.scans()[0]
    (record,) = project.annotations(row.sha256)
    project.edit(row.sha256, 0, remove=[record.uid])
    project.set_state(row.sha256, 0, {"review": "corrected"})
    export_records(project, out, FORMAT, request(Selection(negatives=False)))
    assert len(list((out / "images").iterdir())) == 5
    project.edit(row.sha256, 0, add=[dataclasses.replace(record, uid=new_uid())])
    export_records(project, out, FORMAT, request())
    again = tree(out)
    assert set(again) == set(first)
    changed = {str(name) for name in first if again[name] != first[name]}
    assert changed == {"fada.jsonl", "manifest.json", "deidentification.json"} & changed


def test_records_are_chosen_by_rater_view_class_and_review(project, tmp_path):
    one, two, three, *_ = project.scans()
    project.rater = "Bo"
    project.edit(one.sha256, 0, add=[box("LV", source="expert")])
    project.set_report(two.sha256, 0, view="BPD_PLANE")
    project.set_state(three.sha256, 0, {"review": "accepted"})

    def found(name, **wish):
        out = tmp_path / name
        summary = export_records(project, out, FORMAT, request(Selection(**wish)))
        return summary, read_manifest(out)["counts"]

    summary, counts = found("rater", raters=frozenset({"Bo"}))
    assert counts["by_class"] == {"LV": 1}
    assert summary.left_out[selection.OTHER_RATER] == 6
    asked = read_manifest(tmp_path / "rater")["asked_for"]["selection"]["raters"]
    assert [name[:6] for name in asked] == ["rater-"]
    summary, counts = found("view", views=frozenset({"BPD_PLANE"}))
    assert (summary.images, summary.left_out) == (1, {selection.OTHER_VIEW: 5})
    summary, counts = found("class", categories=frozenset({"LV"}))
    assert counts["by_class"] == {"LV": 1}
    summary, counts = found("review", reviewed=True)
    assert (summary.images, summary.left_out) == (1, {selection.NOT_REVIEWED: 5})
    with pytest.raises(ExchangeError, match="no class 'lv'") as error:
        Selection(categories=frozenset({"lv"}))
    assert "LV" in error.value.todo


def test_what_is_left_out_is_listed_frame_by_frame(project, tmp_path):
    row = project.scans()[0]
    project.save_reading(make_reading(open_scan(row.path), polygon("Brain"), box("LV")))
    out = tmp_path / "out"
    summary = export_records(project, out, FORMAT, request())
    rows = [line.split(",") for line in (out / "left-out.csv").read_text().splitlines()]
    assert rows[0] == ["scan", "frame", "reason", "count"]
    listed = Counter({reason: 0 for _, _, reason, _ in rows[1:]})
    for _, _, reason, count in rows[1:]:
        listed[reason] += int(count)
    assert listed == summary.left_out
    assert listed[selection.PENDING] == 2
    assert summary.notes[selection.PARTLY] == 1


def test_a_judged_frame_without_structures_is_a_negative(project, tmp_path):
    row = project.scans()[0]
    reading = make_reading(open_scan(row.path), box("LV"))
    project.save_reading(reading)
    for record in project.annotations(row.sha256):
        project.edit(row.sha256, 0, remove=[record.uid])
    assert project.annotations(row.sha256) == []
    summary = export_records(project, tmp_path / "open", FORMAT, request())
    assert read_manifest(tmp_path / "open")["counts"]["frames_without_structures"] == 0
    assert summary.left_out[selection.NO_NEGATIVE] == 1
    review.finish(project, row.sha256, 0)
    export_records(project, tmp_path / "out", FORMAT, request())
    assert read_manifest(tmp_path / "out")["counts"]["frames_without_structures"] == 1
    left = export_records(
        project, tmp_path / "some", FORMAT, request(Selection(negatives=False))
    ).left_out
    assert left[selection.NEGATIVE] == 1


FORMS = [n for n in MODULES if load_format(n).writer and n not in ("hc18", "dicom-seg", "dicom-sr")]


@pytest.mark.parametrize("form", FORMS)
def test_no_form_makes_a_negative_of_a_frame_whose_review_is_open(project, tmp_path, form):
    first, second, third, *_ = project.scans()
    for row in project.scans():
        for record in project.annotations(row.sha256):
            project.edit(row.sha256, 0, remove=[record.uid])
    guess = polygon("Brain", source="interpolation")
    project.derive(first.sha256, 0, [guess], label="carried")
    project.edit(first.sha256, 0, remove=[guess.uid])  # a bad guess, no judgement
    project.save_reading(make_reading(open_scan(second.path), polygon("Brain")))
    for record in project.annotations(second.sha256):
        project.edit(second.sha256, 0, remove=[record.uid])  # rejected, but not through
    label = polygon("Brain", source="expert", rater="Bo")
    project.edit(third.sha256, 0, add=[label])
    review.finish(project, third.sha256, 0)  # through, but its head is of another rater
    chosen = load_format(form)
    for proposals in (False, True) if chosen.wants is None else (False,):  # else: the report
        wish = Selection(proposals=proposals, raters=frozenset({"Anna"}))
        out = tmp_path / f"{form}{proposals}"
        assert export_records(project, out, chosen, request(wish)).images == 0
    wish = Selection(categories=frozenset({"CSP"}))  # no CSP on a frame that is through: a negative
    summary = export_records(project, tmp_path / "closed", load_format("coco"), request(wish))
    assert (summary.images, summary.annotations) == (1, 0)


def test_frames_that_were_accepted_unseen_can_be_left_out(project, tmp_path):
    first, *rest = project.scans()
    review.finish(project, first.sha256, 0, [(0, now())])
    label = polygon("Brain", source="import", status="accepted")
    project.act(rest[0].sha256, Act(0, add=[label], by_person=False))
    review.finish(project, rest[0].sha256, 0)
    project.save_reading(make_reading(open_scan(rest[1].path), polygon("Brain")))
    review.finish(project, rest[1].sha256, 0)
    export_records(project, tmp_path / "all", FORMAT, request())
    assert read_manifest(tmp_path / "all")["counts"]["frames_never_seen"] == 1
    summary = export_records(project, tmp_path / "seen", FORMAT, request(Selection(seen=True)))
    assert summary.left_out[selection.NEVER_SEEN] == 1
    assert summary.images == 5
    manifest = read_manifest(tmp_path / "seen")
    assert manifest["counts"]["frames_never_seen"] == 0
    assert manifest["asked_for"]["selection"]["seen"] is True


def test_the_sides_keep_examinations_together_and_stay_when_scans_are_added(project, tmp_path):
    def sides(out):
        found = json.loads((out / "splits.json").read_text())
        return {g: side for side in ("train", "val") for g in found.get(side, [])}

    wish = request(shares={"train": 0.5, "val": 0.5}, group_pattern=r"^(\d\d)")
    export_records(project, tmp_path / "out", FORMAT, wish)
    first = sides(tmp_path / "out")
    assert len(first) == 1  # 000 to 005 are one examination by this pattern
    wish = dataclasses.replace(wish, group_pattern=r"^(\d+)")
    export_records(project, tmp_path / "out", FORMAT, wish)
    first = sides(tmp_path / "out")
    assert len(first) == 6
    assert set(first.values()) == {"train", "val"}
    for number in range(6, 12):
        scan = scan_file(tmp_path / "scans", f"{number:03d}_HC.png", number)
        project.add_scan(scan)
        project.edit(scan.sha256, 0, add=[box("CSP", source="expert")])
    export_records(project, tmp_path / "out", FORMAT, wish)
    later = sides(tmp_path / "out")
    assert len(later) == 12
    assert first.items() <= later.items()
    assert json.loads((tmp_path / "out" / "split-audit.json").read_text())


def test_an_export_without_images_writes_none_and_opens_no_scan(project, tmp_path):
    def no_scan(row):
        return dataclasses.replace(open_scan(row.path), decode=lambda _i: 1 / 0)

    summary = export_records(
        project, tmp_path / "out", FORMAT, request(images="none"), open_row=no_scan
    )
    assert summary.images == 6
    assert not list(tmp_path.rglob("out/**/*.png"))


def test_a_choice_that_the_form_does_not_know_is_refused(project, tmp_path):
    with pytest.raises(ExchangeError, match="does not know"):
        export_records(project, tmp_path / "out", FORMAT, request(choices={"task": "fly"}))
    assert not (tmp_path / "out").exists()


def test_an_error_of_the_writer_leaves_nothing_to_be_seen(project, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "build_manifest", lambda *_a, **_k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_records(project, tmp_path / "out", FORMAT, request())
    assert not (tmp_path / "out").exists()
