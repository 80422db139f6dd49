"""Optical flow: structures go along within a pixel, or stop with a reason."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from napari_fada.records.annotation import Annotation
from napari_fada.records.cine import track

HEIGHT, WIDTH = 360, 480
CENTRE = np.array([230.0, 180.0])


def tissue(seed=0):
    """Return a head of speckle with a bright skull in darker tissue."""
    rng = np.random.default_rng(seed)
    speckle = gaussian_filter(rng.rayleigh(1.0, (HEIGHT, WIDTH)), 2.0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    r = np.hypot((x - CENTRE[0]) / 110, (y - CENTRE[1]) / 80)
    shade = np.where(r < 1, 55, 30) + 120 * np.exp(-(((r - 1) / 0.05) ** 2))
    return np.clip(shade * speckle / speckle.mean(), 0, 255)


def moved(image, k):
    """Return the image after k steps of 2 px right, 1 px up, 1.2 degrees and half a percent."""
    linear, shift = affine(k)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    at = np.stack([x + 0.5, y + 0.5], axis=-1) - CENTRE - shift
    back = at @ np.linalg.inv(linear).T + CENTRE
    out = map_coordinates(image, [back[..., 1] - 0.5, back[..., 0] - 0.5], order=1, mode="nearest")
    noise = np.random.default_rng(k).normal(1, 0.05, image.shape)
    return np.clip(out * noise, 0, 255).astype(np.uint8)


def affine(k):
    turn, grow = np.deg2rad(1.2 * k), 1.005**k
    linear = grow * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return linear, np.array([2.0 * k, -1.0 * k])


def true(points, k):
    linear, shift = affine(k)
    return (np.array(points) - CENTRE) @ linear.T + CENTRE + shift


def head(n=40):
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    points = CENTRE + np.column_stack([110 * np.cos(t), 80 * np.sin(t)])
    return Annotation("Brain", "polygon", tuple(map(tuple, points.tolist())))


@pytest.fixture(scope="module")
def clip():
    image = tissue()
    return [moved(image, k) for k in range(5)]


def followed(annotation, frames):
    before = track.look(frames[0])
    going = track.begin(annotation, before)
    for frame in frames[1:]:
        after = track.look(frame)
        going = track.step(going, track.motion(before, after), after)
        if isinstance(going, track.Lost):
            return going
        before = after
    return going.annotation


def test_an_outline_goes_along_within_a_pixel(clip):
    first = head()
    for last in (1, 4):
        got = followed(first, clip[: last + 1])
        apart = np.hypot(*(np.array(got.points) - true(first.points, last)).T)
        assert apart.max() < 1.0
    assert (got.category, got.kind, len(got.points)) == ("Brain", "polygon", 40)


def test_a_box_and_keypoints_go_along(clip):
    box = Annotation("CSP", "box", ((200, 140), (300, 230)))
    got = np.array(followed(box, clip[:3]).points)
    assert np.hypot(*(got.mean(axis=0) - true([(250, 185)], 2)[0])) < 1.0
    assert np.ptp(got, axis=0) == pytest.approx([100 * 1.01, 90 * 1.01], abs=2)
    points = Annotation("BPD", "keypoints", ((180, 150), (300, 210)), visibility=(2, 2))
    got = followed(points, clip[:3])
    assert np.hypot(*(np.array(got.points) - true(points.points, 2)).T).max() < 1.0
    assert got.visibility == (2, 2)


def test_it_works_backwards(clip):
    first = head()
    there = Annotation("Brain", "polygon", tuple(map(tuple, true(first.points, 3).tolist())))
    got = followed(there, clip[3::-1])
    assert np.hypot(*(np.array(got.points) - first.points).T).max() < 1.0


def test_another_scene_is_not_followed(clip):
    other = np.flipud(tissue(seed=9)).astype(np.uint8)
    noise = np.random.default_rng(3).integers(0, 255, (HEIGHT, WIDTH), np.uint8)
    for cut in (np.roll(other, (120, 200), (0, 1)), noise):
        lost = followed(head(), [clip[0], cut])
        assert isinstance(lost, track.Lost)


def test_nothing_to_hold_on_to():
    flat = np.full((HEIGHT, WIDTH), 80, np.uint8)
    assert "nothing" in followed(head(), [flat, flat]).reason


def test_what_leaves_the_picture_stops():
    image = tissue()
    frames = [np.roll(image, 25 * k, axis=1).astype(np.uint8) for k in range(4)]
    edge = Annotation("CSP", "box", ((420, 150), (470, 220)))
    assert isinstance(followed(edge, frames), track.Lost)
