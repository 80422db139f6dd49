"""Readings as JSON files, and pictures of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from napari_fada.errors import ExchangeError
from napari_fada.exchange.files import write_atomic
from napari_fada.exchange.overlay import NOTICE, draw_overlay, write_overlay
from napari_fada.exchange.reading_json import is_done, read_reading, write_reading
from napari_fada.records.annotation import Annotation
from napari_fada.records.reading import PhaseResult
from napari_fada.scans import open_scan
from napari_fada.vocabulary import vocabulary
from record_samples import box, make_reading, make_scan, polygon

SCAN = make_scan()


def test_a_reading_comes_back_as_it_was(tmp_path):
    path = tmp_path / "deep" / "a.fada.json"
    hole = dataclasses.replace(polygon(score=0.25), rings=(((1.5, 2), (3, 4), (5, 6.25)),))
    points = Annotation("CRL_KP", "keypoints", ((1, 2), (3, 4)), visibility=(2, 1))
    reading = make_reading(SCAN, hole, points, box())
    write_reading(path, reading)
    assert read_reading(path) == reading
    assert [p.name for p in path.parent.iterdir()] == ["a.fada.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": "fada-reading/9"}', "null"])
def test_a_damaged_reading_is_named(tmp_path, text):
    path = tmp_path / "a.fada.json"
    path.write_text(text)
    with pytest.raises(ExchangeError, match=r"a\.fada\.json"):
        read_reading(path)
    assert not is_done(path, scan_sha256="", model_sha256="", prompt_hash="")


def test_done_means_this_scan_this_model_these_prompts_and_no_failure(tmp_path):
    path = tmp_path / "a.fada.json"
    reading = make_reading(SCAN)
    made_from = {
        "scan_sha256": SCAN.sha256,
        "model_sha256": reading.model.sha256,
        "prompt_hash": reading.model.prompt_hash,
    }
    assert not is_done(path, **made_from)
    write_reading(path, reading)
    assert is_done(path, **made_from)
    for key in made_from:
        assert not is_done(path, **{**made_from, key: "other"})
    failed = {**reading.phases, "segment": PhaseResult("failed")}
    write_reading(path, dataclasses.replace(reading, phases=failed))
    assert not is_done(path, **made_from)


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_atomic(path, b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_fada.exchange.files.os.fsync", full)
    with pytest.raises(ExchangeError, match="No space left") as caught:
        write_atomic(path, b"new")
    assert "unchanged" in caught.value.kept
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_overlay_keeps_the_pixels_and_adds_outlines_names_and_the_notice():
    frame = SCAN.frame(0)
    picture = draw_overlay(frame, [box("CSP", 20, 30)], view="BPD_PLANE")
    height, width = frame.shape
    assert picture.shape[1:] == (width, 3)
    assert picture.shape[0] > height
    assert picture[height:].any()  # the notice
    colour = tuple(bytes.fromhex(vocabulary().by_name["CSP"].colour[1:]))
    drawn = (picture[:height] == colour).all(axis=2)
    assert drawn[59, 20:50].all()
    assert not drawn[70:, :].any()
    untouched = (picture[:height] == frame[..., None]).all(axis=2)
    assert untouched[65:, :].all()
    assert "Not a medical device" in NOTICE


def test_overlay_of_every_kind_and_of_odd_places():
    odd = [
        polygon("Brain", score=0.5),
        Annotation("CRL_KP", "keypoints", ((5, 5), (50, 50), (9, 9)), visibility=(2, 1, 0)),
        box("a class of someone else", -50, -50),
        box("CSP", 190, 95, 60),
        box("LV", 60, 60, status="rejected"),
    ]
    colour_frame = np.repeat(SCAN.frame(0)[..., None], 3, axis=2)
    picture = draw_overlay(colour_frame, odd)
    rejected = tuple(bytes.fromhex(vocabulary().by_name["LV"].colour[1:]))
    assert not (picture == rejected).all(axis=2).any()
    assert (draw_overlay(colour_frame, odd[:-1]) == picture).all()
    assert draw_overlay(np.zeros((20, 30), np.uint8), odd).shape[1] == 30


def test_overlay_of_a_real_scan(data_dir, tmp_path):
    scan = open_scan(sorted((data_dir / "hc18" / "images").glob("*.png"))[0])
    path = tmp_path / "a.overlay.png"
    write_overlay(path, scan.frame(0), make_reading(scan, polygon(x=200, y=150, score=0.93)))
    with Image.open(path) as picture:
        assert picture.size[0] == scan.width
        assert picture.mode == "RGB"
