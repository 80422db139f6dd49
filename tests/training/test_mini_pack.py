"""The shipped weights, through the engine, on images that training never saw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("llama_cpp")

from napari_fada.engines.protocol import Engine
from napari_fada.models import load_engine
from napari_fada.training.examine_pack import examine_pack
from napari_fada.training.recipe import HELD_SEED, phantom_samples
from napari_fada.training.samples import read_real

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    loaded = load_engine("fada-mini", hosted=False, threads=1)
    yield loaded
    loaded.close()


def test_answers_about_phantoms_are_valid(engine: Engine, tmp_path: Path) -> None:
    figures = examine_pack(engine, phantom_samples(1, HELD_SEED), tmp_path)
    assert all(f["valid"] == 1.0 for key, f in figures.items() if key != "seconds")


def test_heads_are_outlined_on_held_out_scans(engine: Engine, data_dir: Path) -> None:
    figures = examine_pack(engine, read_real(data_dir, "validation")[::5], data_dir)
    assert all(f["valid"] == 1.0 for key, f in figures.items() if key != "seconds")
    for source in ("hc18", "psfhs"):
        assert figures[f"{source}/classify"]["view"] >= 0.95
    assert figures["hc18/segment"]["Brain"] >= 0.85
    assert figures["psfhs/segment"]["fetal_head"] >= 0.85
    assert figures["psfhs/segment"]["pubic_symphysis"] >= 0.60
