"""Packs: reading, verifying, finding, and the engine that comes of them."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_models import write_pack, write_text, write_vision

from napari_fada.engines.host import HostedEngine
from napari_fada.engines.protocol import EngineInfo, Prompt
from napari_fada.engines.scripted import ScriptedEngine
from napari_fada.errors import ModelError
from napari_fada.models import (
    Pack,
    PackProblem,
    catalogue,
    digests,
    find_pack,
    iter_packs,
    list_packs,
    load_engine,
    loading,
    read_pack,
)


def echo_engine(*, text_gguf: Path, vision_gguf: Path, info: EngineInfo, **_: Any) -> Any:
    """Stand in for llama.cpp: answers with the names of the files it was given."""
    return ScriptedEngine({"free": f"{text_gguf.name}+{vision_gguf.name}"}, info=info)


@pytest.fixture
def no_llama_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec, version = importlib.util.find_spec, importlib.metadata.version
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: name == "llama_cpp" or find_spec(name)
    )
    monkeypatch.setattr(
        importlib.metadata,
        "version",
        lambda name: "0.3.99" if name == "llama-cpp-python" else version(name),
    )
    monkeypatch.setattr(loading, "FACTORY", "test_packs:echo_engine")


def test_round_trip(tmp_path: Path) -> None:
    folder = write_pack(
        tmp_path / "p", full="full", calibration=[2.5, -1.0], card="CARD.md", base_model="Qwen3.5"
    )
    pack = read_pack(folder)
    assert pack.to_dict() == json.loads((folder / "pack.json").read_text())
    assert (pack.image_size, pack.classes) == ((256, 192), ("Brain", "fetal_head"))
    assert pack.calibration == (2.5, -1.0)
    assert (pack.full_path, pack.card_path) == (None, None)
    (folder / "full").mkdir()
    (folder / "CARD.md").touch()
    assert (pack.full_path, pack.card_path) == (folder / "full", folder / "CARD.md")
    pack.verify()
    assert pack.summary()["size"] == sum(f.stat().st_size for f in folder.glob("*.gguf"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"schema": "fada-pack/9"}, "fada-pack/9"),
        ({"name": ""}, "'name'"),
        ({"name": "../up"}, "'name'"),
        ({"classes": [1]}, "'classes'"),
        ({"image_size": [0, 5]}, "'image_size'"),
        ({"image_size": "large"}, "'image_size'"),
        ({"calibration": [1.0]}, "'calibration'"),
        ({"calibration": [1.0, float("nan")]}, "'calibration'"),
        ({"files": {}}, "'files.text'"),
        ({"files": {"text": {"name": "/etc/passwd"}}}, "'name'"),
        ({"files": {"text": {"name": "a\\b"}}}, "'name'"),
        ({"card": ".."}, "'card'"),
    ],
)
def test_malformed_description(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ModelError, match=expected):
        read_pack(write_pack(tmp_path, **changes))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
FILE = st.fixed_dictionaries({}, optional=dict.fromkeys(("name", "sha256", "size"), JSON))
KEYS = ("name", "kind", "full", "prompt_set", "image_size", "classes", "calibration", "card")
DESCRIPTION = st.fixed_dictionaries(
    {"schema": st.just("fada-pack/1")},
    optional=dict.fromkeys(KEYS, JSON)
    | {"files": JSON | st.fixed_dictionaries({"text": JSON | FILE, "vision": JSON | FILE})},
)


@given(JSON | DESCRIPTION)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_json_is_a_pack_or_a_model_error(tmp_path: Path, data: Any) -> None:
    (tmp_path / "pack.json").write_text(json.dumps(data), encoding="utf-8")
    with contextlib.suppress(ModelError):
        assert read_pack(tmp_path).name


def test_missing_short_and_changed_files(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path / "p"))
    pack.verify()
    content = bytearray(pack.vision_path.read_bytes())
    pack.vision_path.write_bytes(content[:-9])
    with pytest.raises(ModelError, match=r"vision\.gguf.*instead of"):
        pack.verify()
    content[-1] ^= 1
    pack.vision_path.write_bytes(content)
    with pytest.raises(ModelError, match=r"vision\.gguf.*SHA-256"):
        pack.verify()
    pack.text_path.unlink()
    with pytest.raises(ModelError, match=r"text\.gguf is missing"):
        pack.verify()


def test_swapped_files(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "p")
    # pack.json has the roles the wrong way round: the files themselves say which is which
    data = json.loads((folder / "pack.json").read_text())
    files = data["files"]
    data["files"] = {"text": files["vision"], "vision": files["text"]}
    (folder / "pack.json").write_text(json.dumps(data), encoding="utf-8")
    pack = read_pack(folder)
    pack.verify()
    text, vision = pack.inspect()
    assert (text.path.name, vision.path.name) == ("text.gguf", "vision.gguf")
    # the files were renamed to each other: sizes differ, so that is said
    (folder / "text.gguf").rename(folder / "x")
    (folder / "vision.gguf").rename(folder / "text.gguf")
    (folder / "x").rename(folder / "vision.gguf")
    with pytest.raises(ModelError, match="instead of"):
        read_pack(folder).verify()
    for file in data["files"].values():
        file["size"] = 0
    (folder / "pack.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ModelError, match="under another name"):
        read_pack(folder).verify()


def test_digests_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    first = digests.sha256_of(path)
    with monkeypatch.context() as patch:
        patch.setattr(digests.hashlib, "sha256", None)  # reading it again would fail
        assert digests.sha256_of(path) == first
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert digests.sha256_of(path) != first
    digests._memory().write_text("[broken", encoding="utf-8")
    path.write_bytes(b"one")
    assert digests.sha256_of(path) == first
    monkeypatch.setattr(digests, "_memory", lambda: path / "impossible")
    assert digests.sha256_of(path) == first


def test_folders_in_order(tmp_path: Path, user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pack(user / "data" / "models" / "one", "one", version="user")
    write_pack(user / "data" / "models" / "two", "two")
    write_pack(tmp_path / "mine", "one", version="mine")
    broken = tmp_path / "many" / "broken"
    broken.mkdir(parents=True)
    (broken / "pack.json").write_text("{", encoding="utf-8")
    missing = tmp_path / "nowhere"
    value = os.pathsep.join(map(str, (tmp_path / "mine", tmp_path / "many", missing)))
    monkeypatch.setenv("NAPARI_FADA_MODELS", value)
    found = {pack.name: pack.version for pack in list_packs()}
    assert (found["one"], found["two"]) == ("mine", "1.0")
    problems = [item for item in iter_packs() if isinstance(item, PackProblem)]
    assert [problem.folder for problem in problems] == [broken]
    assert find_pack("one").version == "mine"
    with pytest.raises(ModelError, match="not valid JSON"):
        find_pack("broken")
    with pytest.raises(ModelError, match=r"no model 'three'.*one.*two"):
        find_pack("three")


def test_embedded_packs_are_whole() -> None:
    packs = catalogue.folders()[-1]
    for path in packs.glob("*/pack.json"):
        pack = read_pack(path.parent)
        assert pack.name == path.parent.name
        pack.verify()


def test_bare_files_and_folders(tmp_path: Path) -> None:
    text = write_text(tmp_path / "a" / "model.gguf")
    with pytest.raises(ModelError, match="text model alone"):
        find_pack(text)
    vision = write_vision(tmp_path / "b" / "projector.gguf")
    for pack in (find_pack(text, vision), find_pack(str(vision), str(text))):
        assert pack.text_path.samefile(text)
        assert pack.vision_path.samefile(vision)
        pack.verify()
    vision.rename(tmp_path / "a" / "projector.gguf")
    for given_path in (text, str(tmp_path / "a" / "projector.gguf"), tmp_path / "a"):
        pack = find_pack(given_path)
        assert (pack.name, pack.text.name, pack.vision.name) == (
            "model",
            "model.gguf",
            "projector.gguf",
        )
        assert (pack.prompt_set, pack.image_size, pack.classes) == ("napari-fada-1", None, ())
    write_text(tmp_path / "a" / "model-2.gguf")
    with pytest.raises(ModelError, match="several models"):
        find_pack(tmp_path / "a")
    with pytest.raises(ModelError, match="holds no model"):
        find_pack(tmp_path / "b")
    with pytest.raises(ModelError, match="no file"):
        find_pack(tmp_path / "b" / "none.gguf")
    with pytest.raises(ModelError, match="no model"):
        find_pack("~nobody-of-this-name/x")


@pytest.mark.usefixtures("no_llama_needed")
@pytest.mark.parametrize("hosted", [True, False])
def test_load_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hosted: bool) -> None:
    monkeypatch.setattr(loading, "llama_engine", echo_engine)
    folder = write_pack(tmp_path / "p")
    pack = read_pack(folder)
    engine = load_engine(folder, hosted=hosted, threads=1)
    try:
        assert isinstance(engine, HostedEngine) is hosted
        model = engine.info.model
        assert (model.pack, model.sha256) == ("tiny", pack.text.sha256)
        assert (model.engine, model.quantisation) == ("llama.cpp", "Q4_K_M")
        assert (model.prompt_set, model.prompt_hash) == ("napari-fada-1", "")
        assert model.versions["mmproj-sha256"] == pack.vision.sha256
        assert (engine.info.classes, engine.info.keypoints) == (pack.classes, pack.keypoints)
        *_, answer = engine.ask(np.zeros((8, 8), np.uint8), [Prompt("free", "?")])
        assert answer.text == "text.gguf+vision.gguf"
    finally:
        engine.close()


@pytest.mark.usefixtures("no_llama_needed")
def test_a_damaged_model_starts_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "HostedEngine", None)
    folder = write_pack(tmp_path / "p")
    (folder / "text.gguf").write_bytes(b"")
    with pytest.raises(ModelError, match=r"text\.gguf"):
        load_engine(folder)
    with pytest.raises(ModelError, match="'onnx'"):
        load_engine(write_pack(tmp_path / "q", kind="onnx"))


def test_without_llama_cpp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"napari-fada\[gguf\].*C\+\+ compiler"):
        load_engine(write_pack(tmp_path / "p"))


def test_pack_is_plain_data(tmp_path: Path) -> None:
    assert read_pack(write_pack(tmp_path)) == read_pack(tmp_path)
    assert isinstance(hash(read_pack(tmp_path)), int)
    assert isinstance(find_pack(tmp_path), Pack)
