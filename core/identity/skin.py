"""How much fine detail the skin of a face has: the band between pores and shading, relative to the skin's brightness."""

from __future__ import annotations

import numpy as np
from PIL import Image

from core.identity.faces import Face
from core.identity.pose import upright_map

SIDE = 512
SMALLEST_FACE = 160
# Left, top, right, bottom in the 112-pixel upright face: both cheeks and the forehead.
PATCHES = ((30, 66, 42, 80), (70, 66, 82, 80), (44, 26, 68, 38))
FINE, COARSE = 1.2, 5.0
# The median absolute deviation of a normal distribution times this is its standard deviation.
MAD_TO_SIGMA = 1.4826
TEMPLATE_SIDE = 112


def skin_detail(image: Image.Image, face: Face) -> float | None:
    """100 x robust deviation of the band-passed skin over its mean, median of the patches; None for a face that is too small or was not located."""
    if face.landmarks is None or face.box[3] * image.height < SMALLEST_FACE:
        return None
    gray = np.asarray(_upright(image, face).convert("L"), dtype=np.float64)
    band = _blurred(gray, FINE) - _blurred(gray, COARSE)
    scale = SIDE / TEMPLATE_SIDE
    found = []
    for patch in PATCHES:
        left, top, right, bottom = (round(edge * scale) for edge in patch)
        mean = gray[top:bottom, left:right].mean()
        found.append(100 * MAD_TO_SIGMA * float(np.median(np.abs(band[top:bottom, left:right] - np.median(band[top:bottom, left:right])))) / max(mean, 1.0))
    return float(np.median(found))


def _upright(image: Image.Image, face: Face) -> Image.Image:
    forward = upright_map(np.array(face.landmarks) * image.size) * (SIDE / TEMPLATE_SIDE)
    inverse = np.linalg.inv(np.vstack([forward, (0, 0, 1)]))[:2].flatten()
    return image.transform((SIDE, SIDE), Image.Transform.AFFINE, tuple(inverse), Image.Resampling.BICUBIC)


def _blurred(gray: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian, along rows and then columns; edges repeat."""
    radius = round(3 * sigma)
    kernel = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    for _ in range(2):
        padded = np.pad(gray, ((0, 0), (radius, radius)), mode="edge")
        gray = sum(weight * padded[:, i : i + gray.shape[1]] for i, weight in enumerate(kernel)).T
    return gray
