"""The engine: prompts about one frame, answered behind one shared image prefix."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_fada.engines.brake import Aborted, Brake
from napari_fada.engines.decoding import Answer, Picker
from napari_fada.engines.forms import JsonStyle, form_for
from napari_fada.engines.images import check_image
from napari_fada.engines.llama.context import Context
from napari_fada.engines.llama.image import Picture, prepare
from napari_fada.engines.llama.lanes import Lanes
from napari_fada.engines.llama.library import version
from napari_fada.engines.llama.model import Model
from napari_fada.engines.llama.plan import SAVED_PREFIXES, Plan
from napari_fada.engines.llama.prefix import read_embeddings
from napari_fada.engines.llama.template import QWEN, ChatTemplate, own_template
from napari_fada.engines.llama.workspace import Workspace
from napari_fada.engines.prefixes import Prefix
from napari_fada.engines.protocol import Completion, EngineInfo, Image, Prompt, Token
from napari_fada.engines.turns import TurnEngine
from napari_fada.errors import EngineError

#: Above this many tokens, or where one step takes this long, a decode can be interrupted.
_WATCH_TOKENS, _WATCH_SECONDS = 16, 0.1
_QWEN_PICTURE = Picture()


def engine_versions() -> dict[str, str]:
    """Return the versions that belong into the provenance of an answer."""
    return {"llama-cpp-python": version("llama-cpp-python")}


class LlamaEngine(TurnEngine):
    """A model pack run by llama.cpp.

    Parameters
    ----------
    text_gguf, vision_gguf : Path
        The two files of the pack.
    info : EngineInfo
        What they are.
    image_size : int or (int, int), optional
        Side, or (width, height), that every frame is stretched to; without it, ``picture``
        decides by the frame.
    image_tokens : int, optional
        Without an `image_size`: the most tokens that a frame may take (default 2,048); a
        larger frame is reduced to that.
    picture : Picture
        How frames are fitted to the model; default: as the Qwen-VL processor does.
    threads : int, optional
        Default: one for a small model, else the physical cores (see `plan`).
    n_ctx : int, optional
        Cells of the context; default: as many as the questions need.
    gpu_layers : int
        Layers on the graphics card, -1 for all.
    batch : bool, optional
        Decode the answers of one call together. Default: on a graphics card or with many
        cores.
    lanes : int, optional
        Where they are not decoded together: how many are decoded at the same time, each in a
        context of its own on a share of the threads. Default: two, or one on a single thread.
    forced : bool, optional
        Feed the tokens that the form of the answer leaves no choice about in batches. Faster,
        but rounded differently: where two tokens are almost equally probable, the other one
        may win. Default: for all but small models, which are fast without.
    style : {"auto", "compact", "spaced"}
        How the model writes JSON.
    template : ChatTemplate, optional
        How a conversation is written; None takes the chat template in the text model's file.
    temperature, seed : float, int
        0 is greedy; above, tokens are drawn.

    Raises
    ------
    EngineError
        If the files cannot be loaded.
    """

    def __init__(
        self,
        text_gguf: Path | str,
        vision_gguf: Path | str,
        *,
        info: EngineInfo,
        image_size: int | tuple[int, int] | None = None,
        picture: Picture = _QWEN_PICTURE,
        image_tokens: int | None = None,
        threads: int | None = None,
        n_ctx: int | None = None,
        gpu_layers: int = 0,
        batch: bool | None = None,
        lanes: int | None = None,
        forced: bool | None = None,
        style: JsonStyle = "auto",
        template: ChatTemplate | None = QWEN,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> None:
        self._info = info
        self._style = style
        if image_tokens is not None:
            picture = replace(picture, max_area=image_tokens * picture.step**2)
        super().__init__(Brake())
        self._model = Model(
            Path(text_gguf), Path(vision_gguf),
            threads=threads, gpu_layers=gpu_layers, watch=self._brake.look,
            exact=picture.fit == "grid",
        )  # fmt: skip
        try:
            self._template = template or own_template(self._model.chat_template)
        except EngineError:
            self._model.free()
            raise
        self._forced = not self._model.small if forced is None else forced
        if image_size is None:
            size = None
        elif isinstance(image_size, int):
            size = (image_size, image_size)
        else:
            size = (image_size[1], image_size[0])
        plan = Plan.make(
            self._model.parameters, self._model.threads, threads=self._model.threads,
            gpu=gpu_layers != 0, batch=batch, lanes=lanes,
        )  # fmt: skip
        self._together, self._lane_count = plan.together, plan.lanes
        self._lanes: Lanes | None = None
        self._model.table  # noqa: B018 - read now: a large vocabulary takes a second
        self._temperature, self._seed = temperature, seed
        self._room = Workspace(
            self._model, self._brake, before=self._template.before,
            size=size, picture=picture,
            cells=n_ctx, saved=SAVED_PREFIXES,
        )  # fmt: skip

    def _free(self) -> None:
        self._room.close()
        self._model.free()

    def embed(self, image: Image) -> npt.NDArray[np.float32]:
        """Return what the vision tower makes of a frame, (tokens, width)."""
        check_image(image)
        self._brake.hold(None)
        stretched = prepare(image, self._room.size(image))
        return read_embeddings(self._model, self._template.before, stretched)

    def _leave(self) -> None:
        self._stop_lanes()
        self._room.leave()

    def _stop_lanes(self) -> None:
        """End what an answer that was not read to its end may still compute."""
        if self._lanes is not None:
            self._brake.pulled = True
            self._lanes.stop()
            self._lanes = None

    def _events(self, image: Image, prompts: Sequence[Prompt]) -> Iterator[Token | Completion]:
        height, width = self._room.size(image)
        seen = (width, height)
        answers = [
            Answer(
                i, prompt, form_for(prompt, self._style, self._info.convention, seen),
                # A source of chance for each answer: how they are interleaved changes nothing.
                Picker(self._model, self._temperature, self._seed + i),
                question=self._question(prompt), force=self._forced, seen=seen,
            )
            for i, prompt in enumerate(prompts)
        ]  # fmt: skip
        together = self._together and self._room.fits(image, sum(a.cells for a in answers))
        groups = [answers] if together and answers else [[a] for a in answers]
        try:
            if answers and not self._brake.check():
                prefix, seconds = self._room.enter(
                    image,
                    cells=max(sum(a.cells for a in group) for group in groups),
                    sequences=1 + len(groups[0]),
                )
                answers[0].image_seconds = seconds
                if len(groups) > 1 and self._lane_count > 1:
                    yield from self._in_lanes(answers, prefix)
                else:
                    for group in groups:
                        yield from self._answer(group, prefix, self._room.context)
        except Aborted:
            pass  # The unfinished answers are told below.
        except EngineError:
            # What the memory holds after a failure is unknown; the next question starts anew.
            self._room.reset()
            raise
        for answer in answers:
            if not answer.told:
                yield answer.completion()

    def _question(self, prompt: Prompt) -> list[int]:
        """Return the tokens behind the image; markers are recognised in the template only."""
        return [
            *self._model.tokenise((self._template.between + prompt.text).encode()),
            *self._model.tokenise(self._template.after.encode(), special=True),
        ]

    def _in_lanes(self, answers: list[Answer], prefix: Prefix) -> Iterator[Token | Completion]:
        """Decode answers at the same time, in as many lanes as there are."""
        contexts = self._room.lanes(self._lane_count, max(a.cells for a in answers))
        self._lanes = Lanes(answers, contexts, lambda a, c: self._answer([a], prefix, c))
        yield from self._lanes.events()
        self._lanes = None

    def _answer(
        self, group: list[Answer], prefix: Prefix, context: Context
    ) -> Iterator[Token | Completion]:
        """Decode the answers of a group step by step until all have stopped."""
        for sequence, answer in enumerate(group, start=1):
            # All copies are made before anything is decoded, and sequence 0 stays as it is.
            context.copy(0, sequence)
            yield from answer.begin(sequence, prefix)
            if answer.stop:
                yield answer.completion()
        step = 0.0
        while active := [a for a in group if not a.stop]:
            if self._brake.check():
                raise Aborted
            began = time.perf_counter()
            waiting = sum(len(a.pending) for a in active)
            context.watch(waiting > _WATCH_TOKENS or step > _WATCH_SECONDS)
            rows = context.decode([a.piece() for a in active])
            step = time.perf_counter() - began
            for answer, row in zip(active, rows, strict=True):
                # Everything is drawn from the rows before the caller sees any of it: they are
                # views that the next decode overwrites.
                answer.absorb(row)
            for answer in active:
                yield from answer.news()
                if answer.stop:
                    context.drop(answer.sequence)
                    yield answer.completion()
