"""Files that are broken or odd, planted in a set of photographs, and odd ones that are read as they should be."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from core.dataset.imaging import EXIF_ORIENTATION
from tests.core.planted import Fault, Picture, opened, picture_of

Encode = Callable[[Picture], bytes]


def file_faults(name: str) -> list[Fault]:
    """In the photo of this name, which is a JPEG."""
    return [
        Fault("half of a JPEG", ("file",), _replaced(name, "jpg", lambda image: _halved(_encoded(image, "JPEG")))),
        Fault("half of a PNG", ("file",), _replaced(name, "png", lambda image: _halved(_encoded(image, "PNG")))),
        Fault("half of a WebP", ("file",), _replaced(name, "webp", lambda image: _halved(_encoded(image, "WEBP")))),
        Fault("one wrong bit in a PNG", ("file",), _replaced(name, "png", lambda image: _flipped(_encoded(image, "PNG")))),
        Fault("one wrong bit in a JPEG", ("file",), _replaced(name, "jpg", lambda image: _flipped(_encoded(image, "JPEG"))), frozenset({"no face", "overexposed"}), is_hard=True),
        Fault("an empty file", ("file",), _replaced(name, "jpg", lambda _: b"")),
        Fault("text", ("file",), _replaced(name, "jpg", lambda _: b"<html>not found</html>")),
        Fault("HEIC by name", ("file",), _replaced(name, "heic", lambda image: _encoded(image, "JPEG")), frozenset({"orphan caption"})),
        Fault("a PNG called JPG", ("format",), _kept(name, "jpg", lambda image: _encoded(image, "PNG"))),
        Fault("an animated WebP", ("animated",), _kept(name, "webp", lambda image: _encoded(image, "WEBP", save_all=True, append_images=[image.rotate(9)])), frozenset({"odd file"})),
        Fault("an animated PNG", ("animated",), _kept(name, "png", lambda image: _encoded(image, "PNG", save_all=True, append_images=[image.rotate(9)]))),
    ]


def odd_kinds(name: str) -> list[Fault]:
    """Each shows the picture it came from, and is named all the same."""
    return [Fault(words, ("odd file",), plant, frozenset({"black and white"} if "gray" in words else ())) for words, plant in _odd_kinds(name)]


def plain_files(name: str) -> list[tuple[str, Callable[[Path], Collection[str]]]]:
    """Each shows the picture it came from, and there is nothing to say of it."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return [
        ("with a profile", _kept(name, "jpg", lambda image: _encoded(image, "JPEG", icc_profile=srgb))),
        ("with a damaged profile", _kept(name, "jpg", lambda image: _encoded(image, "JPEG", icc_profile=b"no profile"))),
        ("as PNG", _kept(name, "png", lambda image: _encoded(image, "PNG"))),
        ("as WebP", _kept(name, "webp", lambda image: _encoded(image, "WEBP"))),
    ]


def _odd_kinds(name: str) -> list[tuple[str, Callable[[Path], Collection[str]]]]:
    sideways, gamut = Image.Exif(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    sideways[EXIF_ORIENTATION] = 6
    return [
        ("with alpha", _kept(name, "png", lambda image: _encoded(_with_alpha(image), "PNG"))),
        ("CMYK", _kept(name, "jpg", lambda image: _encoded(image.convert("CMYK"), "JPEG"))),
        ("gray of 16 bits", _kept(name, "png", lambda image: _encoded(Image.fromarray(np.asarray(image.convert("L"), dtype=np.uint16) * 257), "PNG"))),
        ("sideways by EXIF", _kept(name, "jpg", lambda image: _encoded(image.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=sideways))),
        ("with a palette", _kept(name, "png", lambda image: _encoded(image.quantize(256), "PNG"))),
        ("with red and blue swapped and a profile that says so", _kept(name, "png", lambda image: _encoded(_swapped(image), "PNG", icc_profile=_swapped_profile(gamut)))),
    ]


def _replaced(name: str, suffix: str, encode: Encode) -> Callable[[Path], Collection[str]]:
    """The finding names the file."""

    def plant(folder: Path) -> Collection[str]:
        _write(folder, name, suffix, encode)
        return {f"{name}.{suffix}"}

    return plant


def _kept(name: str, suffix: str, encode: Encode) -> Callable[[Path], Collection[str]]:
    """It stays a photo, and the finding names the photo."""

    def plant(folder: Path) -> Collection[str]:
        _write(folder, name, suffix, encode)
        return {name}

    return plant


def _write(folder: Path, name: str, suffix: str, encode: Encode) -> None:
    file = picture_of(folder, name)
    content = encode(opened(file))
    file.unlink()
    (folder / f"{name}.{suffix}").write_bytes(content)


def _encoded(image: Picture, form: str, **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, quality=92, **how)
    return buffer.getvalue()


def _halved(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 16]) + data[middle + 1 :]


def _with_alpha(image: Picture) -> Picture:
    """Clear at the lower edge only."""
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, image.height - 20, image.width, image.height))
    image.putalpha(alpha)
    return image


def _swapped(image: Picture) -> Picture:
    red, green, blue = image.split()
    return Image.merge("RGB", (blue, green, red))


def _swapped_profile(srgb: bytes) -> bytes:
    """sRGB whose red and blue primaries changed places in the list of tags (ICC.1:2022, 7.3)."""
    return srgb.replace(b"rXYZ", b"?XYZ", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"?XYZ", b"bXYZ", 1)
