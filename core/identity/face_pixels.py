"""What the pixels of a face tell about the photo: sharpness and light."""

from __future__ import annotations

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

from core.identity.faces import Face

SHARPNESS_SIDE, SHARPNESS_MARGIN, BLUR_WIDTH = 256, 0.15, 9
LIGHT_SIDE = 128
# Half axes of the ellipse within the face's box that holds skin rather than background, in shares of the box.
SKIN_WIDTH, SKIN_HEIGHT = 0.36, 0.47
CLIPPED = 254
SRGB_TO_XYZ = np.array([(0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505)])
WHITE_D65 = np.array([0.9505, 1.0, 1.089])


class Sharpness(BaseModel):
    """Of the face at 256 x 256 pixels. `laplacian`: variance of its gray Laplacian. `reblur`: 0 sharp to 1 blurred (Crete et al., 2007)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    laplacian: float
    reblur: float


class Light(BaseModel):
    """On the face: mean and deviation of L* (0 to 100), share of pixels with a clipped channel, (left - right) / (left + right) of L*, mean b* (blue below 0, yellow above)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lightness: float
    spread: float
    clipped: float
    side: float
    warmth: float


def sharpness_of(image: Image.Image, face: Face) -> Sharpness:
    gray = np.asarray(_square(image, face, SHARPNESS_SIDE, SHARPNESS_MARGIN).convert("L"), dtype=np.float64)
    return Sharpness(laplacian=round(laplacian_variance(gray), 1), reblur=round(max(_reblur(gray), _reblur(gray.T)), 3))


def light_of(image: Image.Image, face: Face) -> Light:
    pixels = np.asarray(_square(image, face, LIGHT_SIDE, 0.0))
    row, column = (np.mgrid[:LIGHT_SIDE, :LIGHT_SIDE] + 0.5) / LIGHT_SIDE - 0.5
    skin = (column / SKIN_WIDTH) ** 2 + (row / SKIN_HEIGHT) ** 2 <= 1
    lightness, warmth = _lab(pixels)
    left, right = lightness[skin & (column < 0)].mean(), lightness[skin & (column > 0)].mean()
    return Light(
        lightness=round(float(lightness[skin].mean()), 1), spread=round(float(lightness[skin].std()), 1), clipped=round(float((pixels.max(2) >= CLIPPED)[skin].mean()), 3),
        side=round(float((left - right) / (left + right + 1e-6)), 3), warmth=round(float(warmth[skin].mean()), 1),
    )  # fmt: skip


def _square(image: Image.Image, face: Face, side: int, margin: float) -> Image.Image:
    """The square around the face's box at side x side; what lies outside the picture repeats its edge."""
    left, top, width, height = (share * length for share, length in zip(face.box, image.size * 2, strict=True))
    half = max(width, height) * (0.5 + margin)
    x, y = left + width / 2, top + height / 2
    box = [round(x - half), round(y - half), round(x + half), round(y + half)]
    outside = max(0, -box[0], -box[1], box[2] - image.width, box[3] - image.height)
    if not outside:
        return image.resize((side, side), Image.Resampling.BICUBIC, box=box)
    cut = image.crop((max(0, box[0]), max(0, box[1]), min(image.width, box[2]), min(image.height, box[3])))
    before_x, before_y = max(0, -box[0]), max(0, -box[1])
    after_x, after_y = box[2] - box[0] - before_x - cut.width, box[3] - box[1] - before_y - cut.height
    padded = np.pad(np.asarray(cut), ((before_y, after_y), (before_x, after_x), (0, 0)), mode="edge")
    return Image.fromarray(padded).resize((side, side), Image.Resampling.BICUBIC)


def laplacian_variance(gray: np.ndarray) -> float:
    """Of a gray picture, (H, W) 0 to 255."""
    around = np.pad(gray, 1, mode="reflect")
    return float((around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:] - 4 * gray).var())


def _reblur(gray: np.ndarray) -> float:
    """How much of the change from pixel to pixel, along the rows, is left after blurring along the rows."""
    half = BLUR_WIDTH // 2
    sums = np.cumsum(np.pad(gray, ((0, 0), (half + 1, half)), mode="reflect"), axis=1)
    blurred = (sums[:, BLUR_WIDTH:] - sums[:, :-BLUR_WIDTH]) / BLUR_WIDTH
    change, left = np.abs(np.diff(gray, axis=1)), np.abs(np.diff(blurred, axis=1))
    lost = np.maximum(0, change - left).sum()
    return float((change.sum() - lost) / (change.sum() + 1e-9))


def _lab(pixels_HWC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """L* and b* of sRGB bytes (CIE 1976, white D65)."""
    coded = pixels_HWC / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    ratios = linear @ SRGB_TO_XYZ.T / WHITE_D65
    roots = np.where(ratios > 216 / 24389, np.cbrt(ratios), (24389 / 27 * ratios + 16) / 116)
    return 116 * roots[..., 1] - 16, 200 * (roots[..., 1] - roots[..., 2])
