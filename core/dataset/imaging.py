"""Photos as pixels: upright, RGB in sRGB, cut to a bucket, in the range models expect."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from core.dataset.buckets import Placement
from core.errors import UserError

MOST_PIXELS = 120_000_000
EXIF_ORIENTATION = 0x0112
SIDEWAYS = frozenset({5, 6, 7, 8})
FORMATS = ("JPEG", "PNG", "WEBP")  # JPEG opens MPO too, which some phones write under .jpg


def open_upright(file: Path) -> Image.Image:
    """The whole photo as RGB with its EXIF orientation applied. Raises UserError when any byte of it cannot be read."""
    with _opened(file) as image:
        try:
            image.load()
            upright = ImageOps.exif_transpose(image)
            return _in_srgb(upright)
        except (OSError, SyntaxError, ValueError, ImageCms.PyCMSError) as error:
            raise _unreadable(file, error) from None


def upright_size(file: Path) -> tuple[int, int]:
    """Width and height as a person sees them, from the header alone."""
    with _opened(file) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(EXIF_ORIENTATION) in SIDEWAYS else (width, height)


def format_of(file: Path) -> str:
    """JPEG, PNG, WEBP or MPO, by content."""
    with _opened(file) as image:
        return image.format or ""


def fit(image: Image.Image, placement: Placement) -> Image.Image:
    """The placement's crop at exactly the bucket's size."""
    return image.resize((placement.bucket.width, placement.bucket.height), Image.Resampling.LANCZOS, box=placement.crop)


def pixels(image: Image.Image) -> np.ndarray:
    """float32, channels first, in [-1, 1]."""
    return np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / 127.5 - 1


def thumbnail(file: Path, side: int) -> bytes:
    """A WebP no larger than side x side."""
    image = open_upright(file)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=85)
    return buffer.getvalue()


def _opened(file: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(file, formats=FORMATS)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(file, error) from None
    width, height = image.size
    if width * height > MOST_PIXELS:
        image.close()
        raise UserError(f"The photo claims {width} x {height} pixels.", str(file), "Save it at a usual size, 4000 px on the longer side at most.")
    return image


def _unreadable(file: Path, error: Exception) -> UserError:
    reason = "it is no JPG, PNG or WebP" if isinstance(error, UnidentifiedImageError) else str(error)
    return UserError(f"The photo cannot be read: {reason}.", str(file), "Remove it, or save it again as JPG or PNG.")


def _in_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK"):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB") or image.convert("RGB")
    if image.mode in ("I;16", "I;16B", "I"):
        return Image.fromarray((np.asarray(image, dtype=np.uint32) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, with_alpha).convert("RGB")
    return image.convert("RGB")
