"""Download of the base model, against a hub that lives in memory: forecast, going on, stopping, and every way it can say no."""

from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

import core.flux.download as download_module
from core.errors import Refused, UserError
from core.events import Phase, RunFinished, RunStopped
from core.flux.download import download, explained, forecast_download

FILES = {
    "model_index.json": 500, "flux1-dev.safetensors": 23_000, "ae.safetensors": 300, "README.md": 50, "dev_grid.jpg": 900,
    "transformer/config.json": 100, "transformer/diffusion_pytorch_model-00001-of-00003.safetensors": 9_000, "transformer/pytorch_model.bin": 9_000,
    "text_encoder_2/model-00001-of-00002.safetensors": 4_000, "tokenizer_2/spiece.model": 70, "vae/diffusion_pytorch_model.safetensors": 160, "scheduler/scheduler_config.json": 40,
}  # fmt: skip


class Hub:
    """The few calls of huggingface_hub that are used; files appear in a cache folder."""

    def __init__(self, cache: Path, failing: dict[str, Exception] | None = None, token: str = "") -> None:
        self.constants = SimpleNamespace(HF_HUB_CACHE=str(cache))
        self.there, self.asked, self.failing, self.token = set(), [], failing or {}, token
        self.blobs = cache / "models--me--flux" / "blobs"

    def get_token(self):
        return self.token or None

    def HfApi(self):
        return self

    def model_info(self, hub_id, files_metadata):
        if "info" in self.failing:
            raise self.failing["info"]
        return SimpleNamespace(sha="abc", siblings=[SimpleNamespace(rfilename=name, size=size) for name, size in FILES.items()])

    def try_to_load_from_cache(self, hub_id, name, revision):
        return f"/cache/{name}" if name in self.there else None

    def hf_hub_download(self, hub_id, name, revision):
        self.asked.append(name)
        if name in self.failing:
            raise self.failing.pop(name)
        self.blobs.mkdir(parents=True, exist_ok=True)
        (self.blobs / name.replace("/", "-")).write_bytes(b"0" * FILES[name])
        self.there.add(name)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(download_module, "SECONDS_BETWEEN_SIGNS", 0.01)
    monkeypatch.setattr(download_module, "RESERVE", 0)


def response(status):
    return httpx.Response(status, request=httpx.Request("GET", "https://hub"))


def test_only_what_is_loaded_is_fetched_and_no_pickle(tmp_path):
    forecast = forecast_download("me/flux", True, Hub(tmp_path))
    assert set(forecast.files) == {name for name in FILES if "/" in name and not name.endswith(".bin")} | {"model_index.json"} and forecast.missing == forecast.total
    small = forecast_download("me/flux", False, Hub(tmp_path))
    assert "transformer/config.json" in small.files and not any(name.startswith("transformer/") and name.endswith(".safetensors") for name in small.files)


def test_it_ends_with_everything_there_and_shows_progress(tmp_path):
    hub = Hub(tmp_path)
    forecast = forecast_download("me/flux", True, hub)
    events = list(download(forecast, lambda: False, hub))
    assert isinstance(events[-1], RunFinished) and hub.there == set(forecast.files) and any(isinstance(event, Phase) for event in events)
    assert forecast_download("me/flux", True, hub).missing == 0


def test_a_stop_leaves_what_is_there_and_the_next_call_goes_on(tmp_path):
    hub = Hub(tmp_path)
    forecast = forecast_download("me/flux", True, hub)
    events = list(download(forecast, lambda: len(hub.there) >= 2, hub))
    assert isinstance(events[-1], RunStopped) and len(hub.there) == 2
    assert forecast_download("me/flux", True, hub).missing == forecast.total - sum(FILES[name] for name in hub.there)


def test_a_broken_connection_is_told_and_the_next_call_goes_on(tmp_path):
    hub = Hub(tmp_path, {"vae/diffusion_pytorch_model.safetensors": ConnectionError("reset")})
    forecast = forecast_download("me/flux", True, hub)
    with pytest.raises(UserError, match="cannot be reached"):
        list(download(forecast, lambda: False, hub))
    assert isinstance(list(download(forecast, lambda: False, hub))[-1], RunFinished)


def test_a_disk_too_small_is_refused_before_the_first_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(download_module, "RESERVE", 10**18)
    hub = Hub(tmp_path)
    with pytest.raises(Refused, match="GB left"):
        list(download(forecast_download("me/flux", True, hub), lambda: False, hub))
    assert hub.asked == []


@pytest.mark.parametrize(
    ("error", "token", "words"),
    [
        (GatedRepoError("gated", response=response(401)), "", "no token was given"),
        (GatedRepoError("gated", response=response(403)), "hf_secret", "no access"),
        (RepositoryNotFoundError("none", response=response(404)), "", "no such model"),
        (HfHubHTTPError("bad token", response=response(401)), "hf_secret", "does not accept the token"),
        (OfflineModeIsEnabled("offline"), "", "cannot be reached"),
        (httpx.ConnectError("refused"), "", "cannot be reached"),
        (OSError(28, "full"), "", "no space"),
        (RuntimeError("strange"), "", "strange"),
    ],
)
def test_every_refusal_of_the_hub_has_its_sentence_and_no_token_in_it(tmp_path, error, token, words):
    with pytest.raises(UserError, match=words) as raised:
        forecast_download("me/flux", True, Hub(tmp_path, {"info": error}, token))
    assert "hf_secret" not in str(raised.value) and raised.value.fix


def test_a_repository_of_another_layout_is_refused(tmp_path, monkeypatch):
    monkeypatch.delitem(FILES, "model_index.json")
    with pytest.raises(UserError, match="diffusers layout"):
        forecast_download("me/flux", True, Hub(tmp_path))


def test_the_words_name_the_model():
    assert explained(ConnectionError(), "me/flux", False).where == "me/flux"
