"""Straightening: what is kept lies inside the picture, is the largest upright rectangle there, and says whether a face stays whole."""

import math

import numpy as np
import pytest
from PIL import Image

from core.dataset.level import MIXED_EDGE, keeps, kept_size, turned

SIZES = [(400, 300), (300, 400), (300, 300), (900, 120)]


def fits(across, down, width, height, degrees):
    """Whether the corners of an upright rectangle lie in the turned one."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    corners = [(x * across / 2, y * down / 2) for x in (-1, 1) for y in (-1, 1)]
    return all(abs(x * cosine - y * sine) <= width / 2 and abs(x * sine + y * cosine) <= height / 2 for x, y in corners)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("degrees", [-45, -30, -3, 0, 7, 20, 44.9])
def test_it_is_the_largest_upright_rectangle_inside(size, degrees):
    width, height = size
    kept = kept_size(*size, degrees)
    edge = 2 * MIXED_EDGE if degrees else 0
    assert fits(kept[0], kept[1], width, height, degrees)
    best = max((across * down for across in range(2, width + 1, 2) for down in range(2, height + 1, 2) if fits(across, down, width, height, degrees)), default=0)
    assert (kept[0] + edge + 1) * (kept[1] + edge + 1) >= best


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("degrees", [-45, -20, 5, 33])
def test_no_corner_of_nothing_is_left(size, degrees):
    straight = turned(Image.new("RGB", size, (255, 255, 255)), degrees)
    assert straight.size == kept_size(*size, degrees) and np.asarray(straight).min() == 255


def test_it_turns_counterclockwise():
    """A spot right of the middle goes up."""
    picture = Image.new("RGB", (400, 400))
    picture.paste((255, 0, 0), (260, 195, 270, 205))
    rows, columns = np.nonzero(np.asarray(turned(picture, 30))[:, :, 0] > 128)
    height, width = turned(picture, 30).size[::-1]
    assert rows.mean() - height / 2 == pytest.approx(-65 * math.sin(math.radians(30)), abs=2) and columns.mean() - width / 2 == pytest.approx(65 * math.cos(math.radians(30)), abs=2)


def test_a_face_near_the_edge_would_be_cut():
    assert keeps((0.4, 0.4, 0.2, 0.2), (400, 300), 25) and keeps((0.0, 0.0, 1.0, 1.0), (400, 300), 0)
    assert not keeps((0.0, 0.0, 0.2, 0.3), (400, 300), 25) and not keeps((0.4, 0.0, 0.2, 0.2), (400, 300), -25)
