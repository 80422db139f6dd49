"""The Measure tab: no millimetres without a scale, live numbers, and the report by a click only."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from PIL import Image
from qtpy.QtCore import QDate

from napari_fada.errors import MeasureError
from napari_fada.measure import Measurement, Scale
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse
from napari_fada.records.project import WHOLE
from napari_fada.workstation.measure_layer import NAME
from napari_fada.workstation.panels.age_entry import AgeEntry
from napari_fada.workstation.panels.measures import FIELD
from napari_fada.workstation.panels.scale_row import NO_SCALE
from napari_fada.workstation.panels.ticks import NAME as TICKS
from napari_fada.workstation.theme import TONE
from napari_fada.workstation.tick_search import TickSearch


def head(a=50.0, b=40.0, **more):
    ring = Ellipse(100, 80, a, b, 0.0).polygon()
    return Annotation("head", "polygon", ring, source="expert", status="accepted", **more)


@pytest.fixture
def measuring(desk, tmp_path):
    """Give a desk with a scan of 200 × 160, a head on it, and the tab in front."""
    import numpy as np

    path = tmp_path / "443_HC.png"
    Image.fromarray(np.zeros((160, 200), np.uint8)).save(path)
    assert desk.session.open_path(path)
    desk.session.project.edit(desk.session.scan.sha256, 0, add=[head()])
    desk.session.refresh()
    desk.widget.tabs.setCurrentWidget(desk.widget.measures)
    desk.widget.measures.measure()
    return desk


def rows(panel):
    found = {}
    for i in range(panel.list.topLevelItemCount()):
        item = panel.list.topLevelItem(i)
        found[item.text(0)] = item.text(1), item.toolTip(0)
    return found


def test_without_a_scale_there_are_no_millimetres(measuring):
    panel = measuring.widget.measures
    assert panel.scaling.told.text() == NO_SCALE
    found = rows(panel)
    assert found["HC (head)"][0] == "–"
    assert "scale" in found["HC (head)"][1].lower()
    assert found["Cephalic index (head)"][0] == "80.0 %"  # a ratio needs none
    assert not panel.report.isEnabled()


def test_a_scale_says_where_it_came_from_and_can_be_taken_back(measuring, tmp_path):
    panel = measuring.widget.measures
    table = tmp_path / "sizes.csv"
    table.write_text("filename,pixel size(mm)\n443_HC.png,0.5\nother.png,x\n")
    panel.scaling.take_table(table)
    assert "table of the project" in panel.scaling.told.text()
    value, tip = rows(panel)["HC (head)"]
    assert value == "141.8 mm"  # half of the worked example of 50 and 40
    assert "table of the project" in tip
    assert "1 rows gave nothing" in measuring.widget.message.text
    sha256 = measuring.session.scan.sha256
    told = json.loads(measuring.session.project.state(sha256, WHOLE)["scale"])
    assert (told["spacing_mm"], told["origin"]) == ([0.5, 0.5], "csv")
    row = measuring.session.project.scan(sha256)
    assert measuring.session.project.spacing(row) == ((0.5, 0.5), "csv")
    panel.scaling.take_back()
    assert panel.scaling.told.text() == NO_SCALE
    assert measuring.session.project.spacing(row) == (None, "")


def test_two_points_and_a_length(measuring):
    panel = measuring.widget.measures
    panel.scaling.take_bar(10.0)
    assert "no scale bar" in measuring.widget.message.text
    bar = Annotation(
        "ScaleBarKpoints", "keypoints", ((10, 10), (10, 50)), visibility=(2, 2), source="expert"
    )
    measuring.session.project.edit(measuring.session.scan.sha256, 0, add=[bar])
    measuring.session.refresh()
    panel.scaling.take_bar(10.0)
    assert panel.scaling.told.text().startswith("0.2500 mm a pixel, scale bar")
    assert "10 mm over 40.0 px" in panel.scaling.told.toolTip()
    assert rows(panel)["HC (head)"][0] == "70.9 mm"


@pytest.mark.parametrize(
    ("size", "told"),
    [
        (2.0, "HC 567.2 mm"),
        (0.05, "HC 14.2 mm"),
    ],
)
def test_a_slipped_decimal_point_is_told_at_once_and_no_longer_than_it_counts(
    measuring, size, told
):
    panel, message = measuring.widget.measures, measuring.widget.message
    panel.scaling.take(Scale(size, size, "user"))
    assert told in message.text
    assert "no fetus has that at any age" in message.text
    assert told in panel.odd.text()
    assert panel.odd.isVisibleTo(panel)
    assert panel.odd.property(TONE) == "failed"
    assert not panel.report.isEnabled()  # and it is not offered to the report
    panel.scaling.take(Scale(0.5, 0.5, "user"))
    assert message.text == ""
    assert not panel.odd.isVisibleTo(panel)
    assert panel.report.isEnabled()


def test_a_scale_without_sense_is_told_without_any_structure(measuring, tmp_path):
    panel, session, message = measuring.widget.measures, measuring.session, measuring.widget.message
    (record,) = session.records[0]
    session.project.edit(session.scan.sha256, 0, remove=[record.uid])
    session.refresh()
    panel.scaling.take_points((0.0, 0.0), (100.0, 0.0), 1.0)
    for text in (message.text, panel.scaling.doubt.text()):
        assert "the whole image would be 2 × 2 mm" in text
    assert panel.scaling.doubt.isVisibleTo(panel)
    panel.scaling.take_points((0.0, 0.0), (100.0, 0.0), 0.1)
    assert "no size of a pixel" in message.text
    panel.scaling.take_points((0.0, 0.0), (100.0, 0.0), 50.0)
    assert message.text == ""
    assert not panel.scaling.doubt.isVisibleTo(panel)
    table = tmp_path / "sizes.csv"
    table.write_text("filename,pixel size(mm)\n443_HC.png,0.01\n")
    panel.scaling.take_table(table)
    assert "1 of them make no sense" in message.text
    assert "443_HC.png: With 0.01 mm a pixel" in message.text


def test_numbers_follow_the_outline(measuring):
    panel = measuring.widget.measures
    panel.scaling.take(Scale(0.5, 0.5, "user"))
    session = measuring.session
    (record,) = session.records[0]
    session.project.edit(
        session.scan.sha256, 0, replace={record.uid: replace(record, points=head(60, 48).points)}
    )
    session.refresh()
    measuring.qtbot.waitUntil(lambda: rows(panel)["HC (head)"][0] == "170.2 mm")


def test_a_report_that_does_not_fit_is_told(measuring):
    panel, session = measuring.widget.measures, measuring.session
    panel.scaling.take(Scale(0.5, 0.5, "user"))
    assert panel.odd.text() == ""
    session.set_report(fields={"gestational_age": "about 30 weeks"})
    panel.measure()
    assert "The report says “30 weeks”" in panel.odd.text()
    assert "HC 141.8 mm lies below" in panel.odd.text()
    assert panel.odd.isVisibleTo(panel)


def test_the_report_is_written_by_a_click_only(measuring):
    panel, session = measuring.widget.measures, measuring.session
    panel.scaling.take(Scale(0.5, 0.5, "user"))
    assert session.report().fields.get(FIELD, "") == ""
    assert "HC 141.8 mm, BPD 40.0 mm, OFD 50.0 mm" in panel.report.toolTip()
    session.set_report(fields={FIELD: "Measured by hand."})
    panel.report.click()
    text = "Measured by hand. HC 141.8 mm, BPD 40.0 mm, OFD 50.0 mm"
    assert session.report().fields[FIELD] == text
    panel.report.click()  # what stands there already is not written again
    assert session.report().fields[FIELD] == text


def test_calipers_are_drawn_and_go_away(measuring):
    panel, viewer = measuring.widget.measures, measuring.viewer
    panel.scaling.take(Scale(0.5, 0.5, "user"))
    before = [layer.name for layer in viewer.layers]
    panel.draw.setChecked(True)
    layer = viewer.layers[NAME]
    assert not layer.editable
    assert len(layer.data) == 3  # ellipse and two calipers, each once
    labels = sorted(label.strip() for label in layer.features["label"])
    assert labels == ["BPD 40.0 mm", "HC 141.8 mm", "OFD 50.0 mm"]
    count = len(measuring.kept())
    panel.measure()
    assert [x.name for x in viewer.layers].count(NAME) == 1
    assert len(measuring.kept()) == count  # lines are no records
    panel.draw.setChecked(False)
    assert [x.name for x in viewer.layers] == before


def test_sizes_stand_on_curves_at_an_age_that_is_stated(measuring, tmp_path):
    panel = measuring.widget.measures
    panel.scaling.take(Scale(0.5, 0.5, "user"))
    dialog = panel.show_growth()
    measuring.qtbot.addWidget(dialog)
    dialog.entry.weeks.setValue(18)
    titles = [dialog.standard.itemText(i) for i in range(dialog.standard.count())]
    assert any(t.startswith("HC") for t in titles)
    dialog.standard.setCurrentIndex(next(i for i, t in enumerate(titles) if t.startswith("HC")))
    assert "141.8 mm at 18+0" in dialog.told.text()
    assert "centile" in dialog.told.text()
    assert "Source:" in dialog.told.text()
    assert not dialog.chart.pixmap().isNull()
    # An age by formula, with its formula and error; it is not the age of the curve.
    assert "Hadlock 1984" in dialog.dating.text()
    assert "from HC 141.8 mm" in dialog.dating.text()
    assert "±" in dialog.dating.text()
    for name in ("chart.pdf", "chart.png"):
        dialog.save_to(tmp_path / name)
    assert (tmp_path / "chart.pdf").read_bytes()[:4] == b"%PDF"
    assert (tmp_path / "chart.png").read_bytes()[:4] == b"\x89PNG"
    dialog.save_to(tmp_path / "chart.txt")
    assert "neither .png nor .pdf" in dialog.told.text()
    dialog.entry.weeks.setValue(6)  # outside of every range: a reason, and no chart
    assert dialog.standard.count() == 0
    assert "holds from" in dialog.told.text()
    assert not dialog.save.isEnabled()


def test_an_age_from_the_last_period(measuring):
    panel = measuring.widget.measures
    panel.scaling.take(Scale(0.5, 0.5, "user"))
    dialog = panel.show_growth()
    measuring.qtbot.addWidget(dialog)
    entry = dialog.entry
    assert entry.origin.count() == 2  # there is no other frame with a crown-rump length
    entry.origin.setCurrentIndex(1)
    entry.period.setDate(QDate(2026, 1, 1))
    entry.examined.setDate(QDate(2026, 5, 8))
    assert (str(entry.age), entry.age.origin) == ("18+1", "lmp")
    assert "141.8 mm at 18+1" in dialog.told.text()
    entry.examined.setDate(QDate(2025, 12, 1))  # before the period: a reason, and no chart
    assert "begins after the examination" in dialog.told.text()
    assert not dialog.save.isEnabled()
    entry.period.setDate(QDate.currentDate().addDays(100))
    entry.examined.setDate(QDate.currentDate().addDays(250))
    assert "lies in the future" in dialog.told.text()
    assert not dialog.keep.isEnabled()


def test_no_score_before_an_age_was_given(measuring):
    panel = measuring.widget.measures
    panel.scaling.take(Scale(0.5, 0.5, "user"))
    dialog = panel.show_growth()
    measuring.qtbot.addWidget(dialog)
    entry = dialog.entry
    for origin in ("typed", "last period"):
        entry.origin.setCurrentText(origin)
        assert entry.empty
        assert dialog.told.text().startswith("No age was given")
        assert dialog.standard.count() == 0
        assert dialog.chart.pixmap().isNull()
        for button in (dialog.keep, dialog.save):
            assert not button.isEnabled()
            assert button.toolTip().startswith(("No age", "Nothing is drawn"))
    entry.origin.setCurrentText("typed")
    assert "Hadlock 1984" in dialog.dating.text()  # which asks for no age
    for weeks, told in ((3, "3.0 weeks is no"), (60, "60.0 weeks is no"), (1, "1.0 weeks is no")):
        entry.weeks.setValue(weeks)
        assert told in dialog.told.text()
        assert dialog.told.property(TONE) == "failed"
        assert dialog.standard.count() == 0
        assert [b.isEnabled() for b in (dialog.keep, dialog.save)] == [False, False]
    entry.weeks.setValue(18)
    assert dialog.told.property(TONE) == ""
    assert dialog.keep.isEnabled()
    assert dialog.save.isEnabled()


def test_growth_belongs_to_the_scan_that_it_was_asked_for(measuring, tmp_path):
    import imageio.v3
    import numpy as np

    path = tmp_path / "another.png"
    imageio.v3.imwrite(path, np.zeros((100, 120), np.uint8))
    panel = measuring.widget.measures
    dialog, asking = panel.show_growth(), panel.scaling.ask_length((0.0, 0.0), (0.0, 50.0))
    ended = []
    for asked in (dialog, asking):
        assert asked.isVisible()
        asked.finished.connect(ended.append)
    assert measuring.session.open_path(path)
    assert ended == [0, 0]  # neither was accepted
    assert measuring.session.project.told_age(measuring.session.scan.sha256) is None


def test_an_age_may_be_typed_as_it_is_written(qtbot):
    entry = AgeEntry()
    qtbot.addWidget(entry)
    entry.show()
    entry.weeks.selectAll()
    qtbot.keyClicks(entry.weeks, "19+")
    qtbot.keyClicks(entry.days, "3")  # they have the keys now, and what stood there is replaced
    assert str(entry.age) == "19+3"
    assert entry.days.text() == "3"


def test_an_age_from_a_crown_rump_length_of_another_frame(qtbot):
    size = Measurement("crl", 62.0, "mm", "two points", "CRL", "expert", "user", ("c",))
    entry = AgeEntry([(2, size)])
    qtbot.addWidget(entry)
    entry.origin.setCurrentIndex(2)
    assert entry.crl.currentText() == "frame 3: CRL 62.0 mm"
    age = entry.age
    assert (age.origin, age.uids) == ("crl", {"c"})
    assert str(age) == "12+4"
    assert "Robinson" in age.note
    far = Measurement("crl", 200.0, "mm", "two points", "CRL", "expert", "user", ("c",))
    entry = AgeEntry([(2, far)])
    qtbot.addWidget(entry)
    entry.origin.setCurrentIndex(2)
    with pytest.raises(MeasureError, match="Robinson"):
        _ = entry.age


def test_the_nuchal_window_knows_the_crown_rump_length_of_another_frame(open_desk, tmp_path):
    import numpy as np
    import tifffile

    path = tmp_path / "clip.tif"
    tifffile.imwrite(path, np.zeros((4, 160, 200), np.uint8), photometric="minisblack")
    desk = open_desk()
    session, panel = desk.session, desk.widget.measures
    assert session.open_path(path)
    for frame, category, points in (
        (0, "NT", ((50.0, 50.0), (54.0, 50.0))),
        (2, "CRL_KP", ((20.0, 80.0), (144.0, 80.0))),
    ):
        session.go_to_frame(frame)
        record = Annotation(category, "keypoints", points, source="expert", status="accepted")
        session.project.edit(session.scan.sha256, frame, add=[record])
    session.refresh()
    session.go_to_frame(0)
    panel.scaling.take(Scale(0.5, 0.5, "user"))
    thickness = panel.measured.get("nt")
    assert thickness.amount == "2.0 mm"
    assert "CRL 62.0 mm lies in the window" in thickness.note
    assert [frame for frame, _ in panel.crown_rump_lengths(panel.scaling.scales())] == [2]


def with_ticks(spacing=24, height=360, width=480):
    """Write a scan with ticks of two lengths at its left edge."""
    import numpy as np

    image = np.random.default_rng(5).integers(20, 60, (height, width)).astype(np.uint8)
    image[:, :50] = 0
    for k, y in enumerate(range(20, height - 10, spacing)):
        image[y : y + 2, 20 : 20 + (6 if k % 2 == 0 else 3)] = 230
    return image


def test_depth_ticks_are_proposed_and_count_when_they_are_confirmed(desk, tmp_path):
    path = tmp_path / "ticks.png"
    Image.fromarray(with_ticks()).save(path)
    session, panel = desk.session, desk.widget.measures
    assert session.open_path(path)
    session.project.edit(session.scan.sha256, 0, add=[head()])
    session.refresh()
    desk.widget.tabs.setCurrentWidget(panel)
    panel.measure()
    row = panel.scaling
    desk.qtbot.waitUntil(lambda: not row.confirm.isHidden())
    assert "0.2083 mm a pixel, depth ticks at the edge (proposed" in row.proposed.text()
    assert row.told.text() == NO_SCALE  # a proposal is no scale
    assert panel.measured.get("hc") is None
    layers = [layer.name for layer in desk.viewer.layers]

    dialog = row.ask(row.search.found(session.scan))
    desk.qtbot.addWidget(dialog)
    drawn = desk.viewer.layers[TICKS]
    assert len(drawn.data) == 14
    assert not drawn.editable
    assert "75 mm deep" in dialog.told.text()
    dialog.lengths[0].setValue(10.0)
    assert "150 mm deep" in dialog.told.text()
    dialog.reject()  # left: nothing is kept, nothing stays on the scan
    assert [layer.name for layer in desk.viewer.layers] == layers
    assert row.told.text() == NO_SCALE

    dialog = row.ask(row.search.found(session.scan))
    desk.qtbot.addWidget(dialog)
    dialog.take.click()
    assert [layer.name for layer in desk.viewer.layers] == layers
    assert row.told.text().startswith("0.2083 mm a pixel, depth ticks at the edge")
    assert "proposed" not in row.told.text()
    assert "14 ticks 24.00 px apart at the left edge, taken as 5 mm each" in row.told.toolTip()
    assert row.confirm.isHidden()
    assert panel.measured.get("hc").scale_origin == "depth-ticks"
    row.take_back()
    assert row.told.text() == NO_SCALE
    assert not row.confirm.isHidden()


def test_the_ticks_go_with_their_scan(desk, tmp_path):
    path = tmp_path / "ticks.png"
    Image.fromarray(with_ticks()).save(path)
    session, row = desk.session, desk.widget.measures.scaling
    assert session.open_path(path)
    row.from_ticks()
    desk.qtbot.waitUntil(lambda: TICKS in desk.viewer.layers)
    other = tmp_path / "plain.png"
    Image.fromarray(with_ticks()[:, 60:]).save(other)
    assert session.open_path(other)
    assert TICKS not in desk.viewer.layers
    row.from_ticks()
    desk.qtbot.waitUntil(lambda: row.search.found(session.scan) == ())
    assert "No depth ticks were found" in desk.widget.message.text


def test_a_scan_that_cannot_be_read_is_looked_at_once_for_ticks(qtbot):
    from types import SimpleNamespace

    looked = []

    def frame(index):
        looked.append(index)
        raise OSError("the drive has gone")

    ended = []
    search = TickSearch(lambda: ended.append(search.found(scan)))
    scan = SimpleNamespace(sha256="a" * 64, frame=frame)
    search.start(scan, 3)
    qtbot.waitUntil(lambda: bool(ended))
    assert (ended, looked) == ([()], [3])  # no ticks, and no reason to look again
    search.close()
