"""Training steps of a full-size FLUX.1-dev with random weights: speed, memory against its forecast, fits, exactness. `python benchmarks/gpu_steps.py`

Without a GPU the same rows run at toy size, to show that they run. Results are kept in data/benchmarks/ and not measured again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from rows import Row, measure_rows

KEPT = Path("data/benchmarks")
STEPS, WARM = 8, 3
FAST, FINAL = {"side": 512, "rank": 32, "accumulation": 1}, {"side": 768, "rank": 64, "accumulation": 4}


def speed_rows() -> list[Row]:
    """Ours eager and compiled beside the plain loop; 8-bit bases with and without 8-bit products."""
    rows: list[Row] = []
    for side, rank, most, checkpointing in itertools.product((512, 768), (32, 64), (1, 2, 4), (False, True)):
        common = {"kind": "speed", "side": side, "rank": rank, "most": most, "checkpointing": checkpointing}
        rows += [{**common, "loop": loop, "base": "full"} for loop in ("ours", "compiled", "plain")]
        rows += [{**common, "loop": "ours", "base": base} for base in ("int8", "int8-products")]
    return rows


def fit_rows() -> list[Row]:
    return [{"kind": "fit", "gib": gib, **profile} for gib, profile in ((16, FAST), (24, FAST), (24, FINAL), (80, FINAL))]


def exactness_rows() -> list[Row]:
    return [{"kind": "exactness", "side": 512, "rank": 16, "steps": 50}]


def measure(row: Row) -> Row:
    return {"speed": speed, "fit": fit, "exactness": exactness}[row["kind"]](row)


def speed(row: Row) -> Row:
    import torch
    from training import hardware_here, lay_out, model_shape, random_transformer, size_here, training_of

    from core.flux.forward import compile_blocks
    from core.training.memory import MemoryPlan, forecast
    from core.training.outlook import measured_flops, picture_flops

    size, hardware = size_here(), hardware_here()
    side = side_here(row["side"])
    transformer = random_transformer(size, hardware)
    shape, tokens = model_shape(transformer), side * side // 256 + size.text
    plan = MemoryPlan(row["base"] != "full", shape.double_blocks + shape.single_blocks if row["checkpointing"] else 0, row["most"])
    if row["loop"] == "plain":
        step = plain_step(transformer, row, side, size.text, hardware)
    else:
        lay_out(transformer, plan, row["base"] == "int8-products")
        if row["loop"] == "compiled":
            compile_blocks(transformer)
        step = our_step(*training_of(transformer, plan, hardware, row["rank"], side, size.text, row["most"]))
    first, seconds = timed(step)
    rate = picture_flops(shape, tokens, MemoryPlan(False, 0, 1)) * row["most"] / seconds
    said = forecast(shape, plan, hardware.dtype.itemsize, row["rank"], "attn-mlp", tokens).total
    peak = torch.cuda.max_memory_allocated() if hardware.device.type == "cuda" else 0
    return {
        **machine(), "first_step_s": round(first, 2), "sample_s": round(seconds / row["most"], 4), "tflops": round(rate / 1e12, 2), "share_of_product_speed": round(rate / measured_flops(hardware), 3),
        "peak_gib": round(peak / 2**30, 2), "forecast_gib": round(said / 2**30, 2),
    }  # fmt: skip


def fit(row: Row) -> Row:
    """The first rung of the ladder for a card of that size, with the allocator capped at it."""
    import torch
    from training import hardware_here, lay_out, model_shape, random_transformer, size_here, training_of

    from core.training.preflight import ladder, layout_words

    size, hardware, side = size_here(), hardware_here(), side_here(row["side"])
    tokens, free = side * side // 256 + size.text, int((row["gib"] * 0.97 - 0.6) * 2**30)
    transformer = random_transformer(size, hardware)  # larger than a small card: the cap comes once it is laid out
    shape = model_shape(transformer)
    plan, needs = ladder(shape, free, hardware.dtype.itemsize, row["rank"], "attn-mlp", tokens, row["accumulation"], hosts_modulation=hardware.device.type == "cuda")[0]
    lay_out(transformer, plan)
    if hardware.device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.set_per_process_memory_fraction(min(1.0, free / torch.cuda.get_device_properties(0).total_memory))
    _, seconds = timed(our_step(*training_of(transformer, plan, hardware, row["rank"], side, size.text, row["accumulation"])))
    peak = torch.cuda.max_memory_allocated() if hardware.device.type == "cuda" else 0
    return {**machine(), "layout": layout_words(plan, shape), "step_s": round(seconds, 3), "peak_gib": round(peak / 2**30, 2), "forecast_gib": round(needs.total / 2**30, 2)}


def exactness(row: Row) -> Row:
    """Losses of the same steps by our pass and by diffusers' with peft's layers, from one seed."""
    import torch
    from training import hardware_here, random_transformer, size_here, training_of

    import core.training.step as step_module
    from core.training.memory import MemoryPlan

    size, hardware, side = size_here(), hardware_here(), side_here(row["side"])
    curves = []
    for predict in (step_module.predict_velocity, diffusers_velocity):
        step_module.predict_velocity = predict
        state, parts = training_of(random_transformer(size, hardware), MemoryPlan(False, 0, 1, keeps_gelu=True), hardware, row["rank"], side, size.text, 1)
        curves.append([step_module.train_step(state, parts, lambda: False).loss for _ in range(row["steps"])])
        del state, parts
    ours, theirs = torch.tensor(curves)
    return {**machine(), "largest_difference": (ours - theirs).abs().max().item(), "of_loss": ((ours - theirs).abs() / theirs).max().item(), "first": curves[0][0], "last": curves[0][-1]}


def diffusers_velocity(transformer, noisy, sigma, prompt_embeds, pooled, guidance_scale, dtype):
    """predict_velocity by diffusers' own pass."""
    import torch

    from core.flux.flow import image_positions, pack, unpack

    device, (height, width) = noisy.device, noisy.shape[2:]
    with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
        tokens = transformer(
            hidden_states=pack(noisy).to(dtype), timestep=sigma.to(device, dtype), guidance=torch.full((len(noisy),), guidance_scale, device=device, dtype=dtype), pooled_projections=pooled.to(device, dtype),
            encoder_hidden_states=prompt_embeds.to(dtype), txt_ids=torch.zeros(prompt_embeds.shape[1], 3, device=device), img_ids=image_positions(height, width).to(device), return_dict=False,
        )[0]  # fmt: skip
    return unpack(tokens, height, width).float()


def our_step(state, parts) -> Callable[[], object]:
    from core.training.step import train_step

    return lambda: train_step(state, parts, lambda: False)


def plain_step(transformer, row: Row, side: int, text: int, hardware) -> Callable[[], object]:
    """As diffusers' example trains: peft's layers in float32, autocast, `most` pictures a forward."""
    import torch
    from peft import LoraConfig

    from core.flux.flow import velocity_loss
    from core.flux.lora import TARGETS

    transformer.train().add_adapter(LoraConfig(r=row["rank"], lora_alpha=row["rank"], target_modules=TARGETS["attn-mlp"]))
    if row["checkpointing"]:
        transformer.enable_gradient_checkpointing()
    parameters = [parameter for parameter in transformer.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.data = parameter.data.float()
    optimizer = torch.optim.AdamW(parameters, 1e-4, weight_decay=1e-2)
    config, count = transformer.config, row["most"]
    latents, prompts, pooled = (torch.randn(shape, device=hardware.device) for shape in ((count, 16, side // 8, side // 8), (count, text, config.joint_attention_dim), (count, config.pooled_projection_dim)))

    def step() -> None:
        from core.flux.flow import add_noise

        sample = add_noise(latents, torch.randn_like(latents), torch.sigmoid(torch.randn(count, device=hardware.device)))
        velocity_loss(diffusers_velocity(transformer, sample.noisy_BCHW, sample.sigma_B, prompts, pooled, 1.0, hardware.dtype), sample).mean().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def timed(step: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the first step, and the least of STEPS after a few more."""
    import torch

    def once() -> float:
        began = time.monotonic()
        step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.monotonic() - began

    first = once()
    for _ in range(WARM):
        once()
    return first, min(once() for _ in range(STEPS))


def side_here(side: int) -> int:
    """A quarter of it at toy size."""
    import torch

    return side if torch.cuda.is_available() else side // 4


def machine() -> Row:
    import torch

    return {"device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu, toy size", "torch": torch.__version__}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("speed", "fit", "exactness"), nargs="+", default=["exactness", "fit", "speed"])
    parser.add_argument("--first", type=int, help="only so many rows of each kind")
    parser.add_argument("--row", type=json.loads, help="one row, in this process")
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(arguments.row)))
        return
    rows = {"speed": speed_rows(), "fit": fit_rows(), "exactness": exactness_rows()}
    measure_rows(__file__, [row for kind in arguments.kind for row in rows[kind][: arguments.first]], KEPT / "gpu_steps.jsonl")


if __name__ == "__main__":
    main()
