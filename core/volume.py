"""Where things lie: on a volume that outlives the machine, or on a disk that is wiped; and how much room a place really has."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from core.durable import storage_error
from core.errors import UserError

# Kinds of file systems whose free space is that of a whole cluster, whatever one's own quota is (RunPod's network volumes are MooseFS over FUSE).
DISTRIBUTED = ("fuse", "nfs", "cifs", "smb", "ceph", "lustre", "mfs", "moosefs", "glusterfs", "beegfs")
IN_MEMORY = ("tmpfs", "ramfs")
BLOCK = 8 << 20


def mount_of(place: Path, is_mount: Callable[[Path], bool] = os.path.ismount) -> Path:
    """The mount point a place lies or will lie under."""
    whole = place.absolute()
    existing = next(folder for folder in (whole, *whole.parents) if folder.exists()).resolve()
    return next(folder for folder in (existing, *existing.parents) if is_mount(folder) or folder == folder.parent)


def file_system_of(place: Path) -> str:
    """Such as ext4, overlay, fuse.mfs or tmpfs; empty when it is not known."""
    mount = str(mount_of(place))
    return next((part.fstype.lower() for part in reversed(psutil.disk_partitions(all=True)) if part.mountpoint == mount), "")


def free_bytes(place: Path) -> int | None:
    """What the disk has left there, or None on a distributed file system, which reports the cluster's space instead of the quota."""
    if file_system_of(place).startswith(DISTRIBUTED):
        return None
    whole = place.absolute()
    return shutil.disk_usage(next(folder for folder in (whole, *whole.parents) if folder.exists())).free


def require_room(folder: Path, size: int) -> None:
    """Prove by writing that `size` bytes have room, where nothing else tells; leaves nothing behind. Raises UserError when they have not."""
    probe = folder / f".room-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(probe, "wb") as file:
            for begin in range(0, size, BLOCK):
                file.write(bytes(min(BLOCK, size - begin)))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise storage_error(error, folder) from None
    finally:
        probe.unlink(missing_ok=True)


def lost_with_the_machine(places: Mapping[str, Path], is_mount: Callable[[Path], bool] = os.path.ismount) -> list[str]:
    """Which of these places (words -> path) lie on the container's own disk or in memory, where a stopped pod leaves nothing."""
    return [words for words, place in places.items() if mount_of(place, is_mount) == Path(place.absolute().anchor) or file_system_of(place) in IN_MEMORY]


def storage_note(places: Mapping[str, Path], is_mount: Callable[[Path], bool] = os.path.ismount) -> str | None:
    """The warning a pod shows when what matters would be lost with it."""
    lost = lost_with_the_machine(places, is_mount)
    if not lost:
        return None
    return f"NOT ON A VOLUME: {', '.join(lost)}. Stopping or restarting this pod deletes them. Rent it with a volume mounted at /workspace, and download what you want to keep before it ends."


def room_note(folder: Path, size: int) -> str | None:
    """The warning for a volume that is as good as full, found out by writing."""
    try:
        require_room(folder, size)
    except UserError as error:
        return f"{error.what} {error.where}: not even {size >> 20} MiB could be written. {error.fix}"
    return None
