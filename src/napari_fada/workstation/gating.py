"""Runs that go by what the expert says, and runs that stop after each phase.

The expert's words (report, view, classes) take the place of the model's in what later phases
are made from; the reading that is kept has the model's own. A run with gates keeps what there
is at each gate, so that report, view, classes and structures are edited there as anywhere else.
"""

from __future__ import annotations

import queue
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_fada.records.reading import PHASES, Mapping, Phase, Reading
from napari_fada.records.staleness import with_words

if TYPE_CHECKING:
    from napari_fada.engines.protocol import Engine
    from napari_fada.workstation.runner import Job

LOOK_SECONDS = 0.1


class Gate:
    """Where the worker waits for the expert: on, back, or the run is cancelled."""

    def __init__(self) -> None:
        self._answers: queue.SimpleQueue[int] = queue.SimpleQueue()

    def go(self, step: int = 1) -> None:
        """Let the run go on (1), or back to the gate before (-1)."""
        self._answers.put(step)

    def wait(self, job: Job) -> int:
        """Wait in the worker; 0 if the run was cancelled."""
        while not job.cancel.is_set():
            try:
                return self._answers.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                continue
        return 0


class Own:
    """Keeps the model's own words while a run goes by the expert's."""

    def __init__(self, previous: Reading | None) -> None:
        self._interpretation = dict(previous.interpretation) if previous else {}
        self._view = previous.view if previous else None
        self._mapping: Mapping | None = previous.mapping if previous else None

    def take(self, phase: Phase, reading: Reading) -> None:
        """Remember what a phase said that has just finished."""
        if phase == "interpret":
            self._interpretation = dict(reading.interpretation)
        elif phase == "classify":
            self._view = reading.view
        elif phase == "map":
            self._mapping = reading.mapping

    def of(self, reading: Reading) -> Reading:
        """Return a reading with the model's own words."""
        return replace(
            reading,
            interpretation=self._interpretation,
            view=self._view,
            mapping=self._mapping,
        )


def spoken(job: Job, reading: Reading) -> Reading:
    """Return a reading as it counts now, with the expert's words of this moment."""
    report = job.project.report(job.scan.sha256, job.frame)
    said = replace(
        report,
        model_fields=reading.interpretation,
        model_view=reading.view,
        model_mapping=reading.mapping,
    )
    return with_words(reading, said)


def autonomous(job: Job, engine: Engine) -> Iterator[Any]:
    """Run the phases of a job to the end."""
    from napari_fada.pipeline import stream_frame
    from napari_fada.pipeline.events import GateOpen, PhaseFinished, ReadingFinished

    own = Own(job.previous)
    words = job.project.report(job.scan.sha256, job.frame).has_expert_words
    stream = stream_frame(
        engine,
        job.scan,
        job.frame,
        gated=words,  # else phases that do not depend on each other go together
        phases=job.phases,
        previous=spoken(job, job.previous) if job.previous else None,
        cancel=job.cancel,
    )
    reply: Reading | None = None
    while True:
        try:
            event = stream.send(reply)
        except StopIteration:
            return
        reply = None
        if isinstance(event, GateOpen):
            reply = spoken(job, event.reading)
            continue
        if isinstance(event, PhaseFinished):
            own.take(event.phase, event.reading)
            job.ran.add(event.phase)
        if isinstance(event, ReadingFinished):
            event = replace(event, reading=own.of(event.reading))
        yield event


def with_gates(job: Job, engine: Engine) -> Generator[Any, None, None]:
    """Run the phases of a job one by one, waiting after each for the expert."""
    from napari_fada.pipeline import stream_frame
    from napari_fada.pipeline.events import GateOpen, PhaseFinished, ReadingFinished

    own, reading = Own(job.previous), job.previous
    todo: list[Phase] = [p for p in PHASES if p in job.phases]
    at, cancelled, back = 0, False, False
    while at < len(todo) and not cancelled:
        phase = todo[at]
        if not back:
            stream = stream_frame(
                engine,
                job.scan,
                job.frame,
                phases=(phase,),
                previous=spoken(job, reading) if reading else None,
                cancel=job.cancel,
            )
            for event in stream:
                if isinstance(event, PhaseFinished):
                    own.take(event.phase, event.reading)
                    job.ran.add(event.phase)
                if isinstance(event, ReadingFinished):
                    reading, cancelled = own.of(event.reading), event.cancelled
                else:
                    yield event
        assert reading is not None
        if cancelled or phase == todo[-1]:
            break
        if not back:
            keep(job, reading, phase)
        yield GateOpen(phase, reading)
        step = job.gate.wait(job)
        cancelled = step == 0
        back = step < 0
        at = max(0, at + step)
    if reading is not None:
        yield ReadingFinished(reading, cancelled)


def keep(job: Job, reading: Reading, phase: Phase) -> None:
    """Put what there is at a gate into the project.

    Earlier proposals stay until there are others of this run.
    """
    found = phase in ("detect", "segment") and reading.phases[phase].state in ("done", "empty")
    show = job.show if found else "add"
    job.project.save_reading(reading, show=show, ran=(phase,), again=job.again)
    if found:
        job.kept.update(a.uid for a in reading.annotations)
