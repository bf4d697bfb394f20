"""What the machine has left: GPU and its memory, RAM, disk. Read aside of whoever asks, at most every few seconds, without torch."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

SECONDS_FRESH = 4.0
QUERY = ("nvidia-smi", "--query-gpu=name,utilization.gpu,memory.used,memory.total,temperature.gpu", "--format=csv,noheader,nounits")
MIB = 2**20


@dataclass(frozen=True)
class Gpu:
    """`load` in percent, memory in bytes, `celsius`; None where the driver does not say."""

    name: str
    load: int | None
    used: int | None
    total: int | None
    celsius: int | None


@dataclass(frozen=True)
class Reading:
    """Bytes and percent of the whole machine, or of the container's limits where psutil sees them; `disk` is where the output lies."""

    gpus: tuple[Gpu, ...]
    cpu: float
    ram_used: int
    ram_total: int
    disk_free: int
    disk_total: int


class Gauges:
    """`latest` answers at once with what is known, and has a thread look anew when that is old: nobody waits for a slow driver."""

    def __init__(self, output: Path, read: Callable[[Path], Reading] | None = None) -> None:
        self._output = output
        self._read = read or read_machine
        self._looking = threading.Lock()
        self._read_at = 0.0
        self._reading: Reading | None = None

    def latest(self) -> Reading | None:
        """None before the first look has come back."""
        if time.monotonic() - self._read_at > SECONDS_FRESH and self._looking.acquire(blocking=False):
            threading.Thread(target=self._look, name="gauges", daemon=True).start()
        return self._reading

    def _look(self) -> None:
        try:
            self._reading = self._read(self._output)
        finally:
            self._read_at = time.monotonic()
            self._looking.release()


def read_machine(output: Path) -> Reading:
    memory = psutil.virtual_memory()
    place = next(folder for folder in (output.absolute(), *output.absolute().parents) if folder.exists())
    disk = shutil.disk_usage(place)
    return Reading(read_gpus(), psutil.cpu_percent(), memory.total - memory.available, memory.total, disk.free, disk.total)


def read_gpus() -> tuple[Gpu, ...]:
    """None at all without NVIDIA's tool, or when it does not answer in time."""
    tool = shutil.which(QUERY[0])
    if tool is None:
        return ()
    try:
        answer = subprocess.run([tool, *QUERY[1:]], capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_gpus(answer)


def parse_gpus(answer: str) -> tuple[Gpu, ...]:
    """One a line; '[N/A]' and the like are values that are not known. A name may hold commas."""
    found = []
    for line in answer.strip().splitlines():
        name, *figures = line.rsplit(",", 4)
        if len(figures) == 4:
            load, used, total, celsius = map(_number, figures)
            found.append(Gpu(name.strip(), load, used and used * MIB, total and total * MIB, celsius))
    return tuple(found)


def _number(text: str) -> int | None:
    try:
        return round(float(text))
    except ValueError:
        return None
