"""Downloading a model: what is fetched, that it goes on where it broke, and every way it can be refused, against a small hub on this machine."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants
from huggingface_hub.errors import OfflineModeIsEnabled

import core.flux.download as download_module
from core.errors import Refused, UserError
from core.flux.download import Hub, download, forecast
from core.flux.hub_errors import explain
from core.flux.model_folder import open_model_folder
from core.settings import POCKET_FLUX
from tests.core.hub import COMMIT, HUB_ID, SmallHub, serving

TRANSFORMER = "transformer/diffusion_pytorch_model.safetensors"
NOT_NEEDED = ("flux1-dev.safetensors", "README.md", "transformer/diffusion_pytorch_model.bin", "vae/diffusion_pytorch_model.fp16.safetensors", "dev_grid.jpg", "onnx/transformer/model.safetensors")
TOKEN = "hf_secretsecretsecret"


@pytest.fixture
def small_hub():
    hub = SmallHub()
    hub.add_folder(Path(POCKET_FLUX))
    hub.files |= {path: b"x" * 20_000 for path in NOT_NEEDED}
    with serving(hub):
        yield hub


@pytest.fixture
def target(small_hub, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(download_module, "SECONDS_BEFORE_RETRY", 0)
    monkeypatch.setattr(download_module, "SECONDS_BETWEEN_EVENTS", 0)
    monkeypatch.setattr(download_module, "CHUNK", 10_000)
    return Hub(tmp_path / "hub", small_hub.endpoint, TOKEN)


def never():
    return False


def run(target, should_stop=never, with_transformer=True):
    return list(download(forecast(HUB_ID, target, with_transformer), target, should_stop))


def stop_after(count):
    calls = iter(range(count))
    return lambda: next(calls, None) is None


def snapshot(target):
    return target.cache / "models--owner--flux" / "snapshots" / COMMIT


def test_a_downloaded_hub_id_opens_as_the_same_model_as_the_folder(target):
    run(target)
    assert open_model_folder(Path(HUB_ID)).fingerprint == open_model_folder(Path(POCKET_FLUX)).fingerprint


def test_only_what_is_needed_is_fetched(small_hub, target):
    run(target)
    fetched = {str(file.relative_to(snapshot(target))) for file in snapshot(target).rglob("*") if file.is_file()}
    assert len(fetched) >= 13 and fetched == set(small_hub.files) - set(NOT_NEEDED) - {"judge.safetensors", "sample_prompts.txt"}


def test_the_forecast_counts_bytes_by_part_and_what_is_here(small_hub, target):
    plan = forecast(HUB_ID, target, True)
    assert plan.parts["transformer"] == sum(len(content) for path, content in small_hub.files.items() if path.startswith("transformer/") and not path.endswith(".bin"))
    assert plan.here == 0 and plan.missing == plan.total > 10**6 and plan.free > 0
    run(target)
    assert forecast(HUB_ID, target, True).missing == 0


def test_a_second_download_fetches_nothing_large(small_hub, target):
    run(target)
    run(target)
    assert len(small_hub.fetched(TRANSFORMER)) == 1


def test_progress_reaches_the_total(target):
    events = run(target)
    assert events[-1].done == events[-1].total > 0 and [event.done for event in events] == sorted(event.done for event in events)


def test_without_the_transformer_its_weights_stay_on_the_hub(small_hub, target):
    run(target, with_transformer=False)
    assert small_hub.fetched(TRANSFORMER) == [] and (snapshot(target) / "transformer" / "config.json").is_file() and (snapshot(target) / "vae").is_dir()


def test_a_broken_connection_goes_on_in_the_middle_of_the_file(small_hub, target):
    small_hub.cut_after = 100_000
    run(target)
    assert "bytes=100000-" in {ranges for _, _, ranges, _ in small_hub.requests} and open_model_folder(Path(HUB_ID))


def test_a_stopped_download_is_not_there_yet_and_goes_on_later(small_hub, target):
    with pytest.raises(UserError, match="stopped"):
        run(target, stop_after(2))
    with pytest.raises(UserError, match="no download of that hub id"):
        open_model_folder(Path(HUB_ID))
    here = forecast(HUB_ID, target, True).here
    run(target)
    assert here > 0 and any(ranges not in ("", "bytes=0-") for _, _, ranges, _ in small_hub.requests) and open_model_folder(Path(HUB_ID))


def test_damaged_content_is_thrown_away(small_hub, target):
    small_hub.spoil = True
    with pytest.raises(UserError, match="damaged"):
        run(target)
    assert list(target.cache.rglob("*.partial")) == []


def test_a_connection_that_never_delivers_ends_with_a_sentence(small_hub, target):
    small_hub.busy = True
    with pytest.raises(UserError, match="503") as raised:
        run(target)
    assert not isinstance(raised.value, Refused)


def test_too_little_space_is_refused_before_a_byte_is_fetched(small_hub, target, monkeypatch):
    monkeypatch.setattr(download_module, "free_bytes", lambda folder: 1000)
    with pytest.raises(Refused, match="GiB left"):
        run(target)
    assert small_hub.fetched(TRANSFORMER) == []


def test_a_disk_that_fills_up_on_the_way_says_so(target, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download_module.os, "fsync", full)
    with pytest.raises(UserError, match="no space left"):
        run(target)


def test_two_downloads_of_one_model_at_once_are_refused(target):
    plan = forecast(HUB_ID, target, True)
    first = download(plan, target, never)
    next(first)
    with pytest.raises(Refused, match="under way"):
        list(download(plan, target, never))
    first.close()


@pytest.mark.parametrize(
    ("status", "code", "token", "words"),
    [
        (401, "GatedRepo", None, "no token is set"),
        (403, "GatedRepo", TOKEN, "has no access"),
        (401, "", TOKEN, "does not accept this token"),
        (401, "", None, "no repository"),
        (404, "RepoNotFound", TOKEN, "no repository"),
    ],
)
def test_a_refusal_of_the_hub_is_one_sentence_without_the_token(small_hub, target, status, code, token, words):
    small_hub.status, small_hub.code = status, code
    with pytest.raises(Refused, match=words) as raised:
        forecast(HUB_ID, Hub(target.cache, target.endpoint, token), True)
    assert raised.value.fix and TOKEN not in str(raised.value)


def test_no_network_is_one_sentence(target):
    with pytest.raises(Refused, match="cannot be reached"):
        forecast(HUB_ID, Hub(target.cache, "http://127.0.0.1:9", TOKEN), True)


def test_the_offline_switch_is_named():
    assert "HF_HUB_OFFLINE" in str(explain(OfflineModeIsEnabled("offline"), HUB_ID, TOKEN))


def test_a_repository_of_another_layout_is_refused(small_hub, target):
    small_hub.files = {"model.safetensors": b"x" * 20_000}
    with pytest.raises(Refused, match="diffusers layout"):
        forecast(HUB_ID, target, True)


def test_the_token_does_not_show_in_the_hub_value(target):
    assert TOKEN not in repr(target)


def test_the_token_is_sent_and_only_when_given(small_hub, target):
    forecast(HUB_ID, target, True)
    with_token = {authorization for *_, authorization in small_hub.requests}
    small_hub.requests.clear()
    forecast(HUB_ID, Hub(target.cache, target.endpoint), True)
    assert with_token == {f"Bearer {TOKEN}"} and {authorization for *_, authorization in small_hub.requests} == {""}


def command(small_hub, tmp_path, *arguments, **variables):
    environment = {**os.environ, "HF_ENDPOINT": small_hub.endpoint, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": TOKEN, **variables}
    return subprocess.run([sys.executable, "scripts/download_model.py", *arguments], env=environment, capture_output=True, text=True, timeout=120)


def test_the_command_forecasts_downloads_and_says_what_to_set(small_hub, tmp_path):
    result = command(small_hub, tmp_path, HUB_ID)
    assert result.returncode == 0 and f"MODEL_PATH={HUB_ID}" in result.stdout and "to download" in result.stdout and TOKEN not in result.stdout + result.stderr, result.stderr


def test_the_command_knows_the_caption_models_by_name(small_hub, tmp_path):
    small_hub.files = {"config.json": b"{}", "model.safetensors": b"x" * 20_000, "pytorch_model.bin": b"x" * 20_000}
    result = command(small_hub, tmp_path, "florence-2")
    assert result.returncode == 0 and "florence-community/Florence-2-base" in result.stdout and "--captioner florence-2" in result.stdout, result.stderr
    assert small_hub.fetched("model.safetensors") and small_hub.fetched("pytorch_model.bin") == []


def test_a_dry_run_of_the_command_only_forecasts(small_hub, tmp_path):
    result = command(small_hub, tmp_path, HUB_ID, DRY_RUN="1")
    assert result.returncode == 0 and "to download" in result.stdout and small_hub.fetched(TRANSFORMER) == [], result.stderr


def test_the_command_is_refused_with_exit_code_2(small_hub, tmp_path):
    small_hub.status, small_hub.code = 403, "GatedRepo"
    result = command(small_hub, tmp_path, HUB_ID)
    assert result.returncode == 2 and "Refused: " in result.stderr and TOKEN not in result.stdout + result.stderr


def test_the_command_breaks_off_with_exit_code_1(small_hub, tmp_path):
    small_hub.spoil = True
    result = command(small_hub, tmp_path, HUB_ID)
    assert result.returncode == 1 and "Not finished: " in result.stderr
