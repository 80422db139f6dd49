"""Texts can be told from what lies behind them, in both themes: 4.5 to 1, lines 3 to 1."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from napari.utils.theme import get_theme

from napari_fada.vocabulary import vocabulary
from napari_fada.workstation import styles, theme
from napari_fada.workstation.panels.structure_list import LOOKS, bar_colour

TEXT, LINE = 4.5, 3.0


def named(theme_name: str, part: str) -> str:
    return getattr(get_theme(theme_name), part).as_hex(format="long")


def test_contrast_is_that_of_wcag():
    assert theme.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert theme.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert theme.contrast("#ffffff", "#777777") == theme.contrast("#777777", "#ffffff")


@pytest.mark.parametrize("name", ["dark", "light"])
@pytest.mark.parametrize("tone", theme.TONES)
@pytest.mark.parametrize("behind", ["background", "foreground"])
def test_tones(name, tone, behind):
    colour = getattr(theme.palette_of(name), tone)
    assert theme.contrast(colour, named(name, behind)) >= TEXT


@pytest.mark.parametrize("name", ["dark", "light"])
def test_fields_and_lines(name):
    palette = theme.palette_of(name)
    text = named(name, "text")
    for behind in (palette.field, palette.locked_field, palette.tool, palette.tool_hover):
        assert theme.contrast(text, behind) >= TEXT
    for line in (palette.edge, palette.focus):
        assert theme.contrast(line, named(name, "background")) >= LINE


@pytest.mark.parametrize("level", theme.MESSAGES)
def test_messages(level):
    assert theme.contrast("#ffffff", theme.MESSAGES[level]) >= TEXT


@pytest.mark.parametrize("chip", [*theme.CHIPS.values(), theme.PAST])
def test_white_on_chips_and_on_what_is_past(chip):
    assert theme.contrast("#ffffff", chip) >= TEXT


def test_states_of_structures_are_told_by_tones():
    assert {tone for _, tone in LOOKS.values()} <= set(theme.TONES)


@pytest.mark.parametrize("name", ["dark", "light"])
@pytest.mark.parametrize("score", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_scores_on_their_bars(name, score):
    """The number begins on the bar and may end beside it."""
    text = named(name, "text")
    bar = bar_colour(score, dark=name == "dark").name()
    assert theme.contrast(text, bar) >= TEXT
    behind, grey = named(name, "foreground"), 0x80
    mixed = [round(int(behind[i : i + 2], 16) * 195 / 255 + grey * 60 / 255) for i in (1, 3, 5)]
    assert theme.contrast(text, "#{:02x}{:02x}{:02x}".format(*mixed)) >= TEXT


def test_panels_name_no_colour_of_their_own():
    """A colour for texts or lines stands in the theme, where the tests above look at it."""
    rooms = Path(styles.__file__).parent
    pictures = {"frame_strip.py"}  # a picture with a dark ground of its own, in both themes
    for file in [*(rooms / "panels").glob("*.py"), *(rooms / "worklist").glob("*.py")]:
        if file.name not in pictures:
            found = re.findall(r"#[0-9a-fA-F]{6}\b", file.read_text(encoding="utf-8"))
            assert not found, f"{file.name}: {found}"


def test_class_names_on_a_dark_scan():
    """In the 690 HC18 scans 93 of 100 pixels are darker than 120."""
    names = [c.name for c in vocabulary().categories]
    for name, row in zip(names, styles.text_colours_of(names), strict=True):
        red, green, blue = np.round(row[:3] * 255).astype(int)
        colour = f"#{red:02x}{green:02x}{blue:02x}"
        assert theme.contrast(colour, "#000000") >= TEXT, name
        assert theme.contrast(colour, "#303030") >= TEXT, name


def test_a_theme_of_the_user_counts_by_its_background():
    assert theme.is_dark("dark")
    assert not theme.is_dark("light")
