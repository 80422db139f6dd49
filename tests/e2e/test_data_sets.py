"""Data sets in the window: what a person sees of export, import and evaluation."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from qtpy.QtWidgets import QPushButton

from napari_fada.exchange.writers import MODULES
from napari_fada.records.project import WHOLE, Project
from napari_fada.scans import open_scan
from napari_fada.workstation.datasets import dialog as dialogs
from napari_fada.workstation.datasets.evaluate_dialog import EvaluateDialog
from napari_fada.workstation.datasets.export_dialog import LAST, ExportDialog
from napari_fada.workstation.datasets.import_dialog import GUESS, ImportDialog
from record_samples import box, make_reading


def wait(desk, dialog):
    desk.qtbot.waitUntil(lambda: not dialog.work.running)
    return dialog.outcome.toPlainText()


@pytest.fixture
def judged(desk):
    """Give a desk whose scan was read and accepted."""
    desk.run()
    scan = desk.session.scan
    project = desk.session.project
    wish = {a.uid: replace(a, status="accepted") for a in project.annotations(scan.sha256, 0)}
    project.edit(scan.sha256, 0, replace=wish)
    project.set_state(scan.sha256, WHOLE, {"review": "accepted"})
    return desk


def test_a_form_with_its_choices_goes_out_and_is_remembered(judged, tmp_path):
    dialog = judged.widget.project.show_dialog(ExportDialog)
    assert dialog.form.form.count() == len(MODULES)
    dialog.form.choose("yolo")
    assert dialog.place.line.text().endswith("-yolo")  # the folder goes with the form
    combo = dialog.form._combos["task"]
    assert [combo.itemText(i) for i in range(combo.count())] == ["detect", "segment", "pose"]
    dialog.form.name.setText("Mine")
    dialog.form.licence.setText("CC0")
    out = tmp_path / "yolo"
    dialog.place.line.setText(str(out))
    dialog.go.click()
    assert not dialog.go.isEnabled()
    text = wait(judged, dialog)
    assert text.startswith("1 images with")
    assert dialog.open_folder.isVisible()
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["form"], manifest["licence"], manifest["dataset"]) == ("yolo", "CC0", "Mine")
    again = judged.widget.project.show_dialog(ExportDialog)
    assert again is not dialog
    assert (again.form.form_name, again.form.licence.text()) == ("yolo", "CC0")
    assert judged.session.project.setting(LAST)["form"] == "yolo"


def test_what_cannot_be_is_said_and_names_are_warned_of(judged, tmp_path):
    dialog = judged.widget.project.show_dialog(ExportDialog)
    dialog.place.line.setText("")
    dialog.go.click()
    assert dialog.outcome.toPlainText() == "Choose a folder first."
    dialog.place.line.setText(str(tmp_path))
    dialog.form.split.setChecked(True)
    dialog.form.shares["train"].setValue(10)
    dialog.go.click()
    assert "do not make 100 %" in dialog.outcome.toPlainText()
    dialog.form.split.setChecked(False)
    (tmp_path / "mine.txt").write_text("precious")
    dialog.go.click()
    assert "is not empty" in wait(judged, dialog)
    assert not dialog.form.warning.isVisible()
    dialog.form.keep_names.setChecked(True)
    assert dialog.form.warning.isVisible()


def test_an_export_is_stopped_and_leaves_nothing_to_be_seen(judged, tmp_path, monkeypatch):
    from napari_fada.workstation.datasets import jobs

    real = jobs.export_steps

    def slow(*args, **more):
        steps = real(*args, **more)
        event = next(steps)
        while True:  # as if there were many scans
            yield event

    monkeypatch.setattr(jobs, "export_steps", slow)
    dialog = judged.widget.project.show_dialog(ExportDialog)
    dialog.place.line.setText(str(tmp_path / "out"))
    dialog.go.click()
    judged.qtbot.waitUntil(lambda: "Images: 1" in dialog.work.text.text())
    dialog.work.cancel.click()
    assert "Nothing was written" in wait(judged, dialog)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def labels(tmp_path):
    """Give a folder with two images and COCO labels, one of a class that is not ours."""
    folder = tmp_path / "labels"
    (folder / "images").mkdir(parents=True)
    images, rows = [], []
    for number in range(2):
        noise = np.random.default_rng(number + 5).integers(0, 255, (120, 160), np.uint8)
        Image.fromarray(noise).save(folder / "images" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 160, "height": 120})
        for category in (1, 2):
            box = [10, 20, 30, 40]
            rows.append({"id": len(rows), "image_id": number, "category_id": category, "bbox": box})
    categories = [{"id": 1, "name": "Brain"}, {"id": 2, "name": "ventricle"}]
    data = {"images": images, "annotations": rows, "categories": categories}
    (folder / "coco.json").write_text(json.dumps(data))
    return folder


def test_labels_are_read_looked_at_mapped_and_brought_in(desk, labels):
    dialog = desk.widget.project.show_dialog(ImportDialog)
    before = len(desk.session.project.scans())
    assert dialog.form.currentText() == GUESS
    dialog.place.line.setText(str(labels))
    dialog.read.click()
    text = wait(desk, dialog)
    assert "2 images with 2 records would come in: 2 Brain." in text
    assert "unknown class 'ventricle'" in text
    assert dialog.labels.isVisible()
    assert dialog.labels.item(0, 0).text() == "ventricle"
    dialog.labels.cellWidget(0, 1).setCurrentText("LV")
    dialog.read.click()
    assert "2 Brain, 2 LV" in wait(desk, dialog)
    with Project.open(desk.session.project.path) as project:
        assert len(project.scans()) == before  # nothing was touched so far
    dialog.bring.click()
    assert "2 images, 4 records brought in" in wait(desk, dialog)
    assert len(desk.session.project.scans()) == before + 2
    assert not dialog.bring.isEnabled()


def test_masks_and_places_that_are_none(desk, tmp_path):
    dialog = desk.widget.project.show_dialog(ImportDialog)
    dialog.read.click()
    assert "Choose a file or a folder" in dialog.outcome.toPlainText()
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    mask = np.zeros((60, 80), np.uint8)
    mask[10:40, 20:60] = 255
    for folder in ("images", "masks"):
        Image.fromarray(mask).save(tmp_path / folder / "a.png")
    dialog.place.line.setText(str(tmp_path / "images"))
    dialog.masks.line.setText(str(tmp_path / "masks"))
    dialog.category.setCurrentText("head")
    dialog.read.click()
    assert "1 images with 1 records would come in: 1 head." in wait(desk, dialog)
    dialog.place.line.clear()  # images and masks are enough
    dialog.read.click()
    assert "images" in dialog.outcome.toPlainText()
    dialog.images.line.setText(str(tmp_path / "images"))
    dialog.read.click()
    assert "1 images with 1 records would come in: 1 head." in wait(desk, dialog)
    desk.qtbot.waitUntil(lambda: bool(dialog.preview.caption.text()))
    assert "value 255 → head" in dialog.preview.caption.text()
    assert dialog.preview.place.text() == "1 of 1 images"
    shown = dialog.preview.picture.pixmap().toImage()
    assert shown.width() > 100
    dialog.reviewed.setChecked(True)
    dialog.rater.clear()
    dialog.bring.click()
    assert "Type who reviewed" in dialog.outcome.toPlainText()
    assert dialog.bring.isEnabled()
    dialog.values.setText("255=nothing")
    dialog.category.setCurrentText("")
    dialog.read.click()
    text = dialog.outcome.toPlainText()
    assert "The class 'nothing' that 'nothing' is to become is not in the vocabulary." in text
    assert not dialog.bring.isEnabled()
    dialog.values.setText("7=head")  # no mask has that value: there is nothing to bring in
    dialog.read.click()
    assert "0 images with 0 records" in wait(desk, dialog)
    assert not dialog.bring.isEnabled()


def test_the_model_is_scored_and_the_worst_is_opened(judged, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(
        dialogs.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile())
    )
    dialog = judged.widget.project.show_dialog(EvaluateDialog)
    assert not dialog.report.isVisible()
    dialog.place.line.setText(str(tmp_path / "report"))
    dialog.go.click()
    text = wait(judged, dialog)
    assert "1 frame of 1 examination." in text
    assert "100 % were accepted untouched" in text
    assert opened == []  # nothing opens by itself
    dialog.report.click()
    assert opened == [str(tmp_path / "report" / "report.html")]
    # A scan that is a layer has no file, so there is no project of worst cases.
    assert not dialog.worst.isVisible()


def test_the_worst_cases_are_looked_at_beneath_a_band(desk, labels, tmp_path):
    mine = tmp_path / "project.fada"
    scan = desk.session.scan.sha256
    dialog = desk.widget.project.show_dialog(ImportDialog)
    dialog.place.line.setText(str(labels))
    dialog.reviewed.setChecked(True)
    dialog.read.click()
    wait(desk, dialog)
    dialog.bring.click()
    assert "2 images are reviewed now" in wait(desk, dialog)
    for row in desk.session.project.scans():
        if row.path is not None:
            reading = make_reading(open_scan(row.path), box("LV", score=0.4))
            desk.session.project.save_reading(reading, show="no")
    dialog = desk.widget.project.show_dialog(EvaluateDialog)
    dialog.place.line.setText(str(tmp_path / "report"))
    dialog.go.click()
    assert "2 frames" in wait(desk, dialog)
    assert desk.widget.band.bar is None
    dialog.worst.click()
    desk.qtbot.waitUntil(lambda: desk.session.scan.name in ("0.png", "1.png"))
    band = desk.widget.band
    assert not band.bar.isHidden()
    assert band.label.text() == "Worst cases of project.fada · 2 scans · only to look at"
    assert "Alt-Home" in band.back.text()
    desk.widget.run()
    assert not desk.widget.runner.running
    assert "only to look at" in desk.widget.message.text
    desk.widget.message.clear()
    desk.widget.tools.buttons["split"].click()  # no tool is taken up, either
    assert "only to look at" in desk.widget.message.text
    assert desk.widget.shaping.pen.tool == ""
    desk.widget.message.clear()
    button(desk, "Import…").click()
    assert "only to look at" in desk.widget.message.text
    band.back.click()
    desk.qtbot.waitUntil(lambda: desk.session.scan and desk.session.scan.sha256 == scan)
    assert desk.session.project.path == mine
    assert band.bar.isHidden()


def button(desk, text):
    return next(b for b in desk.widget.findChildren(QPushButton) if b.text() == text)


def test_nothing_to_score_is_said(desk, tmp_path):
    desk.run()
    dialog = desk.widget.project.show_dialog(EvaluateDialog)
    dialog.place.line.setText(str(tmp_path / "report"))
    dialog.go.click()
    text = wait(desk, dialog)
    assert "nothing to compare" in text
    assert "Accept in the worklist's menu" in text  # the way out
    assert not dialog.report.isVisible()
