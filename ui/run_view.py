"""What a page shows of a job: a pure fold over its events."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.events import CheckpointSaved, FixedNoiseLoss, ImageSaved, LikenessMeasured, Phase, ReportSaved, RunEvent, RunFailed, RunFinished, RunStarted, RunStopped, StepDone, StoppedEarly, Warned
from core.pace import silence
from core.signs import level_of
from ui.curve import Curve
from ui.texts import training as texts

SPEED_WINDOW = 20
SMOOTHING = 0.9
MOST_LINES = 400


@dataclass
class RunView:
    """`state` is new, running, finished, stopped, interrupted or failed, as far as the log tells; who asks knows whether anybody still writes it.
    `warning` is the newest since a checkpoint was saved: that there is no room for one must not stand in the log alone.
    Points are (step, loss, smoothed loss) in `losses`, (step, loss) in the two measured ones and (step, rate) in `learning_rates`. `log` holds the last MOST_LINES."""

    state: str = "new"
    phase: str = ""
    phase_done: int = 0
    phase_total: int = 0
    step: int = 0
    steps: int = 0
    losses: Curve = field(default_factory=Curve)
    fixed_losses: Curve = field(default_factory=Curve)
    held_out_losses: Curve = field(default_factory=Curve)
    likenesses: list[LikenessMeasured] = field(default_factory=list)
    recent_seconds: list[float] = field(default_factory=list)
    learning_rate: float = 0.0
    learning_rates: Curve = field(default_factory=Curve)
    memory_gib: float = 0.0
    images: list[ImageSaved] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    checkpoint: int = 0
    warning: str = ""
    early: StoppedEarly | None = None
    failure: RunFailed | None = None
    last_sign: float = 0.0

    @property
    def seconds_per_step(self) -> float:
        return statistics.median(self.recent_seconds) if self.recent_seconds else 0.0

    def silent_for(self, now: float) -> float | None:
        """Seconds since the last step when that is far longer than a step takes; None outside training."""
        return silence(self.last_sign, self.seconds_per_step, now) if self.phase == "Training" else None

    @property
    def seconds_left(self) -> float | None:
        """By the median of recent steps; None before the first one."""
        return (self.steps - self.step) * self.seconds_per_step if self.recent_seconds else None


def fold(events: Sequence[RunEvent]) -> RunView:
    view = RunView()
    extend(view, events)
    return view


def extend(view: RunView, events: Sequence[RunEvent]) -> None:
    """Fold what came after into a view."""
    for event in events:
        _apply(view, event)


def frozen(view: RunView) -> RunView:
    """As it is now: it stays so when the view is extended."""
    return RunView(**{name: value.copy() if isinstance(value, (list, Curve)) else value for name, value in vars(view).items()})


def _apply(view: RunView, event: RunEvent) -> None:
    view.last_sign = event.time
    match event:
        case RunStarted():
            view.state, view.step, view.steps, view.failure = "running", event.first_step, event.steps, None
            view.recent_seconds = []
            _say(view, event, texts.LOG_RESUMED.format(step=event.first_step) if event.first_step else texts.LOG_STARTED.format(job=event.job))
        case Phase():
            view.state = "running"
            if event.what != view.phase:
                _say(view, event, event.what)
            view.phase, view.phase_done, view.phase_total = event.what, event.done, event.total
        case StepDone():
            view.phase, view.step = "Training", event.step
            view.losses.add(event.step, event.loss, _smoothed(view, event.loss))
            view.recent_seconds = [*view.recent_seconds[1 - SPEED_WINDOW :], event.seconds]
            view.learning_rate, view.memory_gib = event.learning_rate, event.memory_gib
            view.learning_rates.add(event.step, event.learning_rate)
            if event.step % 10 == 0 or event.step == 1:
                _say(view, event, texts.LOG_STEP.format(step=event.step, loss=event.loss, rate=event.learning_rate, norm=event.grad_norm, seconds=event.seconds))
        case FixedNoiseLoss():
            view.fixed_losses.add(event.step, event.loss)
            if event.held_out is not None:
                view.held_out_losses.add(event.step, event.held_out)
            _say(view, event, texts.LOG_FIXED.format(step=event.step, loss=event.loss) + (texts.LOG_HELD_OUT.format(loss=event.held_out) if event.held_out is not None else ""))
        case LikenessMeasured():
            view.likenesses.append(event)
            _say(view, event, texts.LOG_LIKENESS.format(step=event.step, likeness=likeness_words(event)))
        case ImageSaved():
            view.images = [image for image in view.images if image.file != event.file] + [event]
        case StoppedEarly():
            view.early = event
            _say(view, event, texts.LOG_EARLY.format(step=event.step, best=event.best_step))
        case CheckpointSaved():
            view.checkpoint, view.warning = event.step, ""
            _say(view, event, texts.LOG_CHECKPOINT.format(step=event.step))
        case ReportSaved():
            _say(view, event, texts.LOG_WRITTEN.format(file=event.file))
        case Warned():
            view.warning = event.what
            _say(view, event, texts.LOG_NOTE.format(what=event.what))
        case RunFinished():
            view.state, view.seconds = "finished", event.seconds
            _say(view, event, texts.LOG_FINISHED)
        case RunStopped():
            view.state, view.seconds = "interrupted" if event.by == "shutdown" else "stopped", event.seconds
            _say(view, event, texts.LOG_STOPPED.format(step=event.step))
        case RunFailed():
            view.state, view.failure = "failed", event
            _say(view, event, texts.LOG_FAILED.format(what=event.what))


def _say(view: RunView, event: RunEvent, text: str) -> None:
    view.log.append((time.strftime("%H:%M:%S", time.localtime(event.time)), text))
    del view.log[:-MOST_LINES]


def likeness_words(measured: LikenessMeasured) -> str:
    """'likeness 0.82, good', and how many of the pictures show a face where some do not."""
    if measured.mean is None:
        return texts.LIKENESS_UNKNOWN.format(pictures=measured.pictures)
    seen = "" if measured.faces == measured.pictures else texts.LIKENESS_FACES.format(faces=measured.faces, pictures=measured.pictures)
    return texts.LIKENESS_KNOWN.format(mean=measured.mean, level=level_of(measured.mean)) + seen


def _smoothed(view: RunView, loss: float) -> float:
    return SMOOTHING * view.losses.newest[2] + (1 - SMOOTHING) * loss if view.losses.newest else loss


def plot_points(view: RunView) -> list[tuple[int, float, str]]:
    """(step, loss, series) with series raw, smoothed, fixed noise and held out; those of a long run are thinned."""
    each = [(step, value, texts.CURVES[name]) for step, loss, mean in view.losses.points for name, value in (("step", loss), ("smoothed", mean))]
    return each + [(step, loss, texts.CURVES["fixed"]) for step, loss in view.fixed_losses.points] + [(step, loss, texts.CURVES["held_out"]) for step, loss in view.held_out_losses.points]
