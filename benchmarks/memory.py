"""The memory forecast against what a training step takes: `python benchmarks/memory.py` prints a line per layout.

On a GPU with a full-size FLUX.1-dev of random weights (`--full`), else with the random model of middle size: there the peak of the process over what its libraries take.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

LAYOUTS = [(int8, part, most, host) for int8 in (0, 1) for part in (0, 2, 1) for most in (1, 4) for host in (0, 1)]


def resident_peak() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def measure(int8: bool, part: int, most: int, host: bool, full: bool, side: int, rank: int) -> dict[str, object]:
    """One layout in this process: `part` 0 is no checkpointing, 1 all blocks, 2 half of them."""
    import torch
    from diffusers import FluxTransformer2DModel
    from step import base_dtype
    from step import model as middle_size

    from core.flux.encode import LatentMoments, PromptEmbeds
    from core.flux.forward import checkpoint_blocks
    from core.flux.int8 import quantize_linears
    from core.flux.lora import add_lora
    from core.flux.models import Hardware
    from core.flux.modulation import move_modulation_to_host
    from core.runs import RunStore
    from core.settings import parse_settings
    from core.training.layout import new_optimizer
    from core.training.memory import WORKSPACE, MemoryPlan, ModelShape, forecast
    from core.training.prepare import Material, Photo
    from core.training.state import TrainState
    from core.training.step import Parts, train_step
    from core.training.world import World

    on_gpu = torch.cuda.is_available()
    hardware = Hardware(torch.device("cuda" if on_gpu else "cpu"), base_dtype())
    torch.ones(512, 512, device=hardware.device) @ torch.ones(512, 512, device=hardware.device)
    before = 0 if on_gpu else resident_peak()
    if full:
        torch.set_default_dtype(hardware.dtype)
        with hardware.device:
            transformer = FluxTransformer2DModel(guidance_embeds=True)
        torch.set_default_dtype(torch.float32)
    else:
        transformer = middle_size(hardware.device.type)
    parameters_of_all = sum(parameter.numel() for parameter in transformer.requires_grad_(False).parameters())
    for block in [*transformer.transformer_blocks, *transformer.single_transformer_blocks]:
        if host:
            move_modulation_to_host(block)
        if int8:
            quantize_linears(block)
    config = transformer.config
    blocks = config.num_layers + config.num_single_layers
    plan = MemoryPlan(bool(int8), {0: 0, 1: blocks, 2: blocks // 2}[part], most, bool(host))
    shape = ModelShape(config.num_layers, config.num_single_layers, config.num_attention_heads * config.attention_head_dim, config.num_attention_heads, 0)
    shape = dataclasses.replace(shape, other_parameters=parameters_of_all - shape.linear_parameters)
    with tempfile.TemporaryDirectory() as folder:
        settings = parse_settings({"run.output": folder, "run.name": "bench", "lora.rank": rank, "lora.alpha": rank, "train.gradient_accumulation_steps": most})
        run = RunStore(Path(folder)).create(settings)
    parameters = add_lora(transformer, rank, rank, "attn-mlp", seed=0)
    checkpoint_blocks(transformer, plan.checkpointed)
    text = 512 if full else 64
    latents = torch.randn(1, 16, side // 8, side // 8)
    photos = tuple(Photo(str(i), "one", LatentMoments(latents, torch.zeros_like(latents)), "caption") for i in range(4))
    embeds = {"caption": PromptEmbeds(torch.randn(1, text, config.joint_attention_dim), torch.randn(1, config.pooled_projection_dim))}
    state = TrainState(transformer, parameters, new_optimizer(parameters, settings), plan)
    parts = Parts(run, None, hardware, Material(photos, (), (), embeds), World())
    for _ in range(3):
        train_step(state, parts, lambda: False)
    peak = torch.cuda.max_memory_allocated() if on_gpu else resident_peak() - before
    said = forecast(shape, plan, hardware.dtype.itemsize, rank, "attn-mlp", side * side // 256 + text).total - (0 if on_gpu else WORKSPACE)
    return {"int8": bool(int8), "checkpointed": plan.checkpointed, "pictures_a_forward": most, "modulation_on_host": bool(host), "forecast_mib": round(said / 2**20), "peak_mib": round(peak / 2**20), "ratio": round(said / peak, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="FLUX.1-dev's own size")
    parser.add_argument("--side", type=int, default=256, help="pixels")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--one", nargs=4, type=int, metavar=("INT8", "PART", "MOST", "HOST"))
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(*arguments.one, arguments.full, arguments.side, arguments.rank)))
        return
    for layout in LAYOUTS:
        command = [sys.executable, __file__, "--side", str(arguments.side), "--rank", str(arguments.rank), *(["--full"] if arguments.full else []), "--one", *map(str, layout)]
        answer = subprocess.run(command, capture_output=True, text=True)
        print(answer.stdout.splitlines()[-1] if answer.returncode == 0 else json.dumps({"layout": layout, "failed": answer.stderr.splitlines()[-1]}), flush=True)


if __name__ == "__main__":
    main()
