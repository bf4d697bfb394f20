"""The LoRA as a file that diffusers, ComfyUI and Forge all load: PEFT names, alpha folded in, float16, honest metadata."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from core.durable import parse_json, write_atomic
from core.errors import UserError
from core.flux.header import read_safetensors_header
from core.flux.model_folder import ModelFolder
from core.settings import Settings

# peft's names of CLIP's weights begin with "encoder."; in the file they carry the module path of the pipeline, as ComfyUI and Forge know it.
TRANSFORMER_PREFIX = "transformer."
ENCODER_PREFIX = "text_encoder.text_model."
KEY_PATTERN = re.compile(r"^(?:transformer\.((?:single_)?transformer_blocks\.\d+\.[a-z0-9_.]+)|text_encoder\.text_model\.(encoder\.layers\.\d+\.[a-z0-9_.]+))\.lora_([AB])\.weight$")
OWN_METADATA = "identity_lora_studio"


@dataclass(frozen=True)
class LoraFile:
    """What the header of a LoRA file says; weights stay on disk. `encoder_rank` is 0 where the text encoder was not trained."""

    path: Path
    rank: int
    targets: frozenset[str]
    metadata: Mapping[str, str]
    encoder_rank: int = 0

    @property
    def trigger_word(self) -> str:
        return self.metadata.get("modelspec.trigger_phrase", "")

    @property
    def own(self) -> dict[str, object]:
        """What this studio wrote about the run; empty for files of others."""
        try:
            own = parse_json(self.metadata.get(OWN_METADATA, "{}"))
        except ValueError:
            return {}
        return own if isinstance(own, dict) else {}


def save_lora_file(path: Path, weights: Mapping[str, Tensor], scale: float, metadata: Mapping[str, str]) -> LoraFile:
    """Fold `scale` (alpha / rank) into B, write, open again as diffusers does, compare, and only then publish under `path`.

    `weights` go by peft's names, those of the text encoder among them. Raises UserError when the weights are not finite or what was written cannot be read back.
    """
    folded = {_name_in_file(name): (tensor * scale if ".lora_B." in name else tensor).half().contiguous() for name, tensor in sorted(weights.items())}
    broken = [name for name, tensor in folded.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise UserError(f"The LoRA has values that are not finite (first in {broken[0]}).", str(path), "Resume from an earlier checkpoint with a lower learning rate (UNET_LR=5e-5).")
    digest = payload_sha256(safetensors.torch.save(folded))
    complete = {**metadata, "format": "pt", "sshs_model_hash": digest, "modelspec.hash_sha256": f"0x{digest}"}
    hidden = path.with_name(f".unproven-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(hidden, safetensors.torch.save(folded, metadata=complete))
        opened = open_as_diffusers_does(hidden)
        same = opened.keys() == folded.keys() and all(torch.equal(opened[name], tensor) for name, tensor in folded.items())
        if not same or payload_sha256(hidden.read_bytes()) != digest:
            raise UserError("The LoRA could not be read back as it was written.", str(path), "Check the disk, then resume from the last checkpoint.")
        os.replace(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)
    return read_lora_header(path)


def metadata_of(settings: Settings, model: ModelFolder, step: int, photos: int, buckets: Mapping[str, int]) -> dict[str, str]:
    """Standard keys (modelspec 1.0.1, kohya's ss_*) and the settings of the run; no path, no photo, no secret."""
    dataset, lora = settings.dataset, settings.lora
    now = time.time()
    own = settings.model_dump(mode="json", exclude={"run": {"output", "warm_start"}, "model": {"path"}, "dataset": {"folder"}, "regularization": {"folder"}, "evaluation": True})
    return {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": "flux-1-dev/lora",
        "modelspec.implementation": "https://github.com/black-forest-labs/flux",
        "modelspec.title": settings.run.name,
        "modelspec.resolution": f"{dataset.resolution}x{dataset.resolution}",
        "modelspec.date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "modelspec.trigger_phrase": dataset.trigger_word,
        "ss_base_model_version": "flux1",
        "ss_output_name": settings.run.name,
        "ss_network_dim": str(lora.rank),
        "ss_network_alpha": str(lora.rank),  # alpha is folded into the weights, so loaders must see scale 1
        "ss_steps": str(step),
        "ss_learning_rate": str(settings.optimizer.learning_rate),
        "ss_num_train_images": str(photos),
        "ss_tag_frequency": json.dumps({settings.run.name: {dataset.trigger_word: photos}}),
        "ss_bucket_info": json.dumps({"buckets": {str(i): {"resolution": size, "count": count} for i, (size, count) in enumerate(buckets.items())}}),
        "ss_training_started_at": str(now),
        OWN_METADATA: json.dumps({"version": 1, "model": model.fingerprint, "step": step, "settings": own}),
    }


def read_lora_header(path: Path) -> LoraFile:
    """Reads names, shapes and metadata only. Raises UserError for anything that is not a FLUX transformer LoRA."""
    fix = "Choose a FLUX.1 LoRA in diffusers format, such as the ones trained here."
    if not path.is_file():
        raise UserError("The LoRA file is not there.", str(path), "Check the name; finished runs write output/<run>.safetensors.")
    header, metadata = read_safetensors_header(path)
    if not header:
        raise UserError("This safetensors file holds no weights.", str(path), fix)
    foreign = [name for name, entry in header.items() if not KEY_PATTERN.match(name) or len(entry["shape"]) != 2]
    if foreign:
        raise UserError(f"This file has weights that are no FLUX transformer LoRA (first: {str(foreign[0])[:80]}).", str(path), fix)
    rank, encoder_rank = (_rank_of(header, prefix, path) for prefix in (TRANSFORMER_PREFIX, ENCODER_PREFIX))
    if not rank:
        raise UserError("This LoRA changes only the text encoder.", str(path), fix)
    targets = frozenset(match.group(1) for name in header if (match := KEY_PATTERN.match(name)) and match.group(1))
    return LoraFile(path, rank, targets, {str(key): str(value) for key, value in metadata.items()}, encoder_rank)


def load_lora_weights(file: LoraFile) -> dict[str, Tensor]:
    """The transformer's weights: peft's names to float32 tensors at scale 1 (load with alpha = rank)."""
    return _load(file, TRANSFORMER_PREFIX)


def load_encoder_weights(file: LoraFile) -> dict[str, Tensor]:
    """The text encoder's weights in the same way; empty where it was not trained."""
    return _load(file, ENCODER_PREFIX)


def _load(file: LoraFile, prefix: str) -> dict[str, Tensor]:
    try:
        with safetensors.safe_open(file.path, "pt") as opened:
            return {name.removeprefix(prefix): opened.get_tensor(name).float() for name in opened.keys() if name.startswith(prefix)}  # noqa: SIM118 (not a dict)
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(f"The weights of this LoRA cannot be read: {error}", str(file.path), "Copy the file again.") from None


def _name_in_file(name: str) -> str:
    return (ENCODER_PREFIX if name.startswith("encoder.") else TRANSFORMER_PREFIX) + name


def open_as_diffusers_does(file: Path) -> dict[str, Tensor]:
    from diffusers import FluxPipeline

    weights, alphas = FluxPipeline.lora_state_dict(str(file.parent), weight_name=file.name, return_alphas=True, local_files_only=True)
    return weights if not alphas else {}


def _rank_of(header: Mapping[str, Any], prefix: str, path: Path) -> int:
    ranks = {int(entry["shape"][0]) for name, entry in header.items() if name.startswith(prefix) and name.endswith("lora_A.weight")}
    if len(ranks) > 1:
        raise UserError(f"This LoRA has several ranks ({sorted(ranks)}).", str(path), "Use a LoRA with one rank.")
    return ranks.pop() if ranks else 0


def payload_sha256(raw: bytes) -> str:
    """Of the bytes after the header, so that it does not depend on the metadata that carries it."""
    length = int.from_bytes(raw[:8], "little")
    return hashlib.sha256(raw[8 + length :]).hexdigest()
