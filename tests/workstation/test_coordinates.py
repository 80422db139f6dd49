"""The one place with half pixels: round trips, and napari's own idea of a pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Shapes

from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import rasterise
from napari_fada.workstation.coordinates import frame_of, from_layer, to_layer

number = st.floats(-50, 5000, allow_nan=False, width=32)
rings = st.lists(st.tuples(number, number), min_size=1, max_size=40)


@given(rings)
def test_round_trip_is_exact(ring):
    assert np.allclose(from_layer(to_layer(ring)), ring, rtol=0, atol=1e-9)


@given(rings, st.integers(0, 400))
def test_round_trip_with_a_frame(ring, frame):
    vertices = to_layer(ring, frame)
    assert vertices.shape == (len(ring), 3)
    assert frame_of(vertices) == frame
    assert np.allclose(from_layer(vertices), ring, rtol=0, atol=1e-9)


@given(rings)
def test_single_precision_loses_less_than_a_thousandth(ring):
    """A layer keeps float32."""
    back = from_layer(to_layer(ring).astype(np.float32))
    assert np.abs(np.array(back) - np.array(ring)).max() < 1e-3


@pytest.mark.parametrize(("t", "frame"), [(2.0, 2), (2.4, 2), (2.6, 3), (0.0, 0)])
def test_a_shape_belongs_to_the_nearest_frame(t, frame):
    assert frame_of([[t, 5, 5], [t, 9, 9]]) == frame


def test_no_frame_is_frame_zero():
    assert frame_of([[5.0, 5.0]]) == 0


def test_ten_pixels_are_ten_pixels_in_napari():
    """A box from 0 to 10 holds 100 pixels, in the record as in napari's own raster."""
    corners = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0))
    assert rasterise(Annotation("Brain", "polygon", corners), (20, 20)).sum() == 100
    layer = Shapes([to_layer(corners)], shape_type="polygon")
    assert layer.to_labels((20, 20)).astype(bool).sum() == 100
