"""An engine that lives in a child process and answers as if it were here."""

from __future__ import annotations

import itertools
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence

from napari_fada.engines.host.heard import Heard
from napari_fada.engines.host.process import Child, Ended
from napari_fada.engines.host.slot import Slot
from napari_fada.engines.host.spec import Health, Rest, Spec
from napari_fada.engines.images import check_image
from napari_fada.engines.protocol import Cancel, Completion, EngineInfo, Image, Prompt, Token
from napari_fada.errors import EngineError, FadaError

_KEPT = "Finished answers and all edits are kept."


class HostedEngine:
    """An engine in a child process, so that its crash or its hunger harms nobody here.

    The child is started, and its model loaded, on construction; after it died it is
    started anew by the next request. It ends with this object, with `close`, and with
    this process however that ends.

    Parameters
    ----------
    spec : Spec
        How the child builds the engine.
    poll_seconds : float
        How often `cancel` is looked at while no token comes.
    grace_seconds : float
        How long a cancelled child is waited for. Together with `poll_seconds` this bounds
        the time a cancel takes.
    patience_seconds : float
        How long after that it may go on in the background before it is killed, which
        costs the next request the loading of the model.
    start_seconds : float
        How long the child may take to load the model.
    idle_seconds : float
        After so long without a question the child is ended, which frees its memory; the next
        question starts it anew. 0: never.
    admit : callable, optional
        Called before a child is started in place of an earlier one; raises what speaks
        against it (the memory that was free at first may be gone).
    clock : callable
        Seconds that only go forward; what `idle_seconds` is measured with.

    Raises
    ------
    FadaError
        The ModelError or EngineError that the factory raised in the child, or an
        EngineError saying how the child ended.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        poll_seconds: float = 0.02,
        grace_seconds: float = 0.12,
        patience_seconds: float = 1.0,
        start_seconds: float = 600.0,
        idle_seconds: float = 0.0,
        admit: Callable[[], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spec = spec
        self._poll, self._start = poll_seconds, start_seconds
        self._grace, self._patience = grace_seconds, patience_seconds
        self._settling: threading.Thread | None = None
        self._slot = Slot(idle_seconds=idle_seconds, clock=clock)
        self._admit: Callable[[], object] | None = None  # for the first child the caller has asked
        self._asking = threading.Lock()
        self._numbers = itertools.count(1)
        self._info: EngineInfo | None = None
        weakref.finalize(self, Slot.close, self._slot)
        try:
            self._ready_child(None)
        except BaseException:
            self.close()
            raise
        self._admit = admit
        self._slot.end()

    @property
    def info(self) -> EngineInfo:
        """What is loaded."""
        assert self._info is not None
        return self._info

    @property
    def pid(self) -> int | None:
        """Process id of the child, None while there is none."""
        child = self._slot.child
        return None if child is None else child.pid

    @property
    def rest(self) -> Rest | None:
        """What it was unloaded for after a time without questions; None while it is loaded."""
        return self._slot.rest

    @property
    def idle_seconds(self) -> float:
        """After how long without a question the child is ended; 0: never. Can be set."""
        return self._slot.idle_seconds

    @idle_seconds.setter
    def idle_seconds(self, seconds: float) -> None:
        self._slot.idle_seconds = seconds

    def unload_if_idle(self) -> Rest | None:
        """End the child if its time is up (a thread looks too); says what that freed."""
        return self._slot.unload_if_idle()

    def when_unloaded(self, told: Callable[[Rest], object] | None) -> None:
        """Name who is told, in whatever thread, when the child was ended as idle."""
        self._slot.on_rest = told

    def ping(self, timeout: float = 5.0) -> Health:
        """Ask the child how it fares (memory, processor time); also while it works."""
        child = self._slot.child
        try:
            if child is not None:
                return child.ping(timeout)
        except (Ended, queue.Empty):
            pass
        if self.rest is not None:
            raise EngineError(f"The model is {self.rest}.")
        raise EngineError("The engine process does not answer.", todo="Ask again to restart it.")

    def ask(
        self, image: Image, prompts: Sequence[Prompt], *, cancel: Cancel | None = None
    ) -> Iterator[Token | Completion]:
        """Answer prompts about one image, streaming (see `protocol.Engine.ask`).

        May be iterated in any thread. Closing the iterator early cancels. The prompts of an
        engine that does not heed a cancel in time are completed here, as cancelled, with
        the tokens that had arrived; if it still goes on after that it is killed.
        """
        check_image(image)
        return self._answers(image, tuple(prompts), cancel)

    def close(self) -> None:
        """End the child; a request that runs meanwhile ends as cancelled."""
        self._slot.close()

    def _answers(
        self, image: Image, prompts: tuple[Prompt, ...], cancel: Cancel | None
    ) -> Iterator[Token | Completion]:
        if not self._asking.acquire(blocking=False):
            raise EngineError(
                "The engine is still answering another request.",
                todo="Wait for it, cancel it, or close its iterator.",
            )
        try:
            self._slot.begin()
            number = next(self._numbers)
            heard = Heard(len(prompts))
            child = self._ready_child(cancel)
            if child is None:
                yield from heard.cancelled()
                return
            child.send("ask", number, (image, prompts))
            settled = False  # whether the child is done with this request
            begun = again = False  # whether it has heard of it; whether it is the second child
            try:
                while not _is_set(cancel):
                    try:
                        kind, _, content = child.receive(self._poll)
                    except queue.Empty:
                        continue
                    except Ended:
                        settled = True
                        if self._slot.closed:
                            break
                        if begun or again:
                            raise self._obituary(child, "while answering") from None
                        # It had died before it heard the question: nothing to report.
                        self._slot.drop(child)
                        anew = self._ready_child(cancel)
                        if anew is None:
                            break
                        child, again, settled = anew, True, False
                        child.send("ask", number, (image, prompts))
                        continue
                    if kind == "begun":
                        begun = True
                        continue
                    if kind == "item":
                        yield heard.add(content)
                        continue
                    settled = True
                    if kind == "error":
                        raise content
                    return
                if not settled:
                    settled = True
                    yield from map(heard.add, self._stop(child, number))
                yield from heard.cancelled()
            finally:
                if not settled:
                    self._stop(child, number)
        finally:
            self._slot.end()
            self._asking.release()

    def _stop(self, child: Child, number: int) -> list[Token | Completion]:
        """Cancel a request and return what still came.

        If the child takes longer than the grace period, nobody here waits for it: it is
        left to settle in the background, and killed if it does not.
        """
        child.send("cancel", number)
        items: list[Token | Completion] = []
        if not _settles(self._slot, child, self._grace, items):
            self._settling = threading.Thread(
                target=_settle_or_kill,
                args=(self._slot, child, self._patience),
                name="fada-engine-settle",
                daemon=True,
            )
            self._settling.start()
        return items

    def _ready_child(self, cancel: Cancel | None) -> Child | None:
        """Return a child with its model loaded, or None if cancelled meanwhile."""
        if _is_set(cancel):
            return None
        while self._settling is not None and self._settling.is_alive():
            if _is_set(cancel):
                return None
            self._settling.join(self._poll)
        child = self._slot.take(self._spec, self._admit)
        deadline = time.monotonic() + self._start
        while not child.ready:
            if _is_set(cancel):
                return None  # it goes on loading, for the next request
            try:
                kind, _, content = child.receive(self._poll)
            except queue.Empty:
                if time.monotonic() < deadline:
                    continue
                self._slot.drop(child)
                raise EngineError(
                    f"The engine did not start within {self._start:g} seconds.",
                    todo="Try again, or choose a smaller model.",
                ) from None
            except Ended:
                if self._slot.closed:
                    return None
                raise self._obituary(child, "while starting") from None
            if kind == "failed":
                self._slot.drop(child)
                error: FadaError = content
                raise error
            self._info = content
            child.ready = True
        return child

    def _obituary(self, child: Child, when: str) -> EngineError:
        what, words = child.obituary(when), child.last_words()
        self._slot.drop(child)
        return EngineError(
            what + (f" Its last output: {words}" if words else ""),
            kept=_KEPT,
            todo="Ask again: the engine starts anew. If it happens again, close other "
            "programs or choose a smaller model.",
        )


def _settles(slot: Slot, child: Child, seconds: float, items: list[Token | Completion]) -> bool:
    """Gather what a cancelled child still says; return whether it came to an end in time."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            kind, _, content = child.receive(left)
        except queue.Empty:
            break
        except Ended:
            slot.drop(child)
            return True
        if kind == "item":
            items.append(content)
        elif kind != "begun":
            return True
    return False


def _settle_or_kill(slot: Slot, child: Child, seconds: float) -> None:
    if not _settles(slot, child, seconds, []):
        slot.drop(child)


def _is_set(cancel: Cancel | None) -> bool:
    return cancel is not None and cancel.is_set()
