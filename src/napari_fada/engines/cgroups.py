"""What a container or a service manager lets this process have (Linux control groups).

Memory that the machine has is no use where a group may not have it: a process that goes over
its group's limit is killed without a word. Both versions are read; every group up to the root
counts, and the tightest wins. Elsewhere than on Linux there is nothing to read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Version 1 writes a number near the largest possible where there is no limit.
_UNLIMITED = 1 << 60


@dataclass(frozen=True, slots=True)
class Room:
    """Memory that a group may have, and what is left of it, in bytes."""

    limit: int
    left: int


def memory_room(root: Path = Path("/")) -> Room | None:
    """Return the tightest limit on memory, None where there is none.

    What the kernel keeps of files and can give back at once (``inactive_file``) is not counted
    as used, as container tools do.

    Parameters
    ----------
    root : Path
        Where ``proc`` and ``sys`` are.
    """
    rooms = []
    for folder in _groups(root, "memory"):
        for name, used in (
            ("memory.max", "memory.current"),
            ("memory.high", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit = _number(folder / name)
            if limit is None or limit >= _UNLIMITED:
                continue
            taken = (_number(folder / used) or 0) - _reclaimable(folder / "memory.stat")
            rooms.append(Room(limit, max(0, limit - max(0, taken))))
    if not rooms:
        return None
    return Room(min(room.limit for room in rooms), min(room.left for room in rooms))


def processor_quota(root: Path = Path("/")) -> float | None:
    """Return how many processors' time the groups grant, None where there is no limit."""
    quotas = []
    for folder in _groups(root, "cpu"):
        words = _text(folder / "cpu.max").split()
        if len(words) == 2 and all(word.isdigit() for word in words):
            quotas.append((int(words[0]), int(words[1])))
        quota = _number(folder / "cpu.cfs_quota_us")
        period = _number(folder / "cpu.cfs_period_us")
        if quota is not None and period is not None:
            quotas.append((quota, period))
    return min((q / period for q, period in quotas if q > 0 and period > 0), default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of the groups this process is in, from its own up to the root.

    Inside a container the path may name a place that is not mounted there; what is mounted then
    stands at the root, which is among those yielded.
    """
    base = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == "0" and not names:
            mounts = [base, base / "unified"]
        elif controller in names.split(","):
            mounts = [base / controller, base / names]
        else:
            continue
        for mount in dict.fromkeys(mounts):
            folder = mount / path.lstrip("/")
            while True:
                if folder.is_dir():
                    yield folder
                if folder == mount or mount not in folder.parents:
                    break
                folder = folder.parent


def _reclaimable(path: Path) -> int:
    found = dict(line.split(maxsplit=1) for line in _text(path).splitlines() if " " in line)
    for name in ("total_inactive_file", "inactive_file"):  # version 1 has both; with children first
        if (value := found.get(name, "")).isdigit():
            return int(value)
    return 0


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    try:
        return int(text)
    except ValueError:  # "max", or no such file
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
