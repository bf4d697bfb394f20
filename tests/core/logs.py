"""Logs of runs as they would have gone: rounds of likeness, losses on held-out photos, steps, an end."""

from core.events import FixedNoiseLoss, LikenessMeasured, RunFinished, RunStarted, StepDone

COPY_LINE = 0.92


def step(number, seconds=1.0):
    return StepDone(step=number, loss=0.2, learning_rate=1e-4, grad_norm=0.5, seconds=seconds, memory_gib=1.0, time=1000.0 + seconds * number)


def likeness(number, mean, spread=0.02, faces=2, pictures=2, nearest=0.8, copy_line=COPY_LINE):
    return LikenessMeasured(step=number, pictures=pictures, faces=faces, mean=mean, spread=spread, nearest=nearest, nearest_photo="photo-07", copy_line=copy_line, network="judge", seconds=0.1)


def log_of(means, held_out=(), every=100, steps=None, ended=True, **more):
    """A round every so many steps with these likenesses, and the loss on held-out photos beside it."""
    steps = steps or every * len(means)
    events = [RunStarted(job="train", name="anna", steps=steps, time=1000.0), likeness(0, 0.05)]
    for number, mean in enumerate(means, 1):
        events += [step(every * number - 1), step(every * number)]
        if number <= len(held_out):
            events.append(FixedNoiseLoss(step=every * number, loss=0.2, held_out=held_out[number - 1]))
        events.append(likeness(every * number, mean, **more))
    return [*events, RunFinished(seconds=60.0)] if ended else events
