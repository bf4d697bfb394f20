"""What stands in the logs, for every live view: each is read and folded once, and from then on only what was added."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from core.events import RunEvent, StepDone
from core.runs import EventLog
from ui.run_view import RunView, extend, frozen


@dataclass
class _ReadLog:
    identity: tuple[int, bytes]
    offset: int = 0
    events: list[RunEvent] = field(default_factory=list)
    view: RunView = field(default_factory=RunView)


class LogReader:
    """Reads each log once and from then on only what was added; a rewritten log is read anew. Of the logs asked for, the last few are kept.

    A step takes about 1.3 KiB and a run has thousands: once a step is in the fold only the newest one is kept as an event.
    """

    MOST_LOGS = 8

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: dict[Path, _ReadLog] = {}

    def events(self, log: EventLog) -> list[RunEvent]:
        """All, but of the steps only the newest."""
        with self._lock:
            return self._up_to_date(log).events

    def look(self, log: EventLog) -> tuple[list[RunEvent], RunView]:
        """The same events and the fold of all, which costs what was added: an open tab asks each second, for a run of thousands of steps too."""
        with self._lock:
            known = self._up_to_date(log)
            return known.events, frozen(known.view)

    def _up_to_date(self, log: EventLog) -> _ReadLog:
        """Inside the lock."""
        try:
            identity, size = _identity(log.file)
        except FileNotFoundError:
            return _ReadLog((0, b""))
        known = self._read.pop(log.file, None)
        if known is None or known.identity != identity or size < known.offset:
            known = _ReadLog(identity)
        added, known.offset = log.read(known.offset)
        if added:
            extend(known.view, added)
            known.events = _without_passed_steps(known.events + added)
        self._read[log.file] = known
        if len(self._read) > self.MOST_LOGS:
            del self._read[next(iter(self._read))]
        return known


def _without_passed_steps(events: list[RunEvent]) -> list[RunEvent]:
    newest = next((event for event in reversed(events) if isinstance(event, StepDone)), None)
    return [event for event in events if event is newest or not isinstance(event, StepDone)]


def _identity(file: Path) -> tuple[tuple[int, bytes], int]:
    """What tells one log from the next at the same place, and its bytes: a file system gives a deleted file's number away again at once."""
    with file.open("rb") as stream:
        status = os.fstat(stream.fileno())
        return (status.st_ino, stream.readline()), status.st_size
