"""``napari-fada models …`` as a user types it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from typer.testing import CliRunner

from napari_fada.cli import app
from napari_fada.models import find_pack

runner = CliRunner()


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Nothing of the real user is seen, and no socket is opened."""
    for name in ("data", "cache", "config"):
        monkeypatch.setattr(
            platformdirs, f"user_{name}_path", lambda *_, n=name, **__: tmp_path / "user" / n
        )
    monkeypatch.delenv("NAPARI_FADA_MODELS", raising=False)

    def no_network(*_: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    return tmp_path / "user"


def models(*arguments: str, code: int = 0, typed: str | None = None) -> str:
    done = runner.invoke(app, ["models", *arguments], input=typed)
    assert done.exit_code == code, done.output
    return done.output


def rows(*arguments: str, code: int = 0) -> list[dict[str, Any]]:
    done = runner.invoke(app, ["models", *arguments, "--json"])
    assert done.exit_code == code, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_from_a_stick_to_a_pinned_model_and_away_again(tmp_path: Path) -> None:
    mini = find_pack("fada-mini")
    stick = tmp_path / "stick"
    stick.mkdir()
    for path in (mini.text_path, mini.vision_path):
        (stick / path.name).write_bytes(path.read_bytes())
    (done,) = rows("import", str(stick), "--name", "mine", "--licence", "CC0")
    assert (done["event"], done["name"]) == ("imported", "mine")
    found = {row["name"]: row for row in rows("list")}
    assert found["mine"]["state"] == "present"
    assert found["mine"]["licence"] == "CC0"
    assert "needs" in models("info", "mine")
    assert rows("info", "mine")[0]["pack"]["files"]["text"]["sha256"] == mini.text.sha256
    assert "pinned to" in models("pin", "mine")
    assert {row["name"]: row for row in rows("list")}["mine"]["pinned"]
    models("unpin", "mine")
    assert "Nothing was removed" in models("remove", "mine", typed="n\n", code=1)
    models("remove", "mine", "--yes")
    assert [row["name"] for row in rows("list")] == ["fada-mini"]
    assert len(list(stick.iterdir())) == 2
    assert "comes with the program" in models("remove", "fada-mini", "--yes", code=3)
    assert "There is no model 'mine'" in models("info", "mine", code=3)


def test_verify_ends_with_one_when_a_byte_has_changed() -> None:
    mini = find_pack("fada-mini")
    rows("import", str(mini.text_path), "--name", "mine")
    assert rows("verify", "mine")[0]["sound"]
    path = find_pack("mine").vision_path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (row,) = rows("verify", "mine", code=1)
    assert not row["sound"]
    assert path.name in row["problem"]
    assert "every byte is as it should be" in models("verify", code=1)  # the embedded one is


def test_folders(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    models("folders", "add", str(tmp_path / "shared"))
    (tmp_path / "shared").rmdir()
    assert "(not there now)" in models("folders")
    models("folders", "remove", str(tmp_path / "shared"))
    assert str(tmp_path / "shared") not in models("folders").replace("\n", "")
    assert "is no folder" in models("folders", "add", str(tmp_path / "none"), code=3)


def test_prompts(tmp_path: Path) -> None:
    names = {row["name"]: row["models"] for row in rows("prompts", "list")}
    assert names["napari-fada-1"] == ["fada-mini"]
    assert "[interpret]" in models("prompts", "show", "napari-fada-1")
    rows("import", str(find_pack("fada-mini").text_path), "--name", "mine")
    models("prompts", "use", "napari-fada-general-1", "mine")
    assert find_pack("mine").prompt_set == "napari-fada-general-1"
    (tmp_path / "constants.py").write_text("x = 1")
    text = models("prompts", "import", *[str(tmp_path / "constants.py")] * 2, code=3)
    assert "is not the file that is known" in " ".join(text.split())


def test_the_doctor_asks_the_embedded_model() -> None:
    found = {(row["about"], row["name"]): row for row in rows("doctor")}
    assert found["engine", "llama.cpp"]["mark"] == "ok"
    assert found["library", "llama-cpp-python"]["mark"] == "ok"
    assert found["model", "fada-mini"]["mark"] == "ok"
    assert found["models", "all"]["mark"] == "ok"
