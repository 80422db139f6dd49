"""What a model in full precision takes, from its configuration and the headers of its weights."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fada.engines.hardware import Memory
from napari_fada.errors import ModelError
from napari_fada.models import find_pack
from napari_fada.models.fitting import Options, check_fits, estimate
from napari_fada.models.fitting_full import check_full, checkpoint_of
from napari_fada.models.needs_torch import Checkpoint, needs_full
from napari_fada.models.pack import PackFile

GB = 1_000_000_000
FULL = find_pack("fada-mini").folder / "full"
#: The published dimensions of Qwen3.5 0.8B.
LARGE = Checkpoint(
    parameters=852_985_920,
    stored=1_705_971_840,
    dtype="bfloat16",
    text={
        "hidden_size": 1024, "intermediate_size": 3584, "num_hidden_layers": 24,
        "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 256,
        "linear_num_key_heads": 16, "linear_num_value_heads": 16, "linear_key_head_dim": 128,
        "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4, "vocab_size": 248_320,
        "layer_types": (["linear_attention"] * 3 + ["full_attention"]) * 6,
    },
    vision={"hidden_size": 768, "intermediate_size": 3072, "spatial_merge_size": 2},
)  # fmt: skip


def write(folder: Path, config: Any, weights: dict[str, Any] | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if isinstance(weights, dict):
        header = json.dumps(weights).encode()
        weights = struct.pack("<Q", len(header)) + header
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def total(dtype: str = "", **changes: Any) -> int:
    settings = {"image_tokens": 425, "together": False, "frames": 1} | changes
    found = needs_full(LARGE, dtype=dtype, **settings)
    parts = ("program", "weights", "image", "memory", "work", "saved")
    return sum(getattr(found, part) for part in parts)


def test_the_embedded_model_is_read() -> None:
    model = Checkpoint.of(FULL)
    assert model.parameters == pytest.approx(4_735_500, rel=1e-3)
    assert model.stored == 2 * model.parameters
    assert model.dtype == "float16"
    pack = replace(find_pack("fada-mini"), kind="transformers", folder=FULL)
    found = estimate(pack, Options(threads=1))
    assert found.options.dtype == "float32"  # what is computed in on a processor
    assert found.options.image_tokens == 36
    assert 400_000_000 < found.needed < 600_000_000  # torch itself, mostly
    with pytest.raises(ModelError, match="does not fit into memory"):
        check_fits(pack, free=Memory(GB, 100_000_000))
    assert check_fits(pack, free=Memory(GB, 100_000_000), force=True).needed == found.needed


def test_the_files_of_a_pack_count_with_its_adapter(tmp_path: Path) -> None:
    weights = {"w": {"dtype": "F16", "shape": [1000, 1000], "data_offsets": [0, 2_000_000]}}
    write(tmp_path, {"hidden_size": 64}, weights)
    write(tmp_path / "lora", {}, weights)
    plain = replace(find_pack("fada-mini"), kind="transformers", folder=tmp_path)
    assert checkpoint_of(plain).parameters == 1_000_000
    with_it = replace(plain, adapter="lora")
    assert checkpoint_of(with_it).parameters == 2_000_000
    names = ("config.json", "model.safetensors", "lora/model.safetensors")
    listed = replace(plain, parts=tuple(PackFile(name) for name in names))
    assert checkpoint_of(listed).parameters == 2_000_000
    (tmp_path / "model.safetensors").rename(tmp_path / "model.bin")
    assert checkpoint_of(plain).parameters > 0  # by its size: it is not opened


def test_what_would_help_is_said() -> None:
    with pytest.raises(ModelError) as caught:
        check_full("large", LARGE, free=Memory(8 * GB, 4 * GB))
    todo = caught.value.todo
    assert "choose bfloat16, which needs 3." in todo
    assert "smaller images (256 tokens)" in todo
    assert "quantised pack" in todo
    assert check_full("large", LARGE, Options(dtype="bfloat16"), free=Memory(8 * GB, 4 * GB))


@pytest.mark.parametrize(
    ("changes", "measured"),
    [
        ({"image_tokens": 425, "together": True, "frames": 2}, 2_584_000_000),
        ({"image_tokens": 2040}, 2_774_000_000),
    ],
)
def test_the_formula_gives_what_was_measured(changes: Any, measured: int) -> None:
    # peak RSS of the 0.8B-sized model in bfloat16 on a processor (docs/engine.md)
    assert 0.9 <= total(**changes) / measured <= 1.15


def test_precision_images_and_answers_side_by_side_count() -> None:
    assert total("float32") - total() >= 2 * LARGE.parameters
    copied = needs_full(LARGE, dtype="float32", image_tokens=425, together=False, frames=1)
    assert copied.reclaimable == LARGE.stored  # the pages of the file that was converted
    assert total(image_tokens=2048) > total() + 200_000_000
    assert total(together=True) > total()
    with pytest.raises(ModelError, match="no precision 'int3'"):
        total("int3")


def test_a_model_without_layer_types_has_attention_everywhere(tmp_path: Path) -> None:
    weights = {"w": {"dtype": "BF16", "shape": [1000, 1000], "data_offsets": [0, 2_000_000]}}
    config = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 3}
    model = Checkpoint.of(write(tmp_path, config, weights))
    assert (model.parameters, model.dtype) == (1_000_000, "float16")
    found = needs_full(model, dtype="", image_tokens=100, together=False, frames=1)
    assert found.memory == 2 * found.cells * 3 * 2 * 64 * 2


@pytest.mark.parametrize(
    ("config", "weights", "match"),
    [
        ([], {}, "no configuration"),
        ({}, {}, "holds no weights"),
        ({}, b"", "damaged or no safetensors"),
        ({}, struct.pack("<Q", 1 << 60), "damaged or no safetensors"),
        ({}, struct.pack("<Q", 4) + b"null", "damaged or no safetensors"),
        ({}, {"w": {"dtype": "F32"}}, "damaged or no safetensors"),
    ],
)
def test_what_is_damaged_is_named(tmp_path: Path, config: Any, weights: Any, match: str) -> None:
    with pytest.raises(ModelError, match=match):
        Checkpoint.of(write(tmp_path, config, weights))


def test_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        Checkpoint.of(tmp_path)


@given(st.binary(max_size=200))
def test_no_bytes_are_a_crash(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = write(tmp_path_factory.mktemp("any"), {}, data)
    with pytest.raises(ModelError):
        Checkpoint.of(folder)
