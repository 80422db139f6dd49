"""How the llama.cpp engine uses the cores it may have; the estimate of memory asks here too.

| cores | threads | answers of one call | how it was decided |
|---|---|---|---|
| 1 | 1 | one after another | measured |
| 2 | 2 | two lanes of one thread | measured: 20 s for five phases, 25 s without lanes |
| 3 to 7 | as cores | two lanes that share them | a guess from the two-core figures |
| 8 and more, or a graphics card | as cores | one batch | a guess: memory is the limit there |

A small model runs on one thread whatever there is: its threads would wait for each other more
than they work.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Parameters below which one thread is fastest; with other programs at work, by far.
SMALL = 50_000_000
#: From this many threads on, answers of one call are decoded together (see docs/engine.md).
BATCH_FROM_THREADS = 8
#: Below that, so many answers are decoded at the same time, each on a share of the threads.
LANES = 2
#: Tokens that one call of llama_decode takes at most.
BATCH = 512
#: Saved image prefixes: bytes and frames at most. One of a 0.8B model takes about 25 MB, one of
#: fada-mini 0.1 MB.
SAVED_PREFIXES, SAVED_FRAMES = 256 * 2**20, 32


@dataclass(frozen=True, slots=True)
class Plan:
    """Threads, whether the answers of a call are decoded in one batch, and in how many lanes."""

    threads: int
    together: bool
    lanes: int

    @classmethod
    def make(
        cls,
        parameters: int,
        cores: int,
        *,
        threads: int | None = None,
        gpu: bool = False,
        batch: bool | None = None,
        lanes: int | None = None,
    ) -> Plan:
        """Decide what is not given.

        Parameters
        ----------
        parameters : int
            Of the text model.
        cores : int
            Physical cores that may be used.
        threads, batch, lanes
            What the user says, see :class:`~napari_fada.engines.llama.LlamaEngine`.
        gpu : bool
            Whether layers are on a graphics card.
        """
        count = threads or (1 if parameters < SMALL else max(1, cores))
        together = (gpu or count >= BATCH_FROM_THREADS) if batch is None else batch
        return cls(count, together, min(lanes or LANES, count))
