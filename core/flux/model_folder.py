"""A FLUX.1-dev on disk: is this folder one, what size is it made for, and what identifies it. Reads JSON only."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UserError

LARGEST_HEADER = 100_000_000
PARTS = ("scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "transformer", "vae")
FLUX_DEV = "black-forest-labs/FLUX.1-dev"
HOW_TO_GET_ONE = f"Set MODEL_PATH to a folder of FLUX.1-dev in diffusers layout, to a hub id that was downloaded (python scripts/download_model.py {FLUX_DEV}), or to presets/pocket-flux."
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# Latents of 16 channels in squares of 2 x 2; Fill, Canny and Depth take more.
IN_CHANNELS = 64


@dataclass(frozen=True)
class ModelFolder:
    """`image_size` is the side in pixels the model was made for; `fingerprint` changes when any weight file changes size or name.

    `transformer_file` is a single file that takes the place of the folder's own transformer weights.
    """

    path: Path
    image_size: int
    fingerprint: str
    double_blocks: int
    single_blocks: int
    hidden: int
    transformer_file: Path | None = None


def open_model_folder(path: Path) -> ModelFolder:
    """A folder, a hub id in the local cache, or a single transformer file beside (or besides) a FLUX.1-dev; nothing heavy is read.

    Raises UserError when it is not a complete, guidance-distilled FLUX.1.
    """
    if path.suffix == ".safetensors":
        return _open(_parts_for(path), path)
    return _open(path if path.is_dir() else _cached(str(path)) or path, None)


def _open(path: Path, transformer_file: Path | None) -> ModelFolder:
    if not path.is_dir():
        raise UserError("The base model is not there.", str(path), HOW_TO_GET_ONE)
    index = _read_json(path / "model_index.json")
    if index.get("_class_name") != "FluxPipeline":
        raise UserError(f"This model is a {index.get('_class_name', 'unknown kind')}, not a FLUX.1-dev.", str(path), HOW_TO_GET_ONE)
    missing = [part for part in PARTS if not (path / part).is_dir()]
    if missing:
        raise UserError(f"The model is incomplete: {', '.join(missing)} missing.", str(path), "Copy or download it again.")
    transformer = _read_json(path / "transformer" / "config.json")
    _require_flux_dev(transformer, path)
    if transformer_file:
        _require_same_kind(transformer_file)
    elif not list((path / "transformer").glob("*.safetensors")):
        raise UserError("The transformer has no .safetensors weights.", str(path / "transformer"), "Copy or download it again; pickled weights are not loaded.")
    vae = _read_json(path / "vae" / "config.json")
    return ModelFolder(
        path, int(vae.get("sample_size", 1024)), _fingerprint(path, transformer_file), int(transformer["num_layers"]), int(transformer["num_single_layers"]),
        int(transformer["num_attention_heads"]) * int(transformer["attention_head_dim"]), transformer_file,
    )  # fmt: skip


def _require_flux_dev(config: dict[str, Any], path: Path) -> None:
    if config.get("_class_name") != "FluxTransformer2DModel":
        raise UserError(f"Its transformer is a {config.get('_class_name')}, not a FluxTransformer2DModel.", str(path), HOW_TO_GET_ONE)
    if not config.get("guidance_embeds"):
        raise UserError("This FLUX has no guidance embedding: it is FLUX.1-schnell or made from it. LoRAs for FLUX.1-dev are trained on FLUX.1-dev.", str(path), HOW_TO_GET_ONE)
    if config.get("in_channels") != IN_CHANNELS:
        raise UserError(f"Its transformer takes {config.get('in_channels')} channels instead of {IN_CHANNELS}: it is a Fill, Canny or Depth model.", str(path), HOW_TO_GET_ONE)


def _require_same_kind(file: Path) -> None:
    """What the header of a single transformer file gives away. Raises UserError."""
    if not file.is_file():
        raise UserError("The transformer file is not there.", str(file), HOW_TO_GET_ONE)
    names = {name.removeprefix("model.diffusion_model.") for name in read_safetensors_header(file)[0]}
    if "img_in.weight" not in names or not any(name.startswith("single_blocks.") for name in names):
        raise UserError("This file holds no FLUX.1 transformer in Black Forest Labs' names.", str(file), HOW_TO_GET_ONE)
    if any("double_stream_modulation" in name for name in names):
        raise UserError("This is a FLUX.2 transformer.", str(file), HOW_TO_GET_ONE)
    if not any(name.startswith("guidance_in.") for name in names):
        raise UserError("This transformer has no guidance embedding: it is FLUX.1-schnell or made from it.", str(file), HOW_TO_GET_ONE)
    foreign = [name for name in names if name.endswith((".absmax", ".quant_map"))]
    if foreign:
        raise UserError(f"This file is quantised in a format that is not read here (bitsandbytes; first: {foreign[0]}).", str(file), "Use the bf16 or fp8 file; memory is saved by the 8-bit base of this studio.")


def read_safetensors_header(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Names with dtypes and shapes, and the metadata. Raises UserError for anything that is no safetensors file."""
    try:
        with open(file, "rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if not 2 <= length <= min(LARGEST_HEADER, file.stat().st_size - 8):
                raise ValueError("its header length cannot be true")
            header = json.loads(opened.read(length))
        if not isinstance(header, dict):
            raise ValueError("its header is no list of weights")
        metadata = header.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(entry, dict) and isinstance(entry.get("shape"), list) for entry in header.values()):
            raise ValueError("its header is no list of weights")
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"This is not a safetensors file: {error}", str(file), "Only .safetensors files are loaded, never pickles or GGUF.") from None
    return header, metadata


def _parts_for(file: Path) -> Path:
    """Where encoders, VAE and configuration of a single transformer file come from."""
    if (file.parent / "model_index.json").is_file():
        return file.parent
    cached = _cached(FLUX_DEV)
    if cached is None:
        raise UserError("A single transformer file needs the other parts of FLUX.1-dev (text encoders, VAE).", str(file), f"Put it into a FLUX.1-dev folder, or download those parts: python scripts/download_model.py {FLUX_DEV} --without-transformer.")
    return cached


def _cached(hub_id: str) -> Path | None:
    """The folder of a hub id that was downloaded, or None."""
    if not HUB_ID.fullmatch(hub_id):
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, local_files_only=True))
    except (LocalEntryNotFoundError, OSError):
        return None


def _fingerprint(path: Path, transformer_file: Path | None) -> str:
    """Names and sizes of all weights, contents of all small files: hashing 24 GB would take minutes."""
    digest = hashlib.sha256()
    files = sorted(f for part in PARTS for f in (path / part).rglob("*") if f.is_file())
    if transformer_file:
        digest.update(f"{transformer_file.name}:{transformer_file.stat().st_size}".encode())
        files = [file for file in files if file.parent.name != "transformer" or file.suffix == ".json"]
    for file in files:
        size = file.stat().st_size
        digest.update(f"{file.relative_to(path)}:{size}".encode())
        if size < 100_000:
            digest.update(file.read_bytes())
        else:
            with open(file, "rb") as opened:
                digest.update(opened.read(65536))
    return digest.hexdigest()[:16]


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"This folder is not a FLUX model: {file.name} is missing.", str(file.parent), HOW_TO_GET_ONE) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{file.name} cannot be read: {error}", str(file), "Copy or download the model again.") from None
    if not isinstance(content, dict):
        raise UserError(f"{file.name} is not a JSON object.", str(file), "Copy or download the model again.")
    return content
