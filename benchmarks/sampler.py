"""Sampling with a LoRA: ours against FluxPipeline with peft's layers, and all strengths of a row in one forward against one after the other.

`python benchmarks/sampler.py` prints a line for the pocket FLUX and one for a random model of middle size.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from diffusers import FluxPipeline, FluxTransformer2DModel
from peft import LoraConfig
from step import model as middle_size

from core.flux.encode import PromptEmbeds
from core.flux.flow import unpack
from core.flux.lora import TARGETS, add_lora, lora_weights, set_lora_weights
from core.flux.model_folder import open_model_folder
from core.flux.models import Hardware, load_transformer
from core.flux.sampler import Drawing, draw_latents, first_noise
from core.pocket.models import scheduler
from core.settings import POCKET_FLUX

ROOT = Path(__file__).resolve().parent.parent
STRENGTHS = (0.0, 0.5, 0.8, 1.0, 1.2)
RANK, TEXT = 16, 32


def models(name: str, hardware: Hardware) -> list[FluxTransformer2DModel]:
    """The same weights and LoRA twice: with our layers and with peft's."""
    load = (lambda: load_transformer(open_model_folder(ROOT / POCKET_FLUX), hardware)) if name == "pocket" else (lambda: middle_size(hardware.device.type).to(hardware.dtype))
    ours, theirs = load(), load()
    add_lora(ours, RANK, RANK, "attn-mlp", seed=0)
    theirs.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=TARGETS["attn-mlp"]))
    generator = torch.Generator().manual_seed(1)
    weights = {key: 0.05 * torch.randn(tensor.shape, generator=generator) for key, tensor in sorted(lora_weights(ours).items())}
    for transformer in (ours, theirs):
        set_lora_weights(transformer.eval(), weights)
    return [ours, theirs]


def by_pipeline(transformer: FluxTransformer2DModel, prompt: PromptEmbeds, drawing: Drawing) -> torch.Tensor:
    pipeline = FluxPipeline(scheduler(), None, None, None, None, None, transformer)
    pipeline.set_progress_bar_config(disable=True)
    noise = first_noise(drawing, 16, 1).to(transformer.dtype)
    tokens = pipeline(
        prompt_embeds=prompt.prompt_embeds.to(transformer.dtype), pooled_prompt_embeds=prompt.pooled_prompt_embeds.to(transformer.dtype), height=drawing.height, width=drawing.width,
        num_inference_steps=drawing.num_inference_steps, guidance_scale=drawing.guidance_scale, latents=FluxPipeline._pack_latents(noise, 1, 16, *noise.shape[2:]), output_type="latent",
    ).images  # fmt: skip
    return unpack(tokens.float(), drawing.height // 8, drawing.width // 8).cpu()


def seconds_of(work: Callable[[], torch.Tensor], on_gpu: bool) -> tuple[float, torch.Tensor]:
    clock = time.monotonic if on_gpu else time.process_time
    began = clock()
    result = work()
    return clock() - began, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    on_gpu = torch.cuda.is_available()
    hardware = Hardware(torch.device("cuda" if on_gpu else "cpu"), torch.bfloat16 if on_gpu else torch.float32)
    for name, drawing in (("pocket", Drawing(128, 128, 20, 3.5)), ("middle", Drawing(256, 256, 8, 3.5))):
        ours, theirs = models(name, hardware)
        config, generator = ours.config, torch.Generator().manual_seed(1)
        prompt = PromptEmbeds(torch.randn(1, TEXT, config.joint_attention_dim, generator=generator), torch.randn(1, config.pooled_projection_dim, generator=generator))
        works: dict[str, Callable[[], torch.Tensor]] = {
            "pipeline": lambda m=theirs, p=prompt, d=drawing: by_pipeline(m, p, d),
            "ours": lambda m=ours, p=prompt, d=drawing: draw_latents(m, p, 1, [1.0], d, hardware),
            "serial": lambda m=ours, p=prompt, d=drawing: torch.cat([draw_latents(m, p, 1, [strength], d, hardware) for strength in STRENGTHS]),
            "together": lambda m=ours, p=prompt, d=drawing: draw_latents(m, p, 1, STRENGTHS, d, hardware),
        }
        seconds: dict[str, float] = {}
        pictures: dict[str, torch.Tensor] = {}
        for _ in range(arguments.rounds):
            for what, work in works.items():
                took, pictures[what] = seconds_of(work, on_gpu)
                seconds[what] = min(took, seconds.get(what, took))
        line = {"model": name, **{what: round(took, 2) for what, took in seconds.items()}}
        line |= {"ours_to_pipeline": round(seconds["ours"] / seconds["pipeline"], 2), "together_to_serial": round(seconds["together"] / seconds["serial"], 2)}
        line |= {f"difference_to_{other}": (pictures[mine] - pictures[other]).abs().max().item() for mine, other in (("ours", "pipeline"), ("together", "serial"))}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
