"""Starts the runs that wait, one after the other, whenever the device is free; a failed run does not stop the next, a person's stop does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from core.errors import UserError
from core.jobs import Worker
from core.run_queue import RunQueue, Waiting
from core.runs import RunStore
from core.tasks import start_training

SECONDS_BETWEEN_LOOKS = 1.0
STOPPED = "You stopped what was running."
RESTARTED = "The studio was started anew."

Start = Callable[[Worker, Waiting, RunStore], None]


def start_waiting(worker: Worker, waiting: Waiting, store: RunStore) -> None:
    start_training(worker, waiting.settings, store, waiting.preset)


class QueueRunner:
    """Looks once a second, on a thread of its own that ends with the process."""

    def __init__(self, worker: Worker, store: RunStore, start: Start = start_waiting) -> None:
        self.worker = worker
        self.store = store
        self.queue = RunQueue(store.root)
        self._start = start
        self._ended = threading.Event()

    def begin(self, goes_on: bool) -> None:
        """At the start of the studio. Runs that waited through a restart begin by themselves only when `goes_on`; else the page asks."""
        try:
            if not goes_on:
                self.queue.hold(RESTARTED)
            if self.store.holder() is None:
                self.store.stop_request().withdraw()
        except UserError as error:
            logging.getLogger(__name__).warning("%s", error)
        threading.Thread(target=self._watch, name="queue", daemon=True).start()

    def end(self) -> None:
        """Nothing is started any more; call before the process goes down."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_LOOKS):
            try:
                self.look()
            except UserError as error:  # a damaged queue or a full disk; the page shows the queue's own
                logging.getLogger(__name__).warning("%s", error)
                self._ended.wait(30)

    def look(self) -> None:
        """Start the next run if the device is free and nobody stopped the one before."""
        if self.worker.is_busy() or not self.queue.file.exists() or self.store.holder() is not None:
            return
        stop = self.store.stop_request()
        if stop.is_made():
            if stop.made_by() == "shutdown":
                return
            stop.withdraw()
            self.queue.hold(STOPPED)
        waiting = self.queue.take_next()
        if waiting is None:
            return
        try:
            self._start(self.worker, waiting, self.store)
        except UserError as error:
            if self.store.holder() is not None:  # somebody else was quicker
                self.queue.put_back(waiting)
            else:
                self.queue.note_failure(f"{waiting.name}: {error.what} {error.fix}")
