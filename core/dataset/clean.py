"""What is written of a photo that comes in: upright, in sRGB, with nothing else in the file; its very pixels wherever none must change."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageCms

from core.dataset.imaging import BROKEN, opened, orientation, upright
from core.dataset.metadata import without_metadata
from core.errors import Refused, UserError

Conversion = Literal["turned", "16 bits", "CMYK", "transparency", "profile", "mode"]
# What a person is told of a photo that came in.
CONVERSION_WORDS: dict[Conversion, str] = {
    "turned": "it was turned upright", "16 bits": "16 bits per colour became 8", "CMYK": "CMYK became RGB", "transparency": "what was transparent became white",
    "profile": "its colours were converted to sRGB", "mode": "it was saved as RGB",
}  # fmt: skip
SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp"}
# High enough that a second encoding cannot be seen (figures: docs/experiments.md, "A photo is turned").
QUALITY = 95
GPS = 0x8825  # EXIF 2.32, tag of the GPS block
# Steps of 255 a profile may move a colour and still be sRGB under another name.
SAME_COLOUR = 3
PHONES_TAKE_JPEG = "On an iPhone choose Settings > Camera > Formats > Most Compatible; photos you have already become JPG when you pick them on the phone itself, or export them as JPG from your photo program."


@dataclass(frozen=True)
class CleanPhoto:
    """`data` is a whole file, `suffix` the one that fits it, `notes` what a person should know was changed."""

    data: bytes
    suffix: str
    notes: tuple[str, ...]


def clean(file: Path) -> CleanPhoto:
    """Decode the whole photo and make the file that is kept. Raises UserError for what is no whole photo, or an animation."""
    _refuse_phone_formats(file)
    with opened(file) as image:
        image_format, frames = image.format or "", getattr(image, "n_frames", 1)
        if frames > 1 and image_format != "MPO":
            raise UserError(f"It is an animation of {frames} pictures, not a photo.", file.name, "Save the picture you want as JPG or PNG.")
        data = file.read_bytes()
        image.load()
        changes = tuple(CONVERSION_WORDS[made] for made in _conversions(image, data))
        bare = None if changes else _bare(data, image)
        kept = bare or encoded(upright(image), image_format, is_lossless=b"VP8L" in data)
        position = ("its GPS position was removed",) if _has_position(image) else ()
    return CleanPhoto(kept, SUFFIXES[image_format], (*changes, *position))


def encoded(pixels: Image.Image, image_format: str, is_lossless: bool) -> bytes:
    """A whole file of that format; `is_lossless` matters to WEBP alone."""
    buffer = io.BytesIO()
    match image_format:
        case "JPEG" | "MPO":
            pixels.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
        case "WEBP":
            pixels.save(buffer, "WEBP", quality=QUALITY, lossless=is_lossless)
        case _:
            pixels.save(buffer, "PNG")
    return buffer.getvalue()


def unread_format(suffix: str, name: str) -> Refused:
    """For an image format that is known and not read; `suffix` with its dot."""
    kind = suffix[1:].upper()
    if kind in ("HEIC", "HEIF"):
        return Refused(f"{kind} is not read here.", name, PHONES_TAKE_JPEG)
    return Refused(f"{kind} is not read here.", name, "Save it as JPG or PNG.")


def conversions_of(file: Path) -> tuple[Conversion, ...]:
    """What is done to a photo's pixels each time it is read. Raises UserError."""
    with file.open("rb") as head, opened(file) as image:
        return _conversions(image, head.read(32))


def _refuse_phone_formats(file: Path) -> None:
    """By content: programs that 'rename to JPG' leave HEIC inside (ISO 14496-12, ftyp box)."""
    with open(file, "rb") as head:
        box = head.read(12)
    if box[4:8] == b"ftyp":
        raise unread_format(".avif" if box[8:11] == b"avi" else ".heic", file.name)


def _has_position(image: Image.Image) -> bool:
    try:
        return bool(image.getexif().get_ifd(GPS))
    except BROKEN:
        return False


def _conversions(image: Image.Image, data: bytes) -> tuple[Conversion, ...]:
    """Why the pixels cannot stay as they are; empty when they can. `data` begins as the file does."""
    found: list[Conversion] = []
    if orientation(image) in range(2, 9):
        found.append("turned")
    if image.mode.startswith("I") or (image.format == "PNG" and data[24] == 16):  # PNG, 11.2.1: bit depth
        found.append("16 bits")
    if image.mode == "CMYK":
        found.append("CMYK")
    if image.has_transparency_data:
        found.append("transparency")
    profile = image.info.get("icc_profile")
    if profile and not _is_srgb(profile, image.mode):
        found.append("profile")
    elif not found and image.mode not in ("L", "RGB"):
        found.append("mode")
    return tuple(found)


def _is_srgb(profile: bytes, mode: str) -> bool:
    """Whether the profile leaves a cube of colours, or a scale of grays, where it is; profiles that say sRGB are many, and not all are equal.

    True for one that is damaged or made for other pixels: it is left aside (core.dataset.imaging).
    """
    if mode == "CMYK":
        return False
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    shown = Image.fromarray(np.arange(256, dtype=np.uint8)[None]) if mode == "L" or mode.startswith("I") else Image.fromarray(cube)
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        seen = ImageCms.profileToProfile(shown, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return True
    return int(np.abs(np.asarray(seen, dtype=int) - np.asarray(shown.convert("RGB"), dtype=int)).max()) <= SAME_COLOUR


def _bare(data: bytes, photo: Image.Image) -> bytes | None:
    """The file without metadata, or None when that would show other pixels: then it is better encoded anew."""
    try:
        bare = without_metadata(data, photo.format or "")
        with Image.open(io.BytesIO(bare)) as image:
            same = image.mode == photo.mode and image.tobytes() == photo.tobytes()
    except BROKEN:
        return None
    return bare if same else None
