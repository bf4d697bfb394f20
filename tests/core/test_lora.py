"""LoRA: targets, dtypes, dropout, per-picture strengths, and a file that others load."""

import json
import re
from collections import defaultdict

import pytest
import torch
from diffusers import FluxPipeline, FluxTransformer2DModel
from safetensors.torch import load_file, save_file

from core.errors import Refused, UserError
from core.flux.lora import TARGETS, add_dropout, add_lora, lora_weights, set_lora_weights, strengths_per_picture, targets_of
from core.flux.lora_file import load_lora_weights, metadata_of, read_lora_header, save_lora_file
from core.flux.model_folder import open_model_folder
from core.settings import POCKET_FLUX, parse_settings

LINEARS = {"attn": 2 * 8 + 2 * 3, "attn-mlp": 2 * 12 + 2 * 5, "blocks": 2 * 14 + 2 * 6}


def small_flux(seed=0, dtype=torch.float32):
    torch.manual_seed(seed)
    return FluxTransformer2DModel(num_layers=2, num_single_layers=2, num_attention_heads=2, attention_head_dim=16, joint_attention_dim=32, pooled_projection_dim=16, in_channels=64, guidance_embeds=True, axes_dims_rope=(4, 6, 6)).to(dtype)


def inputs(batch):
    generator = torch.Generator().manual_seed(1)
    one = {"hidden_states": torch.randn(1, 16, 64, generator=generator), "encoder_hidden_states": torch.randn(1, 8, 32, generator=generator), "pooled_projections": torch.randn(1, 16, generator=generator)}
    many = {name: tensor.expand(batch, -1, -1) if tensor.dim() == 3 else tensor.expand(batch, -1) for name, tensor in one.items()}
    return {**many, "timestep": torch.full((batch,), 0.5), "guidance": torch.ones(batch), "img_ids": torch.zeros(16, 3), "txt_ids": torch.zeros(8, 3), "return_dict": False}


def shaken(model, rank=4, targets="attn-mlp"):
    add_lora(model, rank, rank, targets, seed=3)
    generator = torch.Generator().manual_seed(5)
    set_lora_weights(model, {name: 0.3 * torch.randn(tensor.shape, generator=generator) for name, tensor in lora_weights(model).items()})
    return model.eval()


@pytest.mark.parametrize("targets", sorted(TARGETS))
def test_targets_hit_the_blocks_linears_and_nothing_else(targets):
    model = small_flux()
    add_lora(model, 4, 4, targets, seed=0)
    modules = {name.rsplit(".lora_", 1)[0] for name in lora_weights(model)}
    assert len(modules) == LINEARS[targets] and all(re.match(r"(single_)?transformer_blocks\.\d+\.", name) for name in modules)
    assert targets_of(frozenset(modules)) == targets


def test_foreign_layers_are_refused():
    with pytest.raises(Refused):
        targets_of(frozenset({"transformer_blocks.0.attn.to_q", "proj_out"}))


def test_a_new_lora_changes_nothing_and_is_float32_on_a_bf16_base():
    model = small_flux(dtype=torch.bfloat16)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    parameters = add_lora(model, 4, 4, "attn-mlp", seed=0)
    assert {parameter.dtype for parameter in parameters} == {torch.float32}
    assert all(not tensor.any() for name, tensor in lora_weights(model).items() if "lora_B" in name)
    assert all(torch.equal(model.state_dict()[name.replace(".weight", ".base_layer.weight") if name.replace(".weight", ".base_layer.weight") in model.state_dict() else name], tensor) for name, tensor in before.items() if name.endswith("weight"))


def test_dropout_sits_between_a_and_b_and_rests_in_eval():
    model = shaken(small_flux())
    add_dropout(model, 0.5)
    with torch.no_grad():
        assert torch.equal(model(**inputs(1))[0], model(**inputs(1))[0])
        model.train()
        first, second = model(**inputs(1))[0], model(**inputs(1))[0]
    assert not torch.equal(first, second)


@torch.no_grad()
@pytest.mark.parametrize("targets", ["attn-mlp", "blocks"])
def test_strengths_in_one_batch_equal_one_after_the_other(targets):
    base = small_flux().eval()(**inputs(1))[0]
    model = shaken(small_flux(), targets=targets)
    strengths = (0.0, 0.5, 0.8, 1.0, 1.2)
    with strengths_per_picture(model, strengths):
        together = model(**inputs(5))[0]
    for row, strength in enumerate(strengths):
        model.set_adapters("default", strength)
        assert torch.allclose(together[row : row + 1], model(**inputs(1))[0], atol=2e-6), strength
    assert torch.allclose(together[:1], base, atol=1e-6)
    model.set_adapters("default", 1.0)
    assert torch.equal(model(**inputs(1))[0], model(**inputs(1))[0])


def saved(tmp_path, scale=1.0, rank=4):
    model = shaken(small_flux(), rank)
    settings = parse_settings({"run.name": "anna", "lora.rank": rank, "lora.alpha": rank * scale})
    metadata = metadata_of(settings, open_model_folder_of_pocket(), 7, 18, {"512x512": 18})
    return model, save_lora_file(tmp_path / "anna.safetensors", lora_weights(model), scale, metadata)


def open_model_folder_of_pocket():
    from pathlib import Path

    return open_model_folder(Path(POCKET_FLUX))


def test_alpha_is_folded_into_b_and_keys_are_the_universal_ones(tmp_path):
    model, file = saved(tmp_path, scale=0.5)
    stored = load_file(file.path)
    weights = lora_weights(model)
    assert len(stored) == 2 * LINEARS["attn-mlp"] and not any("alpha" in name for name in stored)
    for name, tensor in weights.items():
        expected = tensor * 0.5 if ".lora_B." in name else tensor
        assert torch.equal(stored[f"transformer.{name}"], expected.half())
    assert file.rank == 4 and file.trigger_word == "ohwx" and file.own["step"] == 7


def test_metadata_says_what_loaders_read_and_no_path(tmp_path):
    _, file = saved(tmp_path)
    assert file.metadata["modelspec.architecture"] == "flux-1-dev/lora" and file.metadata["ss_network_alpha"] == file.metadata["ss_network_dim"]
    assert file.metadata["modelspec.hash_sha256"] == "0x" + file.metadata["sshs_model_hash"]
    everything = json.dumps(dict(file.metadata))
    assert "data/subject" not in everything and "presets/" not in everything and "output" not in json.loads(file.metadata["identity_lora_studio"])["settings"]["run"]


@torch.no_grad()
def test_diffusers_loads_it_and_agrees_at_every_strength(tmp_path):
    model, file = saved(tmp_path)
    fresh = small_flux().eval()
    state, _ = FluxPipeline.lora_state_dict(str(tmp_path), weight_name=file.path.name, return_alphas=True)
    FluxPipeline.load_lora_into_transformer(state, network_alphas=None, transformer=fresh, adapter_name="theirs")
    for strength in (0.5, 1.0):
        fresh.set_adapters("theirs", strength)
        model.set_adapters("default", strength)
        assert torch.allclose(fresh(**inputs(1))[0], model(**inputs(1))[0], atol=2e-3)


def test_comfyui_finds_every_weight_and_the_same_change(tmp_path):
    """ComfyUI maps diffusers names onto slices of BFL's fused layers; every key must land, each slice with B A."""
    _, file = saved(tmp_path)
    stored = {name: tensor.float() for name, tensor in load_file(file.path).items()}
    modules = sorted({name.rsplit(".lora_", 1)[0] for name in stored})
    fused = defaultdict(list)
    for name in modules:
        match = re.match(r"transformer\.(single_)?transformer_blocks\.(\d+)\.(.+)", name)
        fused[comfy_slot(bool(match.group(1)), match.group(3))].append(name)
        delta = stored[f"{name}.lora_B.weight"] @ stored[f"{name}.lora_A.weight"]
        assert delta.shape[0] == stored[f"{name}.lora_B.weight"].shape[0] and delta.abs().max() > 0
    assert {slot: len(names) for slot, names in fused.items()} == {
        "img_attn.qkv": 6, "txt_attn.qkv": 6, "img_attn.proj": 2, "txt_attn.proj": 2, "img_mlp.0": 2, "img_mlp.2": 2, "txt_mlp.0": 2, "txt_mlp.2": 2, "linear1": 8, "linear2": 2,
    }  # fmt: skip


def comfy_slot(single, name):
    if single:
        return {"proj_out": "linear2"}.get(name, "linear1")
    slots = {"attn.to_out.0": "img_attn.proj", "attn.to_add_out": "txt_attn.proj", "ff.net.0.proj": "img_mlp.0", "ff.net.2": "img_mlp.2", "ff_context.net.0.proj": "txt_mlp.0", "ff_context.net.2": "txt_mlp.2"}
    return slots.get(name) or ("txt_attn.qkv" if "add_" in name else "img_attn.qkv")


def test_weights_that_are_not_finite_are_never_published(tmp_path):
    weights = lora_weights(shaken(small_flux()))
    next(iter(weights.values()))[0, 0] = float("nan")
    with pytest.raises(UserError, match="not finite"):
        save_lora_file(tmp_path / "bad.safetensors", weights, 1.0, {})
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_read_back_is_never_published(tmp_path, monkeypatch):
    import core.flux.lora_file as lora_file

    real = lora_file.write_atomic
    monkeypatch.setattr(lora_file, "write_atomic", lambda path, data: real(path, data[:-2] + b"xx"))
    (tmp_path / "anna.safetensors").write_bytes(b"the old one")
    with pytest.raises(UserError, match="read back"):
        saved(tmp_path)
    assert (tmp_path / "anna.safetensors").read_bytes() == b"the old one" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", (2**40).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"{}", (5).to_bytes(8, "little") + b"[1,2]", (4).to_bytes(8, "little") + b"nope"])
def test_hostile_files_are_refused_in_words(tmp_path, content):
    (tmp_path / "evil.safetensors").write_bytes(content)
    with pytest.raises(UserError):
        read_lora_header(tmp_path / "evil.safetensors")


def test_a_lora_of_another_model_is_refused(tmp_path):
    save_file({"lora_unet_down_blocks_0.lora_down.weight": torch.zeros(4, 8)}, tmp_path / "sd.safetensors")
    with pytest.raises(UserError, match="no FLUX transformer LoRA"):
        read_lora_header(tmp_path / "sd.safetensors")


def test_weights_of_another_shape_are_refused(tmp_path):
    _, file = saved(tmp_path)
    other = small_flux()
    add_lora(other, 8, 8, "attn-mlp", seed=0)
    with pytest.raises(ValueError, match="shapes differ"):
        set_lora_weights(other, load_lora_weights(file))
