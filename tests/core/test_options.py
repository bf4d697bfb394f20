"""Every option of the profiles changes the training in the way it says, or warns that it does not."""

import json
import shutil
from pathlib import Path

import pytest
import safetensors.torch
import torch

from core.dataset.folder import open_photos
from core.events import FixedNoiseLoss, StepDone, Warned
from core.flux.model_folder import open_model_folder
from core.flux.models import choose_hardware
from core.settings import POCKET_FLUX
from core.training.memory import MemoryPlan
from core.training.preflight import ladder
from core.training.prepare import prepare
from core.training.schedule import learning_rate_at
from core.training.step import Parts, draw_batch, joined, regrouped
from core.training.world import World
from tests.core.training import go, losses_of, of_kind, run_of, same, weights_of


def parts_of(run):
    """Photos encoded and everything else a step needs, without a transformer."""
    settings = run.settings
    model, hardware = open_model_folder(Path(settings.model.path)), choose_hardware("fp32")
    material = list(prepare(open_photos(settings.dataset), settings, model, hardware))[-1]
    return Parts(run, model, hardware, material, World())


def trained(short_run, **changes):
    run = run_of(short_run(**changes))
    go(run)
    return run


@pytest.mark.parametrize(
    "changes",
    [
        {"train__noise_offset": 0.1},
        {"train__snr_gamma": 0.5},
        {"train__timestep_sampling": "uniform"},
        {"train__timestep_sampling": "sigmoid"},
        {"train__seed": 7},
        {"train__gradient_accumulation_steps": 2},
        {"dataset__caption_dropout": 0.9},
        {"dataset__flip": 1},
        {"dataset__trigger_word": "zwyx", "dataset__caption_dropout": 0.9},
        {"dataset__resolution": 96, "dataset__min_bucket_resolution": 64},
        {"model__text_length": 16},
    ],
    ids=lambda changes: ",".join(f"{key}={value}" for key, value in changes.items()),
)
def test_what_the_model_is_shown_changes_from_the_first_step(short_run, changes):
    plain, changed = trained(short_run, run__name="plain", train__steps=1), trained(short_run, run__name="changed", train__steps=1, **changes)
    assert losses_of(plain)[0] != losses_of(changed)[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"lora__dropout": 0.5},
        {"lora__rank": 8, "lora__alpha": 8},
        {"lora__alpha": 2},
        {"lora__targets": "attn"},
        {"lora__targets": "blocks"},
        {"optimizer__learning_rate": 1e-3},
        {"optimizer__lr_scheduler": "constant"},
        {"optimizer__lr_scheduler": "linear"},
        {"optimizer__warmup_steps": 3},
        {"optimizer__weight_decay": 1},
        {"optimizer__max_grad_norm": 0.001},
    ],
    ids=lambda changes: ",".join(f"{key}={value}" for key, value in changes.items()),
)
def test_what_the_lora_learns_changes_after_the_first_step(short_run, changes):
    plain, changed = trained(short_run, run__name="plain"), trained(short_run, run__name="changed", **changes)
    assert losses_of(plain)[0] == losses_of(changed)[0]  # B is zero: the first forward is the base model's
    assert not same(weights_of(plain), weights_of(changed))


def test_the_average_is_what_is_published_and_the_training_goes_on_untouched(short_run):
    plain, averaged = trained(short_run, run__name="plain"), trained(short_run, run__name="averaged", train__ema_decay=0.9)
    assert losses_of(plain) == losses_of(averaged) and not same(weights_of(plain), weights_of(averaged))


def test_measuring_and_saving_change_nothing(short_run):
    plain = trained(short_run, run__name="plain", lora__dropout=0.3)
    watched = trained(short_run, run__name="watched", lora__dropout=0.3, train__validate_every=1, train__save_every=1, sampling__every=2)
    assert losses_of(plain) == losses_of(watched) and same(weights_of(plain), weights_of(watched))


def test_settings_without_effect_are_named(short_run):
    events = go(run_of(short_run(optimizer__lr_scheduler="constant", optimizer__warmup_steps=3)))
    assert any("Warmup 3 has no effect" in event.what for event in of_kind(events, Warned))


def test_snr_gamma_weighs_nearly_clean_steps_down_and_no_other(short_run):
    runs = [run_of(short_run(run__name=f"gamma-{gamma}", train__snr_gamma=gamma)) for gamma in (0, 0.5)]
    parts = [parts_of(run) for run in runs]
    plain, weighted = (draw_batch(part.material.photos, 3, 1, part) for part in parts)
    noisy = plain.sample.sigma_B > 1 / (1 + 0.5**0.5)  # SNR below gamma
    assert torch.equal(plain.weight_B[noisy], weighted.weight_B[noisy]) and bool((weighted.weight_B[~noisy] < plain.weight_B[~noisy]).all())


def test_noise_offset_moves_noise_and_target_alike(short_run):
    parts = [parts_of(run_of(short_run(run__name=f"offset-{value}", train__noise_offset=value))) for value in (0, 0.2)]
    plain, offset = (draw_batch(part.material.photos, 0, 1, part).sample for part in parts)
    latents = plain.noisy_BCHW - plain.sigma_B.view(-1, 1, 1, 1) * plain.target_BCHW
    other = offset.noisy_BCHW - offset.sigma_B.view(-1, 1, 1, 1) * offset.target_BCHW
    assert torch.allclose(latents, other, atol=1e-4)  # the path still begins at the photo
    difference = (offset.target_BCHW - plain.target_BCHW)
    assert torch.allclose(difference, difference.mean(dim=(2, 3), keepdim=True).expand_as(difference), atol=1e-4) and difference.abs().max() > 0.01


def test_one_picture_a_forward_gives_the_same_gradient_as_many(short_run, monkeypatch):
    changes = {"train__batch_size": 2, "train__gradient_accumulation_steps": 2, "train__steps": 2, "model__base": "full"}
    together = run_of(short_run(run__name="together", **changes))
    go(together)
    one_by_one = run_of(short_run(run__name="one", **changes))
    monkeypatch.setattr("core.training.layout.ladder", lambda *given: [(plan, needs) for plan, needs in ladder(*given) if plan.micro_batch == 1] or [(MemoryPlan(False, 0, 1), ladder(*given)[0][1])])
    go(one_by_one)
    assert losses_of(one_by_one) == pytest.approx(losses_of(together), rel=1e-5)
    norms = [[event.grad_norm for event in run.log.read()[0] if isinstance(event, StepDone)] for run in (one_by_one, together)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


def test_regrouping_keeps_every_picture_once(short_run):
    part = parts_of(run_of(short_run(train__batch_size=1)))
    batches = [draw_batch(part.material.photos, position, 1, part) for position in range(5)]
    for most in (1, 2, 5):
        sizes = [len(batch.captions) for batch in regrouped(batches, most)]
        assert sum(sizes) == 5 and max(sizes) <= most
    assert joined(list(regrouped(batches, 2))).weight_B.sum() == pytest.approx(joined(batches).weight_B.sum())


def test_the_fixed_noise_loss_of_the_base_is_the_same_in_every_run(short_run):
    first = [of_kind(go(run_of(short_run(run__name=f"run-{number}", lora__rank=2 + number, lora__alpha=2, train__steps=1))), FixedNoiseLoss)[0].loss for number in range(2)]
    assert first[0] == first[1]


def draws_of(part, count=150):
    return [draw_batch(part.material.photos, position, 1, part) for position in range(count)]


def test_noise_levels_are_drawn_as_their_names_say(short_run):
    levels = {}
    for kind in ("flux_shift", "sigmoid", "uniform"):
        part = parts_of(run_of(short_run(run__name=kind, train__timestep_sampling=kind, train__batch_size=6)))
        levels[kind] = torch.cat([batch.sample.sigma_B for batch in draws_of(part)])
    middle = {kind: ((sigma > 0.3) & (sigma < 0.7)).float().mean().item() for kind, sigma in levels.items()}
    assert levels["flux_shift"].mean() > levels["sigmoid"].mean() + 0.05  # at 64 tokens by a factor of e^0.47
    assert middle["uniform"] == pytest.approx(0.4, abs=0.05) and middle["sigmoid"] > 0.55
    assert levels["sigmoid"].mean() == pytest.approx(0.5, abs=0.03) == levels["uniform"].mean()


def test_caption_dropout_cuts_that_share_of_captions_and_never_the_trigger(short_run):
    part = parts_of(run_of(short_run(dataset__caption_dropout=0.3)))
    captions = [caption for batch in draws_of(part) for caption in batch.captions]
    cut = [caption for caption in captions if caption == "ohwx woman"]
    assert len(cut) / len(captions) == pytest.approx(0.3, abs=0.08) and all("ohwx" in caption.replace(",", " ").split() for caption in captions)


def test_half_of_the_photos_are_mirrored_when_it_is_asked_for(short_run):
    part = parts_of(run_of(short_run(dataset__flip=1, train__batch_size=1)))
    by_caption = {photo.caption: photo for photo in part.material.photos}
    mirrored = []
    for batch in draws_of(part, 60):
        photo, sample = by_caption[batch.captions[0]], batch.sample
        clean = sample.noisy_BCHW - sample.sigma_B.view(-1, 1, 1, 1) * sample.target_BCHW
        mirrored.append((clean - photo.mirrored.mean).norm() < (clean - photo.latents.mean).norm())
    assert 0.3 < sum(mirrored) / len(mirrored) < 0.7
    assert all(photo.mirrored is None for photo in parts_of(run_of(short_run(run__name="plain"))).material.photos)


@pytest.mark.parametrize("kind", ["constant_with_warmup", "linear", "cosine"])
def test_the_scheduler_sets_the_learning_rate_of_every_step(short_run, kind):
    settings = short_run(optimizer__lr_scheduler=kind, optimizer__warmup_steps=2, train__validate_every=0)
    rates = [event.learning_rate for event in of_kind(go(run_of(settings)), StepDone)]
    assert rates == [learning_rate_at(step, 4, settings.optimizer) for step in range(4)] and rates[0] == 0 < rates[1] < rates[2]
    assert (rates[3] < rates[2]) == (kind != "constant_with_warmup")


def test_targets_are_the_layers_that_are_trained(short_run):
    layers = {targets: {name.split(".lora_")[0] for name in weights_of(trained(short_run, run__name=targets, train__steps=1, lora__targets=targets))} for targets in ("attn", "attn-mlp", "blocks")}
    assert layers["attn"] < layers["attn-mlp"] < layers["blocks"]
    assert not any(word in name for name in layers["attn"] for word in ("ff", "proj_mlp", "norm")) and all("norm" in name for name in layers["blocks"] - layers["attn-mlp"])


def test_the_average_follows_its_formula(short_run):
    run = trained(short_run, train__ema_decay=0.8, train__save_every=1, train__keep_checkpoints=9)
    folders = [folder for _, folder in reversed(run.checkpoints())]
    average = safetensors.torch.load_file(folders[0] / "lora.safetensors")
    for folder in folders[1:]:
        average = {name: 0.8 * average[name] + 0.2 * tensor for name, tensor in safetensors.torch.load_file(folder / "lora.safetensors").items()}
    kept = safetensors.torch.load_file(folders[-1] / "average.safetensors")
    assert len(folders) == 4 and all(torch.allclose(kept[name], average[name], atol=1e-7) for name in average)


def test_weight_decay_shrinks_and_clipping_bounds(short_run):
    plain, decayed = trained(short_run, run__name="plain"), trained(short_run, run__name="decayed", optimizer__weight_decay=1)
    sizes = [sum(tensor.float().square().sum() for name, tensor in weights_of(run).items() if "lora_A" in name) for run in (plain, decayed)]
    assert sizes[1] < sizes[0]


def test_captions_are_as_long_for_t5_as_the_setting_says(short_run, tmp_path):
    """The pocket's own tokenizer stops at 32; with FLUX.1-dev's limit both lengths of the guide are real."""
    model = tmp_path / "model"
    shutil.copytree(POCKET_FLUX, model)
    file = model / "tokenizer_2" / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_max_length": 512}))
    losses = {}
    for length in (256, 512):
        run = run_of(short_run(run__name=f"t5-{length}", model__path=model, model__text_length=length, train__steps=1, train__validate_every=0))
        assert {embeds.prompt_embeds.shape[1] for embeds in parts_of(run).material.embeds.values()} == {length}
        go(run)
        losses[length] = losses_of(run)
    assert losses[256] != losses[512]


def test_the_bucket_range_bounds_every_side(short_run):
    part = parts_of(run_of(short_run(dataset__resolution=96, dataset__min_bucket_resolution=64, dataset__max_bucket_resolution=112)))
    sides = {int(side) for photo in part.material.photos for side in photo.bucket.split("x")}
    assert sides and min(sides) >= 64 and max(sides) <= 112
