"""A model that nothing is asked for a while gives its memory back, and returns by itself."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import numpy as np
import psutil
import pytest

from napari_fada.engines.host import HostedEngine, Rest, Spec
from napari_fada.engines.protocol import Completion, Prompt
from napari_fada.errors import EngineError, ModelError
from waiting import wait_until

IMAGE = np.zeros((60, 80, 3), np.uint8)
SPEC = Spec("host_scripts:engine")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(clock: Clock) -> Iterator[HostedEngine]:
    hosted = HostedEngine(Spec("host_scripts:counts_its_answers"), idle_seconds=600, clock=clock)
    yield hosted
    hosted.close()


def ask(engine: HostedEngine, text: str = "") -> str:
    *_, answer = engine.ask(IMAGE, [Prompt("free", text)])
    assert isinstance(answer, Completion)
    return answer.text


def test_it_is_unloaded_after_its_time_and_loads_again_on_use(
    engine: HostedEngine, clock: Clock
) -> None:
    assert ask(engine) == "1"
    pid, info = engine.pid, engine.info
    clock.now += 599
    assert engine.unload_if_idle() is None
    assert ask(engine) == "2"  # a question begins the time anew
    clock.now += 599
    assert engine.unload_if_idle() is None
    clock.now += 1
    rest = engine.unload_if_idle() or engine.rest  # the engine's own thread may have been first
    assert rest == engine.rest
    assert str(rest).startswith("unloaded to free ")
    assert str(rest).endswith(" MB; loads again on use")
    assert rest is not None
    assert rest.freed_bytes > 10_000_000
    assert engine.pid is None
    assert not psutil.pid_exists(pid or 0)
    assert engine.info == info  # what is known of the model stays known
    with pytest.raises(EngineError, match="unloaded to free"):
        engine.ping()
    assert engine.unload_if_idle() is None  # nothing left to unload
    assert ask(engine) == "1"  # another process, without a word
    assert engine.rest is None
    assert engine.pid != pid


def test_never_while_a_question_runs(clock: Clock) -> None:
    engine = HostedEngine(SPEC, idle_seconds=10, clock=clock)
    try:
        items = engine.ask(IMAGE, [Prompt("free", "slow")])
        next(items)
        clock.now += 1000
        assert engine.unload_if_idle() is None
        next(items)
        items.close()  # type: ignore[attr-defined]
        assert engine.unload_if_idle() is None  # its time begins with the end of the answer
        clock.now += 10
        engine.unload_if_idle()
        assert engine.rest is not None  # by this call, or by the engine's own thread before it
    finally:
        engine.close()


def test_zero_is_never_and_the_time_can_be_changed(engine: HostedEngine, clock: Clock) -> None:
    engine.idle_seconds = 0
    clock.now += 1e6
    assert engine.unload_if_idle() is None
    told: list[Rest] = []
    engine.when_unloaded(told.append)
    engine.idle_seconds = 5  # its time is up long since: the thread that looks ends it
    assert wait_until(lambda: bool(told))
    assert engine.rest == told[0]
    assert ask(engine) == "1"


def test_a_thread_looks_by_itself_and_ends_with_the_engine() -> None:
    before = threading.active_count()
    engine = HostedEngine(SPEC, idle_seconds=0.3)
    assert wait_until(lambda: engine.rest is not None)
    assert ask(engine, "echo back") == "back"
    assert wait_until(lambda: engine.rest is not None)
    engine.close()
    assert wait_until(lambda: threading.active_count() <= before)
    with pytest.raises(EngineError, match="closed"):
        ask(engine)


def test_a_forgotten_engine_is_not_kept_by_its_watch() -> None:
    before = threading.active_count()
    engine = HostedEngine(SPEC, idle_seconds=600)
    gone, child = weakref.ref(engine), psutil.Process(engine.pid)
    del engine
    gc.collect()
    assert gone() is None
    assert wait_until(lambda: not child.is_running())
    assert wait_until(lambda: threading.active_count() <= before)


def test_questions_while_it_is_being_unloaded(clock: Clock) -> None:
    """Whatever the order, a question is answered: by the old process or by a new one."""
    engine = HostedEngine(SPEC, idle_seconds=1, clock=clock)
    stop = threading.Event()

    def unload() -> None:
        while not stop.is_set():
            clock.now += 2
            engine.unload_if_idle()

    thread = threading.Thread(target=unload)
    thread.start()
    try:
        for number in range(8):
            assert ask(engine, f"echo {number}") == str(number)
    finally:
        stop.set()
        thread.join()
        engine.close()


def test_what_speaks_against_loading_again_is_told(clock: Clock) -> None:
    asked: list[int] = []

    def admit() -> None:
        asked.append(1)
        if len(asked) == 1:
            raise ModelError("It needs 3 GB, you have 1 GB free.")

    engine = HostedEngine(SPEC, idle_seconds=1, clock=clock, admit=admit)
    try:
        assert not asked  # who loads a model has looked already
        clock.now += 2
        engine.unload_if_idle()
        assert engine.rest is not None  # by this call, or by the engine's own thread before it
        with pytest.raises(ModelError, match="3 GB"):
            ask(engine)
        assert ask(engine, "echo now") == "now"  # memory was freed meanwhile
    finally:
        engine.close()
