"""The course of the learning rate, as a pure function of the step."""

from __future__ import annotations

import math

from core.settings import OptimizerSettings


def learning_rate_at(step: int, steps: int, optimizer: OptimizerSettings) -> float:
    """For the optimizer step numbered `step` (0 is the first) of `steps`; the formulas are diffusers.optimization's."""
    return optimizer.learning_rate * _factor(step, steps, optimizer.lr_scheduler, optimizer.warmup_steps)


def _factor(step: int, steps: int, name: str, warmup: int) -> float:
    if name == "constant":
        return 1.0
    if step < warmup:
        return step / max(1, warmup)
    progress = (step - warmup) / max(1, steps - warmup)
    if name == "linear":
        return max(0.0, 1 - progress)
    if name == "cosine":
        return max(0.0, 0.5 * (1 + math.cos(math.pi * progress)))
    return 1.0
