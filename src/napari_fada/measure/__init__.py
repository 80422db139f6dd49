"""Millimetres: calibration, biometry, dating, growth and plausibility. Pure: no Qt, no files kept.

Every number names its method, its unit and where its scale came from; without a scale there are
no millimetres. Everything derived is for research and annotation, not for clinical use.
"""

from napari_fada.measure.ages import GestationalAge, age_from_lmp, stated_age, weeks_days
from napari_fada.measure.biometry import FrameMeasurements, measure_frame
from napari_fada.measure.calibration import (
    Scale,
    Scales,
    scale_from_bar,
    scale_from_points,
    scale_of,
)
from napari_fada.measure.dating import Derived, NotDerived, derive, derive_all
from napari_fada.measure.formulas import NOTICE, formulas
from napari_fada.measure.growth import GrowthScore, band_at, growth_score, scores, size_at
from napari_fada.measure.results import Measurement, Shape, Unmeasured
from napari_fada.measure.spacing_table import SpacingTable, read_spacing_table
from napari_fada.measure.ticks import Comb, find_ticks, proposed_length, scale_from_ticks

__all__ = [
    "NOTICE",
    "Comb",
    "Derived",
    "FrameMeasurements",
    "GestationalAge",
    "GrowthScore",
    "Measurement",
    "NotDerived",
    "Scale",
    "Scales",
    "Shape",
    "SpacingTable",
    "Unmeasured",
    "age_from_lmp",
    "band_at",
    "derive",
    "derive_all",
    "find_ticks",
    "formulas",
    "growth_score",
    "measure_frame",
    "proposed_length",
    "read_spacing_table",
    "scale_from_bar",
    "scale_from_points",
    "scale_from_ticks",
    "scale_of",
    "scores",
    "size_at",
    "stated_age",
    "weeks_days",
]
