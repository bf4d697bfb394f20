"""Worker: one thread drains one job's events into its log; an exception becomes the job's last event."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

from core.durable import storage_error
from core.errors import Refused, UserError
from core.events import TERMINAL, RunEvent, RunFailed
from core.loading import JOB_THREAD
from core.machine import Machine
from core.masking import Mask
from core.runs import EventLog

Job = Callable[[], Iterator[RunEvent]]
T = TypeVar("T")
DESKTOP = Machine()
KNOWN_FORMS = Mask()


def drain(job: Job, log: EventLog, listen: Callable[[RunEvent], None] = lambda event: None, mask: Mask = KNOWN_FORMS) -> RunEvent:
    """Run a job to its end, append every event without secrets, and return the last one, which is always a terminal one."""
    last: RunEvent | None = None
    try:
        for event in job():
            log.append(without_secrets(event, mask))
            listen(event)
            last = event
    except Exception as error:  # broad, here and in attempt only: whatever happened must reach the log
        last = without_secrets(failure_of(error), mask)
        log.append(last)
        listen(last)
    if not isinstance(last, TERMINAL):
        raise RuntimeError(f"the job ended with {last!r}, which is no end")
    return last


def attempt(call: Callable[[], T]) -> T | RunFailed:
    """What the call returns, or in words what went wrong: for work whose end somebody waits for, and that has no log."""
    try:
        return call()
    except Exception as error:  # nobody else would hear of it
        return without_secrets(failure_of(error), KNOWN_FORMS)


def without_secrets(event: RunEvent, mask: Mask) -> RunEvent:
    hidden = {name: masked for name, text in event if isinstance(text, str) and (masked := mask(text)) != text}
    return event.model_copy(update=hidden) if hidden else event


def failure_of(error: Exception) -> RunFailed:
    """The sentence a person needs, and the traceback for a report."""
    detail = "".join(traceback.format_exception(error))
    if isinstance(error, OSError) and error.errno is not None:
        error = storage_error(error, error.filename or "output")
    if isinstance(error, UserError):
        return RunFailed(what=error.what, where=error.where, fix=error.fix, detail=detail)
    if type(error).__name__ == "OutOfMemoryError":
        return RunFailed(what="The device ran out of memory.", where="training", fix="Set BATCH_SIZE=1, then RESOLUTION=512, and keep gradient checkpointing on. Then resume.", detail=detail)
    return RunFailed(what=f"{type(error).__name__}: {error}", where="an unexpected fault", fix="Resume from the last checkpoint. If it happens again, report the traceback in the run's log.", detail=detail)


class Worker:
    """Runs one job at a time on its own thread, inside the locks it is given. `machine` is what it runs on, `mask` keeps secrets out of the logs."""

    def __init__(self, machine: Machine = DESKTOP, mask: Mask = KNOWN_FORMS) -> None:
        self.machine = machine
        self._mask = mask
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def is_busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self, lock: AbstractContextManager[None], prepare: Callable[[], tuple[Job, EventLog]]) -> None:
        """Take the lock, prepare the job, and return while it runs.

        Raises Refused when something runs, and whatever `prepare` raises; then nothing was started.
        """
        if not self._starting.acquire(blocking=False):
            raise Refused("A start is under way already.", "", "Wait a moment.")
        try:
            if self.is_busy():
                raise Refused("Something is running already.", "", "Wait until it has ended, or stop it.")
            with ExitStack() as stack:
                stack.enter_context(lock)
                job, log = prepare()
                held = stack.pop_all()
            self._thread = threading.Thread(target=self._run, args=(held, job, log), name=JOB_THREAD, daemon=False)
            self._thread.start()
        finally:
            self._starting.release()

    def _run(self, held: ExitStack, job: Job, log: EventLog) -> None:
        with held:
            drain(job, log, mask=self._mask)

    def wait(self, seconds: float) -> bool:
        """Wait for the job to end, at most that long; True when nothing runs any more."""
        deadline = time.monotonic() + seconds
        thread = self._thread
        if thread is not None:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not self.is_busy()
