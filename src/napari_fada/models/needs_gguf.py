"""How much memory llama.cpp will take for two GGUF files, from their headers alone.

The sizes of weights, cells and states follow from the shapes. What the computation takes on top
follows from how our engine uses llama.cpp (one context, or one more for each lane; batches of
512 tokens; saved states of the frames used last). The factors marked *measured* were fitted on
a 0.8B-sized model and on fada-mini with llama-cpp-python 0.3.36 on an x86 processor
(``benchmarks/bench_memory.py``).
"""

from __future__ import annotations

import math
import platform
from dataclasses import dataclass

from napari_fada.engines.llama.plan import BATCH, SAVED_FRAMES, SAVED_PREFIXES, Plan
from napari_fada.models.gguf_header import GgufHeader, Tensor

#: What a process with Python, numpy and llama.cpp takes before a model (measured).
PROGRAM = 50_000_000
#: Graphs and work space of llama.cpp that hardly depend on the model (measured).
GRAPHS = 55_000_000
#: For each lane: its own graph and its thread's share of the allocator (measured).
_LANE = 12_000_000
#: For one token of the vocabulary: llama.cpp's tables, and ours for the forms (measured).
_TOKEN = 400
#: Tokens of a question with its template, classes included.
QUESTION = 320
#: The longest answer that the prompts ask for.
ANSWER = 1024
#: The context grows by this many cells.
_ROUND = 256
#: How many answers at most one call decodes together: report, boxes and outlines.
_TOGETHER = 3
#: Tensor types that llama.cpp copies into a form of its own for the processor: Q4_0, Q2_K, Q4_K,
#: IQ4_NL, and on Arm also Q8_0, Q5_K, Q6_K.
_REPACKED = {"x86": {2, 10, 12, 20}, "arm": {2, 8, 12, 13, 14, 20}}


@dataclass(frozen=True, slots=True)
class Text:
    """What the header of a text model says about memory. Bytes and counts."""

    bytes: int
    parameters: int
    layers: int
    width: int
    inner: int
    heads: int
    vocabulary: int
    trained: int
    cell: int
    state: int
    repacked: int
    convolution: int
    embeddings: int

    @classmethod
    def of(cls, header: GgufHeader) -> Text:
        """Read a header."""
        name = header.text("general.architecture")
        shapes = {tensor.name: tensor.shape for tensor in header.table}
        layers = min(header.number(f"{name}.block_count"), len(header.table))
        inner = header.number(f"{name}.feed_forward_length")
        cell = state = convolution = 0
        for i in range(layers):
            ssm = shapes.get(f"blk.{i}.ssm_conv1d.weight", ())
            if len(ssm) == 2:
                kernel, convolution = ssm
                size = header.number(f"{name}.ssm.state_size")
                state += 4 * (
                    (kernel - 1) * convolution + size * header.number(f"{name}.ssm.inner_size")
                )
            else:
                cell += 2 * sum(_keys_and_values(header, name, shapes, i))
        return cls(
            bytes=header.length,
            parameters=sum(math.prod(tensor.shape) for tensor in header.table),
            layers=layers,
            width=header.number(f"{name}.embedding_length"),
            inner=inner or max((_rows(s) for n, s in shapes.items() if "ffn_up" in n), default=0),
            heads=header.number(f"{name}.attention.head_count")
            * (header.number(f"{name}.attention.key_length") or 128),
            vocabulary=_rows(shapes.get("token_embd.weight")),
            trained=header.number(f"{name}.context_length"),
            cell=cell,
            state=state,
            repacked=_repacked(header.table),
            convolution=convolution,
            embeddings=next((t.size for t in header.table if t.name == "token_embd.weight"), 0),
        )

    @property
    def work(self) -> int:
        """Bytes that one token of a batch takes while it is computed (measured)."""
        return 4 * (2 * self.inner + 2 * self.heads + 3 * self.convolution + 2 * self.width)


@dataclass(frozen=True, slots=True)
class Vision:
    """What the header of an image part says about memory. Bytes."""

    bytes: int
    token: int
    fixed: int
    pair: int = 0

    @classmethod
    def of(cls, header: GgufHeader) -> Vision:
        """Read a header.

        ``token`` is what the patches of one image token take in the vision tower; ``fixed`` the
        image tokens of a tower that takes one size only, 0 for one that takes any; ``pair`` what
        two image tokens take that may look at each other, in a tower with windows: their mask
        is written out three times (measured).
        """
        width = header.number("clip.vision.embedding_length")
        inner = header.number("clip.vision.feed_forward_length") or 4 * width
        kind = header.text("clip.projector_type") or header.text("clip.vision.projector_type")
        usual = 2 if kind.startswith("qwen") else 1
        merge = header.number("clip.vision.spatial_merge_size") or usual
        fixed = 0
        if not kind.startswith("qwen"):
            merge = header.number("clip.vision.projector.scale_factor") or merge
            side = header.number("clip.vision.image_size")
            patch = header.number("clip.vision.patch_size") or 14
            fixed = (side // patch // merge) ** 2
        windows = header.number("clip.vision.n_wa_pattern") > 0
        pair = 3 * 4 * merge**4 if windows else 0
        return cls(header.length, merge**2 * 4 * (inner + 3 * width), fixed, pair)


@dataclass(frozen=True, slots=True)
class Needs:
    """Bytes by part.

    ``reclaimable`` is in ``weights``: pages of the file that the system can take back, because
    a copy of them is what is computed with.
    """

    program: int
    weights: int
    image: int
    memory: int
    work: int
    saved: int
    reclaimable: int
    cells: int

    @property
    def parts(self) -> dict[str, int]:
        """The parts by the names that people see; their sum is the peak."""
        return {
            "program": self.program, "weights": self.weights, "image": self.image,
            "context": self.memory, "work": self.work, "saved": self.saved,
        }  # fmt: skip


def needs(
    text: Text,
    vision: Vision,
    plan: Plan,
    *,
    image_tokens: int,
    context: int | None,
    frames: int,
) -> Needs:
    """Return what the engine takes when it has answered questions about some frames.

    Parameters
    ----------
    text, vision : Text, Vision
        The two files.
    plan : Plan
        How the answers are decoded.
    image_tokens : int
        Tokens of one frame.
    context : int, optional
        A fixed number of cells; None: as many as the questions need.
    frames : int
        How many frames are looked at one after another: their states are kept.
    """
    one = image_tokens + QUESTION + ANSWER
    together = _TOGETHER if plan.together else 1
    cells = context or -(-(one + (together - 1) * (QUESTION + ANSWER)) // _ROUND) * _ROUND
    if text.trained:
        cells = min(cells, text.trained)
    contexts = [(cells, 1 + together, min(image_tokens, BATCH))]
    if not plan.together and plan.lanes > 1:
        lane = context or min(-(-one // _ROUND) * _ROUND, text.trained or one)
        contexts += [(lane, 2, min(QUESTION, BATCH))] * plan.lanes
    frame = image_tokens * text.cell + text.state
    work = sum(tokens * text.work for _, _, tokens in contexts) + 4 * text.vocabulary * together
    return Needs(
        program=PROGRAM + GRAPHS + _TOKEN * text.vocabulary,
        weights=text.bytes + text.repacked,
        image=vision.bytes + image_tokens * vision.token + image_tokens**2 * vision.pair,
        memory=sum(cells * text.cell + count * text.state for cells, count, _ in contexts),
        work=work + _LANE * (len(contexts) - 1),
        # While a state is copied from one place to another it exists three times.
        saved=min(SAVED_PREFIXES, min(frames, SAVED_FRAMES) * frame) + 2 * frame,
        reclaimable=text.repacked,
        cells=cells,
    )


def _keys_and_values(
    header: GgufHeader, name: str, shapes: dict[str, tuple[int, ...]], layer: int
) -> tuple[int, int]:
    """Numbers that a layer with attention keeps for one token."""
    key = _rows(shapes.get(f"blk.{layer}.attn_k.weight"))
    value = _rows(shapes.get(f"blk.{layer}.attn_v.weight"))
    if key and value:
        return key, value
    heads = header.number(f"{name}.attention.head_count_kv") or header.number(
        f"{name}.attention.head_count"
    )
    length = header.number(f"{name}.attention.key_length") or (
        header.number(f"{name}.embedding_length")
        // max(1, header.number(f"{name}.attention.head_count"))
    )
    return heads * length, heads * (header.number(f"{name}.attention.value_length") or length)


def _rows(shape: tuple[int, ...] | None) -> int:
    return shape[-1] if shape else 0


def _repacked(table: tuple[Tensor, ...]) -> int:
    machine = platform.machine().lower()
    kinds = _REPACKED["arm" if machine.startswith(("arm", "aarch")) else "x86"]
    return sum(
        tensor.size
        for tensor in table
        if tensor.kind in kinds and tensor.name.startswith(("blk.", "output."))
    )
