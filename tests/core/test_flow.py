"""The mathematics against second routes: diffusers' statics and scheduler, closed forms, recorded percentiles."""

import math

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline
from diffusers.pipelines.flux.pipeline_flux import calculate_shift

from core.flux.flow import add_noise, draw_noise, draw_sigmas, flux_mu, image_positions, pack, shift_sigmas, snr_weights, unpack, velocity_loss
from core.flux.sampler import sampler_sigmas
from core.pocket.models import scheduler


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_packing_is_that_of_diffusers_and_reversible():
    latents = torch.randn(2, 16, 8, 12, generator=generator())
    assert torch.equal(pack(latents), FluxPipeline._pack_latents(latents, 2, 16, 8, 12))
    assert torch.equal(unpack(pack(latents), 8, 12), latents)
    assert torch.equal(unpack(pack(latents), 8, 12), FluxPipeline._unpack_latents(pack(latents), 64, 96, 8))


def test_positions_are_those_of_diffusers():
    assert torch.equal(image_positions(8, 12), FluxPipeline._prepare_latent_image_ids(2, 4, 6, "cpu", torch.float32))


@pytest.mark.parametrize(("tokens", "mu"), [(1024, 0.63), (2304, 0.8467), (4096, 1.15), (64, calculate_shift(64))])
def test_mu_follows_the_picture_size(tokens, mu):
    assert flux_mu(tokens) == pytest.approx(mu, abs=1e-4) and flux_mu(tokens) == pytest.approx(calculate_shift(tokens))


@pytest.mark.parametrize(("tokens", "percentiles"), [(1024, (0.343, 0.653, 0.871)), (2304, (0.393, 0.700, 0.893)), (4096, (0.468, 0.760, 0.919))])
def test_flux_shift_has_the_recorded_percentiles(tokens, percentiles):
    sigma = draw_sigmas(200_000, "flux_shift", tokens, generator())
    measured = sigma.quantile(torch.tensor([0.1, 0.5, 0.9]))
    assert torch.allclose(measured, torch.tensor(percentiles), atol=4e-3)
    assert sigma.min() > 0 and sigma.max() <= 1


def test_an_unknown_sampling_is_refused():
    with pytest.raises(ValueError, match="flux_shift"):
        draw_sigmas(1, "guess", 64, generator())


@pytest.mark.parametrize("size", [128, 512, 1024])
def test_sampler_sigmas_are_the_schedulers(size):
    tokens, steps = size * size // 256, 20
    reference: FlowMatchEulerDiscreteScheduler = scheduler()
    reference.set_timesteps(sigmas=torch.linspace(1.0, 1 / steps, steps).tolist(), mu=flux_mu(tokens))
    assert torch.allclose(sampler_sigmas(steps, tokens), reference.sigmas, atol=1e-6)


def test_the_path_is_straight_and_its_velocity_is_the_target():
    latents, noise = torch.randn(3, 16, 4, 4, generator=generator()), torch.randn(3, 16, 4, 4, generator=generator(1))
    at = add_noise(latents, noise, torch.tensor([0.0, 0.4, 1.0]))
    later = add_noise(latents, noise, torch.tensor([0.1, 0.5, 1.1]))
    assert torch.equal(at.noisy_BCHW[0], latents[0]) and torch.allclose(at.noisy_BCHW[2], noise[2])
    assert torch.allclose((later.noisy_BCHW - at.noisy_BCHW) / 0.1, at.target_BCHW, atol=1e-5)
    assert torch.allclose(velocity_loss(at.target_BCHW, at), torch.zeros(3))


def test_noise_offset_moves_whole_channels_only():
    noise = draw_noise((64, 16, 16, 16), 0.5, generator())
    plain = draw_noise((64, 16, 16, 16), 0.0, generator())
    shift = noise - plain
    assert torch.allclose(shift.std(dim=(2, 3)), torch.zeros(64, 16), atol=1e-6)
    assert shift[:, :, 0, 0].std().item() == pytest.approx(0.5, rel=0.1)


def test_snr_weights_cap_the_clean_end_only():
    sigma = torch.tensor([0.1, 1 / (1 + math.sqrt(5)), 0.5, 0.9])
    weights = snr_weights(sigma, 5.0)
    assert weights.tolist() == pytest.approx([5 / 81, 1.0, 1.0, 1.0], rel=1e-4)
    assert torch.equal(snr_weights(sigma, 0.0), torch.ones(4))


def test_shifting_keeps_the_ends():
    assert shift_sigmas(torch.tensor([1.0, 0.0]), 0.8).tolist() == [1.0, 0.0]
