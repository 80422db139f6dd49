"""The texts of panels, sheet and canvas have the size that is set, at once and on every scan."""

from __future__ import annotations

import numpy as np
import pytest
from napari.settings import get_settings
from qtpy.QtWidgets import QApplication

from napari_fada.workstation.panels.structure_list import STATE
from napari_fada.workstation.settings import settings


def points(widget):
    widget.ensurePolished()
    return widget.font().pointSizeF()


def test_a_larger_text_everywhere(desk):
    base = get_settings().appearance.font_size
    small, sheet = points(desk.widget.counts), desk.widget.comfort.sheet
    on_canvas = desk.layer("boxes").text.size
    settings().text_percent = 150
    QApplication.processEvents()
    assert points(desk.widget.counts) == 1.5 * base
    assert points(desk.widget.classes.search) == 1.5 * base
    assert points(sheet.search) == 1.5 * base
    assert desk.layer("boxes").text.size == 1.5 * on_canvas
    other = desk.viewer.add_image(np.zeros((90, 90), np.uint8), rgb=False)
    desk.session.use_layer(other)
    assert desk.layer("polygons").text.size == 1.5 * on_canvas
    settings().text_percent = 100
    QApplication.processEvents()
    assert points(desk.widget.counts) == small
    assert desk.layer("boxes").text.size == on_canvas


@pytest.mark.parametrize("percent", [100, 125, 150])
def test_nothing_is_cut_off_beside_review(desk, percent):
    """Phases and Review fit into 732 pixels (a window of 800) and no text is cut off."""
    desk.run()
    widget = desk.widget
    widget.phases.fold(False)
    widget.tabs.setCurrentWidget(widget.review)
    settings().text_percent = percent
    content = widget.column.widget()

    def fits():
        assert content.minimumSizeHint().height() <= 732
        assert widget.width() >= widget.column.width()
        assert widget.column.viewport().width() >= content.minimumSizeHint().width()

    desk.qtbot.waitUntil(fits)
    assert content.minimumSizeHint().width() <= 512  # of 1280; the canvas keeps the rest
    # What went into the menu of tools is there, and nothing is in both.
    for name in ("split", "snap"):
        button, entry = widget.tools.buttons[name], widget.tools.entries[name]
        assert button.isHidden() == entry.isVisible() == (percent > 100)
    listed = widget.review.list
    assert listed.columnWidth(STATE) > listed.fontMetrics().horizontalAdvance("proposed")
    settings().text_percent = 100
