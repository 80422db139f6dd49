"""One set of layers goes through many scans; nothing of one is seen or changed in the next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import Bench, reading_of
from napari_fada.records.annotation import Annotation
from napari_fada.scans import Scan, open_scan
from napari_fada.workstation.desk import corrected

SIZES = ((540, 800), (540, 800), (300, 500))


@pytest.fixture
def scans(tmp_path: Path) -> list[Scan]:
    rng = np.random.default_rng(1)
    out = []
    for i, size in enumerate(SIZES):
        path = tmp_path / f"scan{i}.png"
        Image.fromarray(rng.integers(0, 99, size, np.uint8)).save(path)
        out.append(open_scan(path))
    return out


def structures(shift: float = 0) -> tuple[Annotation, ...]:
    corners = ((50.0 + shift, 60.0), (200.0, 60.0), (200.0, 180.0 + shift), (50.0, 180.0))
    return (
        Annotation("Brain", "polygon", corners, score=0.5),
        Annotation("CSP", "box", ((60.0, 70.0), (90.0 + shift, 100.0)), score=0.4),
    )


def propose(bench: Bench, scan: Scan, *records: Annotation) -> None:
    bench.session.project.add_scan(scan)
    shown, bench.session.scan = bench.session.scan, scan
    reading = reading_of(bench.session, *records)
    bench.session.scan = shown
    bench.session.project.save_reading(reading)


def test_the_layers_stay_and_show_the_next_scan(bench: Bench, scans: list[Scan]) -> None:
    for k, scan in enumerate(scans):
        propose(bench, scan, *structures(5.0 * k))
    assert bench.session.show_scan(scans[0])
    image, layers = bench.session.image, bench.session.layers
    assert layers is not None
    for scan, size in zip(scans[1:], SIZES[1:], strict=True):
        assert bench.session.show_scan(scan)
        assert bench.session.image is image
        assert bench.session.layers is layers
        assert image.name == Path(scan.name).stem
        assert np.array_equal(image.data, scan.frame(0))
        assert bench.layer("masks").data.shape == size
        assert [r.uid for r in bench.session.records[0]] == [a.uid for a in bench.kept()]
        assert len(bench.layer("polygons").data) == len(bench.layer("boxes").data) == 1
        inside = bench.layer("masks").data[100, 100]
        assert inside
        assert bench.layer("masks").data[0, 0] == 0


def test_a_scan_without_records_shows_none(bench: Bench, scans: list[Scan]) -> None:
    propose(bench, scans[0], *structures())
    bench.session.show_scan(scans[0])
    assert bench.layer("masks").data.any()
    bench.session.show_scan(scans[1])  # of the same size
    assert not bench.layer("masks").data.any()
    assert not bench.layer("polygons").data
    assert not bench.layer("boxes").data
    bench.session.show_scan(scans[0])
    bench.session.show_scan(scans[2])  # of another size
    assert not bench.layer("masks").data.any()


def test_an_edit_goes_to_the_scan_that_is_shown(bench: Bench, scans: list[Scan]) -> None:
    for scan in scans[:2]:
        propose(bench, scan, *structures())
    bench.session.show_scan(scans[0])
    bench.layer("polygons").selected_data = {0}
    bench.session.show_scan(scans[1])
    assert not bench.layer("polygons").selected_data
    data = [np.array(v) for v in bench.layer("polygons").data]
    data[0][0] += 9
    bench.layer("polygons").data = data
    assert "corrected" in {a.status for a in bench.kept()}
    first = bench.session.project.annotations(scans[0].sha256, 0)
    assert {a.status for a in first} == {"proposed"}


def test_undo_of_napari_cannot_bring_back_the_scan_before(bench: Bench, scans: list[Scan]) -> None:
    propose(bench, scans[0], *structures())
    bench.session.show_scan(scans[0])
    masks = bench.layer("masks")
    masks.paint((150, 150), 1)
    bench.session.show_scan(scans[1])
    masks.undo()
    assert not masks.data.any()


def test_what_is_being_typed_is_kept_before_the_scan_changes(
    bench: Bench, scans: list[Scan]
) -> None:
    bench.session.show_scan(scans[0])
    shown_then = []
    bench.session.scan_closing.connect(lambda: shown_then.append(bench.session.scan))
    bench.session.show_scan(scans[1])
    assert shown_then == [scans[0]]


def test_layers_of_the_user_stay(bench: Bench, scans: list[Scan]) -> None:
    mine = bench.session.image
    bench.session.show_scan(scans[0])
    bench.session.show_scan(scans[1])
    assert mine in bench.viewer.layers
    assert (
        sum(
            layer.metadata.get("napari_fada", {}).get("token") == "scan"
            for layer in bench.viewer.layers
        )
        == 1
    )


def test_a_deleted_layer_is_made_anew(bench: Bench, scans: list[Scan]) -> None:
    bench.session.show_scan(scans[0])
    bench.viewer.layers.remove(bench.layer("boxes"))
    assert bench.session.show_scan(scans[1])
    assert bench.session.layers is not None
    assert bench.session.layers.is_whole()
    assert bench.session.scan is scans[1]


def test_a_correction_after_turning_keeps_its_parent(bench: Bench, scans: list[Scan]) -> None:
    for scan in scans[:2]:
        propose(bench, scan, *structures())
    bench.session.show_scan(scans[0])
    bench.session.show_scan(scans[1])
    (before,) = [a for a in bench.kept() if a.kind == "box"]
    changed = corrected(before, "ann", points=((61.0, 70.0), (90.0, 100.0)))
    bench.session.project.edit(scans[1].sha256, 0, replace={before.uid: changed})
    assert bench.layer("boxes").data[0][0][1] == pytest.approx(60.5)
