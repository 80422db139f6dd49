"""The widget writes the FADA training form from what the expert made of the proposals."""

from __future__ import annotations

import json

import imageio.v3 as iio
import numpy as np

from napari_fada.workstation.datasets.export_dialog import ExportDialog


def export(desk, out, form="fada", *, proposals=False):
    """Export as a person would, and wait for it."""
    dialog = desk.widget.project.show_dialog(ExportDialog)
    dialog.form.choose(form)
    dialog.form.proposals.setChecked(proposals)
    dialog.place.line.setText(str(out))
    dialog.go.click()
    desk.qtbot.waitUntil(lambda: not dialog.work.running)
    return dialog


def test_export_from_the_widget(desk, tmp_path):
    scan = tmp_path / "scan.png"
    iio.imwrite(scan, np.random.default_rng(3).integers(0, 99, (200, 400), np.uint8))
    assert desk.session.open_path(scan)
    desk.run()
    desk.session.active_class = "LV"  # of the others there are open proposals
    desk.session.layers.bindings["boxes"].layer.add(
        [[100, 100], [100, 150], [150, 150], [150, 100]], shape_type="rectangle"
    )
    out = tmp_path / "export"
    dialog = export(desk, out)
    lines = [json.loads(x) for f in out.rglob("*.jsonl") for x in f.read_text().splitlines()]
    assert lines
    assert all(line["messages"][0]["role"] == "user" for line in lines)
    assert "1 images with" in dialog.outcome.toPlainText()
    assert (out / "images").is_dir()


def test_unjudged_proposals_are_left_out_unless_asked_for(desk, tmp_path):
    desk.run()
    for asked in (False, True):
        export(desk, tmp_path / "export", proposals=asked)
        text = (tmp_path / "export" / "fada.jsonl").read_text()
        assert ("bbox_2d" in text) == asked
