"""RunEvent: the closed union of everything that can happen in a job, as it stands in events.jsonl."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Event(BaseModel):
    """`time` is seconds since 1970, for people; durations are measured with a monotonic clock."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    time: float = Field(default_factory=time.time)


class Phase(Event):
    """A long piece of work begins or moves on: `done` of `total` (0: unknown)."""

    kind: Literal["phase"] = "phase"
    what: str
    done: int = 0
    total: int = 0


# A Phase that begins so names the photos that are kept out of the training.
HELD_OUT_PHASE = "Held out: "


class RunStarted(Event):
    """The worker holds the lock and begins at `first_step` (above 0: resumed) of `steps`."""

    kind: Literal["run_started"] = "run_started"
    job: Literal["train", "evaluate", "analyze", "class_photos", "caption", "download"]
    name: str
    first_step: int = 0
    steps: int = 0


class StepDone(Event):
    """One optimizer step: mean loss of its photos, of the class under regularization, gradient norm before clipping, seconds, and memory in GiB."""

    kind: Literal["step"] = "step"
    step: int
    loss: float
    class_loss: float | None = None
    learning_rate: float
    grad_norm: float
    seconds: float
    memory_gib: float


class FixedNoiseLoss(Event):
    """Loss on noise and noise levels that training never draws, comparable between steps: of trained photos and of those held out."""

    kind: Literal["fixed_noise"] = "fixed_noise"
    step: int
    loss: float
    held_out: float | None = None


class LikenessMeasured(Event):
    """How alike the samples of a step are to the person (0: a stranger, 1: as alike as the photos are to each other), over the `faces` that were found in `pictures`.

    `mean` and `spread` (standard deviation between pictures) are None without a face. `nearest` is the largest cosine of a picture to one trained photo, a copy's is above
    `copy_line` (None: the network cannot tell copies of these photos). `network` is what read the faces.
    """

    kind: Literal["likeness"] = "likeness"
    step: int
    pictures: int
    faces: int
    mean: float | None
    spread: float | None
    nearest: float | None
    nearest_photo: str
    copy_line: float | None
    network: str
    seconds: float


class ImageSaved(Event):
    """A picture was drawn; `file` is relative to the output folder."""

    kind: Literal["image"] = "image"
    step: int
    prompt: str
    strength: float
    seed: int
    file: str


class StoppedEarly(Event):
    """The run ends at `step` because nothing was gained since `best_step`, whose LoRA is published; `seconds_saved` is what the other steps would have taken."""

    kind: Literal["stopped_early"] = "stopped_early"
    step: int
    best_step: int
    reason: str
    seconds_saved: float
    money_saved: float | None = None


class CheckpointSaved(Event):
    """A checkpoint a run can be resumed from; `file` is its folder, relative to the run."""

    kind: Literal["checkpoint"] = "checkpoint"
    step: int
    file: str


class ReportSaved(Event):
    """A finished product: LoRA file, analysis report or strength grid; `file` is relative to the output folder."""

    kind: Literal["report"] = "report"
    what: Literal["lora", "analysis", "grid"]
    file: str


class Warned(Event):
    """Something the person should know; the job goes on."""

    kind: Literal["warned"] = "warned"
    what: str


class RunFinished(Event):
    """The job did all it was asked to."""

    kind: Literal["finished"] = "finished"
    seconds: float


class RunStopped(Event):
    """The job was asked to stop, by a person or because the machine goes down, saved, and ended."""

    kind: Literal["stopped"] = "stopped"
    step: int
    seconds: float
    by: Literal["person", "shutdown"] = "person"


class RunFailed(Event):
    """The job could not go on: the sentence for the person; `detail` is the traceback for a report."""

    kind: Literal["failed"] = "failed"
    what: str
    where: str = ""
    fix: str = ""
    detail: str = ""


RunEvent = Phase | RunStarted | StepDone | FixedNoiseLoss | LikenessMeasured | ImageSaved | StoppedEarly | CheckpointSaved | ReportSaved | Warned | RunFinished | RunStopped | RunFailed
TERMINAL = (RunFinished, RunStopped, RunFailed)

_ADAPTER: TypeAdapter[RunEvent] = TypeAdapter(Annotated[RunEvent, Field(discriminator="kind")])


def parse_event(record: dict[str, Any]) -> RunEvent:
    """Raises pydantic.ValidationError for a record of no known kind."""
    return _ADAPTER.validate_python(record)
