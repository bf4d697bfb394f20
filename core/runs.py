"""Runs on disk: output/<run>/ with its settings, its append-only log, checkpoints and stop request; one lock for all jobs."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import ValidationError

from core.durable import append_line, damage_of, read_json, read_lines, rewrite_lines, storage_error, write_atomic, write_json
from core.errors import Refused, UserError
from core.events import HELD_OUT_PHASE, TERMINAL, RunEvent, parse_event
from core.settings import RUN_NAME_PATTERN, Settings

# Of a name: the grid its model card shows.
CARD_GRID_SUFFIX = "-grid.png"
CHECKPOINT_PATTERN = re.compile(r"^step-(\d{6,})$")
StoppedBy = Literal["person", "shutdown"]
RESERVED_NAMES = frozenset({"samples", "analysis"})
# Windows takes these for devices, whatever their suffix, and drops a dot at the end.
NO_FILE_NAME = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?|.*\.", re.IGNORECASE)


class EventLog:
    """events.jsonl of one job. One writer; readers may come and go."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def append(self, event: RunEvent) -> None:
        append_line(self.file, event.model_dump(mode="json"))

    def read(self, offset: int = 0) -> tuple[list[RunEvent], int]:
        """Events from byte `offset` on, and the offset to go on from. Raises UserError for a damaged log."""
        records, end = read_lines(self.file, offset)
        try:
            return [parse_event(record) for record in records], end
        except ValidationError as error:
            raise UserError(f"The log has a record that cannot be understood: {error.errors()[0]['msg']}.", str(self.file), "It may come from another version; delete that line, or start a new run.") from None

    def cut_after(self, step: int) -> None:
        """Before a resume: drop a torn tail, and every record of a step that will be done again."""
        records, _ = read_lines(self.file)
        rewrite_lines(self.file, [record for record in records if record.get("step", 0) <= step])

    def ended(self) -> RunEvent | None:
        """The last event when it is a terminal one."""
        events, _ = self.read()
        return events[-1] if events and isinstance(events[-1], TERMINAL) else None


@dataclass(frozen=True)
class Run:
    """One training run; `folder` is output/<name>, `preset` what its settings were made from ("" where that was not written down)."""

    name: str
    folder: Path
    settings: Settings
    preset: str = ""

    @property
    def log(self) -> EventLog:
        return EventLog(self.folder / "events.jsonl")

    @property
    def output(self) -> Path:
        return self.folder.parent

    @property
    def lora_file(self) -> Path:
        return self.output / f"{self.name}.safetensors"

    @property
    def transformer_only_file(self) -> Path:
        """Beside a LoRA with a trained text encoder: the same LoRA without it, to compare with."""
        return self.output / f"{self.name}.transformer-only.safetensors"

    def published_files(self) -> list[Path]:
        """Every LoRA file made from this run, with its model card: the last step, its twin, and checkpoints that were recommended."""
        loras = [self.lora_file, self.transformer_only_file, *sorted(self.output.glob(f"{self.name}-step-*.safetensors"))]
        return [file for lora in loras for file in (lora, lora.with_suffix(".md")) if file.exists()]

    def card_grids(self) -> list[Path]:
        """Pictures of the person beside its model cards, where they were asked for."""
        return sorted({*self.output.glob(f"{self.name}{CARD_GRID_SUFFIX}"), *self.output.glob(f"{self.name}-step-*{CARD_GRID_SUFFIX}")})

    @property
    def samples_folder(self) -> Path:
        return self.output / "samples" / self.name

    @property
    def checkpoints_folder(self) -> Path:
        return self.folder / "checkpoints"

    def held_out(self) -> frozenset[str]:
        """Names of the photos that were kept out of the training, as its log says."""
        phases = [event.what for event in self.log.read()[0] if event.kind == "phase" and event.what.startswith(HELD_OUT_PHASE)]
        return frozenset(phases[-1].removeprefix(HELD_OUT_PHASE).split(", ")) if phases else frozenset()

    def checkpoints(self) -> list[tuple[int, Path]]:
        """(step, folder) of every published checkpoint, newest first, whether damaged or not."""
        if not self.checkpoints_folder.is_dir():
            return []
        found = [(int(match.group(1)), folder) for folder in self.checkpoints_folder.iterdir() if (match := CHECKPOINT_PATTERN.match(folder.name))]
        return sorted(found, reverse=True)

    def newest_whole_checkpoint(self) -> tuple[tuple[int, Path] | None, list[str]]:
        """The newest checkpoint whose every byte is right, and a sentence for each damaged one passed over."""
        passed_over = []
        for step, folder in self.checkpoints():
            damage = damage_of(folder)
            if damage is None:
                return (step, folder), passed_over
            passed_over.append(f"Checkpoint {folder.name} is damaged ({damage}) and was passed over.")
        return None, passed_over


class Request:
    """A wish to the running job, as a file, so that the page can ask a command and a command the page."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def make(self, by: StoppedBy = "person") -> None:
        write_atomic(self.file, by.encode())

    def made_by(self) -> StoppedBy:
        try:
            return "shutdown" if self.file.read_text(encoding="utf-8") == "shutdown" else "person"
        except OSError:
            return "person"

    def withdraw(self) -> None:
        self.file.unlink(missing_ok=True)

    def is_made(self) -> bool:
        return self.file.exists()

    def take(self) -> bool:
        """Whether it was made; it is withdrawn with that, so that it is granted once."""
        made = self.is_made()
        self.withdraw()
        return made


def never() -> bool:
    return False


@dataclass(frozen=True)
class Wishes:
    """What a person may ask of a training between two steps; each is granted once. `save`: a checkpoint and the LoRA file, `sample`: the pictures."""

    save: Callable[[], bool] = never
    sample: Callable[[], bool] = never


class RunStore:
    """All runs of one output folder, and the lock that lets one job at a time use the device."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, settings: Settings, preset: str = "") -> Run:
        """Write a new run under its final name. Raises Refused when the name is taken, UserError when the disk refuses."""
        name = settings.run.name
        if not re.match(RUN_NAME_PATTERN, name) or name in RESERVED_NAMES or NO_FILE_NAME.fullmatch(name):
            raise Refused(f"'{name}' cannot be the name of a run.", "run.name", "Use letters, digits, dot, dash and underscore.")
        run = Run(name, self.root / name, settings, preset)
        try:
            run.folder.mkdir(parents=True)
            write_json(run.folder / "run.json", {"name": name, "created": time.time(), "preset": preset, "settings": settings.model_dump(mode="json")})
        except FileExistsError:
            raise Refused(f"There is a run called '{name}' already.", str(run.folder), "Choose another name, or resume that run.") from None
        except OSError as error:
            raise storage_error(error, self.root) from None
        return run

    def free_name(self, wish: str) -> str:
        """`wish`, or wish-2, wish-3 ... when it is taken."""
        name, number = wish, 1
        while (self.root / name).exists() or (self.root / f"{name}.safetensors").exists():
            number += 1
            name = f"{wish}-{number}"
        return name

    def load(self, name: str) -> Run:
        """Raises UserError for a name that is no run here; the name never becomes a path before it was found in the listing."""
        if name not in self.names():
            raise UserError(f"There is no run called '{name}'.", str(self.root), f"Runs here: {', '.join(self.names()) or 'none yet'}.")
        try:
            record = read_json(self.root / name / "run.json")
            return Run(name, self.root / name, Settings.model_validate(record["settings"]), str(record.get("preset", "")))
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"The record of run '{name}' cannot be read: {error}", str(self.root / name / "run.json"), "Restore the file, or start a new run.") from None

    def names(self) -> list[str]:
        """Names of all runs, newest first."""
        if not self.root.is_dir():
            return []
        found = [folder for folder in self.root.iterdir() if re.match(RUN_NAME_PATTERN, folder.name) and (folder / "run.json").is_file()]
        return [folder.name for folder in sorted(found, key=lambda folder: (folder / "run.json").stat().st_mtime, reverse=True)]

    def stop_request(self) -> Request:
        return Request(self.root / ".stop")

    def save_request(self) -> Request:
        return Request(self.root / ".save-now")

    def sample_request(self) -> Request:
        return Request(self.root / ".sample-now")

    def wishes(self) -> Wishes:
        """What the files in the output folder ask of the training that runs."""
        return Wishes(self.save_request().take, self.sample_request().take)

    def holder(self) -> str | None:
        """What holds the lock now in words, or None when nothing runs."""
        lock = FileLock(self.root / ".job.lock", thread_local=False)
        try:
            with lock.acquire(timeout=0):
                return None
        except Timeout:
            return self._holder_words()
        except OSError:
            return None

    def is_training(self, run: Run) -> bool:
        """Whether somebody, here or in another process, is working on this run now."""
        return self.training_now() == run.name

    def training_now(self) -> str | None:
        """The name of the run that somebody, here or in another process, is training."""
        found = re.match(r"training '([^']+)' \(", self.holder() or "")
        return found[1] if found else None

    def _holder_words(self) -> str:
        try:
            return (self.root / ".job.holder").read_text(encoding="utf-8").strip() or "another job"
        except OSError:
            return "another job"

    @contextlib.contextmanager
    def exclusive(self, job: str) -> Iterator[None]:
        """Hold the device lock for `job` (such as 'training anna'). Raises Refused naming the holder when it is taken."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.root / ".job.lock", thread_local=False)
            lock.acquire(timeout=0.5)  # outlasts a reader that only looks whether the lock is free
        except Timeout:
            raise Refused(f"Something is running already: {self._holder_words()}.", str(self.root), "Wait until it has ended, or stop it.") from None
        except OSError as error:
            raise storage_error(error, self.root) from None
        try:
            write_atomic(self.root / ".job.holder", f"{job} (process {os.getpid()})\n".encode())
            for request in (self.stop_request(), self.save_request(), self.sample_request()):
                request.withdraw()
            yield
        finally:
            lock.release()


def training_words(name: str) -> str:
    """What the holder of the lock is said to be doing."""
    return f"training '{name}'"
