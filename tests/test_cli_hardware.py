"""What the computer has and what models need of it, on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.test_batch import picture
from typer.testing import CliRunner

from napari_fada import models
from napari_fada.cli import app
from napari_fada.engines import hardware
from napari_fada.engines.graphics import Gpu, Graphics
from napari_fada.engines.hardware import Cores, Memory
from napari_fada.engines.scripted import ScriptedEngine
from napari_fada.models import fitting

runner = CliRunner()
GB = 1_000_000_000


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = Graphics(reason="llama.cpp was built without a backend for graphics cards")
    monkeypatch.setattr(hardware, "memory", lambda: Memory(8 * GB, 5_200_000_000))
    monkeypatch.setattr(hardware, "cores", lambda: Cores(4, 8, 8, 4))
    monkeypatch.setattr(hardware, "graphics", lambda: cards)


@pytest.mark.usefixtures("laptop")
def test_the_computer_and_every_model() -> None:
    done = runner.invoke(app, ["models", "hardware"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    for text in (
        "4 cores, 8 threads", "5.2 GB free of 8.0 GB", "none: llama.cpp was built without",
        "fada-mini", "MB, you have 5.2 GB free", "1 thread, one answer at a time",
    ):  # fmt: skip
        assert text in done.output
    lines = runner.invoke(app, ["models", "hardware", "--json"]).stdout.splitlines()
    computer, *found = [json.loads(line) for line in lines]
    assert computer["memory"]["available"] == 5_200_000_000
    (mini,) = [line for line in found if line["model"] == "fada-mini"]
    assert mini["fits"] is True
    assert sum(mini["parts"].values()) == mini["peak"]


@pytest.mark.usefixtures("laptop")
def test_a_model_that_does_not_fit_is_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "memory", lambda: Memory(GB, 90_000_000, limited=True))
    monkeypatch.setattr(
        hardware, "graphics", lambda: Graphics((Gpu("CUDA0", "A card", 6 * GB, 8 * GB),))
    )
    done = runner.invoke(app, ["models", "hardware", "fada-mini"], env={"COLUMNS": "200"})
    assert done.exit_code == 1
    assert "it does not fit" in done.output
    assert "the limit of its container" in done.output
    assert "A card (6.0 GB free of 8.0 GB)" in done.output
    named = runner.invoke(app, ["models", "hardware", "fada-mini", "--gpu-layers", "99"])
    assert named.exit_code == 0 or "graphics card" in named.output
    missing = runner.invoke(app, ["models", "hardware", "no-such-model"])
    assert missing.exit_code == 3


@pytest.mark.usefixtures("laptop")
def test_layers_for_a_missing_card_are_an_error() -> None:
    done = runner.invoke(app, ["models", "hardware", "fada-mini", "--gpu-layers", "4"])
    assert done.exit_code == 3
    assert "without a backend for graphics cards" in done.output


def test_run_hands_the_options_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "scans" / "a.png", 1)
    given: dict[str, Any] = {}

    def load(model: str, **options: Any) -> ScriptedEngine:
        given.update(options, model=model)
        return ScriptedEngine(lambda *_: "{}")

    monkeypatch.setattr(models, "load_engine", load)
    base = ["run", str(tmp_path / "scans"), "--out", str(tmp_path / "out")]
    options = ["--threads", "3", "--gpu-layers", "-1", "--context", "4096", "--image-tokens", "512"]
    runner.invoke(app, [*base, *options, "--no-check-memory"])
    wanted = {
        "model": "fada-mini", "threads": 3, "gpu_layers": -1, "n_ctx": 4096,
        "image_tokens": 512, "force": True,
    }  # fmt: skip
    assert given.items() >= wanted.items()
    for wrong in (["--context", "1"], ["--gpu-layers", "-2"], ["--image-tokens", "1"]):
        assert runner.invoke(app, [*base, *wrong]).exit_code == 2


def test_run_refuses_a_model_that_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llama_cpp")
    monkeypatch.setattr(fitting, "memory", lambda: Memory(GB, 50_000_000))
    picture(tmp_path / "scans" / "a.png", 1)
    base = ["run", str(tmp_path / "scans"), "--out", str(tmp_path / "out")]
    done = runner.invoke(app, base)
    assert done.exit_code == 3
    assert "you have 50 MB free" in done.output
    assert "Close other programs" in done.output
    assert not list((tmp_path / "out").glob("*.json"))
