"""The engine in a child process: streaming, cancelling, dying, coming back."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_fada.engines.host import HostedEngine, Spec
from napari_fada.engines.protocol import Completion, Engine, Prompt, Token
from napari_fada.errors import EngineError, ModelError
from waiting import wait_until

IMAGE = np.zeros((60, 80, 3), np.uint8)
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture
def engine() -> Iterator[HostedEngine]:
    hosted = HostedEngine(Spec("host_scripts:engine"))
    yield hosted
    hosted.close()


def ask(engine: Engine, *texts: str, cancel: threading.Event | None = None) -> list[Completion]:
    prompts = [Prompt("free", text) for text in texts]
    items = list(engine.ask(IMAGE, prompts, cancel=cancel))
    answers = [item for item in items if isinstance(item, Completion)]
    assert sorted(answer.prompt for answer in answers) == list(range(len(texts)))
    for answer in answers:
        streamed = [i for i in items if isinstance(i, Token) and i.prompt == answer.prompt]
        assert tuple(streamed) == answer.tokens
        assert "".join(token.text for token in streamed) == answer.text
    return answers


def is_gone(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        # The first thread can be a zombie while others of the process are still ending.
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


def test_streams_from_another_process(engine: HostedEngine) -> None:
    assert isinstance(engine, Engine)
    assert engine.info.model.pack == "scripted"
    assert engine.pid not in (None, os.getpid())
    first, second = ask(engine, "echo one two", "echo three")
    assert (first.text, second.text) == ("one two", "three")
    assert (first.stop, second.stop) == ("end", "end")
    items = engine.ask(IMAGE, [Prompt("free", "slow")])
    assert isinstance(next(items), Token)  # long before the whole answer is there
    items.close()  # type: ignore[attr-defined]


def test_a_large_image_goes_through(engine: HostedEngine) -> None:
    image = np.zeros((3000, 4000, 3), np.uint8)
    items = list(engine.ask(image, [Prompt("free", "echo seen")]))
    assert items[-1].text == "seen"


@pytest.mark.parametrize("before", [True, False])
def test_cancel_keeps_what_had_arrived_and_the_child(engine: HostedEngine, before: bool) -> None:
    pid, cancel = engine.pid, threading.Event()
    if before:
        cancel.set()
    else:
        threading.Timer(0.1, cancel.set).start()
    first, second = ask(engine, "slow", "echo never", cancel=cancel)
    assert (first.stop, second.stop) == ("cancelled", "cancelled")
    assert bool(first.text) is not before
    assert second.text == ""
    assert ask(engine, "echo on")[0].text == "on"
    assert engine.pid == pid


def test_a_child_that_does_not_heed_a_cancel_is_replaced(engine: HostedEngine) -> None:
    pid, cancel = engine.pid, threading.Event()
    threading.Timer(0.2, cancel.set).start()
    first, second = ask(engine, "echo kept words", "stuck 60", cancel=cancel)
    assert (first.text, first.stop) == ("kept words", "end")
    assert (second.text, second.stop) == ("", "cancelled")
    assert ask(engine, "echo again")[0].text == "again"
    assert engine.pid != pid
    assert is_gone(pid)


def test_a_child_slow_to_heed_a_cancel_is_kept(engine: HostedEngine) -> None:
    pid, cancel = engine.pid, threading.Event()
    threading.Timer(0.1, cancel.set).start()
    assert ask(engine, "stuck 0.5", cancel=cancel)[0].stop == "cancelled"
    assert ask(engine, "echo again")[0].text == "again"
    assert engine.pid == pid


def test_a_stuck_child_is_killed_without_another_request(engine: HostedEngine) -> None:
    pid, cancel = engine.pid, threading.Event()
    threading.Timer(0.1, cancel.set).start()
    assert ask(engine, "stuck 60", cancel=cancel)[0].stop == "cancelled"
    assert ask(engine, "echo no", cancel=cancel)[0].stop == "cancelled"
    assert wait_until(lambda: is_gone(pid))


def test_closing_the_iterator_cancels(engine: HostedEngine) -> None:
    pid = engine.pid
    items = engine.ask(IMAGE, [Prompt("free", "slow")])
    next(items)
    with pytest.raises(EngineError, match="another request"):
        ask(engine, "echo two at once")
    items.close()  # type: ignore[attr-defined]
    for _ in engine.ask(IMAGE, [Prompt("free", "slow")]):
        break
    assert ask(engine, "echo free again")[0].text == "free again"
    assert engine.pid == pid


def test_an_exception_in_the_engine_is_reported_and_the_child_lives(engine: HostedEngine) -> None:
    pid = engine.pid
    with pytest.raises(EngineError, match="ValueError: a defect in the engine"):
        ask(engine, "fail")
    with pytest.raises(EngineError, match="not enough memory"):
        ask(engine, "hungry")
    assert ask(engine, "echo well")[0].text == "well"
    assert engine.pid == pid


@posix_only
def test_kill_while_answering_then_a_fresh_child(engine: HostedEngine) -> None:
    pid = engine.pid
    items = engine.ask(IMAGE, [Prompt("free", "echo done before"), Prompt("free", "slow")])
    seen = list(itertools.takewhile(lambda item: item.prompt == 0, items))
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineError) as caught:
        list(items)
    assert "signal 9 (SIGKILL)" in caught.value.what
    assert "memory" in caught.value.what
    assert caught.value.kept
    assert caught.value.todo
    assert [i.text for i in seen if isinstance(i, Completion)] == ["done before"]
    assert is_gone(pid)
    assert ask(engine, "echo anew")[0].text == "anew"
    assert engine.pid != pid


@posix_only
def test_killed_while_idle_is_no_failure(engine: HostedEngine) -> None:
    pid = engine.pid
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: is_gone(pid))
    assert ask(engine, "echo anew")[0].text == "anew"
    assert engine.pid != pid
    with pytest.raises(psutil.NoSuchProcess):  # reaped, no zombie
        psutil.Process(pid)


@posix_only
def test_crash_and_exit_say_how(engine: HostedEngine) -> None:
    with pytest.raises(EngineError, match=r"signal 11 \(SIGSEGV\) while answering.*by_text"):
        ask(engine, f"die {int(signal.SIGSEGV)}")
    with pytest.raises(EngineError, match=r"exit code 7.*these are the last words"):
        ask(engine, "exit 7")
    assert ask(engine, "echo anew")[0].text == "anew"


def test_errors_while_starting() -> None:
    with pytest.raises(ModelError) as caught:
        HostedEngine(Spec("host_scripts:bad_model"))
    assert caught.value.what == "weights.gguf is damaged."
    assert (caught.value.kept, caught.value.todo) == ("Nothing was changed.", "Get it again.")
    with pytest.raises(EngineError, match="a defect while starting"):
        HostedEngine(Spec("host_scripts:defective"))
    with pytest.raises(EngineError, match=r"exit code 3 while starting.*libggml"):
        HostedEngine(Spec("host_scripts:exits_at_start"))
    with pytest.raises(EngineError, match="no_such_module"):
        HostedEngine(Spec("no_such_module:engine"))
    with pytest.raises((AttributeError, TypeError)):  # never reaches a child
        HostedEngine(Spec("host_scripts:engine", {"lock": threading.Lock()}))


def test_what_is_printed_disturbs_nothing(engine: HostedEngine) -> None:
    assert ask(engine, "print")[0].text == "quiet"
    assert ask(engine, "echo still in step")[0].text == "still in step"
    with pytest.raises(EngineError, match=r"noise from a library.*noise from C"):
        ask(engine, "exit 1")


@posix_only
def test_priority_threads_and_interrupts() -> None:
    engine = HostedEngine(Spec("host_scripts:engine", threads=3, nice=7))
    try:
        assert ask(engine, "environment OMP_NUM_THREADS")[0].text == "3"
        assert int(ask(engine, "nice")[0].text) == min(os.nice(0) + 7, 19)
        assert ask(engine, "sigint")[0].text == "alive"
        os.kill(engine.pid, signal.SIGINT)
        assert ask(engine, "echo alive")[0].text == "alive"
        assert os.getsid(engine.pid) != os.getsid(0)  # Ctrl+C does not even reach it
    finally:
        engine.close()


def test_the_child_loads_no_viewer(engine: HostedEngine) -> None:
    assert ask(engine, "modules napari qtpy PyQt6 vispy llama_cpp torch")[0].text == ""


def test_idle_costs_nothing_and_ping_works_meanwhile(engine: HostedEngine) -> None:
    before = engine.ping()
    assert before.pid == engine.pid
    time.sleep(1.0)
    assert engine.ping().cpu_seconds - before.cpu_seconds < 0.05
    cancel = threading.Event()
    thread = threading.Thread(target=ask, args=(engine, "stuck 60"), kwargs={"cancel": cancel})
    thread.start()
    time.sleep(0.1)
    assert engine.ping().pid == before.pid
    cancel.set()
    thread.join(20)
    assert not thread.is_alive()


def test_close_ends_a_request_and_the_child(engine: HostedEngine) -> None:
    pid = engine.pid
    threading.Timer(0.2, engine.close).start()
    assert ask(engine, "stuck 60")[0].stop == "cancelled"
    assert wait_until(lambda: is_gone(pid))
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        ask(engine, "echo")


def test_a_forgotten_engine_takes_its_child_along() -> None:
    engine = HostedEngine(Spec("host_scripts:engine"))
    pid = engine.pid
    del engine
    assert wait_until(lambda: is_gone(pid))


PARENT = """
import sys, time
from napari_fada.engines.host import HostedEngine, Spec
from napari_fada.engines.protocol import Prompt
import numpy as np
engine = HostedEngine(Spec("host_scripts:engine"))
print(engine.pid, flush=True)
text = sys.argv[1]
if text:
    list(engine.ask(np.zeros((8, 8), np.uint8), [Prompt("free", text)]))
if sys.argv[2] == "stay":
    time.sleep(600)
"""


@pytest.mark.parametrize(
    ("text", "then"), [("", "stay"), ("slow", "stay"), ("stuck 600", "stay"), ("echo", "leave")]
)
def test_the_child_ends_with_its_parent(tmp_path: Path, text: str, then: str) -> None:
    # a script without an "if __name__" guard, in a file as a user would write it
    script = tmp_path / "unguarded.py"
    script.write_text(PARENT, encoding="utf-8")
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    parent = subprocess.Popen(
        [sys.executable, str(script), text, then],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        if then == "leave":
            assert parent.wait(30) == 0
        else:
            time.sleep(0.2)
            assert not is_gone(pid)
            parent.kill()
    assert wait_until(lambda: is_gone(pid))


@posix_only
@pytest.mark.slow
def test_two_hundred_requests_leave_nothing_behind() -> None:
    chance = random.Random(20)
    threads_before = threading.active_count()
    children_before = {child.pid for child in psutil.Process().children(recursive=True)}
    engine = HostedEngine(Spec("host_scripts:engine_with_costly_images"), patience_seconds=0.1)
    timers: list[threading.Timer] = []
    outcomes: dict[str, int] = {}
    for number in range(200):
        cancel = threading.Event()
        action = chance.choices(
            ["plain", "cancel", "kill", "close", "stuck", "fail"], [60, 60, 12, 30, 8, 30]
        )[0]
        delay = chance.random() * 0.08
        text = {"stuck": "stuck 60", "fail": "fail", "plain": f"echo {number}"}.get(action, "slow")
        if action in ("cancel", "stuck"):
            timers.append(threading.Timer(delay, cancel.set))
            timers[-1].start()
        try:
            if action == "close":
                items = engine.ask(IMAGE, [Prompt("free", text)])
                next(items)
                items.close()  # type: ignore[attr-defined]
                result = "closed"
            elif action == "kill":
                items = engine.ask(IMAGE, [Prompt("free", text)])
                next(items)
                os.kill(engine.pid, signal.SIGKILL)
                list(items)
                result = "survived"
            else:
                (answer,) = ask(engine, text, cancel=cancel)
                result = answer.stop
                if action == "plain":
                    assert answer.text == str(number)
        except EngineError as error:
            result = "killed" if "SIGKILL" in str(error) else "failed"
        expected = {"plain": "end", "cancel": "cancelled", "kill": "killed", "close": "closed"}
        assert result == (expected | {"stuck": "cancelled", "fail": "failed"})[action]
        outcomes[result] = outcomes.get(result, 0) + 1
    assert set(outcomes) == {"end", "cancelled", "killed", "closed", "failed"}
    engine.close()
    for timer in timers:
        timer.join()
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    assert children <= children_before  # zombies would be listed too
    assert wait_until(lambda: threading.active_count() <= threads_before)
