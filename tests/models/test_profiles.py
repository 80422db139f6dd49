"""A family of models is recognised from its files, and a pack may say otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_models import write_text, write_vision

from napari_fada.engines.protocol import TASKS
from napari_fada.errors import ModelError
from napari_fada.models.gguf_files import read_gguf, sort_pair
from napari_fada.models.pack import pack_from_files, read_pack
from napari_fada.models.profiles import find_profile, profile_of, profiles, recognise
from napari_fada.pipeline.prompts import PromptSet


@pytest.mark.parametrize(
    ("projector", "architecture", "name", "found"),
    [
        ("qwen3vl_merger", "qwen35", "FADA", "qwen3.5"),
        ("qwen3vl_merger", "qwen3vl", "Qwen3 VL 4B", "qwen3-vl"),
        ("qwen2.5vl_merger", "qwen2vl", "Qwen2.5 VL", "qwen2.5-vl"),
        ("qwen2vl_merger", "qwen2vl", "Qwen2 VL", "qwen2-vl"),
        ("idefics3", "llama", "SmolVLM", "smolvlm"),
        ("resampler", "qwen2", "MiniCPM-V", "minicpm-v"),
        ("internvl", "qwen2", "InternVL3", "internvl"),
        ("gemma3", "gemma3", "Gemma 3", "gemma-3"),
        ("gemma4v", "gemma4", "Gemma 4", "gemma-4"),
        ("lfm2", "lfm2", "LFM2 VL 450M", "lfm2-vl"),
        ("lfm2", "lfm2", "LFM2.5 VL 450M", "lfm2.5-vl"),
        ("mlp", "phi2", "moondream2", "moondream"),
        ("mlp", "llama", "LLaVA 1.5", "other"),
        ("pixtral", "llama", "Pixtral", "other"),
    ],
)
def test_recognised(projector: str, architecture: str, name: str, found: str) -> None:
    assert recognise(projector, architecture, name).name == found


def test_every_profile_is_whole() -> None:
    for profile in profiles().values():
        assert {"interpret", "classify"} <= set(profile.tasks), profile.name
        assert set(profile.tasks) == set(TASKS) or profile.refusal.startswith("no "), profile.name
        assert profile.sources or profile.name == "other"
        prompts = PromptSet.load(profile.prompt_set)
        text = prompts.prompt("detect", ["Brain"], convention=profile.convention).text
        assert "Brain" in text
        assert "{" not in text


def test_the_wording_names_the_convention() -> None:
    prompts = PromptSet.load("napari-fada-general-1")
    said = {
        name: prompts.prompt("detect", ["Brain", "CSP"], convention=p.convention).text
        for name, p in profiles().items()
    }
    assert "bbox_2d [x_min, y_min, x_max, y_max] in absolute pixels" in said["qwen2.5-vl"]
    assert "bbox [x_min, y_min, x_max, y_max] as fractions" in said["lfm2.5-vl"]
    assert "box_2d [y_min, x_min, y_max, x_max] on a 0-1000 grid" in said["gemma-4"]
    assert said["paligemma"] == "detect Brain ; CSP"
    assert "Brain" not in prompts.prompt("classify").labels
    assert ", ".join(prompts.prompt("classify").labels) in prompts.prompt("classify").text


def pair(folder: Path, name: str = "tiny", **vision: object) -> tuple[Path, Path]:
    text = write_text(folder / f"{name}.gguf", architecture="qwen2vl", **{"general.name": name})
    return text, write_vision(folder / "mmproj.gguf", **vision)


def test_bare_files_of_another_family(tmp_path: Path) -> None:
    text, vision = pair(tmp_path, **{"clip.projector_type": "qwen2.5vl_merger"})
    pack = pack_from_files(text)
    assert (pack.profile, pack.prompt_set) == ("qwen2.5-vl", "napari-fada-general-1")
    found = profile_of(pack, *sort_pair(read_gguf(text), read_gguf(vision)))
    assert found.convention.name == "pixels"
    assert "segment" not in found.tasks
    assert found.picture.size(540, 800) == (532, 812)


def test_what_the_pack_says_counts(tmp_path: Path) -> None:
    text, vision = pair(tmp_path, **{"clip.projector_type": "qwen2.5vl_merger"})
    files = sort_pair(read_gguf(text), read_gguf(vision))
    pack = pack_from_files(text)
    taught = profile_of(replace(pack, classes=("Brain",), coordinates="0-1000"), *files)
    assert taught.tasks == TASKS
    assert taught.convention.name == "0-1000"
    other = profile_of(replace(pack, profile="lfm2.5-vl"), *files)
    assert (other.convention.name, other.convention.key) == ("0-1", "bbox")
    with pytest.raises(ModelError, match=r"no model profile 'llava'.*qwen3\.5"):
        profile_of(replace(pack, profile="llava"), *files)


def test_a_fada_model_is_asked_for_everything_whatever_its_family(tmp_path: Path) -> None:
    text, vision = pair(tmp_path, "FADA-next", **{"clip.projector_type": "qwen2vl_merger"})
    files = sort_pair(read_gguf(text), read_gguf(vision))
    assert profile_of(pack_from_files(text), *files).tasks == TASKS


def test_a_square_comes_from_the_file(tmp_path: Path) -> None:
    text, vision = pair(
        tmp_path, **{"clip.projector_type": "gemma3", "clip.vision.image_size": 896}
    )
    files = sort_pair(read_gguf(text), read_gguf(vision))
    found = profile_of(pack_from_files(text), *files)
    assert found.picture.size(540, 800) == (896, 896)
    assert "detect" not in found.tasks


def test_a_width_that_is_not_said_is_not_held_against_a_file(tmp_path: Path) -> None:
    text = write_text(tmp_path / "moondream2.gguf", architecture="phi2")
    vision = write_vision(tmp_path / "mmproj.gguf", 768, **{"clip.projector_type": "mlp"})
    assert pack_from_files(text, vision).profile == "moondream"


def test_the_pack_keeps_its_profile(tmp_path: Path) -> None:
    from small_models import write_pack

    write_pack(tmp_path / "p", profile="qwen3-vl", coordinates="pixels")
    pack = read_pack(tmp_path / "p")
    assert (pack.profile, pack.coordinates) == ("qwen3-vl", "pixels")
    assert find_profile(pack.profile).convention.name == "0-1000"
