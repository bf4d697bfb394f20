"""The 8-bit base: how far it is from the full one, what it keeps in memory, and that a LoRA trains on it."""

import pytest
import torch
from torch import nn

from core.flux.int8 import Int8Linear, quantize_linears, quantize_rows
from core.flux.lora import add_lora, lora_weights
from tests.core.test_lora import inputs, small_flux


def layer(inner=64, outer=96, seed=0):
    torch.manual_seed(seed)
    return nn.Linear(inner, outer)


def test_rounding_stays_within_half_a_step_of_each_row():
    weight = torch.randn(50, 70, generator=torch.Generator().manual_seed(1)) * torch.logspace(-3, 2, 50)[:, None]
    rounded, scale = quantize_rows(weight)
    assert rounded.dtype == torch.int8 and ((rounded * scale[:, None] - weight).abs() <= 0.5001 * scale[:, None]).all()


def test_a_row_of_zeros_stays_zero():
    rounded, scale = quantize_rows(torch.zeros(3, 4))
    assert not rounded.any() and torch.isfinite(scale).all()


@pytest.mark.parametrize(("int8_products", "most"), [(False, 0.012), (True, 0.025)])
def test_outputs_and_input_gradients_are_close_to_the_full_layers(int8_products, most):
    full, small = layer(), Int8Linear.of(layer(), int8_products)
    x = torch.randn(2, 20, 64, generator=torch.Generator().manual_seed(2))
    results = []
    for module in (full, small):
        given = x.clone().requires_grad_(True)
        y = module(given)
        y.pow(2).sum().backward()
        results.append((y.detach(), given.grad))
    for expected, got in zip(*results, strict=True):
        assert (got - expected).norm() / expected.norm() < most


def test_few_rows_fall_back_to_products_of_floats():
    x = torch.randn(3, 64)
    assert torch.equal(Int8Linear.of(layer(), True)(x), Int8Linear.of(layer(), False)(x))


def test_the_backward_pass_keeps_no_weight_in_floats():
    module, kept = Int8Linear.of(layer()), []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        module(torch.randn(4, 64, requires_grad=True))
    assert not [tensor for tensor in kept if tensor.is_floating_point() and tensor.numel() >= 64 * 96]


def test_every_linear_of_a_block_is_replaced_and_nothing_else():
    model = small_flux()
    before = {name for name, module in model.transformer_blocks[0].named_modules() if isinstance(module, nn.Linear)}
    quantize_linears(model.transformer_blocks[0])
    after = {name for name, module in model.transformer_blocks[0].named_modules() if isinstance(module, Int8Linear)}
    assert before == after and not [m for m in model.single_transformer_blocks.modules() if isinstance(m, Int8Linear)]


def gradient_of(model):
    parameters = add_lora(model, 4, 4, "attn-mlp", seed=1)
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    model(**inputs(2))[0].pow(2).mean().backward()
    return torch.cat([parameter.grad.flatten() for parameter in parameters])


@pytest.mark.parametrize(("int8_products", "least"), [(False, 0.9995), (True, 0.995)])
def test_a_lora_on_it_gets_nearly_the_same_gradient(int8_products, least):
    full, small = small_flux(), small_flux()
    quantize_linears(small.transformer_blocks, int8_products)
    quantize_linears(small.single_transformer_blocks, int8_products)
    assert torch.nn.functional.cosine_similarity(gradient_of(full), gradient_of(small), dim=0) > least


def test_the_lora_on_it_is_float32():
    model = small_flux(dtype=torch.bfloat16)
    quantize_linears(model)
    assert {parameter.dtype for parameter in add_lora(model, 4, 4, "attn", seed=0)} == {torch.float32} and lora_weights(model)


def test_it_is_saved_and_loaded_like_any_layer():
    one, other = Int8Linear.of(layer(seed=1)), Int8Linear.of(layer(seed=2))
    other.load_state_dict(one.state_dict())
    x = torch.randn(2, 64)
    assert torch.equal(one(x), other(x))
