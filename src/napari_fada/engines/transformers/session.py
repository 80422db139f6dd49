"""The engine: prompts about one frame, answered behind one shared image prefix."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fada.engines import hardware
from napari_fada.engines.brake import Aborted, Brake
from napari_fada.engines.decoding import Answer, Picker
from napari_fada.engines.forms import JsonStyle, form_for
from napari_fada.engines.images import check_image
from napari_fada.engines.llama.image import Picture, fingerprint, prepare
from napari_fada.engines.llama.plan import SAVED_FRAMES, SAVED_PREFIXES, SMALL
from napari_fada.engines.llama.template import QWEN, ChatTemplate
from napari_fada.engines.prefixes import Prefix, PrefixStore
from napari_fada.engines.protocol import Completion, EngineInfo, Image, Prompt, Token
from napari_fada.engines.transformers.library import device as find_device
from napari_fada.engines.transformers.library import library, precision
from napari_fada.engines.transformers.model import Model, check_folder
from napari_fada.engines.transformers.rows import Rows, size
from napari_fada.engines.transformers.weights import versions
from napari_fada.engines.turns import TurnEngine
from napari_fada.errors import EngineError


class TransformersEngine(TurnEngine):
    """A model in full precision, run by transformers.

    It answers as `napari_fada.engines.llama.LlamaEngine` does: the same pixels, the same chat
    form, the same forms of answers and the same rules of stopping.

    Parameters
    ----------
    folder : Path
        A transformers folder: the model, or the base of an adapter.
    info : EngineInfo
        What it is; precision, device and versions are filled in here.
    adapter : Path, optional
        A LoRA adapter that peft wrote.
    merge : bool
        Add the adapter to the weights when they are loaded. Otherwise it is computed beside
        them, which is slower.
    device : str
        ``auto`` (a graphics card where there is one), ``cpu``, ``cuda``, ``mps``.
    dtype : str
        ``auto`` (float32 on the processor, bfloat16 on a card), or a precision.
    image_size : int or (int, int), optional
        Side, or (width, height), that every frame is stretched to; without it, the folder's
        image processor decides.
    picture : Picture, optional
        How frames are fitted to the model, if not as its image processor says.
    image_tokens : int, optional
        Without an `image_size`: the most tokens that a frame may take.
    threads : int, optional
        Of PyTorch in this whole process. Default: one for a small model, else the physical cores.
    n_ctx : int, optional
        Tokens that image, question and answer may have together; default: as the model was made.
    batch : bool, optional
        Decode the answers of one call together. Default: yes, but for large models in float32 on
        the processor, where a product for a few rows costs as much as one for each.
    forced : bool, optional
        Read the tokens that the form of the answer leaves no choice about in one go. Default:
        for all but small models.
    style : {"auto", "compact", "spaced"}
        How the model writes JSON.
    template : ChatTemplate
        How a conversation is written.
    temperature, seed : float, int
        0 is greedy; above, tokens are drawn.
    allow_pickle : bool
        Read weights that are not safetensors, for files whose origin is trusted.

    Raises
    ------
    EngineError
        If PyTorch is missing, a file is missing or damaged, the model is of another
        architecture, the adapter of another base, or memory runs out.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        info: EngineInfo,
        adapter: Path | str | None = None,
        merge: bool = True,
        device: str = "auto",
        dtype: str = "auto",
        image_size: int | tuple[int, int] | None = None,
        picture: Picture | None = None,
        image_tokens: int | None = None,
        threads: int | None = None,
        n_ctx: int | None = None,
        batch: bool | None = None,
        forced: bool | None = None,
        style: JsonStyle = "auto",
        template: ChatTemplate | None = QWEN,
        temperature: float = 0.0,
        seed: int = 0,
        allow_pickle: bool = False,
    ) -> None:
        check_folder(Path(folder))
        torch = library().torch
        super().__init__(Brake())
        where = find_device(device)
        kind = precision(dtype, where)
        self._model = Model(
            Path(folder), adapter=None if adapter is None else Path(adapter), merge=merge,
            device=where, dtype=kind, allow_pickle=allow_pickle, brake=self._brake,
        )  # fmt: skip
        small = self._model.parameters < SMALL
        torch.set_num_threads(threads or (1 if small else max(1, hardware.cores().usable)))
        self._info = _completed(info, where, kind, adapter is not None)
        self._style, self._template = style, template or QWEN
        self._forced = not small if forced is None else forced
        slow = where.type == "cpu" and kind == torch.float32 and not small
        self._together = not slow if batch is None else batch
        self._temperature, self._seed = temperature, seed
        picture = picture or self._model.patching.picture
        if image_tokens is not None:
            picture = replace(picture, max_area=image_tokens * picture.step**2)
        self._picture = picture
        if isinstance(image_size, int):
            image_size = (image_size, image_size)
        self._size = None if image_size is None else (image_size[1], image_size[0])
        self._limit = n_ctx or self._model.trained_context
        self._current: tuple[Prefix, Any] | None = None
        self._store = PrefixStore[Any](SAVED_PREFIXES, SAVED_FRAMES, size)

    def _free(self) -> None:
        self._current = None
        self._store.clear()
        self._model.free()

    def embed(self, image: Image) -> npt.NDArray[np.float32]:
        """Return what the vision tower makes of a frame, (tokens, width)."""
        check_image(image)
        self._brake.hold(None)
        seen = self._model.see(prepare(image, self._target(image)))
        return np.asarray(seen.float().cpu().numpy(), dtype=np.float32)

    def _events(self, image: Image, prompts: Sequence[Prompt]) -> Iterator[Token | Completion]:
        height, width = self._target(image)
        seen = (width, height)
        answers = [
            Answer(
                i, prompt, form_for(prompt, self._style, self._info.convention, seen),
                # A source of chance for each answer: how they are interleaved changes nothing.
                Picker(self._model.vocabulary, self._temperature, self._seed + i),
                question=self._question(prompt), force=self._forced, seen=seen,
            )
            for i, prompt in enumerate(prompts)
        ]  # fmt: skip
        groups = [answers] if self._together and answers else [[a] for a in answers]
        try:
            if answers and not self._brake.check():
                (prefix, state), seconds = self._enter(image, max(a.cells for a in answers))
                answers[0].image_seconds = seconds
                for group in groups:
                    yield from self._answer(group, prefix, state)
        except Aborted:
            pass  # The unfinished answers are told below.
        except EngineError:
            # Whatever the reason, the memory that the prefixes take may be missing elsewhere.
            self._current = None
            self._store.clear()
            self._model.forget()
            raise
        for answer in answers:
            if not answer.told:
                yield answer.completion()

    def _target(self, image: Image) -> tuple[int, int]:
        """Return the height and width that a frame is stretched to."""
        return self._size or self._picture.size(*image.shape[:2])

    def _question(self, prompt: Prompt) -> list[int]:
        """Return the tokens behind the image; markers are recognised in the template only."""
        words = self._model.vocabulary
        return [
            *words.tokenise((self._template.between + prompt.text).encode()),
            *words.tokenise(self._template.after.encode(), special=True),
        ]

    def _enter(self, image: Image, cells: int) -> tuple[tuple[Prefix, Any], float]:
        """Return the prefix of a frame and its state, and the seconds that it took."""
        key = fingerprint(image)
        if self._current is None or self._current[0].key != key:
            began = time.perf_counter()
            if self._current is not None:
                self._store.put(*self._current)
                self._current = None
            self._current = self._store.get(key) or self._encode(key, image)
            self._fit(self._current[0], cells)
            return self._current, time.perf_counter() - began
        self._fit(self._current[0], cells)
        return self._current, 0.0

    def _fit(self, prefix: Prefix, cells: int) -> None:
        if prefix.cells + cells > self._limit:
            raise EngineError(
                f"The image and a question need {prefix.cells + cells} tokens; the context holds "
                f"{self._limit}.",
                todo="Ask for fewer tokens at once, or load the model with a larger n_ctx.",
            )

    def _encode(self, key: str, image: Image) -> tuple[Prefix, Any]:
        stretched = prepare(image, self._target(image))
        down, across = self._model.patching.grid(stretched)
        merge = self._model.patching.merge
        before, behind = self._model.around(self._template)
        embeddings = self._model.see(stretched)
        if self._brake.check():
            raise Aborted
        state, position = self._model.read_prefix(
            before, embeddings, (down // merge, across // merge)
        )
        cells = len(before) + len(embeddings)
        return Prefix(key, cells, position, tuple(behind)), state

    def _answer(
        self, group: list[Answer], prefix: Prefix, state: Any
    ) -> Iterator[Token | Completion]:
        """Decode the answers of a group until all have stopped."""
        rows = Rows(state, prefix.cells, len(group))
        active = list(group)
        for answer in group:
            yield from answer.begin(0, prefix)
        yield from self._finished(active, rows)
        while active:
            # Whoever has several tokens to read catches up alone; then there is a step for all.
            for row, answer in enumerate(active):
                while not answer.stop and len(answer.pending) > 1:
                    self._look()
                    start, tokens = answer.position, list(answer.pending)
                    answer.absorb(self._model.read(rows, row, tokens, start))
                    yield from answer.news()
            yield from self._finished(active, rows)
            if not active:
                break
            self._look()
            tokens = [answer.pending[0] for answer in active]
            scores = self._model.step(rows, tokens, [answer.position for answer in active])
            for answer, row_scores in zip(active, scores, strict=True):
                answer.absorb(row_scores)
            for answer in active:
                yield from answer.news()
            yield from self._finished(active, rows)

    def _look(self) -> None:
        if self._brake.check():
            raise Aborted

    @staticmethod
    def _finished(active: list[Answer], rows: Rows) -> Iterator[Completion]:
        """Tell the answers that have stopped, and give up their rows."""
        for row in reversed(range(len(active))):
            if active[row].stop:
                rows.drop(row)
                yield active.pop(row).completion()


def _completed(info: EngineInfo, device: Any, dtype: Any, adapter: bool) -> EngineInfo:
    """Say with what precision, where and by which versions is computed."""
    model = replace(
        info.model,
        quantisation=f"{str(dtype).removeprefix('torch.')} on {device.type}",
        versions={**info.model.versions, **versions(adapter)},
    )
    return replace(info, model=model)
