"""Files that survive a kill: atomic writes, an append-only JSON log, folders published by one rename."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from core.errors import UserError

# A disk answers ENOSPC, a RunPod network volume over quota answers EDQUOT.
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
MANIFEST = "manifest.json"
# Windows translates line ends in files that are not opened as binary; others know no such flag.
APPENDING = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
# Windows refuses to rename over or away from what somebody reads; readers here need milliseconds.
RENAME_ATTEMPTS = 10
SECONDS_BETWEEN_RENAMES = 0.05


def storage_error(error: OSError, where: Path) -> UserError:
    """Turn an operating-system error on `where` into a sentence that names the remedy."""
    if error.errno in NO_SPACE:
        return UserError("There is no space left on the disk.", str(where), "Free some space (old runs in output/ are the largest), then resume.")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return UserError(f"This place cannot be written ({error.strerror}).", str(where), "Give write permission, or choose another folder with OUT_DIR.")
    return UserError(f"The file system answered: {error.strerror or error}.", str(where), "Check the disk, then try again.")


def write_atomic(path: Path, data: bytes) -> None:
    """Write so that readers see the old file or the new one, never half; a failed write leaves the old one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def is_text(text: str) -> bool:
    """False for what cannot be written as UTF-8: half a character, and bytes of a file name that are none, which Python spells as lone surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def write_if_possible(path: Path, data: bytes) -> bool:
    """Write what only spares work later. False where the disk refuses: that costs the second look its speed, nothing else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    except OSError:
        return False
    return True


def rename(old: Path, new: Path) -> None:
    """os.replace that outlasts a reader. Raises OSError when the place stays closed."""
    for _ in range(RENAME_ATTEMPTS - 1):
        try:
            return os.replace(old, new)
        except PermissionError:
            time.sleep(SECONDS_BETWEEN_RENAMES)
    os.replace(old, new)


def write_json(path: Path, value: Any) -> None:
    write_atomic(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises OSError, and ValueError for what is no JSON."""
    return parse_json(path.read_text(encoding="utf-8"))


def parse_json(text: str | bytes) -> Any:
    """Raises ValueError for what is no JSON, and for brackets within brackets without end, which Python answers with a RecursionError."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def append_line(path: Path, record: dict[str, Any]) -> None:
    """Append one JSON line with a single write, so that a kill can tear only the last line. A disk that takes only a part of it gets none."""
    line = (json.dumps(record, separators=(",", ":"), allow_nan=False) + "\n").encode()
    descriptor = os.open(path, APPENDING, 0o644)
    try:
        before = os.fstat(descriptor).st_size
        if os.write(descriptor, line) < len(line):
            os.ftruncate(descriptor, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(descriptor)


def read_lines(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Records from byte `offset` on, and the offset after the last whole line. A torn tail is left for later."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            raw = file.read()
    except FileNotFoundError:
        return [], 0
    end = raw.rfind(b"\n") + 1
    records = []
    for number, line in enumerate(raw[:end].splitlines(), 1):
        try:
            records.append(parse_json(line))
        except ValueError:
            raise UserError(f"Line {number} of the log is damaged.", str(path), "Delete that line; the lines around it are whole.") from None
    return records, offset + end


def rewrite_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    write_atomic(path, b"".join((json.dumps(r, separators=(",", ":")) + "\n").encode() for r in records))


def publish_folder(final: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a hidden folder, seal it with a manifest of checksums, then rename it to `final`."""
    final.parent.mkdir(parents=True, exist_ok=True)
    hidden = final.with_name(f".tmp-{final.name}-{os.getpid()}")
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir()
    try:
        fill(hidden)
        files = {}
        for file in sorted(hidden.iterdir()):
            with open(file, "rb+") as handle:
                os.fsync(handle.fileno())
            files[file.name] = {"bytes": file.stat().st_size, "sha256": sha256_of(file)}
        write_json(hidden / MANIFEST, {"files": files})
        if final.exists():
            retire_folder(final)
        rename(hidden, final)
        _sync_folder(final.parent)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise


def retire_folder(folder: Path) -> None:
    """Un-publish by rename, then delete: a kill half-way never leaves a damaged folder under its published name."""
    hidden = folder.with_name(f".tmp-old-{folder.name}-{os.getpid()}")
    rename(folder, hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def damage_of(folder: Path) -> str | None:
    """The first thing wrong with a published folder, or None when every byte matches its manifest."""
    try:
        files = read_json(folder / MANIFEST)["files"]
    except (OSError, ValueError, KeyError):
        return "its manifest is missing or unreadable"
    for name, expected in files.items():
        file = folder / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != expected["bytes"]:
            return f"{name} has {file.stat().st_size} bytes instead of {expected['bytes']}"
        if sha256_of(file) != expected["sha256"]:
            return f"{name} does not match its checksum"
    return None


def sweep_hidden(folder: Path) -> None:
    """Remove what killed writers left behind. Call only while holding the lock of the owner."""
    for leftover in folder.glob(".tmp-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def sha256_of(file: Path) -> str:
    with open(file, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # Windows cannot open a folder; its rename is durable enough for us.
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
