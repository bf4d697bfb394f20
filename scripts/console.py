"""What all commands share: the studio's folder, errors on stderr, a progress line, Ctrl+C that saves, exit codes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from core.errors import UserError
from core.events import CheckpointSaved, FixedNoiseLoss, LikenessMeasured, Phase, ReportSaved, RunEvent, RunFailed, RunFinished, RunStarted, RunStopped, StepDone, StoppedEarly, Warned
from core.runs import Request
from core.signs import level_of

DONE, FAILED, REFUSED = 0, 1, 2


def enter_studio() -> None:
    """Paths such as presets/ and data/ are relative to the studio's folder, wherever the command was called."""
    os.chdir(Path(__file__).resolve().parent.parent)


def run_command(command: Callable[[], int]) -> int:
    """Call a command; a UserError is shown and becomes exit code 2."""
    enter_studio()
    try:
        return command()
    except UserError as error:
        print(f"Refused: {error}", file=sys.stderr)
        return REFUSED


def stop_on_signals(request: Request, words: str = "Stopping; saving. Ctrl+C again ends at once, back to the last checkpoint.") -> None:
    """The first Ctrl+C or SIGTERM asks for a stop between two forward passes; a second Ctrl+C ends at once."""

    def ask(number: int, _: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print(f"\n{words}", file=sys.stderr)
        request.make("shutdown" if number == signal.SIGTERM else "person")

    signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGTERM, ask)


class ProgressLine:
    """Shows a job's events: a bar for steps, a line for everything else."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None
        self.phase = self.job = ""

    def __call__(self, event: RunEvent) -> None:
        if isinstance(event, RunStarted):
            self.job = event.job
        match event:
            case RunStarted(job="train"):
                self.bar = tqdm(total=event.steps, initial=event.first_step, unit="step", mininterval=0.5, maxinterval=30, dynamic_ncols=True)
            case StepDone() if self.bar is not None:
                self.bar.set_postfix(loss=f"{event.loss:.4f}", lr=f"{event.learning_rate:.1e}", mem=f"{event.memory_gib:.1f}GiB", refresh=False)
                self.bar.update(event.step - self.bar.n)
            case Phase() if event.what != self.phase:
                self.phase = event.what
                self._say(f"{event.what} ..." if event.total == 0 else f"{event.what}: {event.total}")
            case Warned():
                self._say(f"Note: {event.what}")
            case FixedNoiseLoss():
                self._say(f"step {event.step}: fixed-noise loss {event.loss:.4f}")
            case LikenessMeasured() if event.mean is not None:
                self._say(f"step {event.step}: likeness {event.mean:.2f}, {level_of(event.mean)} ({event.faces} of {event.pictures} samples show a face)")
            case StoppedEarly():
                money = f" and {event.money_saved:.2f} of the machine's price" if event.money_saved is not None else ""
                self._say(f"Stopped early at step {event.step}, saving about {event.seconds_saved / 60:.0f} min{money}; the LoRA is that of step {event.best_step}. {event.reason}")
            case CheckpointSaved():
                self._say(f"step {event.step}: checkpoint saved")
            case ReportSaved():
                self._say(f"Written: {event.file}")
            case RunFinished() | RunStopped() | RunFailed():
                self._close(event)

    def _say(self, text: str) -> None:
        tqdm.write(text)

    def _close(self, event: RunFinished | RunStopped | RunFailed) -> None:
        if self.bar is not None:
            self.bar.close()
        if isinstance(event, RunFailed):
            print("\n".join(filter(None, (f"Failed: {event.what}", event.where and f"Where: {event.where}", event.fix and f"Fix: {event.fix}"))), file=sys.stderr)
        elif isinstance(event, RunStopped):
            print(f"Stopped after {'photo' if self.job == 'caption' else 'step'} {event.step}; everything is saved.")
        else:
            print(f"Finished in {event.seconds:.0f} s.")


def exit_code(last: RunEvent) -> int:
    return DONE if isinstance(last, RunFinished) else FAILED
