"""Chooses how a training is laid out in memory, before it starts: the fastest plan that fits, then ever thriftier ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.errors import Refused
from core.training.memory import GIB, Forecast, MemoryPlan, ModelShape, forecast

# Time of a plan against the fastest: recomputing all blocks costs 45 %, widening 8-bit weights a tenth; four pictures a forward save a sixth
# (measured on a CPU, docs/experiments.md; ratios published for GPUs agree), GELU computed again a thirtieth. Moving 6 GiB of modulation over PCIe every 64 steps: 0.4 s, a few percent of them.
RECOMPUTING = 0.45
WIDENING = 0.10
BATCHING = 0.17
VISITING = 0.03
ACTIVATING = 0.03
PARTS_OF_CHECKPOINTING = 6


def plans(shape: ModelShape, most_pictures: int, base: str, checkpointing: str, hosts_modulation: bool) -> Iterator[MemoryPlan]:
    """Every layout worth trying; `base` is auto, full or int8, `checkpointing` auto, none or all; `hosts_modulation` allows its weights on the host."""
    blocks = shape.double_blocks + shape.single_blocks
    parts = {"auto": range(PARTS_OF_CHECKPOINTING + 1), "none": (0,), "all": (PARTS_OF_CHECKPOINTING,)}[checkpointing]
    for int8 in {"auto": (False, True), "full": (False,), "int8": (True,)}[base]:
        for checkpointed in sorted({round(blocks * part / PARTS_OF_CHECKPOINTING) for part in parts}):
            for micro_batch in range(1, most_pictures + 1):
                for on_host in (False, True) if hosts_modulation else (False,):
                    for keeps_gelu in (False, True) if checkpointed < blocks else (False,):
                        yield MemoryPlan(int8, checkpointed, micro_batch, on_host, keeps_gelu)


def relative_time(plan: MemoryPlan, shape: ModelShape) -> float:
    """Time per picture against no recomputing, full weights and one picture a forward."""
    share = plan.checkpointed / (shape.double_blocks + shape.single_blocks)
    return (1 + RECOMPUTING * share + ACTIVATING * (not plan.keeps_gelu)) * (1 + WIDENING * plan.int8_base) * (1 + VISITING * plan.modulation_on_host) * (1 - BATCHING * (1 - 1 / plan.micro_batch) * 4 / 3)


def ladder(
    shape: ModelShape, free: int, bytes_per_value: int, rank: int, targets: str, tokens: int, most_pictures: int, base: str = "auto", checkpointing: str = "auto", hosts_modulation: bool = False, adam8: bool = False
) -> list[tuple[MemoryPlan, Forecast]]:
    """Plans that fit into `free` bytes by forecast, fastest first, each rung below it needing less memory than the one above.

    Raises Refused when nothing fits: how much is missing and what to lower.
    """
    candidates = [(plan, forecast(shape, plan, bytes_per_value, rank, targets, tokens, adam8)) for plan in plans(shape, most_pictures, base, checkpointing, hosts_modulation)]
    fitting = [(plan, needs) for plan, needs in candidates if needs.total <= free]
    if not fitting:
        _, smallest = min(candidates, key=lambda candidate: candidate[1].total)
        raise Refused(
            f"This training needs {smallest.total / GIB:.1f} GiB at the least, and {free / GIB:.1f} GiB of the device's memory are free.",
            "memory",
            "Close other programs on the GPU. Else set BATCH_SIZE=1, then RESOLUTION=512, then a lower RANK, then optimizer.kind=adamw8bit.",
        )
    fitting.sort(key=lambda candidate: (relative_time(candidate[0], shape), candidate[1].total))
    return falling(fitting)


def falling(candidates: Sequence[tuple[MemoryPlan, Forecast]]) -> list[tuple[MemoryPlan, Forecast]]:
    """Drop every candidate that needs as much memory as one before it."""
    kept: list[tuple[MemoryPlan, Forecast]] = []
    for candidate in candidates:
        if not kept or candidate[1].total < kept[-1][1].total:
            kept.append(candidate)
    return kept


def layout_words(plan: MemoryPlan, shape: ModelShape) -> str:
    """Such as '8-bit base, 19 of 57 blocks checkpointed, 1 picture a forward'."""
    blocks = shape.double_blocks + shape.single_blocks
    parts = ["8-bit base" if plan.int8_base else "full base"]
    parts += ["modulation on the host"] if plan.modulation_on_host else []
    parts.append("no checkpointing" if not plan.checkpointed else "all blocks checkpointed" if plan.checkpointed == blocks else f"{plan.checkpointed} of {blocks} blocks checkpointed")
    parts.append(f"{plan.micro_batch} pictures a forward" if plan.micro_batch > 1 else "1 picture a forward")
    parts += ["GELU kept"] if plan.keeps_gelu else []
    return ", ".join(parts)


def plan_words(plan: MemoryPlan, needs: Forecast, shape: ModelShape, free: int) -> str:
    """The layout and its forecast, for plan and log."""
    return f"{layout_words(plan, shape)}; needs about {needs.total / GIB:.1f} of {free / GIB:.1f} GiB (weights {needs.weights / GIB:.1f}, LoRA {needs.lora / GIB:.1f}, activations {needs.activations / GIB:.1f}, working {needs.working / GIB:.1f})"


def is_out_of_memory(error: BaseException) -> bool:
    return type(error).__name__ in ("OutOfMemoryError", "AcceleratorError") and "out of memory" in str(error).lower()
