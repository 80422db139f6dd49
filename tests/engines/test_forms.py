"""The forms of answers: what they accept, what is certain, which tokens they allow."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fada.engines.forms import Form, TokenTable, forced_tokens, form_for
from napari_fada.engines.protocol import Prompt

CLASSES = ("head", "H", "V sign", "fetal_head")
DETECT = Prompt("detect", "", labels=CLASSES)
SEGMENT = Prompt("segment", "", labels=CLASSES)
KEYPOINTS = Prompt("keypoints", "", labels=CLASSES)
CLASSIFY = Prompt("classify", "", labels=CLASSES)
INTERPRET = Prompt("interpret", "", keys=("a", "b"))


def written(value: object, style: str = "compact") -> bytes:
    separators = (",", ":") if style == "compact" else (", ", ": ")
    return json.dumps(value, separators=separators, ensure_ascii=False).encode()


def form(prompt: Prompt, style: str = "compact") -> Form:
    found = form_for(prompt, style)  # type: ignore[arg-type]
    assert found is not None
    return found


def box(label: str = "head", **more: object) -> dict[str, object]:
    return {"bbox_2d": [0, 10, 999, 20], "label": label, **more}


OUTLINE = [[0, 0], [999, 5], [10, 400]]


@pytest.mark.parametrize("style", ["compact", "spaced", "auto"])
@pytest.mark.parametrize(
    ("prompt", "value"),
    [
        (DETECT, []),
        (DETECT, [box()]),
        (DETECT, [box(), box("V sign")]),
        (SEGMENT, [box(mask=OUTLINE)]),
        (SEGMENT, [box(mask=OUTLINE), box("H", mask=OUTLINE * 21)]),
        (KEYPOINTS, [box(keypoints=[[1, 2, 0], [3, 4, 2]])]),
        (CLASSIFY, {"label": "V sign"}),
        (INTERPRET, {"a": "x", "b": 'quoted "text", a \\ and µ – ☃ 🦴'}),
    ],
)
def test_accepts_what_json_writes(style: str, prompt: Prompt, value: object) -> None:
    ways = ["compact", "spaced"] if style == "auto" else [style]
    for way in ways:
        assert form(prompt, style).matches(written(value, way))


@pytest.mark.parametrize(
    ("prompt", "value"),
    [
        (DETECT, box()),
        (DETECT, [box("arm")]),
        (DETECT, [box("Head")]),
        (DETECT, [{"label": "head", "bbox_2d": [1, 2, 3, 4]}]),
        (DETECT, [{"bbox_2d": [1, 2, 3], "label": "head"}]),
        (DETECT, [{"bbox_2d": [1, 2, 3, 1000], "label": "head"}]),
        (DETECT, [{"bbox_2d": [1, 2, 3, -4], "label": "head"}]),
        (DETECT, [{"bbox_2d": [1, 2, 3, 0.5], "label": "head"}]),
        (DETECT, [box()] * 51),
        (SEGMENT, [box()]),
        (SEGMENT, [box(mask=OUTLINE[:2])]),
        (SEGMENT, [box(mask=[[1, 2]] * 65)]),
        (KEYPOINTS, [box(keypoints=[])]),
        (KEYPOINTS, [box(keypoints=[[1, 2, 3]])]),
        (CLASSIFY, {"label": "arm"}),
        (INTERPRET, {"b": "x", "a": "y"}),
        (INTERPRET, {"a": "x"}),
        (INTERPRET, {"a": "x", "b": ""}),
        (INTERPRET, {"a": "x", "b": "y" * 401}),
    ],
)
def test_refuses_anything_else(prompt: Prompt, value: object) -> None:
    assert not form(prompt).matches(written(value))


def test_bounds_are_reached() -> None:
    assert form(DETECT).matches(written([box()] * 50))
    assert form(SEGMENT).matches(written([box(mask=[[1, 2]] * 64)] * 50))
    assert form(INTERPRET).matches(written({"a": "x", "b": "ü" * 400}))


def test_leading_zeros_and_broken_utf8_are_refused() -> None:
    assert not form(DETECT).matches(b'[{"bbox_2d":[01,2,3,4],"label":"head"}]')
    assert form(INTERPRET).start.feed(b'{"a":"\xc3') is not None
    assert form(INTERPRET).start.feed(b'{"a":"\xc3(') is None
    assert form(INTERPRET).start.feed(b'{"a":"\xff') is None
    assert form(INTERPRET).start.feed(b'{"a":"line\nbreak') is None


def test_style_is_chosen_once() -> None:
    state = form(DETECT, "auto").start.feed(b'[{"bbox_2d": [1, 2, 3, 4')
    assert state is not None
    assert state.feed(b",") is None  # a fifth number
    assert state.feed(b'],"label"') is None
    assert state.feed(b'], "label": "h') is not None


def test_free_prompts_have_no_form() -> None:
    assert form_for(Prompt("free", "what?")) is None


def test_without_labels_any_name_may_be_given() -> None:
    assert form(Prompt("detect", "")).matches(written([box("a thing")]))


def test_certain_text() -> None:
    text, state = form(DETECT).start.certain()
    assert text == b"["
    assert state.allowed == set(b"{]")
    state = form(DETECT).start.feed(b'[{"bbox_2d":[1,2,3,999')
    assert state is not None
    assert state.certain()[0] == b'],"label":"'
    state = form(DETECT).start.feed(b'[{"bbox_2d":[1,2,3,99')
    assert state is not None
    assert state.certain()[0] == b""  # a third digit may come
    state = form(CLASSIFY).start.feed(b'{"label":"f')
    assert state is not None
    text, state = state.certain()
    assert text == b'etal_head"}'
    assert state.complete


PIECES = [b"", b"[", b"]", b"{", b'{"', b'[{"', b'":', b'":[', b'":["', b"bbox", b"_", b"2", b"d",
          b"label", b'"', b",", b'],"', b'":"', b'"}', b'"},{"', b"h", b"he", b"head", b"ead",
          b"H", b"0", b"1", b"12", b"99", b"]]", b" ", b"\xc3", b"\xbc"]  # fmt: skip


@given(st.lists(st.integers(0, 2**30), max_size=40), st.sampled_from([DETECT, SEGMENT, INTERPRET]))
@settings(deadline=None)
def test_legal_tokens_are_those_that_can_be_fed(choices: list[int], prompt: Prompt) -> None:
    table = TokenTable(PIECES)
    state = form(prompt).start
    for choice in choices:
        legal = sorted(table.legal(state).tolist())
        assert legal == [i for i, p in enumerate(PIECES) if p and state.feed(p) is not None]
        if not legal:
            break
        following = state.feed(PIECES[legal[choice % len(legal)]])
        assert following is not None
        state = following


def cut(text: bytes) -> list[int]:
    """Cut greedily into the longest pieces, as a stand-in for a tokeniser."""
    tokens = []
    while text:
        token = max((i for i, p in enumerate(PIECES) if p and text.startswith(p)),
                    key=lambda i: len(PIECES[i]))  # fmt: skip
        tokens.append(token)
        text = text[len(PIECES[token]) :]
    return tokens


def test_forced_tokens_stop_where_a_longer_token_could_reach_on() -> None:
    table = TokenTable(PIECES)
    after_brace = form(DETECT).start.feed(b"[{")
    assert after_brace is not None
    forced = forced_tokens(after_brace, table, cut)
    # The certain text is '"bbox_2d":['. '":["' cannot follow (a number must), so '":[' is safe.
    assert [PIECES[t] for t in forced] == [b'"', b"bbox", b"_", b"2", b"d", b'":[']
    # At the start '[' is certain, but the model may mean the longer token '[{"'.
    assert forced_tokens(form(DETECT).start, table, cut) == []
    ending = form(CLASSIFY).start.feed(b'{"label":"he')
    assert ending is not None
    assert [PIECES[t] for t in forced_tokens(ending, table, lambda _: [])] == []
