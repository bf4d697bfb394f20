"""A FLUX.1-dev on disk: is this folder one, what size is it made for, and what identifies it. Reads JSON only."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UserError

PARTS = ("scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "transformer", "vae")
HOW_TO_GET_ONE = "Set MODEL_PATH to a folder of FLUX.1-dev in diffusers layout (hf download black-forest-labs/FLUX.1-dev --local-dir FOLDER), or to presets/pocket-flux."


@dataclass(frozen=True)
class ModelFolder:
    """`image_size` is the side in pixels the model was made for; `fingerprint` changes when any weight file changes size or name."""

    path: Path
    image_size: int
    fingerprint: str
    double_blocks: int
    single_blocks: int
    hidden: int


def open_model_folder(path: Path) -> ModelFolder:
    """Raises UserError when the folder is not a complete, guidance-distilled FLUX.1."""
    if not path.is_dir():
        raise UserError("The base model is not there.", str(path), HOW_TO_GET_ONE)
    index = _read_json(path / "model_index.json")
    if "Flux" not in str(index.get("_class_name")) or "Flux2" in str(index.get("_class_name")):
        raise UserError(f"This model is a {index.get('_class_name', 'unknown kind')}, not a FLUX.1.", str(path), HOW_TO_GET_ONE)
    missing = [part for part in PARTS if not (path / part).is_dir()]
    if missing:
        raise UserError(f"The model is incomplete: {', '.join(missing)} missing.", str(path), "Copy or download it again.")
    transformer = _read_json(path / "transformer" / "config.json")
    if transformer.get("_class_name") != "FluxTransformer2DModel":
        raise UserError(f"Its transformer is a {transformer.get('_class_name')}, not a FluxTransformer2DModel.", str(path), HOW_TO_GET_ONE)
    if not transformer.get("guidance_embeds"):
        raise UserError("This FLUX has no guidance embedding: it is FLUX.1-schnell or made from it. LoRAs for FLUX.1-dev are trained on FLUX.1-dev.", str(path), HOW_TO_GET_ONE)
    if not list((path / "transformer").glob("*.safetensors")):
        raise UserError("The transformer has no .safetensors weights.", str(path / "transformer"), "Copy or download it again; pickled weights are not loaded.")
    vae = _read_json(path / "vae" / "config.json")
    return ModelFolder(
        path, int(vae.get("sample_size", 1024)), _fingerprint(path), int(transformer["num_layers"]), int(transformer["num_single_layers"]),
        int(transformer["num_attention_heads"]) * int(transformer["attention_head_dim"]),
    )


def _fingerprint(path: Path) -> str:
    """Names and sizes of all weights, contents of all small files: hashing 24 GB would take minutes."""
    digest = hashlib.sha256()
    for file in sorted(f for part in PARTS for f in (path / part).rglob("*") if f.is_file()):
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
