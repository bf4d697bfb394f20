"""A FLUX.1-dev on disk: is this one, what size is it made for, and what identifies it. Reads JSON and the headers of weight files only."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.durable import read_json
from core.errors import UserError
from core.flux.header import COPY_AGAIN, require_whole, weight_files
from core.flux.single_file import CHOOSE_DEV, FOREIGN_SUFFIXES, IN_CHANNELS, RELATIVES, SUFFIXES, USE_ANOTHER, require_flux_dev_file

PARTS = ("scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "transformer", "vae")
PARTS_WITH_WEIGHTS = ("text_encoder", "text_encoder_2", "transformer", "vae")
FLUX_DEV = "black-forest-labs/FLUX.1-dev"
HOW_TO_GET_ONE = f"Set MODEL_PATH to a folder of FLUX.1-dev in diffusers layout, to a hub id that was downloaded (python scripts/download_model.py {FLUX_DEV}), or to presets/pocket-flux."
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
OTHER_PIPELINES = {
    "FluxKontextPipeline": "FLUX.1 Kontext, which edits pictures and takes a second one as input",
    "FluxFillPipeline": "FLUX.1 Fill, which paints into pictures",
    "FluxControlPipeline": "FLUX.1 Depth or Canny, which is steered by a second picture",
    "Flux2Pipeline": "FLUX.2, another architecture",
}
# Bytes read from the begin, the middle and the end of a weight file: models of one shape have one header.
SAMPLE = 65536


@dataclass(frozen=True)
class ModelFolder:
    """`image_size` is the side in pixels the model was made for; `fingerprint` tells models apart, wherever they lie.

    `path` holds all parts in diffusers layout; `transformer_file` is a single file that takes the place of the transformer's weights there.
    """

    path: Path
    image_size: int
    fingerprint: str
    double_blocks: int
    single_blocks: int
    hidden: int
    transformer_file: Path | None = None


def open_model_folder(path: Path) -> ModelFolder:
    """A folder, a hub id that was downloaded, or a single transformer file (inside a FLUX.1-dev folder, else with the downloaded one's other parts).

    Raises UserError when it is not a complete, guidance-distilled FLUX.1.
    """
    if path.is_dir():
        return _open(path, None)
    if path.is_file() or path.suffix.lower() in (*SUFFIXES, *FOREIGN_SUFFIXES):
        return _open_file(path)
    cached = cached_folder(str(path))
    if cached is None:
        what = "The base model is not there: no such folder" + (", and no download of that hub id." if is_hub_id(str(path)) else ".")
        raise UserError(what, str(path), f"python scripts/download_model.py {path} downloads a hub id. {HOW_TO_GET_ONE}" if is_hub_id(str(path)) else HOW_TO_GET_ONE)
    return _open(cached, None)


def is_hub_id(text: str) -> bool:
    """Whether it has the form owner/name."""
    return HUB_ID.fullmatch(text) is not None


def cached_folder(hub_id: str) -> Path | None:
    """Where a hub id lies in the Hugging Face cache, or None when it was not downloaded to the end."""
    if not is_hub_id(hub_id):
        return None
    from huggingface_hub import try_to_load_from_cache

    index = try_to_load_from_cache(hub_id, "model_index.json")
    return Path(index).parent if isinstance(index, str) else None


def _open_file(file: Path) -> ModelFolder:
    if not file.is_file():
        raise UserError("The transformer file is not there.", str(file), HOW_TO_GET_ONE)
    require_flux_dev_file(file)
    if (file.parent / "model_index.json").is_file():
        return _open(file.parent, file)
    cached = cached_folder(FLUX_DEV)
    if cached is None:
        raise UserError("A single transformer file needs the other parts of FLUX.1-dev (text encoders, VAE).", str(file), f"Download them (about 10 GB): python scripts/download_model.py {file}. Or move the file into a FLUX.1-dev folder.")
    return _open(cached, file)


def _open(path: Path, transformer_file: Path | None) -> ModelFolder:
    index = _read_json(path / "model_index.json")
    pipeline = str(index.get("_class_name", "an unknown kind"))
    if pipeline != "FluxPipeline":
        raise UserError(f"This model is {OTHER_PIPELINES.get(pipeline, pipeline)}, not FLUX.1-dev.", str(path), CHOOSE_DEV)
    missing = [part for part in PARTS if not (path / part).is_dir()]
    if missing:
        raise UserError(f"The model is incomplete: {', '.join(missing)} missing.", str(path), COPY_AGAIN)
    config = _read_json(path / "transformer" / "config.json")
    _require_flux_dev(config, path)
    files = _weights(path, PARTS_WITH_WEIGHTS if transformer_file is None else tuple(part for part in PARTS_WITH_WEIGHTS if part != "transformer"))
    vae = _read_json(path / "vae" / "config.json")
    return ModelFolder(
        path, int(vae.get("sample_size", 1024)), _fingerprint(path, [*files, *filter(None, [transformer_file])]), int(config["num_layers"]), int(config["num_single_layers"]),
        int(config["num_attention_heads"]) * int(config["attention_head_dim"]), transformer_file,
    )  # fmt: skip


def _require_flux_dev(config: dict[str, Any], path: Path) -> None:
    if config.get("_class_name") != "FluxTransformer2DModel":
        raise UserError(f"Its transformer is a {config.get('_class_name')}, not a FluxTransformer2DModel.", str(path), CHOOSE_DEV)
    if not config.get("guidance_embeds"):
        raise UserError("This FLUX has no guidance embedding: it is FLUX.1-schnell or made from it. LoRAs for FLUX.1-dev are trained on FLUX.1-dev.", str(path), CHOOSE_DEV)
    if config.get("in_channels") != IN_CHANNELS:
        raise UserError(f"Its transformer takes {config.get('in_channels')} channels instead of {IN_CHANNELS}: it is {RELATIVES.get(config.get('in_channels'), 'another model')}.", str(path), CHOOSE_DEV)
    if "quantization_config" in config:
        method = config["quantization_config"].get("quant_method", "unknown")
        raise UserError(f"Its transformer is stored quantised ({method}), which is not read here.", str(path), USE_ANOTHER)


def _weights(path: Path, parts: tuple[str, ...]) -> list[Path]:
    """All weight files of these parts, each there to its last byte."""
    found = []
    for part in parts:
        files = weight_files(path / part)
        if not files:
            raise UserError(f"The part {part} has no .safetensors weights.", str(path / part), f"{COPY_AGAIN} Pickled weights are not loaded.")
        for file in files:
            require_whole(file)
        found += files
    return found


def _fingerprint(path: Path, weights: list[Path]) -> str:
    """Contents of all small files, size and samples of all weights: hashing 24 GB would take minutes."""
    digest = hashlib.sha256()
    for file in sorted(file for part in PARTS for file in (path / part).rglob("*") if file.is_file() and file.suffix in (".json", ".model", ".txt") and not file.name.endswith(".index.json")):
        digest.update(file.relative_to(path).as_posix().encode() + file.read_bytes())
    for file in weights:
        size = file.stat().st_size
        digest.update(str(size).encode())
        with open(file, "rb") as opened:
            for start in (0, size // 2, max(0, size - SAMPLE)):
                opened.seek(start)
                digest.update(opened.read(SAMPLE))
    return digest.hexdigest()[:16]


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = read_json(file)
    except FileNotFoundError:
        raise UserError(f"This folder is not a FLUX model: {file.name} is missing.", str(file.parent), HOW_TO_GET_ONE) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{file.name} cannot be read: {error}", str(file), COPY_AGAIN) from None
    if not isinstance(content, dict):
        raise UserError(f"{file.name} is not a JSON object.", str(file), COPY_AGAIN)
    return content
