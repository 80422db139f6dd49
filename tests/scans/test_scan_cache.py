"""Frames for scrolling: decoded once, within a bound of bytes, neighbours ahead."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from napari_fada.errors import ScanError
from napari_fada.scans import scan_from_array
from napari_fada.scans.cache import FrameArray, FrameCache

N, HEIGHT, WIDTH = 40, 12, 20
BYTES = HEIGHT * WIDTH


class Counted:
    """A clip whose frames hold their number, and which counts what is decoded."""

    def __init__(self, broken=(), n=N):
        pixels = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None], (n, HEIGHT, WIDTH))
        whole = scan_from_array(pixels, rgb=False)
        self.seen: Counter[int] = Counter()
        self.threads: set[str] = set()
        self.broken = set(broken)

        def decode(k):
            self.seen[k] += 1
            self.threads.add(threading.current_thread().name)
            if k in self.broken:
                raise ScanError(f"Frame {k} cannot be decoded.", todo="Export it again.")
            return whole.frame(k)

        self.scan = replace(whole, decode=decode)


def rest(cache):
    for _ in range(2000):
        if cache.at_rest:
            return
        threading.Event().wait(0.005)
    raise AssertionError("reading ahead does not end")


def test_each_frame_is_decoded_once_while_it_is_kept():
    clip = Counted()
    cache = FrameCache(clip.scan)
    for k in [*range(N), *reversed(range(N)), *range(N)]:
        assert (cache.frame(k) == k).all()
    rest(cache)
    assert set(clip.seen) == set(range(N))
    assert set(clip.seen.values()) == {1}
    assert cache.decodes == N


def test_bytes_are_bounded_and_what_is_far_goes_first():
    clip = Counted()
    cache = FrameCache(clip.scan, max_bytes=10 * BYTES, ahead=4)
    for k in range(N):
        cache.frame(k)
        rest(cache)
        assert cache.nbytes <= 10 * BYTES
    assert all(k in cache for k in range(30, N))
    assert 0 not in cache
    assert set(clip.seen.values()) == {1}
    cache.frame(0)
    rest(cache)
    assert all(k in cache for k in range(5))
    assert cache.nbytes <= 10 * BYTES
    assert clip.seen[0] == 2


def test_one_frame_larger_than_the_bound_is_kept():
    clip = Counted()
    cache = FrameCache(clip.scan, max_bytes=1)
    assert (cache.frame(3) == 3).all()
    rest(cache)
    assert cache.nbytes == BYTES
    assert sum(clip.seen.values()) == 1


@pytest.mark.parametrize(("steps", "ahead"), [((10, 11), range(12, 16)), ((30, 29), range(25, 29))])
def test_neighbours_are_read_ahead_in_the_direction_of_travel(steps, ahead):
    clip = Counted()
    cache = FrameCache(clip.scan, ahead=4)
    for k in steps:
        cache.frame(k)
        rest(cache)
    assert all(k in cache for k in ahead)
    assert "frames" in clip.threads


def test_nothing_is_read_ahead_beyond_the_ends():
    clip = Counted()
    cache = FrameCache(clip.scan)
    for k in (N - 1, 0):
        cache.frame(k)
        rest(cache)
    assert set(clip.seen) <= set(range(N))


def test_many_threads_get_the_right_frames():
    clip = Counted()
    cache = FrameCache(clip.scan, max_bytes=8 * BYTES, ahead=3)
    wrong = []

    def look(seed):
        for k in np.random.default_rng(seed).integers(0, N, 200):
            if not (cache.frame(int(k)) == k).all():
                wrong.append(k)

    threads = [threading.Thread(target=look, args=(s,)) for s in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    rest(cache)
    assert not wrong
    assert cache.nbytes <= 8 * BYTES


def test_a_broken_frame_is_an_error_where_it_is_asked_for():
    clip = Counted(broken={5})
    cache = FrameCache(clip.scan)
    cache.frame(4)
    rest(cache)
    assert 6 in cache
    with pytest.raises(ScanError, match="Frame 5"):
        cache.frame(5)
    with pytest.raises(IndexError):
        cache.frame(N)


def test_the_array_says_what_is_broken_once_and_shows_it_black():
    clip = Counted(broken={5})
    told = []
    array = FrameArray(FrameCache(clip.scan), on_error=told.append)
    assert not np.asarray(array[5]).any()
    assert not np.asarray(array[5]).any()
    assert [str(e) for e in told] == [str(told[0])]
    assert (array[6] == 6).all()
    with pytest.raises(ScanError):
        FrameArray(FrameCache(clip.scan))[5]


def test_the_array_is_indexed_like_one():
    clip = Counted()
    array = FrameArray(FrameCache(clip.scan))
    whole = np.asarray(array)
    assert array.shape == whole.shape == (N, HEIGHT, WIDTH)
    assert (array.ndim, array.size, len(array), array.dtype) == (3, whole.size, N, np.uint8)
    keys = [
        3,
        -1,
        np.int64(4),
        slice(3, 9, 2),
        slice(5, 5),
        (2, slice(2, 5), slice(None)),
        (slice(1, 3), 4, 5),
        (..., 0),
        ...,
        [3, 1],
        (np.array([1, 2]), np.array([0, 1]), np.array([5, 6])),
    ]
    for key in keys:
        np.testing.assert_array_equal(array[key], whole[key])
    for wrong in (N, -N - 1):
        with pytest.raises(IndexError):
            array[wrong]
