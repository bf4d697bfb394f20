"""Where a caption model lies: the Hugging Face cache or a folder of one's own; whether it is whole, of a kind that is known, and can run here."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.captioning.request import CAPTION_MODELS, model_named
from core.durable import read_json
from core.errors import Refused, UserError
from core.flux.header import COPY_AGAIN, require_whole, weight_files

# Values of model_type in a config.json, as transformers spells them.
Kind = Literal["qwen3_vl", "florence2"]
KINDS: tuple[Kind, ...] = ("qwen3_vl", "florence2")
CONFIG = "config.json"
# The last file that is downloaded: while it is missing the rest is not whole.
LAST_FILE = CONFIG
CHOOSE = f"Choose {' or '.join(model.hub_id for model in CAPTION_MODELS)}."


@dataclass(frozen=True)
class CaptionModelFolder:
    """A complete caption model on disk."""

    kind: Kind
    path: Path


def open_caption_model(captioner: str) -> CaptionModelFolder:
    """A caption model by its name, hub id or folder. Raises Refused when it was not downloaded, is of another kind or damaged, or cannot run here."""
    known = model_named(captioner)
    path = cached_model(known.hub_id) if known else Path(captioner)
    if known and path is None:
        fix = f"Download it once ({known.gigabytes:g} GB): with the button in the Dataset tab, or python scripts/download_model.py {known.hub_id}"
        raise Refused(f"{known.hub_id} is not on this machine yet.", "the Hugging Face cache", fix)
    assert path is not None
    try:
        found = CaptionModelFolder(kind_of(path), path)
        files = weight_files(path)
        if not files:
            raise UserError("It has no .safetensors weights.", str(path), f"{COPY_AGAIN} Pickled weights are not loaded.")
        for file in files:
            require_whole(file)
    except UserError as error:
        raise Refused(error.what, error.where, error.fix) from None
    require_runnable(found.kind)
    return found


def cached_model(hub_id: str) -> Path | None:
    """The folder of a hub id in the Hugging Face cache, or None when it was not downloaded to the end."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(hub_id, LAST_FILE)
    return Path(config).parent if isinstance(config, str) else None


def kind_of(path: Path) -> Kind:
    """What a folder holds by its config.json. Raises UserError for another model, and for one that wants to run code of its own."""
    try:
        config = read_json(path / CONFIG)
    except (OSError, ValueError) as error:
        raise UserError(f"This folder holds no model: {CONFIG} cannot be read ({error}).", str(path), CHOOSE) from None
    if not isinstance(config, dict) or config.get("model_type") not in KINDS:
        raise UserError("This model cannot caption here.", str(path), CHOOSE)
    if "auto_map" in config:
        raise UserError("This model brings code of its own, which is not run.", str(path), f"{CHOOSE} They need none.")
    return next(kind for kind in KINDS if kind == config["model_type"])


def is_caption_model(path: Path) -> bool:
    """Whether a folder may be listed as a captioner."""
    try:
        kind_of(path)
    except UserError:
        return False
    return True


def require_runnable(kind: Kind) -> None:
    """Raises Refused with the command to run when a library is missing."""
    if kind == "qwen3_vl" and importlib.util.find_spec("torchvision") is None:
        raise Refused("Qwen3-VL needs the library torchvision, which is not installed.", "torchvision", "On the pod run: pip install torchvision (of the version that belongs to its torch). Or choose another captioner: they do without.")
