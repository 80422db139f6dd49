"""What the tests of the llama.cpp engine share: the embedded model, real scans, prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from llama_support import CLASSES, INFO, VIEWS

from napari_fada.engines.protocol import Image, Prompt
from napari_fada.records.reading import INTERPRETATION_KEYS

if TYPE_CHECKING:
    from napari_fada.engines.llama import LlamaEngine

MakeEngine = Callable[..., "LlamaEngine"]


@pytest.fixture
def make_engine() -> Iterator[MakeEngine]:
    """Load fada-mini with options; whatever was loaded is closed after the test."""
    pytest.importorskip("llama_cpp")
    from napari_fada.engines.llama import LlamaEngine
    from napari_fada.models import find_pack

    pack = find_pack("fada-mini")
    loaded: list[LlamaEngine] = []

    def make(**options: Any) -> LlamaEngine:
        options.setdefault("image_size", pack.image_size)
        engine = LlamaEngine(pack.text_path, pack.vision_path, info=INFO, **options)
        loaded.append(engine)
        return engine

    yield make
    for engine in loaded:
        engine.close()


@pytest.fixture
def engine(make_engine: MakeEngine) -> LlamaEngine:
    return make_engine()


@pytest.fixture(scope="session")
def scans(data_dir: Path) -> list[Image]:
    """Real frames: two heads and a transperineal scan."""
    from PIL import Image as Pillow

    heads = sorted((data_dir / "hc18" / "images").glob("*.png"))[:40:20]
    others = sorted((data_dir / "psfhs" / "images").glob("*.png"))[:1]
    return [np.asarray(Pillow.open(path)) for path in (*heads, *others)]


@pytest.fixture
def scan(scans: list[Image]) -> Image:
    return scans[0]


@pytest.fixture(scope="session")
def prompts() -> list[Prompt]:
    """Give the four prompts of a reading, and one for points."""
    listed = ", ".join(CLASSES)
    return [
        Prompt("interpret", "Read this fetal ultrasound scan.", keys=INTERPRETATION_KEYS),
        Prompt("classify", "Name the view of this fetal ultrasound scan.", labels=VIEWS),
        Prompt("detect", f"Find every instance of: {listed}.", labels=CLASSES),
        Prompt("segment", f"Outline every instance of: {listed}.", labels=CLASSES),
        Prompt("keypoints", "Mark the points of: CRL_KP.", labels=("CRL_KP",)),
    ]
