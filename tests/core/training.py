"""What the tests of the trainer share: run a training into its log, pick events, read weights."""

from pathlib import Path

from core.events import StepDone
from core.flux.lora_file import load_encoder_weights, load_lora_weights, read_lora_header
from core.runs import RunStore
from core.training.train import train


def never():
    return False


def run_of(settings):
    store = RunStore(Path(settings.run.output))
    store.root.mkdir(exist_ok=True)
    return store.create(settings)


def go(run, should_stop=never, resume=False):
    """Drain a training into its log, as the worker does, and return its events."""
    events = []
    for event in train(run, should_stop, resume):
        run.log.append(event)
        events.append(event)
    return events


def of_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]


def losses_of(run):
    return [event.loss for event in run.log.read()[0] if isinstance(event, StepDone)]


def weights_of(run):
    return load_lora_weights(read_lora_header(run.lora_file))


def encoder_weights_of(run):
    return load_encoder_weights(read_lora_header(run.lora_file))


def after_steps(count, run):
    return lambda: sum(1 for event in run.log.read()[0] if isinstance(event, StepDone)) >= count


def same(one, other):
    """Bit for bit."""
    return one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)
