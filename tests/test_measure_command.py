"""``napari-fada measure``: millimetres of many scans as a table, or reasons why not."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_fada.cli import app
from napari_fada.measuring import HEAD

runner = CliRunner()


def measure(*arguments: object, code: int = 0) -> str:
    done = runner.invoke(app, ["measure", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


@pytest.fixture
def heads(data_dir: Path, tmp_path: Path) -> Path:
    """Give a folder with images and masks of a few real heads."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        for path in sorted((data_dir / "hc18" / folder).glob("*.png"))[300:330:5]:
            (tmp_path / folder / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_expert_masks_have_the_published_circumference(heads: Path, data_dir: Path) -> None:
    table = data_dir / "hc18" / "measurements.csv"
    out = heads / "out" / "hc.csv"
    measure(
        *(heads / "images", "--masks", heads / "masks", "--class", "head"),
        *("--spacing", table, "--out", out),
    )
    found, known = rows_of(out), rows_of(table)
    assert len(found) == 6
    off = []
    for name, row in found.items():
        pixel = float(known[name]["pixel_size_mm"])
        assert float(row["spacing_x_mm"]) == pytest.approx(pixel)
        assert (row["spacing_origin"], row["reason"]) == ("csv", "")
        # The masks hold the drawn outline: 8.72 px more around the head.
        hc = float(row["hc_mm"]) - 8.72 * pixel
        off.append(abs(hc - float(known[name]["head_circumference_mm"])))
        assert float(row["cephalic_index"]) == pytest.approx(
            100 * float(row["bpd_mm"]) / float(row["ofd_mm"]), abs=0.01
        )
    assert np.mean(off) < 0.5


def test_without_a_scale_the_row_says_why(heads: Path) -> None:
    out = heads / "hc.csv"
    measure(heads / "images", "--masks", heads / "masks", "--class", "head", "--out", out)
    for row in rows_of(out).values():
        assert row["hc_mm"] == ""
        assert "scale" in row["reason"]
        assert float(row["cephalic_index"]) > 60


def test_the_table_may_lie_among_the_scans(heads: Path, data_dir: Path) -> None:
    images = heads / "images"
    out = images / "hc.csv"
    spacing = images / "spacing.csv"
    spacing.write_bytes((data_dir / "hc18" / "measurements.csv").read_bytes())
    names = {path.name for path in images.glob("*.png")}
    for _ in range(2):  # the second time the table of the first lies there
        measure(images, "--model", "fada-mini", "--spacing", spacing, "--out", out)
        assert set(rows_of(out)) == names
    assert {path.name for path in images.iterdir()} == names | {out.name, spacing.name}


def test_what_cannot_be_measured_is_a_row_with_a_reason(heads: Path) -> None:
    first, second, third, *_ = sorted((heads / "images").iterdir())
    (heads / "masks" / first.name).unlink()
    with Image.open(heads / "masks" / second.name) as mask:
        Image.new("L", mask.size).save(heads / "masks" / second.name)
    Image.new("L", (30, 30), 255).save(heads / "masks" / third.name)
    out = heads / "hc.csv"
    arguments = [heads / "images", "--masks", heads / "masks", "--class", "head", "--out", out]
    told = measure(*arguments, "--json", code=1)
    rows = rows_of(out)
    assert len(rows) == 6
    assert "no mask" in rows[first.name]["reason"]
    assert "empty" in rows[second.name]["reason"]
    assert "30 × 30" in rows[third.name]["reason"]
    end = json.loads(told.splitlines()[-1])
    assert (end["event"], end["failed"], end["cancelled"]) == ("finished", 2, False)
    assert "linical" in end["notice"]


def test_a_model_measures_heads_and_angles(heads: Path, data_dir: Path) -> None:
    out = heads / "hc.csv"
    table = data_dir / "hc18" / "measurements.csv"
    measure(heads / "images", "--model", "fada-mini", "--spacing", table, "--out", out)
    rows = rows_of(out)
    assert tuple(next(iter(rows.values()))) == HEAD
    known = rows_of(table)
    near = [
        abs(float(r["hc_mm"]) / float(known[n]["head_circumference_mm"]) - 1) < 0.2
        for n, r in rows.items()
        if r["hc_mm"]
    ]
    assert sum(near) >= 4
    labour = heads / "labour"
    labour.mkdir()
    for path in sorted((data_dir / "psfhs" / "images").glob("*.png"))[:2]:
        (labour / path.name).write_bytes(path.read_bytes())
    measure(labour, "--out", out)
    for row in rows_of(out).values():
        assert 20 < float(row["aop_deg"]) < 180  # an angle needs no scale


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["none", "--out", "o.csv"], 2, "no such file"),
        (["HERE", "--out", "o.csv", "--frames", "some"], 2, "frames"),
        (["HERE", "--out", "o.csv", "--spacing", "none.csv"], 3, "cannot be read"),
        (["HERE", "--out", "o.csv", "--masks", "none"], 3, "no folder"),
        (["HERE", "--out", "o.csv", "--masks", "HERE", "--class", "Head"], 3, "Did you mean head?"),
    ],
)
def test_what_cannot_be_done_is_told(
    tmp_path: Path, arguments: list[str], code: int, says: str
) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    places = {"HERE": str(tmp_path), "o.csv": str(tmp_path / "o.csv")}
    text = measure(*(places.get(a, a) for a in arguments), code=code)
    assert says in " ".join(text.replace("│", " ").split())
    assert not list(tmp_path.glob("o.csv*"))


def test_a_slipped_decimal_point_stands_in_the_table(heads: Path, data_dir: Path) -> None:
    published = rows_of(data_dir / "hc18" / "measurements.csv")
    table, out = heads / "sizes.csv", heads / "hc.csv"
    names = sorted(p.name for p in (heads / "images").iterdir())
    lines = [f"{n},{10 * float(published[n]['pixel_size_mm'])}" for n in names[:2]]
    lines += [f"{n},{published[n]['pixel_size_mm']}" for n in names[2:]]
    table.write_text("\n".join(["filename,pixel_size_mm", *lines]))
    said = measure(
        *(heads / "images", "--masks", heads / "masks", "--class", "head"),
        *("--spacing", table, "--out", out),
    )
    assert "2 of them with sizes that no fetus has" in said
    found = rows_of(out)
    for number, name in enumerate(names):
        reason = found[name]["reason"]
        assert ("no fetus has HC" in reason) == (number < 2), reason
        assert ("the whole image would be" in reason) == (number < 2), reason
