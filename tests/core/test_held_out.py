"""Photos kept aside: how many, which, and that their loss is measured but never trained."""

import json
import random
from pathlib import Path

import pytest
import torch

from core.dataset.folder import open_dataset
from core.errors import UserError
from core.events import FixedNoiseLoss, Phase
from core.pocket.demo import demo_scenes, write_photos
from core.pocket.people import random_identity
from core.training.cache import Cache
from core.training.held_out import choose_held_out, held_out_count
from core.training.readings import read_photos, views_of
from tests.core.training import go, of_kind, run_of


@pytest.mark.parametrize(("photos", "expected"), [(0, 0), (14, 0), (15, 2), (19, 2), (20, 3), (30, 3)])
def test_none_below_15_photos_then_two_then_three(photos, expected):
    assert held_out_count(photos) == expected


def latents(*levels):
    """One picture per number, that far from the first."""
    pattern = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    return [level * pattern for level in levels]


def test_the_best_covered_photos_are_taken_and_their_neighbours_stay():
    levels = [float(10 * i) for i in range(14)] + [40 + 4.0]  # the last lies close to the fifth
    chosen = choose_held_out(latents(*levels), [None] * 15)
    assert len(chosen) == 2 and len({4, 14} & set(chosen)) == 1


def test_copies_of_one_shot_are_no_test_and_stay_in():
    levels = [float(10 * i) for i in range(14)] + [0.0]
    assert not {0, 14} & set(choose_held_out(latents(*levels), [None] * 15))


def test_the_choice_is_the_same_each_time_and_knows_several_sizes():
    pictures = [torch.randn(1, 16, 8 + 2 * (i % 3), 12, generator=torch.Generator().manual_seed(i)) for i in range(16)]
    assert choose_held_out(pictures, [None] * 16) == choose_held_out(pictures, [None] * 16) and len(choose_held_out(pictures, [None] * 16)) == 2


def test_the_last_photo_of_a_view_stays():
    levels = [float(10 * i) for i in range(14)] + [44.0]  # without views the fifth or the last would go first
    views = ["front view"] * 15
    views[4], views[14] = "profile view left", "three-quarter view right"
    chosen = choose_held_out(latents(*levels), views)
    assert len(chosen) == 2 and not {4, 14} & set(chosen)


def test_faces_of_drawings_are_read_once_and_tell_the_views(fifteen, tmp_path, monkeypatch):
    samples, cache = open_dataset(fifteen).samples, Cache(tmp_path / "faces")
    readings = read_photos(samples, Path("presets/pocket-flux"), cache)
    views = views_of(samples, readings)
    right = sum(view.split(" view")[0] + " view" == scene.angle for view, scene in zip(views, demo_scenes("held out", 15), strict=True))
    assert right >= 13 and len(set(views)) >= 4
    monkeypatch.setattr("core.training.readings.read_face", lambda *_: pytest.fail("read again"))
    again = read_photos(samples, Path("presets/pocket-flux"), cache)
    assert all((again.faces[name].embedding == face.embedding).all() and again.faces[name].yaw == face.yaw for name, face in readings.faces.items()) and len(again.faces) == 15


@pytest.mark.parametrize("fault", [UserError("A face network is missing.", "", "Restore it."), RuntimeError("the network broke")])
def test_faces_that_cannot_be_read_give_no_views_and_a_reason(fifteen, tmp_path, monkeypatch, fault):
    def refuse(*_):
        raise fault

    monkeypatch.setattr("core.training.readings.open_face_reader", refuse)
    samples = open_dataset(fifteen).samples
    readings = read_photos(samples, Path("presets/pocket-flux"), Cache(tmp_path / "faces"))
    assert views_of(samples, readings) == [None] * 15 and str(fault).splitlines()[0] in readings.reason


@pytest.fixture(scope="module")
def fifteen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fifteen")
    write_photos(folder, random_identity(random.Random(5)), demo_scenes("held out", 15), "ohwx person", 128)
    return folder


def test_held_out_photos_are_measured_and_never_trained(short_run, fifteen):
    run = run_of(short_run(dataset__folder=fifteen, train__steps=2))
    events = go(run)
    assert sum(event.what.startswith("Held out: ") for event in of_kind(events, Phase)) == 1
    assert all(event.held_out is not None and event.held_out != event.loss for event in of_kind(events, FixedNoiseLoss))
    record = json.loads((run.checkpoints()[0][1] / "state.json").read_text())
    assert record["held_out_loss"] == of_kind(events, FixedNoiseLoss)[-1].held_out


def test_they_come_back_on_request(short_run, fifteen):
    events = go(run_of(short_run(dataset__folder=fifteen, train__steps=1, dataset__hold_out=0)))
    assert all(event.held_out is None for event in of_kind(events, FixedNoiseLoss))


def test_the_best_checkpoint_is_kept_besides_the_newest(short_run, fifteen, monkeypatch):
    losses = iter([0.5, 0.1, 0.4, 0.3, 0.2, 0.6])
    monkeypatch.setattr("core.training.train.measure_fixed_noise", lambda state, parts: FixedNoiseLoss(step=state.step, loss=1.0, held_out=next(losses)))
    run = run_of(short_run(dataset__folder=fifteen, train__steps=5, train__save_every=1, train__validate_every=1))
    go(run)
    assert [step for step, _ in run.checkpoints()] == [5, 4, 1]
