"""Pictures of a frame with its annotations drawn on it, for looking at."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from napari_fada.exchange.files import write_atomic
from napari_fada.listing import PICTURE_MARK
from napari_fada.records.annotation import Annotation, Ring
from napari_fada.records.geometry import bounds, outlines, rasterise
from napari_fada.records.reading import Reading
from napari_fada.vocabulary import vocabulary

NOTICE = "Research use only. Not a medical device."

#: Of classes that are not in the vocabulary.
OTHER = "#b0b0b0"

_FILL = 40  # of 255, so that the tissue shows through
_INK = "#101010"


def draw_overlay(
    frame: npt.NDArray[np.uint8],
    annotations: Iterable[Annotation],
    *,
    title: str = "",
    view: str | None = None,
) -> npt.NDArray[np.uint8]:
    """Draw annotations on a frame, each with its class name, and the notice below.

    Parameters
    ----------
    frame : uint8 array, (H, W) or (H, W, 3)
        Pixels keep their places and size; the strip with the notice is added below them.
    annotations : iterable of Annotation
        Rejected ones are left out.
    title, view : str
        Written into the strip.

    Returns
    -------
    uint8 array, (H + strip, W, 3)
    """
    height, width = frame.shape[:2]
    font = _font(max(11, round(min(height, width) / 38)))
    strip = _height(font) + 8
    lines = _wrapped(_sentence(title, view), width - 8, font)
    picture = Image.new("RGB", (width, height + strip * len(lines)), "black")
    picture.paste(Image.fromarray(frame).convert("RGB"), (0, 0))
    shown = [a for a in annotations if a.status != "rejected"]
    tissue = picture.crop((0, 0, width, height))
    for annotation in shown:
        if annotation.kind == "polygon":
            _fill(tissue, annotation)
    picture.paste(tissue, (0, 0))
    pen = ImageDraw.Draw(picture)
    stroke = max(1, round(min(height, width) / 300))
    for annotation in shown:
        _outline(pen, annotation, stroke)
    for annotation in shown:  # names last, above every line
        _name(pen, annotation, font, (width, height))
    for number, line in enumerate(lines):
        pen.text((4, height + strip * number + 3), line, fill="#d8d8d8", font=font)
    return np.asarray(picture, dtype=np.uint8)


def write_overlay(path: Path, frame: npt.NDArray[np.uint8], reading: Reading) -> None:
    """Write a PNG of a frame with what a reading found on it.

    Raises
    ------
    ExchangeError
        If it cannot be written.
    """
    picture = draw_overlay(frame, reading.annotations, title=reading.model.pack, view=reading.view)
    write_atomic(path, to_png(picture, for_looking=True))


def to_png(pixels: npt.NDArray[np.uint8], *, for_looking: bool = False) -> bytes:
    """Return pixels as a PNG file.

    Parameters
    ----------
    pixels : uint8 array
        The picture.
    for_looking : bool
        Mark it as a drawn picture, so that it is never taken for a scan. A scan has no metadata.
    """
    buffer, text = io.BytesIO(), PngInfo()
    if for_looking:
        text.add_text("Software", PICTURE_MARK)
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=text)
    return buffer.getvalue()


def _sentence(title: str, view: str | None) -> str:
    return " · ".join(part for part in (title, f"view {view}" if view else "", NOTICE) if part)


def _wrapped(text: str, width: int, font: ImageFont.FreeTypeFont) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _colour(annotation: Annotation) -> str:
    category = vocabulary().by_name.get(annotation.category)
    return category.colour if category else OTHER


def _line(ring: Ring) -> list[tuple[float, float]]:
    # Pillow draws on pixel centres; its raster of a line is only for looking at.
    return [(x - 0.5, y - 0.5) for x, y in ring]


def _fill(tissue: Image.Image, annotation: Annotation) -> None:
    inside = rasterise(annotation, (tissue.height, tissue.width))
    mask = Image.fromarray((inside * _FILL).astype(np.uint8))
    tissue.paste(Image.new("RGB", tissue.size, _colour(annotation)), (0, 0), mask)


def _outline(pen: ImageDraw.ImageDraw, annotation: Annotation, stroke: int) -> None:
    colour = _colour(annotation)
    for ring in outlines(annotation):
        line = _line(ring)
        pen.line([*line, line[0]], fill=colour, width=stroke, joint="curve")
    if annotation.kind == "keypoints":
        visibility = annotation.seen
        seen = [p for p, v in zip(annotation.points, visibility, strict=True) if v]
        if len(seen) > 1:
            pen.line(_line(tuple(seen)), fill=colour, width=stroke)
        for x, y in _line(tuple(seen)):
            r = 3 * stroke
            pen.ellipse((x - r, y - r, x + r, y + r), outline=colour, width=stroke)


def _name(
    pen: ImageDraw.ImageDraw,
    annotation: Annotation,
    font: ImageFont.FreeTypeFont,
    size: tuple[int, int],
) -> None:
    text = annotation.category
    if annotation.score is not None:
        text += f" {annotation.score:.2f}"
    (x, y), _ = bounds(annotation)
    wide, high = font.getlength(text) + 6, _height(font) + 4
    x = min(max(x, 0), max(size[0] - wide, 0))
    y = y - high if y >= high else min(y, size[1] - high)
    pen.rectangle((x, y, x + wide, y + high), fill=_colour(annotation))
    pen.text((x + 3, y + 1), text, fill=_INK, font=font)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow has FreeType on every platform
    return font


def _height(font: ImageFont.FreeTypeFont) -> int:
    return sum(font.getmetrics())
