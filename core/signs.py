"""What a run's own measurements say while it trains: how alike, still growing, memorising, copying. Pure functions over its events."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.events import FixedNoiseLoss, LikenessMeasured, RunEvent, RunStarted, StepDone

# Calibrated likeness and its words (docs/EVAL_PROTOCOL.md): heuristic, tuned on photographs and drawings, not on FLUX.1-dev's pictures.
EXCELLENT, GOOD, WEAK = 0.85, 0.70, 0.50
# A gain up to this is noise: twice the deviation of a round's mean from round to round where likeness has levelled (docs/experiments.md, likeness while training).
# The spread between the pictures of a round is no measure of it: the same prompts and seeds are drawn each time.
NOISE = 0.02
# Rounds of samples without a gain before it is called an end of growth.
PATIENCE = 2
# Share by which the loss on held-out photos must rise to count; it is drawn on the same noise each time.
LEAST_RISE = 0.01
# Growth is judged at the end: in the last tenth of the steps.
END = 0.9

Level = Literal["not the person", "weak", "good", "excellent"]


@dataclass(frozen=True)
class Sign:
    """One sentence with its number, and what that was held against."""

    name: Literal["undertrained", "overtrained", "copying"]
    sentence: str
    value: float
    threshold: float


@dataclass(frozen=True)
class EarlyStop:
    """Nothing was gained since `best_step`, and generality was lost."""

    best_step: int
    reason: str


def level_of(likeness: float) -> Level:
    if likeness >= EXCELLENT:
        return "excellent"
    if likeness >= GOOD:
        return "good"
    return "weak" if likeness >= WEAK else "not the person"


def rounds_of(events: Sequence[RunEvent]) -> list[LikenessMeasured]:
    """Rounds of samples in which a face was found, without that of the base model."""
    return [event for event in events if isinstance(event, LikenessMeasured) and event.step and event.mean is not None]


def best_round(events: Sequence[RunEvent]) -> LikenessMeasured | None:
    """The first round that no later one surpasses by more than the noise: of equals the one with fewer steps is the more flexible.

    A fold that only moves forward, so that the checkpoint of its step is never given up too soon.
    """
    best = None
    for measured in rounds_of(events):
        if best is None or measured.mean > best.mean + NOISE:
            best = measured
    return best


def signs_of(events: Sequence[RunEvent], steps: int) -> list[Sign]:
    return [sign for sign in (undertrained(events, steps), overtrained(events), copying(events)) if sign]


def undertrained(events: Sequence[RunEvent], steps: int) -> Sign | None:
    """Likeness is still climbing when the steps end, and is not excellent yet."""
    rounds, best = rounds_of(events), best_round(events)
    if best is None or len(rounds) < 2 or best is not rounds[-1] or best.step < END * steps or best.mean >= EXCELLENT:
        return None
    before = rounds[-2]
    gain = best.mean - before.mean
    if gain <= NOISE:
        return None
    sentence = f"Likeness is still climbing at the end: {before.mean:.2f} at step {before.step}, {best.mean:.2f} at step {best.step}. More steps would bring more."
    return Sign("undertrained", sentence, gain, NOISE)


def overtrained(events: Sequence[RunEvent]) -> Sign | None:
    """Likeness no longer grows while the loss on held-out photos rises."""
    rounds, best = rounds_of(events), best_round(events)
    if best is None or len(rounds) - rounds.index(best) - 1 < PATIENCE:
        return None
    then, now = held_out_at(events, best.step), held_out_at(events, rounds[-1].step)
    if then is None or now is None or now <= then * (1 + LEAST_RISE):
        return None
    sentence = f"Since step {best.step} likeness has not grown ({best.mean:.2f} then, {rounds[-1].mean:.2f} now), while the loss on held-out photos rose from {then:.3f} to {now:.3f}: the photos are learned by heart."
    return Sign("overtrained", sentence, now / then - 1, LEAST_RISE)


def copying(events: Sequence[RunEvent]) -> Sign | None:
    """A sample of the last round is nearer to one photo than photos of one person are to each other."""
    last = next(iter(rounds_of(events)[::-1]), None)
    if last is None or last.nearest is None or last.copy_line is None or last.nearest <= last.copy_line:
        return None
    sentence = f"A sample of step {last.step} is as good as the photo {last.nearest_photo}: similarity {last.nearest:.3f}, a copy's is above {last.copy_line:.3f}."
    return Sign("copying", sentence, last.nearest, last.copy_line)


def early_stop(events: Sequence[RunEvent]) -> EarlyStop | None:
    """The decision, from the log alone: stop where `overtrained` speaks, take the best round's step."""
    sign, best = overtrained(events), best_round(events)
    return EarlyStop(best.step, sign.sentence) if sign and best else None


def held_out_at(events: Sequence[RunEvent], step: int) -> float | None:
    """The last loss on held-out photos up to a step; None where none are held out."""
    losses = [event.held_out for event in events if isinstance(event, FixedNoiseLoss) and event.step <= step]
    return losses[-1] if losses else None


def seconds_for(steps: int, events: Sequence[RunEvent]) -> float:
    """What so many more steps would take with their samples and checkpoints, by the clock of the steps since the last start."""
    this_session = list(itertools.takewhile(lambda event: not isinstance(event, RunStarted), reversed(events)))
    done = [event for event in reversed(this_session) if isinstance(event, StepDone)]
    if len(done) < 2:
        return 0.0
    return steps * (done[-1].time - done[0].time) / (len(done) - 1)
