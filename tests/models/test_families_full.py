"""The same weights through transformers and through the GGUF files, asked by our engine.

What is compared are the tokens and their log-probabilities, on a real scan: they agree only if
template, frame, tiles, marks and positions are those that the family's own code uses.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_fada.engines.llama.image import prepare
from napari_fada.engines.protocol import Completion, Prompt
from napari_fada.models import load_engine
from napari_fada.scans import open_scan

pytest.importorskip("llama_cpp")
torch = pytest.importorskip("torch")

TOKENS = 8
QUESTION = "Which view?"


@pytest.mark.parametrize("family", ["qwen2.5-vl", "qwen3-vl", "smolvlm"])
def test_the_same_as_transformers(
    tiny_model: Callable[[str], Path], data_dir: Path, family: str
) -> None:
    folder = tiny_model(family)
    frame = open_scan(data_dir / "hc18" / "images" / "443_HC.png").frame(0)
    engine: Any = load_engine(folder, hosted=False, threads=1, forced=False)
    try:
        *_, answer = engine.ask(frame, [Prompt("free", QUESTION, max_tokens=TOKENS)])
        template = engine._template
    finally:
        engine.close()
    assert isinstance(answer, Completion)
    assert answer.seen is not None
    pixels = prepare(frame, (answer.seen[1], answer.seen[0]))
    ids, logprobs = _transformers(folder / "full", pixels, template, family)
    assert [token.id for token in answer.tokens] == ids
    assert [token.logprob for token in answer.tokens] == pytest.approx(logprobs, abs=0.03)


def _transformers(
    folder: Path, pixels: np.ndarray, template: Any, family: str
) -> tuple[list[int], list[float]]:
    from transformers import AutoModelForImageTextToText, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    image, inputs = (_tiles if family == "smolvlm" else _patches)(folder, pixels)
    text = f"{template.before}{image}{template.question(QUESTION)}"
    ids = torch.tensor([tokenizer.encode(text)])
    if family != "smolvlm":
        inputs["mm_token_type_ids"] = (ids == model.config.image_token_id).int()
    with torch.no_grad():
        made = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=TOKENS,
            do_sample=False, output_scores=True, return_dict_in_generate=True, **inputs,
        )  # fmt: skip
    new = [int(token) for token in made.sequences[0, ids.shape[1] :]]
    scores = [row[0].log_softmax(-1) for row in made.scores]
    return new, [float(row[token]) for token, row in zip(new, scores, strict=True)]


def _patches(folder: Path, pixels: np.ndarray) -> tuple[str, dict[str, Any]]:
    from PIL import Image
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    processor = Qwen2VLImageProcessorPil.from_pretrained(folder)
    found = processor(images=[Image.fromarray(pixels)], return_tensors="pt")
    count = int(found["image_grid_thw"].prod()) // 4
    text = "<|vision_start|>" + "<|image_pad|>" * count + "<|vision_end|>"
    return text, {k: found[k] for k in ("pixel_values", "image_grid_thw")}


def _tiles(folder: Path, pixels: np.ndarray) -> tuple[str, dict[str, Any]]:
    from PIL import Image
    from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

    processor = SmolVLMImageProcessorPil.from_pretrained(folder)
    found = processor(
        images=[[Image.fromarray(pixels)]], return_tensors="pt", return_row_col_info=True
    )
    rows, columns = found["rows"][0][0], found["cols"][0][0]
    assert (rows, columns) == (3, 4)
    image, mark = "<image>" * 4, "<fake_token_around_image>"
    text = "".join(
        "".join(f"{mark}<row_{r + 1}_col_{c + 1}>{image}" for c in range(columns)) + "\n"
        for r in range(rows)
    )
    text += f"\n{mark}<global-img>{image}{mark}"
    return text, {k: found[k] for k in ("pixel_values", "pixel_attention_mask") if k in found}
