"""Takes everything but the picture out of a photo's file without touching a pixel: EXIF, GPS, XMP, comments, thumbnails, second images."""

from __future__ import annotations

import re

# The next thing in a JPEG that is neither a stuffed byte (00) nor a restart (D0 to D7). ITU T.81, B.1.1.
JPEG_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
START, END, SCAN, JFIF, ADOBE = 0xD8, 0xD9, 0xDA, 0xE0, 0xEE
JFIF_HEADER = 14  # bytes, of which the last two are the size of a thumbnail that follows
APPLICATION_DATA = range(0xE0, 0xF0)
COMMENTS = range(0xF0, 0xFF)  # JPG0 to JPG13, then COM
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
WEBP_PICTURES = (b"VP8 ", b"VP8L")


def without_metadata(data: bytes, image_format: str) -> bytes:
    """The same pixels in a file that holds nothing else. `image_format` is JPEG, MPO, PNG or WEBP, as Pillow names it.

    For pictures without transparency, animation or a colour profile that matters. Raises ValueError for a file of another structure.
    """
    match image_format:
        case "JPEG" | "MPO":
            return _bare_jpeg(data)
        case "PNG":
            return _bare_png(data)
        case "WEBP":
            return _bare_webp(data)
    raise ValueError(f"{image_format} is not known here")


def _bare_jpeg(data: bytes) -> bytes:
    """Up to the end of the first image: an MPO's second one has an EXIF of its own."""
    if data[:2] != b"\xff\xd8":
        raise ValueError("no JPEG")
    kept, position, is_scan = [b"\xff\xd8"], 2, False
    while found := JPEG_MARKER.search(data, position):
        if is_scan:
            kept.append(data[position : found.start()])
        marker = found[1][0]
        if marker == START:
            raise ValueError("an image begins inside the image")
        if marker == END:
            break
        position = found.end() + int.from_bytes(data[found.end() : found.end() + 2])
        kept.append(_jpeg_segment(marker, data[found.end() : position]))
        is_scan = marker == SCAN
    else:
        kept.append(data[position:] if is_scan else b"")
    return b"".join(kept) + b"\xff\xd9"


def _jpeg_segment(marker: int, body: bytes) -> bytes:
    """The segment as it is written; nothing for what says nothing about the pixels. `body` begins with its own length."""
    is_adobe = marker == ADOBE and body[2:7] == b"Adobe"
    if marker == JFIF and body[2:7] == b"JFIF\0":
        return b"\xff\xe0" + (JFIF_HEADER + 2).to_bytes(2) + body[2:JFIF_HEADER] + b"\0\0"
    if (marker in APPLICATION_DATA and not is_adobe) or marker in COMMENTS:
        return b""
    return bytes((0xFF, marker)) + body


def _bare_png(data: bytes) -> bytes:
    """Critical chunks only: those whose name begins with a capital (PNG, 5.4)."""
    if not data.startswith(PNG_SIGNATURE):
        raise ValueError("no PNG")
    kept, position = [PNG_SIGNATURE], len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4])
        name = data[position + 4 : position + 8]
        if name[:1].isupper():
            kept.append(data[position:end])
        position = end
        if name == b"IEND":
            break
    return b"".join(kept)


def _bare_webp(data: bytes) -> bytes:
    """The simple layout: one chunk that is the picture."""
    position, size = 12, len(data)
    while position + 8 <= size:
        name, length = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        end = position + 8 + length + length % 2
        if name in WEBP_PICTURES:
            chunk = data[position:end]
            return b"RIFF" + (len(chunk) + 4).to_bytes(4, "little") + b"WEBP" + chunk
        position = end
    raise ValueError("no picture in the WebP")
