"""A user without packs or cache, so that the tests see and leave nothing of the real one."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest


@pytest.fixture(autouse=True)
def user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder that stands for the user's data and cache."""
    folder = tmp_path_factory.mktemp("user")
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *_, **__: folder / "data")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: folder / "cache")
    monkeypatch.setattr(platformdirs, "user_config_path", lambda *_, **__: folder / "config")
    monkeypatch.delenv("NAPARI_FADA_MODELS", raising=False)
    return folder
