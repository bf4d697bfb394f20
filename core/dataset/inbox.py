"""Inbox: files that arrive in pieces, kept hidden beside the photos until they are whole, taken in or too old."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
from pathlib import Path

from core.dataset.archive import LARGEST_PHOTO
from core.dataset.captions import LARGEST_CAPTION
from core.dataset.intake import check_name
from core.dataset.names import studio_folder
from core.durable import storage_error
from core.errors import Refused, UserError
from core.volume import free_bytes

# The body of one request: proxies refuse more than 100 MB and cut after 100 s; 8 MiB take 64 s at 1 Mbit/s.
CHUNK = 8 << 20
LARGEST = {".txt": LARGEST_CAPTION, ".zip": 4 << 30}
MOST_WAITING = 8 << 30  # bytes of all files of a dataset that are on their way
KEPT_FREE = 1 << 30  # bytes of disk that uploads leave to a training
SECONDS_KEPT = 24 * 3600
IDENTITY = re.compile(r"[0-9a-f]{32}-[0-9]{1,12}")


class WrongOffset(Exception):
    """The piece does not begin where the file ends; `offset` is where it should."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the file goes on at {offset}")
        self.offset = offset


class Inbox:
    """The half-sent files of one dataset. A file's identity holds its size, so that nothing else has to be remembered."""

    def __init__(self, dataset: Path) -> None:
        self.folder = studio_folder(dataset) / "uploads"
        self._appending = threading.Lock()

    def open(self, name: str, size: int, modified: int, now: float) -> tuple[str, int]:
        """Identity and offset to go on from: the same file, chosen again, goes on where it stopped. `now` is in seconds.

        Raises Refused for what could never be taken or has no room, UserError when the disk refuses.
        """
        check_name(name)
        limit = LARGEST.get(Path(name).suffix.lower(), LARGEST_PHOTO)
        if size > limit:
            raise Refused(f"It has {size:,} bytes; {limit:,} is the limit.", name, "Save it smaller, or pack fewer photos at a time.")
        identity = f"{hashlib.sha256(repr((name, size, modified)).encode()).hexdigest()[:32]}-{size}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.sweep(now)
            file = self.file(identity)
            have = file.stat().st_size if file.exists() else 0
            self._check_room(file, size, size - have)
            file.touch()
            return identity, have
        except OSError as error:
            raise storage_error(error, self.folder) from None

    def append(self, identity: str, offset: int, piece: bytes) -> int:
        """The offset after the piece. Raises WrongOffset, Refused for a piece that is too long, UserError when the disk refuses."""
        file, size = self.file(identity), int(identity.partition("-")[2])
        with self._appending:
            have = file.stat().st_size if file.exists() else 0
            if offset != have:
                raise WrongOffset(have)
            if have + len(piece) > size:
                raise Refused(f"It is longer than the {size:,} bytes that were announced.", "", "Choose the file again; it may have changed.")
            try:
                with open(file, "ab") as handle:
                    handle.write(piece)
            except OSError as error:
                if file.exists():
                    os.truncate(file, have)
                raise storage_error(error, self.folder) from None
        return have + len(piece)

    def file(self, identity: str) -> Path:
        """Raises Refused for what is no identity: nothing else ever becomes a path here."""
        if not IDENTITY.fullmatch(identity):
            raise Refused("There is no such upload.", "", "Choose the file again.")
        return self.folder / f"{identity}.part"

    def whole(self, identity: str) -> Path:
        """Raises UserError for a file that is not here in full."""
        file = self.file(identity)
        if not file.is_file() or file.stat().st_size != int(identity.partition("-")[2]):
            raise UserError("It did not arrive whole.", "", "Choose it again; what is here already is not sent twice.")
        return file

    def drop(self, identity: str) -> None:
        self.file(identity).unlink(missing_ok=True)

    def sweep(self, now: float) -> None:
        """Forget what nobody came back for."""
        if not self.folder.is_dir():
            return
        for entry in self.folder.iterdir():
            if now - entry.stat().st_mtime > SECONDS_KEPT:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink(missing_ok=True)

    def _check_room(self, file: Path, size: int, missing: int) -> None:
        others = sum(int(part.stem.partition("-")[2]) for part in self.folder.glob("*-*.part") if part != file)
        if others + size > MOST_WAITING:
            raise Refused(f"{others / 2**30:.1f} GiB are on their way already; {MOST_WAITING >> 30} GiB is the limit.", "", "Wait until those have arrived.")
        free = free_bytes(self.folder)  # unknown on a network volume: there the quota answers when it is reached
        if free is not None and free < missing + KEPT_FREE:
            raise Refused(f"The disk has {free / 2**30:.1f} GiB left, and {KEPT_FREE >> 30} GiB of it is kept for trainings.", "", "Free some space (old runs in output/ are the largest).")
