"""The queue of scans that are still to be read."""

from __future__ import annotations

from pathlib import Path

from napari_fada.reading_queue import ReadingQueue, Wanted


def wanted(*numbers: int) -> list[Wanted]:
    return [Wanted(i, Path(f"{i}.png"), f"{i}.png") for i in numbers]


def test_one_after_another_with_counts_and_time_left() -> None:
    queue = ReadingQueue()
    assert queue.add(wanted(1, 2, 3, 2)) == 3
    assert queue.seconds_left is None
    first = queue.take()
    assert first is not None
    assert first.id == 1
    assert queue.take() is None  # one at a time
    queue.finish(4.0)
    assert (queue.finished, queue.total, queue.seconds_left) == (1, 3, 8.0)
    queue.take()
    queue.finish(None)
    queue.take()
    queue.fail("no picture")
    assert not queue.active
    assert (queue.done, queue.skipped, list(queue.failures.values())) == (1, 1, ["no picture"])
    assert queue.take() is None


def test_what_waits_is_not_queued_twice() -> None:
    queue = ReadingQueue()
    queue.add(wanted(1, 2))
    queue.take()
    assert queue.add(wanted(1, 2, 3)) == 1
    assert queue.total == 3


def test_paused_and_broken_off() -> None:
    queue = ReadingQueue()
    queue.add(wanted(1, 2))
    at_work = queue.take()
    queue.paused = True
    queue.put_back()
    assert queue.take() is None
    queue.paused = False
    assert queue.take() == at_work
    queue.clear()
    queue.put_back()  # its reading was broken off
    assert not queue.active


def test_a_new_batch_counts_from_the_beginning() -> None:
    queue = ReadingQueue()
    queue.add(wanted(1))
    queue.take()
    queue.fail("gone")
    queue.add(wanted(2))
    assert (queue.finished, queue.total, queue.failures) == (0, 1, {})
