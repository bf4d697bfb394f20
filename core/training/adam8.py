"""AdamW with both moments in 8 bits: blocks of 256 values share a scale, and the codes lie closer together near zero (arXiv 2110.02861)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

BLOCK = 256
DECADES = 7


class AdamW8bit(torch.optim.Optimizer):
    """torch.optim.AdamW's update on float32 parameters, its state a little over a quarter of the bytes; a parameter at a time, so slower.

    What is stored of the second moment is its square root: that has half the decades, so small values are not rounded to zero.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.01) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    _update(parameter, self.state[parameter], group)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The base class casts every tensor to float32; codes are whole numbers there and come back unchanged."""
        super().load_state_dict(state_dict)
        for state in self.state.values():
            state["mean"], state["root"] = state["mean"].to(torch.uint8), state["root"].to(torch.uint8)


def dynamic_codes(signed: bool) -> Tensor:
    """The 256 sorted values in [-1, 1] or [0, 1] that codes stand for: decades below 1, each with twice the steps of the one below (section 2.1 of the paper)."""
    values = [0.0, 1.0]
    for decade in range(DECADES):
        edges = torch.linspace(0.1, 1.0, 2 ** (decade + (0 if signed else 1)) + 1, dtype=torch.float64)
        middles = ((edges[:-1] + edges[1:]) / 2 * 10.0 ** (decade - DECADES + 1)).tolist()
        values += [*middles, *(-value for value in middles)] if signed else middles
    return torch.tensor(sorted(values), dtype=torch.float32)


def encode(values: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """Nearest codes, uint8 in whole blocks (blocks, 256), and each block's largest magnitude, float32 (blocks, 1)."""
    blocks = nn.functional.pad(values.flatten(), (0, -values.numel() % BLOCK)).view(-1, BLOCK)
    scale = blocks.abs().amax(dim=1, keepdim=True)
    midpoints = (codes[1:] + codes[:-1]) / 2
    return torch.bucketize(blocks / scale.clamp_min(torch.finfo(torch.float32).tiny), midpoints, out_int32=True).to(torch.uint8), scale


def decode(blocks: Tensor, scale: Tensor, codes: Tensor, shape: torch.Size) -> Tensor:
    return (codes[blocks.int()] * scale).flatten()[: shape.numel()].view(shape)


def _update(parameter: nn.Parameter, state: dict[str, Any], group: dict[str, Any]) -> None:
    signed, unsigned = dynamic_codes(True).to(parameter.device), dynamic_codes(False).to(parameter.device)
    if not state:
        zeros = torch.zeros_like(parameter)
        state["step"] = 0
        state["mean"], state["mean_scale"] = encode(zeros, signed)
        state["root"], state["root_scale"] = encode(zeros, unsigned)
    state["step"] += 1
    beta1, beta2 = group["betas"]
    mean = decode(state["mean"], state["mean_scale"], signed, parameter.shape).lerp_(parameter.grad, 1 - beta1)
    root = decode(state["root"], state["root_scale"], unsigned, parameter.shape).square_().mul_(beta2).addcmul_(parameter.grad, parameter.grad, value=1 - beta2).sqrt_()
    state["mean"], state["mean_scale"] = encode(mean, signed)
    state["root"], state["root_scale"] = encode(root, unsigned)
    parameter.mul_(1 - group["lr"] * group["weight_decay"])
    denominator = root.div_(math.sqrt(1 - beta2 ** state["step"])).add_(group["eps"])
    parameter.addcdiv_(mean, denominator, value=-group["lr"] / (1 - beta1 ** state["step"]))
