"""Angle of progression: how far the head has come past the pubic symphysis, in labour.

At the lower end of the symphysis, the angle between its long axis and the tangent to the head.
Needs no millimetres, but pixels that are square: points come in mm, or in pixels that are taken as
square. y points down; the image is read with the symphysis at the upper left, its lower end to
the right, as in the FH-PS-AOP challenge; mirrored images have it the other way round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from napari_fada.errors import MeasureError
from napari_fada.records.annotation import Point
from napari_fada.records.ellipse import Ellipse

Tangent = Literal["larger", "challenge"]


@dataclass(frozen=True, slots=True)
class Progression:
    """The angle and the points that it is drawn by, in the unit of the ellipses.

    Parameters
    ----------
    degrees : float
        The angle of progression.
    other : float
        The angle to the other tangent.
    superior, vertex, touch : (x, y)
        Upper end of the symphysis, its lower end, and where the tangent touches the head.
    """

    degrees: float
    other: float
    superior: Point
    vertex: Point
    touch: Point


def angle_of_progression(
    symphysis: Ellipse, head: Ellipse, *, mirrored: bool = False, tangent: Tangent = "larger"
) -> Progression:
    """Return the angle of progression of two ellipses.

    Parameters
    ----------
    symphysis, head : Ellipse
        In mm, or in square pixels.
    mirrored : bool
        The symphysis lies at the upper right: its lower end is the left one.
    tangent : {"larger", "challenge"}
        ``larger`` takes the tangent with the larger angle, which is that to the leading edge.
        ``challenge`` takes the root that the public scoring code of FH-PS-AOP takes; where the
        head lies to the right of the vertex it may be the other one.

    Raises
    ------
    MeasureError
        If the lower end of the symphysis lies in the head: there is no tangent.
    """
    if mirrored:
        found = angle_of_progression(_flipped(symphysis), _flipped(head), tangent=tangent)
        points = ((-x, y) for x, y in (found.superior, found.vertex, found.touch))
        return Progression(found.degrees, found.other, *points)
    c, s = symphysis.a * math.cos(symphysis.angle), symphysis.a * math.sin(symphysis.angle)
    superior, vertex = sorted(
        [(symphysis.x - c, symphysis.y - s), (symphysis.x + c, symphysis.y + s)]
    )
    angles = [(_angle(vertex, superior, touch), touch) for touch in _touch_points(vertex, head)]
    angles.sort(reverse=True)
    if tangent == "challenge":
        slope = _challenge_slope(vertex, head)
        angles.sort(key=lambda pair: abs(_slope(vertex, pair[1], head) - slope))
    (degrees, touch), (other, _) = angles
    return Progression(degrees, other, superior, vertex, touch)


def _touch_points(point: Point, ellipse: Ellipse) -> tuple[Point, Point]:
    """Return where the two tangents from a point touch an ellipse.

    On the unit circle, for a point u outside, they are (u ± r·(−u_y, u_x)) / |u|² with
    r = √(|u|² − 1); the way there and back is linear.
    """
    x, y = _in_frame(point, ellipse)
    ux, uy = x / ellipse.a, y / ellipse.b
    square = ux * ux + uy * uy
    if square <= 1:
        raise MeasureError("the lower end of the symphysis lies in the head: there is no tangent")
    r = math.sqrt(square - 1)
    found = []
    for sign in (1, -1):
        tx, ty = (ux - sign * r * uy) / square, (uy + sign * r * ux) / square
        found.append(_from_frame((tx * ellipse.a, ty * ellipse.b), ellipse))
    return found[0], found[1]


def _angle(vertex: Point, first: Point, second: Point) -> float:
    """Return the angle at a vertex in degrees, 0 to 180."""
    ax, ay = first[0] - vertex[0], first[1] - vertex[1]
    bx, by = second[0] - vertex[0], second[1] - vertex[1]
    return math.degrees(abs(math.atan2(ax * by - ay * bx, ax * bx + ay * by)))


def _challenge_slope(point: Point, ellipse: Ellipse) -> float:
    """Return the slope in the ellipse's frame that the challenge's code takes.

    Tangents y = k·x + c from (X, Y) solve (X² − a²)·k² − 2·X·Y·k + Y² − b² = 0; it takes the
    root with the negative sign before the square root.
    """
    x, y = _in_frame(point, ellipse)
    a, b = ellipse.a, ellipse.b
    root = math.sqrt(max(b * b * x * x + a * a * y * y - a * a * b * b, 0.0))
    below = x * x - a * a
    return (x * y - root) / (below or 1e-12)


def _slope(point: Point, touch: Point, ellipse: Ellipse) -> float:
    (x1, y1), (x2, y2) = _in_frame(point, ellipse), _in_frame(touch, ellipse)
    return (y2 - y1) / ((x2 - x1) or 1e-12)


def _in_frame(point: Point, ellipse: Ellipse) -> Point:
    c, s = math.cos(ellipse.angle), math.sin(ellipse.angle)
    dx, dy = point[0] - ellipse.x, point[1] - ellipse.y
    return c * dx + s * dy, c * dy - s * dx


def _from_frame(point: Point, ellipse: Ellipse) -> Point:
    c, s = math.cos(ellipse.angle), math.sin(ellipse.angle)
    return ellipse.x + c * point[0] - s * point[1], ellipse.y + s * point[0] + c * point[1]


def _flipped(e: Ellipse) -> Ellipse:
    return Ellipse(-e.x, e.y, e.a, e.b, (math.pi - e.angle) % math.pi)
