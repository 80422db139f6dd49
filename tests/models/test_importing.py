"""Importing: looked into, copied or pointed to, all or nothing, and nobody's files are touched."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save_file
from small_models import write_pack, write_text, write_vision

from napari_fada.errors import ModelError
from napari_fada.models import find_pack, importing
from napari_fada.models.catalogue import user_folder
from napari_fada.models.convert import Cancelled, Packed, Progress
from napari_fada.models.found import Wish
from napari_fada.models.full import find_full
from napari_fada.models.importing import import_model
from napari_fada.models.library import Library, remove
from napari_fada.models.pack import Pack
from napari_fada.models.verifying import verify_steps


def bring(*paths: Path, **wish: Any) -> Pack:
    *before, last = import_model(Wish(paths, **wish))
    assert any(isinstance(e, Progress) for e in before)
    assert isinstance(last, Packed)
    return last.pack


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def full_folder(folder: Path, *, pickled: bool = False) -> Path:
    import numpy as np

    folder.mkdir(parents=True)
    for name in ("tokenizer.json", "preprocessor_config.json"):
        (folder / name).write_text("{}")
    (folder / "config.json").write_text(
        json.dumps({"architectures": ["Qwen3_5"], "vision_config": {}})
    )
    (folder / "README.md").write_text("# Ours")
    if pickled:
        (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    else:
        save_file({"w": np.zeros((4, 4), np.float32)}, folder / "model.safetensors")
    return folder


def adapter_folder(folder: Path, base: str) -> Path:
    import numpy as np

    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": base})
    )
    save_file({"a": np.zeros(3, np.float32)}, folder / "adapter_model.safetensors")
    return folder


def test_one_file_brings_the_one_beside_it(tmp_path: Path) -> None:
    text = write_text(tmp_path / "my models" / "head Q4.gguf")
    write_vision(tmp_path / "my models" / "mmproj-head.gguf")
    before = snapshot(tmp_path)
    pack = bring(text, licence="CC0")
    assert (pack.name, pack.licence, pack.made_by) == ("head-Q4", "CC0", "import")
    assert pack.folder == user_folder() / "head-Q4"
    list(verify_steps(pack))
    assert find_pack("head-Q4") == pack
    assert snapshot(tmp_path) == before
    assert remove(Library().entry("head-Q4")) == []
    assert not pack.folder.exists()
    assert snapshot(tmp_path) == before


def test_in_place_only_a_description_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "Stick" / "größe"
    text, vision = write_text(folder / "t.gguf"), write_vision(tmp_path / "other" / "v.gguf")
    before = snapshot(tmp_path)
    pack = bring(vision, text, name="placed", in_place=True)
    assert (pack.text_path, pack.vision_path) == (text, vision)
    assert [p.name for p in pack.home.iterdir()] == ["pack.json"]
    list(verify_steps(find_pack("placed")))
    away = folder.rename(tmp_path / "away")
    entry = Library().entry("placed")
    assert entry.state == "missing"
    assert "Bring back the drive" in entry.problem
    away.rename(folder)
    assert Library().entry("placed").state == "present"
    assert remove(Library().entry("placed")) == []
    assert snapshot(tmp_path) == before


def test_a_pack_keeps_what_its_description_says(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "p", calibration=[2.0, 1.0])
    pack = bring(folder, name="again")
    assert (pack.classes, pack.calibration) == (("Brain", "fetal_head"), (2.0, 1.0))
    content = bytearray((folder / "text.gguf").read_bytes())
    content[-1] ^= 1
    (folder / "text.gguf").write_bytes(content)
    with pytest.raises(ModelError, match="not the file it should be"):
        bring(folder, name="damaged")
    assert sorted(p.name for p in user_folder().iterdir()) == ["again"]


def test_full_precision_with_and_without_an_adapter(tmp_path: Path) -> None:
    base = full_folder(tmp_path / "Base-4B")
    plain = bring(base)
    assert (plain.name, plain.kind, plain.architecture) == ("Base-4B", "transformers", "Qwen3_5")
    assert {f.role for f in plain.files} == {"config", "weights"}
    assert plain.card_path is not None
    list(verify_steps(find_pack("Base-4B")))
    adapter = adapter_folder(tmp_path / "skd", "hub/Base-4B")
    for paths in ((adapter,), (adapter, base), (base, adapter)):
        pack = bring(*paths, name=f"n{len(list(user_folder().iterdir()))}")
        found = find_full(pack.name)
        assert found is not None
        assert found.adapter == pack.folder / "adapter"
        assert (found.adapter / "adapter_config.json").is_file()
    placed = find_full(bring(adapter, name="placed", in_place=True).name)
    assert placed is not None
    assert (placed.folder, placed.adapter) == (base, adapter)
    shutil.rmtree(base)
    with pytest.raises(ModelError, match="of hub/Base-4B, which is not here"):
        bring(adapter, name="alone")


def test_a_pickle_needs_consent_and_the_description_says_so(tmp_path: Path) -> None:
    folder = full_folder(tmp_path / "old", pickled=True)
    with pytest.raises(ModelError, match="pickled; reading them could run code"):
        bring(folder)
    assert not (user_folder() / "old").exists()
    assert bring(folder, allow_pickle=True).allow_pickle
    assert not bring(full_folder(tmp_path / "new"), allow_pickle=True).allow_pickle


@pytest.mark.parametrize("what", ["nothing", "page", "text alone", "two folders", "three"])
def test_what_is_no_model(tmp_path: Path, what: str) -> None:
    (tmp_path / "page.gguf").write_text("<html>not found</html>")
    write_text(tmp_path / "alone" / "t.gguf")
    for name in "ab":
        write_pack(tmp_path / name)
    paths, expected = {
        "nothing": ([tmp_path / "none"], "There is no"),
        "page": ([tmp_path / "page.gguf"], "page.gguf"),
        "text alone": ([tmp_path / "alone" / "t.gguf"], "t.gguf"),
        "two folders": ([tmp_path / "a", tmp_path / "b"], "not a base model and its adapter"),
        "three": ([tmp_path] * 3, "One model is imported at a time"),
    }[what]
    with pytest.raises(ModelError, match=expected):
        bring(*paths)
    assert not user_folder().exists() or list(user_folder().iterdir()) == []


def test_a_name_that_is_taken_is_not_touched(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "p")
    bring(folder, name="one")
    before = snapshot(user_folder())
    with pytest.raises(ModelError, match="There is a model one"):
        bring(folder, name="one")
    assert snapshot(user_folder()) == before


def test_cancelled(tmp_path: Path) -> None:
    cancel = threading.Event()
    steps = import_model(Wish((write_pack(tmp_path / "p"),)), cancel=cancel)
    next(steps)
    cancel.set()
    with pytest.raises(Cancelled):
        list(steps)
    assert list(user_folder().iterdir()) == []


def test_the_disk_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_pack(tmp_path / "p")
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(importing.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ModelError, match="import it in place"):
        bring(folder)
    monkeypatch.undo()


def test_the_disk_becomes_full_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_pack(tmp_path / "p")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(importing.os, "fsync", full)
    with pytest.raises(ModelError, match="the disk is full"):
        bring(folder)
    assert list(user_folder().iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_what_a_killed_import_left_is_cleared(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "p")
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from napari_fada.models.found import Wish\n"
        "from napari_fada.models.importing import import_model\n"
        "steps = import_model(Wish((Path(sys.argv[1]),), into=Path(sys.argv[2])))\n"
        "next(steps), next(steps)\n"
        "print('copying', flush=True)\n"
        "time.sleep(600)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(user_folder())],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert run.stdout is not None
    assert run.stdout.readline() == "copying\n"
    (left,) = user_folder().iterdir()
    assert left.name.startswith(".tiny.")
    bring(folder, name="beside")  # the other one is at work: its folder is left alone
    assert left.is_dir()
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    assert [e.name for e in Library().entries() if not e.embedded] == ["beside"]
    bring(folder, name="after")
    assert sorted(p.name for p in user_folder().iterdir()) == ["after", "beside"]
