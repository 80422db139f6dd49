"""Put the prompts of one or more phases to an engine in one request, and tell them apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from napari_fada.engines.protocol import Cancel, Completion, Engine, Image
from napari_fada.errors import FadaError
from napari_fada.pipeline.events import PhaseStarted, PhaseToken
from napari_fada.pipeline.outcomes import CANCELLED, Asked
from napari_fada.records.reading import Phase

Entry = tuple[Phase, Asked]


@dataclass(frozen=True, slots=True)
class PhaseAnswered:
    """All prompts of a phase have an answer or an error (internal to the pipeline)."""

    phase: Phase


Progress = PhaseStarted | PhaseToken | PhaseAnswered


def ask_phases(
    engine: Engine,
    image: Image,
    questions: Mapping[Phase, Sequence[Asked]],
    cancel: Cancel | None = None,
) -> Iterator[Progress]:
    """Ask everything in one request; every phase is answered exactly once.

    If the engine fails, the prompts whose answers had begun fail with its reason; those that
    had not begun are asked once more, each by itself, because the failure need not be theirs.
    When nothing had begun (the image could not be taken in), all fail at once.
    """
    started: set[Phase] = set()
    answered: set[Phase] = set()
    everything = [(phase, one) for phase, asked in questions.items() for one in asked]
    batches = [everything] if everything else []
    while batches:
        batch = batches.pop(0)
        first = batch[0][0]
        if first not in started and not _is_set(cancel):
            started.add(first)
            yield PhaseStarted(first)
        for phase, text in _ask_once(engine, image, batch, cancel):
            # A prompt that was cancelled before its first token never began.
            if phase not in started and (text or not _is_set(cancel)):
                started.add(phase)
                yield PhaseStarted(phase)
            if text:
                yield PhaseToken(phase, text)
            elif _complete(questions[phase]) and phase not in answered:
                answered.add(phase)
                yield PhaseAnswered(phase)
        batches += [[entry] for entry in batch if entry[1].open]
        for phase in questions:
            if _complete(questions[phase]) and phase not in answered:
                answered.add(phase)
                yield PhaseAnswered(phase)


def _is_set(cancel: Cancel | None) -> bool:
    return cancel is not None and cancel.is_set()


def _complete(asked: Sequence[Asked]) -> bool:
    return not any(one.open for one in asked)


def _ask_once(
    engine: Engine, image: Image, batch: Sequence[Entry], cancel: Cancel | None
) -> Iterator[tuple[Phase, str]]:
    """Yield (phase, text) for each token and (phase, "") for each completion.

    Afterwards every prompt has a completion or an error, but for those that had not begun
    when the engine failed over another one.
    """
    if _is_set(cancel):
        for _, one in batch:
            one.error = CANCELLED
        return
    failure = "The engine ended without an answer."
    try:
        stream = engine.ask(image, [one.prompt for _, one in batch], cancel=cancel)
        try:
            for item in stream:
                phase, one = batch[item.prompt]
                if isinstance(item, Completion):
                    one.completion = item
                    yield phase, ""
                elif item.text:
                    one.partial.append(item.text)
                    yield phase, item.text
        finally:
            # Closing the stream tells the engine that nobody listens any more.
            if close := getattr(stream, "close", None):
                close()
    except FadaError as error:
        failure = str(error)
    except MemoryError:
        failure = "There is not enough memory for the model's answer."
    unanswered = [one for _, one in batch if one.open]
    stray = [one for one in unanswered if one.partial]
    if len(unanswered) == len(batch) and not stray:
        stray = unanswered
    if len(batch) == 1:
        stray = unanswered
    for one in stray:
        one.error = failure
