"""Downloads a FLUX.1-dev from the Hugging Face hub into its cache: what it will take is known first, only what is needed comes, and a broken file goes on where it broke.

Large files are fetched here, because the hub's own client begins an interrupted file anew; the client then enters them into its cache.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout
from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, HTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from core.durable import NO_SPACE, sha256_of
from core.errors import Refused, UserError
from core.events import Phase
from core.flux.hub_errors import explain
from core.flux.model_folder import PARTS

INDEX = "model_index.json"
LARGER_DISK = "Free some space, or set HF_HOME to a folder on a larger disk (on a pod: the network volume)."
SUFFIXES = (".json", ".model", ".safetensors", ".txt")
VARIANT = re.compile(r"\.(fp16|fp32|bf16)[.-]")
MIB = 2**20
CHUNK = 4 * MIB
SECONDS_BETWEEN_EVENTS = 0.5
ATTEMPTS_WITHOUT_PROGRESS = 5
SECONDS_BEFORE_RETRY = 2.0
TIMEOUT = 30
TOO_MANY = 429
PARTIAL_CONTENT = 206


@dataclass(frozen=True)
class Hub:
    """From where and to where; `token` goes to `endpoint` only, `cache` is the Hugging Face cache."""

    cache: Path
    endpoint: str
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class RemoteFile:
    """`size` in bytes; `blob` names its content in the cache: the SHA-256 of a large file, else the hash git gives it."""

    path: str
    size: int
    blob: str
    large: bool

    @property
    def part(self) -> str:
        return PurePosixPath(self.path).parts[0]


@dataclass(frozen=True)
class Forecast:
    """What a download will take; sizes in bytes. `here` is what lies in the cache already, `free` what the disk has left.

    `last` is the file that is entered into the cache at the end: it tells that the rest is there.
    """

    hub_id: str
    commit: str
    files: tuple[RemoteFile, ...]
    here: int
    free: int
    last: str = INDEX

    @property
    def total(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def missing(self) -> int:
        return self.total - self.here

    @property
    def parts(self) -> dict[str, int]:
        """Bytes by part, largest first."""
        sizes: Counter[str] = Counter()
        for file in self.files:
            sizes[file.part] += file.size
        return dict(sizes.most_common())


def forecast(hub_id: str, hub: Hub, with_transformer: bool) -> Forecast:
    """Asks the hub what there is; `with_transformer` False leaves the transformer's weights out (a single file takes their place).

    Raises Refused: no token, no access, no such repository, not reachable, no FLUX.1.
    """
    plan = _forecast(hub_id, hub, lambda path: _needed(path, with_transformer), INDEX)
    missing = {INDEX, *PARTS} - {file.part for file in plan.files}
    if missing:
        raise Refused(f"{hub_id} is no FLUX.1 in diffusers layout: {', '.join(sorted(missing))} missing.", f"{hub.endpoint}/{hub_id}", "Name a repository in that layout, such as black-forest-labs/FLUX.1-dev.")
    return plan


def forecast_flat(hub_id: str, hub: Hub, last: str) -> Forecast:
    """The same for a model of one part, whose files lie side by side. Raises Refused as `forecast` does."""
    plan = _forecast(hub_id, hub, _needed_side_by_side, last)
    if not {last} & {file.path for file in plan.files} or not any(file.path.endswith(".safetensors") for file in plan.files):
        raise Refused(f"{hub_id} has no {last} with .safetensors weights.", f"{hub.endpoint}/{hub_id}", "Name a repository that has them; pickled weights are not loaded.")
    return plan


def _forecast(hub_id: str, hub: Hub, is_needed: Callable[[str], bool], last: str) -> Forecast:
    api = HfApi(endpoint=hub.endpoint, token=hub.token or False)
    try:
        api.auth_check(hub_id)
        info = api.model_info(hub_id, files_metadata=True)
    except (HTTPError, OSError, ValueError) as error:
        raise explain(error, hub_id, hub.token) from None
    files = []
    for sibling in info.siblings or ():
        if is_needed(sibling.rfilename):
            blob = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
            files.append(RemoteFile(sibling.rfilename, sibling.size or 0, blob or "", sibling.lfs is not None))
    files.sort(key=lambda file: (file.path == last, file.large, file.path))
    here = sum(_bytes_here(file, hub_id, hub) for file in files)
    return Forecast(hub_id, info.sha or "main", tuple(files), here, free_bytes(hub.cache), last)


def download(plan: Forecast, hub: Hub, should_stop: Callable[[], bool]) -> Iterator[Phase]:
    """Fetch what is missing; progress in MiB. What arrived is kept when it ends early, and the next download goes on from there.

    Raises Refused when it cannot begin (no space, another download under way), UserError when it breaks off or is stopped.
    """
    if plan.missing > plan.free:
        raise Refused(f"The download needs {gib(plan.missing)} GiB, the disk has {gib(plan.free)} GiB left.", str(hub.cache), LARGER_DISK)
    folder = _folder(plan.hub_id, hub)
    try:
        (folder / "blobs").mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".download.lock", timeout=0):
            yield from _download(plan, hub, should_stop)
    except Timeout:
        raise Refused(f"Another download of {plan.hub_id} is under way.", str(folder), "Wait for it, or end it.") from None
    except (HTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        reason = explain(error, plan.hub_id, hub.token)
        raise UserError(reason.what, reason.where, reason.fix) from None
    except OSError as error:
        what = "There is no space left on the disk." if error.errno in NO_SPACE else f"The cache cannot be written: {error.strerror or error}."
        raise UserError(what, str(hub.cache), f"{LARGER_DISK} What is here is kept.") from None


def gib(size: int) -> str:
    return f"{size / 2**30:.1f}"


def _download(plan: Forecast, hub: Hub, should_stop: Callable[[], bool]) -> Iterator[Phase]:
    done = 0
    for file in plan.files:
        for arrived in _fetch(file, plan, hub) if file.large else iter(()):
            yield Phase(what=f"Downloading {file.part} (MiB)", done=(done + arrived) // MIB, total=plan.total // MIB)
            if should_stop():
                raise UserError(f"The download was stopped at {gib(done + arrived)} of {gib(plan.total)} GiB; what is here is kept.", str(hub.cache), "Start it again: it goes on from there.")
        # The last one comes by the branch's name: only then the cache shows the model as there.
        revision = "main" if file.path == plan.last else plan.commit
        hf_hub_download(plan.hub_id, file.path, revision=revision, cache_dir=hub.cache, endpoint=hub.endpoint, token=hub.token or False)
        done += file.size
        yield Phase(what=f"Downloading {file.part} (MiB)", done=done // MIB, total=plan.total // MIB)


def _fetch(file: RemoteFile, plan: Forecast, hub: Hub) -> Iterator[int]:
    """Complete the file among the cache's blobs, yielding the bytes of it that are here. Raises UserError when its content is not what the hub announced."""
    blob, partial = _blob(file, plan.hub_id, hub), _partial(file, plan.hub_id, hub)
    if blob.exists():
        return
    attempts = 0
    while (begin := _size(partial)) < file.size:
        try:
            yield from _stream(file, plan, hub, partial, begin)
        except HTTPError as error:
            attempts = attempts + 1 if _size(partial) == begin else 1
            refused = isinstance(error, HfHubHTTPError) and error.response.status_code < 500 and error.response.status_code != TOO_MANY
            if refused or attempts == ATTEMPTS_WITHOUT_PROGRESS:
                raise
            time.sleep(SECONDS_BEFORE_RETRY)
    if sha256_of(partial) != file.blob:
        partial.unlink()
        raise UserError(f"{file.path} arrived damaged and was thrown away.", str(partial), "Start the download again.")
    os.replace(partial, blob)


def _stream(file: RemoteFile, plan: Forecast, hub: Hub, partial: Path, begin: int) -> Iterator[int]:
    """Append to `partial` what lies behind byte `begin`; the address is asked for anew, because signed ones expire."""
    url = hf_hub_url(plan.hub_id, file.path, revision=plan.commit, endpoint=hub.endpoint)
    address = get_hf_file_metadata(url, token=hub.token or False, endpoint=hub.endpoint).location
    token = hub.token if address.startswith(f"{hub.endpoint}/") else None
    headers = {**build_hf_headers(token=token or False), "Range": f"bytes={begin}-", "Accept-Encoding": "identity"}
    with open(partial, "ab") as opened, get_session().stream("GET", address, headers=headers, timeout=TIMEOUT) as response:
        hf_raise_for_status(response)
        if response.status_code != PARTIAL_CONTENT:
            opened.truncate(0)
        said = time.monotonic()
        for chunk in response.iter_bytes(CHUNK):
            opened.write(chunk)
            if time.monotonic() - said >= SECONDS_BETWEEN_EVENTS:
                said = time.monotonic()
                yield opened.tell()
        opened.flush()
        os.fsync(opened.fileno())


def _needed(path: str, with_transformer: bool) -> bool:
    """Weights as .safetensors, configurations and tokenizers of the parts; no duplicate at the root, no pickle, no variant of another precision."""
    file = PurePosixPath(path)
    if path == INDEX:
        return True
    if len(file.parts) != 2 or file.parts[0] not in PARTS or file.suffix not in SUFFIXES or VARIANT.search(file.name):
        return False
    return with_transformer or file.parts[0] != "transformer" or file.name == "config.json"


def _needed_side_by_side(path: str) -> bool:
    file = PurePosixPath(path)
    return len(file.parts) == 1 and file.suffix in (*SUFFIXES, ".jinja") and not VARIANT.search(file.name)


def _bytes_here(file: RemoteFile, hub_id: str, hub: Hub) -> int:
    if _blob(file, hub_id, hub).exists():
        return file.size
    return min(_size(_partial(file, hub_id, hub)), file.size)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _folder(hub_id: str, hub: Hub) -> Path:
    return hub.cache / repo_folder_name(repo_id=hub_id, repo_type="model")


def _blob(file: RemoteFile, hub_id: str, hub: Hub) -> Path:
    return _folder(hub_id, hub) / "blobs" / file.blob


def _partial(file: RemoteFile, hub_id: str, hub: Hub) -> Path:
    return _folder(hub_id, hub) / "blobs" / f"{file.blob}.partial"


def free_bytes(folder: Path) -> int:
    """Of the disk a folder lies on or will lie on."""
    existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(existing).free
