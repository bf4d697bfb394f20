"""The likeness of the samples while training, and the run that ends early: measured, said once when it cannot be, decided by the log, resumed alike."""

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.dataset.folder import open_dataset
from core.errors import UserError
from core.events import FixedNoiseLoss, ImageSaved, LikenessMeasured, Phase, RunFinished, StepDone, StoppedEarly, Warned
from core.flux.checkpoint_lora import read_checkpoint_lora
from core.identity.faces import FACE_WEIGHTS, open_face_reader
from core.identity.likeness import likeness_at_angle, read_face, reference_of
from core.pocket.demo import demo_scenes, write_photos
from core.pocket.people import random_identity
from core.presets import resolve
from core.settings import warnings_of
from core.training.train import train
from tests.core.logs import likeness
from tests.core.training import after_steps, go, never, of_kind, run_of, same, weights_of

ONE_PROMPT = "portrait of {trigger} {class}, on a beach"
# By step: grows to step 2 and no more, while the held-out loss rises from there. Two rounds later, at step 4, that is enough.
COURSE = {0: 0.1, 1: 0.5, 2: 0.8, 3: 0.8, 4: 0.79, 5: 0.8, 6: 0.8}
STOP, BEST = 4, 2


@pytest.fixture(scope="module")
def fifteen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fifteen")
    write_photos(folder, random_identity(random.Random(5)), demo_scenes("held out", 15), "ohwx person", 128)
    return folder


@pytest.fixture(scope="module")
def watched(fifteen):
    """Settings of a small run that may end early, with a round of samples at each step."""

    def make(output, name, **more):
        pairs = {
            "run.name": name, "run.output": output, "dataset.folder": fifteen, "dataset.resolution": 64, "dataset.min_bucket_resolution": 64, "train.steps": 6, "train.batch_size": 1, "train.save_every": 100,
            "train.validate_every": 1, "train.stop_early": 1, "optimizer.warmup_steps": 1, "lora.rank": 4, "lora.alpha": 4, "sampling.every": 1, "sampling.prompts": ONE_PROMPT, "sampling.num_inference_steps": 1,
        }  # fmt: skip
        pairs |= {key.replace("__", "."): value for key, value in more.items()}
        return resolve("demo", {}, [f"{key}={value}" for key, value in pairs.items()]).settings

    return make


@pytest.fixture(scope="module")
def course():
    """Likeness and held-out losses as COURSE says; training itself is real."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.training.measure.measure_likeness", lambda step, pictures, material: likeness(step, COURSE[step], faces=1, pictures=1))
        patch.setattr("core.training.train.measure_fixed_noise", lambda state, parts: FixedNoiseLoss(step=state.step, loss=0.2, held_out=0.3 + 0.01 * state.step))
        yield


@pytest.fixture(scope="module")
def ended_early(watched, course, tmp_path_factory):
    """A run nobody interrupted, and its events."""
    run = run_of(watched(tmp_path_factory.mktemp("early") / "output", "unbroken", run__price_per_hour=36))
    return run, go(run)


def halved(weights):
    """As a LoRA file keeps them."""
    return {name: tensor.half().float() for name, tensor in weights.items()}


def test_the_likeness_of_the_samples_is_that_of_their_files_to_the_trained_photos(short_run, photos):
    """By a second route: the pictures and photos are read again from disk."""
    run = run_of(short_run(sampling__every=4, sampling__num_inference_steps=8))
    events = go(run)
    measured = of_kind(events, LikenessMeasured)
    assert [event.kind for event in events if event.kind in ("likeness", "image")] == ["likeness", "image", "image"] * 2  # a round whose pictures are logged is one whose likeness is
    assert [event.step for event in measured] == [0, 4] and measured[0].network.startswith("judge") and measured[0].pictures == measured[0].faces == 2
    reader = open_face_reader(Path(run.settings.model.path), FACE_WEIGHTS, [Image.open(file).convert("RGB") for file in sorted(photos.glob("*.png"))])
    reference = reference_of([read_face(reader, Image.open(sample.image).convert("RGB"), sample.name) for sample in open_dataset(photos).samples], reader.stranger, reader.same_person)
    for event in measured:
        files = [run.output / image.file for image in of_kind(events, ImageSaved) if image.step == event.step]
        again = [likeness_at_angle(reference, read_face(reader, Image.open(file).convert("RGB"), "")) for file in files]
        assert event.mean == pytest.approx(np.mean(again), abs=0.05) and event.spread == pytest.approx(np.std(again), abs=0.05)
        assert event.nearest_photo in {sample.name for sample in open_dataset(photos).samples} and event.nearest <= 1


def test_held_out_photos_are_no_reference(watched, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("core.training.likeness.reference_of", lambda readings, *more: seen.append([reading.name for reading in readings]) or reference_of(readings, *more))
    events = go(run_of(watched(tmp_path / "output", "aside", train__steps=1)))
    aside = next(event.what for event in of_kind(events, Phase) if event.what.startswith("Held out: ")).removeprefix("Held out: ").split(", ")
    assert len(aside) == 2 and seen and all(len(names) == 13 and not set(names) & set(aside) for names in seen)


def test_prompts_without_the_trigger_say_nothing_of_the_person(watched, tmp_path):
    events = go(run_of(watched(tmp_path / "output", "class", train__steps=1, sampling__prompts="portrait of {class}")))
    assert len(of_kind(events, ImageSaved)) == 2 and not of_kind(events, LikenessMeasured)


def test_a_missing_network_costs_the_measure_is_said_once_and_ends_no_run(watched, tmp_path, monkeypatch):
    def refuse(*given):
        raise UserError("A face network is missing.", "", "Restore presets/.")

    monkeypatch.setattr("core.training.readings.open_face_reader", refuse)
    events = go(run_of(watched(tmp_path / "output", "blind", train__steps=2)))
    said = [event.what for event in of_kind(events, Warned) if "likeness" in event.what]
    assert len(said) == 1 and "Restore presets/" in said[0] and len(of_kind(events, ImageSaved)) == 3 and events[-1].kind == "finished"


def test_a_fault_of_one_round_costs_that_round(watched, tmp_path, monkeypatch):
    real, calls = read_face, []

    def broken_once(*given):
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("odd picture")
        return real(*given)

    monkeypatch.setattr("core.training.likeness.read_face", broken_once)
    events = go(run_of(watched(tmp_path / "output", "once", train__steps=2)))
    assert [event.step for event in of_kind(events, LikenessMeasured)] == [1, 2] and sum("odd picture" in event.what for event in of_kind(events, Warned)) == 1


def test_without_the_switch_the_run_goes_to_its_end(watched, course, ended_early, tmp_path):
    """And its checkpoint of the best step is the LoRA the early one published, bit for bit."""
    whole = run_of(watched(tmp_path / "output", "whole", train__stop_early=0, train__save_every=1, train__keep_checkpoints=10))
    events = go(whole)
    assert [event.step for event in of_kind(events, StepDone)] == [1, 2, 3, 4, 5, 6] and not of_kind(events, StoppedEarly)
    early, _ = ended_early
    best, published = read_checkpoint_lora(dict(whole.checkpoints())[BEST]), read_checkpoint_lora(dict(early.checkpoints())[BEST])
    assert same(best, published) and same(weights_of(early), halved(best)) and not same(weights_of(early), weights_of(whole))


def test_a_run_ends_early_keeps_the_best_checkpoint_and_says_what_that_saved(ended_early):
    run, events = ended_early
    stopped = of_kind(events, StoppedEarly)[0]
    assert [event.step for event in of_kind(events, StepDone)][-1] == STOP == stopped.step and stopped.best_step == BEST and isinstance(events[-1], RunFinished)
    assert "0.320 to 0.340" in stopped.reason and stopped.seconds_saved > 0 and stopped.money_saved == pytest.approx(0.01 * stopped.seconds_saved)
    assert [step for step, _ in run.checkpoints()] == [4, 3, 2, 1]  # the two newest, the best, and the one with the lowest held-out loss


def test_a_run_that_was_stopped_and_resumed_ends_early_alike(watched, course, ended_early, tmp_path):
    """Stopped at the step that decides, before its samples are drawn: they are drawn on resuming."""
    broken = run_of(watched(tmp_path / "output", "broken"))
    first = go(broken, after_steps(STOP, broken))
    assert first[-1].kind == "stopped" and max(event.step for event in of_kind(first, LikenessMeasured)) == STOP - 1
    go(broken, resume=True)
    rounds = [[event.step for event in run.log.read()[0] if isinstance(event, LikenessMeasured)] for run in (ended_early[0], broken)]
    assert rounds[0] == rounds[1] == [0, 1, 2, 3, 4]
    assert same(weights_of(ended_early[0]), weights_of(broken)) and of_kind(broken.log.read()[0], StoppedEarly)[-1].best_step == BEST


def test_a_run_killed_after_its_decision_decides_again(watched, course, ended_early, tmp_path):
    """The second time the best checkpoint is damaged: that costs the choice, not the LoRA."""
    run = run_of(watched(tmp_path / "output", "killed"))
    _go_until_decided(run, resume=False)
    assert not run.lora_file.exists()
    events = _go_until_decided(run, resume=True)
    assert not of_kind(events, StepDone) and of_kind(events, StoppedEarly)[0].best_step == BEST
    (dict(run.checkpoints())[BEST] / "lora.safetensors").write_bytes(b"damaged")
    events = go(run, resume=True)
    assert any("cannot be used" in event.what for event in of_kind(events, Warned)) and of_kind(events, StoppedEarly)[0].best_step == STOP and isinstance(events[-1], RunFinished)
    assert same(weights_of(run), halved(read_checkpoint_lora(dict(run.checkpoints())[STOP])))


def _go_until_decided(run, resume):
    """Killed when the decision stands in the log and nothing is published yet."""
    events, generator = [], train(run, never, resume)
    for event in generator:
        run.log.append(event)
        events.append(event)
        if isinstance(event, StoppedEarly):
            break
    generator.close()
    return events


def test_what_an_early_stop_needs_is_said_when_it_is_missing(watched):
    assert any("Stopping early has no effect" in sentence for sentence in warnings_of(watched("output", "a", sampling__every=0)))
    assert any("Stopping early has no effect" in sentence for sentence in warnings_of(watched("output", "a", dataset__hold_out=0)))
    assert not any("Stopping early" in sentence for sentence in warnings_of(watched("output", "a")))
