"""The five phases of reading a frame, as one generator of events.

    interpret ─┐
               ├─▶ map ─▶ detect (with keypoints)
    classify ──┘     └──▶ segment

Autonomous, the phases that do not depend on each other go to the engine in one request. The view
is asked for first: where it decides the classes alone (a specific view label), the report is
written while structures are looked for.
Gated, each phase is asked for by itself and the caller may change the reading in between;
everything after it uses the change. Single phases can be run again from an earlier reading.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from time import perf_counter

from napari_fada.engines.protocol import Cancel, Engine, Image
from napari_fada.pipeline.asking import PhaseAnswered, ask_phases
from napari_fada.pipeline.events import (
    Event,
    GateOpen,
    PhaseFailed,
    PhaseFinished,
    PhaseStarted,
    ReadingFinished,
)
from napari_fada.pipeline.mapping import FALLBACK, Mode, map_classes, view_decides
from napari_fada.pipeline.outcomes import CANCELLED, SKIPPED, Asked, Outcome, outcome
from napari_fada.pipeline.prompts import DEFAULT_PROMPTS, PromptSet
from napari_fada.pipeline.questions import detect_prompts, segment_prompts
from napari_fada.records.annotation import Annotation, Kind
from napari_fada.records.reading import PHASES, Mapping, Phase, PhaseResult, Reading
from napari_fada.scans.scan import Scan

# What a phase puts into the annotations.
_MADE: dict[Phase, tuple[Kind, ...]] = {"detect": ("box", "keypoints"), "segment": ("polygon",)}


def read_frame(
    engine: Engine,
    scan: Scan,
    frame: int = 0,
    *,
    phases: Sequence[Phase] = PHASES,
    previous: Reading | None = None,
    classes: Mapping | None = None,
    mode: Mode = "strict",
    prompts: PromptSet | None = None,
    cancel: Cancel | None = None,
) -> Reading:
    """Read one frame and return what the model said; see :func:`stream_frame`."""
    events = stream_frame(
        engine,
        scan,
        frame,
        phases=phases,
        previous=previous,
        classes=classes,
        mode=mode,
        prompts=prompts,
        cancel=cancel,
    )
    while True:
        try:
            next(events)
        except StopIteration as end:
            reading: Reading = end.value
            return reading


def stream_frame(
    engine: Engine,
    scan: Scan,
    frame: int = 0,
    *,
    gated: bool = False,
    phases: Sequence[Phase] = PHASES,
    previous: Reading | None = None,
    classes: Mapping | None = None,
    mode: Mode = "strict",
    prompts: PromptSet | None = None,
    cancel: Cancel | None = None,
) -> Generator[Event, Reading | None, Reading]:
    """Read one frame, yielding what happens.

    Parameters
    ----------
    engine : Engine
        Answers the prompts.
    scan, frame : Scan, int
        What to read.
    gated : bool
        Yield :class:`GateOpen` after each phase; the caller may ``send`` a changed reading.
    phases : sequence of str
        Which to run; the order is always that of the pipeline. The others keep their result
        from ``previous`` or are skipped. ``detect`` and ``segment`` without any mapping run
        ``map`` too.
    previous : Reading, optional
        An earlier reading of the same frame to start from. When a phase that is run again
        fails, its earlier result stands, and the failure is told.
    classes : Mapping, optional
        What to ask for, in place of the map phase.
    mode : {"strict", "reference"}
        Of the map phase.
    prompts : PromptSet, optional
        The default is the pack's own.
    cancel : Cancel, optional
        Ends the run soon after it is set: the phase at work fails as ``cancelled`` with what
        had arrived, the later ones are skipped.

    Raises
    ------
    ScanError, IndexError
        If the frame cannot be decoded, or there is none.
    ValueError
        If a phase is unknown, or ``previous`` is about another frame.
    """
    run = _Run(engine, scan, frame, phases, previous, classes, mode, prompts, cancel)
    for batch in run.one_by_one() if gated else run.requests():
        yield from run.batch(batch)
        if gated and not run.cancelled:
            changed = yield GateOpen(batch[0], run.reading)
            if changed is not None:
                run.change(changed)
    run.finish()
    yield ReadingFinished(run.reading, cancelled=run.cancelled)
    return run.reading


class _Run:
    """The reading as it grows, and what it is made with."""

    def __init__(
        self,
        engine: Engine,
        scan: Scan,
        frame: int,
        phases: Sequence[Phase],
        previous: Reading | None,
        classes: Mapping | None,
        mode: Mode,
        prompts: PromptSet | None,
        cancel: Cancel | None,
    ) -> None:
        if unknown := set(phases) - set(PHASES):
            raise ValueError(f"no such phase: {', '.join(sorted(unknown))}")
        self.engine, self.classes, self.mode, self.cancel = engine, classes, mode, cancel
        info = engine.info
        self.prompts = prompts or PromptSet.load(info.model.prompt_set or DEFAULT_PROMPTS)
        self.image: Image = scan.frame(frame)
        self.size = (scan.width, scan.height)
        model = replace(info.model, prompt_set=self.prompts.name, prompt_hash=self.prompts.hash)
        self.reading = _starting_point(Reading(scan.ref(frame), model), previous)
        needs_mapping = {"detect", "segment"} & set(phases) and self.reading.mapping is None
        self.phases = {*phases, "map"} if needs_mapping or classes else set(phases)
        self.cancelled = False

    def change(self, changed: Reading) -> None:
        """Go on from what the caller made of the reading."""
        if changed.scan != self.reading.scan:
            raise ValueError("the reading that was sent is about another frame")
        self.reading = changed

    def finish(self) -> None:
        """Give every phase a state."""
        phases = {p: self.reading.phases.get(p, PhaseResult("skipped")) for p in PHASES}
        self.reading = replace(self.reading, phases=phases)

    def one_by_one(self) -> Iterator[list[Phase]]:
        """Give the phases in order: the caller may stop or change something after each."""
        yield from ([phase] for phase in PHASES if phase in self.phases)

    def requests(self) -> Iterator[list[Phase]]:
        """Give the phases that may go to the engine together, as the results decide it."""
        yield from self.due("classify")
        if self.classes or view_decides(self.reading.view, self.mode):
            yield from self.due("map")
            yield from self.due("interpret", "detect", "segment")
        else:
            yield from self.due("interpret")
            yield from self.due("map")
            yield from self.due("detect", "segment")

    def due(self, *phases: Phase) -> list[list[Phase]]:
        """Return one request of those phases that are to be run; none if there are none."""
        found = [phase for phase in phases if phase in self.phases]
        return [found] if found else []

    def batch(self, batch: Sequence[Phase]) -> Generator[Event, None, None]:
        """Run phases that may be asked for together."""
        if self.cancel is not None and self.cancel.is_set():
            for phase in batch:
                yield self.put(phase, SKIPPED)
        elif "map" in batch:
            yield PhaseStarted("map")
            yield self.map()
        else:
            yield from self.ask(batch)

    def ask(self, batch: Sequence[Phase]) -> Generator[Event, None, None]:
        """Ask the engine; phases with nothing to ask for are skipped."""
        questions: dict[Phase, list[Asked]] = {}
        notes: dict[Phase, list[str]] = {}
        skipped: list[tuple[Phase, Outcome]] = []
        for phase in batch:
            asked, notes[phase] = self.questions(phase)
            if asked:
                questions[phase] = asked
                continue
            why = notes[phase] or ["the mapping names no class for it"]
            skipped.append((phase, Outcome(PhaseResult("skipped", problems=tuple(why)))))
            if not questions:
                yield self.put(*skipped.pop())
        for event in ask_phases(self.engine, self.image, questions, self.cancel):
            if isinstance(event, PhaseAnswered):
                phase = event.phase
                found = outcome(questions[phase], self.size, self.engine.info, notes[phase])
                yield self.put(phase, found)
            else:
                yield event
        for phase, nothing in skipped:
            yield self.put(phase, nothing)

    def questions(self, phase: Phase) -> tuple[list[Asked], list[str]]:
        """Return what a phase asks, and notes on what it leaves out."""
        if phase == "interpret":
            return [Asked(prompt) for prompt in self.prompts.report_prompts()], []
        if phase == "classify":
            return [Asked(self.prompts.prompt(phase))], []
        # A caller may have taken the mapping away at a gate.
        mapping = self.reading.mapping or self.mapped()
        plan = detect_prompts if phase == "detect" else segment_prompts
        asked, notes = plan(mapping, self.engine.info, self.prompts)
        return [Asked(prompt) for prompt in asked], notes

    def mapped(self) -> Mapping:
        """Choose the classes from what is known."""
        return map_classes(self.reading.interpretation, self.reading.view, self.mode)

    def map(self) -> Event:
        """Run the map phase: it needs no model and cannot fail."""
        begin = perf_counter()
        problems: list[str] = []
        mapping = self.classes or self.mapped()
        if mapping is not self.classes:
            if mapping.tier == FALLBACK:
                problems.append("nothing that was said names a structure; these are the defaults")
            failed = [p for p in ("interpret", "classify") if self.failed(p)]
            if failed:
                problems.append(f"chosen without {' and '.join(failed)}, which failed")
        self.reading = replace(self.reading, mapping=mapping)
        seconds = perf_counter() - begin
        return self.put("map", Outcome(PhaseResult("done", seconds, problems=tuple(problems))))

    def failed(self, phase: Phase) -> bool:
        """Tell whether a phase failed and nothing, not even an earlier result, stands."""
        result = self.reading.phases.get(phase)
        known = self.reading.interpretation if phase == "interpret" else self.reading.view
        return result is not None and result.state == "failed" and not known

    def put(self, phase: Phase, found: Outcome) -> Event:
        """Enter the result of a phase into the reading."""
        result, reading = found.result, self.reading
        stopped = CANCELLED in result.problems
        self.cancelled |= stopped
        earlier = reading.phases.get(phase)
        if result.state == "failed" or stopped:
            if earlier is not None and earlier.state in ("done", "empty"):
                stands = (*result.problems, "the earlier result stands")
                result = replace(result, problems=stands)
                if result.state == "skipped":
                    return PhaseFinished(phase, result, reading)
        elif phase == "interpret":
            reading = replace(reading, interpretation=dict(found.fields))
        elif phase == "classify":
            reading = replace(reading, view=found.view)
        elif phase in _MADE:
            kept = [a for a in reading.annotations if not _is_proposal_of(phase, a)]
            reading = replace(reading, annotations=(*kept, *found.annotations))
        phases = {**reading.phases, phase: result}
        self.reading = replace(reading, phases={p: phases[p] for p in PHASES if p in phases})
        kind = PhaseFailed if result.state == "failed" else PhaseFinished
        return kind(phase, result, self.reading)


def _is_proposal_of(phase: Phase, annotation: Annotation) -> bool:
    """Tell whether a run of a phase replaces an annotation: nothing an expert made."""
    untouched = annotation.source == "model" and annotation.status == "proposed"
    return untouched and annotation.kind in _MADE[phase]


def _starting_point(fresh: Reading, previous: Reading | None) -> Reading:
    """Take over an earlier reading; results of another model say whose they are."""
    if previous is None:
        return fresh
    here, there = fresh.scan, previous.scan
    if (here.sha256, here.frame) != (there.sha256, there.frame):
        raise ValueError("the earlier reading is about another frame")
    phases = dict(previous.phases)
    old = previous.model
    if (old.sha256, old.prompt_hash) != (fresh.model.sha256, fresh.model.prompt_hash):
        note = f"from an earlier run of {old.pack} ({old.sha256[:8]}, prompts {old.prompt_set})"
        for phase, result in phases.items():
            if result.state in ("done", "empty", "failed") and note not in result.problems:
                phases[phase] = replace(result, problems=(*result.problems, note))
    return replace(previous, scan=fresh.scan, model=fresh.model, phases=phases)
