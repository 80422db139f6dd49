"""Lanes: several answers at the same time, each in a context and on threads of its own.

One answer alone leaves much of a processor unused: its graph is a chain of small nodes, and the
threads of each node wait for the slowest. Two answers on one thread each need about as long as
one on two threads. Every lane has the same number of threads all the time, because the number
of threads changes the rounding: an answer must not depend on when another one ended.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence

from napari_fada.engines.brake import Aborted
from napari_fada.engines.decoding import Answer
from napari_fada.engines.llama.context import Context
from napari_fada.engines.protocol import Completion, Token
from napari_fada.errors import EngineError

Event = Token | Completion
#: Decodes one answer in a context, giving what happens.
Work = Callable[[Answer, Context], Iterator[Event]]

#: Long answers begin first, so that no lane is left alone with one at the end.
_LENGTH = {"segment": 4, "interpret": 3, "free": 3, "keypoints": 2, "detect": 2, "classify": 1}


def longest_first(answers: Sequence[Answer]) -> list[Answer]:
    """Sort answers by how long they will probably be."""
    return sorted(answers, key=lambda a: -_LENGTH[a.prompt.task])


class Lanes:
    """Answers that are decoded side by side while a caller reads what comes.

    Parameters
    ----------
    answers : sequence of Answer
        What is to be decoded, each by the lane that is free first.
    contexts : sequence of Context
        One for each lane, with the image's prefix in sequence 0.
    work : callable
        Decodes one answer; called in the lane's thread.
    """

    def __init__(self, answers: Sequence[Answer], contexts: Sequence[Context], work: Work) -> None:
        self._work = work
        self._waiting: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        for answer in longest_first(answers):
            self._waiting.put(answer)
        self._events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(context,), name="lane", daemon=True)
            for context in contexts
        ]

    def events(self) -> Iterator[Event]:
        """Give the tokens and completions of all answers as they come.

        Raises
        ------
        Aborted
            If the caller's cancel stopped a lane; the others have then stopped too.
        EngineError
            If a lane failed.
        """
        for thread in self._threads:
            thread.start()
        failure: BaseException | None = None
        running = len(self._threads)
        while running:
            event = self._events.get()
            if event is None:
                running -= 1
            elif isinstance(event, BaseException):
                # An error says more than the abort of the other lane that it causes.
                if failure is None or isinstance(failure, Aborted):
                    failure = event
                self._stopped.set()
            else:
                yield event
        if failure is not None:
            raise failure

    def stop(self) -> None:
        """End all lanes and wait until they have (the brake stops what they compute)."""
        self._stopped.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _run(self, context: Context) -> None:
        try:
            while not self._stopped.is_set():
                try:
                    answer = self._waiting.get_nowait()
                except queue.Empty:
                    break
                for event in self._work(answer, context):
                    self._events.put(event)
                    if self._stopped.is_set():
                        break
        except (Aborted, EngineError) as error:
            self._events.put(error)
        except Exception as error:  # nothing else would tell of an error in a thread
            self._events.put(EngineError(f"An answer failed: {type(error).__name__}: {error}"))
        finally:
            self._events.put(None)
