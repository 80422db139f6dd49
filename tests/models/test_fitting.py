"""Whether a model fits: estimated from its files, compared with what it takes, refused in time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_models import write_pack, write_vision

from napari_fada.engines.graphics import Gpu, Graphics
from napari_fada.engines.hardware import Memory
from napari_fada.engines.llama.plan import Plan
from napari_fada.engines.protocol import Prompt
from napari_fada.errors import ModelError
from napari_fada.models import fitting, load_engine, loading, read_pack
from napari_fada.models.catalogue import find_pack
from napari_fada.models.fitting import Options, check_fits, estimate
from napari_fada.models.gguf_header import read_header
from napari_fada.models.needs_gguf import Text, Vision, needs

GB = 1_000_000_000
NO_CARD = Graphics(reason="llama.cpp was built without a backend for graphics cards")

# The published dimensions of FADA-Mobile, as its header gives them.
TEXT = Text(
    bytes=525_548_896, parameters=752_000_000, layers=24, width=1024, inner=3584, heads=2048,
    vocabulary=248_320, trained=262_144, cell=12_288, state=20_201_472, repacked=219_156_480,
    convolution=6144, embeddings=208_588_800,
)  # fmt: skip
VISION = Vision(bytes=204_986_560, token=86_016, fixed=0)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a pack that says of itself what the 0.8B model says."""
    monkeypatch.setattr(Text, "of", classmethod(lambda *_: TEXT))
    monkeypatch.setattr(Vision, "of", classmethod(lambda *_: VISION))
    return replace(read_pack(write_pack(tmp_path / "large")), name="large", image_size=None)


def needed(plan: Plan, **changes: Any) -> int:
    settings = {"image_tokens": 425, "context": 768, "frames": 1} | changes
    found = needs(TEXT, VISION, plan, **settings)
    parts = ("program", "weights", "image", "memory", "work", "saved")
    return sum(getattr(found, part) for part in parts)


@pytest.mark.parametrize(
    ("lanes", "measured"), [(2, 1_531_000_000), (1, 1_340_000_000)], ids=["two lanes", "one"]
)
def test_the_formula_gives_what_was_measured_on_the_large_model(lanes: int, measured: int) -> None:
    # peak RSS with an 800 × 544 scan and a second one, benchmarks/bench_memory.py
    found = needed(Plan(2, False, lanes))
    assert 0.9 <= found / measured <= 1.15


def test_every_option_counts() -> None:
    usual = needed(Plan(2, False, 1))
    assert needed(Plan(2, False, 1), context=8192) - usual > (8192 - 768) * TEXT.cell * 0.99
    assert needed(Plan(2, False, 1), image_tokens=2048) - usual > 1600 * VISION.token
    assert needed(Plan(2, False, 2)) - usual > 2 * (768 * TEXT.cell + 2 * TEXT.state)
    assert needed(Plan(8, True, 2)) - usual > 2 * TEXT.state
    assert needed(Plan(2, False, 1), frames=100) - needed(Plan(2, False, 1), frames=99) == 0


def test_fada_mini_takes_what_was_estimated() -> None:
    pytest.importorskip("llama_cpp")
    found = check_fits(find_pack("fada-mini"))
    engine = load_engine("fada-mini")
    try:
        chance = np.random.default_rng(0)
        for _ in range(3):
            image = chance.integers(0, 255, (540, 800), dtype=np.uint8)
            list(engine.ask(image, [Prompt("free", "Describe this scan.", max_tokens=60)] * 3))
        peak = engine.ping().peak_bytes  # type: ignore[attr-defined]
    finally:
        engine.close()
    assert peak is not None
    assert 0.85 <= found.total / peak <= 1.2


def test_the_sentence_and_the_parts(large: Any) -> None:
    found = estimate(large, Options(threads=2, image_tokens=425), cards=NO_CARD)
    assert set(found.parts) == {"program", "weights", "image", "context", "work", "saved"}
    assert found.total == sum(found.parts.values())
    assert found.needed == found.total - TEXT.repacked
    free = Memory(8 * GB, 5_200_000_000)
    assert found.sentence(free) == f"needs {found.needed / 1e9:.1f} GB, you have 5.2 GB free"
    little = replace(found, parts={"weights": 118_200_000}, reclaimable=0)
    small = little.sentence(Memory(GB, 512_400_000))
    assert small == "needs 118 MB, you have 512 MB free"


def test_what_cannot_fit_is_refused_with_what_would_help(large: Any) -> None:
    free = Memory(2 * GB, 900_000_000, limited=True)
    with pytest.raises(ModelError) as caught:
        check_fits(large, Options(context=16_384), free=free, cards=NO_CARD)
    error = caught.value
    assert "does not fit into memory: it needs" in error.what
    assert "you have 900 MB free (the limit of its container)" in error.what
    assert error.kept == "Nothing was loaded."
    for help_ in ("Close other programs", "smaller context (2048)", "smaller images (256 tokens)"):
        assert help_ in error.todo
    assert "quantisation" not in error.todo  # it is the smallest already
    assert check_fits(large, free=free, cards=NO_CARD, force=True).needed > free.available


def test_a_smaller_quantisation_is_proposed_where_there_is_one(
    large: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitting._text.cache_clear()
    half = replace(TEXT, bytes=2 * TEXT.parameters, repacked=0)
    monkeypatch.setattr(Text, "of", classmethod(lambda *_: half))
    with pytest.raises(ModelError, match=r"smaller quantisation \(Q4_K_M needs about"):
        check_fits(large, free=Memory(GB, GB), cards=NO_CARD)


def test_one_lane_is_taken_where_two_do_not_fit(large: Any) -> None:
    options = Options(threads=2)
    two = estimate(large, options, cards=NO_CARD)
    one = estimate(large, replace(options, lanes=1), cards=NO_CARD)
    between = Memory(GB * 8, (one.needed + two.needed) // 2)
    assert check_fits(large, options, free=between, cards=NO_CARD).options.lanes == 1
    with pytest.raises(ModelError):  # unless the user wants two
        check_fits(large, replace(options, lanes=2), free=between, cards=NO_CARD)


def test_all_layers_that_fit_go_to_the_card(large: Any) -> None:
    def layers(free: int) -> int:
        cards = Graphics((Gpu("CUDA0", free=free, total=8 * GB),))
        found = estimate(large, cards=cards)
        assert found.on_card <= free * 0.9
        return found.options.gpu_layers or 0

    assert layers(8 * GB) == TEXT.layers + 1
    assert 0 < layers(900_000_000) < TEXT.layers
    assert layers(100_000_000) == 0
    whole = estimate(large, cards=Graphics((Gpu("CUDA0", free=8 * GB),)))
    host = estimate(large, cards=NO_CARD)
    assert whole.needed < host.needed
    assert "of the graphics card" in whole.sentence(Memory(GB, GB))
    assert whole.options.batch
    silent = Graphics((Gpu("Vulkan0"),))  # a driver that does not say how much is free
    assert estimate(large, cards=silent).options.gpu_layers == TEXT.layers + 1


def test_a_card_that_shares_main_memory_is_counted_there(large: Any) -> None:
    own = estimate(large, cards=Graphics((Gpu("CUDA0", free=8 * GB),)))
    cards = Graphics((Gpu("Metal", free=8 * GB, shared=True),))
    shared = estimate(large, cards=cards)
    assert shared.needed == own.needed + own.on_card
    assert "graphics card" not in shared.sentence(Memory(GB, GB))
    both = Graphics((Gpu("Vulkan1", free=8 * GB, shared=True), Gpu("Vulkan0", free=2 * GB)))
    assert (both.free, both.shared) == (2 * GB, False)  # as llama.cpp chooses


def test_layers_for_a_card_that_is_not_there_are_refused(large: Any) -> None:
    with pytest.raises(ModelError, match="without a backend for graphics cards"):
        check_fits(large, Options(gpu_layers=-1), cards=NO_CARD)
    tight = Graphics((Gpu("CUDA0", free=900_000_000),))
    with pytest.raises(ModelError, match=r"25 layers of large need .* of 25 layers fit"):
        check_fits(large, Options(gpu_layers=-1), cards=tight)
    some = check_fits(large, Options(gpu_layers=2), cards=tight)
    assert some.options.gpu_layers == 2
    assert check_fits(large, Options(gpu_layers=0), cards=tight).options.gpu_layers == 0


def test_a_small_model_leaves_the_card_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "graphics", lambda: pytest.fail("asked"))
    assert estimate(find_pack("fada-mini")).options.gpu_layers == 0


def test_load_engine_refuses_before_a_process_is_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("llama_cpp")
    started: list[dict[str, Any]] = []
    monkeypatch.setattr(fitting, "memory", lambda: Memory(GB, 50_000_000))
    monkeypatch.setattr(loading, "HostedEngine", lambda spec, **_: started.append(spec.kwargs))
    with pytest.raises(ModelError, match=r"needs 1\d\d MB, you have 50 MB free"):
        load_engine("fada-mini")
    assert not started
    load_engine("fada-mini", force=True, n_ctx=2048)
    assert started[0]["n_ctx"] == 2048
    assert started[0]["gpu_layers"] == 0
    with pytest.raises(ModelError, match="graphics card"):
        load_engine("fada-mini", gpu_layers=4)


@pytest.mark.parametrize("cores", [1, 2, 4, 8])
def test_defaults_by_cores(cores: int) -> None:
    large = Plan.make(752_000_000, cores)
    assert large.threads == cores
    assert large.together is (cores >= 8)
    assert large.lanes == min(2, cores)
    assert Plan.make(3_000_000, cores) == Plan(1, False, 1)
    assert Plan.make(3_000_000, cores, threads=2).threads == 2
    assert Plan.make(752_000_000, cores, gpu=True).together


def test_a_vision_tower_with_windows_writes_its_mask_out(tmp_path: Path) -> None:
    def tower(**fields: Any) -> Vision:
        path = write_vision(tmp_path / "v.gguf", **fields)
        return Vision.of(read_header(path))

    windows = {"clip.projector_type": "qwen2.5vl_merger", "clip.vision.n_wa_pattern": 8}
    assert tower().pair == 0
    assert tower(**windows).pair == 3 * 4 * 16  # four patches a token, also where it is not said
    squares = [
        needs(
            TEXT, tower(**windows), Plan(1, False, 1), image_tokens=n, context=512, frames=1
        ).image
        for n in (1000, 2000)
    ]
    assert squares[1] - squares[0] > 3_000_000 * 192 * 0.99


def test_a_header_without_sizes_is_no_crash(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path / "bare"))
    assert estimate(pack).total > pack.text_path.stat().st_size
