"""``napari-fada models convert`` from a folder to packs that are compared with the original."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from napari_fada.cli import app
from napari_fada.models import find_pack
from napari_fada.models.convert import tools
from tiny_models import make_adapter

pytest.importorskip("llama_cpp")


@pytest.fixture(autouse=True)
def _converter(converter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tools.VARIABLE, str(converter))


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["models", *map(str, arguments)])
    return result.exit_code, result.output


def test_one_type_is_one_pack(tiny_model: Callable[[str], Path], tmp_path: Path) -> None:
    out = tmp_path / "pack"
    source = tiny_model("qwen3.5") / "full"
    code, said = call(
        "convert", source, "--out", out, "--type", "Q8_0", "--name", "tiny fada", "--json"
    )
    assert code == 0, said
    events = [json.loads(text) for text in said.splitlines() if text.startswith("{")]
    assert [e["title"] for e in events if e["event"] == "step"] == [
        "Writing the image part (f16)",
        "Writing the text model (f16)",
        "Quantising the text model (q8_0)",
    ]
    assert {"pack.json", "CARD.md", "tiny-fada-q8_0.gguf", "mmproj-tiny-fada-f16.gguf"} == {
        path.name for path in out.iterdir()
    }
    assert json.loads((out / "pack.json").read_text())["name"] == "tiny-fada"
    code, said = call("convert", source, "--out", out)
    assert code == 3
    assert "is there already" in said


def test_the_answers_are_compared(tmp_path: Path, data_dir: Path) -> None:
    """A merged adapter hardly changes fada-mini: the packs must say what the original says."""
    out = tmp_path / "packs"
    scan = data_dir / "hc18" / "images" / "443_HC.png"
    source = find_pack("fada-mini").full_path
    assert source is not None
    adapter = make_adapter(source, tmp_path / "adapter", strength=1e-4)
    code, said = call(
        *("convert", source, "--adapter", adapter, "--out", out, "--name", "fada"),
        *("--type", "q8_0", "--type", "f16", "--check", scan),
    )
    assert code == 0, said
    assert "fada-q8_0, 443_HC.png: view same on" in said.replace("\n", " ")
    assert {path.name for path in out.iterdir()} == {"fada-q8_0", "fada-f16"}
    card = (out / "fada-q8_0" / "CARD.md").read_text()
    assert "Compared with fada in full precision on 1 scan: view same on 1 of 1" in card
    apart = re.search(r"boxes ([\d.]+)/1000 apart", (out / "fada-f16" / "CARD.md").read_text())
    assert apart is not None
    assert float(apart[1]) < 3
    assert {path.name for path in tmp_path.iterdir()} == {"adapter", "packs"}


def test_what_cannot_be_done_is_said_with_what_to_do(tmp_path: Path) -> None:
    code, said = call("convert", tmp_path, "--out", tmp_path / "pack")
    assert code == 3
    assert "config.json is missing" in said
    assert "Give the folder with config.json" in said
    code, said = call("convert", tmp_path, "--out", tmp_path / "p", "--check", tmp_path / "no.png")
    assert code == 2
    assert "no such file" in said


def test_get_converter_leaves_what_is_there_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tools" / "converter"
    folder.mkdir(parents=True)
    (folder / "mine").write_text("")
    monkeypatch.setattr(tools, "tools_folder", lambda: folder)
    monkeypatch.setattr(tools, "PACKAGES", ("no-such-package-anywhere==0",))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    code, said = call("get-converter")
    assert code == 3
    assert "could not be fetched" in said
    assert "Nothing was changed" in said
    assert [path.name for path in folder.parent.iterdir()] == ["converter"]
    assert (folder / "mine").exists()
