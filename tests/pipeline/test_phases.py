"""The five phases: what is asked, what is told, and how each phase may end."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from scripted_answers import MODEL, TRIANGLE, answer, box, report

from napari_fada.engines.protocol import Cancel, Completion, EngineInfo, Image, Prompt, Token
from napari_fada.engines.scripted import Script, ScriptedEngine, image_key
from napari_fada.errors import EngineError, ScanError
from napari_fada.pipeline import (
    Event,
    GateOpen,
    PhaseFailed,
    PhaseFinished,
    PhaseStarted,
    PhaseToken,
    PromptSet,
    ReadingFinished,
    downstream,
    manual_mapping,
    read_frame,
    stream_frame,
)
from napari_fada.records.reading import PHASES, Mapping, Phase, Reading
from napari_fada.scans.scan import Scan

Make = Callable[..., ScriptedEngine]
Script_ = dict[Any, Any]


def states(reading: Reading) -> dict[str, str]:
    return {phase: result.state for phase, result in reading.phases.items()}


def brief(events: Sequence[Event]) -> list[tuple[str, str]]:
    """Events without tokens, as (kind, phase); runs of tokens as one."""
    pairs = [(type(e).__name__, getattr(e, "phase", "")) for e in events]
    return [pair for pair, _ in itertools.groupby(pairs)]


#: The order in which a view that decides the classes lets the phases be asked.
AS_ASKED: tuple[Phase, ...] = ("classify", "map", "interpret", "detect", "segment")


def test_a_whole_reading(make_engine: Make, scan: Scan) -> None:
    engine = make_engine()
    reading = read_frame(engine, scan, 1)
    assert states(reading) == dict.fromkeys(PHASES, "done")
    assert reading.scan == scan.ref(1)
    assert reading.view == "BPD_PLANE"
    assert reading.interpretation["anatomical_structures"] == "brain, cavum"
    assert reading.mapping == Mapping(("Brain", "CSP", "LV"), ("Brain",), "cls_specific_BPD_PLANE")
    found = [(a.category, a.kind, a.points) for a in reading.annotations]
    assert found == [
        ("Brain", "box", ((40.0, 60.0), (200.0, 180.0))),
        ("CSP", "box", ((4.0, 6.0), (12.0, 12.0))),
        ("Brain", "polygon", ((40.0, 60.0), (200.0, 60.0), (200.0, 180.0))),
    ]
    assert all(a.source == "model" and a.status == "proposed" for a in reading.annotations)
    assert all(a.score == pytest.approx(0.9048, abs=1e-4) for a in reading.annotations)
    assert all(r.raw and r.tokens for p, r in reading.phases.items() if p != "map")
    assert Reading.from_dict(reading.to_dict()).annotations == reading.annotations
    assert {key for key, _ in engine.asked} == {image_key(scan.frame(1))}
    assert [p.task for _, p in engine.asked] == ["classify", "interpret", "detect", "segment"]
    assert engine.asked[-1][1].labels == ("Brain",)


def test_provenance_names_the_prompts(make_engine: Make, scan: Scan) -> None:
    prompts = PromptSet("mine", {**PromptSet.load().prompts, "classify": "Which view?"})
    reading = read_frame(make_engine(), scan, prompts=prompts)
    assert (reading.model.prompt_set, reading.model.prompt_hash) == ("mine", prompts.hash)
    default = read_frame(make_engine(), scan)
    assert default.model == replace(MODEL, prompt_hash=PromptSet.load().hash)


def test_events_in_order(make_engine: Make, scan: Scan) -> None:
    events = list(stream_frame(make_engine(), scan))
    expected = []
    # The view decides the classes here, so the report need not be waited for.
    for phase in AS_ASKED:
        expected.append(("PhaseStarted", phase))
        if phase != "map":
            expected.append(("PhaseToken", phase))
        expected.append(("PhaseFinished", phase))
    assert brief(events) == [*expected, ("ReadingFinished", "")]
    text = "".join(e.text for e in events if isinstance(e, PhaseToken) and e.phase == "detect")
    last = events[-1]
    assert isinstance(last, ReadingFinished)
    assert last.reading.phases["detect"].raw == text
    assert not last.cancelled
    done = [e for e in events if isinstance(e, PhaseFinished)]
    assert [len(e.reading.annotations) for e in done] == [0, 0, 0, 2, 3]
    assert set(done[2].reading.phases) == {"interpret", "classify", "map"}


def test_phases_that_are_answered_together_are_told_apart(make_engine: Make, scan: Scan) -> None:
    alone = read_frame(make_engine(), scan)
    events = list(stream_frame(make_engine(interleaved=True), scan))
    ended = [e.phase for e in events if isinstance(e, PhaseFinished)]
    assert ended[:2] == ["classify", "map"]
    # All three begin before the first of them ends, and the shortest ends first.
    rest = [type(e) for e in events if isinstance(e, PhaseStarted | PhaseFinished)][4:]
    assert rest == [PhaseStarted] * 3 + [PhaseFinished] * 3
    assert ended[2:] == sorted(ended[2:], key=lambda p: len(alone.phases[p].raw))
    last = events[-1]
    assert isinstance(last, ReadingFinished)
    assert {p: r.raw for p, r in last.reading.phases.items()} == {
        p: r.raw for p, r in alone.phases.items()
    }


class Counting(ScriptedEngine):
    """Counts requests."""

    requests = 0

    def ask(
        self, image: Image, prompts: Sequence[Prompt], *, cancel: Cancel | None = None
    ) -> Iterator[Token | Completion]:
        self.requests += 1
        return super().ask(image, prompts, cancel=cancel)


def test_independent_phases_share_a_request(script: Script_, scan: Scan) -> None:
    engine = Counting(script, info=EngineInfo(MODEL))
    read_frame(engine, scan)
    assert engine.requests == 2
    for event in stream_frame(engine, scan, gated=True):
        assert event
    assert engine.requests == 2 + 4


def test_a_view_that_decides_nothing_waits_for_the_report(
    make_engine: Make, script: Script_, scan: Scan
) -> None:
    script["classify"] = '{"label": "Other"}'
    engine = make_engine()
    reading = read_frame(engine, scan)
    assert [p.task for _, p in engine.asked][:2] == ["classify", "interpret"]
    assert reading.mapping is not None
    assert reading.mapping.tier.startswith(("plane_", "interp_"))


def test_empty_is_not_failed(make_engine: Make, script: Script_, scan: Scan) -> None:
    script |= {"detect": "[]", "segment": "I cannot tell."}
    reading = read_frame(make_engine(), scan)
    assert states(reading) | {"map": ""} == {
        "interpret": "done", "classify": "done", "map": "", "detect": "empty", "segment": "failed",
    }  # fmt: skip
    assert reading.phases["segment"].raw == "I cannot tell."
    assert reading.phases["detect"].problems == ()
    assert reading.phases["segment"].problems


def test_structures_that_cannot_be_used_are_a_failure(
    make_engine: Make, script: Script_, scan: Scan
) -> None:
    script |= {
        "detect": answer(box("Brain", 5, 5, 5, 5), box("placenta"), box("CRL_KP")),
        "segment": answer(box("Brain", mask=[[1, 1], [2, 2]]), box("CSP", mask=TRIANGLE)),
    }
    reading = read_frame(make_engine(), scan)
    assert reading.annotations == ()
    assert states(reading)["detect"] == states(reading)["segment"] == "failed"
    text = "\n".join(reading.phases["detect"].problems + reading.phases["segment"].problems)
    for part in ("Brain is less than 1 px", "'placenta' is not in the vocabulary",
                 "CRL_KP takes no box", "Brain came without outline",
                 "CSP takes no outline"):  # fmt: skip
        assert part in text


def test_odd_structures_are_kept_and_said(make_engine: Make, script: Script_, scan: Scan) -> None:
    bow = [[100, 100], [500, 500], [500, 100], [100, 500]]
    script |= {
        "detect": answer(box("Brain"), box("Brain"), box("head")),
        "segment": answer(box("Brain", mask=bow)),
    }
    reading = read_frame(make_engine(), scan)
    assert [a.category for a in reading.annotations] == ["Brain", "head", "Brain"]
    assert reading.phases["detect"].problems == (
        "head was not asked for",
        "1 repeated structures were left out",
    )
    assert reading.phases["segment"].problems == ("Brain crosses itself",)


def test_the_token_limit(make_engine: Make, scan: Scan) -> None:
    limits = {"interpret": 25, "classify": 3, "detect": 35, "segment": 5}
    prompts = replace(PromptSet.load(), max_tokens=limits)
    reading = read_frame(
        make_engine(), scan, prompts=prompts, classes=Mapping(("Brain",), ("Brain",), "mine")
    )
    assert states(reading) == {
        "interpret": "done", "classify": "failed", "map": "done", "detect": "done",
        "segment": "failed",
    }  # fmt: skip
    for phase in ("interpret", "classify", "detect", "segment"):
        assert "cut by the token limit" in reading.phases[phase].problems
    assert [a.category for a in reading.annotations] == ["Brain"]
    assert reading.interpretation["anatomical_structures"] == "brain, cavum"
    assert len(reading.phases["detect"].raw) > len("[")


def test_an_engine_that_fails_over_one_answer(
    make_engine: Make, script: Script_, scan: Scan
) -> None:
    script["interpret"] = Script('{"anatomical_structures": "bra', error=EngineError("It died."))
    engine = make_engine()
    reading = read_frame(engine, scan)
    failed = reading.phases["interpret"]
    assert (failed.state, failed.raw) == ("failed", '{"anatomical_structures": "bra')
    assert failed.problems == ("It died.",)
    # The others were not to blame: they are asked again, by themselves, and go on.
    assert states(reading) == {p: "failed" if p == "interpret" else "done" for p in PHASES}
    assert [p.task for _, p in engine.asked].count("detect") == 2
    assert reading.phases["map"].problems == ()  # the view decides
    assert len(reading.annotations) == 3


def test_an_engine_that_is_dead(scan: Scan) -> None:
    def fail(*_: object) -> str:
        raise EngineError("The process was killed.", todo="Ask again.")

    engine = Counting(fail, info=EngineInfo(MODEL))
    events = list(stream_frame(engine, scan))
    last = events[-1]
    assert isinstance(last, ReadingFinished)
    assert not last.cancelled
    assert states(last.reading) == {p: "failed" if p != "map" else "done" for p in PHASES} | {
        "segment": "skipped"  # the fallback classes have no outlines
    }
    # The view, the report and the boxes: nothing had begun, so nothing is asked twice.
    assert engine.requests == 3
    assert last.reading.phases["detect"].problems == ("The process was killed. Ask again.",)
    assert last.reading.phases["map"].problems == (
        "nothing that was said names a structure; these are the defaults",
        "chosen without interpret and classify, which failed",
    )
    assert sum(isinstance(e, PhaseFailed) for e in events) == 3


def test_map_works_from_either_half(make_engine: Make, script: Script_, scan: Scan) -> None:
    script["classify"] = Script("{", error=EngineError("No."))
    reading = read_frame(make_engine(), scan)
    assert reading.mapping is not None
    assert reading.mapping.tier == "interp_brain"
    assert reading.view is None


class After:
    """Set once it has been looked at a number of times."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("looks", [0, 1, 5, 20, 60, 100, 150, 200, 250])
def test_cancel_at_any_moment(make_engine: Make, scan: Scan, looks: int) -> None:
    events = list(stream_frame(make_engine(), scan, cancel=After(looks)))
    last = events[-1]
    assert isinstance(last, ReadingFinished)
    reading = last.reading
    assert list(reading.phases) == list(PHASES)
    seen = [reading.phases[p] for p in AS_ASKED]
    stopped = [r for r in seen if "cancelled" in r.problems]
    assert last.cancelled == bool(stopped)
    for result in stopped:
        assert result.state == ("failed" if result.raw else "skipped")
    # One phase at most was at work; all before it stand, all after it were not asked.
    order = [r.state for r in seen]
    assert order.count("failed") <= 1
    if stopped:
        first = seen.index(stopped[0])
        assert order[:first] == ["done"] * first
        assert set(order[first + 1 :]) <= {"skipped"}
    started = [e.phase for e in events if isinstance(e, PhaseStarted)]
    assert len(started) == len(set(started))


def test_cancel_from_another_thread(make_engine: Make, script: Script_, scan: Scan) -> None:
    script["detect"] = Script(answer(*[box("Brain")] * 50), delay=0.01)
    cancel = threading.Event()
    events = []
    for event in stream_frame(make_engine(), scan, cancel=cancel):
        events.append(event)
        if isinstance(event, PhaseToken) and event.phase == "detect" and len(event.text) > 3:
            cancel.set()
    last = events[-1]
    assert isinstance(last, ReadingFinished)
    assert last.cancelled
    assert states(last.reading)["detect"] == "failed"
    assert states(last.reading)["segment"] == "skipped"
    assert last.reading.phases["detect"].raw.startswith("[{")
    assert last.reading.annotations == ()


def test_gates_let_the_caller_change_what_follows(make_engine: Make, scan: Scan) -> None:
    engine = make_engine()
    events = stream_frame(engine, scan, gated=True)
    gates: list[Phase] = []
    reply: Reading | None = None
    while True:
        try:
            event = events.send(reply)
        except StopIteration as end:
            reading = end.value
            break
        reply = None
        if isinstance(event, GateOpen):
            gates.append(event.phase)
            if event.phase == "classify":
                reply = replace(event.reading, view="FL", interpretation={})
            if event.phase == "map":
                assert event.reading.mapping == Mapping(("legs",), (), "cls_specific_FL")
                reply = replace(event.reading, mapping=manual_mapping(("H", "Brain")))
            if event.phase == "detect":
                reply = replace(event.reading, annotations=event.reading.annotations[:1])
    assert gates == list(PHASES)
    asked = [(p.task, p.labels) for _, p in engine.asked if p.task in ("detect", "segment")]
    # H and Brain belong to different groups: two prompts.
    assert asked == [("detect", ("H",)), ("detect", ("Brain",)), ("segment", ("Brain",))]
    assert reading.view == "FL"
    assert len(reading.annotations) == 2


def test_a_gate_without_reply_goes_on(make_engine: Make, scan: Scan) -> None:
    events = list(stream_frame(make_engine(), scan, gated=True))
    gates = [e for e in events if isinstance(e, GateOpen)]
    assert [g.phase for g in gates] == list(PHASES)
    assert gates[3].reading.annotations
    plain = read_frame(make_engine(), scan)
    assert gates[-1].reading.mapping == plain.mapping


def test_a_gate_takes_no_other_frames_reading(make_engine: Make, scan: Scan) -> None:
    other = read_frame(make_engine(), scan, 1)
    events = stream_frame(make_engine(), scan, gated=True)
    assert any(isinstance(event, GateOpen) for event in events)
    with pytest.raises(ValueError, match="another frame"):
        events.send(other)


def test_a_mapping_taken_away_at_a_gate_is_made_again(make_engine: Make, scan: Scan) -> None:
    events = stream_frame(make_engine(), scan, gated=True)
    event: Event = next(events)
    while not (isinstance(event, GateOpen) and event.phase == "map"):
        event = next(events)
    events.send(replace(event.reading, mapping=None))
    assert {type(e).__name__ for e in events} >= {"ReadingFinished"}


def test_one_phase_again(make_engine: Make, script: Script_, scan: Scan) -> None:
    first = read_frame(make_engine(), scan)
    script["detect"] = answer(box("LV", 300, 300, 400, 400))
    engine = make_engine()
    expert = replace(first.annotations[0], source="expert", uid="e")
    accepted = replace(first.annotations[1], status="accepted")
    start = replace(first, annotations=(expert, accepted, *first.annotations))
    again = read_frame(engine, scan, previous=start, phases=("detect",))
    assert [p.task for _, p in engine.asked] == ["detect"]
    assert {a.category for a in again.annotations if a.kind == "box"} == {"Brain", "CSP", "LV"}
    # What an expert made or accepted, and the outlines of the other phase, are still there.
    assert again.annotations[:2] == (expert, accepted)
    assert again.annotations[2] == first.annotations[2]
    assert len(again.annotations) == 4
    for phase in ("interpret", "classify", "map", "segment"):
        assert again.phases[phase] == first.phases[phase]
    assert first.annotations != again.annotations  # the earlier reading is as it was


def test_a_failed_run_again_keeps_the_earlier_result(
    make_engine: Make, script: Script_, scan: Scan
) -> None:
    first = read_frame(make_engine(), scan)
    script |= {"detect": "?", "classify": "?"}
    again = read_frame(make_engine(), scan, previous=first, phases=("classify", "detect"))
    assert states(again)["detect"] == states(again)["classify"] == "failed"
    assert "the earlier result stands" in again.phases["detect"].problems
    assert again.annotations == first.annotations
    assert again.view == "BPD_PLANE"
    cancel = threading.Event()
    cancel.set()
    stopped = read_frame(make_engine(), scan, previous=first, cancel=cancel)
    assert stopped == first


def test_results_of_another_model_say_so(make_engine: Make, scan: Scan) -> None:
    first = read_frame(make_engine(), scan)
    other = replace(first, model=replace(first.model, pack="big", sha256="cd" * 32))
    again = read_frame(make_engine(), scan, previous=other, phases=("detect",))
    note = "from an earlier run of big (cdcdcdcd, prompts napari-fada-1)"
    assert note in again.phases["interpret"].problems
    assert note not in again.phases["detect"].problems
    assert again.model == first.model


def test_an_earlier_reading_of_another_frame_is_refused(make_engine: Make, scan: Scan) -> None:
    first = read_frame(make_engine(), scan, 0)
    with pytest.raises(ValueError, match="another frame"):
        read_frame(make_engine(), scan, 1, previous=first)
    with pytest.raises(ValueError, match="no such phase: sing"):
        read_frame(make_engine(), scan, phases=("sing",))  # type: ignore[arg-type]


def test_detect_alone_maps_first(make_engine: Make, scan: Scan) -> None:
    reading = read_frame(make_engine(), scan, phases=("detect",))
    assert states(reading) == {
        "interpret": "skipped", "classify": "skipped", "map": "done", "detect": "done",
        "segment": "skipped",
    }  # fmt: skip
    assert reading.mapping is not None
    assert reading.mapping.tier == "fallback_no_match"
    assert reading.phases["map"].problems


def test_explicit_classes(make_engine: Make, scan: Scan) -> None:
    engine = make_engine()
    mine = manual_mapping(("Brain", "G"))
    reading = read_frame(engine, scan, classes=mine, phases=("detect", "segment"))
    assert reading.mapping is mine
    assert [p.labels for _, p in engine.asked] == [("Brain",), ("G",), ("Brain",)]
    assert reading.phases["map"].problems == ()


def test_what_the_model_does_not_know_is_not_asked(make_engine: Make, scan: Scan) -> None:
    engine = make_engine(classes=("Brain", "LV"))
    reading = read_frame(engine, scan)
    assert engine.asked[2][1].labels == ("Brain", "LV")
    assert "not asked, the model does not know: CSP" in reading.phases["detect"].problems
    none = read_frame(make_engine(classes=("artery",)), scan)
    assert none.phases["detect"].state == "skipped"
    assert none.phases["detect"].problems == ("not asked, the model does not know: Brain, CSP, LV",)


POINTS = [[100, 200, 2], [500, 600, 1]]


def test_keypoints_take_part(make_engine: Make, script: Script_, scan: Scan) -> None:
    script |= {
        "interpret": report(imaging_plane="crown-rump length"),
        "classify": '{"label": "Other"}',
        "detect": answer(box("CRL")),
        "keypoints": answer(box("CRL_KP", keypoints=POINTS)),
    }
    engine = make_engine(keypoints=("CRL_KP", "ScaleBarKpoints"))
    reading = read_frame(engine, scan)
    assert [(p.task, p.labels) for _, p in engine.asked[2:]] == [
        ("detect", ("B", "CRL", "H", "NB")),
        ("keypoints", ("CRL_KP", "ScaleBarKpoints")),
    ]
    points = reading.annotations[-1]
    assert (points.category, points.kind) == ("CRL_KP", "keypoints")
    assert points.points == ((40.0, 60.0), (200.0, 180.0))
    assert points.visibility == (2, 1)
    assert reading.phases["segment"].state == "skipped"
    # A pack that names no keypoints is not asked for any.
    silent = make_engine()
    read_frame(silent, scan)
    assert [p.task for _, p in silent.asked] == ["classify", "interpret", "detect"]


def test_boxes_without_their_keypoints_are_not_a_whole_answer(
    make_engine: Make, script: Script_, scan: Scan
) -> None:
    script |= {
        "detect": answer(box("CRL")),
        "keypoints": Script("[", error=EngineError("Gone.")),
    }
    engine = make_engine(keypoints=("CRL_KP",))
    reading = read_frame(engine, scan, classes=manual_mapping(("CRL",)), phases=("detect",))
    assert reading.phases["detect"].state == "done"
    assert reading.phases["detect"].problems == ("Gone.",)
    assert reading.phases["detect"].raw == script["detect"] + "\n\n["
    script["detect"] = "[]"
    nothing = read_frame(engine, scan, classes=manual_mapping(("CRL",)), phases=("detect",))
    assert nothing.phases["detect"].state == "failed"


def test_closing_the_generator_closes_the_request(script: Script_, scan: Scan) -> None:
    closed = []

    class Watched(ScriptedEngine):
        def ask(
            self, image: Image, prompts: Sequence[Prompt], *, cancel: Cancel | None = None
        ) -> Iterator[Token | Completion]:
            try:
                yield from super().ask(image, prompts, cancel=cancel)
            except GeneratorExit:
                closed.append(True)
                raise

    events = stream_frame(Watched(script), scan)
    assert any(isinstance(event, PhaseToken) for event in events)
    events.close()
    assert closed == [True]


def test_a_frame_that_cannot_be_decoded_is_an_error(make_engine: Make, scan: Scan) -> None:
    def broken(index: int) -> Any:
        raise ScanError(f"Frame {index} is cut off.")

    with pytest.raises(ScanError, match="cut off"):
        read_frame(make_engine(), replace(scan, decode=broken))
    with pytest.raises(IndexError):
        read_frame(make_engine(), scan, 5)


def test_downstream() -> None:
    assert downstream("interpret") == downstream("classify") == ("map", "detect", "segment")
    assert downstream("map") == ("detect", "segment")
    assert downstream("detect") == downstream("segment") == ()


@pytest.mark.parametrize("skipped", ["detect", "segment"])
def test_skipped_phases_are_told_in_order(make_engine: Make, scan: Scan, skipped: str) -> None:
    classes = (
        Mapping(("Brain",), (), "mine") if skipped == "segment" else Mapping((), ("Brain",), "mine")
    )
    events = list(stream_frame(make_engine(), scan, classes=classes))
    ended = [(e.phase, e.result.state) for e in events if isinstance(e, PhaseFinished)]
    assert sorted(ended[3:]) == [
        (phase, "skipped" if phase == skipped else "done") for phase in ("detect", "segment")
    ]
    assert ("PhaseStarted", skipped) not in brief(events)
