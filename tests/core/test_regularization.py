"""Regularization: the class is taught to stay what it was, with class photos or with the base model as the teacher."""

from pathlib import Path

import pytest
import torch

import core.training.step as step_module
from core.dataset.captions import class_caption
from core.errors import UserError
from core.evaluation.class_photos import class_photos_folder, draw_class_photos
from core.events import ImageSaved, RunFinished, StepDone, Warned
from core.flux.lora import lora_weights, without_lora
from core.training.state import TrainState
from tests.core.training import go, never, of_kind, run_of, same, weights_of


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("ohwx man, outdoors", "man, outdoors"),
        ("ohwx wearing a blue shirt", "man wearing a blue shirt"),
        ("ohwx, a man standing outdoors", "a man standing outdoors"),
        ("portrait of ohwx man, ohwx smiling", "portrait of man, smiling"),
        ("ohwx", "man"),
        ("a man by the sea", "a man by the sea"),
        ("ohwxy man", "ohwxy man"),
    ],
)
def test_the_class_caption_names_the_class_once_and_never_the_trigger(caption, expected):
    assert class_caption(caption, "ohwx", "man") == expected


def drift_of_the_class(run, monkeypatch):
    """Train, then compare LoRA and base on class captions: mean squared difference of their velocities."""
    states = []
    real = TrainState.weights_to_publish
    monkeypatch.setattr(TrainState, "weights_to_publish", lambda self: (states.append(self), real(self))[1])
    parts = []
    real_step = step_module.train_step
    monkeypatch.setattr("core.training.sturdy_step.train_step", lambda state, given, stop: (parts.append(given), real_step(state, given, stop))[1])
    events = go(run)
    state, part = states[-1], parts[-1]
    state.set_measuring()
    batch = step_module.joined(step_module.photo_batches(10_000, part))
    captions = [class_caption(caption, "ohwx", "woman") for caption in batch.captions]
    embeds = {**part.material.embeds}
    if not set(captions) <= embeds.keys():  # without regularization nobody encoded the class captions
        captions = [part.settings.dataset.class_word] * len(captions)
    pooled = torch.cat([embeds[caption].pooled_prompt_embeds for caption in captions])
    with torch.no_grad():
        ours = step_module.velocity_of(state, part, batch.sample, captions, pooled)
        with without_lora(state.transformer):
            base = step_module.velocity_of(state, part, batch.sample, captions, pooled)
    return (ours - base).pow(2).mean().item(), events


def test_without_class_photos_the_base_model_holds_the_class_in_place(short_run, monkeypatch):
    changes = {"train__steps": 16, "train__batch_size": 3, "lora__rank": 16, "lora__alpha": 16, "train__validate_every": 0, "train__save_every": 100}
    weak, events = drift_of_the_class(run_of(short_run(run__name="weak", regularization__enabled=1, regularization__weight=0.01, **changes)), monkeypatch)
    strong, _ = drift_of_the_class(run_of(short_run(run__name="strong", regularization__enabled=1, regularization__weight=5, **changes)), monkeypatch)
    assert strong < 0.5 * weak
    assert all(event.class_loss is not None for event in of_kind(events, StepDone))


def test_the_class_is_held_at_every_step(short_run):
    events = go(run_of(short_run(regularization__enabled=1)))
    assert [event.class_loss > 0 for event in of_kind(events, StepDone)] == [False, False, True, True]  # the LoRA is still the base: the first learning rate of the warm-up is 0


def test_class_photos_are_trained_beside_the_person(short_run, photos, tmp_path):
    folder = tmp_path / "class"
    folder.mkdir()
    for number, file in enumerate(sorted(photos.glob("*.png"))[:3]):
        (folder / file.name).write_bytes(file.read_bytes())
        (folder / f"{file.stem}.txt").write_text("woman, outdoors" if number else "ohwx woman, outdoors")
    plain, regularized = run_of(short_run(run__name="plain")), run_of(short_run(run__name="regularized", regularization__enabled=1, regularization__folder=folder))
    go(plain)
    events = go(regularized)
    assert not same(weights_of(plain), weights_of(regularized))
    assert [event.class_loss > 0 for event in of_kind(events, StepDone)] == [True, True, True, True]
    assert any("1 class photos have the trigger word" in event.what for event in of_kind(events, Warned))


def test_an_empty_folder_of_class_photos_is_refused(short_run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="class photos cannot be used"):
        go(run_of(short_run(regularization__enabled=1, regularization__folder=tmp_path / "empty")))


def test_class_photos_are_drawn_from_the_captions_without_the_person(short_run, photos, tmp_path):
    folder = tmp_path / "anna"
    folder.mkdir()
    for file in photos.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    settings = short_run(dataset__folder=folder)
    target = class_photos_folder(settings)
    events = list(draw_class_photos(settings, 3, never))
    assert target == Path(tmp_path / "anna-class") and len(list(target.glob("*.png"))) == 3 and isinstance(events[-1], RunFinished)
    assert all(("ohwx" not in file.read_text() and "woman" in file.read_text()) or "person" in file.read_text() for file in target.glob("*.txt"))
    assert len(of_kind(list(draw_class_photos(settings, 4, never)), ImageSaved)) == 1  # those that are there stay


def test_switching_the_lora_off_gives_the_base_and_leaves_it_trainable(short_run):
    from core.flux.lora import add_lora
    from core.flux.model_folder import open_model_folder
    from core.flux.models import choose_hardware, load_transformer

    transformer = load_transformer(open_model_folder(Path("presets/pocket-flux")), choose_hardware("fp32"))
    parameters = add_lora(transformer, 4, 4, "attn", seed=1)
    before = lora_weights(transformer)
    with without_lora(transformer):
        pass
    assert all(parameter.requires_grad for parameter in parameters) and same(before, lora_weights(transformer))
