"""Level: a photo turned by a small angle and cut to the largest upright rectangle that lies inside it."""

from __future__ import annotations

import math

from PIL import Image

# Interpolation mixes the outermost pixels with what lies outside.
MIXED_EDGE = 2


def turned(picture: Image.Image, degrees: float) -> Image.Image:
    """Turned counterclockwise, and cut so that nothing but the picture is in it."""
    whole = picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    width, height = kept_size(*picture.size, degrees)
    left, top = (whole.width - width) // 2, (whole.height - height) // 2
    return whole.crop((left, top, left + width, top + height))


def kept_size(width: int, height: int, degrees: float) -> tuple[int, int]:
    """Pixels of the largest upright rectangle inside a turned one of width x height; both have one centre.

    Where the picture is narrow, two corners touch its long sides at half their length; else all four touch a side each.
    """
    sine, cosine = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
    long, short = max(width, height), min(width, height)
    if short <= 2 * sine * cosine * long or abs(sine - cosine) < 1e-9:
        sides = (short / 2 / sine, short / 2 / cosine)
        across, down = sides if width >= height else sides[::-1]
    else:
        double = cosine * cosine - sine * sine
        across, down = (width * cosine - height * sine) / double, (height * cosine - width * sine) / double
    edge = MIXED_EDGE if sine else 0
    return max(1, math.floor(across) - 2 * edge), max(1, math.floor(down) - 2 * edge)


def keeps(box: tuple[float, float, float, float], size: tuple[int, int], degrees: float) -> bool:
    """Whether a box (left, top, width, height in shares of a picture of this size) is left whole by `turned`; it is taken to turn with its middle."""
    width, height = size
    x, y = (box[0] + box[2] / 2 - 0.5) * width, (box[1] + box[3] / 2 - 0.5) * height
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    kept_width, kept_height = kept_size(width, height, degrees)
    across, down = abs(x * cosine + y * sine) + box[2] * width / 2, abs(y * cosine - x * sine) + box[3] * height / 2
    return across <= kept_width / 2 and down <= kept_height / 2
