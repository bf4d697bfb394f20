"""A training loop that can be killed at any step and goes on: each step is a function of its number alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

SAVE_EVERY = 200


def rise_and_fall(optimizer: torch.optim.Optimizer, peak: float, steps: int) -> torch.optim.lr_scheduler.OneCycleLR:
    """A short rise to `peak`, then a cosine to nearly zero (arXiv 1708.07120)."""
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, max(steps, 40), pct_start=0.06)


class Ema:
    """Moving average of parameters, warmed up so that early weights are forgotten fast."""

    def __init__(self, parameters: list[torch.nn.Parameter], decay: float = 0.998) -> None:
        self.parameters = parameters
        self.decay = decay
        self.averages = [p.detach().clone() for p in parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.averages, [p.detach() for p in self.parameters], 1 - decay)

    @torch.no_grad()
    def write_into_parameters(self) -> None:
        for parameter, average in zip(self.parameters, self.averages, strict=True):
            parameter.copy_(average)

    def state_dict(self) -> dict[str, Any]:
        return {"averages": self.averages}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.averages = state["averages"]


def run_steps(file: Path, steps: int, parts: dict[str, Any], step: Callable[[int, torch.Generator], float], seed: int) -> None:
    """Call step(number, generator) for every step not yet done; `parts` (things with a state_dict) are kept in `file`."""
    first = 0
    if file.exists():
        saved = torch.load(file, weights_only=True)
        first = saved.pop("step")
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    began, mean = time.monotonic(), None
    for number in range(first, steps):
        loss = step(number, torch.Generator().manual_seed(seed * 1_000_003 + number))
        mean = loss if mean is None else 0.98 * mean + 0.02 * loss
        if (number + 1) % SAVE_EVERY == 0 or number + 1 == steps:
            hidden = file.with_suffix(".tmp")
            torch.save({"step": number + 1} | {name: part.state_dict() for name, part in parts.items()}, hidden)
            os.replace(hidden, file)
        if number % 50 == 0 or number + 1 == steps:
            print(f"{file.stem} {number + 1}/{steps} loss {mean:.4f} {(time.monotonic() - began) / (number + 1 - first):.2f} s/step", flush=True)
