"""Scripts that run in the child process; a module of its own so that the child can import it."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time

from napari_fada.engines.protocol import Image, Prompt
from napari_fada.engines.scripted import Answer, Script, ScriptedEngine
from napari_fada.errors import ModelError

LONG = " ".join(str(number) for number in range(2000))


def by_text(_image: Image, prompt: Prompt) -> Answer:
    """Do what the text of the prompt says."""
    match prompt.text.split():
        case ["echo", *words]:
            return " ".join(words)
        case ["slow"]:
            return Script(LONG, delay=0.01)
        case ["fast"]:
            return LONG
        case ["stuck", seconds]:
            return Script("never heard", stuck=float(seconds))
        case ["fail"]:
            raise ValueError("a defect in the engine")
        case ["hungry"]:
            raise MemoryError
        case ["die", number]:
            os.kill(os.getpid(), int(number))
            time.sleep(10)
        case ["exit", code]:
            print("these are the last words", file=sys.stderr)
            os._exit(int(code))
        case ["print"]:
            print("noise from a library")
            os.write(1, b"noise from C\n")
            return "quiet"
        case ["environment", name]:
            return os.environ.get(name, "unset")
        case ["nice"]:
            return str(os.nice(0))
        case ["sigint"]:
            os.kill(os.getpid(), signal.SIGINT)
            return "alive"
        case ["modules", *names]:
            return " ".join(name for name in names if name in sys.modules)
    return "{}"


def engine() -> ScriptedEngine:
    return ScriptedEngine(by_text)


def engine_with_costly_images() -> ScriptedEngine:
    return ScriptedEngine(by_text, image_seconds=0.05)


def bad_model() -> ScriptedEngine:
    raise ModelError("weights.gguf is damaged.", kept="Nothing was changed.", todo="Get it again.")


def defective() -> ScriptedEngine:
    raise KeyError("a defect while starting")


def exits_at_start() -> ScriptedEngine:
    print("cannot find libggml.so", file=sys.stderr)
    os._exit(3)


def counts_its_answers() -> ScriptedEngine:
    """Say how many answers this process has given; a new one begins anew."""
    given = itertools.count(1)
    return ScriptedEngine(lambda _image, _prompt: str(next(given)))
