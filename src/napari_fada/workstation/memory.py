"""What the window remembers from one start to the next: folds, tabs, places of docks.

These are not settings: nobody sets them, they are as the user left them. A file that cannot be
read or written costs the memory and nothing else.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs


def memory_path() -> Path:
    """Return the file of the memory."""
    folder = platformdirs.user_config_dir("napari-fada", appauthor=False)
    return Path(folder) / "window.json"


def recall(name: str, default: Any = None) -> Any:
    """Return what was remembered under a name."""
    return _read().get(name, default)


def remember(**values: Any) -> None:
    """Remember values that JSON can hold; what stands already is not written again."""
    known = _read()
    if all(name in known and known[name] == value for name, value in values.items()):
        return
    path = memory_path()
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(known | values, indent=1), encoding="utf-8")
        draft.replace(path)


def _read() -> dict[str, Any]:
    try:
        found = json.loads(memory_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
