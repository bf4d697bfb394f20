"""Colours of the drawings."""

from __future__ import annotations

from core.pocket.people import Colour


def darker(colour: Colour, factor: float) -> Colour:
    red, green, blue = colour
    return round(red * factor), round(green * factor), round(blue * factor)


def lighter(colour: Colour, factor: float) -> Colour:
    """`factor` 1 leaves the colour, larger ones move it toward white."""
    red, green, blue = (round(255 - (255 - value) / factor) for value in colour)
    return red, green, blue
