"""A loaded model: what it computes, and a look at the caller's cancel while it does."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np

from napari_fada.engines.brake import Aborted, Brake
from napari_fada.engines.decoding import Row
from napari_fada.engines.llama.template import ChatTemplate
from napari_fada.engines.protocol import Image
from napari_fada.engines.transformers.attention import watch
from napari_fada.engines.transformers.library import explained, library
from napari_fada.engines.transformers.pixels import read_patching
from napari_fada.engines.transformers.rows import Rows
from napari_fada.engines.transformers.vocabulary import FolderVocabulary
from napari_fada.engines.transformers.weights import load_model, read_config, with_adapter
from napari_fada.errors import EngineError


class Model:
    """Weights, vocabulary and image processing of one folder.

    Parameters
    ----------
    folder : Path
        The model, or the base of an adapter.
    adapter : Path, optional
        A LoRA adapter.
    merge : bool
        Add the adapter to the weights.
    device, dtype : torch.device, torch.dtype
        Where and in what precision it computes.
    allow_pickle : bool
        See :func:`load_model`.
    brake : Brake
        Asked between the parts of a layer.
    """

    def __init__(
        self,
        folder: Path,
        *,
        adapter: Path | None,
        merge: bool,
        device: Any,
        dtype: Any,
        allow_pickle: bool,
        brake: Brake,
    ) -> None:
        config = read_config(folder)
        self.patching = read_patching(folder)
        self.vocabulary = FolderVocabulary(folder, config.text_config.vocab_size, _ends(config))
        self.device, self.dtype = device, dtype
        whole = load_model(folder, config, dtype=dtype, allow_pickle=allow_pickle)
        if adapter is not None:
            whole = with_adapter(whole, adapter, merge=merge, allow_pickle=allow_pickle)
        with explained(f"moving {folder.name} to {device}"):
            whole = whole.to(device).eval()
        self.config = config
        self.trained_context = int(config.text_config.max_position_embeddings)
        self.parameters = sum(p.numel() for p in whole.parameters())
        self._whole, self._text = whole, whole.model.language_model
        named = inspect.signature(self._text.forward).parameters
        #: transformers 5.24 gave this argument another name.
        self._cache_name = "cache" if "cache" in named else "past_key_values"
        self._watch(brake)
        self.vocabulary.table  # noqa: B018 - read now: a large vocabulary takes a second

    def _watch(self, brake: Brake) -> None:
        """Ask the brake before every matrix product, and between parts of the image's attention."""

        def look(*_: Any) -> None:
            if brake.sometimes():
                raise Aborted

        for block in self._whole.model.visual.blocks:
            watch(block.attn, look)
        for module in self._whole.modules():
            if isinstance(module, library().torch.nn.Linear):
                module.register_forward_pre_hook(look)

    def around(self, template: ChatTemplate) -> tuple[list[int], list[int]]:
        """Return the tokens before and behind the image, the image's own marks among them."""
        before = self.vocabulary.tokenise(template.before.encode(), special=True)
        config = self.config
        return [*before, config.vision_start_token_id], [config.vision_end_token_id]

    def see(self, image: Image) -> Any:
        """Return the embeddings of a stretched frame, (tokens, width)."""
        torch = library().torch
        with explained("encoding the image"), torch.inference_mode():
            patches = torch.from_numpy(self.patching.cut(image)).to(self.device, self.dtype)
            grid = torch.tensor([[1, *self.patching.grid(image)]], device=self.device)
            found = self._whole.model.visual(patches, grid_thw=grid)
            return found.pooler_output

    def read_prefix(self, before: list[int], seen: Any, grid: tuple[int, int]) -> tuple[Any, int]:
        """Read text and image from the beginning.

        Parameters
        ----------
        before : list of int
            Tokens before the image.
        seen : tensor
            From :meth:`see`.
        grid : (int, int)
            Image tokens, down and across.

        Returns
        -------
        DynamicCache, int
            The state, and the position behind it (an image advances it by its longer side).
        """
        lib = library()
        torch = lib.torch
        with explained("reading the image"), torch.inference_mode():
            start = len(before)
            text = self._text.embed_tokens(torch.tensor([before], device=self.device))
            embedded = torch.cat([text, seen[None].to(text.dtype)], dim=1)
            down, across = torch.meshgrid(
                torch.arange(grid[0], device=self.device),
                torch.arange(grid[1], device=self.device),
                indexing="ij",
            )
            places = torch.stack([torch.zeros_like(down), down, across]).flatten(1) + start
            first = torch.arange(start, device=self.device).expand(3, -1)
            positions = torch.cat([first, places], dim=1)[:, None]
            cache = lib.transformers.DynamicCache(config=self.config.text_config)
            self._run(embedded, positions, cache, None)
            return cache, start + max(grid)

    def read(self, rows: Rows, row: int, tokens: list[int], start: int) -> Row:
        """Read tokens into one row from a position on; returns the scores of the next."""
        torch = library().torch
        with explained("reading a question"), torch.inference_mode():
            embedded = self._text.embed_tokens(torch.tensor([tokens], device=self.device))
            places = torch.arange(start, start + len(tokens), device=self.device)
            mask = rows.mask(row, len(tokens))
            cache = rows.one(row, len(tokens))
            hidden = self._run(embedded, places.expand(3, 1, -1), cache, mask)
            rows.went_on(row, len(tokens))
            found: Row = self._scores(hidden)[0]
            return found

    def step(self, rows: Rows, tokens: list[int], starts: list[int]) -> list[Row]:
        """Read one token into every row; returns the scores of the next of each."""
        torch = library().torch
        with explained("writing answers"), torch.inference_mode():
            embedded = self._text.embed_tokens(torch.tensor(tokens, device=self.device)[:, None])
            places = torch.tensor(starts, device=self.device)[:, None].expand(3, -1, -1)
            mask = rows.mask(None, 1)
            hidden = self._run(embedded, places, rows.all(), mask)
            rows.went_on(None, 1)
            return list(self._scores(hidden))

    def _run(self, embedded: Any, positions: Any, cache: Any, mask: Any) -> Any:
        """Run the layers; linear attention has no mask, because no row is ever padded."""
        return self._text(
            inputs_embeds=embedded,
            position_ids=positions,
            attention_mask={"full_attention": mask, "linear_attention": None},
            use_cache=True,
            **{self._cache_name: cache},
        ).last_hidden_state

    def _scores(self, hidden: Any) -> Row:
        scores = self._whole.lm_head(hidden[:, -1]).float().cpu().numpy()
        return np.ascontiguousarray(scores)

    def free(self) -> None:
        """Give the memory back; calling it twice is allowed."""
        self._whole = self._text = None
        self.forget()

    def forget(self) -> None:
        """Give back what a card keeps for the next tensor, after a failure and at the end."""
        torch = library().torch
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.device.type == "mps":
            torch.mps.empty_cache()


def _ends(config: Any) -> tuple[int, ...]:
    """Return the tokens that end an answer by the configuration."""
    found = config.text_config.eos_token_id
    if found is None:
        return ()
    return tuple(found) if isinstance(found, list | tuple) else (int(found),)


def check_folder(folder: Path) -> None:
    """Complain about a folder that is not there.

    Raises
    ------
    EngineError
        Naming it.
    """
    if not folder.is_dir():
        raise EngineError(f"The model's folder {folder} is not there.", todo="Check the path.")
