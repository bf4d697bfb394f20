"""Photos as pixels: upright, RGB in sRGB, cut to a bucket, in the range models expect."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from core.dataset.buckets import Placement
from core.errors import UserError

MOST_PIXELS = 120_000_000
EXIF_ORIENTATION = 0x0112
SIDEWAYS = frozenset({5, 6, 7, 8})
# EXIF 2.32, tag 0x0112. PIL's own exif_transpose also rewrites the EXIF, and stumbles over damaged tags.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
FORMATS = ("JPEG", "PNG", "WEBP")  # JPEG opens MPO too, which some phones write under .jpg
# What PIL raises for damaged files besides OSError and its heirs.
BROKEN = (OSError, SyntaxError, ValueError, TypeError, LookupError, OverflowError, EOFError, struct.error, zlib.error)


def open_upright(file: Path) -> Image.Image:
    """The whole photo as RGB with its EXIF orientation applied. Raises UserError when any byte of it cannot be read."""
    with opened(file) as image:
        return upright(image)


def open_reduced(file: Path, side: int) -> tuple[Image.Image, tuple[int, int]]:
    """The photo as `open_upright` gives it with its longer side at most `side`, and its full upright size.

    JPEGs are decoded at a fraction of their size, which is several times faster and still reads every byte.
    """
    with opened(file) as image:
        full = image.size
        scale = min(1.0, side / max(full))
        image.draft(None, (max(1, round(full[0] * scale)), max(1, round(full[1] * scale))))  # a strip has a side that rounds to nothing
        image.load()  # Before the orientation: reading that of a PNG decodes it, forgives what is damaged, and then nobody sees it.
        sideways = orientation(image) in SIDEWAYS
        reduced = upright(image)
    reduced.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return reduced, full[::-1] if sideways else full


def upright(image: Image.Image) -> Image.Image:
    """The pixels of an opened photo as a person sees them, RGB in sRGB."""
    image.load()
    turn = TURNS.get(orientation(image))
    return _in_srgb(image if turn is None else image.transpose(turn))


@contextmanager
def opened(file: Path) -> Iterator[Image.Image]:
    """An image whose header was read and found sane; every way a file can be broken becomes a UserError, in the body too."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")  # Notes about odd metadata; what matters raises.
        try:
            with Image.open(file, formats=FORMATS) as image:
                width, height = image.size
                if width * height > MOST_PIXELS:
                    raise _too_large(f"{width} x {height} pixels", file)
                yield image
        except Image.DecompressionBombError:
            raise _too_large("more pixels than any photo has", file) from None
        except BROKEN as error:
            raise _unreadable(file, error) from None


def orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 (upright) when there is none or it is damaged: the pixels are good all the same."""
    try:
        value = image.getexif().get(EXIF_ORIENTATION)
    except BROKEN:
        return 1
    return value if isinstance(value, int) else 1


def upright_size(file: Path) -> tuple[int, int]:
    """Width and height as a person sees them, from the header; a PNG may carry its orientation behind the pixels and is read whole."""
    with opened(file) as image:
        width, height = image.size
        return (height, width) if orientation(image) in SIDEWAYS else (width, height)


def format_of(file: Path) -> str:
    """JPEG, PNG, WEBP or MPO, by content."""
    with opened(file) as image:
        return image.format or ""


def frame_count(file: Path) -> int:
    """1 for a photo, more for an animation; the second picture some phones keep in a JPEG does not count."""
    with opened(file) as image:
        return 1 if image.format == "MPO" else getattr(image, "n_frames", 1)


def fit(image: Image.Image, placement: Placement) -> Image.Image:
    """The placement's crop at exactly the bucket's size."""
    return image.resize((placement.bucket.width, placement.bucket.height), Image.Resampling.LANCZOS, box=placement.crop)


def pixels(image: Image.Image) -> np.ndarray:
    """float32, channels first, in [-1, 1]."""
    return np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / 127.5 - 1


def thumbnail(file: Path, side: int) -> bytes:
    """A WebP no larger than side x side."""
    image, _ = open_reduced(file, side)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=85)
    return buffer.getvalue()


def _too_large(claim: str, file: Path) -> UserError:
    return UserError(f"The photo claims {claim}.", str(file), f"Save it at a usual size; {MOST_PIXELS // 1_000_000} million pixels is the limit.")


def _unreadable(file: Path, error: Exception) -> UserError:
    reason = "it is empty" if file.is_file() and not file.stat().st_size else "it is no JPG, PNG or WebP" if isinstance(error, UnidentifiedImageError) else str(error)
    return UserError(f"The photo cannot be read: {reason}.", str(file), "Remove it, or save it again as JPG or PNG.")


def _in_srgb(image: Image.Image) -> Image.Image:
    """RGB in sRGB. A profile that is damaged or made for another kind of pixel is left aside, as every viewer does."""
    flat = _flat(image)
    profile = image.info.get("icc_profile")
    if not profile:
        return flat.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(flat, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return flat.convert("RGB")


def _flat(image: Image.Image) -> Image.Image:
    """Eight bits, no alpha, no palette: L, RGB or CMYK. Transparency becomes white."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image, dtype=np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")
