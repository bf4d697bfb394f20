"""Attention over all tokens: torch's own, but for bfloat16 on a CPU, where its backward pass does not use the matrix unit.

Shapes: B pictures, H heads, S tokens, D width of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# So many scores are held at once on a CPU: more would fall out of its caches.
MOST_SCORES = 2**21


def attend(query_BHSD: Tensor, key_BHSD: Tensor, value_BHSD: Tensor) -> Tensor:
    """Softmax attention without mask, (B, H, S, D)."""
    if query_BHSD.device.type == "cpu" and query_BHSD.dtype == torch.bfloat16 and torch.is_grad_enabled():
        return _ByProducts.apply(query_BHSD, key_BHSD, value_BHSD)
    return F.scaled_dot_product_attention(query_BHSD, key_BHSD, value_BHSD)


class _ByProducts(torch.autograd.Function):
    """Torch's forward pass; backward by batched matrix products (FlashAttention-2, arXiv 2307.08691, section 2.3.2, without its tiles), twice as fast there."""

    @staticmethod
    def forward(ctx, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        out, log_sum_BHS = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(query, key, value)[:2]
        ctx.save_for_backward(query, key, value, out, log_sum_BHS)
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value, out, log_sum = ctx.saved_tensors
        results = [torch.empty_like(tensor) for tensor in (query, key, value)]
        heads = max(1, MOST_SCORES // (query.shape[0] * query.shape[2] ** 2))
        for first in range(0, query.shape[1], heads):
            some = slice(first, first + heads)
            parts = _gradients(*[tensor[:, some].contiguous() for tensor in (query, key, value, out, grad)], log_sum[:, some])
            for result, part in zip(results, parts, strict=True):
                result[:, some] = part
        return tuple(results)


def _gradients(query: Tensor, key: Tensor, value: Tensor, out: Tensor, grad: Tensor, log_sum_BHS: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of queries, keys and values; probabilities are computed again from the sums the forward pass kept."""
    scale = query.shape[-1] ** -0.5
    probabilities = (query @ key.transpose(-1, -2)).float().mul_(scale).sub_(log_sum_BHS[..., None]).exp_().to(query.dtype)
    along = (grad.float() * out.float()).sum(dim=-1, keepdim=True)
    grad_scores = (grad @ value.transpose(-1, -2)).sub_(along).mul_(probabilities).mul_(scale)
    return grad_scores @ key, grad_scores.transpose(-1, -2).contiguous() @ query, probabilities.transpose(-1, -2).contiguous() @ grad
