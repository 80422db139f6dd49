"""Every family of models writes places in its own numbers; all of them become one grid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fada.engines.conventions import CONVENTIONS, Convention
from napari_fada.engines.forms import form_for
from napari_fada.engines.forms.machine import Form
from napari_fada.engines.forms.numbers import padded, up_to
from napari_fada.engines.protocol import Prompt
from napari_fada.errors import ModelError
from napari_fada.pipeline.answers import parse_answer

SEEN = (1148, 504)
DETECT = Prompt("detect", "Find every instance of: Brain.", labels=("Brain",))


@given(st.integers(0, 20_000), st.integers(0, 30_000))
def test_whole_numbers_up_to_a_bound(highest: int, number: int) -> None:
    form = Form(up_to(highest))
    assert form.matches(str(number).encode()) == (number <= highest)
    assert not form.matches(b"0" + str(number).encode())
    assert Form(padded(min(highest, 9999))).matches(f"{number:04d}".encode()) == (
        number <= min(highest, 9999)
    )


def answers(name: str) -> dict[str, bool]:
    """Return answers, and whether the form of a convention allows them."""
    return {
        "0-1000": {
            '[{"bbox_2d":[10,20,999,40],"label":"Brain"}]': True,
            '[{"bbox_2d":[10,20,1001,40],"label":"Brain"}]': False,
        },
        "0-1000-yx": {'[{"box_2d":[10,20,300,999],"label":"Brain"}]': True},
        "pixels": {
            '[{"bbox_2d":[0,20,1148,504],"label":"Brain"}]': True,
            '[{"bbox_2d":[0,20,1149,504],"label":"Brain"}]': False,
            '[{"bbox_2d":[0,20,1148,505],"label":"Brain"}]': False,
        },
        "0-1": {
            '[{"bbox":[0,0.25,0.5,1],"label":"Brain"}]': True,
            '[{"bbox":[0,0.25,1.5,1],"label":"Brain"}]': False,
        },
        "loc": {
            "<loc0000><loc0512><loc1023><loc0768> Brain": True,
            "<loc0000><loc0512><loc1024><loc0768> Brain": False,
            "": True,
        },
    }[name]


KEYS = {"0-1000-yx": "box_2d", "0-1": "bbox"}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_form_allows_what_the_convention_can_say(name: str) -> None:
    convention = Convention.named(name, KEYS.get(name, "bbox_2d"))
    form = form_for(DETECT, "compact", convention, SEEN)
    assert form is not None
    assert {text: form.matches(text.encode()) for text in answers(name)} == answers(name)


@pytest.mark.parametrize(
    ("name", "text", "box"),
    [
        ("0-1000", '[{"bbox_2d":[250,500,500,750],"label":"Brain"}]', (250, 500, 500, 750)),
        ("0-1000-yx", '[{"box_2d":[500,250,750,500],"label":"Brain"}]', (250, 500, 500, 750)),
        ("pixels", '[{"bbox_2d":[287,252,574,378],"label":"Brain"}]', (250, 500, 500, 750)),
        ("0-1", '[{"bbox":[0.25,0.5,0.5,0.75],"label":"Brain"}]', (250, 500, 500, 750)),
        ("loc", "<loc0512><loc0256><loc0768><loc0512> Brain ; ", (250, 500, 500, 750)),
    ],
)
def test_an_answer_becomes_the_one_grid(
    name: str, text: str, box: tuple[float, float, float, float]
) -> None:
    answer = parse_answer(text, "detect", convention=Convention.named(name), seen=SEEN)
    assert answer.readable
    assert not answer.problems
    (item,) = answer.items
    assert item.label == "Brain"
    assert item.bbox == pytest.approx(box)


def test_outlines_and_points_follow_the_convention() -> None:
    text = '[{"box_2d":[0,0,500,250],"label":"Brain","mask":[[0,0],[0,250],[500,250]]}]'
    swapped = Convention.named("0-1000-yx", "box_2d")
    (item,) = parse_answer(text, "segment", convention=swapped).items
    assert item.mask == ((0, 0), (250, 0), (250, 500))
    text = '[{"bbox_2d":[0,0,574,252],"label":"CRL_KP","keypoints":[[574,252,2]]}]'
    pixels = Convention.named("pixels")
    (item,) = parse_answer(text, "keypoints", convention=pixels, seen=SEEN).items
    assert item.keypoints == ((500, 500, 2),)


def test_beyond_the_image_is_clipped_and_said() -> None:
    text = '[{"bbox_2d":[0,0,2296,252],"label":"Brain"}]'
    answer = parse_answer(text, "detect", convention=Convention.named("pixels"), seen=SEEN)
    assert answer.items[0].bbox == (0, 0, 1000, 500)
    assert any("clipped" in problem for problem in answer.problems)


def test_loc_answers_that_say_nothing_or_nonsense() -> None:
    loc = Convention.named("loc")
    assert parse_answer("  ", "detect", convention=loc).readable
    broken = parse_answer("<loc0001><loc0002> Brain", "detect", convention=loc)
    assert not broken.readable


def test_an_unknown_convention_is_named() -> None:
    with pytest.raises(ModelError, match=r"polar.*0-1000"):
        Convention.named("polar")


@given(
    st.sampled_from([n for n in CONVENTIONS if n != "loc"]),
    st.tuples(*[st.integers(0, 1000)] * 2),
)
def test_there_and_back(name: str, point: tuple[int, int]) -> None:
    convention = Convention.named(name)
    wide, high = convention.span(SEEN)
    x, y = point[0] * wide / 1000, point[1] * high / 1000
    first, second = (x, y) if convention.order == "xy" else (y, x)
    assert convention.to_grid(first, second, SEEN) == pytest.approx(point)
