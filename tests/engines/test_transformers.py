"""The transformers engine: fada-mini and tiny random models in full precision, in this process."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_support import CLASSES, INFO, VIEWS, completions, ids

from napari_fada.engines.forms import form_for
from napari_fada.engines.protocol import Completion, Image, Prompt, Token
from napari_fada.errors import EngineError
from napari_fada.models import find_pack
from tiny_models import make_checkpoint

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from napari_fada.engines.transformers import TransformersEngine  # noqa: E402
from napari_fada.engines.transformers import library as lib  # noqa: E402
from napari_fada.engines.transformers import model as model_room  # noqa: E402
from napari_fada.engines.transformers.pixels import read_patching  # noqa: E402
from napari_fada.engines.transformers.rows import Rows  # noqa: E402
from napari_fada.engines.transformers.vocabulary import FolderVocabulary  # noqa: E402

SIZE = (192, 192)


@pytest.fixture(scope="module")
def full() -> Path:
    folder = find_pack("fada-mini").full_path
    if folder is None:
        pytest.skip("installed without the full-precision weights")
    return folder


@pytest.fixture(scope="module")
def mini(full: Path) -> Iterator[TransformersEngine]:
    with TransformersEngine(full, info=INFO, image_size=SIZE, device="cpu") as engine:
        yield engine


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a random Qwen3.5 of two layers, whose image size is left to its processor."""
    return make_checkpoint(tmp_path_factory.mktemp("tiny") / "model", "qwen3.5")


@pytest.fixture
def frame() -> Image:
    return np.random.default_rng(1).integers(0, 255, (90, 150), dtype=np.uint8)


FREE = [
    Prompt("free", text, max_tokens=limit)
    for text, limit in (("Say.", 40), ("What is the plane of this scan?", 9), ("Brain, CSP:", 25))
]


def texts(events: Sequence[Completion]) -> list[str]:
    return [e.text for e in events]


# ------------------------------------------------------------------ answers


def test_answers_have_their_form_and_say_what_made_them(
    mini: TransformersEngine, scan: Image, prompts
) -> None:
    events = list(mini.ask(scan, prompts))
    answers = completions(events)
    assert [a.prompt for a in answers] == [0, 1, 2, 3, 4]
    for prompt, answer in zip(prompts, answers, strict=True):
        form = form_for(prompt)
        assert form is not None
        assert answer.stop == "end"
        assert form.matches(answer.text.encode()), answer.text
        streamed = [e for e in events if isinstance(e, Token) and e.prompt == answer.prompt]
        assert tuple(streamed) == answer.tokens
        assert answer.seen == SIZE
        assert all(-60 < t.logprob <= 0 for t in answer.tokens)
    info = mini.info.model
    assert info.quantisation == "float32 on cpu"
    assert info.versions["torch"] == torch.__version__
    assert info.versions["transformers"] == transformers.__version__
    assert "peft" not in info.versions
    # The model decides how JSON is written, with the first token; some that follow are certain.
    assert not answers[2].tokens[0].forced
    assert any(t.forced for t in answers[2].tokens)
    assert not all(t.forced for t in answers[2].tokens)


def test_a_limit_is_told(mini: TransformersEngine, scan: Image, prompts) -> None:
    short = Prompt("segment", prompts[3].text, labels=CLASSES, max_tokens=7)
    (answer,) = completions(mini.ask(scan, [short]))
    assert (answer.stop, len(answer.tokens)) == ("limit", 7)


def test_a_frame_is_encoded_once_and_comes_back_later(
    full: Path, scans: list[Image], prompts, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []
    original = model_room.Model.see

    def see(self: Any, image: Image) -> Any:
        seen.append(image.shape)
        return original(self, image)

    monkeypatch.setattr(model_room.Model, "see", see)
    with TransformersEngine(full, info=INFO, image_size=SIZE, device="cpu") as engine:
        first = completions(engine.ask(scans[0], prompts[1:3]))
        again = completions(engine.ask(scans[0].copy(), prompts[1:3]))
        other = completions(engine.ask(scans[1], prompts[2:3]))
        back = completions(engine.ask(scans[0], prompts[1:3]))
    assert len(seen) == 2
    assert first[0].image_seconds > 0 == again[0].image_seconds
    assert [ids(a) for a in first] == [ids(a) for a in again] == [ids(a) for a in back]
    assert ids(other[0]) != ids(first[1])


def test_a_batch_is_exactly_its_answers_one_by_one(
    mini: TransformersEngine, scan: Image, prompts
) -> None:
    together = completions(mini.ask(scan, prompts))
    alone = [completions(mini.ask(scan, [p]))[0] for p in prompts]
    for one, other in zip(together, alone, strict=True):
        assert ids(one) == ids(other)
        np.testing.assert_allclose(
            [t.logprob for t in one.tokens], [t.logprob for t in other.tokens], atol=2e-4
        )


def test_forced_tokens_change_nothing_but_their_log_probability(
    mini: TransformersEngine, full: Path, scan: Image, prompts
) -> None:
    asked = completions(mini.ask(scan, prompts))
    with TransformersEngine(full, info=INFO, image_size=SIZE, device="cpu", forced=True) as engine:
        fed = completions(engine.ask(scan, prompts))
    for one, other in zip(asked, fed, strict=True):
        assert ids(one) == ids(other)
        assert [t.forced for t in one.tokens] == [t.forced for t in other.tokens]
    assert any(t.forced and t.logprob == 0.0 for t in fed[3].tokens)


def test_generate_of_transformers_gives_the_same_tokens(tiny: Path, frame: Image) -> None:
    """The whole way: pixels, patches, positions, prefix, rows of different length."""
    words = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tiny / "tokenizer.json"))
    model = transformers.Qwen3_5ForConditionalGeneration.from_pretrained(
        tiny, dtype=torch.float32, local_files_only=True
    ).eval()
    with TransformersEngine(tiny, info=INFO, device="cpu") as engine:
        answers = completions(engine.ask(frame, FREE))
        width, height = answers[0].seen or (0, 0)
        patches = engine._model.patching.cut(
            np.asarray(_stretched(frame, (width, height)), dtype=np.uint8)
        )
    down, across = height // 16, width // 16
    for prompt, answer in zip(FREE, answers, strict=True):
        marks = "<|vision_start|>" + "<|image_pad|>" * (down * across // 4) + "<|vision_end|>"
        text = (
            f"<|im_start|>user\n{marks}{prompt.text}<|im_end|>\n<|im_start|>assistant\n"
            "<think>\n\n</think>\n\n"
        )
        numbers = torch.tensor([words(text, add_special_tokens=False)["input_ids"]])
        found = model.generate(
            input_ids=numbers,
            attention_mask=torch.ones_like(numbers),
            pixel_values=torch.from_numpy(patches),
            image_grid_thw=torch.tensor([[1, down, across]]),
            mm_token_type_ids=(numbers == model.config.image_token_id).long(),
            max_new_tokens=prompt.max_tokens,
            do_sample=False,
            eos_token_id=list(engine._model.vocabulary.end_tokens),
            pad_token_id=0,
            output_logits=True,
            return_dict_in_generate=True,
        )
        said = found.sequences[0, numbers.shape[1] :].tolist()
        assert ids(answer) == [n for n in said if n not in engine._model.vocabulary.end_tokens]
        theirs = [
            float(row[0].log_softmax(0)[n]) for row, n in zip(found.logits, said, strict=True)
        ]
        mine = [t.logprob for t in answer.tokens]
        np.testing.assert_allclose(mine, theirs[: len(mine)], atol=1e-3)
    assert len({a.text for a in answers}) > 1


def _stretched(frame: Image, size: tuple[int, int]) -> Any:
    from PIL import Image as Pillow

    return Pillow.fromarray(frame).convert("RGB").resize(size, Pillow.Resampling.BICUBIC)


def test_rows_of_different_length_do_not_touch_each_other(tiny: Path, frame: Image) -> None:
    """A batch with rows that are joined, dropped and far apart in length, score by score."""
    with TransformersEngine(tiny, info=INFO, device="cpu") as engine:
        prefix, state = engine._encode("key", frame)
        model, position = engine._model, prefix.position
        said = [[5, 9, 300, 12, 77, 41], [8], [30, 31, 32], [100, 7, 7, 9, 11, 13, 17, 19, 23, 29]]
        after = [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]]

        def alone(i: int, steps: int) -> Any:
            rows = Rows(state, prefix.cells, 1)
            return model.read(rows, 0, said[i] + after[i][:steps], position)

        first_alone = alone(0, 0)
        rows = Rows(state, prefix.cells, 4)
        for i, tokens in enumerate(said):
            first = model.read(rows, i, tokens, position)
            np.testing.assert_allclose(first, alone(i, 0), atol=1e-4)
        kept = [0, 1, 2, 3]
        for step in range(3):
            scores = model.step(
                rows, [after[i][step] for i in kept], [position + len(said[i]) + step for i in kept]
            )
            for i, row in zip(kept, scores, strict=True):
                np.testing.assert_allclose(row, alone(i, step + 1), atol=1e-4)
            rows.drop(kept.index((1, 3, 0)[step]))
            kept.remove((1, 3, 0)[step])
        # and the prefix is as it was
        np.testing.assert_array_equal(first_alone, alone(0, 0))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_reads_a_scan(full: Path, scan: Image, prompts, dtype: str) -> None:
    with TransformersEngine(full, info=INFO, image_size=SIZE, device="cpu", dtype=dtype) as engine:
        view, boxes = completions(engine.ask(scan, prompts[1:3]))
        assert engine.info.model.quantisation == f"{dtype} on cpu"
    assert json.loads(view.text)["label"] in VIEWS
    assert {item["label"] for item in json.loads(boxes.text)} <= set(CLASSES)


def test_large_models_in_float32_answer_one_after_another_on_a_processor(
    tiny: Path, frame: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A product for a few rows costs there as much as one for each; elsewhere it does not."""
    from napari_fada.engines.transformers import session

    monkeypatch.setattr(session, "SMALL", 0)

    def order(**options: Any) -> list[int]:
        with TransformersEngine(tiny, info=INFO, device="cpu", threads=1, **options) as engine:
            return [e.prompt for e in engine.ask(frame, FREE) if isinstance(e, Token)]

    assert order() == sorted(order())
    for options in ({"batch": True}, {"dtype": "bfloat16"}):
        assert order(**options) != sorted(order(**options))


def test_chance_is_repeated_with_its_seed(tiny: Path, frame: Image) -> None:
    def said(seed: int) -> list[str]:
        with TransformersEngine(
            tiny, info=INFO, device="cpu", temperature=1.5, seed=seed
        ) as engine:
            return texts(completions(engine.ask(frame, FREE)))

    assert said(1) == said(1) != said(2)


# ------------------------------------------------------------------ parts


def test_patches_are_those_of_the_models_own_processor(full: Path) -> None:
    processor = transformers.Qwen2VLImageProcessorPil.from_pretrained(full)
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    whole = processor(images=[image], do_resize=False, return_tensors="np")
    patching = read_patching(full)
    np.testing.assert_allclose(patching.cut(image), whole["pixel_values"], atol=1e-6)
    assert tuple(whole["image_grid_thw"][0]) == (1, *patching.grid(image))


def test_the_vocabulary_is_the_one_llama_cpp_reads(full: Path, make_engine) -> None:
    other = make_engine()._model
    words = FolderVocabulary(full, other.vocabulary_size)
    assert [words.piece(i) for i in range(other.vocabulary_size)] == [
        other.piece(i) for i in range(other.vocabulary_size)
    ]
    assert words.end_tokens == other.end_tokens
    for text in ("Outline every instance of: Brain, CSP. 12 345é<|im_end|>", '[{"bbox_2d":[1,999'):
        assert words.tokenise(text.encode()) == other.tokenise(text.encode())
        assert words.tokenise(text.encode(), special=True) == other.tokenise(
            text.encode(), special=True
        )


def test_a_marker_in_a_question_is_only_text(mini: TransformersEngine) -> None:
    words = mini._model.vocabulary
    marker = words.tokenise(b"<|im_end|>", special=True)
    assert len(marker) == 1
    assert marker[0] not in words.tokenise(b"<|im_end|>")


@pytest.mark.parametrize("name", ["warp9", "cuda:7", "mps"])
def test_a_device_that_is_not_there(tiny: Path, name: str) -> None:
    with pytest.raises(EngineError, match=f"cannot compute on '{name}'.*cpu or auto"):
        TransformersEngine(tiny, info=INFO, device=name)


def test_a_precision_that_there_is_not(tiny: Path) -> None:
    with pytest.raises(EngineError, match="precision 'int3'"):
        TransformersEngine(tiny, info=INFO, device="cpu", dtype="int3")


# ------------------------------------------------------------------ cancel, turns, failures


class After:
    """Is set from the n-th look on."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_cancelled_before_while_seeing_and_while_writing(
    full: Path, scan: Image, prompts, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_fada.engines import brake

    monkeypatch.setattr(brake, "_INTERVAL", 0.0)
    with TransformersEngine(full, info=INFO, image_size=SIZE, device="cpu") as engine:
        whole = None
        for looks in (0, 3, 30, 60, 100, 200):
            done = completions(engine.ask(scan, prompts, cancel=After(looks)))
            assert [d.stop for d in done] == ["cancelled"] * 5
            if looks < 60:  # not beyond the image
                assert not any(d.tokens for d in done)
        assert any(d.tokens for d in done), "the last was cancelled while answers were written"
        whole = completions(engine.ask(scan, prompts))
        assert [d.stop for d in whole] == ["end"] * 5
        for part, answer in zip(done, whole, strict=True):
            assert answer.text.startswith(part.text)


def test_the_attention_of_an_image_is_looked_at_in_parts(
    full: Path, scan: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_fada.engines import brake
    from napari_fada.engines.transformers import attention

    looks: list[int] = []
    with TransformersEngine(full, info=INFO, image_size=SIZE, device="cpu") as engine:
        monkeypatch.setattr(brake.Brake, "sometimes", lambda _: bool(looks.append(1)))
        whole, before = engine.embed(scan), len(looks)
        monkeypatch.setattr(attention, "_PART", 16)
        parts = engine.embed(scan)
    layers, patches = 5, 144
    assert len(looks) - 2 * before == layers * (patches // 16 - 1)
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_an_answer_that_is_left_makes_room_for_the_next(
    mini: TransformersEngine, scan: Image, prompts
) -> None:
    left = mini.ask(scan, prompts)
    next(left)
    whole = completions(mini.ask(scan, prompts[1:2]))
    assert whole[0].stop == "end"
    with pytest.raises(EngineError, match="asked something else"):
        next(left)


def test_closed_twice_and_asked_no_more(tiny: Path, frame: Image) -> None:
    engine = TransformersEngine(tiny, info=INFO, device="cpu")
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.ask(frame, FREE)


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), "Memory ran out"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "Memory ran out"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "PyTorch failed while"),
    ],
)  # fmt: skip
def test_a_failure_is_told_and_the_engine_can_be_asked_again(
    mini: TransformersEngine, scan: Image, prompts, monkeypatch: pytest.MonkeyPatch,
    error: Exception, what: str,
) -> None:  # fmt: skip
    before = texts(completions(mini.ask(scan, prompts[1:3])))

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(mini._model, "_run", fail)
        with pytest.raises(EngineError, match=what):
            list(mini.ask(scan, prompts[1:3]))
    after = completions(mini.ask(scan, prompts[1:3]))
    assert texts(after) == before
    assert after[0].image_seconds > 0, "the memory of the prefix had been given back"


def test_questions_that_do_not_fit_are_refused(tiny: Path, frame: Image) -> None:
    with (
        TransformersEngine(tiny, info=INFO, device="cpu", n_ctx=128) as engine,
        pytest.raises(EngineError, match="the context holds 128"),
    ):
        list(engine.ask(frame, FREE))


# ------------------------------------------------------------------ adapters


def make_adapter(base: Path, folder: Path, *, seed: int = 3, safe: bool = True) -> Path:
    from peft import LoraConfig, get_peft_model

    model = transformers.Qwen3_5ForConditionalGeneration.from_pretrained(
        base, dtype=torch.float32, local_files_only=True
    )
    found = get_peft_model(model, LoraConfig(r=2, lora_alpha=4, target_modules="all-linear"))
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, weight in found.named_parameters():
            if ".lora_B." in name:
                weight.normal_(0.0, 0.2)
    found.save_pretrained(folder, safe_serialization=safe)
    return folder


@pytest.fixture(scope="module")
def adapter(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("peft")
    return make_adapter(tiny, tmp_path_factory.mktemp("lora") / "adapter")


def scores(engine: TransformersEngine, frame: Image) -> Any:
    prefix, state = engine._encode("key", frame)
    rows = Rows(state, prefix.cells, 1)
    return engine._model.read(rows, 0, [5, 6, 7], prefix.position)


def test_an_adapter_is_merged_or_applied_with_the_same_result(
    tiny: Path, adapter: Path, frame: Image
) -> None:
    found = {}
    for name, options in (
        ("plain", {}),
        ("merged", {"adapter": adapter}),
        ("applied", {"adapter": adapter, "merge": False}),
    ):
        with TransformersEngine(tiny, info=INFO, device="cpu", **options) as engine:
            found[name] = (scores(engine, frame), engine.embed(frame))
            assert ("peft" in engine.info.model.versions) == (name != "plain")
    for i in range(2):  # scores, and the image as it is seen: the vision tower has its share
        np.testing.assert_allclose(found["merged"][i], found["applied"][i], atol=2e-3)
        assert np.abs(found["merged"][i] - found["plain"][i]).max() > 0.05


def test_an_adapter_of_another_base(tmp_path: Path, tiny: Path, adapter: Path) -> None:
    from safetensors.torch import load_file, save_file

    other = shutil.copytree(adapter, tmp_path / "other")
    weights = load_file(other / "adapter_model.safetensors")
    wider = {k: torch.zeros(w.shape[0] + 2, w.shape[1]) for k, w in weights.items() if "_B." in k}
    save_file(weights | wider, other / "adapter_model.safetensors")
    with pytest.raises(EngineError, match="does not fit the base model"):
        TransformersEngine(tiny, info=INFO, device="cpu", adapter=other)
    # layers that the base does not have: peft would only warn
    save_file(
        {k.replace("layers.1", "layers.7"): w for k, w in weights.items()},
        other / "adapter_model.safetensors",
    )
    with pytest.raises(EngineError, match=r"weights for \d+ layers; those of \d+ were found"):
        TransformersEngine(tiny, info=INFO, device="cpu", adapter=other)
    (other / "adapter_model.safetensors").unlink()
    with pytest.raises(EngineError, match=r"no adapter_model\.safetensors"):
        TransformersEngine(tiny, info=INFO, device="cpu", adapter=other)


# ------------------------------------------------------------------ files


def _cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4000])


def _without_a_layer(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    save_file(
        {k: w for k, w in weights.items() if "layers.1" not in k},
        folder / "model.safetensors", metadata={"format": "pt"},
    )  # fmt: skip


def _configured(key: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))

    return change


def _removed(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _written(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text) and None


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (_cut, "cannot be read"),
        (_without_a_layer, "do not fit its config.json.*layers.1.*missing"),
        (_configured("architectures", ["GemmaForCausalLM"]), "architecture 'GemmaForCausalLM'"),
        (_configured("text_config", 5), "malformed"),
        (_removed("config.json"), "config.json is missing"),
        (_removed("model.safetensors"), "pickled weights could run code"),
        (_removed("tokenizer.json"), "no tokenizer.json"),
        (_written("tokenizer.json", "{}"), "cannot be read as a tokenizer"),
        (_removed("preprocessor_config.json"), "how images are processed"),
        (_written("preprocessor_config.json", "[]"), "how images are processed"),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(
    tiny: Path, tmp_path: Path, damage: Callable[[Path], None], what: str
) -> None:
    folder = shutil.copytree(tiny, tmp_path / "model")
    damage(folder)
    with pytest.raises(EngineError, match=what):
        TransformersEngine(folder, info=INFO, device="cpu")


def test_a_missing_shard(tiny: Path, tmp_path: Path) -> None:
    model = transformers.Qwen3_5ForConditionalGeneration.from_pretrained(tiny)
    folder = shutil.copytree(tiny, tmp_path / "model")
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="200KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 1
    shards[1].unlink()
    with pytest.raises(EngineError, match=shards[1].name):
        TransformersEngine(folder, info=INFO, device="cpu")


def test_pickled_weights_are_read_with_consent_only(
    tiny: Path, tmp_path: Path, frame: Image
) -> None:
    from safetensors.torch import load_file

    folder = shutil.copytree(tiny, tmp_path / "model")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(EngineError, match="allow_pickle=True"):
        TransformersEngine(folder, info=INFO, device="cpu")
    with TransformersEngine(folder, info=INFO, device="cpu", allow_pickle=True) as engine:
        mine = scores(engine, frame)
    with TransformersEngine(tiny, info=INFO, device="cpu") as engine:
        np.testing.assert_array_equal(mine, scores(engine, frame))
    # Even then only tensors are read: code in the file is not run.
    torch.save({"x": threading.Lock}, folder / "pytorch_model.bin")
    with pytest.raises(EngineError, match="more than tensors"):
        TransformersEngine(folder, info=INFO, device="cpu", allow_pickle=True)


def test_nothing_of_theirs_may_look_for_a_network(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables are set before the import; without a network the folder loads all the same."""
    import socket

    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    lib.library.cache_clear()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    TransformersEngine(tiny, info=INFO, device="cpu").close()
    assert os.environ["HF_HUB_OFFLINE"] == os.environ["TRANSFORMERS_OFFLINE"] == "1"


def test_torch_that_is_not_there(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(lib.importlib, "import_module", missing)
    lib.library.cache_clear()
    try:
        with pytest.raises(EngineError, match=r"pip install .*napari-fada\[torch\]"):
            TransformersEngine(tiny, info=INFO)
    finally:
        monkeypatch.undo()
        lib.library.cache_clear()
