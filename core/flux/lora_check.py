"""What a LoRA file is, whether it is sound, and the same LoRA in another format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from core.durable import write_atomic
from core.errors import Refused, UserError
from core.flux.header import read_safetensors_header
from core.flux.lora_file import KEY_PATTERN, OWN_METADATA, open_as_diffusers_does, payload_sha256, read_lora_header
from core.flux.lora_formats import from_kohya, is_kohya, patches_of, to_kohya

PROBE = {"prompt": "portrait of a person", "width": 64, "height": 64, "num_inference_steps": 2, "output_type": "latent"}


@dataclass(frozen=True)
class Check:
    """One fact about a file, in words, and whether it holds."""

    what: str
    passed: bool


def inspect(file: Path) -> dict[str, Any]:
    """What the header tells, for any LoRA file. Raises UserError for a file that is no safetensors."""
    header, metadata = _header(file)
    ranks = sorted({min(entry["shape"]) for name, entry in header.items() if len(entry["shape"]) == 2 and ("lora_A" in name or "lora_down" in name)})
    own = read_lora_header(file).own if _is_universal(header) else {}
    return {
        "file": file.name,
        "megabytes": round(file.stat().st_size / 1e6, 1),
        "format": "universal" if _is_universal(header) else "kohya" if is_kohya(header) else "unknown",
        "ranks": ranks,
        "layers": sum("lora_A" in name or "lora_down" in name for name in header),
        "text_encoder": any(name.startswith(("text_encoder.", "lora_te")) for name in header),
        "trigger": metadata.get("modelspec.trigger_phrase", ""),
        "title": metadata.get("modelspec.title", metadata.get("ss_output_name", "")),
        "steps": metadata.get("ss_steps", ""),
        "base_model": metadata.get("modelspec.architecture", metadata.get("ss_base_model_version", "")),
        "settings": own.get("settings", {}),
    }


def convert(file: Path, to: str, out: Path) -> Path:
    """Write the LoRA in format `to` (kohya, universal), metadata kept. Raises Refused rather than overwrite."""
    if out.exists():
        raise Refused("There is a file of that name already.", str(out), "Choose another name.")
    header, metadata = _header(file)
    weights = _weights(file)
    if to == "kohya":
        if not _is_universal(header):
            raise Refused("Only a universal file can be written in kohya's format.", str(file), "Use python scripts/lora.py inspect to see what it is.")
        converted = to_kohya(weights)
        metadata = {key: value for key, value in metadata.items() if key != OWN_METADATA} | {"ss_network_module": "networks.lora_flux"}
    else:
        if not is_kohya(header):
            raise Refused("Only a file in kohya's format can be written as universal.", str(file), "Use python scripts/lora.py inspect to see what it is.")
        converted = from_kohya(weights)
    digest = payload_sha256(safetensors.torch.save(converted))
    metadata = {str(key): str(value) for key, value in metadata.items()} | {"format": "pt", "sshs_model_hash": digest, "modelspec.hash_sha256": f"0x{digest}"}
    write_atomic(out, safetensors.torch.save(converted, metadata=metadata))
    return out


def verify(file: Path, model: Path | None) -> list[Check]:
    """Every check a file of this studio must pass; with `model` (a FLUX.1-dev folder) also how diffusers draws with it."""
    header, metadata = _header(file)
    weights = _weights(file)
    universal = _is_universal(header)
    checks = [
        Check("every name is one that diffusers, ComfyUI and Forge know", universal or (is_kohya(header) and not _unknown_kohya(weights))),
        Check("all values are finite", all(bool(torch.isfinite(tensor.float()).all()) for tensor in weights.values())),
        Check("the stored hash is that of the weights", metadata.get("sshs_model_hash", "") in ("", payload_sha256(file.read_bytes()))),
    ]
    if not universal:
        return checks
    opened = open_as_diffusers_does(file)
    patches, unknown = patches_of(weights)
    checks += [
        Check("diffusers reads the same tensors", opened.keys() == weights.keys() and all(torch.equal(opened[name], weights[name]) for name in weights)),
        Check(f"ComfyUI and Forge match all {len(patches)} layers", not unknown),
        Check("kohya's format and back gives the same changes", _same_patches(weights, from_kohya(to_kohya(weights)))),
        Check("the metadata names no path", not any("/" in value and Path(value).is_absolute() for value in metadata.values() if isinstance(value, str))),
    ]
    return checks + (_drawn(file, model) if model else [])


@torch.no_grad()
def _drawn(file: Path, model: Path) -> list[Check]:
    from diffusers import FluxPipeline

    pipeline = FluxPipeline.from_pretrained(model, use_safetensors=True, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)

    def draw() -> Tensor:
        return pipeline(**PROBE, generator=torch.Generator().manual_seed(1)).images

    base = draw()
    pipeline.load_lora_weights(str(file.parent), weight_name=file.name, local_files_only=True)
    full = draw()
    pipeline.set_adapters(pipeline.get_active_adapters(), 0.0)
    return [Check("at strength 0 diffusers draws the base model, bit for bit", torch.equal(base, draw())), Check("at strength 1 it draws something else", not torch.equal(base, full))]


def _same_patches(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    first, second = ({(patch.weight, patch.first_row): patch.change for patch in patches_of(weights)[0]} for weights in (one, other))
    return first.keys() == second.keys() and all(torch.allclose(first[key], second[key], atol=1e-6) for key in first)


def _unknown_kohya(weights: dict[str, Tensor]) -> bool:
    try:
        from_kohya(weights)
    except (UserError, KeyError):
        return True
    return False


def _is_universal(header: dict[str, Any]) -> bool:
    return bool(header) and all(KEY_PATTERN.match(name) for name in header)


def _header(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    if not file.is_file():
        raise UserError("The LoRA file is not there.", str(file), "Check the name.")
    header, metadata = read_safetensors_header(file)
    if not header:
        raise UserError("This safetensors file holds no weights.", str(file), "Choose another file.")
    return header, metadata


def _weights(file: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(file)
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(f"The weights of this LoRA cannot be read: {error}", str(file), "Copy the file again.") from None
