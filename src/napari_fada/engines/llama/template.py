"""How a conversation is written out for the model.

The image stands in the first chunk and the text in the second, so that everything up to the
end of the image is the same for all prompts about one frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_fada.errors import EngineError

#: What stands for the image and for the question while a template is written out. A template may
#: change white space and letters beyond these, but leaves a word like this alone.
_IMAGE, _QUESTION = "IMAGE7f3a", "QUESTION7f3a"
#: What templates write for an image; llama.cpp puts its own marks in their place. The longest of
#: those that fit counts.
_PLACES = (
    "<|vision_start|><|image_pad|><|vision_end|>", "<|image_start|><image><|image_end|>",
    "<image>", "<start_of_image>", "<|image|>", "<IMG_CONTEXT>", "[IMG]",
)  # fmt: skip


@dataclass(frozen=True)
class ChatTemplate:
    """Text around the image and around the question.

    ``before`` ends where the image begins and ``after`` follows the question; the markers
    that enclose an image are put there by llama.cpp. ``between`` separates image and question.
    The defaults are the form of Qwen3.5 with thinking off: an empty thought stands before the
    answer.
    """

    before: str = "<|im_start|>user\n"
    after: str = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    between: str = ""

    def question(self, text: str) -> str:
        """Return what follows the image."""
        return self.between + text + self.after


QWEN = ChatTemplate()


def own_template(source: str) -> ChatTemplate:
    """Read the chat template that a model's file carries (Jinja, as transformers writes it).

    It is written out once with a mark for the image and one for the question, and what stands
    around them is kept. Thinking is turned off where the template knows of it.

    Raises
    ------
    EngineError
        If there is none, or it cannot be used.
    """
    if not source.strip():
        raise _unusable("carries no chat template")
    reason = ""
    question = {"type": "text", "text": _QUESTION}
    for content in (
        [{"type": "image"}, question],  # as the models were taught, where a template knows images
        _IMAGE + _QUESTION,
        [{"type": "text", "text": _IMAGE}, question],
    ):
        try:
            text = _render(source, content)
        except Exception as error:  # whatever a template of unknown origin runs into
            reason = f"{type(error).__name__}: {error}"
            continue
        if found := _around(text, (_IMAGE, *_PLACES)):
            return found
        reason = reason or "it leaves out the question or writes it twice"
    raise _unusable(f"carries a chat template that cannot be used ({reason[:200]})")


def _around(text: str, places: Sequence[str]) -> ChatTemplate | None:
    """Return what stands around one image and one question behind it, if that is so."""
    if text.count(_QUESTION) != 1:
        return None
    start, after = text.split(_QUESTION)
    for place in places:
        if start.count(place) == 1:
            before, between = start.split(place)
            return ChatTemplate(before, after, between)
    return None


def _render(source: str, content: Any) -> str:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise ValueError(message)

    # The file comes from anywhere: its template may compute, and touch nothing.
    room = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    room.globals.update(raise_exception=refuse, strftime_now=lambda _: "")
    return room.from_string(source).render(
        messages=[{"role": "user", "content": content}],
        add_generation_prompt=True,
        enable_thinking=False,
        # llama.cpp puts the token at the beginning where the vocabulary wants one.
        bos_token="",
        eos_token="",
        tools=None,
    )


def _unusable(why: str) -> EngineError:
    return EngineError(
        f"The text model {why}.",
        todo="Use a file that was converted together with its chat template.",
    )
