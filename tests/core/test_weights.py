"""Loading a FLUX.1-dev: folder, shards, ComfyUI's single file; block by block; what is refused and how it is said."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import FluxTransformer2DModel
from safetensors.torch import load_file, save_file
from torch import nn

from core.errors import UserError
from core.flux.int8 import Int8Linear, quantize_linears
from core.flux.model_folder import open_model_folder
from core.flux.models import choose_hardware, load_transformer
from core.flux.single_file import COMFY_PREFIX
from core.flux.weights import their_name
from core.settings import POCKET_FLUX

INDEX_FILE = "diffusion_pytorch_model.safetensors.index.json"
JOINT = {"to_q": 0, "to_k": 1, "to_v": 2, "add_q_proj": 0, "add_k_proj": 1, "add_v_proj": 2, "proj_mlp": 3}
FLUX_DEV_CONFIG = {
    "_class_name": "FluxTransformer2DModel", "attention_head_dim": 128, "guidance_embeds": True, "in_channels": 64, "joint_attention_dim": 4096,
    "num_attention_heads": 24, "num_layers": 19, "num_single_layers": 38, "patch_size": 1, "pooled_projection_dim": 768,
}  # fmt: skip


@pytest.fixture(scope="module")
def reference():
    return FluxTransformer2DModel.from_pretrained(Path(POCKET_FLUX) / "transformer").state_dict()


@pytest.fixture
def copied(tmp_path):
    """A pocket FLUX of one's own, to damage."""
    return Path(shutil.copytree(POCKET_FLUX, tmp_path / "flux"))


def loaded(path, finish_block=lambda block: None):
    return load_transformer(open_model_folder(path), choose_hardware("fp32"), finish_block)


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def in_their_names(weights):
    """The inverse of what is tested: q, k, v (and the MLP's first layer) joined, the last norm's halves swapped."""
    joint, single = {}, {}
    for name, tensor in weights.items():
        module, kind = name.rsplit(".", 1)
        theirs, place = their_name(module), JOINT.get(module.rsplit(".", 1)[-1])
        if place is not None:
            joint.setdefault(f"{theirs}.{kind}", {})[place] = tensor
        elif module == "norm_out.linear":
            scale, shift = tensor.chunk(2)
            single[f"{theirs}.{kind}"] = torch.cat((shift, scale))
        else:
            single[f"{theirs}.{'scale' if theirs.endswith('_norm') else kind}"] = tensor
    return {name: tensor.contiguous() for name, tensor in single.items()} | {name: torch.cat([parts[i] for i in sorted(parts)]) for name, parts in joint.items()}


def test_a_folder_loads_as_diffusers_loads_it(reference):
    assert equal(loaded(Path(POCKET_FLUX)).state_dict(), reference)


def test_shards_load_like_the_whole(copied, reference):
    folder, names = copied / "transformer", sorted(reference)
    whole = folder / INDEX_FILE.removesuffix(".index.json")
    whole.unlink()
    halves = {"a.safetensors": names[: len(names) // 2], "b.safetensors": names[len(names) // 2 :]}
    for file, part in halves.items():
        save_file({name: reference[name].contiguous() for name in part}, folder / file)
    (folder / INDEX_FILE).write_text(json.dumps({"weight_map": {name: file for file, part in halves.items() for name in part}}))
    assert equal(loaded(copied).state_dict(), reference)


@pytest.mark.parametrize("prefix", ["", COMFY_PREFIX])
def test_comfyuis_single_file_is_the_same_model(copied, reference, prefix):
    file = copied / "flux1-dev.safetensors"
    save_file({prefix + name: tensor for name, tensor in in_their_names(reference).items()} | ({"vae.decoder.conv_in.weight": torch.zeros(1)} if prefix else {}), file)
    assert equal(loaded(file).state_dict(), reference)


def test_fp8_with_a_scale_per_tensor_is_scaled_back(copied, reference):
    stored = {}
    for name, tensor in in_their_names(reference).items():
        if tensor.dim() == 2 and "blocks" in name:
            scale = tensor.abs().max() / 400
            stored[name] = (tensor / scale).to(torch.float8_e4m3fn)
            stored[name.replace(".weight", ".scale_weight")] = scale
        else:
            stored[name] = tensor
    file = copied / "flux1-dev-fp8.safetensors"
    save_file(stored | {"scaled_fp8": torch.zeros(2).to(torch.float8_e4m3fn)}, file)
    ours = loaded(file).state_dict()
    assert all((ours[name] - reference[name]).norm() <= 0.04 * reference[name].norm() + 1e-6 for name in reference)


def test_each_block_is_finished_before_the_next_is_read(reference):
    seen = []

    def finish(block):
        quantize_linears(block)
        seen.append(any(parameter.is_meta for parameter in block.parameters()))

    transformer = loaded(Path(POCKET_FLUX), finish)
    blocks = [*transformer.transformer_blocks, *transformer.single_transformer_blocks]
    assert seen == [False] * len(blocks) and all(isinstance(block.norm1.linear if hasattr(block, "norm1") else block.norm.linear, Int8Linear) for block in blocks)
    assert type(transformer.x_embedder) is nn.Linear and not any(parameter.requires_grad for parameter in transformer.parameters())


def test_what_is_missing_misshapen_or_unknown_is_named(copied):
    file = copied / "transformer" / INDEX_FILE.removesuffix(".index.json")
    whole = load_file(file)
    name = "single_transformer_blocks.0.attn.to_q.weight"
    for change, words in ((lambda w: w.pop(name), "lacks the weight"), (lambda w: w.update({name: w[name][:1]}), "has shape"), (lambda w: w.update({"strange.weight": w[name].clone()}), "strange.weight")):
        weights = dict(whole)
        change(weights)
        save_file({key: tensor.contiguous() for key, tensor in weights.items()}, file)
        with pytest.raises(UserError, match=words) as raised:
            loaded(copied)
        assert name in raised.value.what or "strange" in raised.value.what


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"guidance_embeds": False}, "schnell"), ({"in_channels": 384}, "Fill"), ({"_class_name": "Flux2Transformer2DModel"}, "Flux2Transformer2DModel")],
)
def test_relatives_of_flux_dev_are_refused_with_the_reason(copied, changes, words):
    file = copied / "transformer" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    with pytest.raises(UserError, match=words):
        open_model_folder(copied)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["img_in.weight", "single_blocks.0.linear1.weight"], "schnell"),
        (["img_in.weight", "single_blocks.0.linear1.weight", "double_stream_modulation_img.lin.weight"], "is a FLUX"),
        (["img_in.weight", "single_blocks.0.linear1.weight", "guidance_in.in_layer.weight", "single_blocks.0.linear1.weight.absmax"], "bitsandbytes"),
        (["model.layers.0.weight"], "Black Forest Labs"),
    ],
)
def test_single_files_of_other_kinds_are_refused_with_the_reason(copied, names, words):
    file = copied / "other.safetensors"
    save_file({name: torch.zeros(1) for name in names}, file)
    with pytest.raises(UserError, match=words):
        open_model_folder(file)


def test_a_pickle_in_disguise_is_refused(copied):
    file = copied / "model.safetensors"
    torch.save({"img_in.weight": torch.zeros(1)}, file)
    with pytest.raises(UserError, match="not a safetensors file"):
        open_model_folder(file)


def test_a_single_file_without_the_other_parts_says_where_they_come_from(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    file = tmp_path / "flux1-dev.safetensors"
    save_file({name: torch.zeros(1, 64) for name in ("img_in.weight", "single_blocks.0.linear1.weight", "guidance_in.in_layer.weight")}, file)
    with pytest.raises(UserError, match="needs the other parts"):
        open_model_folder(file)


def test_a_hub_id_that_was_not_downloaded_is_no_folder():
    with pytest.raises(UserError, match="not there"):
        open_model_folder(Path("nobody/nothing"))


def test_every_weight_of_the_real_model_has_a_name_in_the_single_file():
    with torch.device("meta"):
        real = FluxTransformer2DModel.from_config(FLUX_DEV_CONFIG)
    parameters = dict(real.named_parameters())
    assert sum(parameter.numel() for parameter in parameters.values()) == 11_901_408_320
    theirs = {their_name(name.rsplit(".", 1)[0]) for name in parameters}
    assert len([name for name in theirs if name.startswith("double_blocks.")]) == 19 * 14 and len([name for name in theirs if name.startswith("single_blocks.")]) == 38 * 5
