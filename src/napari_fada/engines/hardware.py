"""What this computer has for a model: processor cores, memory, graphics cards.

Everything is asked anew at each call, since memory comes and goes, except what cannot change
while the program runs. Nothing in here imports torch or llama.cpp into this process.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from napari_fada.engines.cgroups import memory_room, processor_quota
from napari_fada.engines.graphics import Gpu, Graphics, graphics


@dataclass(frozen=True, slots=True)
class Cores:
    """Processors.

    Parameters
    ----------
    physical, logical : int
        Cores of the machine, and threads that they run (hyper-threads counted).
    allowed : int
        Logical processors that this process may use (its affinity).
    usable : int
        Physical cores that this process may use; what decides how many threads are worth
        starting. A container's grant of processor time bounds it too.
    quota : float, optional
        That grant, in processors; None where there is none.
    """

    physical: int
    logical: int
    allowed: int
    usable: int
    quota: float | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """Main memory in bytes: what this process could have, and what of it is free now.

    ``limited`` says that a container or service sets the bound rather than the machine.
    """

    total: int
    available: int
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Hardware:
    """All of it."""

    cores: Cores
    memory: Memory
    graphics: Graphics = field(default_factory=Graphics)

    @property
    def gpus(self) -> tuple[Gpu, ...]:
        """Graphics cards that llama.cpp can use."""
        return self.graphics.gpus


def hardware(*, look_for_gpus: bool = True) -> Hardware:
    """Return what this computer has.

    Parameters
    ----------
    look_for_gpus : bool
        Whether llama.cpp is asked for graphics cards, which starts a short process of its own
        where it was built with a backend for them (a second).
    """
    return Hardware(cores(), memory(), graphics() if look_for_gpus else Graphics())


def cores() -> Cores:
    """Return the processors of the machine and those this process may use."""
    logical = psutil.cpu_count() or os.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or logical
    allowed = _allowed() or set(range(logical))
    quota = processor_quota()
    usable = _physical(allowed, physical, logical)
    if quota is not None:
        # More threads than the grant are stopped for the rest of every period, all at once.
        usable = min(usable, max(1, math.floor(quota)))
    return Cores(physical, logical, len(allowed), usable, quota)


def memory() -> Memory:
    """Return main memory; a container's limit counts where it is tighter."""
    found = psutil.virtual_memory()
    room = memory_room()
    if room is None or room.limit >= found.total:
        return Memory(found.total, found.available)
    return Memory(room.limit, min(room.left, found.available), limited=True)


def size_text(count: int) -> str:
    """Write bytes as people do: "1.4 GB", "118 MB"."""
    return f"{count / 1e9:.1f} GB" if count >= 999_500_000 else f"{max(1, round(count / 1e6))} MB"


def _allowed() -> set[int]:
    """Return the logical processors of this process; empty where the system has no affinity."""
    try:
        return set(psutil.Process().cpu_affinity())
    except (AttributeError, OSError, psutil.Error):  # macOS has none
        return set()


def _physical(allowed: set[int], physical: int, logical: int) -> int:
    """Count the physical cores behind some logical processors."""
    siblings = set()
    for cpu in allowed:
        path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        try:
            siblings.add(path.read_text(encoding="ascii").strip())
        except OSError:  # no Linux: the share of the machine that is allowed
            return max(1, round(len(allowed) * physical / logical))
    return max(1, len(siblings))
