"""The tokens of a transformers folder, as bytes.

Read from ``tokenizer.json`` itself: transformers' own way of choosing a tokenizer by the model's
kind puts another splitter in place of the one that is in the file.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from napari_fada.engines.forms import TokenTable
from napari_fada.errors import EngineError

#: Tokens that end an answer whatever the configuration says (as llama.cpp has it).
_ENDS = (
    "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end|>", "</s>", "<|fim_pad|>", "<|repo_name|>",
    "<|file_sep|>",
)  # fmt: skip


def byte_letters() -> dict[str, int]:
    """Return what a byte-level vocabulary writes for each byte: itself if it can be printed.

    The others are moved up by 256, in order (GPT-2's way, which all such vocabularies share).
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(plain)]
    letters = {chr(byte): byte for byte in plain}
    letters.update({chr(256 + i): byte for i, byte in enumerate(others)})
    return letters


class FolderVocabulary:
    """Vocabulary and text splitter of a model's folder.

    Parameters
    ----------
    folder : Path
        Holds ``tokenizer.json``.
    size : int
        Rows of the model's output; those without a token are never chosen.
    ends : iterable of int
        Tokens that end an answer by the model's configuration.

    Raises
    ------
    EngineError
        If there is no tokenizer, or it is of another kind.
    """

    def __init__(self, folder: Path, size: int, ends: tuple[int, ...] = ()) -> None:
        from tokenizers import Tokenizer

        path = folder / "tokenizer.json"
        try:
            text = path.read_text(encoding="utf-8")
            self._plain = Tokenizer.from_str(text)
        except FileNotFoundError as error:
            raise EngineError(
                f"{folder} has no tokenizer.json.",
                todo="Copy the tokenizer files of the base model into it.",
            ) from error
        except Exception as error:  # tokenizers raises plain exceptions for files it cannot read
            raise EngineError(
                f"{path} cannot be read as a tokenizer ({str(error)[:200]}).",
                todo="Copy it again from the base model.",
            ) from error
        data: dict[str, Any] = json.loads(text)
        if data["model"].get("type", "BPE") != "BPE" or "ByteLevel" not in json.dumps(
            data.get("decoder")
        ):
            raise EngineError(
                f"The tokenizer in {folder.name} is not of the byte-level kind that the models of "
                "this architecture have."
            )
        # A marker inside a question is text: only the template may name control tokens.
        self._plain.encode_special_tokens = True
        self._special = Tokenizer.from_str(text)
        self._size = size
        added = data.get("added_tokens") or []
        self._control = {entry["id"] for entry in added if entry["special"]}
        self._written = {e["id"]: e["content"].encode() for e in added if not e["special"]}
        found = (self._special.token_to_id(text) for text in _ENDS)
        known = {*ends, *(n for n in found if n is not None and n in self._control)}
        self._ends = frozenset(n for n in known if 0 <= n < size)

    @cached_property
    def _pieces(self) -> list[bytes]:
        letters = byte_letters()
        pieces = [b""] * self._size
        for text, number in self._special.get_vocab(with_added_tokens=True).items():
            if number >= self._size or number in self._control:
                continue
            if number in self._written:
                pieces[number] = self._written[number]
            elif all(letter in letters for letter in text):
                pieces[number] = bytes(letters[letter] for letter in text)
        return pieces

    @cached_property
    def table(self) -> TokenTable:
        """The bytes of all tokens."""
        return TokenTable([b"" if i in self._ends else p for i, p in enumerate(self._pieces)])

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """All tokens that end an answer."""
        return tuple(sorted(self._ends))

    @property
    def splits_bytes(self) -> bool:
        """Whether text is cut into tokens without being changed."""
        return True

    def piece(self, token: int) -> bytes:
        """Return the bytes of a token; empty for control tokens."""
        return self._pieces[token]

    def ends(self, token: int) -> bool:
        """Whether a token ends the answer."""
        return token in self._ends

    def tokenise(self, text: bytes, *, special: bool = False) -> list[int]:
        """Cut text into tokens; ``special`` lets it name control tokens."""
        tokenizer = self._special if special else self._plain
        return list(tokenizer.encode(text.decode(), add_special_tokens=False).ids)
