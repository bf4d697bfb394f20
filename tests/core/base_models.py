"""Base models for tests: any size as files of holes, which have true names and shapes but take no room on the disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel

from core.settings import POCKET_FLUX

BYTES = {"BF16": 2, "F16": 2, "F32": 4, "F8_E4M3": 1, "F8_E5M2": 1, "U8": 1}
FLUX_DEV_CONFIG = {
    "_class_name": "FluxTransformer2DModel", "attention_head_dim": 128, "axes_dims_rope": [16, 56, 56], "guidance_embeds": True, "in_channels": 64, "joint_attention_dim": 4096,
    "num_attention_heads": 24, "num_layers": 19, "num_single_layers": 38, "patch_size": 1, "pooled_projection_dim": 768,
}  # fmt: skip


def write_holes(file: Path, shapes: Mapping[str, tuple[int, ...]], dtype: str, others: Mapping[str, tuple[str, tuple[int, ...]]] | None = None) -> None:
    """A .safetensors file of zeros; `others` are entries of another dtype."""
    header, end = {}, 0
    for name, (kind, shape) in {**{name: (dtype, shape) for name, shape in shapes.items()}, **(others or {})}.items():
        begin, end = end, end + BYTES[kind] * torch.Size(shape).numel()
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [begin, end]}
    raw = json.dumps(header).encode()
    with open(file, "wb") as opened:
        opened.write(len(raw).to_bytes(8, "little") + raw)
        opened.truncate(8 + len(raw) + end)


def shapes_of(config: dict) -> dict[str, tuple[int, ...]]:
    """By diffusers' names, from the class itself."""
    with torch.device("meta"):
        model = FluxTransformer2DModel.from_config(config)
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


def model_of_holes(folder: Path, config: dict, shards: int, dtype: str = "BF16") -> Path:
    """A model folder whose transformer is of that size, in that many shards; its other parts are the pocket FLUX's."""
    shutil.copytree(POCKET_FLUX, folder)
    transformer = folder / "transformer"
    (transformer / "diffusion_pytorch_model.safetensors").unlink()
    (transformer / "config.json").write_text(json.dumps(config))
    shapes = shapes_of(config)
    names = list(shapes)
    weight_map = {}
    for number in range(shards):
        part = names[number::shards]
        file = transformer / f"diffusion_pytorch_model-{number + 1:05}-of-{shards:05}.safetensors"
        write_holes(file, {name: shapes[name] for name in part}, dtype)
        weight_map |= dict.fromkeys(part, file.name)
    (transformer / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return folder


def flux_dev_in_their_names() -> dict[str, tuple[int, ...]]:
    """FLUX.1-dev as Black Forest Labs publish it, written down from model.py of black-forest-labs/flux: 780 tensors."""
    width, head, mlp = 3072, 128, 12288
    linears = {"img_in": (width, 64), "txt_in": (width, 4096), "vector_in.in_layer": (width, 768), "vector_in.out_layer": (width, width), "final_layer.linear": (64, width), "final_layer.adaLN_modulation.1": (2 * width, width)}
    for embedder in ("time_in", "guidance_in"):
        linears |= {f"{embedder}.in_layer": (width, 256), f"{embedder}.out_layer": (width, width)}
    norms = []
    for number in range(19):
        for stream in ("img", "txt"):
            block = f"double_blocks.{number}.{stream}"
            linears |= {f"{block}_mod.lin": (6 * width, width), f"{block}_attn.qkv": (3 * width, width), f"{block}_attn.proj": (width, width), f"{block}_mlp.0": (mlp, width), f"{block}_mlp.2": (width, mlp)}
            norms += [f"{block}_attn.norm.query_norm", f"{block}_attn.norm.key_norm"]
    for number in range(38):
        block = f"single_blocks.{number}"
        linears |= {f"{block}.modulation.lin": (3 * width, width), f"{block}.linear1": (3 * width + mlp, width), f"{block}.linear2": (width, width + mlp)}
        norms += [f"{block}.norm.query_norm", f"{block}.norm.key_norm"]
    shapes = {f"{name}.weight": shape for name, shape in linears.items()} | {f"{name}.bias": shape[:1] for name, shape in linears.items()}
    return shapes | {f"{name}.scale": (head,) for name in norms}
