"""Models of several families, tiny and with random weights, from their files to a reading.

They are converted by llama.cpp's own converter (see ``tiny_models``), so what is tested is the
whole way: recognised from the files, asked in their template and their numbers, read as ours.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_fada.cli import app
from napari_fada.engines.forms import form_for
from napari_fada.engines.protocol import Completion, Engine, Prompt
from napari_fada.errors import EngineError
from napari_fada.models import load_engine
from napari_fada.models.pack import pack_from_files
from napari_fada.pipeline import read_frame
from napari_fada.pipeline.answers import parse_answer
from napari_fada.scans import Scan, open_scan

pytest.importorskip("llama_cpp")

TinyModel = Callable[[str], Path]
FAMILIES = ("qwen2.5-vl", "qwen3-vl", "smolvlm")
DETECT = Prompt("detect", "Find every instance of: Brain, CSP.", labels=("Brain", "CSP"))


@pytest.fixture(scope="session")
def scan(data_dir: Path) -> Scan:
    return open_scan(data_dir / "hc18" / "images" / "443_HC.png")


def completion(engine: Engine, image: np.ndarray, prompt: Prompt) -> Completion:
    *_, last = engine.ask(image, [prompt])
    assert isinstance(last, Completion)
    return last


def copy(model: Path, to: Path) -> Path:
    to.mkdir()
    for file in model.glob("*.gguf"):
        shutil.copy2(file, to / file.name)
    return to


def test_a_reading_through_the_command(
    tiny_model: TinyModel, data_dir: Path, tmp_path: Path
) -> None:
    scan = data_dir / "hc18" / "images" / "443_HC.png"
    for family in FAMILIES:
        out = tmp_path / family
        command = ["run", str(scan), "--model", str(tiny_model(family)), "--out", str(out)]
        result = CliRunner().invoke(app, command)
        # 1: a random model may write a box without any width, which counts as failed.
        assert result.exit_code in (0, 1), result.output
        reading = json.loads((out / "443_HC.fada.json").read_text())
        states = {phase: r["state"] for phase, r in reading["phases"].items()}
        assert (states["interpret"], states["classify"], states["map"]) == ("done",) * 3
        assert reading["model"]["versions"]["profile"] == family
        assert reading["model"]["prompt_set"] == "napari-fada-general-1"
        # None of them draws outlines, and one gives no boxes either; it is said, not empty.
        assert states["segment"] == "skipped"
        assert "outlines" in str(reading["phases"]["segment"]) or family == "smolvlm"
        if family == "smolvlm":
            assert states["detect"] == "skipped"
            assert "no places" in str(reading["phases"]["detect"]["problems"])
        else:
            assert reading["phases"]["detect"]["raw"].startswith("[")


@pytest.mark.parametrize("family", FAMILIES)
def test_all_five_phases_of_a_model_that_was_taught_our_classes(
    tiny_model: TinyModel, family: str, tmp_path: Path, scan: Scan
) -> None:
    folder = copy(tiny_model(family), tmp_path / "p")
    pack = replace(pack_from_files(next(folder.glob("text.gguf"))), classes=("Brain", "CSP"))
    (folder / "pack.json").write_text(json.dumps(pack.to_dict()))
    engine = load_engine(folder, threads=1, temperature=1.0, seed=3)
    try:
        reading = read_frame(engine, scan, classes=_classes(("Brain", "CSP")))
        for phase in ("interpret", "classify", "map"):
            assert reading.phases[phase].state == "done", (phase, reading.phases[phase])
        for phase in ("detect", "segment"):
            result = reading.phases[phase]
            assert result.state != "skipped", result
            assert result.tokens > 0
            assert not any("no structure could be read" in p for p in result.problems)
    finally:
        engine.close()


def _classes(names: tuple[str, ...]):  # type: ignore[no-untyped-def]
    from napari_fada.records.reading import Mapping

    return Mapping(names, names, "chosen")


def test_pixels_of_the_image_that_the_model_sees(tiny_model: TinyModel) -> None:
    """Qwen2.5-VL counts pixels of the stretched image, here up to 1,036 × 700."""
    image = np.zeros((690, 1040, 3), dtype=np.uint8)
    image[200:400, 300:700] = 200
    beyond = 0
    engine = load_engine(tiny_model("qwen2.5-vl"), hosted=False, threads=1, temperature=1.5, seed=1)
    try:
        for seed in range(6):
            prompt = replace(DETECT, text=f"{DETECT.text} {seed}", max_tokens=600)
            answer = completion(engine, image, prompt)
            assert answer.seen == (1036, 700)
            convention = engine.info.convention
            form = form_for(prompt, "auto", convention, answer.seen)
            assert form is not None
            if answer.stop == "end":
                assert form.matches(answer.text.encode())
            parsed = parse_answer(answer.text, "detect", convention=convention, seen=answer.seen)
            written = [o for o in _objects(answer.text) if len(o["bbox_2d"]) == 4]
            for item, raw in zip(parsed.items, written, strict=False):
                x1, y1, x2, y2 = raw["bbox_2d"]
                assert max(x1, x2) <= 1036
                assert max(y1, y2) <= 700
                xs, ys = sorted((x1, x2)), sorted((y1, y2))
                expected = (xs[0] / 1.036, ys[0] / 0.7, xs[1] / 1.036, ys[1] / 0.7)
                assert item.bbox == pytest.approx(expected)
                beyond += max(item.bbox) > 700
        assert beyond, "no box reached far enough to tell the conventions apart"
    finally:
        engine.close()


def _objects(text: str) -> list[dict[str, list[int]]]:
    whole = text if text.endswith("]") else text[: text.rfind("},") + 1] + "]"
    return json.loads(whole) if whole.startswith("[{") else []


def test_tiles_are_one_prefix(tiny_model: TinyModel, scan: Scan) -> None:
    """SmolVLM cuts a frame into tiles with text between; the second question pays for none."""
    engine = load_engine(tiny_model("smolvlm"), hosted=False, threads=1)
    try:
        prompt = Prompt("classify", "Which view?", labels=("Brain", "CSP"))
        image = scan.frame(0)
        first = completion(engine, image, prompt)
        again = completion(engine, image, prompt)
        assert first.image_seconds > 0
        assert again.image_seconds == 0
        assert again.text == first.text
        other = np.ascontiguousarray(image[::-1])
        completion(engine, other, prompt)
        back = completion(engine, image, prompt)
        assert [t.logprob for t in back.tokens] == pytest.approx(
            [t.logprob for t in first.tokens], abs=1e-4
        )
    finally:
        engine.close()


def test_a_profile_can_be_overridden(tiny_model: TinyModel) -> None:
    engine = load_engine(tiny_model("qwen3-vl"), hosted=False, threads=1, profile="qwen2.5-vl")
    try:
        assert engine.info.convention.name == "pixels"
        assert engine.info.model.versions["profile"] == "qwen2.5-vl"
    finally:
        engine.close()


def test_a_profile_that_there_is_not(tiny_model: TinyModel, tmp_path: Path) -> None:
    model = str(tiny_model("qwen3-vl"))
    scan = tmp_path / "scan.png"
    scan.write_bytes(b"not looked at")
    command = ["run", str(scan), "--model", model, "--out", str(tmp_path / "o")]
    result = CliRunner().invoke(app, [*command, "--profile", "llava"])
    assert result.exit_code == 3
    assert "no model profile 'llava'" in result.output
    assert "qwen2.5-vl" in result.output


def test_a_model_without_a_chat_template_is_refused_with_a_reason(tiny_model: TinyModel) -> None:
    with pytest.raises(EngineError, match="no chat template"):
        load_engine(tiny_model("qwen3-vl"), hosted=False, threads=1, profile="smolvlm")


def test_forms_hold_over_a_sentencepiece_vocabulary(tiny_model: TinyModel, scan: Scan) -> None:
    """Gemma 3 has such a vocabulary, and image tokens that see each other."""
    engine = load_engine(tiny_model("gemma-3"), hosted=False, threads=1)
    try:
        assert engine.info.model.versions["profile"] == "gemma-3"
        image = scan.frame(0)
        prompts = [
            Prompt("classify", "Which view?", labels=("BPD_PLANE", "V sign")),
            Prompt("interpret", "Read it.", keys=("image_quality", "imaging_plane")),
        ]
        for prompt in prompts:
            answer = completion(engine, image, prompt)
            assert answer.seen == (128, 128)
            form = form_for(prompt)
            assert form is not None
            if answer.stop == "end":
                assert form.matches(answer.text.encode())
            else:
                assert form.start.feed(answer.text.encode()) is not None
    finally:
        engine.close()
