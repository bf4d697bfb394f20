"""The forward pass of FLUX.1 over diffusers' modules, with a backward pass that keeps half of what theirs keeps.

Same weights, names and results as FluxTransformer2DModel.forward (a test compares values and gradients); what differs is the graph:
norms, rotations and activations are computed again from their inputs, and layers that read the same input share it (core.flux.adapted).
Shapes: B pictures, C latent channels, S tokens of text and image, h width, D width of a head.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from core.flux.adapted import project
from core.flux.attention import attend
from core.flux.flow import image_positions, pack, unpack
from core.flux.modulation import Conditions, look_up, modulate


def checkpoint_blocks(transformer: FluxTransformer2DModel, count: int) -> None:
    """Let the first `count` blocks (double blocks come first) keep only their input and be computed again in the backward pass.

    The last ones stay as they are: theirs are the activations the backward pass frees before it recomputes anything.
    """
    transformer.checkpointed_blocks = count


def compile_blocks(transformer: FluxTransformer2DModel, backend: str = "inductor") -> None:
    """From now on blocks run compiled where gradients are wanted: one graph for all of a kind. It is compiled at the next forward passes."""
    # The rotation is called as it stands, which is what is wanted.
    warnings.filterwarnings("ignore", message="Torchinductor does not support code generation for complex operators")
    transformer.compiled_passes = {block_pass: torch.compile(block_pass, backend=backend) for block_pass in (_double_block, _single_block)}


def uncompile_blocks(transformer: FluxTransformer2DModel) -> None:
    transformer.compiled_passes = {}
    torch.compiler.reset()


def predict_velocity(
    transformer: FluxTransformer2DModel, noisy_BCHW: Tensor, sigma_B: Tensor, prompt_embeds_BLD: Tensor, pooled_prompt_embeds_BD: Tensor, guidance_scale: float, dtype: torch.dtype
) -> Tensor:
    """Velocity at noisy latents, (B, C, H, W) float32. `dtype` is that of the frozen base; for bfloat16 the pass runs under autocast."""
    height, width = noisy_BCHW.shape[2:]
    device = noisy_BCHW.device
    conditions = Conditions(sigma_B, pooled_prompt_embeds_BD, guidance_scale)
    with _autocast(device, dtype):
        embedding = _embed(transformer, conditions, device, dtype)
        image, text = transformer.x_embedder(pack(noisy_BCHW).to(dtype)), transformer.context_embedder(prompt_embeds_BLD.to(dtype))
        rotation = _rotation(tuple(transformer.config.axes_dims_rope), text.shape[1], height, width, device)
        run, modulation = _runner(transformer), iter(modulate(transformer, embedding, conditions))
        for block in transformer.transformer_blocks:
            text, image = run(_double_block, block, text, image, next(modulation), next(modulation), rotation)
        joint = torch.cat((text, image), dim=1)
        for block in transformer.single_transformer_blocks:
            joint = run(_single_block, block, joint, next(modulation), rotation)
        tokens = transformer.proj_out(transformer.norm_out(joint[:, text.shape[1] :], embedding))
    return unpack(tokens, height, width).float()


def look_ahead(transformer: FluxTransformer2DModel, upcoming: Sequence[Conditions], device: torch.device, dtype: torch.dtype) -> None:
    """Say which forward passes come next; where the modulation is on the host, its weights then visit the device once for all of them."""
    with _autocast(device, dtype):
        look_up(transformer, upcoming, lambda conditions: _embed(transformer, conditions, device, dtype))


def _autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16)


def _embed(transformer: FluxTransformer2DModel, conditions: Conditions, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(B, h). Noise level and guidance are rounded to the dtype of the base, as FLUX was trained."""
    sigma = conditions.sigma_B.to(device, dtype)
    numbers = [sigma * 1000] + ([torch.full_like(sigma, conditions.guidance_scale) * 1000] if transformer.config.guidance_embeds else [])
    return transformer.time_text_embed(*numbers, conditions.pooled_prompt_embeds_BD.to(device, dtype))


def _runner(transformer: FluxTransformer2DModel) -> Callable[..., object]:
    """Calls a block, checkpointed as checkpoint_blocks said and compiled as compile_blocks did."""
    left = getattr(transformer, "checkpointed_blocks", 0)
    compiled = getattr(transformer, "compiled_passes", {}) if torch.is_grad_enabled() else {}

    def run(function: Callable[..., object], *inputs: object) -> object:
        nonlocal left
        left -= 1
        function = compiled.get(function, function)
        if left >= 0 and torch.is_grad_enabled():
            return checkpoint(function, *inputs, use_reentrant=False)
        return function(*inputs)

    return run


def _double_block(block: nn.Module, text: Tensor, image: Tensor, image_modulation_BK: Tensor, text_modulation_BK: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor]:
    attn = block.attn
    image_parts, text_parts = image_modulation_BK.chunk(6, dim=1), text_modulation_BK.chunk(6, dim=1)
    image_qkv = project([attn.to_q, attn.to_k, attn.to_v], _modulate(image, *image_parts[:2]))
    text_qkv = project([attn.add_q_proj, attn.add_k_proj, attn.add_v_proj], _modulate(text, *text_parts[:2]))
    query = _norm_rotate(attn.heads, rotation, (text_qkv[0], attn.norm_added_q), (image_qkv[0], attn.norm_q))
    key = _norm_rotate(attn.heads, rotation, (text_qkv[1], attn.norm_added_k), (image_qkv[1], attn.norm_k))
    attended = _attend(query, key, torch.cat((text_qkv[2], image_qkv[2]), dim=1))
    text_attended, image_attended = attended.split((text.shape[1], image.shape[1]), dim=1)
    image = _finish(image, image_attended, attn.to_out[0], block.ff, image_parts[2:])
    text = _finish(text, text_attended, attn.to_add_out, block.ff_context, text_parts[2:])
    return text, image


def _finish(x: Tensor, attended: Tensor, output: nn.Module, feed_forward: nn.Module, parts: tuple[Tensor, ...]) -> Tensor:
    """The rest of a double block for one stream; `parts` are the gate of attention, then shift, scale and gate of the MLP."""
    gate, shift, scale, gate_mlp = parts
    x = torch.addcmul(x, gate[:, None], project([output], attended)[0])
    (hidden,) = project([feed_forward.net[0].proj], _modulate(x, shift, scale))
    return torch.addcmul(x, gate_mlp[:, None], project([feed_forward.net[2]], None, hidden)[0])


def _single_block(block: nn.Module, joint: Tensor, modulation_BK: Tensor, rotation: Tensor) -> Tensor:
    attn = block.attn
    shift, scale, gate = modulation_BK.chunk(3, dim=1)
    modulated = _modulate(joint, shift, scale)
    if type(block.proj_mlp) is type(attn.to_q):
        query, key, value, hidden = project([attn.to_q, attn.to_k, attn.to_v, block.proj_mlp], modulated)
    else:
        query, key, value = project([attn.to_q, attn.to_k, attn.to_v], modulated)
        hidden = block.proj_mlp(modulated)
    attended = _attend(_norm_rotate(attn.heads, rotation, (query, attn.norm_q)), _norm_rotate(attn.heads, rotation, (key, attn.norm_k)), value)
    return torch.addcmul(joint, gate[:, None], project([block.proj_out], attended, hidden)[0])


def _attend(query_BSHD: Tensor, key_BSHD: Tensor, value_BSh: Tensor) -> Tensor:
    """(B, S, h)."""
    value = value_BSh.unflatten(-1, query_BSHD.shape[2:])
    return attend(query_BSHD.transpose(1, 2), key_BSHD.transpose(1, 2), value.transpose(1, 2)).transpose(1, 2).flatten(2)


@lru_cache(maxsize=64)
def _rotation(axes: tuple[int, ...], text_tokens: int, height: int, width: int, device: torch.device) -> Tensor:
    """Rotary factors of all tokens, text (at position 0) first, (S, 1, D / 2) complex64; angles in float64, as diffusers has them."""
    positions = torch.cat((torch.zeros(text_tokens, 3), image_positions(height, width))).double()
    angles = [torch.outer(positions[:, axis], 10_000 ** -(torch.arange(0, size, 2, dtype=torch.float64) / size)) for axis, size in enumerate(axes)]
    angle = torch.cat(angles, dim=1)
    return torch.complex(angle.cos(), angle.sin()).to(torch.complex64)[:, None].to(device)


def _modulate(x_BSh: Tensor, shift_Bh: Tensor, scale_Bh: Tensor) -> Tensor:
    """LayerNorm, then * (1 + scale) + shift."""
    return _Modulate.apply(x_BSh, shift_Bh, scale_Bh)


class _Modulate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        # Out of autocast's reach: it would make the result float32 and keep that.
        with torch.autocast(x.device.type, enabled=False):
            normed, mean, reciprocal = torch.native_layer_norm(x, x.shape[-1:], None, None, 1e-6)
            ctx.save_for_backward(x, scale, mean, reciprocal)
            return torch.addcmul(shift[:, None].to(x.dtype), normed, 1 + scale[:, None].to(x.dtype))

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, scale, mean, reciprocal = ctx.saved_tensors
        grad_x = grad_shift = grad_scale = None
        if ctx.needs_input_grad[0]:
            grad_normed = grad * (1 + scale[:, None].to(grad.dtype))
            grad_x = torch.ops.aten.native_layer_norm_backward(grad_normed, x, x.shape[-1:], mean, reciprocal, None, None, [True, False, False])[0]
        if ctx.needs_input_grad[1]:
            grad_shift = grad.sum(dim=1)
        if ctx.needs_input_grad[2]:
            grad_scale = (grad * torch.native_layer_norm(x, x.shape[-1:], None, None, 1e-6)[0]).sum(dim=1)
        return grad_x, grad_shift, grad_scale


def _norm_rotate(heads: int, rotation: Tensor, *streams: tuple[Tensor, nn.RMSNorm]) -> Tensor:
    """Queries or keys of the streams, (B, tokens, h) each with its norm, normed and rotated into one (B, S, H, D)."""
    return _NormRotate.apply(heads, rotation, streams[0][1].eps, [norm.weight for _, norm in streams], *[x for x, _ in streams])


class _NormRotate(torch.autograd.Function):
    """The norm's weight is frozen. All arithmetic is in float32; only the inputs are kept."""

    @staticmethod
    def forward(ctx, heads: int, rotation: Tensor, eps: float, weights: list[Tensor], *streams: Tensor) -> Tensor:
        tokens = [x.shape[1] for x in streams]
        turned = streams[0].new_empty(len(streams[0]), sum(tokens), heads, streams[0].shape[2] // heads)
        for x, weight, turn, part in zip(streams, weights, rotation.split(tokens), turned.split(tokens, dim=1), strict=True):
            x = x.unflatten(-1, (heads, -1))
            scaled = (x * _reciprocal(x, eps)).mul_(weight)
            part.copy_(torch.view_as_real(_pairs(scaled).mul_(turn)).flatten(-2))
        ctx.heads, ctx.rotation, ctx.eps, ctx.weights = heads, rotation, eps, weights
        ctx.save_for_backward(*streams)
        return turned

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        streams = ctx.saved_tensors
        tokens = [x.shape[1] for x in streams]
        back, gradients = ctx.rotation.conj().resolve_conj(), []
        for x, weight, turn, part in zip(streams, ctx.weights, back.split(tokens), grad.split(tokens, dim=1), strict=True):
            values = x.unflatten(-1, (ctx.heads, -1))
            reciprocal = _reciprocal(values, ctx.eps)
            normed = values * reciprocal
            grad_normed = torch.view_as_real(_pairs(part.float()) * turn).flatten(-2).mul_(weight)
            along = (grad_normed * normed).mean(dim=-1, keepdim=True)
            gradients.append(grad_normed.addcmul_(normed, along, value=-1).mul_(reciprocal).flatten(-2).to(x.dtype))
        return None, None, None, None, *gradients


def _reciprocal(x: Tensor, eps: float) -> Tensor:
    """1 / root mean square along the last side, float32."""
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32).square_().div_(x.shape[-1]).add_(eps).rsqrt_()


def _pairs(x: Tensor) -> Tensor:
    """(..., D) float32 as (..., D / 2) complex."""
    return torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
