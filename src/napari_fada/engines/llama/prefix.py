"""The image prefix: encoded once, kept while its frame is in use, and brought back later.

Everything up to the end of the image is decoded into sequence 0, where nothing else ever is:
on models with recurrent layers a sequence can only be continued from its very end.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fada.engines.decoding import Piece
from napari_fada.engines.llama.context import Context
from napari_fada.engines.llama.library import last_words
from napari_fada.engines.llama.model import Model
from napari_fada.engines.llama.plan import BATCH
from napari_fada.engines.prefixes import Prefix
from napari_fada.engines.protocol import Image
from napari_fada.errors import EngineError

_IMAGE = 1


@dataclass(frozen=True)
class Chunk:
    """A text or an image of a prompt, as llama.cpp has cut it."""

    pointer: Any
    kind: int
    tokens: int


@contextmanager
def image_chunks(model: Model, before: str, image: Image) -> Iterator[list[Chunk]]:
    """Cut "text, image" into chunks, which live as long as the block.

    Raises
    ------
    EngineError
        If llama.cpp refuses the image, or has resized it.
    """
    media = model.lib.media
    height, width = image.shape[:2]
    text = before.encode() + media.mtmd_default_marker()
    data = image.tobytes()
    pixels = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
    bitmap = media.mtmd_bitmap_init(width, height, pixels)
    chunks = media.mtmd_input_chunks_init()
    try:
        last_words()
        wanted = media.mtmd_input_text(text, len(text), True, True)
        bitmaps = (media.mtmd_bitmap_p_ctypes * 1)(bitmap)
        code = media.mtmd_tokenize(model.media, chunks, ctypes.byref(wanted), bitmaps, 1)
        if code != 0:
            raise EngineError(
                f"llama.cpp cannot take the image of {width} × {height} "
                f"(code {code}; {last_words()})."
            )
        found = []
        for i in range(media.mtmd_input_chunks_size(chunks)):
            pointer = media.mtmd_input_chunks_get(chunks, i)
            kind = int(media.mtmd_input_chunk_get_type(pointer))
            found.append(Chunk(pointer, kind, int(media.mtmd_input_chunk_get_n_tokens(pointer))))
        yield found
    finally:
        media.mtmd_input_chunks_free(chunks)
        media.mtmd_bitmap_free(bitmap)


def text_tokens(model: Model, chunk: Chunk) -> list[int]:
    """Return the tokens of a text chunk.

    Raises
    ------
    EngineError
        If the vocabulary lacks a mark that the image part puts around images.
    """
    n = ctypes.c_size_t(0)
    pointer = model.lib.media.mtmd_input_chunk_get_tokens_text(chunk.pointer, ctypes.byref(n))
    tokens = [int(pointer[i]) for i in range(n.value)]
    if any(token < 0 for token in tokens):
        raise EngineError(
            "The text model does not know the marks that its image part puts around images.",
            todo="Use the text model and the mmproj that were made from the same model.",
        )
    return tokens


def encode_image(model: Model, chunk: Chunk) -> Any:
    """Run the vision tower and return its embeddings (valid until it runs again)."""
    media = model.lib.media
    last_words()
    code = media.mtmd_encode_chunk(model.media, chunk.pointer)
    if code != 0:
        raise EngineError(f"The vision tower failed (code {code}; {last_words()}).")
    return media.mtmd_get_output_embd(model.media)


def read_embeddings(model: Model, before: str, image: Image) -> npt.NDArray[np.float32]:
    """Return what the vision tower makes of an image, (tokens, width)."""
    width = int(model.lib.core.llama_model_n_embd(model.pointer))
    with image_chunks(model, before, image) as chunks:
        found = [
            np.ctypeslib.as_array(encode_image(model, chunk), (chunk.tokens, width)).copy()
            for chunk in chunks
            if chunk.kind == _IMAGE
        ]
    return np.concatenate(found)


def decode_image(
    model: Model, context: Context, chunk: Chunk, embeddings: Any, position: int
) -> int:
    """Decode an encoded image into sequence 0 and return the position after it.

    Raises
    ------
    EngineError
        If the image must be decoded in one piece and is too long for it.
    """
    media = model.lib.media
    if chunk.tokens > BATCH and media.mtmd_decode_use_non_causal(model.media, chunk.pointer):
        raise EngineError(
            f"The image takes {chunk.tokens} tokens that must be read at once; {BATCH} can be.",
            todo="Load the model with a smaller image_size.",
        )
    after = ctypes.c_int32(position)
    callback = media.mtmd_helper_post_decode_callback()
    context.check(
        media.mtmd_helper_decode_image_chunk(
            model.media,
            context.pointer,
            chunk.pointer,
            embeddings,
            position,
            0,
            BATCH,
            ctypes.byref(after),
            callback,
            None,
        )
    )
    return after.value


def decode_prefix(
    model: Model, context: Context, chunks: list[Chunk], key: str, encode: Any
) -> Prefix:
    """Decode the chunks of a prefix into an empty sequence 0.

    Parameters
    ----------
    model, context : Model, Context
        Where to.
    chunks : list of Chunk
        From :func:`image_chunks`.
    key : str
        What the prefix is called.
    encode : callable
        An image chunk to its embeddings.
    """
    position = 0
    tail: list[int] = []
    last = max(i for i, chunk in enumerate(chunks) if chunk.kind == _IMAGE)
    for i, chunk in enumerate(chunks):
        if chunk.kind == _IMAGE:
            position = decode_image(model, context, chunk, encode(chunk), position)
            continue
        tokens = text_tokens(model, chunk)
        if i > last:
            tail += tokens
        else:
            context.decode([Piece(0, position, tokens)], logits=False)
            position += len(tokens)
    cells = sum(chunk.tokens for chunk in chunks[: last + 1])
    return Prefix(key, cells, position, tuple(tail))
