"""How a phase ended, from the answers that arrived: done, empty or failed, never mixed up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from napari_fada.engines.protocol import Completion, EngineInfo, Prompt
from napari_fada.pipeline.answers import parse_answer
from napari_fada.pipeline.structures import to_annotations
from napari_fada.records.annotation import Annotation
from napari_fada.records.reading import PhaseResult, PhaseState

CANCELLED = "cancelled"
CUT = "cut by the token limit"


@dataclass(slots=True)
class Asked:
    """One prompt of a phase, and what came back.

    ``partial`` gathers the text of an answer that never completed; ``error`` says why.
    """

    prompt: Prompt
    completion: Completion | None = None
    partial: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def raw(self) -> str:
        """The text that arrived."""
        return self.completion.text if self.completion else "".join(self.partial)

    @property
    def open(self) -> bool:
        """Whether an answer is still to come."""
        return self.completion is None and not self.error

    @property
    def stopped(self) -> bool:
        """Whether it was cancelled."""
        if self.completion is not None:
            return self.completion.stop == "cancelled"
        return self.error == CANCELLED


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a phase and what it adds to the reading."""

    result: PhaseResult
    fields: Mapping[str, str] = field(default_factory=dict)
    view: str | None = None
    annotations: tuple[Annotation, ...] = ()


SKIPPED = Outcome(PhaseResult("skipped", problems=(CANCELLED,)))


def outcome(
    asked: Sequence[Asked],
    size: tuple[int, int],
    info: EngineInfo,
    notes: Sequence[str] = (),
) -> Outcome:
    """Judge all answers of a phase.

    It is done if anything was found; else failed if any answer is missing or cannot be read;
    else empty. A cancelled phase is failed whatever had arrived, which ``raw`` keeps; one of
    which nothing had arrived is skipped.
    """
    problems = list(notes)
    fields: dict[str, str] = {}
    view: str | None = None
    annotations: list[Annotation] = []
    failed = cancelled = False
    for one in asked:
        if one.stopped:
            cancelled = True
            continue
        if one.completion is None:
            failed = True
            problems.append(one.error or "the engine ended without an answer")
            continue
        if one.completion.stop == "limit":
            problems.append(CUT)
        answer = parse_answer(
            one.completion.text,
            one.prompt.task,
            keys=one.prompt.keys,
            convention=info.convention,
            seen=one.completion.seen or size,
        )
        problems.extend(answer.problems)
        failed |= not answer.readable
        fields.update(answer.fields)
        view = answer.label or view
        if answer.items:
            made, why = to_annotations(
                answer.items, one.prompt, one.completion, size, info.calibration
            )
            annotations.extend(made)
            problems.extend(why)
            # Structures were named, and none of them can be used: that is no empty finding.
            failed |= not made
    if cancelled:
        if not any(one.raw for one in asked):
            return SKIPPED
        return Outcome(_result("failed", asked, [*problems, CANCELLED]))
    found = bool(annotations or view or any(fields.values()))
    state: PhaseState = "done" if found else "failed" if failed else "empty"
    return Outcome(_result(state, asked, problems), fields, view, tuple(annotations))


def _result(state: PhaseState, asked: Sequence[Asked], problems: Sequence[str]) -> PhaseResult:
    completions = [one.completion for one in asked if one.completion]
    return PhaseResult(
        state=state,
        seconds=sum(c.seconds + c.image_seconds for c in completions),
        tokens=sum(len(c.tokens) for c in completions),
        raw="\n\n".join(one.raw for one in asked if one.raw),
        problems=tuple(dict.fromkeys(problems)),
    )
