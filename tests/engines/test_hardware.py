"""What the computer has: cores, memory, the limits of containers, graphics cards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fada.engines import graphics, hardware
from napari_fada.engines.cgroups import Room, memory_room, processor_quota

GB = 1_000_000_000


def write(root: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n", encoding="ascii")
    return root


def test_version_2_the_tightest_group_on_the_way_up_counts(tmp_path: Path) -> None:
    base = "sys/fs/cgroup"
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user.slice/app",
            f"{base}/memory.stat": "",
            f"{base}/user.slice/memory.max": 4 * GB,
            f"{base}/user.slice/memory.current": 3 * GB,
            f"{base}/user.slice/memory.stat": f"anon 5\ninactive_file {GB}",
            f"{base}/user.slice/cpu.max": "150000 100000",
            f"{base}/user.slice/app/memory.max": "max",
            f"{base}/user.slice/app/memory.current": GB,
            f"{base}/user.slice/app/cpu.max": "max 100000",
        },
    )
    assert memory_room(root) == Room(4 * GB, 2 * GB)
    assert processor_quota(root) == 1.5


def test_version_1_and_a_path_that_is_not_mounted(tmp_path: Path) -> None:
    # inside a container the names of the host's groups are shown, and its own stands at the root
    memory, cpu = "sys/fs/cgroup/memory", "sys/fs/cgroup/cpu,cpuacct"
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "9:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n1:name=x:/",
            f"{memory}/memory.limit_in_bytes": 2 * GB,
            f"{memory}/memory.usage_in_bytes": 1 * GB,
            f"{memory}/memory.stat": "inactive_file 7\ntotal_inactive_file 500000000",
            f"{cpu}/cpu.cfs_quota_us": 400000,
            f"{cpu}/cpu.cfs_period_us": 100000,
        },
    )
    assert memory_room(root) == Room(2 * GB, 1_500_000_000)
    assert processor_quota(root) == 4.0


def test_no_limits_no_groups_and_nonsense(tmp_path: Path) -> None:
    assert memory_room(tmp_path) is None
    assert processor_quota(tmp_path) is None
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "9:memory:/\n8:cpu:/\n0::/\nnonsense",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": 9223372036854771712,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": -1,
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": 100000,
            "sys/fs/cgroup/memory.max": "soon",
            "sys/fs/cgroup/cpu.max": "",
        },
    )
    assert memory_room(root) is None
    assert processor_quota(root) is None


def test_a_container_bounds_memory_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    free = SimpleNamespace(total=16 * GB, available=9 * GB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    monkeypatch.setattr(hardware, "memory_room", lambda: None)
    assert hardware.memory() == hardware.Memory(16 * GB, 9 * GB)
    monkeypatch.setattr(hardware, "memory_room", lambda: Room(4 * GB, 3 * GB))
    assert hardware.memory() == hardware.Memory(4 * GB, 3 * GB, limited=True)
    monkeypatch.setattr(hardware, "memory_room", lambda: Room(64 * GB, 3 * GB))
    assert not hardware.memory().limited  # more than there is bounds nothing

    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 16 if logical else 8)
    monkeypatch.setattr(hardware, "_allowed", lambda: set(range(8)))
    monkeypatch.setattr(hardware, "_physical", lambda *_: 8)
    monkeypatch.setattr(hardware, "processor_quota", lambda: 2.5)
    assert hardware.cores() == hardware.Cores(16 // 2, 16, 8, usable=2, quota=2.5)
    monkeypatch.setattr(hardware, "processor_quota", lambda: 0.5)
    assert hardware.cores().usable == 1


def test_without_affinity_or_topology_the_share_of_the_machine_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.delattr(psutil.Process, "cpu_affinity", raising=False)  # as on macOS
    monkeypatch.setattr(Path, "read_text", unknown)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 12 if logical else 6)
    monkeypatch.setattr(hardware, "processor_quota", lambda: None)
    found = hardware.cores()
    assert (found.physical, found.logical, found.allowed, found.usable) == (6, 12, 12, 6)


@given(st.sets(st.integers(0, 300)), st.integers(1, 64), st.integers(1, 2))
def test_there_is_always_a_core(allowed: set[int], physical: int, threads: int) -> None:
    assert hardware._physical(allowed, physical, physical * threads) >= 1


def test_this_computer() -> None:
    found = hardware.hardware()
    assert 1 <= found.cores.usable <= found.cores.logical
    assert 0 < found.memory.available <= found.memory.total
    assert bool(found.gpus) != bool(found.graphics.reason)


def test_cards_are_looked_for_only_where_a_backend_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("libggml-base.so.0", "libggml-cpu.so", "libllama.so"):
        (tmp_path / name).touch()
    assert not graphics.may_have_backend(tmp_path)
    monkeypatch.setattr(graphics, "_library_folder", lambda: tmp_path)
    monkeypatch.setattr(graphics, "_ask_in_a_process", lambda: pytest.fail("asked"))
    assert "without a backend" in graphics.graphics().reason
    (tmp_path / "ggml-cuda.dll").touch()
    assert graphics.may_have_backend(tmp_path)
    (tmp_path / "other").mkdir()
    assert graphics.may_have_backend(tmp_path / "other")  # one library: nothing to be seen

    card = '{"name": "CUDA0", "description": "A card", "free": 6, "total": 8}'
    for answer, count, reason in (
        (f'{{"offload": true, "gpus": [{card}]}}', 1, ""),
        ('{"offload": true, "gpus": []}', 0, "finds no graphics card"),
        ('{"offload": false, "gpus": []}', 0, "without a backend"),
        ("not JSON", 0, "could not be asked"),
    ):
        monkeypatch.setattr(graphics, "_ask_in_a_process", lambda answer=answer: answer)
        found = graphics.graphics()
        assert len(found.gpus) == count
        assert reason in found.reason
    monkeypatch.setattr(graphics, "_library_folder", lambda: None)
    assert "not installed" in graphics.graphics().reason


def test_a_broken_llama_is_a_reason_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies() -> str:
        raise subprocess.CalledProcessError(-11, "python")

    monkeypatch.setattr(graphics, "may_have_backend", lambda _: True)
    monkeypatch.setattr(graphics, "_ask_in_a_process", dies)
    monkeypatch.setattr(graphics, "_library_folder", lambda: Path())
    assert "could not be asked" in graphics.graphics().reason


def test_the_registry_of_devices_is_asked_in_a_process_of_its_own() -> None:
    pytest.importorskip("llama_cpp")
    answer = graphics._ask_in_a_process()
    assert answer.startswith('{"offload": ')
    # the registry lists at least the processor, so the signatures are right
    from llama_cpp import llama_backend_init
    from llama_cpp._ggml import libggml

    llama_backend_init()
    ask = graphics._functions(libggml)
    assert ask["count"]() >= 1
    assert b"CPU" in {ask["name"](ask["get"](i)) for i in range(ask["count"]())}


def test_torch_is_not_imported_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert graphics.torch_gpus().reason == "PyTorch is not loaded"
    assert "torch" not in sys.modules


@pytest.mark.parametrize("kind", ["cuda", "mps", "none"])
def test_what_torch_sees(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = SimpleNamespace(
        __spec__=SimpleNamespace(name="torch"),
        cuda=SimpleNamespace(
            is_available=lambda: kind == "cuda",
            device_count=lambda: 1,
            mem_get_info=lambda _: (6, 8),
            get_device_name=lambda _: "A card",
        ),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: kind == "mps")),
        mps=SimpleNamespace(recommended_max_memory=lambda: 8, driver_allocated_memory=lambda: 2),
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    found = graphics.torch_gpus()
    if kind == "none":
        assert "no graphics card" in found.reason
    else:
        (gpu,) = found.gpus
        assert (gpu.free, gpu.total) == (6, 8)
