"""Dark and light while running: what is written can be read in both, by measuring pixels."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget

from napari_fada.workstation import napari_private as private
from napari_fada.workstation.theme import luminance


def best_contrast(widget: QWidget) -> float:
    """Return the contrast of what differs most from the commonest colour of a widget."""
    image = widget.grab().toImage().convertToFormat(widget.grab().toImage().Format.Format_RGB32)
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    pixels = np.frombuffer(bits, np.uint8).reshape(-1, 4)[:, 2::-1]
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    lights = np.array([luminance(f"#{r:02x}{g:02x}{b:02x}") for r, g, b in colours])
    behind = lights[counts.argmax()]
    high, low = np.maximum(lights, behind), np.minimum(lights, behind)
    return float(((high + 0.05) / (low + 0.05)).max())


def written(root: QWidget) -> list[QWidget]:
    parts = [*root.findChildren(QLabel), *root.findChildren(QAbstractButton)]
    return [p for p in parts if p.isVisible() and p.isEnabled() and p.text().strip(" –·")]


@pytest.mark.parametrize("folded", [False, True])
def test_everything_written_can_be_read_in_both(desk, folded):
    window = private.main_window(desk.viewer)
    window.resize(1280, 800)
    window.show()
    desk.run()
    desk.widget.phases.fold(folded)
    desk.session.say("Something went wrong.", "error")
    for theme in ("light", "dark", "light"):
        desk.viewer.theme = theme
        for tab in range(desk.widget.tabs.count()):
            desk.widget.tabs.setCurrentIndex(tab)
            QApplication.processEvents()
            poor = [(w.text(), best_contrast(w)) for w in written(desk.widget)]
            assert len(poor) > 10
            assert [p for p in poor if p[1] < 4.5] == [], theme


def test_the_canvas_stays_dark(desk):
    desk.viewer.theme = "light"
    assert np.allclose(desk.viewer.canvas.background_color_override[:3], 0)


def test_the_sheet_changes_too(desk):
    desk.widget.comfort.show_keys()
    sheet = desk.widget.comfort.sheet
    dark = sheet.styleSheet()
    desk.viewer.theme = "light"
    assert sheet.styleSheet() != dark
