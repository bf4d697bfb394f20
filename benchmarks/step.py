"""Our training step against a plain diffusers + peft loop: same model, targets, pictures and captions, each in its own process.

`python benchmarks/step.py` prints a line per loop and round, then the ratios. CPU seconds, because these machines are shared.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

HIDDEN, HEADS, DOUBLE, SINGLE, SIDE, TEXT, RANK = 512, 4, 4, 8, 32, 64, 16
PICTURES, PROMPT_WIDTH, POOLED_WIDTH = 8, 256, 128
LEARNING_RATE = 1e-4
# Pictures accumulated, checkpointing, pictures a forward.
ROWS = ((1, 0, 1), (4, 0, 1), (4, 0, 2), (4, 0, 4), (1, 1, 1))


def base_dtype():
    """bfloat16 where the device multiplies it itself; CPUs without it take sixty times as long."""
    import torch

    return torch.bfloat16 if torch.cuda.is_available() or torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32


def model(device: str):
    import torch
    from diffusers import FluxTransformer2DModel

    torch.manual_seed(1)
    transformer = FluxTransformer2DModel(
        num_layers=DOUBLE, num_single_layers=SINGLE, num_attention_heads=HEADS, attention_head_dim=HIDDEN // HEADS, joint_attention_dim=PROMPT_WIDTH,
        pooled_projection_dim=POOLED_WIDTH, in_channels=64, guidance_embeds=True, axes_dims_rope=(16, 56, 56),
    )  # fmt: skip
    return transformer.to(device, base_dtype()).requires_grad_(False)


def data():
    """Cached latents and embeddings of a few pictures, on the CPU."""
    import torch

    generator = torch.Generator().manual_seed(2)
    return torch.randn(PICTURES, 16, SIDE, SIDE, generator=generator), torch.randn(PICTURES, TEXT, PROMPT_WIDTH, generator=generator), torch.randn(PICTURES, POOLED_WIDTH, generator=generator)


def plain_steps(accumulation: int, checkpointing: bool, device: str):
    """As diffusers' example trains: float32 LoRA from peft, autocast, one picture a forward, encoders already cached; yields after each optimizer step."""
    import torch
    from diffusers import FluxPipeline
    from peft import LoraConfig

    from core.flux.lora import TARGETS

    transformer = model(device).train()
    transformer.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, init_lora_weights="gaussian", target_modules=TARGETS["attn-mlp"]))
    if checkpointing:
        transformer.enable_gradient_checkpointing()
    parameters = [parameter for parameter in transformer.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.data = parameter.data.float()
    optimizer = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=1e-2)
    dtype = base_dtype()
    latents, prompts, pooled = (tensor.to(device, dtype) for tensor in data())
    picture = 0
    while True:
        for _ in range(accumulation):
            row = slice(picture % PICTURES, picture % PICTURES + 1)
            picture += 1
            noise = torch.randn_like(latents[row])
            sigma = torch.sigmoid(torch.randn(1, device=device))
            noisy = (1 - sigma) * latents[row] + sigma * noise
            with torch.autocast(device, torch.bfloat16, enabled=dtype == torch.bfloat16):
                tokens = transformer(
                    hidden_states=FluxPipeline._pack_latents(noisy.to(dtype), 1, 16, SIDE, SIDE), timestep=sigma, guidance=torch.ones(1, device=device), pooled_projections=pooled[row],
                    encoder_hidden_states=prompts[row], txt_ids=torch.zeros(TEXT, 3, device=device, dtype=dtype),
                    img_ids=FluxPipeline._prepare_latent_image_ids(1, SIDE // 2, SIDE // 2, device, dtype), return_dict=False,
                )[0]  # fmt: skip
            velocity = FluxPipeline._unpack_latents(tokens, SIDE * 8, SIDE * 8, 8)
            loss = (velocity.float() - (noise - latents[row]).float()).pow(2).mean()
            (loss / accumulation).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        yield loss.item()


def our_steps(accumulation: int, checkpointing: bool, device: str, most: int):
    """The trainer's own train_step on the same model, at most `most` pictures a forward; yields after each optimizer step."""
    import torch

    from core.flux.encode import LatentMoments, PromptEmbeds
    from core.flux.forward import checkpoint_blocks
    from core.flux.lora import add_lora, keep_gelu
    from core.flux.models import Hardware
    from core.runs import RunStore
    from core.settings import parse_settings
    from core.training.layout import new_optimizer
    from core.training.memory import MemoryPlan
    from core.training.prepare import Material, Photo
    from core.training.state import TrainState
    from core.training.step import Parts, train_step
    from core.training.world import World

    with tempfile.TemporaryDirectory() as folder:
        settings = parse_settings({"run.output": folder, "run.name": "bench", "lora.rank": RANK, "lora.alpha": RANK, "lora.dropout": 0.0, "train.gradient_accumulation_steps": accumulation, "optimizer.learning_rate": LEARNING_RATE})
        run = RunStore(Path(folder)).create(settings)
    transformer = model(device)
    parameters = add_lora(transformer, RANK, RANK, settings.lora.targets, seed=0)
    plan = MemoryPlan(False, DOUBLE + SINGLE if checkpointing else 0, most, keeps_gelu=not checkpointing)
    checkpoint_blocks(transformer, plan.checkpointed)
    keep_gelu(transformer, plan.keeps_gelu)
    latents, prompts, pooled = data()
    photos = tuple(Photo(str(i), "256x256", LatentMoments(latents[i : i + 1], torch.zeros_like(latents[i : i + 1])), str(i)) for i in range(PICTURES))
    embeds = {str(i): PromptEmbeds(prompts[i : i + 1], pooled[i : i + 1]) for i in range(PICTURES)}
    state = TrainState(transformer, parameters, new_optimizer(parameters, settings), plan)
    parts = Parts(run, None, Hardware(torch.device(device), base_dtype()), Material(photos, (), (), embeds), World())
    while True:
        yield train_step(state, parts, lambda: False).loss


def measure(loop: str, steps: int, accumulation: int, checkpointing: bool, most: int) -> dict[str, object]:
    """One loop in this process: CPU seconds to the first step and per step, peak memory."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(1)
    began = time.process_time()
    run = plain_steps(accumulation, checkpointing, device) if loop == "plain" else our_steps(accumulation, checkpointing, device, most)
    next(run)
    first = time.process_time() - began
    times = []
    for _ in range(steps):
        began = time.process_time() if device == "cpu" else time.monotonic()
        next(run)
        times.append((time.process_time() if device == "cpu" else time.monotonic()) - began)
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"dtype": str(base_dtype()).removeprefix("torch."), "first_step_s": round(first, 2), "step_s": round(statistics.median(times), 4), "peak_mib": round(peak / 2**20)}


def alternate(steps: int) -> dict[str, object]:
    """Both loops in this process, a step of one after a step of the other: on a machine with other work both meet the same. Least CPU seconds."""
    import torch

    torch.set_num_threads(1)
    loops = {"plain": plain_steps(1, False, "cpu"), "ours": our_steps(1, False, "cpu", 1)}
    times: dict[str, list[float]] = {loop: [] for loop in loops}
    for _ in range(steps + 1):
        for loop, run in loops.items():
            began = time.process_time()
            next(run)
            times[loop].append(time.process_time() - began)
    best = {loop: min(seconds[1:]) for loop, seconds in times.items()}
    return {"dtype": str(base_dtype()).removeprefix("torch."), **{f"{loop}_s": round(seconds, 4) for loop, seconds in best.items()}, "ours_to_plain": round(best["ours"] / best["plain"], 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, nargs="+", default=range(len(ROWS)), help="which rows, counted from 0")
    parser.add_argument("--one", nargs=4, metavar=("LOOP", "ACCUMULATION", "CHECKPOINTING", "MOST"), help="a single measurement, in this process")
    parser.add_argument("--alternate", type=int, metavar="STEPS", help="only the first row's step time on a CPU, both loops in one process, step by step")
    arguments = parser.parse_args()
    if arguments.alternate:
        print(json.dumps(alternate(arguments.alternate)))
        return
    if arguments.one:
        loop, accumulation, checkpointing, most = arguments.one
        print(json.dumps(measure(loop, arguments.steps, int(accumulation), checkpointing == "1", int(most))))
        return
    for accumulation, checkpointing, most in (ROWS[row] for row in arguments.rows):
        rounds: dict[str, list[dict[str, float]]] = {"plain": [], "ours": []}
        for _ in range(arguments.rounds):
            for loop, rows in rounds.items():
                command = [sys.executable, __file__, "--steps", str(arguments.steps), "--one", loop, str(accumulation), str(checkpointing), str(most)]
                answer = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
                rows.append(json.loads(answer.stdout.splitlines()[-1]))
        dtype = rounds["plain"][0].pop("dtype")
        best = {loop: {figure: min(row[figure] for row in rows) for figure in ("first_step_s", "step_s", "peak_mib")} for loop, rows in rounds.items()}
        ratio = {figure: round(best["ours"][figure] / best["plain"][figure], 3) for figure in best["ours"]}
        print(json.dumps({"dtype": dtype, "accumulation": accumulation, "checkpointing": bool(checkpointing), "pictures_a_forward": most, **best, "ours_to_plain": ratio}), flush=True)


if __name__ == "__main__":
    main()
