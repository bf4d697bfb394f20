"""Other people's formats: what ComfyUI and Forge make of our file, kohya's format there and back, and the checks of a file."""

from pathlib import Path

import pytest
import torch
from diffusers import FluxPipeline, FluxTransformer2DModel
from safetensors.torch import load_file, save_file

from core.errors import Refused, UserError
from core.flux.lora import ADAPTER, add_encoder_lora, add_lora, lora_weights, set_lora_weights
from core.flux.lora_check import convert, inspect, verify
from core.flux.lora_file import save_lora_file
from core.flux.lora_formats import from_kohya, pairs_of, patches_of, to_kohya
from core.flux.model_folder import open_model_folder
from core.flux.models import choose_hardware, load_clip
from core.flux.weights import PLACE_IN_JOINT, their_name
from core.settings import POCKET_FLUX
from tests.core.test_lora import small_flux


def shaken(model, add, *arguments):
    add(model, 4, 4, *arguments)
    generator = torch.Generator().manual_seed(7)
    set_lora_weights(model, {name: 0.1 * torch.randn(tensor.shape, generator=generator) for name, tensor in lora_weights(model).items()})
    return model


@pytest.fixture(scope="module")
def models():
    clip = load_clip(open_model_folder(Path(POCKET_FLUX)), choose_hardware("fp32"))[1]
    return shaken(small_flux(), add_lora, "blocks", 1), shaken(clip, add_encoder_lora, 1)


@pytest.fixture(scope="module")
def file(models, tmp_path_factory):
    transformer, clip = models
    path = tmp_path_factory.mktemp("files") / "anna.safetensors"
    return save_lora_file(path, lora_weights(transformer) | lora_weights(clip), 1.0, {"modelspec.trigger_phrase": "ohwx", "ss_steps": "7"}).path


def changes_of(model):
    """What peft itself adds to each adapted layer."""
    return {name: module.get_delta_weight(ADAPTER) for name, module in model.named_modules() if hasattr(module, "get_delta_weight")}


def test_comfyui_and_forge_apply_exactly_what_was_trained(models, file):
    patches, unknown = patches_of(load_file(file))
    transformer, clip = (changes_of(model) for model in models)
    assert unknown == [] and len(patches) == len(transformer) + len(clip)
    ours = {(patch.weight, patch.first_row): patch.change for patch in patches}
    for module, change in transformer.items():
        place, width = PLACE_IN_JOINT.get(module.rsplit(".", 1)[-1], 0), change.shape[0] // (4 if module.endswith("proj_mlp") else 1)
        assert torch.allclose(ours[f"{their_name(module)}.weight", place * width], change, atol=2e-3)
    for module, change in clip.items():
        assert torch.allclose(ours[f"clip_l.transformer.text_model.{module}.weight", 0], change, atol=2e-3)


def test_parts_of_a_joint_matrix_lie_one_after_the_other(file):
    rows = sorted((patch.first_row, patch.change.shape[0]) for patch in patches_of(load_file(file))[0] if patch.weight == "single_blocks.0.linear1.weight")
    assert rows == [(0, 32), (32, 32), (64, 32), (96, 128)]


def test_a_layer_outside_the_blocks_is_named_as_unknown():
    weights = {"transformer.nowhere.lora_A.weight": torch.zeros(2, 4), "transformer.nowhere.lora_B.weight": torch.zeros(4, 2)}
    assert patches_of(weights)[1] == ["transformer.nowhere"]


def same_changes(one, other):
    first, second = ({(patch.weight, patch.first_row): patch.change for patch in patches_of(weights)[0]} for weights in (one, other))
    return first.keys() == second.keys() and all(torch.allclose(first[key], second[key], atol=1e-6) for key in first)


def test_kohyas_format_and_back_is_the_same_lora(file):
    weights = load_file(file)
    kohya = to_kohya(weights)
    assert same_changes(weights, from_kohya(kohya))
    assert kohya["lora_unet_double_blocks_0_img_attn_qkv.alpha"] == 12 and kohya["lora_unet_single_blocks_0_linear1.alpha"] == 16 and kohya["lora_unet_single_blocks_0_linear2.alpha"] == 4
    assert "lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight" in kohya


def test_alpha_of_a_foreign_file_is_folded_in():
    generator = torch.Generator().manual_seed(1)
    down, up = torch.randn(4, 16, generator=generator), torch.randn(48, 4, generator=generator)
    name = "lora_unet_double_blocks_3_txt_attn_qkv"
    found = from_kohya({f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up, f"{name}.alpha": torch.tensor(2.0)})
    assert sorted({key.split(".lora_")[0] for key in found}) == [f"transformer.transformer_blocks.3.attn.add_{part}_proj" for part in "kqv"]
    assert torch.allclose(found["transformer.transformer_blocks.3.attn.add_k_proj.lora_B.weight"] @ found["transformer.transformer_blocks.3.attn.add_k_proj.lora_A.weight"], 0.5 * up[16:32] @ down, atol=1e-5)


def test_layers_that_flux_dev_does_not_have_are_refused():
    with pytest.raises(UserError, match="lora_unet_img_in"):
        from_kohya({"lora_unet_img_in.lora_down.weight": torch.zeros(2, 4), "lora_unet_img_in.lora_up.weight": torch.zeros(4, 2)})


def test_diffusers_reads_the_kohya_export_at_real_width(tmp_path):
    with torch.device("meta"):
        real = FluxTransformer2DModel(num_layers=1, num_single_layers=1, num_attention_heads=24, attention_head_dim=128, guidance_embeds=True)
    add_lora(real, 2, 2, "attn-mlp", seed=0)
    generator = torch.Generator().manual_seed(3)
    weights = {f"transformer.{name}": torch.randn(parameter.shape, generator=generator) for name, parameter in ((n.replace(f".{ADAPTER}", ""), p) for n, p in real.named_parameters() if "lora_" in n)}
    save_file(to_kohya(weights), tmp_path / "kohya.safetensors")
    theirs = FluxPipeline.lora_state_dict(str(tmp_path), weight_name="kohya.safetensors", local_files_only=True)
    ours, read = ({pair.module: pair for pair in pairs_of(found)} for found in (weights, theirs))
    assert ours.keys() == read.keys() and len(ours) == 17
    for module, pair in ours.items():
        x = torch.randn(pair.down.shape[1], generator=generator)
        assert torch.allclose(pair.up @ (pair.down @ x), read[module].up.float() @ (read[module].down.float() @ x), rtol=1e-3, atol=1e-2), module


def test_a_sound_file_passes_every_check(file):
    checks = verify(file, None)
    assert len(checks) >= 6 and [check.what for check in checks if not check.passed] == []


def test_a_sound_file_draws_in_diffusers(tmp_path):
    transformer = FluxTransformer2DModel.from_pretrained(Path(POCKET_FLUX) / "transformer")
    saved = save_lora_file(tmp_path / "b.safetensors", lora_weights(shaken(transformer, add_lora, "attn-mlp", 1)), 1.0, {})
    assert [check.passed for check in verify(saved.path, Path(POCKET_FLUX))[-2:]] == [True, True]


def test_damage_is_found(file, tmp_path):
    weights = load_file(file)
    name = next(iter(weights))
    changed = tmp_path / "changed.safetensors"
    save_file(weights | {name: weights[name] + 1}, changed, metadata={"sshs_model_hash": "0" * 64, "note": "/home/someone/photos"})
    failed = {check.what for check in verify(changed, None) if not check.passed}
    assert any("hash" in what for what in failed) and any("path" in what for what in failed)
    broken = tmp_path / "broken.safetensors"
    save_file(weights | {name: weights[name] * float("nan")}, broken)
    assert any("finite" in check.what and not check.passed for check in verify(broken, None))


def test_looking_into_files_of_all_kinds(file, tmp_path):
    kohya = convert(file, "kohya", tmp_path / "kohya.safetensors")
    strange = tmp_path / "strange.safetensors"
    save_file({"layer.weight": torch.zeros(2, 2)}, strange)
    assert [inspect(path)["format"] for path in (file, kohya, strange)] == ["universal", "kohya", "unknown"]
    facts = inspect(file)
    assert facts["trigger"] == "ohwx" and facts["ranks"] == [4] and facts["text_encoder"] is True and facts["steps"] == "7"


def test_converting_there_and_back_and_never_over_a_file(file, tmp_path):
    kohya = convert(file, "kohya", tmp_path / "kohya.safetensors")
    back = convert(kohya, "universal", tmp_path / "back.safetensors")
    assert same_changes(load_file(file), load_file(back)) and all(check.passed for check in verify(kohya, None))
    with pytest.raises(Refused, match="already"):
        convert(file, "kohya", kohya)
    with pytest.raises(Refused, match="universal file"):
        convert(kohya, "kohya", tmp_path / "again.safetensors")
