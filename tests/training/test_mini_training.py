"""Both stages run, resume, and lower their loss on a handful of phantoms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from napari_fada.training.convert import save_full  # noqa: E402
from napari_fada.training.generate import answer  # noqa: E402
from napari_fada.training.instruct import collate, instruct, shake  # noqa: E402
from napari_fada.training.losses import answer_loss  # noqa: E402
from napari_fada.training.model import FadaMini, ModelSize  # noqa: E402
from napari_fada.training.phantoms import SCENES  # noqa: E402
from napari_fada.training.pretrain import pretrain  # noqa: E402
from napari_fada.training.questions import about_view  # noqa: E402
from napari_fada.training.recipe import phantom_samples  # noqa: E402
from napari_fada.training.score import examine, summary  # noqa: E402
from napari_fada.training.text import TextSize  # noqa: E402
from napari_fada.training.tokenizer import tokenizer  # noqa: E402
from napari_fada.training.vision import VisionSize  # noqa: E402
from napari_fada.training.weights import read_full  # noqa: E402

SMALL = ModelSize(
    VisionSize(image=64, hidden=32, ffn=32, depth=1, heads=2, out=32),
    TextSize(tokenizer().get_vocab_size(), hidden=32, ffn=32, layers=("linear", "full"), heads=1,
             head=16, rotary=8, sections=(2, 1, 1), linear_heads=1, linear_head=16),
)  # fmt: skip


def test_two_steps_of_each_stage(tmp_path: Path) -> None:
    samples = phantom_samples(1, seed=3)
    assert {s.scene for s in samples} == set(SCENES)
    lines: list[str] = []
    vision, whole = tmp_path / "vision.pt", tmp_path / "whole.pt"
    for steps in (1, 2):
        pretrain(samples, samples[:3], vision, SMALL.vision, steps, batch=4, workers=0, every=1,
                 report=lines.append)  # fmt: skip
        model = instruct(samples, whole, vision, SMALL, steps, images=3, asked=2, workers=0,
                         every=1, report=lines.append)  # fmt: skip
    assert [line.split()[0] for line in lines] == ["1", "1", "2", "2"]
    figures = summary(examine(samples[:2], lambda s, t, c: answer(model, s, t, c, limit=4)))
    assert figures["phantom/classify"]["n"] == 2


def test_training_goes_on_from_the_weights_of_a_pack(tmp_path: Path) -> None:
    first = FadaMini(SMALL, seed=5)
    save_full(first, tmp_path / "full")
    start = read_full(tmp_path / "full", SMALL)
    assert torch.allclose(start.table(), first.table(), atol=2e-3)
    for name, value in first.state_dict().items():
        if not name.endswith("embed_basis"):  # slow waves can stand for each other
            assert torch.allclose(start.state_dict()[name], value, atol=2e-3), name
    assert start.vocabulary.embed_basis.abs().max() < 2 * first.vocabulary.embed_basis.abs().max()
    samples = phantom_samples(1, seed=3)[:4]
    lines: list[str] = []
    after = instruct(samples, tmp_path / "whole.pt", size=SMALL, steps=1, images=2, asked=2,
                     workers=0, every=1, rate=1e-4, start=start, report=lines.append)  # fmt: skip
    moved = [float((after.state_dict()[k] - v).abs().max()) for k, v in start.state_dict().items()]
    assert 0 < max(moved) < 0.05
    with pytest.raises(ValueError, match="no model of this size"):
        read_full(tmp_path / "full")
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        read_full(tmp_path)


def test_the_loss_is_least_at_the_truth() -> None:
    near, far = torch.full((1, 1200), -9.0), torch.full((1, 1200), -9.0)
    bell = -((torch.arange(1000) - 500.0) ** 2) / (2 * 5.0**2)
    near[0, :1000] = bell
    far[0, :1000] = bell.roll(60)
    target = torch.tensor([500])
    assert answer_loss(near, target, 5.0).total < 0.05
    assert answer_loss(far, target, 5.0).total > 1.0
    assert answer_loss(near, target, 5.0).error == 0


def test_only_numbers_are_shaken() -> None:
    rng = np.random.default_rng(0)
    shaken = shake([500, 1200, 3], rng, chance=1.0)
    assert shaken[1] == 1200
    assert shaken != [500, 1200, 3]
    assert min(shaken) >= 0


def test_targets_stand_where_they_are_predicted() -> None:
    sample = phantom_samples(1, seed=3)[0]
    q = about_view(sample)
    (group,) = collate([(0, q)], np.random.default_rng(0), 1)
    assert group.inputs.shape == (1, len(q.ask) + len(q.answer) - 1)
    assert group.targets.tolist() == list(q.answer)
    after_first = group.inputs.flatten()[group.places[1:]]
    assert after_first.tolist() == list(q.answer[:-1])
