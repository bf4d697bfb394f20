"""The trainer on the pocket FLUX: what it learns, that it stops, resumes and fails without losing a step."""

import errno
import json
import math
import shutil

import pytest
import torch
from diffusers.optimization import get_scheduler

import core.training.ending as ending_module
import core.training.measure as measure_module
import core.training.prepare as prepare_module
import core.training.step as step_module
import core.training.train as train_module
from core.durable import MANIFEST, NO_SPACE, publish_folder
from core.errors import Refused, UserError
from core.events import CheckpointSaved, FixedNoiseLoss, ImageSaved, ReportSaved, RunStopped, StepDone, Warned
from core.jobs import drain
from core.runs import RunStore, Wishes
from core.settings import OptimizerSettings
from core.training.batches import batch_at, batches_of_epoch
from core.training.cache import Cache, cache_key
from core.training.schedule import learning_rate_at
from core.training.train import train
from tests.core.training import after_steps, go, never, of_kind, run_of, weights_of


def test_a_run_ends_with_a_lora_samples_and_checkpoints(short_run):
    run = run_of(short_run(sampling__every=4, train__keep_checkpoints=2))
    events = go(run)
    assert [event.step for event in of_kind(events, StepDone)] == [1, 2, 3, 4]
    assert [event.step for event in of_kind(events, FixedNoiseLoss)] == [0, 2, 4]
    assert {event.step for event in of_kind(events, ImageSaved)} == {0, 4}
    assert all((run.output / event.file).is_file() for event in of_kind(events, ImageSaved))
    assert [step for step, _ in run.checkpoints()] == [4, 2]
    assert of_kind(events, ReportSaved)[0].file == "short.safetensors" and events[-1].kind == "finished"
    assert any(tensor.abs().max() > 0 for name, tensor in weights_of(run).items() if "lora_B" in name)


def test_training_lowers_the_loss_on_noise_it_never_saw(short_run):
    run = run_of(short_run(train__steps=30, train__batch_size=6, optimizer__warmup_steps=2, lora__rank=16, lora__alpha=16, train__validate_every=30, train__save_every=100))
    first, last = (event.loss for event in of_kind(go(run), FixedNoiseLoss))
    assert last < 0.99 * first


def test_the_same_seed_gives_the_same_lora_and_another_seed_another(short_run):
    runs = [run_of(short_run(run__name=name, train__seed=seed)) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    for run in runs:
        go(run)
    one, same, other = (weights_of(run) for run in runs)
    assert all(torch.equal(one[name], same[name]) for name in one) and any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("changes", [{}, {"lora__dropout": 0.3, "train__ema_decay": 0.9, "train__gradient_accumulation_steps": 2, "dataset__caption_dropout": 0.5, "train__noise_offset": 0.1}])
def test_a_stopped_and_resumed_run_equals_an_unbroken_one_bit_for_bit(short_run, changes):
    whole = run_of(short_run(run__name="whole", train__steps=6, **changes))
    go(whole)
    broken = run_of(short_run(run__name="broken", train__steps=6, **changes))
    stopped = go(broken, after_steps(3, broken))
    assert isinstance(stopped[-1], RunStopped) and stopped[-1].step == 3 and broken.checkpoints()[0][0] == 3
    resumed = go(broken, resume=True)
    assert [event.step for event in of_kind(resumed, StepDone)] == [4, 5, 6]
    expected, got = weights_of(whole), weights_of(broken)
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    losses = [[event.loss for event in run.log.read()[0] if isinstance(event, StepDone)] for run in (whole, broken)]
    assert losses[0] == losses[1]


def test_a_wish_is_granted_between_two_steps_and_changes_nothing_else(short_run):
    plain, asked = (run_of(short_run(run__name=name, train__save_every=100, train__validate_every=0)) for name in ("plain", "asked"))
    go(plain)
    store = RunStore(asked.output)
    events = []
    for event in train(asked, never, False, None, store.wishes()):
        asked.log.append(event)
        events.append(event)
        if isinstance(event, StepDone) and event.step == 2:
            store.save_request().make()
            store.sample_request().make()
    assert [event.step for event in of_kind(events, CheckpointSaved)] == [2, 4] and {event.step for event in of_kind(events, ImageSaved)} == {2}
    kinds = [event.kind for event in events]
    assert kinds.index("report") < kinds.index("step", kinds.index("image")), "the LoRA can be looked at before the next step"
    assert not store.save_request().is_made() and not store.sample_request().is_made()
    expected, got = weights_of(plain), weights_of(asked)
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_a_wished_save_without_space_is_said_and_training_goes_on(short_run, monkeypatch):
    run = run_of(short_run(train__save_every=100))
    wishes = iter([True, False, False, False])
    whole = ending_module.save_lora_file

    def full_once(*arguments):
        monkeypatch.setattr(ending_module, "save_lora_file", whole)
        raise OSError(min(NO_SPACE), "no space")

    monkeypatch.setattr(ending_module, "save_lora_file", full_once)
    events = list(train(run, never, False, None, Wishes(save=lambda: next(wishes))))
    assert any("No space for the LoRA of step 1" in event.what for event in of_kind(events, Warned))
    assert events[-1].kind == "finished" and run.lora_file.is_file()


@pytest.mark.parametrize(("minutes", "saved"), [(1e-9, [1, 2]), (60, [2]), (0, [2])])
def test_checkpoints_come_by_minutes_too(short_run, minutes, saved):
    events = go(run_of(short_run(train__steps=2, train__save_every=1000, train__save_minutes=minutes, train__validate_every=0, sampling__every=0)))
    assert [event.step for event in of_kind(events, CheckpointSaved)] == saved


def test_a_run_killed_between_checkpoints_repeats_only_the_lost_steps(short_run):
    run = run_of(short_run())
    generator = train(run, never, resume=False)
    for event in generator:
        run.log.append(event)
        if isinstance(event, StepDone) and event.step == 3:
            break
    generator.close()
    assert run.checkpoints()[0][0] == 2
    assert [event.step for event in of_kind(go(run, resume=True), StepDone)] == [3, 4]
    assert [event.step for event in of_kind(run.log.read()[0], StepDone)] == [1, 2, 3, 4]


def test_a_damaged_checkpoint_is_passed_over_and_said(short_run):
    run = run_of(short_run(train__steps=6))
    go(run, after_steps(4, run))
    (run.checkpoints()[0][1] / "optimizer.pt").write_bytes(b"damaged")
    events = go(run, resume=True)
    assert any("damaged" in event.what for event in of_kind(events, Warned)) and of_kind(events, StepDone)[0].step == 3 and events[-1].kind == "finished"


def test_other_settings_than_the_checkpoints_are_refused(short_run):
    run = run_of(short_run())
    go(run, after_steps(2, run))
    record = json.loads((run.folder / "run.json").read_text())
    record["settings"]["optimizer"]["learning_rate"] = 0.05
    (run.folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(Refused, match="learning_rate"):
        go(RunStore(run.output).load("short"), resume=True)


def test_nan_stops_before_the_optimizer_with_the_guides_remedy(short_run, monkeypatch):
    run = run_of(short_run())
    real, calls = step_module.velocity_loss, []

    def poisoned(*arguments):
        calls.append(1)
        loss = real(*arguments)
        return loss * math.nan if torch.is_grad_enabled() and len([e for e in run.log.read()[0] if isinstance(e, StepDone)]) == 2 else loss

    monkeypatch.setattr(step_module, "velocity_loss", poisoned)
    with pytest.raises(UserError) as raised:
        go(run)
    assert "UNET_LR=5e-5" in raised.value.fix and "step 3" in raised.value.what
    assert run.checkpoints()[0][0] == 2 and not run.lora_file.exists()


def test_a_full_disk_costs_a_checkpoint_not_the_run(short_run, monkeypatch):
    run = run_of(short_run())
    real, failures = train_module.save_checkpoint, []

    def full_once(state, run, *more):
        if not failures:
            failures.append(state.step)
            raise OSError(next(iter(NO_SPACE)), "full")
        return real(state, run, *more)

    monkeypatch.setattr(train_module, "save_checkpoint", full_once)
    events = go(run)
    assert failures == [2] and any("No space" in event.what for event in of_kind(events, Warned))
    assert [event.step for event in of_kind(events, CheckpointSaved)] == [4] and events[-1].kind == "finished"


@pytest.mark.parametrize(("fault", "words"), [(torch.OutOfMemoryError("CUDA out of memory"), "does not hold them"), (OSError(28, "No space left on device"), "no space")])
def test_samples_that_cannot_be_drawn_cost_no_run(short_run, monkeypatch, fault, words):
    def refuse(*given):
        raise fault

    monkeypatch.setattr(measure_module, "decode_latents", refuse)
    events = go(run_of(short_run(sampling__every=2)))
    assert [event.step for event in of_kind(events, StepDone)] == [1, 2, 3, 4] and not of_kind(events, ImageSaved)
    assert sum(words in event.what for event in of_kind(events, Warned)) == 3  # at steps 0, 2 and 4


@pytest.mark.parametrize("number", sorted(NO_SPACE))
def test_a_disk_or_quota_that_stays_full_ends_the_run_with_the_remedy_and_what_was_kept(short_run, monkeypatch, number):
    run = run_of(short_run(train__steps=5))
    real = train_module.save_checkpoint
    monkeypatch.setattr(train_module, "save_checkpoint", lambda state, *rest: real(state, *rest) if state.step < 4 else (_ for _ in ()).throw(OSError(number, "full", "checkpoints")))
    last = drain(lambda: train(run, never, False), run.log)
    assert last.kind == "failed" and "no space left" in last.what and "then resume" in last.fix
    assert [event.step for event in of_kind(run.log.read()[0], StepDone)] == [1, 2, 3, 4, 5] and run.checkpoints()[0][0] == 2
    monkeypatch.undo()
    assert go(run, resume=True)[-1].kind == "finished"


def test_a_read_only_place_is_named_with_the_remedy(short_run, monkeypatch):
    run = run_of(short_run())
    monkeypatch.setattr(train_module, "save_checkpoint", lambda *_: (_ for _ in ()).throw(OSError(errno.EROFS, "Read-only file system", "output")))
    last = drain(lambda: train(run, never, False), run.log)
    assert last.kind == "failed" and "cannot be written" in last.what and "OUT_DIR" in last.fix


@pytest.mark.parametrize("part", ["optimizer.pt", "lora.safetensors", "average.safetensors"])
def test_a_checkpoint_without_a_part_of_its_state_is_refused_and_a_warm_start_offered(short_run, part):
    run = run_of(short_run(train__ema_decay=0.5))
    go(run, after_steps(2, run))
    folder = run.checkpoints()[0][1]
    publish_folder(folder, lambda new: [shutil.copy(file, new) for file in folder.iterdir() if file.name not in (part, MANIFEST)])  # sealed again: whole, but of something else
    with pytest.raises(UserError, match="not complete") as raised:
        go(run, resume=True)
    assert "RESUME_FROM" in raised.value.fix


def test_another_disk_fault_ends_the_run(short_run, monkeypatch):
    monkeypatch.setattr(train_module, "save_checkpoint", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    with pytest.raises(OSError, match="broken"):
        go(run_of(short_run()))


def test_a_warm_start_goes_on_from_a_lora_and_refuses_another_rank_or_other_layers(short_run):
    first = run_of(short_run(run__name="phase1"))
    last_loss = of_kind(go(first), FixedNoiseLoss)[-1].loss
    second = run_of(short_run(run__name="phase2", run__warm_start=first.lora_file))
    assert of_kind(go(second), FixedNoiseLoss)[0].loss == pytest.approx(last_loss, rel=1e-3)
    for number, changes in enumerate(({"lora__rank": 8, "lora__alpha": 8}, {"lora__targets": "attn"}, {"lora__targets": "blocks"})):
        with pytest.raises(Refused, match="rank 4") as raised:
            go(run_of(short_run(run__name=f"phase-{3 + number}", run__warm_start=first.lora_file, **changes)))
        assert "RANK=4" in raised.value.fix


def test_photos_without_captions_are_trained_and_named(short_run, photos, tmp_path):
    folder = tmp_path / "bare"
    folder.mkdir()
    for file in photos.glob("*.png"):
        (folder / file.name).write_bytes(file.read_bytes())
    events = go(run_of(short_run(dataset__folder=folder, train__steps=1)))
    assert any("6 photos have no caption" in event.what for event in of_kind(events, Warned)) and events[-1].kind == "finished"


def test_a_broken_photo_is_named(short_run, photos, tmp_path):
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "bad.png").write_bytes((photos / "photo-01.png").read_bytes()[:500])
    with pytest.raises(UserError) as raised:
        go(run_of(short_run(dataset__folder=folder)))
    assert "bad.png" in raised.value.where


def test_a_stop_before_the_first_step_ends_at_once(short_run):
    run = run_of(short_run())
    events = go(run, lambda: True)
    assert isinstance(events[-1], RunStopped) and events[-1].step == 0 and not run.lora_file.exists()


def test_gradient_checkpointing_changes_memory_not_the_result(short_run):
    runs = [run_of(short_run(run__name=f"ckpt-{flag}", model__gradient_checkpointing=flag, lora__dropout=0.2)) for flag in ("none", "all")]
    for run in runs:
        go(run)
    plain, checkpointed = (weights_of(run) for run in runs)
    assert all(torch.allclose(plain[name], checkpointed[name], atol=1e-5) for name in plain)


@pytest.mark.parametrize(("name", "warmup"), [("constant", 0), ("constant_with_warmup", 5), ("linear", 5), ("cosine", 5)])
def test_learning_rates_are_those_of_diffusers(name, warmup):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    theirs = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=20)
    ours = OptimizerSettings(learning_rate=1e-3, lr_scheduler=name, warmup_steps=warmup)
    for step in range(20):
        assert learning_rate_at(step, 20, ours) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        theirs.step()


def test_an_epoch_shows_every_photo_once_and_batches_one_bucket():
    groups = ["a"] * 7 + ["b"] * 4
    batches = batches_of_epoch(groups, 3, seed=1, epoch=0)
    assert sorted(photo for batch in batches for photo in batch) == list(range(11))
    assert all(len({groups[photo] for photo in batch}) == 1 for batch in batches)
    assert batches != batches_of_epoch(groups, 3, seed=1, epoch=1)
    assert batch_at(len(batches), groups, 3, seed=1) == batches_of_epoch(groups, 3, seed=1, epoch=1)[0]


def test_a_damaged_cache_entry_counts_as_missing(tmp_path):
    cache, key = Cache(tmp_path), cache_key("model", "photo")
    assert cache.get(key) is None
    cache.put(key, {"mean": torch.ones(2)})
    assert torch.equal(cache.get(key)["mean"], torch.ones(2))
    next(tmp_path.iterdir()).write_bytes(b"damaged")
    assert cache.get(key) is None
    assert cache_key("model", "photo") != cache_key("modelp", "hoto")


def test_a_second_run_on_the_same_photos_encodes_nothing(short_run, monkeypatch):
    go(run_of(short_run(run__name="first")))
    monkeypatch.setattr(prepare_module, "load_vae", lambda *_: pytest.fail("the VAE was loaded again"))
    monkeypatch.setattr(prepare_module, "load_text_encoders", lambda *_: pytest.fail("the text encoders were loaded again"))
    go(run_of(short_run(run__name="second")))
