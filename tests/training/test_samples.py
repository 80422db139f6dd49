"""Splits: nothing of an examination, or of a run of frames, is on both sides."""

from __future__ import annotations

import csv
from pathlib import Path

from napari_fada.training.samples import BLOCK, EVERY, GUARD, in_validation, psfhs_part, read_brain


def test_blocks_are_disjoint_with_a_guard_between() -> None:
    parts = [psfhs_part(i) for i in range(1000)]
    held = [i for i, p in enumerate(parts) if p == "validation"]
    learned = [i for i, p in enumerate(parts) if p == "train"]
    assert len(held) == 1000 // EVERY
    assert min(abs(a - b) for a in held for b in learned) == GUARD + 1
    assert all(len({psfhs_part(i) for i in range(b, b + BLOCK)} - {None}) == 1
               for b in range(0, 1000, BLOCK))  # fmt: skip


def test_examinations_are_on_one_side(data_dir: Path) -> None:
    with (data_dir / "hc18" / "measurements.csv").open(newline="") as f:
        names = [row["examination"] for row in csv.DictReader(f)]
    share = sum(in_validation("hc18/" + n) for n in names) / len(names)
    assert 0.15 < share < 0.25


def test_brain_images_of_a_patient_are_on_one_side(data_dir: Path) -> None:
    held = read_brain(data_dir, "validation")
    assert held
    for s in held:
        present = {x.name for x in s.structures}
        assert "Brain" in present
        assert not present & s.unknown
    assert not {s.name.split("_")[0] for s in held} & {
        s.name.split("_")[0] for s in read_brain(data_dir, "train")
    }
