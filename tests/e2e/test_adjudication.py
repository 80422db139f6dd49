"""Two project files that disagree become a third, and each conflict is decided by a key."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_fada.records.annotation import Annotation
from napari_fada.records.merge import open_conflicts
from napari_fada.records.project import Project
from napari_fada.records.review import scan_review
from napari_fada.workstation.adjudicate_widget import AdjudicateWidget
from napari_fada.workstation.worklist.docking import show_worklist


def square(x: float, y: float, side: float = 60.0, category: str = "Brain") -> Annotation:
    points = ((x, y), (x + side, y), (x + side, y + side), (x, y + side))
    return Annotation(category, "polygon", points, source="expert", status="accepted")


@pytest.fixture
def raters(desk, tmp_path):
    """Anna and Ben drew on one scan: a head apart, a CSP of Ben's alone, fields and views."""
    session = desk.session
    sha256 = session.scan.sha256
    paths = {}
    for name in ("Anna", "Ben"):
        paths[name] = tmp_path / f"{name.lower()}.fada"
        shutil.copy(session.project.path, paths[name])
        with Project.open(paths[name], rater=name) as project:
            project.add_scan(session.scan)
            mine = (
                [square(50, 50)] if name == "Anna" else [square(85, 50), square(200, 90, 30, "CSP")]
            )
            project.edit(sha256, 0, add=mine, label="drawn")
            quality = "good, midline seen" if name == "Anna" else "poor, midline seen"
            view = "BPD_PLANE" if name == "Anna" else "AC_PLANE"
            project.set_report(sha256, 0, fields={"image_quality": quality}, view=view)
    return paths


@pytest.fixture
def dock(desk, raters, tmp_path):
    widget = AdjudicateWidget(desk.viewer)
    desk.viewer.window.add_dock_widget(widget, name="FADA adjudicate", area="right")
    widget.files.paths["a"].setText(str(raters["Anna"]))
    widget.files.paths["b"].setText(str(raters["Ben"]))
    widget.files.paths["out"].setText(str(tmp_path / "both.fada"))
    widget.files.merge.click()
    desk.qtbot.waitUntil(lambda: not widget.files.running)
    window = desk.viewer.window._qt_window
    window.show()
    window.activateWindow()
    yield widget
    widget.close_session()


def press(desk, key, modifiers=Qt.KeyboardModifier.NoModifier):
    canvas = desk.viewer.window._qt_viewer.canvas.native
    canvas.setFocus()
    QTest.keyClick(canvas, key, modifiers)


def go_to(dock, what):
    names = [c.what if c.what != "structure" else c.name for c in dock.work.open]
    dock.work.look_at(names.index(what))


def standing(desk):
    return {(r.category, r.points[0]) for r in desk.kept()}


def test_what_is_disputed_is_shown_in_two_colours_with_names(desk, dock):
    assert {(c.what, c.name) for c in dock.work.open} >= {
        ("structure", "Brain"),
        ("structure", "CSP"),
        ("field", "image_quality"),
        ("view", "view"),
    }
    assert desk.session.project.path.name == "both.fada"
    go_to(dock, "Brain")
    a, b = dock.layers.layers["a"], dock.layers.layers["b"]
    assert len(a.data) == len(b.data) == 1
    assert (a.edge_color[0] != b.edge_color[0]).any()
    assert (a.features["text"][0], b.features["text"][0]) == ("Anna", "Ben")
    assert "Anna" in dock.names["a"].text()
    assert "IoU 0.26" in dock.what.text()
    assert dock.progress.maximum() == len(dock.work.open)
    go_to(dock, "CSP")
    assert "a" not in dock.layers.layers  # Anna has nothing there
    assert dock.texts["a"].text() == "nothing there"


def test_keys_decide_and_go_on(desk, dock):
    total = len(dock.work.open)
    go_to(dock, "Brain")
    press(desk, Qt.Key.Key_F4)
    assert standing(desk) == {("Brain", (85, 50))}
    assert len(dock.work.open) == total - 1
    assert dock.progress.value() == 1
    go_to(dock, "CSP")
    press(desk, Qt.Key.Key_F3)  # Anna has none
    assert standing(desk) == {("Brain", (85, 50))}
    go_to(dock, "field")
    assert "<u><b>good,</b></u>" in dock.texts["a"].text()
    press(desk, Qt.Key.Key_F3)
    assert desk.session.report().fields["image_quality"] == "good, midline seen"
    while dock.work.current:
        press(desk, Qt.Key.Key_F3)
    assert desk.session.report().view == "BPD_PLANE"
    assert open_conflicts(desk.session.project) == []
    assert "All conflicts" in dock.what.text()
    assert dock.layers.layers == {}


def test_both_stand(desk, dock):
    go_to(dock, "Brain")
    press(desk, Qt.Key.Key_F5)
    assert standing(desk) == {("Brain", (50, 50)), ("Brain", (85, 50))}


def test_the_drawn_one_counts(desk, dock):
    go_to(dock, "Brain")
    press(desk, Qt.Key.Key_F6)
    layer = dock.layers.layers["drawn"]
    assert desk.viewer.layers.selection.active is layer
    assert len(desk.kept()) == 0  # a drawing is no record yet
    layer.data = [layer.data[0] + [10, 20]]
    press(desk, Qt.Key.Key_F6)
    (record,) = desk.kept()
    assert record.points[0] == pytest.approx((70, 60))
    assert record.source == "expert"
    assert record.rater == "ann"
    assert "drawn" not in dock.layers.layers


@pytest.fixture
def pointed(desk, tmp_path):
    """Two raters who put the ends of the crown-rump length far from each other."""
    paths = []
    for name, x in (("Anna", 60.0), ("Ben", 72.0)):
        paths.append(tmp_path / f"points {name}.fada")
        ends = Annotation(
            *("CRL_KP", "keypoints", ((x, 50.0), (x + 200, 60.0))),
            visibility=(2, 2),
            source="expert",
            status="accepted",
        )
        with Project.open(paths[-1], rater=name) as project:
            project.add_scan(desk.session.scan)
            project.edit(desk.session.scan.sha256, 0, add=[ends], label="set")
    widget = AdjudicateWidget(desk.viewer)
    desk.viewer.window.add_dock_widget(widget, name="FADA adjudicate", area="right")
    for side, path in zip("ab", paths, strict=True):
        widget.files.paths[side].setText(str(path))
    widget.files.merge.click()
    desk.qtbot.waitUntil(lambda: not widget.files.running)
    yield widget
    widget.close_session()


def test_keypoints_are_put_anew(desk, pointed):
    dock = pointed
    go_to(dock, "CRL_KP")
    dock.redraw()
    layer = dock.layers.layers["drawn"]
    assert len(layer.data) == 2
    assert "white rings" in dock.message.text
    layer.data = [layer.data[0] + [5, 15], layer.data[1]]
    layer.data = [layer.data[0]]  # one was deleted by mistake: it is not taken
    dock.redraw()
    assert "a point is missing" in dock.message.text
    assert desk.kept() == []
    dock.layers.begin_drawing(dock.work.draft(), 0)
    layer.data = [layer.data[0] + [5, 15], layer.data[1]]
    dock.redraw()
    (record,) = desk.kept()
    assert record.points == (pytest.approx((75, 55)), pytest.approx((260, 60)))
    assert (record.category, record.visibility, record.source) == ("CRL_KP", (2, 2), "expert")
    assert dock.work.open == []


def test_figures_of_keypoints(pointed):
    (line,) = (t for t in pointed.figures.text().splitlines() if t.startswith("CRL_KP"))
    assert line.split("\t")[:6] == ["CRL_KP (keypoints)", "2", "", "", "12.000", ""]


def test_a_field_is_written_anew(desk, dock):
    go_to(dock, "field")
    press(desk, Qt.Key.Key_F6)
    assert dock.text.isVisible()
    dock.text.setPlainText("fair")
    press(desk, Qt.Key.Key_F6)
    assert desk.session.report().fields["image_quality"] == "fair"


def test_undo_opens_it_again(desk, dock):
    total = len(dock.work.open)
    go_to(dock, "Brain")
    press(desk, Qt.Key.Key_F3)
    desk.session.undo()
    desk.qtbot.waitUntil(lambda: len(dock.work.open) == total)
    assert dock.work.current.name == "Brain"
    assert dock.progress.value() == 0


def test_skipping_leaves_it_open(desk, dock):
    first = dock.work.current
    press(desk, Qt.Key.Key_F7)
    assert dock.work.current != first
    press(desk, Qt.Key.Key_F7, Qt.KeyboardModifier.ShiftModifier)
    assert dock.work.current == first


def test_figures_are_shown_copied_and_saved(dock, tmp_path):
    text = dock.figures.text()
    assert text.splitlines()[0].split("\t")[:3] == ["what", "n", "Dice"]
    (brain,) = (line for line in text.splitlines() if line.startswith("Brain"))
    assert brain.split("\t")[1:4] == ["1", "0.417", "0.263"]
    assert any(line.startswith("view\t1") for line in text.splitlines())
    dock.figures.save_to(tmp_path / "figures.csv")
    assert (tmp_path / "figures.csv").read_text().startswith("what,n,Dice")
    dock.figures.save_to(tmp_path / "nowhere" / "figures.csv")
    assert dock.message.level == "error"


def test_a_merge_that_cannot_be_made_says_why(desk, dock, raters):
    dock.files.paths["b"].setText(str(raters["Anna"]))
    dock.files.paths["out"].setText(str(raters["Anna"].with_name("third.fada")))
    dock.files.merge.click()
    desk.qtbot.waitUntil(lambda: not dock.files.running)
    assert "merged with itself" in dock.message.text
    assert not raters["Anna"].with_name("third.fada").exists()


def test_agreeing_projects_leave_nothing_to_decide(desk, tmp_path):
    """The same structure drawn by both stands once."""
    sha256 = desk.session.scan.sha256
    for name in ("a", "b"):
        with Project.open(tmp_path / f"{name}.fada", rater=name) as project:
            project.add_scan(desk.session.scan)
            project.edit(sha256, 0, add=[replace(square(50, 50))], label="drawn")
    widget = AdjudicateWidget(desk.viewer)
    widget.files.paths["a"].setText(str(tmp_path / "a.fada"))
    widget.files.paths["b"].setText(str(tmp_path / "b.fada"))
    widget.files.merge.click()
    desk.qtbot.waitUntil(lambda: not widget.files.running)
    assert widget.work.open == []
    assert "No conflict" in widget.what.text()
    assert len(desk.kept()) == 1
    widget.close_session()


def test_the_dock_is_taken_away_and_another_one_opened(desk, dock):
    """Tabs are made of docks; one that napari has let go must not be among them."""
    desk.qtbot.wait(1)  # the dock goes beside the other one when the event loop comes to it
    desk.viewer.window.remove_dock_widget(dock)
    dock.close_session()
    dock.deleteLater()
    desk.qtbot.wait(1)
    worklist = show_worklist(desk.viewer)
    assert worklist.isVisible()


def test_accepting_is_refused_until_the_last_conflict_is_decided(desk, dock):
    sha256, project = desk.session.scan.sha256, desk.session.project
    for _ in range(3):  # pressing again does not help
        press(desk, Qt.Key.Key_N)
        press(desk, Qt.Key.Key_N, Qt.KeyboardModifier.AltModifier)
    assert scan_review(project, sha256).state == "in_review"
    assert not project.standing(sha256, 0).reviewed
    said = desk.widget.message.text
    assert said.startswith("Anna and Ben disagree here")
    assert "CSP" in said
    assert "F3, F4" in said
    assert dock.message.text == said
    dock.work.look_at(2)
    desk.widget.message.buttons[0].click()
    assert dock.work.position == 0
    while dock.work.current:
        press(desk, Qt.Key.Key_F3)
    press(desk, Qt.Key.Key_N)
    assert scan_review(project, sha256).state == "corrected"


def test_what_was_taken_without_asking_can_be_looked_at_and_disputed(desk, raters, tmp_path):
    sha256 = desk.session.scan.sha256
    for name, path in raters.items():
        with Project.open(path, rater=name) as project:
            x = 150.0 if name == "Anna" else 152.0
            project.edit(sha256, 0, add=[square(x, 20, category="LV")])
    widget = AdjudicateWidget(desk.viewer)
    desk.viewer.window.add_dock_widget(widget, name="FADA adjudicate", area="right")
    for side, path in (("a", raters["Anna"]), ("b", raters["Ben"]), ("out", tmp_path / "c.fada")):
        widget.files.paths[side].setText(str(path))
    widget.files.merge.click()
    desk.qtbot.waitUntil(lambda: not widget.files.running, timeout=20000)
    assert widget.taken.head.text() == "Taken from Anna without asking: 1"
    widget.taken.look_at(0)
    desk.qtbot.waitUntil(lambda: "b" in widget.layers.layers)
    assert float(widget.layers.layers["b"].data[0][:, -1].min()) == pytest.approx(151.5)
    before = len(widget.work.open)
    widget.taken.dispute.click()
    desk.qtbot.waitUntil(lambda: len(widget.work.open) == before + 1)
    assert widget.work.current.name == "LV"
    assert widget.taken.head.text() == "Taken from A without asking: 0"
    press(desk, Qt.Key.Key_F4)
    assert ("LV", (152, 20)) in standing(desk)
    widget.close_session()


def test_names_can_be_hidden_while_it_is_decided(desk, dock):
    go_to(dock, "CSP")
    assert "only Ben" in dock.what.text()
    dock.blind.setChecked(True)
    assert "only B" in dock.what.text()
    assert "Ben" not in dock.what.text() + dock.names["a"].text() + dock.names["b"].text()
    assert not any("Ben" in dock.model.data(dock.model.index(i)) for i in range(3))
    press(desk, Qt.Key.Key_F4)
    assert ("CSP", (200, 90)) in standing(desk)
