"""Our forward pass against diffusers' own with peft's own layers: same values, same gradients, half of what is kept."""

import contextlib

import pytest
import torch
import torch.nn.functional as F
from diffusers import FluxTransformer2DModel
from peft import LoraConfig

from core.flux.adapted import LoraLinear
from core.flux.attention import attend
from core.flux.flow import image_positions, pack, unpack
from core.flux.forward import checkpoint_blocks, predict_velocity
from core.flux.int8 import quantize_linears
from core.flux.lora import TARGETS, add_lora, keep_gelu, lora_weights, products_in, without_lora

HEIGHT, WIDTH, TEXT = 8, 12, 7


def small_flux(guidance=True):
    torch.manual_seed(3)
    return FluxTransformer2DModel(num_layers=2, num_single_layers=2, num_attention_heads=4, attention_head_dim=16, joint_attention_dim=32, pooled_projection_dim=16, in_channels=64, guidance_embeds=guidance, axes_dims_rope=(4, 6, 6))


def adapted(targets="attn-mlp", ours=True, guidance=True):
    """With a LoRA that is not zero; peft's own layers unless `ours`."""
    model = small_flux(guidance).requires_grad_(False)
    if ours:
        add_lora(model, 4, 8, targets, seed=0)
    else:
        model.add_adapter(LoraConfig(r=4, lora_alpha=8, target_modules=TARGETS[targets]))
    generator = torch.Generator().manual_seed(5)
    for name, parameter in sorted(model.named_parameters()):
        if ".lora_" in name:
            parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)
    return model


def batch(seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 16, HEIGHT, WIDTH, generator=generator), torch.tensor([0.9, 0.3]), torch.randn(2, TEXT, 32, generator=generator), torch.randn(2, 16, generator=generator)


def theirs(model, noisy, sigma, prompt_embeds, pooled):
    tokens = model(
        hidden_states=pack(noisy), timestep=sigma, guidance=torch.full((len(noisy),), 3.5) if model.config.guidance_embeds else None, pooled_projections=pooled, encoder_hidden_states=prompt_embeds,
        txt_ids=torch.zeros(TEXT, 3), img_ids=image_positions(HEIGHT, WIDTH), return_dict=False,
    )[0]  # fmt: skip
    return unpack(tokens, HEIGHT, WIDTH)


def ours(model, noisy, sigma, prompt_embeds, pooled, dtype=torch.float32):
    return predict_velocity(model, noisy, sigma, prompt_embeds, pooled, 3.5, dtype)


def gradients(model):
    return {name.replace(".default", ""): parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("guidance", [True, False])
@pytest.mark.parametrize("targets", sorted(TARGETS))
def test_values_and_gradients_equal_those_of_diffusers_and_peft(targets, guidance):
    reference, model = adapted(targets, ours=False, guidance=guidance), adapted(targets, guidance=guidance)
    noisy, sigma, prompt_embeds, pooled = batch()
    results = []
    for transformer, run in ((reference, theirs), (model, ours)):
        given = pooled.clone().requires_grad_()
        velocity = run(transformer, noisy, sigma, prompt_embeds, given)
        velocity.pow(2).mean().backward()
        results.append((velocity.detach(), given.grad, gradients(transformer)))
    (velocity, pooled_grad, grads), (our_velocity, our_pooled_grad, our_grads) = results
    assert torch.allclose(our_velocity, velocity, atol=2e-5) and torch.allclose(our_pooled_grad, pooled_grad, rtol=1e-3, atol=1e-7)
    assert grads.keys() == our_grads.keys() and len(grads) == len(lora_weights(model))
    for name, grad in grads.items():
        assert torch.allclose(our_grads[name], grad, rtol=1e-3, atol=1e-3 * grad.abs().max().item()), name


def test_in_bfloat16_it_is_as_near_to_float32_as_diffusers_is():
    noisy, sigma, prompt_embeds, pooled = batch()
    exact = theirs(adapted(ours=False), noisy, sigma, prompt_embeds, pooled)
    with torch.autocast("cpu", torch.bfloat16):
        reference = theirs(_bf16(adapted(ours=False)), noisy.bfloat16(), sigma, prompt_embeds.bfloat16(), pooled.bfloat16()).float()
    velocity = ours(_bf16(adapted()), noisy, sigma, prompt_embeds, pooled, torch.bfloat16)
    assert velocity.dtype == torch.float32 and (velocity - exact).norm() < 1.2 * (reference - exact).norm()


def _bf16(model):
    """The base in bfloat16, the LoRA in float32."""
    for name, parameter in model.named_parameters():
        if ".lora_" not in name:
            parameter.data = parameter.data.bfloat16()
    return model


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_checkpointed_blocks_give_the_same_gradients(count, share):
    results = []
    for checkpointed in (0, count):
        model = adapted().train()
        for module in model.modules():
            if hasattr(module, "strengths_B"):
                module.dropout = share
        checkpoint_blocks(model, checkpointed)
        torch.manual_seed(9)
        ours(model, *batch()).pow(2).mean().backward()
        results.append(gradients(model))
    assert all(torch.equal(grad, results[1][name]) for name, grad in results[0].items())


@torch.no_grad()
def test_without_its_lora_it_is_the_base_model():
    model = adapted()
    with without_lora(model):
        assert torch.equal(ours(model, *batch()), ours(small_flux(), *batch()))
    assert not torch.allclose(ours(model, *batch()), ours(small_flux(), *batch()))


def test_an_8_bit_base_is_adapted_alike():
    model, rounded = adapted(), small_flux()
    for block in [*rounded.transformer_blocks, *rounded.single_transformer_blocks]:
        quantize_linears(block)
    add_lora(rounded, 4, 8, "attn-mlp", seed=0)
    for name, parameter in rounded.named_parameters():
        if ".lora_" in name:
            parameter.data = dict(model.named_parameters())[name].data.clone()
    for transformer in (model, rounded):
        ours(transformer, *batch()).pow(2).mean().backward()
    for name, grad in gradients(model).items():
        other = gradients(rounded)[name]
        assert (other - grad).norm() < 0.05 * grad.norm(), name


def test_what_is_kept_changes_no_gradient():
    results = []
    for kept in (False, True):
        model = adapted()
        keep_gelu(model, kept)
        ours(model, *batch()).pow(2).mean().backward()
        results.append(gradients(model))
    assert all(torch.equal(grad, results[1][name]) for name, grad in results[0].items())


def test_factors_cast_once_are_the_factors_cast_at_each_use():
    results = []
    for once in (False, True):
        model = _bf16(adapted())
        with products_in(model, torch.bfloat16) if once else contextlib.nullcontext():
            ours(model, *batch(), torch.bfloat16).pow(2).mean().backward()
        results.append(gradients(model))
    assert all(grad.dtype == torch.float32 and torch.equal(grad, results[1][name]) for name, grad in results[0].items())
    assert all(layer.copies is None for layer in model.modules() if isinstance(layer, LoraLinear))


@pytest.mark.parametrize("tokens", [5, 64, 200])
def test_attention_on_a_cpu_in_bfloat16_is_as_near_to_exact_as_torchs(tokens, monkeypatch):
    monkeypatch.setattr("core.flux.attention.MOST_SCORES", 2 * 2 * tokens**2)  # two heads at a time
    generator = torch.Generator().manual_seed(3)
    inputs = [torch.randn(2, tokens, 3, 16, generator=generator).bfloat16().transpose(1, 2) for _ in range(4)]

    def result(attention, dtype):
        query, key, value, grad = (tensor.to(dtype) for tensor in inputs)
        given = [tensor.detach().clone().requires_grad_() for tensor in (query, key, value)]
        out = attention(*given)
        return [out.detach(), *torch.autograd.grad(out, given, grad)]

    exact, theirs, ours = result(F.scaled_dot_product_attention, torch.float64), result(F.scaled_dot_product_attention, torch.bfloat16), result(attend, torch.bfloat16)
    assert torch.equal(ours[0], theirs[0])
    for true, one, other in zip(exact, theirs, ours, strict=True):
        assert (other - true).norm() < 2.5 * (one - true).norm() + 1e-9 and (other - true).norm() < 0.012 * true.norm()
