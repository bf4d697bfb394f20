"""The runs that wait for the device: output/.queue.json, in an order that people change; it outlives the studio."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, ValidationError

from core.durable import read_json, storage_error, write_json
from core.errors import Refused, UserError
from core.settings import Settings

MOST_WAITING = 50


class Waiting(BaseModel):
    """One run to be started; `identity` names this entry, the run's name stands in its settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    identity: str
    preset: str
    settings: Settings

    @property
    def name(self) -> str:
        return self.settings.run.name


class Queue(BaseModel):
    """`held` says why nothing more is started until a person says so; empty: the next run starts when the device is free. `failed` are runs that could not be started, with the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    waiting: tuple[Waiting, ...] = ()
    held: str = ""
    failed: tuple[str, ...] = ()


class RunQueue:
    """Reads and changes the queue of one output folder; several pages may, one change at a time."""

    def __init__(self, root: Path) -> None:
        self.file = root / ".queue.json"

    def read(self) -> Queue:
        """Raises UserError when the file cannot be understood; it is left as it is."""
        try:
            return Queue.model_validate(read_json(self.file))
        except FileNotFoundError:
            return Queue()
        except (OSError, ValueError, ValidationError) as error:
            what = f"{error.error_count()} values do not fit" if isinstance(error, ValidationError) else str(error)
            raise UserError(f"The queue of runs cannot be read: {what}.", str(self.file), "Delete that file; the runs themselves are not touched by it.") from None

    def add(self, settings: Settings, preset: str) -> Waiting:
        """At the end. Raises Refused when it is full or a run of this name waits already."""
        entry = Waiting(identity=secrets.token_hex(6), preset=preset, settings=settings)

        def append(queue: Queue) -> Queue:
            if len(queue.waiting) >= MOST_WAITING:
                raise Refused(f"{MOST_WAITING} runs are waiting already.", "queue", "Take some out first.")
            if settings.run.name in {waiting.name for waiting in queue.waiting}:
                raise Refused(f"A run called '{settings.run.name}' is waiting already.", "run.name", "Choose another name.")
            return queue.model_copy(update={"waiting": (*queue.waiting, entry)})

        self._change(append)
        return entry

    def move(self, identity: str, places: int) -> None:
        """Up by a negative number of places, down by a positive one; an entry that is gone is left gone."""

        def moved(queue: Queue) -> Queue:
            entries = list(queue.waiting)
            number = next((n for n, waiting in enumerate(entries) if waiting.identity == identity), None)
            if number is not None:
                entries.insert(max(0, number + places), entries.pop(number))
            return queue.model_copy(update={"waiting": tuple(entries)})

        self._change(moved)

    def remove(self, identity: str) -> None:
        self._keep(lambda waiting: waiting.identity != identity)

    def clear(self) -> None:
        self._change(lambda queue: Queue())

    def forget_dataset(self, folder: Path) -> None:
        """Take out every run on these photos."""
        self._keep(lambda waiting: not is_on(waiting, folder))

    def take_next(self) -> Waiting | None:
        """The first entry, which leaves the queue with that; None when nothing waits or the queue is held."""
        taken: list[Waiting] = []

        def take(queue: Queue) -> Queue:
            if queue.held or not queue.waiting:
                return queue
            taken.append(queue.waiting[0])
            return queue.model_copy(update={"waiting": queue.waiting[1:]})

        self._change(take)
        return taken[0] if taken else None

    def put_back(self, waiting: Waiting) -> None:
        """To the front, where it was taken from."""
        self._change(lambda queue: queue.model_copy(update={"waiting": (waiting, *queue.waiting)}))

    def hold(self, why: str) -> None:
        """Until a person says go on; an empty queue has nothing to hold."""
        self._change(lambda queue: queue.model_copy(update={"held": why}) if queue.waiting else queue)

    def go_on(self) -> None:
        self._change(lambda queue: queue.model_copy(update={"held": "", "failed": ()}))

    def note_failure(self, sentence: str) -> None:
        self._change(lambda queue: queue.model_copy(update={"failed": (*queue.failed, sentence)[-MOST_WAITING:]}))

    def _keep(self, is_wanted: Callable[[Waiting], bool]) -> None:
        self._change(lambda queue: queue.model_copy(update={"waiting": tuple(filter(is_wanted, queue.waiting))}))

    def _change(self, change: Callable[[Queue], Queue]) -> None:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.file}.lock", timeout=10):
                before = self.read()
                after = change(before)
                if after != before:
                    write_json(self.file, after.model_dump(mode="json"))
        except OSError as error:
            raise storage_error(error, self.file) from None


def is_on(waiting: Waiting, folder: Path) -> bool:
    return Path(waiting.settings.dataset.folder).resolve() == folder.resolve()
