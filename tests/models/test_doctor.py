"""The doctor: says what works, and never falls ill itself."""

from __future__ import annotations

import importlib.util
import subprocess
from typing import Any

import pytest
from small_models import write_pack

from napari_fada.models import doctor
from napari_fada.models.catalogue import user_folder
from napari_fada.models.doctor import Finding, examine


def report(monkeypatch: pytest.MonkeyPatch, *missing: str) -> dict[tuple[str, str], Finding]:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in missing else find_spec(name)
    )
    # Whether all of them can be imported is asked once, by the test of the command.
    monkeypatch.setattr(
        doctor.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, "", "")
    )
    return {(f.about, f.name): f for f in examine()}


def test_without_any_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    found = report(monkeypatch, "llama_cpp", "torch")
    assert found["library", "llama-cpp-python"].mark == "note"
    assert 'pip install "napari-fada[gguf]"' in found["library", "llama-cpp-python"].todo
    assert found["engine", "llama.cpp"].mark == "note"
    assert "llama_cpp" in found["engine", "llama.cpp"].text
    assert found["model", "fada-mini"].mark == "bad"
    assert found["models", "all"].mark == "bad"


def test_models_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_ask", lambda _options: '"head"')
    write_pack(user_folder() / "lost", "lost")
    (user_folder() / "lost" / "text.gguf").unlink()
    found = report(monkeypatch, "pydicom")
    assert found["model", "lost"].mark == "bad"
    assert "text.gguf is missing" in found["model", "lost"].text
    assert found["library", "pydicom"].mark == "note"
    assert found["engine", "llama.cpp"].text.endswith('"head"')
    assert list(found)[-1] == ("models", "all")
    assert found["models", "all"].mark == "ok"


def test_an_engine_that_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_options: dict[str, Any]) -> str:
        raise ImportError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr(doctor, "_ask", broken)
    found = report(monkeypatch)
    assert found["engine", "llama.cpp"].mark == "bad"
    assert "libgomp" in found["engine", "llama.cpp"].text
    assert found["models", "all"].mark == "bad"


def test_a_library_that_cannot_be_imported(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_thing.py").write_text("raise RuntimeError('no driver')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    library = doctor._Library("broken_thing", "broken-thing", "draws", "install it")
    found = doctor._import(library)
    assert found.mark == "bad"
    assert "no driver" in found.text
    (tmp_path / "deadly_thing.py").write_text("import os; os.abort()")
    found = doctor._import(doctor._Library("deadly_thing", "deadly-thing", "draws", "install it"))
    assert found.mark == "bad"
