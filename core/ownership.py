"""Claim: one studio per output folder, also when two pods mount the same network volume; the second one is told who holds it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from core.durable import read_json, write_json
from core.errors import UserError

SECONDS_BETWEEN_BEATS = 10.0
# Silent for so long by our own clock: gone. Six beats, because a network volume can hang for some.
SECONDS_OF_SILENCE = 60.0
# Clocks of two machines differ by seconds, not by this.
SECONDS_SURELY_OLD = 900.0


@dataclass(frozen=True)
class Holder:
    """Who holds the folder: machine (a pod's id or a host's name) and process."""

    machine: str
    process: int

    @property
    def words(self) -> str:
        return f"process {self.process} on {self.machine}"


class Claim:
    """Held by a file lock, which another process of this machine respects, and by a heartbeat, which another machine sees."""

    def __init__(self, folder: Path, machine: str, now: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.file = folder / ".studio-owner.json"
        self._lock = FileLock(folder / ".studio-owner.lock", thread_local=False)
        self._me = Holder(machine, os.getpid())
        self._now = now
        self._monotonic = monotonic
        self._seen: tuple[Holder, float] | None = None
        self._seen_at = 0.0

    def take(self) -> str | None:
        """None: the folder is ours from now on; else who holds it. Ask again now and then. Raises OSError when the folder cannot be written."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            other = self._holder()
            return other.words if other else "another process"
        other = self._holder()
        if other and other.machine != self._me.machine and not self._is_gone(other):
            self._lock.release()
            return other.words
        write_json(self.file, asdict(self._me))
        self.beat()
        return None

    def beat(self) -> str | None:
        """Say that we live, by the record's time: that works on a full disk too. None while the folder is ours; else who took it over in our silence."""
        other = self._holder()
        if other == self._me:
            os.utime(self.file, (self._now(), self._now()))
            return None
        return other.words if other else None

    def release(self) -> None:
        """At once free for the next one."""
        if self._holder() == self._me:
            self.file.unlink(missing_ok=True)
        self._lock.release()

    def _is_gone(self, other: Holder) -> bool:
        """Its clock is not trusted: what counts is whether it beats while we look."""
        beat = self.file.stat().st_mtime
        if abs(self._now() - beat) > SECONDS_SURELY_OLD:
            return True
        if self._seen != (other, beat):
            self._seen, self._seen_at = (other, beat), self._monotonic()
        return self._monotonic() - self._seen_at > SECONDS_OF_SILENCE

    def _holder(self) -> Holder | None:
        """None when nobody signed, or when the record is damaged: it is written by one rename, so nobody is behind a damaged one."""
        try:
            return Holder(**read_json(self.file))
        except (FileNotFoundError, ValueError, TypeError):
            return None


class Heartbeat:
    """Beats on a thread of its own, because a network volume can hang; `lost` says who took the folder over, if somebody did."""

    def __init__(self, claim: Claim, seconds: float = SECONDS_BETWEEN_BEATS) -> None:
        self.lost: str | None = None
        self._claim = claim
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()

    def _beat(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                self.lost = self._claim.beat()
            except OSError as error:  # the next beat may go through; six that do not are what the others call silence
                print(f"The heartbeat could not be written: {error}", flush=True)


def waiting_words(folder: Path, holder: str) -> str:
    """For the page and the log of a studio that has to wait."""
    return str(UserError(f"Another studio is at work in this folder: {holder}.", str(folder), "Use that one, or end it; this one opens by itself as soon as it is gone."))
