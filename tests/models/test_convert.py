"""From a transformers folder to packs: the real converter and quantiser, on a tiny model."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_fada.errors import ModelError
from napari_fada.models import load_engine, read_pack
from napari_fada.models.convert import (
    Cancelled,
    Conversion,
    Event,
    Note,
    Packed,
    Progress,
    Step,
    convert,
    find_converter,
)
from napari_fada.models.convert.splitters import splitter
from napari_fada.models.convert.tools import VARIABLE
from napari_fada.models.gguf_files import read_gguf
from tiny_models import make_adapter, make_checkpoint

TinyModel = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _converter(converter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(converter))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the transformers folder of a tiny Qwen3.5 model."""
    return make_checkpoint(tmp_path_factory.mktemp("source") / "tiny-fada", "qwen3.5")


@pytest.fixture
def source(full: Path, tmp_path: Path) -> Path:
    """Give a copy of it that a test may damage."""
    return Path(shutil.copytree(full, tmp_path / "source" / "tiny-fada"))


def of_kind(events: list[Event], kind: type) -> list[Event]:
    return [e for e in events if isinstance(e, kind)]


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("."))


def test_several_types_with_an_adapter(full: Path, tmp_path: Path) -> None:
    """A LoRA adapter is merged; each type is a pack; the answers come from merged weights."""
    adapter = make_adapter(full, tmp_path / "my adapter")
    job = Conversion(full, tmp_path / "packs", types=("q4_k_m", "f16", "q8_0"), adapter=adapter)
    events = list(convert(job))
    packs = [e.pack for e in events if isinstance(e, Packed)]
    assert [p.name for p in packs] == [f"my-adapter-{t}" for t in ("q4_k_m", "f16", "q8_0")]
    found = {read_gguf(p.text_path).quantisation for p in packs}
    assert found == {"Q4_K_M", "F16", "Q8_0"}
    sizes = {p.name: p.text.size for p in packs}
    assert sizes["my-adapter-q4_k_m"] < sizes["my-adapter-f16"]
    for pack in packs:
        pack.verify()
        assert read_pack(pack.folder).text.sha256 == pack.text.sha256
        card = (pack.folder / "CARD.md").read_text()
        assert "adapter merged: my adapter" in card
    notes = " ".join(e.text for e in of_kind(events, Note))  # type: ignore[attr-defined]
    assert "GB of memory" in notes
    assert "does not know this vocabulary" in notes
    assert "made from 'someone/another-model'" in notes
    assert len(of_kind(events, Step)) == 5
    assert any(0 < e.done <= 1 for e in of_kind(events, Progress))  # type: ignore[attr-defined]
    assert leftovers(tmp_path) == []
    assert changed(packs[1].text_path, full)
    engine = load_engine(packs[0].folder, hosted=False, threads=1)
    engine.close()


def changed(path: Path, full: Path) -> bool:
    """Whether a layer that the adapter is for is another one than in the base model."""
    from gguf import GGUFReader
    from safetensors.numpy import load_file

    (after,) = [t for t in GGUFReader(path).tensors if t.name == "blk.0.ffn_up.weight"]
    before = load_file(full / "model.safetensors")
    (name,) = [n for n in before if n.endswith("layers.0.mlp.up_proj.weight")]
    assert before[name].shape == after.data.shape
    return bool((before[name] != after.data).any())


def test_an_adapter_of_another_model(full: Path, tmp_path: Path) -> None:
    adapter = make_adapter(full, tmp_path / "adapter")
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["target_modules"] = ["gate_proj"]
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    job = Conversion(full, tmp_path / "pack", adapter=adapter)
    with pytest.raises(ModelError, match="does not fit the base model"):
        list(convert(job))
    assert not job.out.exists()
    assert leftovers(tmp_path) == []


def test_cancelled_in_the_middle(full: Path, tmp_path: Path) -> None:
    cancel = threading.Event()
    job = Conversion(full, tmp_path / "pack")
    events = convert(job, cancel=cancel)
    assert next(events) == Step("Writing the image part (f16)")
    cancel.set()
    with pytest.raises(Cancelled, match="Nothing was written"):
        list(events)
    assert list(tmp_path.iterdir()) == []


def test_closed_in_the_middle(full: Path, tmp_path: Path) -> None:
    events = convert(Conversion(full, tmp_path / "pack"))
    next(events)
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json is missing"),
        (lambda f: (f / "model.safetensors").unlink(), "holds no weights"),
        (
            lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
            "pickled; reading them could run code",
        ),
        (lambda f: cut(f / "model.safetensors"), "no whole safetensors file"),
        (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer"),
        (lambda f: (f / "preprocessor_config.json").unlink(), "how images are processed"),
        (lambda f: change(f, "vision_config", None), "takes no images"),
        (lambda f: (f / "config.json").rename(f / "adapter_config.json"), "is a LoRA adapter"),
        (
            lambda f: (f / "model.safetensors.index.json").write_text(
                '{"weight_map": {"a": "model-00002.safetensors"}}'
            ),
            "model-00002.safetensors is missing",
        ),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(
    source: Path, tmp_path: Path, harm: Callable[[Path], None], complaint: str
) -> None:
    harm(source)
    with pytest.raises(ModelError, match=complaint):
        list(convert(Conversion(source, tmp_path / "pack")))
    assert not (tmp_path / "pack").exists()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def change(folder: Path, key: str, value: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    config.pop(key) if value is None else config.update({key: value})
    (folder / "config.json").write_text(json.dumps(config))


def test_a_model_that_the_converter_does_not_know(source: Path, tmp_path: Path) -> None:
    change(source, "architectures", ["UnheardOfForConditionalGeneration"])
    with pytest.raises(ModelError, match=r"UnheardOf.*not supported"):
        list(convert(Conversion(source, tmp_path / "pack")))
    assert leftovers(tmp_path) == []


def test_a_tokenizer_whose_splitter_is_not_recognised(source: Path, tmp_path: Path) -> None:
    data = json.loads((source / "tokenizer.json").read_text())
    data["pre_tokenizer"]["pretokenizers"][0]["pattern"] = {"Regex": r"\w+|\W+"}
    (source / "tokenizer.json").write_text(json.dumps(data))
    assert splitter(source) == ""
    with pytest.raises(ModelError, match="pre-tokenizer was not recognized"):
        list(convert(Conversion(source, tmp_path / "pack")))


def test_nothing_is_overwritten(full: Path, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "mine.txt").write_text("mine")
    with pytest.raises(ModelError, match=r"is there already.*not touched"):
        list(convert(Conversion(full, tmp_path / "pack")))
    assert (tmp_path / "pack" / "mine.txt").read_text() == "mine"


def test_a_full_disk_is_told_before_anything_is_written(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ModelError, match=r"needs 0\.1 GB on the disk"):
        list(convert(Conversion(full, tmp_path / "pack")))


def test_too_little_memory_to_merge(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_fada.engines.hardware import Memory
    from napari_fada.models.convert import merge

    adapter = make_adapter(full, tmp_path / "adapter")
    monkeypatch.setattr(merge, "memory", lambda: Memory(10**9, 10**8))
    with pytest.raises(ModelError, match=r"about 0\.8 GB of memory, 0\.1 GB are free.*--force"):
        list(convert(Conversion(full, tmp_path / "pack", adapter=adapter)))


def test_types_that_there_are_not(full: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"q3.*Use: f16"):
        Conversion(full, tmp_path, types=("q3",))
    with pytest.raises(ModelError, match="q4_k_m"):
        Conversion(full, tmp_path, vision_type="q4_k_m")


def test_where_the_converter_is_looked_for(
    tmp_path: Path, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match=r"does not hold convert_hf_to_gguf\.py"):
        find_converter(tmp_path)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(ModelError, match=r"get-converter.*network.*--converter"):
        find_converter()
    fetched = user / "data" / "tools" / "converter"
    (fetched / "conversion").mkdir(parents=True)
    (fetched / "convert_hf_to_gguf.py").write_text("")
    assert find_converter() == fetched
    (fetched / "conversion").rmdir()
    with pytest.raises(ModelError, match="too old"):
        find_converter()


def test_known_splitters(tmp_path: Path) -> None:
    from napari_fada.training.tokenizer import save_tokenizer

    save_tokenizer(tmp_path, 192)
    assert splitter(tmp_path) == "llama-bpe"
    assert splitter(tmp_path / "nowhere") == ""
    smol = {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Digits", "individual_digits": True},
            {"type": "ByteLevel", "use_regex": True},
        ],
    }
    for stage, name in ((smol, "smollm"), ({"type": "ByteLevel"}, "gpt-2"), (None, "")):
        (tmp_path / "tokenizer.json").write_text(json.dumps({"pre_tokenizer": stage}))
        assert splitter(tmp_path) == name
