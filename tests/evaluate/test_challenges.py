"""HC18 and FH-PS-AOP style scores, by hand and on real labels in the challenges' layout."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_fada.cli import app
from napari_fada.errors import ExchangeError
from napari_fada.evaluate.challenges import (
    OUTLINE_PX,
    Head,
    aop_of,
    hc18_figures,
    read_hc18,
    read_labour,
    score_head,
    score_labour,
)
from napari_fada.exchange.writers import Problem
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse
from napari_fada.records.geometry import rasterise

SIZE = (256, 256)


def outline(x, y, a, b, angle=0.0, name="head"):
    return Annotation(name, "polygon", Ellipse(x, y, a, b, angle).polygon(128))


def labels(symphysis=None, head=None):
    values = np.zeros(SIZE[::-1], np.uint16)
    for value, record in ((1, symphysis), (2, head)):
        if record is not None:
            values[rasterise(record, SIZE[::-1])] = value
    return values


def test_a_head_by_hand():
    wide = OUTLINE_PX / (2 * np.pi)
    # The truth's line is drawn around the published ellipse of 50 and 40.
    head = Head("001_HC", None, outline(120, 120, 50 + wide, 40 + wide), 0.5, 141.8085, SIZE)
    same = score_head(head, outline(120, 120, 50, 40))
    assert same.off_mm == pytest.approx(0, abs=5e-3)
    assert (same.dice, same.hausdorff_mm) == (pytest.approx(1), pytest.approx(0, abs=1e-3))
    moved = score_head(head, outline(124, 120, 50, 40))
    assert moved.off_mm == pytest.approx(0, abs=5e-3)
    assert moved.hausdorff_mm == pytest.approx(2, abs=0.02)  # four pixels of half a millimetre
    larger = score_head(head, outline(120, 120, 55, 44))
    assert larger.off_mm == pytest.approx(14.18085, abs=5e-3)
    none = score_head(head, None)
    assert (none.off_mm, none.dice, none.hausdorff_mm) == (None, 0, None)
    found = hc18_figures([same, larger, none], 0, 0)
    assert found["DF_mm"].value == pytest.approx(14.18085 / 2, abs=5e-3)
    assert found["found"].value == pytest.approx(2 / 3)
    assert found["DSC_percent"].n == 3


def test_labour_by_hand():
    one, two = outline(70, 70, 30, 10, 0.0), outline(80, 170, 60, 50, 0.0)
    truth = labels(one, two)
    same = score_labour("a", truth, truth)
    assert (same.dice, same.hausdorff, same.asd, same.aop_off) == (1, 0, 0, 0)
    assert same.score == pytest.approx(1)
    nothing = score_labour("a", truth, labels())
    assert (nothing.dice, nothing.hausdorff, nothing.asd) == (0, 100, 100)
    assert nothing.score == pytest.approx(0.5 * (1 - nothing.aop_truth / 180))
    # Without the head: symphysis right, head empty, both together far from it.
    half = score_labour("a", truth, labels(one))
    whole, part = (truth > 0).sum(), (truth == 1).sum()
    dice = (1 + 0 + (2 * part + 1) / (whole + part + 1)) / 3
    assert half.dice == pytest.approx(dice)
    assert half.aop_answer == 0


def test_the_angle_of_the_worked_example():
    # Symphysis (100, 80), axes 60 and 20; head (110, 170), axes 120 and 100: 116.57 degrees.
    found = aop_of(labels(outline(100, 80, 30, 10), outline(110, 170, 60, 50)))
    assert found == pytest.approx(116.57, abs=0.6)
    assert aop_of(labels()) == 0


@pytest.fixture
def hc18(data_dir, tmp_path):
    """Give a few heads in the challenge's layout, with outlines and a table."""
    root = tmp_path / "training_set"
    root.mkdir()
    with (data_dir / "hc18" / "measurements.csv").open() as file:
        known = {r["file"]: r for r in csv.DictReader(file)}
    rows = []
    for path in sorted((data_dir / "hc18" / "images").glob("*.png"))[400:404]:
        (root / path.name).write_bytes(path.read_bytes())
        with Image.open(data_dir / "hc18" / "masks" / path.name) as mask:
            mask.save(root / f"{path.stem}_Annotation.png")
        about = known[path.name]
        rows.append([path.name, about["pixel_size_mm"], about["head_circumference_mm"]])
    with (root / "training_set_pixel_size_and_HC.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["filename", "pixel size(mm)", "head circumference (mm)"])
        table.writerows(rows)
    return root


def test_expert_outlines_score_themselves(hc18):
    heads = [h for h in read_hc18(hc18) if not isinstance(h, Problem)]
    assert len(heads) == 4
    scores = [score_head(h, h.outline) for h in heads]
    # Outlines as they are shipped are larger than the published ellipse by the drawn line.
    off = [s.off_mm - OUTLINE_PX * h.spacing_mm for s, h in zip(scores, heads, strict=True)]
    assert np.abs(off).mean() < 0.5
    assert all(s.dice > 0.97 for s in scores)


def test_a_model_on_heads_and_what_is_missing(hc18, tmp_path):
    next(hc18.glob("*_Annotation.png")).unlink()
    arguments = ["benchmark", "hc18", str(hc18), "--out", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1, done.output
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["images"], len(found["problems"])) == (3, 1)
    assert found["figures"]["DSC_percent"]["value"] > 60
    assert found["figures"]["ADF_mm"]["n"] == 3
    assert "Not a medical device" in found["notice"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ExchangeError, match="No table"):
        list(read_hc18(tmp_path / "empty"))


def test_a_model_in_labour(data_dir, tmp_path):
    for folder, name in (("images", "image_png"), ("labels", "label_png")):
        (tmp_path / "data" / name).mkdir(parents=True)
        for path in sorted((data_dir / "psfhs" / folder).glob("*.png"))[:3]:
            (tmp_path / "data" / name / path.name).write_bytes(path.read_bytes())
    (tmp_path / "data" / "image_png" / "zz.png").write_bytes(b"")
    arguments = ["benchmark", "aop", str(tmp_path / "data"), "--out", str(tmp_path / "o"), "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1, done.output
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["images"], len(found["problems"])) == (3, 1)
    assert 0 < found["figures"]["score"]["value"] <= 1
    with pytest.raises(ExchangeError, match="no folders"):
        list(read_labour(tmp_path / "o"))
