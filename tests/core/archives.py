"""ZIP archives as people and as attackers make them."""

import io
import stat
import struct
import zipfile
import zlib
from pathlib import Path

from PIL import Image


def png(colour="red", size=(24, 16)):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def png_that_claims(width, height):
    """A header of any size in front of a few bytes."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def pack(file: Path, *members, mode=0, compression=zipfile.ZIP_DEFLATED) -> Path:
    """`members` are (name, bytes) or (name, bytes, unix mode)."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, data, *own_mode in members:
            info = zipfile.ZipInfo(name)
            info.compress_type, info.create_system = compression, 3
            info.external_attr = (own_mode[0] if own_mode else mode) << 16
            archive.writestr(info, data)
    return file


def overlapping(file: Path) -> Path:
    """Every entry of the list points to the bytes of the first one."""
    pack(file, ("a.png", png()), ("b.png", png("blue")))
    data = bytearray(file.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[second + 42 : second + 46] = bytes(4)
    file.write_bytes(data)
    return file


def encrypted(file: Path) -> Path:
    """The mark of encryption in both headers."""
    data = bytearray(pack(file, ("a.png", png())).read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    file.write_bytes(data)
    return file


def damaged(file: Path) -> Path:
    """One byte of the second of two photos is wrong, and both are stored as they are."""
    data = bytearray(pack(file, ("good.png", png()), ("bad.png", png("blue")), compression=zipfile.ZIP_STORED).read_bytes())
    data[data.index(b"bad.png") + 60] ^= 255
    file.write_bytes(data)
    return file


LINK, DEVICE = stat.S_IFLNK | 0o777, stat.S_IFCHR | 0o666
