"""The single transformer file people have for ComfyUI: is it a FLUX.1-dev, and are its weights stored in a way that is read here. Reads the header only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.flux.header import read_safetensors_header, require_whole

COMFY_PREFIX = "model.diffusion_model."
SUFFIXES = (".safetensors", ".sft")
FOREIGN_SUFFIXES = {".gguf": "GGUF", ".ckpt": "a pickle", ".pt": "a pickle", ".pth": "a pickle", ".bin": "a pickle"}
# Latents of 16 channels in squares of 2 x 2; models made from FLUX.1-dev for other work take more.
IN_CHANNELS = 64
RELATIVES = {128: "FLUX.1 Depth or Canny", 384: "FLUX.1 Fill"}
DTYPES = ("BF16", "F16", "F32", "F8_E4M3")
# Stand beside fp8 weights in ComfyUI's files: scale of the weight (multiplied in), of the input and descriptions (not needed).
WEIGHT_SCALES = ("scale_weight", "weight_scale")
UNREAD = ("scale_input", "input_scale", "comfy_quant")
MARKER = "scaled_fp8"
USE_ANOTHER = "Choose the bf16, fp16 or fp8 (e4m3) .safetensors file of FLUX.1-dev; memory is saved by the 8-bit base of this studio."
CHOOSE_DEV = "Choose FLUX.1-dev or a model made from it (Krea-dev, merges)."


def require_flux_dev_file(file: Path) -> None:
    """Raises UserError with the reason when the file is no whole FLUX.1-dev transformer in Black Forest Labs' names."""
    if file.suffix.lower() in FOREIGN_SUFFIXES:
        raise UserError(f"This file is {FOREIGN_SUFFIXES[file.suffix.lower()]}, which is not read here.", str(file), USE_ANOTHER)
    require_whole(file)
    header, metadata = read_safetensors_header(file)
    weights = transformer_entries(header)
    _require_names(weights, file)
    _require_dtypes(weights, file)
    if "kontext" in str(metadata.get("modelspec.architecture", "")).lower():
        raise UserError("This is FLUX.1 Kontext, which edits pictures and takes a second one as input.", str(file), CHOOSE_DEV)
    channels = weights["img_in.weight"]["shape"][-1]
    if channels != IN_CHANNELS:
        raise UserError(f"This transformer takes {channels} channels instead of {IN_CHANNELS}: it is {RELATIVES.get(channels, 'another model')}.", str(file), CHOOSE_DEV)


def transformer_entries(header: Mapping[str, Any]) -> dict[str, Any]:
    """The header's entries of the transformer without ComfyUI's prefix; other parts of a full checkpoint are left alone."""
    prefixed = {name.removeprefix(COMFY_PREFIX): entry for name, entry in header.items() if name.startswith(COMFY_PREFIX)}
    return prefixed or dict(header)


def _require_names(weights: Mapping[str, Any], file: Path) -> None:
    if any(name.startswith("double_stream_modulation") for name in weights):
        raise UserError("This is a FLUX.2 transformer.", str(file), CHOOSE_DEV)
    if any("lora_" in name for name in weights):
        raise UserError("This is a LoRA, not a base model.", str(file), "To start from its weights, set RESUME_FROM to it; MODEL_PATH takes a base model.")
    if any(name.startswith("transformer_blocks.") for name in weights):
        raise UserError("This is a transformer in diffusers' names, which are read from a folder.", str(file), "Put it into the folder transformer/ of a FLUX.1-dev in diffusers layout, and set MODEL_PATH to that FLUX.1-dev.")
    if not weights.get("img_in.weight", {}).get("shape") or not any(name.startswith("single_blocks.") for name in weights):
        raise UserError("This file holds no FLUX.1 transformer in Black Forest Labs' names.", str(file), CHOOSE_DEV)
    if not any(name.startswith("guidance_in.") for name in weights):
        raise UserError("This transformer has no guidance embedding: it is FLUX.1-schnell or made from it.", str(file), CHOOSE_DEV)


def _require_dtypes(weights: Mapping[str, Any], file: Path) -> None:
    foreign = [name for name in weights if name.endswith((".absmax", ".quant_map", ".qweight")) or ".quant_state." in name]
    if foreign:
        raise UserError(f"This file is quantised in a format that is not read here (bitsandbytes or the like; first: {foreign[0]}).", str(file), USE_ANOTHER)
    read = {name: entry for name, entry in weights.items() if name != MARKER and not name.endswith(UNREAD)}
    stored = {name: entry["dtype"] for name, entry in read.items() if entry["dtype"] not in DTYPES}
    if stored:
        name = next(iter(stored))
        raise UserError(f"{len(stored)} weights are stored as {stored[name]}, which is not read here (first: {name}).", str(file), USE_ANOTHER)
    scales = [name for name, entry in read.items() if name.endswith(WEIGHT_SCALES) and entry["shape"] not in ([], [1])]
    if scales:
        raise UserError(f"This file has fp8 scales for parts of a weight; one scale per weight is read here (first: {scales[0]}).", str(file), USE_ANOTHER)
