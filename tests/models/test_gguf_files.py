"""Every wrong file gets an error that names it and says what was expected."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_models import write_gguf, write_text, write_vision

from napari_fada.errors import ModelError
from napari_fada.models.catalogue import find_pack
from napari_fada.models.gguf_files import find_partner, read_gguf, sort_pair
from napari_fada.models.gguf_header import read_header


def complaint(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_gguf(path)
    assert path.name in caught.value.what
    return str(caught.value)


def test_recognised_by_metadata_not_by_name(tmp_path: Path) -> None:
    text = read_gguf(write_text(tmp_path / "mmproj-misnamed.gguf"))
    vision = read_gguf(write_vision(tmp_path / "language-model.gguf"))
    assert (text.role, text.architecture, text.width) == ("text", "qwen35", 192)
    assert (vision.role, vision.architecture, vision.width) == ("vision", "qwen3vl_merger", 192)
    assert (text.quantisation, vision.quantisation) == ("Q4_K_M", "F16")
    assert text.name == "tiny"
    assert sort_pair(text, vision) == sort_pair(vision, text) == (text, vision)


def test_length_is_exact(tmp_path: Path) -> None:
    path = write_text(tmp_path / "text.gguf", tensors=5)
    padded = path.stat().st_size  # the writer pads behind the last tensor
    assert padded - 32 < read_header(path).length <= padded


def test_cut_anywhere(tmp_path: Path) -> None:
    whole = write_text(tmp_path / "whole.gguf").read_bytes()
    length = read_header(tmp_path / "whole.gguf").length
    for size in [*range(4, length, 7), length - 1]:
        path = tmp_path / f"cut-{size}.gguf"
        path.write_bytes(whole[:size])
        assert "cut short" in complaint(path)
        path.unlink()
    path.write_bytes(whole[:length])
    assert read_gguf(path).role == "text"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n and so on", "no GGUF file"),
        (b"<!DOCTYPE html><title>404</title>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
        (b"PK\x03\x04 archive/data.pkl", "PyTorch"),
        (struct.pack("<Q", 2000) + b'{"__metadata__":{}}', "safetensors"),
        (b"tjgg\x03\0\0\0", "predecessors"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version is 1"),
        (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), "version is 9"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), "cut short"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 63) + bytes(99), "cut short"),
        (b"GGUF" + struct.pack("<IQQQI", 3, 0, 1, 0, 77) + bytes(99), "damaged"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "only a vocabulary"),
    ],
)
def test_not_a_usable_file(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    assert expected in complaint(path)


def test_not_a_file(tmp_path: Path) -> None:
    assert "no file" in complaint(tmp_path / "missing.gguf")
    folder = tmp_path / "folder.gguf"
    folder.mkdir()
    assert "folder" in complaint(folder)


@pytest.mark.parametrize(
    ("architecture", "fields", "expected"),
    [
        ("nomic-bert", {"nomic-bert.embedding_length": 192}, "answers no questions"),
        ("qwen35", {}, "how wide"),
        ("qwen35", {"general.type": "adapter"}, "LoRA"),
        ("qwen35", {"general.type": "imatrix"}, "importance matrix"),
        ("qwen35", {"split.count": 3}, "one of 3 parts"),
        ("clip", {"clip.has_audio_encoder": True}, "takes no images"),
        ("clip", {"clip.has_vision_encoder": True, "clip.projector_type": "sphere"}, "type sphere"),
    ],
)
def test_another_kind_of_model(
    tmp_path: Path, architecture: str, fields: dict[str, object], expected: str
) -> None:
    assert expected in complaint(write_gguf(tmp_path / "other.gguf", architecture, fields))


def test_pairs_that_are_none(tmp_path: Path) -> None:
    text, text2 = (read_gguf(write_text(tmp_path / f"t{n}.gguf")) for n in (1, 2))
    vision = read_gguf(write_vision(tmp_path / "v.gguf", width=2560))
    with pytest.raises(ModelError, match=r"t1\.gguf and t2\.gguf are both text models"):
        sort_pair(text, text2)
    with pytest.raises(ModelError, match="both image parts"):
        sort_pair(vision, vision)
    for pair in ((text, vision), (vision, text)):
        with pytest.raises(ModelError, match=r"v\.gguf does not fit t1\.gguf.*2560.*192"):
            sort_pair(*pair)


def test_partner_is_the_one_that_fits(tmp_path: Path) -> None:
    text = read_gguf(write_text(tmp_path / "text.gguf"))
    with pytest.raises(ModelError, match="text model alone"):
        find_partner(text)
    write_vision(tmp_path / "a-large.gguf", width=2560)
    with pytest.raises(ModelError, match=r"alone.*a-large\.gguf does not fit"):
        find_partner(text)
    damaged = write_vision(tmp_path / "b.gguf")
    damaged.write_bytes(damaged.read_bytes()[:300])
    with pytest.raises(ModelError, match=r"alone.*b\.gguf is cut short"):
        find_partner(text)
    vision = write_vision(tmp_path / "c.gguf")
    assert find_partner(text).path == vision
    assert find_partner(read_gguf(vision)) == text


@pytest.mark.parametrize(
    ("text", "vision"),
    [("M.GGUF", "MMPROJ-M.GGUF"), ("m.gguf", "mmproj-m.GGUF"), ("m.Gguf", "v.gGuf")],
)
def test_the_ending_may_be_in_capitals(tmp_path: Path, text: str, vision: str) -> None:
    write_text(tmp_path / text)
    write_vision(tmp_path / vision)
    assert find_partner(read_gguf(tmp_path / text)).path.name == vision
    for place in (tmp_path, tmp_path / text, tmp_path / vision):
        pack = find_pack(place)
        assert (pack.text_path.name, pack.vision_path.name) == (text, vision)


def test_partner_among_several(tmp_path: Path) -> None:
    text = read_gguf(write_text(tmp_path / "fada.gguf", **{"general.name": "fada"}))
    write_vision(tmp_path / "mmproj-x.gguf", **{"general.name": "x"})
    write_vision(tmp_path / "mmproj-y.gguf", **{"general.name": "y"})
    with pytest.raises(ModelError, match=r"Several.*mmproj-x\.gguf, mmproj-y\.gguf"):
        find_partner(text)
    write_vision(tmp_path / "mmproj-z-BF16.gguf", **{"general.name": "z", "general.file_type": 32})
    alike = write_vision(tmp_path / "mmproj-fada.gguf", **{"general.name": "w"})
    assert find_partner(text).path == alike
    same = write_vision(tmp_path / "other-BF16.gguf", **{"general.name": "fada"})
    same.rename(tmp_path / "q-1.gguf")
    write_vision(tmp_path / "q-2.gguf", **{"general.name": "fada", "general.file_type": 7})
    assert find_partner(text).path.name == "q-1.gguf"  # F16 before Q8_0
    write_text(tmp_path / "fada-Q8.gguf", **{"general.name": "fada"})
    write_text(tmp_path / "zeta.gguf", **{"general.name": "zeta"})
    vision = read_gguf(tmp_path / "mmproj-x.gguf")
    with pytest.raises(ModelError, match="Several"):
        find_partner(vision)


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_bytes_give_nothing_but_a_model_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "random.gguf"
    for start in (b"", b"GGUF\x03\0\0\0"):
        path.write_bytes(start + content)
        with pytest.raises(ModelError):
            read_gguf(path)


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_file_with_wrong_bytes_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    good = tmp_path / "good.gguf"
    if not good.exists():
        write_text(good)
    content = bytearray(good.read_bytes())
    for position, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=8)
    ):
        content[position] = value
    path = tmp_path / "damaged.gguf"
    path.write_bytes(content)
    with contextlib.suppress(ModelError):
        assert read_gguf(path).width > 0
