"""Our sampler against FluxPipeline on the same folder, prompt, seed and settings."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import FluxPipeline

from core.errors import UserError
from core.flux.encode import decode_latents, encode_prompt
from core.flux.lora import add_lora, lora_weights, set_lora_weights
from core.flux.model_folder import open_model_folder
from core.flux.models import choose_hardware, load_text_encoders, load_transformer, load_vae, quiet_libraries
from core.flux.sampler import Drawing, draw_latents, first_noise
from core.settings import POCKET_FLUX

PROMPT = "portrait of ohwx woman, wearing a red shirt, on a beach"
DRAWING = Drawing(128, 128, 4, 3.5)


@pytest.fixture(scope="module")
def parts():
    quiet_libraries()
    folder, hardware = open_model_folder(Path(POCKET_FLUX)), choose_hardware("fp32")
    encoders = load_text_encoders(folder, hardware, 512)
    return folder, hardware, encode_prompt(encoders, PROMPT), encoders.length


def test_the_picture_is_the_one_flux_pipeline_draws(parts):
    folder, hardware, prompt, length = parts
    pipeline = FluxPipeline.from_pretrained(folder.path, torch_dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    noise = first_noise(DRAWING, 16, seed=5)
    packed = FluxPipeline._pack_latents(noise, 1, 16, 16, 16)
    theirs = pipeline(PROMPT, width=128, height=128, num_inference_steps=4, guidance_scale=3.5, max_sequence_length=length, latents=packed).images[0]
    latents = draw_latents(pipeline.transformer, prompt, 5, [1.0], DRAWING, hardware)
    ours = decode_latents(load_vae(folder, hardware), latents)[0]
    assert np.abs(np.asarray(ours, int) - np.asarray(theirs, int)).max() <= 2


def test_a_row_of_strengths_equals_one_after_the_other(parts):
    folder, hardware, prompt, _ = parts
    transformer = load_transformer(folder, hardware)
    add_lora(transformer, 4, 4, "attn-mlp", seed=0)
    generator = torch.Generator().manual_seed(2)
    set_lora_weights(transformer, {name: 0.2 * torch.randn(tensor.shape, generator=generator) for name, tensor in lora_weights(transformer).items()})
    strengths = [0.0, 0.5, 1.2]
    together = draw_latents(transformer, prompt, 3, strengths, DRAWING, hardware)
    alone = torch.cat([draw_latents(transformer, prompt, 3, [strength], DRAWING, hardware) for strength in strengths])
    assert torch.allclose(together, alone, atol=1e-3) and not torch.allclose(together[0], together[2], atol=0.1)


@pytest.mark.parametrize("text", ["", "日本 😀 Ünï", "x" * 5000, "zxqwk " * 200, "\n\t"])
def test_any_text_is_encoded(parts, text):
    folder, hardware, _, length = parts
    embeds = encode_prompt(load_text_encoders(folder, hardware, 512), text)
    assert embeds.prompt_embeds.shape[:2] == (1, length) and torch.isfinite(embeds.prompt_embeds).all() and torch.isfinite(embeds.pooled_prompt_embeds).all()


def test_different_trigger_words_are_different_tokens(parts):
    folder, hardware, _, _ = parts
    encoders = load_text_encoders(folder, hardware, 512)
    first, second = encode_prompt(encoders, "ohwx woman"), encode_prompt(encoders, "sks woman")
    assert not torch.allclose(first.prompt_embeds, second.prompt_embeds) and not torch.allclose(first.pooled_prompt_embeds, second.pooled_prompt_embeds)


def spoil(folder: Path, what: str) -> None:
    import json
    import shutil

    index = json.loads((folder / "model_index.json").read_text())
    config = json.loads((folder / "transformer" / "config.json").read_text())
    if what == "class":
        (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": "StableDiffusionPipeline"}))
    elif what == "schnell":
        (folder / "transformer" / "config.json").write_text(json.dumps({**config, "guidance_embeds": False}))
    elif what == "part":
        shutil.rmtree(folder / "vae")
    elif what == "json":
        (folder / "model_index.json").write_text("{")
    elif what == "pickle":
        weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
        weights.rename(weights.with_suffix(".bin"))


@pytest.mark.parametrize(("what", "word"), [("class", "StableDiffusionPipeline"), ("schnell", "schnell"), ("part", "vae"), ("json", "model_index.json"), ("pickle", "safetensors")])
def test_a_folder_that_is_no_flux_dev_is_refused_with_the_reason(tmp_path, what, word):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(POCKET_FLUX, folder)
    spoil(folder, what)
    with pytest.raises(UserError) as raised:
        open_model_folder(folder)
    assert word in str(raised.value) and raised.value.fix
