"""Gets a FLUX.1-dev from the Hugging Face hub: what it will cost first, then file by file, going on where it was broken off."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import Refused, UserError
from core.events import Phase, RunEvent, RunFinished, RunStopped
from core.flux.model_folder import PARTS

SUFFIXES = (".json", ".txt", ".model", ".safetensors")
# Left free on the disk beside the download.
RESERVE = 5 * 10**9
SECONDS_BETWEEN_SIGNS = 2.0


@dataclass(frozen=True)
class DownloadForecast:
    """`files` maps a name in the repository to its bytes; `missing` is what is not on the disk yet, `free` what the disk has left."""

    hub_id: str
    revision: str
    files: dict[str, int]
    missing: int
    free: int

    @property
    def total(self) -> int:
        return sum(self.files.values())


def forecast_download(hub_id: str, with_transformer: bool, hub: Any = None) -> DownloadForecast:
    """What a download would take. `hub` stands in for the huggingface_hub module. Raises UserError in the words of `explained`."""
    hub = hub or _hub()
    try:
        info = hub.HfApi().model_info(hub_id, files_metadata=True)
    except Exception as error:
        raise explained(error, hub_id, bool(hub.get_token())) from None
    files = {entry.rfilename: entry.size or 0 for entry in info.siblings if _is_wanted(entry.rfilename, with_transformer)}
    if "model_index.json" not in files:
        raise UserError("This repository is no model in diffusers layout.", hub_id, "Use black-forest-labs/FLUX.1-dev, or a repository made from it that has a model_index.json.")
    there = {name for name in files if isinstance(hub.try_to_load_from_cache(hub_id, name, revision=info.sha), str)}
    cache = Path(hub.constants.HF_HUB_CACHE)
    return DownloadForecast(hub_id, info.sha, files, sum(size for name, size in files.items() if name not in there), shutil.disk_usage(_existing(cache)).free)


def download(forecast: DownloadForecast, should_stop: Callable[[], bool], hub: Any = None) -> Iterator[RunEvent]:
    """Every file of the forecast into the local cache; what is there already is not fetched again.

    Raises Refused when the disk is too small, UserError in the words of `explained`.
    """
    hub = hub or _hub()
    if forecast.missing + RESERVE > forecast.free and forecast.missing:
        raise Refused(
            f"The download needs {forecast.missing / 1e9:.1f} GB and {RESERVE / 1e9:.0f} GB to spare; the disk has {forecast.free / 1e9:.1f} GB left.",
            str(hub.constants.HF_HUB_CACHE),
            "Free some space, or put the cache on a larger volume (HF_HOME).",
        )
    done = 0
    for number, (name, size) in enumerate(sorted(forecast.files.items(), key=lambda file: file[1]), 1):
        if should_stop():
            yield RunStopped(step=number - 1, seconds=0)
            return
        for fetched in _fetch(forecast, name, hub):
            yield Phase(what=f"Downloading {forecast.hub_id} (MB)", done=round((done + min(fetched, size)) / 1e6), total=round(forecast.total / 1e6))
        done += size
    yield RunFinished(seconds=0)


def explained(error: Exception, hub_id: str, has_token: bool) -> UserError:
    """One sentence for each way the hub says no."""
    kind = type(error).__name__
    page = f"https://huggingface.co/{hub_id}"
    if kind == "GatedRepoError":
        if not has_token:
            return UserError("This model is gated, and no token was given.", hub_id, f"Accept its licence on {page}, make a read token there, and start with HF_TOKEN=... in the environment.")
        return UserError("Your token has no access to this model.", hub_id, f"Accept its licence on {page} with the account the token belongs to.")
    if kind == "RepositoryNotFoundError":
        return UserError("There is no such model on the hub, or the token may not see it.", hub_id, "Check the name; for a private model set HF_TOKEN.")
    if kind == "HfHubHTTPError" and getattr(getattr(error, "response", None), "status_code", 0) == 401:
        return UserError("The hub does not accept the token.", hub_id, "Make a new read token and set HF_TOKEN.")
    if kind in ("OfflineModeIsEnabled", "LocalEntryNotFoundError", "ConnectionError", "ConnectError", "ConnectTimeout", "ReadTimeout", "Timeout"):
        return UserError("The hub cannot be reached.", hub_id, "Check the connection (HF_HUB_OFFLINE must not be set), then try again: the download goes on where it was.")
    if isinstance(error, OSError) and error.errno == 28:
        return UserError("There is no space left on the disk.", hub_id, "Free some space, then try again: the download goes on where it was.")
    return UserError(f"The download failed: {kind}: {error}", hub_id, "Try again: the download goes on where it was.")


def _fetch(forecast: DownloadForecast, name: str, hub: Any) -> Iterator[int]:
    """Bytes of this file so far, now and then; the transfer runs on a thread of its own."""
    failures: list[Exception] = []

    def transfer() -> None:
        try:
            hub.hf_hub_download(forecast.hub_id, name, revision=forecast.revision)
        except Exception as error:  # told to the caller below
            failures.append(error)

    blobs = Path(hub.constants.HF_HUB_CACHE) / f"models--{forecast.hub_id.replace('/', '--')}" / "blobs"
    before = _bytes_in(blobs)
    thread = threading.Thread(target=transfer, name="download", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(SECONDS_BETWEEN_SIGNS)
        yield max(0, _bytes_in(blobs) - before)
    if failures:
        raise explained(failures[0], forecast.hub_id, bool(hub.get_token()))


def _bytes_in(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    return sum(file.stat().st_size for file in list(folder.iterdir()) if file.is_file())


def _is_wanted(name: str, with_transformer: bool) -> bool:
    part = name.split("/")[0] if "/" in name else ""
    if name == "model_index.json":
        return True
    if part not in PARTS or not name.endswith(SUFFIXES):
        return False
    return with_transformer or part != "transformer" or name.endswith(".json")


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _hub() -> Any:
    import huggingface_hub

    return huggingface_hub
