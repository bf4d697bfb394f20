"""A frozen linear layer in 8 bits: half the memory of bfloat16 at a third of float8's rounding error.

Rows of the weight are scaled to the range of int8 (symmetric, one float32 scale per output), so y = (x W8^T) * scale + bias.
Shapes: N inputs (all leading sides flattened), I input features, O output features.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Shapes torch._int_mm takes on a GPU: more than 16 rows, sides that are multiples of 8.
FEWEST_ROWS = 17
SIDE_MULTIPLE = 8


class Int8Linear(nn.Linear):
    """Drop-in for a frozen nn.Linear, so peft wraps it like one. With `int8_products` inputs are rounded to int8 per row as well."""

    def __init__(self, in_features: int, out_features: int, bias: bool, int8_products: bool) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features, self.int8_products = in_features, out_features, int8_products
        self.weight = nn.Parameter(torch.empty(out_features, in_features, dtype=torch.int8), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(out_features), requires_grad=False) if bias else None
        self.register_buffer("scale", torch.empty(out_features))

    @classmethod
    def of(cls, linear: nn.Linear, int8_products: bool = False) -> Int8Linear:
        """The same layer in 8 bits, on the same device; the bias keeps its dtype."""
        with torch.device("meta"):
            layer = cls(linear.in_features, linear.out_features, linear.bias is not None, int8_products)
        quantized, scale = quantize_rows(linear.weight.detach())
        layer.weight = nn.Parameter(quantized, requires_grad=False)
        layer.register_buffer("scale", scale)
        if linear.bias is not None:
            layer.bias = nn.Parameter(linear.bias.detach(), requires_grad=False)
        return layer

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        return _Frozen.apply(x, self)

    def product(self, x: Tensor) -> Tensor:
        """(..., I) -> (..., O) in the dtype of x, outside the graph."""
        y = _int8_product(x, self.weight.t(), self.scale) if self._takes_int8_products(x) else F.linear(x, self.weight.to(x.dtype)).mul_(self.scale.to(x.dtype))
        return y if self.bias is None else y.add_(self.bias.to(y.dtype))

    def input_gradient(self, grad: Tensor) -> Tensor:
        """(..., O) -> (..., I): the backward pass of `product`, its incoming gradient rounded like the inputs were."""
        scaled = grad * self.scale.to(grad.dtype)
        if self._takes_int8_products(grad):
            return _int8_product(scaled, self.weight, None)
        return scaled @ self.weight.to(grad.dtype)

    def _takes_int8_products(self, x: Tensor) -> bool:
        rows = x.numel() // x.shape[-1]
        return self.int8_products and rows >= FEWEST_ROWS and all(side % SIDE_MULTIPLE == 0 for side in self.weight.shape)


class _Frozen(torch.autograd.Function):
    """An 8-bit layer in a graph: nothing is kept for the backward pass but the layer."""

    @staticmethod
    def forward(ctx, x: Tensor, layer: Int8Linear) -> Tensor:
        ctx.layer = layer
        return layer.product(x)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        return ctx.layer.input_gradient(grad), None


def quantize_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(rows, columns) of any float dtype -> int8 of the same shape and a float32 scale per row. A row of zeros stays zero."""
    weight = weight.float()
    scale = weight.abs().amax(dim=1) / 127
    return (weight / scale.clamp_min(1e-30)[:, None]).round().clamp(-127, 127).to(torch.int8), scale


def quantize_linears(module: nn.Module, int8_products: bool = False) -> None:
    """Replace every nn.Linear inside by its 8-bit twin, one after the other. Call before a LoRA is attached."""
    for child in list(module.modules()):
        for name, linear in list(child.named_children()):
            if type(linear) is nn.Linear:
                setattr(child, name, Int8Linear.of(linear, int8_products))


def _int8_product(x: Tensor, weight: Tensor, scale: Tensor | None) -> Tensor:
    """x @ weight with x rounded per row; `weight` is int8 (inner, outer), `scale` one factor per outer or None."""
    rows = x.reshape(-1, x.shape[-1])
    rounded, row_scale = quantize_rows(rows)
    y = torch._int_mm(rounded, weight.contiguous() if not rows.is_cuda else weight).float() * row_scale[:, None]
    if scale is not None:
        y = y * scale
    return y.to(x.dtype).view(*x.shape[:-1], weight.shape[1])
