"""Colours and smooth outlines of the drawings."""

from __future__ import annotations

from PIL import ImageDraw

from core.pocket.people import Colour

Point = tuple[float, float]
CURVE_STEPS = 6


def darker(colour: Colour, factor: float) -> Colour:
    red, green, blue = colour
    return round(red * factor), round(green * factor), round(blue * factor)


def lighter(colour: Colour, factor: float) -> Colour:
    """`factor` 1 leaves the colour, larger ones move it toward white."""
    red, green, blue = (round(255 - (255 - value) / factor) for value in colour)
    return red, green, blue


def blob(pen: ImageDraw.ImageDraw, points: list[Point], fill: Colour | int) -> None:
    """A filled shape whose outline runs smoothly through all points (a closed Catmull-Rom curve)."""
    outline = []
    for index in range(len(points)):
        before, start, end, after = (points[(index + offset) % len(points)] for offset in (-1, 0, 1, 2))
        for step in range(CURVE_STEPS):
            outline.append((_between(before[0], start[0], end[0], after[0], step / CURVE_STEPS), _between(before[1], start[1], end[1], after[1], step / CURVE_STEPS)))
    pen.polygon(outline, fill=fill)


def _between(before: float, start: float, end: float, after: float, share: float) -> float:
    linear = end - before
    quadratic = 2 * before - 5 * start + 4 * end - after
    cubic = 3 * start - before - 3 * end + after
    return start + 0.5 * share * (linear + share * (quadratic + share * cubic))
