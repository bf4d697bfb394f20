"""All strengths of a row in one forward against one after the other, on the pocket FLUX: `python benchmarks/strength_grid.py`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from core.flux.encode import PromptEmbeds
from core.flux.lora import add_lora, lora_weights, set_lora_weights
from core.flux.model_folder import open_model_folder
from core.flux.models import choose_hardware, load_transformer
from core.flux.sampler import Drawing, draw_latents
from core.settings import POCKET_FLUX

STRENGTHS = (0.0, 0.5, 0.8, 1.0, 1.2)
ROUNDS = 5


def main() -> None:
    folder, hardware = open_model_folder(Path(__file__).resolve().parent.parent / POCKET_FLUX), choose_hardware("fp32")
    transformer = load_transformer(folder, hardware)
    add_lora(transformer, 16, 16, "attn-mlp", seed=0)
    generator = torch.Generator().manual_seed(1)
    set_lora_weights(transformer, {name: 0.05 * torch.randn(tensor.shape, generator=generator) for name, tensor in lora_weights(transformer).items()})
    config = transformer.config
    prompt = PromptEmbeds(torch.randn(1, 32, config.joint_attention_dim, generator=generator), torch.randn(1, config.pooled_projection_dim, generator=generator))
    drawing = Drawing(128, 128, 20, 3.5)
    seconds: dict[str, list[float]] = {"together": [], "serial": []}
    for _ in range(ROUNDS):
        began = time.process_time()
        together = draw_latents(transformer, prompt, 1, STRENGTHS, drawing, hardware)
        seconds["together"].append(time.process_time() - began)
        began = time.process_time()
        serial = torch.cat([draw_latents(transformer, prompt, 1, [strength], drawing, hardware) for strength in STRENGTHS])
        seconds["serial"].append(time.process_time() - began)
    best = {name: min(values) for name, values in seconds.items()}
    print(json.dumps({"together_cpu_s": round(best["together"], 2), "serial_cpu_s": round(best["serial"], 2), "ratio": round(best["serial"] / best["together"], 2), "largest_difference": (together - serial).abs().max().item()}))


if __name__ == "__main__":
    main()
