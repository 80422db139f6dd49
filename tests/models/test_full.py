"""Models in full precision through ``load_engine``: found, checked, in a process of their own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import psutil
import pytest

import napari_fada as nf
from napari_fada.engines.host import HostedEngine
from napari_fada.engines.protocol import Completion, Prompt
from napari_fada.errors import EngineError, ModelError
from napari_fada.models import fitting_full
from napari_fada.models import full as room
from napari_fada.models.full import find_full
from napari_fada.models.pack import PackFile
from tiny_models import make_checkpoint

pytest.importorskip("torch")
pytest.importorskip("transformers")

FULL = Path(room.__file__).parent / "packs" / "fada-mini" / "full"
FRAME = np.random.default_rng(2).integers(0, 255, (80, 120), dtype=np.uint8)
VIEW = [Prompt("classify", "Name the view.", labels=("BPD_PLANE", "Abd_plane"))]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("tiny") / "little", "qwen3.5")


def answer(engine: nf.engines.protocol.Engine) -> Completion:
    (found,) = [e for e in engine.ask(FRAME, VIEW) if isinstance(e, Completion)]
    return found


def test_hosted_from_the_embedded_pack_survives_its_own_death(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reading, a process that is killed, and one that comes back by itself."""
    if not FULL.is_dir():
        pytest.skip("installed without the full-precision weights")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    from PIL import Image

    Image.fromarray(FRAME).save(tmp_path / "scan.png")
    scan = nf.open_scan(tmp_path / "scan.png")
    engine = nf.load_engine("fada-mini", precision="full", device="cpu")
    try:
        assert isinstance(engine, HostedEngine)
        reading = nf.read_frame(engine, scan, frame=0).to_dict()
        assert {p["state"] for p in reading["phases"].values()} <= {"done", "empty"}
        model = reading["model"]
        assert (model["pack"], model["engine"]) == ("fada-mini", "transformers")
        assert model["quantisation"] == "float32 on cpu"
        assert len(model["sha256"]) == 64
        assert {"torch", "transformers", "napari-fada"} <= set(model["versions"])
        before = answer(engine)
        child = psutil.Process(engine.pid)
        child.kill()
        child.wait(10)
        after = answer(engine)
        assert (after.text, after.seen) == (before.text, (192, 192))
        assert engine.pid != child.pid
    finally:
        engine.close()


def test_a_bare_folder_and_the_pack_around_it(tiny: Path) -> None:
    bare = find_full(tiny)
    assert bare is not None
    assert (bare.pack.name, bare.folder, bare.pack.image_size) == ("little", tiny, None)
    assert find_full("fada-mini") is None, "two GGUF files are what a name stands for"
    if FULL.is_dir():
        inside, named = find_full(FULL), find_full("fada-mini", precision="full")
        assert inside == named
        assert inside is not None
        assert inside.pack.image_size == (192, 192)


def test_a_folder_is_loaded_in_this_process_and_says_what_it_is(tiny: Path) -> None:
    engine = nf.load_engine(tiny, hosted=False, device="cpu", dtype="bfloat16", image_tokens=70)
    try:
        model = engine.info.model
        assert (model.pack, model.engine) == ("little", "transformers")
        assert model.quantisation == "bfloat16 on cpu"
        found = answer(engine)
        assert json.loads(found.text)["label"] in VIEW[0].labels
        assert found.seen is not None
        assert found.seen[0] * found.seen[1] <= 70 * 32 * 32
    finally:
        engine.close()


def test_an_adapter_finds_its_base_where_it_says(tiny: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    from transformers import Qwen3_5ForConditionalGeneration

    base = Qwen3_5ForConditionalGeneration.from_pretrained(tiny)
    made = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=["gate_proj"]))
    for name, weight in made.named_parameters():
        if ".lora_B." in name:
            weight.data.fill_(0.1)
    made.save_pretrained(tmp_path / "lora")
    engine = nf.load_engine(tmp_path / "lora", hosted=False, device="cpu")
    try:
        model = engine.info.model
        assert model.pack == "lora"
        assert model.versions["adapter"] == "lora"
        assert len(model.versions["adapter-sha256"]) == 64
        assert "peft" in model.versions
    finally:
        engine.close()
    plain, with_it = find_full(tiny), find_full(tiny, adapter=tmp_path / "lora")
    assert plain is not None
    assert with_it is not None
    assert room._digests(plain)["weights"] == room._digests(with_it)["weights"]

    config = tmp_path / "lora" / "adapter_config.json"
    data = json.loads(config.read_text()) | {"base_model_name_or_path": "Qwen/Qwen3.5-4B"}
    config.write_text(json.dumps(data))
    with pytest.raises(ModelError, match=r"adapter of Qwen/Qwen3\.5-4B, which is not here"):
        nf.load_engine(tmp_path / "lora")


def test_errors_come_before_anything_is_loaded(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(room, "HostedEngine", refuse)
    monkeypatch.setattr(room, "transformers_engine", refuse)
    with pytest.raises(ModelError, match="gpu_layers is for llama"):
        nf.load_engine(tiny, gpu_layers=3)
    with pytest.raises(ModelError, match="dtype is for models in full precision"):
        nf.load_engine("fada-mini", dtype="bfloat16")
    with pytest.raises(ModelError, match="no precision 'double'"):
        nf.load_engine(tiny, precision="double")
    folder = shutil.copytree(tiny, tmp_path / "broken")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="cut short"):
        nf.load_engine(folder)
    weights.unlink()
    with pytest.raises(ModelError, match="no weights"):
        nf.load_engine(folder)
    (folder / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match="could run code"):
        nf.load_engine(folder)
    monkeypatch.setattr(room.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"needs torch.*pip install .*napari-fada\[torch\]"):
        nf.load_engine(tiny)


def test_a_model_that_does_not_fit_is_refused(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_fada.engines.hardware import Memory

    monkeypatch.setattr(fitting_full, "memory", lambda: Memory(2_000_000_000, 300_000_000))
    with pytest.raises(ModelError, match=r"in float32 it needs \d+ MB, you have 300 MB free"):
        nf.load_engine(tiny, hosted=False, device="cpu")
    nf.load_engine(tiny, hosted=False, device="cpu", force=True).close()


def test_another_architecture_is_named(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "other", "qwen3-vl")
    with pytest.raises(EngineError, match=r"Qwen3VLForConditionalGeneration.*models convert"):
        nf.load_engine(folder, hosted=False)


def test_run_takes_a_folder_and_its_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line reaches the engine; it is kept in this process, which is faster."""
    from PIL import Image
    from typer.testing import CliRunner

    from napari_fada.cli import app

    original = nf.load_engine
    monkeypatch.setattr(
        "napari_fada.models.load_engine",
        lambda *args, **kwargs: original(*args, hosted=False, **kwargs),
    )
    Image.fromarray(FRAME).save(tmp_path / "scan.png")
    if not FULL.is_dir():
        pytest.skip("installed without the full-precision weights")
    arguments = ["run", str(tmp_path / "scan.png"), "--out", str(tmp_path / "out")]
    arguments += ["--precision", "full", "--device", "cpu", "--dtype", "bfloat16"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    reading = json.loads((tmp_path / "out" / "scan.fada.json").read_text())
    assert reading["model"]["quantisation"] == "bfloat16 on cpu"
    refused = CliRunner().invoke(app, [*arguments[:4], "--device", "cpu"])
    assert refused.exit_code == 3
    assert "device is for models in full precision" in refused.output


def test_a_pack_of_the_kind_transformers(tiny: Path, tmp_path: Path) -> None:
    """Its files are checked, and what it says of itself reaches the engine."""
    folder = shutil.copytree(tiny, tmp_path / "packed")
    roles = {"config": "config.json", "weights": "model.safetensors", "tokenizer": "tokenizer.json"}
    pack = {
        "schema": "fada-pack/1",
        "name": "packed",
        "kind": "transformers",
        "version": "3",
        "files": {role: [PackFile.of(folder / name).to_dict()] for role, name in roles.items()},
        "image_size": [128, 96],
        "classes": ["Brain"],
    }
    (folder / "pack.json").write_text(json.dumps(pack))
    engine = nf.load_engine(folder, hosted=False, device="cpu")
    try:
        assert engine.info.classes == ("Brain",)
        assert engine.info.model.pack == "packed"
        assert engine.info.model.versions["pack"] == "3"
        assert answer(engine).seen == (128, 96)
    finally:
        engine.close()
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(ModelError, match=r"model\.safetensors .* is not the file it should be"):
        nf.load_engine(folder, hosted=False, device="cpu")
