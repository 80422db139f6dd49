"""The lean forward pass is the published architecture's, and training learns."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from napari_fada.training.model import FadaMini, ModelSize, pick_states, to_transformers  # noqa: E402
from napari_fada.training.prompts import BEFORE_ANSWER, BEFORE_IMAGE, question  # noqa: E402
from napari_fada.training.tokenizer import encode, token_id  # noqa: E402


@pytest.fixture(scope="module")
def model() -> FadaMini:
    torch.manual_seed(3)
    made = FadaMini(ModelSize(), seed=3)
    for p in made.parameters():
        if p.ndim == 1:
            p.data += 0.1 * torch.randn_like(p)
    return made.eval()


def test_logits_equal_those_of_transformers(model: FadaMini) -> None:
    other = to_transformers(model)
    side = model.size.vision.image
    image = torch.rand(1, side, side) * 2 - 1
    text = "<|vision_end|>" + question("detect", ("Brain", "CSP", "LV")) + BEFORE_ANSWER
    ids = encode(text + '[{"bbox_2d":[12,340,999,7],"label":"Brain"}]')
    before = encode(BEFORE_IMAGE)
    n = model.size.vision.tokens
    whole = torch.tensor([[*before, *([token_id("<|image_pad|>")] * n), *ids]])
    patches = model.visual.patches(image)[0]
    pixels = patches[:, None].expand(-1, 6, -1).reshape(patches.shape[0], -1)
    grid = model.size.vision.grid
    with torch.no_grad():
        theirs = other(
            input_ids=whole,
            pixel_values=pixels,
            image_grid_thw=torch.tensor([[1, grid, grid]]),
            mm_token_type_ids=(whole == token_id("<|image_pad|>")).int(),
        ).logits[0, len(before) + n + 1 :]
        table = model.table()
        states = model.read_image(model.visual(image), table)
        hidden, _ = model.go_on(torch.tensor([ids[1:]]), states, table)
        mine = (hidden @ table.T)[0]
    assert (mine - theirs).abs().max() < 1e-4 * max(1.0, float(theirs.abs().max()))


def test_a_state_can_be_continued_token_by_token(model: FadaMini) -> None:
    side = model.size.vision.image
    ids = torch.tensor([encode(question("classify") + BEFORE_ANSWER + '{"label":"X sign"}')] * 2)
    with torch.no_grad():
        table = model.table()
        states = model.read_image(model.visual(torch.rand(1, side, side)), table)
        states = pick_states(states, torch.tensor([0, 0]))
        whole, _ = model.go_on(ids, states, table)
        parts = []
        for i in range(ids.shape[1]):
            hidden, states = model.go_on(ids[:, i : i + 1], states, table, done=i)
            parts.append(hidden)
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-4)
