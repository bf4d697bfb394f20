"""The adapted linear layers of a FLUX transformer: frozen product and low-rank update as one node of the graph.

peft builds such a layer from half a dozen operations and, with float32 weights on a bfloat16 base, keeps copies of its input. Here layers
that read the same input keep it once, an activation in front of them is computed again instead of kept, and every sum happens inside a product.
Shapes: N rows (all leading sides of the input), I input features, O output features, r rank, B pictures.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import peft.tuners.lora
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.flux.int8 import Int8Linear


class LoraLinear(peft.tuners.lora.Linear):
    """peft's layer with another forward pass; one adapter, never merged.

    `dropout` is the share of the r units switched off in training; `strengths_B` scales the update of each picture of the batch;
    with `keeps_gelu` an activation in front is kept for the backward pass; `copies` are A and B in the dtype of the products (cast_factors).
    """

    dropout: float = 0.0
    strengths_B: Tensor | None = None
    keeps_gelu: bool = False
    copies: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        return project([self], x)[0]

    @property
    def factors(self) -> tuple[Tensor, Tensor]:
        """A and B as they are trained, float32."""
        return self.lora_A[self.active_adapter[0]].weight, self.lora_B[self.active_adapter[0]].weight

    def factors_in(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        a_rI, b_Or = self.copies or self.factors
        return a_rI.to(dtype), b_Or.to(dtype)

    def update_factors(self, reduced_Nr: Tensor) -> Tensor | None:
        """What A x is multiplied with, (N, r) or (N, 1); None for ones."""
        factors = None
        if self.strengths_B is not None:
            factors = self.strengths_B.to(reduced_Nr).repeat_interleave(len(reduced_Nr) // len(self.strengths_B))[:, None]
        if self.dropout and self.training:
            kept = F.dropout(torch.ones_like(reduced_Nr), self.dropout)
            factors = kept if factors is None else kept * factors
        return factors


@contextlib.contextmanager
def cast_factors(layers: Sequence[LoraLinear], dtype: torch.dtype) -> Iterator[None]:
    """Inside, products use copies of A and B in `dtype` that are made once, here, instead of at each use. The weights must not change meanwhile."""
    weights = [weight.detach() for layer in layers for weight in layer.factors]
    flat = torch.empty(sum(weight.numel() for weight in weights), dtype=dtype, device=weights[0].device)
    copies = [part.view_as(weight) for part, weight in zip(flat.split([weight.numel() for weight in weights]), weights, strict=True)]
    torch._foreach_copy_(copies, weights)
    for number, layer in enumerate(layers):
        layer.copies = (copies[2 * number], copies[2 * number + 1])
    try:
        yield
    finally:
        for layer in layers:
            layer.copies = None


def project(layers: Sequence[nn.Linear | LoraLinear], plain: Tensor | None, activated: Tensor | None = None) -> tuple[Tensor, ...]:
    """Each layer's output for the input [plain, gelu(activated)], (B, ..., I) along the last side; either part may be missing.

    The layers are all adapted or all frozen. With their adapters disabled they are the base model, bit for bit.
    """
    if isinstance(layers[0], LoraLinear) and not layers[0].disable_adapters:
        return _Adapted.apply(tuple(layers), plain, activated, *[factor for layer in layers for factor in layer.factors])
    joined = _join(plain, activated)
    return tuple((layer.base_layer if isinstance(layer, LoraLinear) else layer)(joined) for layer in layers)


class _Adapted(torch.autograd.Function):
    """y = W x + b + scaling B (f A x) for several layers; W and b get no gradient."""

    @staticmethod
    def forward(ctx, layers: tuple[LoraLinear, ...], plain: Tensor | None, activated: Tensor | None, *factors: Tensor) -> tuple[Tensor, ...]:
        rows, shape = _rows(plain, activated)
        outputs, kept = [], []
        for layer in layers:
            a_rI, b_Or = layer.factors_in(rows.dtype)
            reduced = _scaled(rows @ a_rI.t(), _scaling(layer))
            update_factors = layer.update_factors(reduced)
            if update_factors is not None:
                reduced = reduced * update_factors
            y = frozen_product(layer.base_layer, rows)
            outputs.append(y.addmm_(reduced, b_Or.t()).view(*shape, -1))
            kept += [reduced, update_factors]
        ctx.layers = layers
        ctx.save_for_backward(plain, activated, rows if activated is not None and layers[0].keeps_gelu else None, *kept)
        return tuple(outputs)

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor | None, ...]:
        plain, activated, rows, *kept = ctx.saved_tensors
        if rows is None:
            rows = _rows(plain, activated)[0].to(grads[0].dtype)
        wants_input = ctx.needs_input_grad[1] or ctx.needs_input_grad[2]
        grad_rows, grad_factors = None, []
        for layer, grad, reduced, update_factors in zip(ctx.layers, grads, kept[::2], kept[1::2], strict=True):
            a_rI, b_Or = layer.factors_in(rows.dtype)
            grad = grad.reshape(-1, grad.shape[-1])
            grad_reduced = _scaled(grad @ b_Or, _scaling(layer))
            if update_factors is not None:
                grad_reduced = grad_reduced * update_factors
            grad_factors += [(grad_reduced.t() @ rows).float(), (grad.t() @ reduced).float()]
            if wants_input:
                grad_rows = add_input_gradient(grad_rows, layer.base_layer, grad)
                grad_rows.addmm_(grad_reduced, a_rI)
        return None, *_input_gradients(grad_rows, plain, activated), *grad_factors


def frozen_product(layer: nn.Linear, rows_NI: Tensor) -> Tensor:
    """(N, O) of a frozen layer, in the dtype of the rows."""
    if isinstance(layer, Int8Linear):
        return layer.product(rows_NI)
    return F.linear(rows_NI, layer.weight.to(rows_NI.dtype), None if layer.bias is None else layer.bias.to(rows_NI.dtype))


def add_input_gradient(total_NI: Tensor | None, layer: nn.Linear, grad_NO: Tensor) -> Tensor:
    """total + grad W, in place where there is a total."""
    if isinstance(layer, Int8Linear):
        gradient = layer.input_gradient(grad_NO)
        return gradient if total_NI is None else total_NI.add_(gradient)
    weight = layer.weight.to(grad_NO.dtype)
    return grad_NO @ weight if total_NI is None else total_NI.addmm_(grad_NO, weight)


def _scaling(layer: LoraLinear) -> float:
    return layer.scaling[layer.active_adapter[0]]


def _scaled(x: Tensor, factor: float) -> Tensor:
    return x if factor == 1 else x * factor


def _join(plain: Tensor | None, activated: Tensor | None) -> Tensor:
    if activated is None:
        assert plain is not None
        return plain
    gelu = F.gelu(activated, approximate="tanh")
    return gelu if plain is None else torch.cat((plain, gelu), dim=-1)


def _rows(plain: Tensor | None, activated: Tensor | None) -> tuple[Tensor, torch.Size]:
    """The input as (N, I) in the dtype of the products, and its leading sides."""
    x = _join(plain, activated)
    if torch.is_autocast_enabled(x.device.type):
        x = x.to(torch.get_autocast_dtype(x.device.type))
    return x.reshape(-1, x.shape[-1]), x.shape[:-1]


def _input_gradients(grad_rows: Tensor | None, plain: Tensor | None, activated: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    if grad_rows is None:
        return None, None
    width = plain.shape[-1] if plain is not None else 0
    grad_plain = grad_rows[:, :width].reshape(plain.shape).to(plain.dtype) if plain is not None else None
    if activated is None:
        return grad_plain, None
    grad_gelu = grad_rows[:, width:].reshape(activated.shape).to(activated.dtype)
    return grad_plain, torch.ops.aten.gelu_backward(grad_gelu, activated, approximate="tanh")
