"""How a conversation is written out for the model.

The image stands in the first chunk and the text in the second, so that everything up to the
end of the image is the same for all prompts about one frame.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ChatTemplate:
    """Text around the image and around the question.

    ``before`` ends where the image begins and ``after`` follows the question; the markers
    that enclose an image are put there by llama.cpp. The defaults are the form of Qwen3.5
    with thinking off: an empty thought stands before the answer.
    """

    before: str = "<|im_start|>user\n"
    after: str = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"

    def question(self, text: str) -> str:
        """Return what follows the image."""
        return text + self.after


QWEN = ChatTemplate()
