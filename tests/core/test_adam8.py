"""8-bit AdamW: its codes, that it learns like AdamW, and that a resumed one goes on to the bit."""

import io

import pytest
import torch
from torch import nn

from core.training.adam8 import AdamW8bit, decode, dynamic_codes, encode
from tests.core.training import after_steps, go, losses_of, run_of, same, weights_of


def problem(seed=0):
    """A low-rank fit: loss(parameters) of factors A and B against a target they can reach."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.randn(48, 4, generator=generator) @ torch.randn(4, 64, generator=generator) / 2
    parameters = [nn.Parameter(0.3 * torch.randn(48, 4, generator=generator)), nn.Parameter(0.3 * torch.randn(4, 64, generator=generator))]
    return parameters, lambda: (parameters[0] @ parameters[1] - target).pow(2).mean()


def descend(optimizer, loss, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    return loss().item()


@pytest.mark.parametrize("signed", [True, False])
def test_there_are_256_different_codes_with_both_ends(signed):
    codes = dynamic_codes(signed)
    assert codes.unique().numel() == 256 and codes[-1] == 1 and 0 in codes


def test_values_come_back_within_a_few_percent_of_their_size():
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    codes = dynamic_codes(True)
    back = decode(*encode(values, codes), codes, values.shape)
    assert (back - values).norm() / values.norm() < 0.02


def test_it_converges_as_adamw_does():
    ends = []
    for kind in (torch.optim.AdamW, AdamW8bit):
        parameters, loss = problem()
        ends.append((loss().item(), descend(kind(parameters, lr=0.02, weight_decay=0.01), loss, 300)))
    (start, exact), (_, ours) = ends
    assert exact < 0.01 * start and ours < max(1.5 * exact, 0.01 * start)


def test_a_restored_optimizer_goes_on_to_the_bit():
    parameters, loss = problem()
    optimizer = AdamW8bit(parameters, lr=0.02)
    descend(optimizer, loss, 5)
    saved, at = io.BytesIO(), [parameter.detach().clone() for parameter in parameters]
    torch.save(optimizer.state_dict(), saved)
    descend(optimizer, loss, 5)
    saved.seek(0)
    others, other_loss = problem()
    for other, tensor in zip(others, at, strict=True):
        other.data.copy_(tensor)
    resumed = AdamW8bit(others, lr=0.02)
    resumed.load_state_dict(torch.load(saved, weights_only=True))
    descend(resumed, other_loss, 5)
    assert all(torch.equal(a, b) for a, b in zip(parameters, others, strict=True))


def test_its_state_is_two_bytes_a_weight_and_two_scales_a_block():
    parameter = nn.Parameter(torch.randn(256, 64))
    parameter.grad = torch.randn(256, 64)
    optimizer = AdamW8bit([parameter], lr=0.01)
    optimizer.step()
    size = sum(value.nbytes for value in optimizer.state[parameter].values() if isinstance(value, torch.Tensor))
    assert size == 2 * parameter.numel() + 2 * 4 * (parameter.numel() // 256)


def test_a_run_learns_with_it_and_resumes_exactly(short_run):
    plain, whole, broken = (run_of(short_run(run__name=name, optimizer__kind=kind)) for name, kind in (("plain", "adamw"), ("whole", "adamw8bit"), ("broken", "adamw8bit")))
    go(plain)
    go(whole)
    go(broken, after_steps(2, broken))
    go(broken, resume=True)
    assert losses_of(whole) == losses_of(broken) and same(weights_of(whole), weights_of(broken))
    assert losses_of(whole) != losses_of(plain) and losses_of(whole) == pytest.approx(losses_of(plain), rel=0.01)
