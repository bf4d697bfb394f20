"""What a run will take before it starts: minutes, bytes on disk, memory of each phase."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import torch

from core.durable import read_json
from core.flux.header import read_safetensors_header, weight_files
from core.flux.model_folder import ModelFolder
from core.flux.models import Hardware
from core.settings import Settings
from core.training.memory import Forecast, MemoryPlan, ModelShape, lora_parameters

# Share of the speed of large matrix products that a whole step reaches (docs/experiments.md).
EFFICIENCY = 0.45
# Bytes FLUX's float32 VAE takes a pixel beside its weights (benchmarks/vae_memory.py).
VAE_ENCODING, VAE_DECODING = 2600, 4200


def text_tokens(settings: Settings, model: ModelFolder) -> int:
    """Of every caption: the setting, capped by the model's own tokenizer."""
    try:
        longest = read_json(model.path / "tokenizer_2" / "tokenizer_config.json").get("model_max_length")
    except (OSError, ValueError):
        longest = None
    return min(settings.model.text_length, int(longest)) if longest else settings.model.text_length


def picture_flops(shape: ModelShape, tokens: int, plan: MemoryPlan) -> float:
    """Floating-point operations of training on one picture of that many tokens: forward, gradients of the inputs, what is computed again."""
    blocks = shape.double_blocks + shape.single_blocks
    linear = 2 * tokens * 12 * shape.hidden**2 * blocks
    attention = 4 * tokens**2 * shape.hidden * blocks
    forward = linear + attention
    return forward * (1 + plan.checkpointed / blocks) + linear + 2.5 * attention


def run_seconds(settings: Settings, shape: ModelShape, tokens: int, plan: MemoryPlan, flops_per_second: float) -> float:
    """Of the optimizer steps alone, without samples."""
    train, regularization = settings.train, settings.regularization
    pictures = train.steps * train.gradient_accumulation_steps * train.batch_size
    again = 0.0
    if regularization.enabled:
        # Class photos cost a step like the person's; the base model as the teacher costs one more forward pass.
        again = 1.0 if regularization.folder else 1.4
    return pictures * (1 + again) * picture_flops(shape, tokens, plan) / (EFFICIENCY * flops_per_second)


def sample_seconds(settings: Settings, shape: ModelShape, text: int, flops_per_second: float) -> float:
    """Of all sample pictures of the run, the base model's too; `text` in tokens. Decoding is left out: a picture's is less than one of its steps."""
    sampling = settings.sampling
    if not sampling.every:
        return 0.0
    rounds = 1 + -(-settings.train.steps // sampling.every)
    side = settings.dataset.resolution
    tokens = (sampling.width or side) * (sampling.height or side) // 256 + text
    blocks = shape.double_blocks + shape.single_blocks
    forward = 2 * tokens * 12 * shape.hidden**2 * blocks + 4 * tokens**2 * shape.hidden * blocks
    return rounds * len(sampling.prompts) * sampling.num_inference_steps * forward / (EFFICIENCY * flops_per_second)


@torch.no_grad()
def measured_flops(hardware: Hardware) -> float:
    """Per second, of a large matrix product in the base's precision, timed now (well under a second)."""
    side = 8192 if hardware.device.type == "cuda" else 1024
    one = torch.ones(side, side, device=hardware.device, dtype=hardware.dtype)
    best = float("inf")
    for _ in range(4):
        began = time.monotonic()
        result = one @ one
        result[0, 0].item()
        best = min(best, time.monotonic() - began)
    return 2 * side**3 / best


def disk_bytes(settings: Settings, shape: ModelShape) -> int:
    """Of checkpoints (the kept ones, the best, one being written) and the LoRA file, at most."""
    parameters = lora_parameters(shape, settings.lora.rank, settings.lora.targets)
    weight_and_moments = 6 if settings.optimizer.kind == "adamw8bit" else 12
    checkpoint = parameters * (weight_and_moments + (4 if settings.train.ema_decay else 0))
    return (settings.train.keep_checkpoints + 2) * checkpoint + 2 * parameters * (2 if settings.trains_text_encoder else 1)


def disk_shortage(settings: Settings, shape: ModelShape) -> str | None:
    """A sentence when the output's disk has less free than the run may write."""
    free, needed = free_disk(Path(settings.run.output)), disk_bytes(settings, shape)
    if free >= needed:
        return None
    return f"This run may write {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free where {settings.run.output} is. Free some space, or set a lower RANK or optimizer.kind=adamw8bit."


def free_disk(folder: Path) -> int:
    """Where the folder is or will be."""
    existing = next(place for place in [folder.absolute(), *folder.absolute().parents] if place.exists())
    return shutil.disk_usage(existing).free


def phase_peaks(settings: Settings, needs: Forecast, model: ModelFolder, hardware: Hardware, largest_photo: int) -> dict[str, int]:
    """Bytes on the device at the peak of each phase; `largest_photo` in pixels. The phases come one after the other."""
    vae = 4 * _numbers_in(model.path / "vae")
    peaks = {"captions": encoder_bytes(model, hardware), "photos": vae + VAE_ENCODING * largest_photo, "training": needs.total}
    if settings.sampling.every:
        side, sampling = settings.dataset.resolution, settings.sampling
        peaks["samples"] = needs.weights + needs.lora + vae + VAE_DECODING * (sampling.width or side) * (sampling.height or side)
    return peaks


def encoder_bytes(model: ModelFolder, hardware: Hardware) -> int:
    """T5 and CLIP in memory while captions are encoded."""
    return hardware.dtype.itemsize * sum(_numbers_in(model.path / part) for part in ("text_encoder", "text_encoder_2"))


def _numbers_in(folder: Path) -> int:
    """Weights of a part in diffusers layout."""
    return sum(torch.Size(entry["shape"]).numel() for file in weight_files(folder) for entry in read_safetensors_header(file)[0].values())
