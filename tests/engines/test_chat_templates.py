"""The chat template of a model's own file says what stands around image and question."""

from __future__ import annotations

import pytest

from napari_fada.engines.llama.template import own_template
from napari_fada.errors import EngineError

CHATML = (
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content "
    "+ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}"
)
PARTS = (
    "{{ bos_token }}{% for message in messages %}{{ message.role | capitalize }}: "
    "{% for part in message.content %}{% if part.type == 'text' %}{{ part.text | trim }} "
    "{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}Assistant:"
)


def test_a_template_for_text() -> None:
    found = own_template(CHATML)
    assert found.before == "<|im_start|>user\n"
    assert found.between == ""
    assert found.after == "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


def test_a_template_for_parts() -> None:
    found = own_template(PARTS)
    assert (found.before, found.between) == ("User: ", " ")
    assert found.question("What?") == " What? <end_of_utterance>\nAssistant:"


SMOL = (
    "<|im_start|>{% for m in messages %}{{ m['role'] | capitalize }}"
    "{% if m['content'][0]['type'] == 'image' %}:{% else %}: {% endif %}"
    "{% for line in m['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}<image>{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
QWEN_VL = (
    "<|im_start|>user\n{% for part in messages[0].content %}{% if part.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}"
    "<|im_end|>\n<|im_start|>assistant\n{{ '' }}"
)


@pytest.mark.parametrize(
    ("source", "before", "after"),
    [
        (SMOL, "<|im_start|>User:", "<end_of_utterance>\nAssistant:"),
        (QWEN_VL, "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"),
    ],
)
def test_a_template_that_knows_images(source: str, before: str, after: str) -> None:
    found = own_template(source)
    assert (found.before, found.between, found.after) == (before, "", after)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("", "no chat template"),
        ("{{ messages[0].role }}", "leaves out the question"),
        ("{% for x in %}", "TemplateSyntaxError"),
        ("{{ raise_exception('no images here') }}", "no images here"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "SecurityError"),
    ],
)
def test_a_template_that_cannot_be_used(source: str, why: str) -> None:
    with pytest.raises(EngineError, match=why):
        own_template(source)
