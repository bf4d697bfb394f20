"""The forecast before a run: operations as published for FLUX.1-dev, disk as a real run writes, sentences when it is short."""

from pathlib import Path

import pytest
import torch

import core.training.outlook as outlook
from core.events import Warned
from core.flux.model_folder import open_model_folder
from core.flux.models import Hardware
from core.settings import POCKET_FLUX
from core.training.layout import shape_of
from core.training.memory import Forecast, MemoryPlan
from core.training.outlook import VAE_DECODING, VAE_ENCODING, disk_bytes, encoder_bytes, free_disk, phase_peaks, picture_flops, run_seconds, text_tokens
from tests.core.test_memory import FLUX_DEV
from tests.core.training import go, of_kind, run_of


@pytest.mark.parametrize(("tokens", "checkpointed", "tera"), [(1536, 0, 47.2), (1536, 57, 69.3), (2816, 0, 95.3), (4608, 57, 252.3)])
def test_operations_are_those_counted_for_flux_dev(tokens, checkpointed, tera):
    """The counted figures have a LoRA of rank 64, a tenth; these are without."""
    assert 0.85 * tera < picture_flops(FLUX_DEV, tokens, MemoryPlan(False, checkpointed, 1)) / 1e12 < tera


def test_time_grows_with_pictures_and_regularization(short_run):
    def seconds(**changes):
        return run_seconds(short_run(**changes), FLUX_DEV, 1536, MemoryPlan(False, 0, 1), 1e14)

    assert seconds(train__steps=8) == pytest.approx(2 * seconds(train__steps=4)) and seconds() < seconds(regularization__enabled=1)


def test_a_run_writes_no_more_than_was_said(short_run):
    run = run_of(short_run(train__save_every=1, train__ema_decay=0.9))
    go(run)
    written = sum(file.stat().st_size for file in run.checkpoints_folder.rglob("*") if file.is_file()) + run.lora_file.stat().st_size
    said = disk_bytes(run.settings, shape_of(open_model_folder(Path(POCKET_FLUX))))
    assert 0.4 * said < written <= 1.02 * said


def test_a_disk_that_is_too_small_is_said_before_the_first_step(short_run, monkeypatch):
    monkeypatch.setattr(outlook, "free_disk", lambda folder: 1000)
    warnings = [event.what for event in of_kind(go(run_of(short_run(train__steps=1))), Warned)]
    assert any("may write" in what and "lower RANK" in what for what in warnings)


def test_free_space_of_a_folder_that_is_not_there_yet(tmp_path):
    assert free_disk(tmp_path / "not" / "there") > 0


def test_text_encoders_are_counted_from_their_files():
    model, hardware = open_model_folder(Path(POCKET_FLUX)), Hardware(torch.device("cpu"), torch.float32)
    assert encoder_bytes(model, hardware) == pytest.approx(sum(file.stat().st_size for part in ("text_encoder", "text_encoder_2") for file in (Path(POCKET_FLUX) / part).glob("*.safetensors")), rel=0.02)


def test_phases_have_peaks_of_their_own(short_run):
    model, hardware, needs = open_model_folder(Path(POCKET_FLUX)), Hardware(torch.device("cpu"), torch.float32), Forecast(100, 20, 50, 10)
    peaks = phase_peaks(short_run(sampling__every=2), needs, model, hardware, 128 * 128)
    assert list(peaks) == ["captions", "photos", "training", "samples"] and peaks["training"] == 180
    vae = peaks["photos"] - VAE_ENCODING * 128 * 128
    assert vae == pytest.approx((Path(POCKET_FLUX) / "vae" / "diffusion_pytorch_model.safetensors").stat().st_size, rel=0.05)
    assert peaks["samples"] == 120 + vae + VAE_DECODING * 128 * 128 and "samples" not in phase_peaks(short_run(), needs, model, hardware, 128 * 128)


def test_captions_are_as_long_as_the_tokenizer_allows(short_run):
    model = open_model_folder(Path(POCKET_FLUX))
    assert text_tokens(short_run(), model) == 32 and text_tokens(short_run(model__text_length=16), model) == 16
