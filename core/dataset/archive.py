"""ZIP archives: each member is checked before a byte of it is unpacked; what is bad is refused by name, what is good beside it is taken."""

from __future__ import annotations

import io
import mmap
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from core.dataset.arrivals import Arrival, Receipt, refusal
from core.dataset.captions import LARGEST_CAPTION
from core.dataset.clean import unread_format
from core.dataset.folder import IMAGE_SUFFIXES, OTHER_IMAGE_SUFFIXES
from core.errors import Refused, UserError

ARCHIVE_SUFFIXES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"})
MOST_MEMBERS = 5000
LONGEST_LIST = 32 << 20  # bytes of the archive's own list of its files: 6 KB for each of so many
LARGEST_PHOTO = 256 << 20  # bytes; a 16-bit PNG of 40 megapixels is smaller
MOST_BYTES = 8 << 30
# Photos are packed already: ZIP makes them a few percent smaller. Small files may shrink as they like.
HIGHEST_RATIO, RATIO_FROM = 100, 1 << 20
LITTER = frozenset({"thumbs.db", "desktop.ini"})
IS_ENCRYPTED = 0x1  # ZIP APPNOTE, 4.4.4, bit 0
# What every system packs. Others (LZMA, BZIP2, ...) bring a decoder each, with faults of its own kinds, and memory that the archive asks for.
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
LOCAL_HEADER = 30  # APPNOTE, 4.3.7: bytes in front of the name
DRIVE = re.compile(r"^[A-Za-z]:")
CHUNK = 1 << 20


def unpack(archive: Path, name: str, workplace: Path) -> Iterator[Arrival | Receipt]:
    """Photos first, then captions, one at a time in `workplace`: each is gone when the next is asked for.

    Raises Refused for an archive of which nothing can be trusted, OSError when the disk is full.
    """
    _check_count(archive)
    with _Modest(io.FileIO(archive)) as file, _opened(file, name) as opened:
        members = [member for member in opened.infolist() if not _is_litter(member)]
        _check_whole(opened, members, name)
        seen: set[str] = set()
        for member in sorted(members, key=lambda member: _path(member).suffix.lower() == ".txt"):
            arrival = Arrival(str(_path(member)), workplace / "member", name)
            try:
                _check_member(member, seen)
                _extract(opened, member, arrival.file)
                yield arrival
            except UserError as error:
                yield refusal(arrival, error)
            finally:
                arrival.file.unlink(missing_ok=True)


class _Modest(io.BufferedReader):
    """Gives no more at once than a list of files may have: zipfile reads that list whole, as long as the archive says it is, and so gigabytes of nothing."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > LONGEST_LIST:
            raise zipfile.BadZipFile("its list of files is too long")
        return super().read(size)


def _opened(file: _Modest, name: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise Refused(f"It is no ZIP archive, or a damaged one ({error}).", name, "Pack the photos again as ZIP, or drop them as they are.") from None


def _check_count(archive: Path) -> None:
    """Counted in the bytes, because the list of members alone may fill the memory and its length may lie."""
    if archive.stat().st_size == 0:
        return
    with open(archive, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        position = -1
        for _ in range(MOST_MEMBERS + 1):
            position = data.find(b"PK\x01\x02", position + 1)
            if position < 0:
                return
    raise Refused(f"It holds more than {MOST_MEMBERS} files.", archive.name, "A dataset has 15 to 30 photos; pack only those.")


def _check_whole(opened: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo], name: str) -> None:
    """Members that share bytes are a bomb: Fifield, A better zip bomb, 2019."""
    total = sum(member.file_size for member in members)
    if total > MOST_BYTES:
        raise Refused(f"It unpacks to {total / 2**30:.1f} GiB; {MOST_BYTES >> 30} GiB is the limit.", name, "Pack fewer photos at a time.")
    end = 0
    for member in sorted(opened.infolist(), key=lambda member: member.header_offset):
        if member.header_offset < end:
            raise Refused("Its files lie over each other, as in a ZIP bomb.", name, "Pack the photos again.")
        end = member.header_offset + LOCAL_HEADER + len(member.orig_filename) + member.compress_size


def _is_litter(member: zipfile.ZipInfo) -> bool:
    """Folders and what systems leave in them: nobody misses these."""
    path = _path(member)
    return member.is_dir() or "__MACOSX" in path.parts or path.name.lower() in LITTER or (path.name.startswith(".") and path.name != "..")


def _check_member(member: zipfile.ZipInfo, seen: set[str]) -> None:
    """By name, kind and size. Raises UserError."""
    raw, path = member.orig_filename, _path(member)
    kind = stat.S_IFMT(member.external_attr >> 16)
    suffix = path.suffix.lower()
    if path.is_absolute() or DRIVE.match(raw) or ".." in path.parts or "\0" in raw:
        raise UserError("Its name leads out of the archive.", raw)
    if kind not in (0, stat.S_IFREG):
        raise UserError("It is a link." if kind == stat.S_IFLNK else "It is a device, not a file.", raw)
    if str(path) in seen:
        raise UserError("There are two files of this name in the archive; the first was taken.", raw)
    seen.add(str(path))
    if member.flag_bits & IS_ENCRYPTED:
        raise UserError("It is encrypted.", raw, "Pack it without a password.")
    if member.compress_type not in METHODS:
        raise UserError(f"It is packed in a way that is not read here (method {member.compress_type}).", raw, "Pack it as an ordinary ZIP (Deflate).")
    if suffix in ARCHIVE_SUFFIXES:
        raise UserError("It is an archive inside the archive.", raw, "Unpack it first.")
    if suffix in OTHER_IMAGE_SUFFIXES:
        raise unread_format(suffix, raw)
    if suffix not in IMAGE_SUFFIXES and suffix != ".txt":
        raise UserError("It is neither a photo (JPG, PNG, WebP) nor a caption (.txt).", raw)
    limit = LARGEST_CAPTION if suffix == ".txt" else LARGEST_PHOTO
    if member.file_size > limit:
        raise UserError(f"It unpacks to {member.file_size:,} bytes; {limit:,} is the limit.", raw)
    if member.file_size > RATIO_FROM and member.file_size > HIGHEST_RATIO * member.compress_size:
        raise UserError(f"It unpacks to {member.file_size // max(1, member.compress_size)} times its size, as a ZIP bomb does.", raw)


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, file: Path) -> None:
    """Never more than the size that was checked: zipfile reads no further. Raises UserError for damaged data."""
    try:
        with opened.open(member) as packed, open(file, "xb") as unpacked:
            while chunk := packed.read(CHUNK):
                unpacked.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise UserError(f"It cannot be unpacked ({error}).", member.orig_filename, "Pack it again.") from None


def _path(member: zipfile.ZipInfo) -> PurePosixPath:
    """Old Windows programs write backslashes."""
    return PurePosixPath(member.orig_filename.replace("\\", "/"))
